"""DAGs: tasks run as soon as what they depend on allows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hera_k8s_sandbox.workflows.engine import hooks
from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.engine.scope import (
    ScopeError,
    resolve,
    template_outputs,
    values_of_absent,
    values_of_group,
    values_of_inputs,
    values_of_node,
)
from hera_k8s_sandbox.workflows.language.depends import Depends, depends_of
from hera_k8s_sandbox.workflows.language.when import ConditionError, holds
from hera_k8s_sandbox.workflows.model.artifacts import ArtifactError
from hera_k8s_sandbox.workflows.model.expansion import ExpansionError, expand, expands
from hera_k8s_sandbox.workflows.model.nodes import (
    COMPLETED,
    FAILED,
    NodeError,
    Nodes,
    ParallelismReached,
    failed,
    fulfilled,
    is_daemoned,
)
from hera_k8s_sandbox.workflows.model.spec_fields import has_hooks
from hera_k8s_utils._types import Json


@dataclass
class _Waiting:
    """The members of a fanned-out task that have not ended, and the phase of the group so far."""

    members: list[tuple[Json, str]]
    phase: str = "Succeeded"


@dataclass
class _Plan:
    """What can be derived of a DAG once: its tasks, what they wait for, and its leaves."""

    tasks: dict[str, Json]
    depends: dict[str, Depends]
    targets: list[str]
    order: list[str]
    settled: set[str] = field(default_factory=set)
    resolved: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, _Waiting] = field(default_factory=dict)
    hooked: frozenset[str] = frozenset()


def execute(run: RunContext, node: Json, template: Json) -> None:
    """Advance a DAG: start what can start, and end it when nothing is left."""
    plan = run.plans.get(node["id"])
    if plan is None:
        plan = run.plans[node["id"]] = _plan(template)
    for name in plan.order:
        if name not in plan.settled:
            _advance_task(run, node, plan, name)
    phase = _phase(run.nodes, node, plan, template)
    if phase == "Running" or any(_has_open_hooks(run.nodes, node, plan, name) for name in plan.hooked):
        return
    try:
        if phase == "Succeeded":
            values = run.values() | values_of_inputs(node) | _scope(run, node, plan, list(plan.tasks))
            run.take_outputs(node, template_outputs(template, values))
        else:
            _scope(run, node, plan, _before_targets(run, node, plan))  # Argo reads them for the hooks of the targets
    except (ArtifactError, ScopeError) as error:
        run.nodes.mark(node, "Error", str(error))
        return
    leaving = [target for name in plan.targets if (target := run.nodes.get(f"{node['name']}.{name}"))]
    outbound = [key for target in leaving for key in run.nodes.outbound(target)]
    run.nodes.set(node, outboundNodes=outbound or None)
    run.nodes.mark(node, phase)
    del run.plans[node["id"]]


def task_order(tasks: dict[str, Json], depends: dict[str, Depends], targets: list[str]) -> list[str]:
    """The tasks that the targets need, each after what it depends on.

    Depth first as in Argo: `graphlib` would start the tasks in another order. No recursion, so chains may be long.
    """
    order: list[str] = []
    seen: set[str] = set()
    for target in targets:
        stack = [(target, False)]
        while stack:
            name, expanded = stack.pop()
            if expanded:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack.extend((each, False) for each in reversed(depends[name].tasks) if each not in seen)
    return order


def _plan(template: Json) -> _Plan:
    tasks = {task["name"]: task for task in template["dag"]["tasks"]}
    depends = {name: depends_of(task, tasks) for name, task in tasks.items()}
    wanted = str(template["dag"].get("target") or "").split()
    if not wanted:
        needed = {name for each in depends.values() for name in each.tasks}
        wanted = sorted(name for name in tasks if name not in needed)
    hooked = frozenset(name for name, task in tasks.items() if has_hooks(task))
    return _Plan(tasks, depends, wanted, task_order(tasks, depends, wanted), hooked=hooked)


def _before_targets(run: RunContext, boundary: Json, plan: _Plan) -> list[str]:
    """The ancestors of those targets that have a node."""
    made = [name for name in plan.targets if run.nodes.get(f"{boundary['name']}.{name}")]
    needed = [each for name in made for each in plan.depends[name].tasks]
    return task_order(plan.tasks, plan.depends, needed)


def _advance_task(run: RunContext, boundary: Json, plan: _Plan, name: str) -> None:
    nodes, node_name = run.nodes, f"{boundary['name']}.{name}"
    node = nodes.get(node_name)
    if node is not None and name in plan.hooked and not expands(plan.tasks[name]):
        task = _resolve(run, boundary, plan, name)
        if not _advance_hooks(run, boundary, plan, task, name, node):
            return
    if fulfilled(node):
        plan.settled.add(name)
        return
    if node is None:
        ready = _is_ready(nodes, boundary, plan, name)
        if ready is None:
            return
        if not ready:
            _skip(run, boundary, plan, name, "Omitted", "omitted: depends condition not met")
            return
    if name not in plan.groups:
        try:
            task = _resolve(run, boundary, plan, name)
            members = expand(task)
        except (ArtifactError, ScopeError, ConditionError, ExpansionError) as error:
            _skip(run, boundary, plan, name, "Error", str(error))
            return
        if not expands(plan.tasks[name]):
            _start(run, boundary, plan, task, name, node_name, "")
            return
        if not members.count:
            _skip(run, boundary, plan, name, "Skipped", "Skipped, empty params")
            return
        run.require_room(boundary, f"{boundary['name']}.", task, members)
        plan.groups[name] = _Waiting([(member, f"{boundary['name']}.{member['name']}") for member in members])
    _advance_group(run, boundary, plan, name, node_name)


def _advance_group(run: RunContext, boundary: Json, plan: _Plan, name: str, node_name: str) -> None:
    nodes, waiting = run.nodes, plan.groups[name]
    group = nodes.get(node_name)
    if group is None:
        group = nodes.add(
            node_name, "TaskGroup", phase="Running", **run.caller_fields(plan.tasks[name], boundary["id"])
        )
        _connect(nodes, boundary, plan, name, group)
    left: list[tuple[Json, str]] = []
    for position, (member, member_name) in enumerate(waiting.members):
        try:
            _start(run, boundary, plan, member, name, member_name, group["id"])
        except ParallelismReached:
            left.extend(waiting.members[position:])  # the same template: the rest has no room either
            break
        node = nodes.get(member_name)
        done = name not in plan.hooked or node is None
        if not done and node is not None:
            done = _advance_hooks(run, boundary, plan, member, name, node)
        if node is None or not fulfilled(node) or not done:
            left.append((member, member_name))
        elif failed(node):
            waiting.phase = node["phase"]
    waiting.members = left
    if not left:
        nodes.mark(group, waiting.phase)
        plan.settled.add(name)


def _start(run: RunContext, boundary: Json, plan: _Plan, task: Json, name: str, node_name: str, group: str) -> None:
    """Execute one task, or one member of a group, unless its `when` is false."""
    nodes = run.nodes
    if nodes.get(node_name) is None and task.get("when"):
        more = {**run.caller_fields(task, boundary["id"]), "owner": group}
        try:
            wanted = holds(str(task["when"]))
        except ConditionError as error:
            node = nodes.add(node_name, "Skipped", phase="Error", message=str(error), **more)
            _connect(nodes, boundary, plan, name, node, group)
            return
        if not wanted:
            message = f"when '{task['when']}' evaluated false"
            node = nodes.add(node_name, "Skipped", phase="Skipped", message=message, **more)
            _connect(nodes, boundary, plan, name, node, group)
            return
    _run(run, boundary, plan, task, name, node_name, group)


def _run(run: RunContext, boundary: Json, plan: _Plan, task: Json, name: str, node_name: str, group: str) -> None:
    nodes = run.nodes
    known = nodes.get(node_name)
    try:
        arguments = task.get("arguments") or {}
        node = run.execute(node_name, task, arguments, boundary["id"], group)
    except NodeError as error:
        node = nodes.get(node_name)
        if node is not None:
            nodes.mark(node, "Error", f"task '{node_name}' errored: {error}")
    except ParallelismReached:
        if group:
            raise
        node = nodes.get(node_name)
    if node is not None and known is None:
        _connect(nodes, boundary, plan, name, node, group)


def _advance_hooks(run: RunContext, boundary: Json, plan: _Plan, task: Json, name: str, node: Json) -> bool:
    """Run what hooks of a task its state wants; whether none of them is under way."""
    try:
        values = run.values() | values_of_inputs(boundary) | _scope(run, boundary, plan, plan.order)
        values |= values_of_node(run, f"tasks.{name}", node)
        return hooks.advance_task(run, boundary, task, node, f"tasks.{name}", values)
    except (NodeError, ScopeError) as error:
        run.nodes.mark(node, "Error", f"task '{node['name']}' errored: {error}")
        plan.settled.add(name)
        return True


def _has_open_hooks(nodes: Nodes, boundary: Json, plan: _Plan, name: str) -> bool:
    """Whether a task has ended and its hooks have not."""
    if name not in plan.hooked or name in plan.settled:
        return False
    return fulfilled(nodes.get(f"{boundary['name']}.{name}"))


def _skip(run: RunContext, boundary: Json, plan: _Plan, name: str, phase: str, message: str) -> None:
    nodes, node_name = run.nodes, f"{boundary['name']}.{name}"
    more = run.caller_fields(plan.tasks[name], boundary["id"])
    node = nodes.add(node_name, "Skipped", phase=phase, message=message, **more)
    _connect(nodes, boundary, plan, name, node)
    plan.settled.add(name)


def _connect(nodes: Nodes, boundary: Json, plan: _Plan, name: str, node: Json, group: str = "") -> None:
    """Make a task's node a child of its group, else of what it depends on, else of the DAG."""
    if group:
        nodes.connect(nodes.by_id[group], node)
        return
    before = plan.depends[name].tasks
    if not before:
        nodes.connect(boundary, node)
    for dependency in before:
        parent = nodes.get(f"{boundary['name']}.{dependency}")
        assert parent is not None, "a task starts after what it depends on"
        for key in nodes.outbound(parent):
            nodes.connect(nodes.by_id[key], node)


