"""Suspend nodes: waiting, resuming, and setting their outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hera_k8s_sandbox.foundation.durations import duration_of
from hera_k8s_sandbox.foundation.json_values import seconds_of, text_of
from hera_k8s_sandbox.foundation.selectors import Selector
from hera_k8s_sandbox.store.entries import now_text
from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.model.nodes import FULFILLED, NodeError
from hera_k8s_sandbox.workflows.model.templates import caller_of, template_name
from hera_k8s_utils._types import Json


class SuspensionError(ValueError):
    """What is asked of suspended nodes cannot be done; the message is Argo's."""


def execute(run: RunContext, node: Json, template: Json) -> None:
    """Let a node wait until it is resumed or its duration is over. Raises NodeError."""
    nodes = run.nodes
    if run.shutdown:
        nodes.mark(node, "Failed", f"Stopped with strategy '{run.shutdown}'")
        return
    duration = (template.get("suspend") or {}).get("duration")
    if duration not in (None, ""):
        try:
            end = seconds_of(node["startedAt"]) + duration_of(duration)
        except ValueError:
            raise NodeError(f'unable to parse "{duration}" as a duration') from None
        if run.now() >= end:
            try:
                outputs = _with_defaults(node.get("outputs"))
            except SuspensionError as error:
                raise NodeError(str(error)) from None
            nodes.mark(node, "Succeeded")
            nodes.set(node, outputs=outputs)
            run.take_outputs(node, outputs)
            return
        run.wake(end)
    nodes.mark(node, "Running")


def supplied_outputs(template: Json) -> Json | None:
    """The outputs of a suspend template that are to be supplied, without values yet."""
    declared = (template.get("outputs") or {}).get("parameters") or ()
    waiting = [one for one in declared if "supplied" in (one.get("valueFrom") or {})]
    return {"parameters": waiting} if waiting else None


def waits(node: Json) -> bool:
    """Whether a node waits to be resumed."""
    return bool(node["type"] == "Suspend" and node["phase"] == "Running")


def waiting_nodes(workflow: Json) -> Iterator[Json]:
    """The nodes of a workflow that wait to be resumed."""
    yield from (node for node in ((workflow.get("status") or {}).get("nodes") or {}).values() if waits(node))


def resume(workflow: Json, message: str) -> bool:
    """Let a suspended workflow, and all nodes of it that wait, go on; whether anything changed.

    Raises SuspensionError for a node whose outputs were not supplied.
    """
    changed = bool(workflow["spec"].pop("suspend", None))
    for node in waiting_nodes(workflow):
        outputs = _with_defaults(node.get("outputs"))
        if outputs is not None:
            node["outputs"] = outputs
        node |= {"phase": "Succeeded", "message": message, "finishedAt": now_text()}
        changed = True
    return changed


def set_nodes(
    workflow: Json, selector: Selector | None, text: str, *, phase: str, message: str, outputs: Mapping[str, str]
) -> None:
    """Change those nodes that wait and that a selector (text: as it was given) matches. Raises SuspensionError."""
    found = False
    for node in waiting_nodes(workflow):
        if selector is None or selector.matches(node_fields(node).get):
            _supply(workflow, node, outputs)
            if message:
                node["message"] = message
            if phase:
                node["phase"] = phase
                if phase in FULFILLED:
                    node["finishedAt"] = now_text()
            found = bool(found or phase or message or outputs)
    if not found:
        error = "currently, set only targets suspend nodes: no suspend nodes matching nodeFieldSelector"
        raise SuspensionError(f"{error}: {text}")


def node_fields(node: Json) -> dict[str, str]:
    """What of a node a nodeFieldSelector may name."""
    fields = {
        "displayName": node.get("displayName", ""),
        "templateName": template_name(caller_of(node)),
        "phase": node["phase"],
        "name": node["name"],
        "id": node["id"],
    }
    reference = node.get("templateRef")
    if reference:
        fields |= {"templateRef.name": reference.get("name", ""), "templateRef.template": reference.get("template", "")}
    for one in (node.get("inputs") or {}).get("parameters") or ():
        fields[f"inputs.parameters.{one['name']}.value"] = text_of(one.get("value", ""))
    return fields


def adopt(run: RunContext, workflow: Json) -> None:
    """Take over a client's changes of waiting nodes into the run's own nodes."""
    theirs = (workflow.get("status") or {}).get("nodes") or {}
    for node in run.nodes:
        other = theirs.get(node["id"])
        if other is None or not waits(node) or other == node:
            continue
        if other.get("outputs") != node.get("outputs"):
            run.nodes.set(node, outputs=other.get("outputs"))
            run.take_outputs(node, other.get("outputs"))
        if other["phase"] in FULFILLED:
            run.nodes.set(node, finishedAt=other.get("finishedAt"))
        run.nodes.mark(node, other["phase"], other.get("message", ""))


def fail_waiting(run: RunContext, message: str, is_spared: Callable[[Json], bool]) -> None:
    """End nodes that wait when the workflow is to end, but for those that are spared."""
    for node in run.nodes:
        if waits(node) and not is_spared(node):
            run.nodes.mark(node, "Failed", message)


def _with_defaults(outputs: Json | None) -> Json | None:
    """Give outputs that were not supplied their defaults. Raises SuspensionError where there is none."""
    if outputs is None:
        return None
    return outputs | {"parameters": [_with_default(one) for one in outputs.get("parameters") or ()]}


def _with_default(one: Json) -> Json:
    source = one.get("valueFrom") or {}
    if "supplied" not in source:
        return one
    if source.get("default") is None:
        message = f"raw output parameter '{one['name']}' has not been set and does not have a default value"
        raise SuspensionError(message)
    return _valued(one, source["default"])


def _supply(workflow: Json, node: Json, values: Mapping[str, str]) -> None:
    if not values:
        return
    if not node.get("outputs"):
        raise SuspensionError("cannot set output parameters because node is not expecting any raw parameters")
    parameters = node["outputs"].get("parameters") or []
    for name, value in values.items():
        place = next((index for index, one in enumerate(parameters) if one["name"] == name), None)
        if place is None:
            raise SuspensionError(f"node is not expecting output parameter '{name}'")
        if "supplied" not in (parameters[place].get("valueFrom") or {}):
            message = "because it does not use valueFrom.raw or it was already set"
            raise SuspensionError(f"cannot set output parameter '{name}' {message}")
        parameters[place] = _valued(parameters[place], value)


def _valued(one: Json, value: Any) -> Json:
    return {key: each for key, each in one.items() if key != "valueFrom"} | {"value": value}
