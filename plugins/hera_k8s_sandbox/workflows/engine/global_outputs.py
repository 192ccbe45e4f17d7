"""Global outputs: those with a globalName, which belong to the whole workflow."""

from __future__ import annotations

from hera_k8s_sandbox.foundation.json_values import text_of
from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.model.artifacts import values_of
from hera_k8s_utils._types import Json


def add(run: RunContext, outputs: Json) -> None:
    """Give the workflow those of a node's outputs that have a globalName; the first of a name stays."""
    for one in outputs.get("parameters") or ():
        name = one.get("globalName")
        if name and one.get("value") is not None:
            run.globals[f"workflow.outputs.parameters.{name}"] = text_of(one["value"])
            _keep(run, "parameters", {"name": name, "value": one["value"]})
    for one in outputs.get("artifacts") or ():
        name = one.get("globalName")
        if name:
            shown = {key: value for key, value in one.items() if key not in ("path", "globalName")} | {"name": name}
            run.globals |= values_of("workflow.outputs", [shown])
            _keep(run, "artifacts", shown)


def restore(run: RunContext) -> None:
    """After a restart: tags may name again what the workflow's status has kept."""
    kept = run.status.get("outputs") or {}
    for one in kept.get("parameters") or ():
        run.globals[f"workflow.outputs.parameters.{one['name']}"] = text_of(one["value"])
    run.globals |= values_of("workflow.outputs", kept.get("artifacts"))


def _keep(run: RunContext, kind: str, output: Json) -> None:
    kept = run.status.setdefault("outputs", {}).setdefault(kind, [])
    if all(each["name"] != output["name"] for each in kept):
        kept.append(output)