def _is_ready(nodes: Nodes, boundary: Json, plan: _Plan, name: str) -> bool | None:
    """Whether a task is to run; None while what it depends on has not ended."""
    found: dict[str, Json] = {}
    for dependency in plan.depends[name].tasks:
        node = nodes.get(f"{boundary['name']}.{dependency}")
        if node is None or not fulfilled(node) or _has_open_hooks(nodes, boundary, plan, dependency):
            return None
        found[dependency] = node
    return plan.depends[name].holds(lambda task, result: _has(nodes, found[task], result))


def _has(nodes: Nodes, node: Json, result: str) -> bool:
    if result in ("AnySucceeded", "AllFailed"):
        if node["type"] != "TaskGroup":
            return False
        phases = [child["phase"] for child in nodes.children(node)]
        return "Succeeded" in phases if result == "AnySucceeded" else bool(phases) and set(phases) == {"Failed"}
    if result == "Daemoned":
        return is_daemoned(node)
    return bool(node["phase"] == {"Errored": "Error"}.get(result, result))


def _resolve(run: RunContext, boundary: Json, plan: _Plan, name: str) -> Json:
    """The task with the outputs of its ancestors put in; derived once."""
    if name in plan.resolved:
        return plan.resolved[name]
    ancestors = task_order(plan.tasks, plan.depends, [name])[:-1]
    values = run.values() | values_of_inputs(boundary) | _scope(run, boundary, plan, ancestors)
    for each in ancestors:
        if (node := run.nodes.get(f"{boundary['name']}.{each}")) is not None:
            values |= values_of_absent(run, f"tasks.{each}", node)
    task = plan.resolved[name] = resolve(plan.tasks[name], values)
    return task


