"""Graphs: the tasks of a DAG and the groups of Steps, their order and what they may refer to."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from hera_k8s_sandbox.workflows.language.depends import Depends, DependsError, depends_of
from hera_k8s_sandbox.workflows.model.expansion import expands
from hera_k8s_sandbox.workflows.validation.calls import check_call, check_step
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid
from hera_k8s_sandbox.workflows.validation.hooks import check_hooks, without_hooks
from hera_k8s_sandbox.workflows.validation.references import Names, check_references, names_of_items, names_of_outputs
from hera_k8s_sandbox.workflows.validation.scopes import Scope
from hera_k8s_utils._types import Json


def check_dag(where: str, template: Json, scope: Scope, inside: set[str]) -> None:
    """Check a DAG template; inside: what tags may name because of its own fields."""
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
    outputs = {
        name: names_of_outputs(scope.called(f"{where}.tasks.{name}", task), task) for name, task in tasks.items()
    }
    for name, task in tasks.items():
        at = f"{where}.tasks.{name}"
        check_call(at, task, scope)
        check_hooks(at, task, scope)
        known = {each: outputs[each] for each in _ancestors(name, depends)}
        names = Names(inside | names_of_items(task), "tasks", known)
        check_references(at, without_hooks(task), scope, names)
        check_references(at, task.get("hooks"), scope, Names(names.exact, "tasks", {**known, name: outputs[name]}))
    check_references(f"{where}.outputs", template.get("outputs"), scope, Names(inside, "tasks", outputs))


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


def check_steps(where: str, template: Json, scope: Scope, inside: set[str]) -> None:
    """Check a Steps template; inside: what tags may name because of its own fields."""
    seen: dict[str, Json] = {}
    before: dict[str, set[str] | None] = {}
    for index, group in enumerate(template["steps"]):
        for number, step in enumerate(group):
            check_step(f"{where}.steps[{index}][{number}]", step, seen)
            seen[step["name"]] = step
        ended: dict[str, set[str] | None] = {}
        for step in group:
            at = f"{where}.steps[{index}].{step['name']}"
            check_call(at, step, scope)
            check_hooks(at, step, scope)
            names = Names(inside | names_of_items(step), "steps", before)
            check_references(at, without_hooks(step), scope, names)
            own = names_of_outputs(scope.called(at, step), step)
            check_references(at, step.get("hooks"), scope, Names(names.exact, "steps", {**before, step["name"]: own}))
            ended[step["name"]] = own
        before |= ended
    check_references(f"{where}.outputs", template.get("outputs"), scope, Names(inside, "steps", before))
