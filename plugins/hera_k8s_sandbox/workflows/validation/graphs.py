"""Graphs: the tasks of a DAG and the groups of Steps, their order and what they may refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hera_k8s_sandbox.workflows.language.depends import Depends, DependsError, depends_of
from hera_k8s_sandbox.workflows.model.expansion import expands
from hera_k8s_sandbox.workflows.validation.calls import check_call, check_step
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid
from hera_k8s_sandbox.workflows.validation.hooks import check_hooks, without_hooks
from hera_k8s_sandbox.workflows.validation.references import check_references
from hera_k8s_sandbox.workflows.validation.scopes import Scope
from hera_k8s_utils._types import Json


def check_dag(where: str, template: Json, scope: Scope, inputs: set[str]) -> None:
    """Check a DAG template; inputs: the names of its input parameters."""
    listed = template["dag"].get("tasks") or []
    if not listed:
        raise WorkflowInvalid(f"{where} must have at least one task")
    tasks: dict[str, Json] = {}
    for index, task in enumerate(listed):
        check_step(f"{where}.tasks[{index}]", task, tasks)
        tasks[task["name"]] = task
    depends = {name: _depends(where, task, tasks) for name, task in tasks.items()}
    _acyclic(where, depends)
    for target in str(template["dag"].get("target") or "").split():
        if target not in tasks and "{{" not in target:
            raise WorkflowInvalid(f"{where}.targets target '{target}' is not defined")
    for name, task in tasks.items():
        at = f"{where}.tasks.{name}"
        check_call(at, task, scope)
        check_hooks(at, task, scope)
        before, names = _ancestors(name, depends), set(tasks)
        check_references(at, without_hooks(task), scope, inputs, before, names, "tasks")
        check_references(at, task.get("hooks") or {}, scope, inputs, before | {name}, names, "tasks")


def _depends(where: str, task: Json, tasks: Mapping[str, Json]) -> Depends:
    at = f"{where}.tasks.{task['name']}"
    if task.get("depends") and task.get("dependencies"):
        raise WorkflowInvalid(f"{where} cannot use both 'depends' and 'dependencies' in the same DAG template")
    if task.get("depends") and task.get("continueOn"):
        raise WorkflowInvalid(
            f"{where} cannot use 'continueOn' when using 'depends'. Instead use 'dep-task.Failed'/'dep-task.Errored'"
        )
    try:
        depends = depends_of(task, tasks)
    except DependsError as error:
        raise WorkflowInvalid(f"{at} {error}") from None
    for name in depends.tasks:
        if name not in tasks:
            raise WorkflowInvalid(f"{at} dependency '{name}' not defined")
    for name in depends.items:
        if not expands(tasks[name]):
            raise WorkflowInvalid(
                f"{at} dependency '{name}' uses an items-based condition such as .AnySucceeded or .AllFailed "
                "but does not contain any items"
            )
    return depends


def _acyclic(where: str, depends: Mapping[str, Depends]) -> None:
    state: dict[str, int] = {}
    for start in depends:
        stack: list[tuple[str, Iterator[str]]] = []
        if not state.get(start):
            state[start] = 1
            stack.append((start, iter(depends[start].tasks)))
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[name] = 2
                stack.pop()
            elif state.get(following) == 1:
                path = [each for each, _ in stack]
                cycle = "->".join([*path[path.index(following) :], following])
                raise WorkflowInvalid(f"{where} dependency cycle detected: {cycle}")
            elif not state.get(following):
                state[following] = 1
                stack.append((following, iter(depends[following].tasks)))


def _ancestors(name: str, depends: Mapping[str, Depends]) -> set[str]:
    found: set[str] = set()
    stack = list(depends[name].tasks)
    while stack:
        each = stack.pop()
        if each not in found:
            found.add(each)
            stack.extend(depends[each].tasks)
    return found


def check_steps(where: str, template: Json, scope: Scope, inputs: set[str]) -> None:
    """Check a Steps template; inputs: the names of its input parameters."""
    seen: dict[str, Json] = {}
    before: set[str] = set()
    names = {step.get("name", "") for group in template["steps"] for step in group}
    for index, group in enumerate(template["steps"]):
        for number, step in enumerate(group):
            check_step(f"{where}.steps[{index}][{number}]", step, seen)
            seen[step["name"]] = step
        for step in group:
            at = f"{where}.steps[{index}].{step['name']}"
            check_call(at, step, scope)
            check_hooks(at, step, scope)
            check_references(at, without_hooks(step), scope, inputs, before, names, "steps")
            check_references(at, step.get("hooks") or {}, scope, inputs, before | {step["name"]}, names, "steps")
        before |= {step["name"] for step in group}
