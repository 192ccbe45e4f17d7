"""Steps: groups of steps, one group after another."""

from __future__ import annotations

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
from hera_k8s_sandbox.workflows.language.when import ConditionError, holds
from hera_k8s_sandbox.workflows.model.artifacts import ArtifactError
from hera_k8s_sandbox.workflows.model.expansion import ExpansionError, expand, expands
from hera_k8s_sandbox.workflows.model.nodes import NodeError, Nodes, ParallelismReached, failed, fulfilled
from hera_k8s_sandbox.workflows.model.spec_fields import has_hooks
from hera_k8s_utils._types import Json


def execute(run: RunContext, node: Json, template: Json) -> None:
    """Advance a Steps node: run its groups in order until one has not ended, or failed."""
    nodes = run.nodes
    groups = template["steps"]
    scope: dict[str, str] = {}
    absent: dict[str, str] = {}
    for index, group_steps in enumerate(groups):
        group = _group_node(run, node, index)
        if not fulfilled(group):
            _execute_group(run, node, group, group_steps, absent | scope)
        if not fulfilled(group):
            return
        if failed(group):
            _leave(nodes, node, group)
            nodes.mark(node, "Failed", group.get("message", ""))
            return
        try:
            for step in group_steps:
                scope |= _values_of_step(run, group, step)
                if (skipped := nodes.get(f"{group['name']}.{step['name']}")) is not None:
                    absent |= values_of_absent(run, f"steps.{step['name']}", skipped)
        except ScopeError as error:
            raise NodeError(str(error)) from None
    _leave(nodes, node, nodes.get(f"{node['name']}[{len(groups) - 1}]") or node)
    try:
        values = run.values() | values_of_inputs(node) | scope
        run.take_outputs(node, template_outputs(template, values))
    except (ArtifactError, ScopeError) as error:
        nodes.mark(node, "Error", str(error))
        return
    nodes.mark(node, "Succeeded")


def _group_node(run: RunContext, boundary: Json, index: int) -> Json:
    nodes = run.nodes
    name = f"{boundary['name']}[{index}]"
    group = nodes.get(name)
    if group is not None:
        return group
    before = nodes.get(f"{boundary['name']}[{index - 1}]") if index else None
    group = nodes.add(name, "StepGroup", phase="Running", **run.caller_fields({}, boundary["id"]))
    if before is None:
        nodes.connect(boundary, group)
    elif not before.get("children"):
        nodes.connect(before, group)
    else:
        for child in nodes.children(before):
            for key in nodes.outbound(child):
                nodes.connect(nodes.by_id[key], group)
    return group


def _execute_group(run: RunContext, boundary: Json, group: Json, steps: list[Json], scope: dict[str, str]) -> None:
    nodes = run.nodes
    try:
        members = _members(run, group, steps, scope)
        for step in members:
            _start(run, boundary, group, step)
    except (ArtifactError, ConditionError, ExpansionError, ScopeError) as error:
        nodes.mark(group, "Error", str(error))
        return
    except NodeError as error:
        nodes.mark(group, "Error", f"step group deemed errored due to child {error}")
        return
    except ParallelismReached:
        return
    children = nodes.children(group)
    by_name = {f"{group['name']}.{step['name']}": step for step in members}
    done = [_advance_hooks(run, boundary, by_name.get(child["name"], {}), child, scope) for child in children]
    if not all(done) or any(not fulfilled(child) for child in children):
        return
    for child in children:
        if failed(child) and not _continues_on(by_name.get(child["name"], {}), child["phase"]):
            nodes.mark(group, "Failed", f"child '{child['id']}' failed")
            return
    nodes.mark(group, "Succeeded")


def _members(run: RunContext, group: Json, steps: list[Json], scope: dict[str, str]) -> list[Json]:
    """The steps of a group with outputs put in and items expanded; derived once."""
    found: list[Json] | None = run.plans.get(group["id"])
    if found is not None:
        return found
    found, nodes = [], run.nodes
    values = run.values() | values_of_inputs(run.nodes.by_id[group["boundaryID"]]) | scope
    for step in steps:
        called = resolve(step, values)
        expanded = expand(called)
        if not expanded.count:
            more = {**run.caller_fields(step, group["boundaryID"]), "owner": group["id"]}
            name = f"{group['name']}.{step['name']}"
            node = nodes.get(name) or nodes.add(
                name, "Skipped", phase="Skipped", message="Skipped, empty params", **more
            )
            nodes.connect(group, node)
        run.require_room(nodes.by_id[group["boundaryID"]], f"{group['name']}.", called, expanded)
        found.extend(expanded)
    run.plans[group["id"]] = found
    return found


def _start(run: RunContext, boundary: Json, group: Json, step: Json) -> None:
    nodes, name = run.nodes, f"{group['name']}.{step['name']}"
    more = {**run.caller_fields(step, boundary["id"]), "owner": group["id"]}
    known = nodes.get(name)
    if known is None and step.get("when"):
        try:
            wanted = holds(str(step["when"]))
        except ConditionError as error:
            nodes.connect(group, nodes.add(name, "Skipped", phase="Error", message=str(error), **more))
            raise
        if not wanted:
            message = f"when '{step['when']}' evaluated false"
            nodes.connect(group, nodes.add(name, "Skipped", phase="Skipped", message=message, **more))
            return
    try:
        node = run.execute(name, step, step.get("arguments") or {}, boundary["id"], group["id"])
    except NodeError as error:
        if (node := nodes.get(name)) is not None:
            nodes.connect(group, node)
        raise NodeError(f"{name} error: {error}") from None
    if node is not None and known is None:
        nodes.connect(group, node)


def _advance_hooks(run: RunContext, boundary: Json, step: Json, node: Json, scope: dict[str, str]) -> bool:
    """Run what hooks of a step its state wants; whether none of them is under way."""
    if not has_hooks(step):
        return True
    prefix = f"steps.{step['name'].partition('(')[0]}"
    values = run.values() | values_of_inputs(boundary) | scope | values_of_node(run, prefix, node)
    try:
        return hooks.advance_task(run, boundary, step, node, prefix, values)
    except NodeError as error:
        run.nodes.mark(node, "Error", str(error))
        return True


def _values_of_step(run: RunContext, group: Json, step: Json) -> dict[str, str]:
    name, prefix = f"{group['name']}.{step['name']}", f"steps.{step['name']}"
    node = run.nodes.get(name)
    if node is not None:
        return values_of_node(run, prefix, node)
    if not expands(step):
        return {}
    members = [child for child in run.nodes.children(group) if child["name"].startswith(f"{name}(")]
    return values_of_group(run, prefix, group, [member for member in members if member["type"] != "Skipped"])


def _leave(nodes: Nodes, node: Json, last: Json) -> None:
    outbound = [key for child in nodes.children(last) for key in nodes.outbound(child)]
    nodes.set(node, outboundNodes=outbound or None)


def _continues_on(step: Json, phase: str) -> bool:
    goes_on = step.get("continueOn") or {}
    return bool(goes_on.get("failed") if phase == "Failed" else goes_on.get("error"))
