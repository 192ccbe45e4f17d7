"""Global outputs: those with a globalName, which belong to the whole workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hera_k8s_sandbox.foundation.json_values import text_of
from hera_k8s_sandbox.workflows.model.artifacts import values_of

if TYPE_CHECKING:
    from hera_k8s_sandbox.workflows.engine.operation import Operation

Json = dict[str, Any]


def add(operation: Operation, outputs: Json) -> None:
    """Give the workflow those of a node's outputs that have a globalName; the first of a name stays."""
    for one in outputs.get("parameters") or ():
        name = one.get("globalName")
        if name and one.get("value") is not None:
            operation.globals[f"workflow.outputs.parameters.{name}"] = text_of(one["value"])
            _keep(operation, "parameters", {"name": name, "value": one["value"]})
    for one in outputs.get("artifacts") or ():
        name = one.get("globalName")
        if name:
            shown = {key: value for key, value in one.items() if key not in ("path", "globalName")} | {"name": name}
            operation.globals |= values_of("workflow.outputs", [shown])
            _keep(operation, "artifacts", shown)


def restore(operation: Operation) -> None:
    """After a restart: tags may name again what the workflow's status has kept."""
    kept = operation.status.get("outputs") or {}
    for one in kept.get("parameters") or ():
        operation.globals[f"workflow.outputs.parameters.{one['name']}"] = text_of(one["value"])
    operation.globals |= values_of("workflow.outputs", kept.get("artifacts"))


def _keep(operation: Operation, kind: str, output: Json) -> None:
    kept = operation.status.setdefault("outputs", {}).setdefault(kind, [])
    if all(each["name"] != output["name"] for each in kept):
        kept.append(output)