def _scope(run: RunContext, boundary: Json, plan: _Plan, names: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name in names:
        node = run.nodes.get(f"{boundary['name']}.{name}")
        if node is None:
            continue
        if node["type"] == "TaskGroup":
            values |= values_of_group(run, f"tasks.{name}", node, _members(run.nodes, node))
        else:
            values |= values_of_node(run, f"tasks.{name}", node)
    return values


def _members(nodes: Nodes, group: Json) -> list[Json]:
    return [child for child in nodes.children(group) if child["name"].startswith(f"{group['name']}(")]


def _phase(nodes: Nodes, boundary: Json, plan: _Plan, template: Json) -> str:
    """The phase of the whole DAG: that of its targets, an omitted one's being what happened before it."""
    targets = {name: nodes.get(f"{boundary['name']}.{name}") for name in plan.targets}
    phases = {node["id"]: "" for node in targets.values() if node is not None}
    queue = deque((key, "Succeeded") for key in boundary.get("children") or ())
    seen = set(queue)
    while queue:
        key, branch = queue.popleft()
        node = nodes.by_id[key]
        if not fulfilled(node):
            return "Running"
        if node["phase"] in COMPLETED:
            branch = node["phase"]
        if key in phases and phases[key] not in FAILED:
            phases[key] = "Succeeded" if node["phase"] == "Skipped" else branch
        following = node.get("children") or ()
        if node["type"] == "Retry":
            attempts = nodes.attempts(node)
            following = attempts[-1].get("children") or () if attempts else ()
        for child in following:
            if (child, branch) not in seen:
                seen.add((child, branch))
                queue.append((child, branch))
    return _verdict(plan, targets, phases, fail_fast=template["dag"].get("failFast") is not False)


def _verdict(plan: _Plan, targets: dict[str, Json | None], phases: dict[str, str], *, fail_fast: bool) -> str:
    result = "Succeeded"
    for name, node in targets.items():
        phase = "" if node is None else phases[node["id"]]
        if not phase:
            result = "Running"
            if not fail_fast:
                break
        elif phase in FAILED and not _continues_on(plan.tasks[name], phase):
            result = phase
            if fail_fast:
                break
    return result


def _continues_on(task: Json, phase: str) -> bool:
    goes_on = task.get("continueOn") or {}
    return bool(goes_on.get("failed") if phase == "Failed" else goes_on.get("error"))
