"""Graphs: the tasks of a DAG and the groups of Steps, their order and what they may refer to."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

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
    _check_acyclic(where, depends)
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


def _check_acyclic(where: str, depends: Mapping[str, Depends]) -> None:
    # against the direction of the dependencies, so that a cycle reads as Argo writes it: each task before what it needs
    graph = TopologicalSorter[str](dict.fromkeys(depends, ()))
    for name, found in depends.items():
        for dependency in found.tasks:
            graph.add(dependency, name)
    try:
        graph.prepare()
    except CycleError as error:
        raise WorkflowInvalid(f"{where} dependency cycle detected: {'->'.join(error.args[1])}") from None


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
