"""Global values: what `{{workflow...}}` stands for."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final

from hera_k8s_sandbox.foundation.json_values import go_json, text_of
from hera_k8s_sandbox.foundation.labels import SCHEDULED_TIME
from hera_k8s_sandbox.workflows.engine.scope import Lookup, ScopeError, listed
from hera_k8s_sandbox.workflows.language.substitution import substitute_text
from hera_k8s_sandbox.workflows.model.cluster import NotThere
from hera_k8s_utils._types import Json

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_LETTERS: Final = "BbmAadHIMSYyp"  # formats of strftime that Argo has, but for those whose text is fixed
_FIXED: Final = {"Z": "UTC", "z": "+0000", "L": ".000"}


def global_values(workflow: Json, lookup: Lookup) -> dict[str, str]:
    """What `{{workflow...}}` stands for, except the workflow's outputs and duration.

    lookup: finds the value of a config map's key. Raises ScopeError when it is not there.
    """
    meta, spec = workflow["metadata"], workflow["spec"]
    values = {
        "workflow.name": meta["name"],
        "workflow.namespace": meta["namespace"],
        "workflow.uid": meta["uid"],
        "workflow.mainEntrypoint": spec.get("entrypoint", ""),
        "workflow.status": "Running",
    }
    values |= _created(meta["creationTimestamp"])
    for field in ("labels", "annotations"):
        given = meta.get(field) or {}
        values[f"workflow.{field}"] = values[f"workflow.{field}.json"] = go_json(given or None)
        values |= {f"workflow.{field}.{key}": value for key, value in given.items()}
    if spec.get("priority") is not None:
        values["workflow.priority"] = str(spec["priority"])
    if SCHEDULED_TIME in (meta.get("annotations") or {}):
        values["workflow.scheduledTime"] = meta["annotations"][SCHEDULED_TIME]
    values |= _parameters(spec, values, lookup)
    return values | {"workflow.serviceAccountName": substitute_text(spec.get("serviceAccountName") or "", values)}


def _created(text: str) -> dict[str, str]:
    created, prefix = datetime.strptime(text, _TIME), "workflow.creationTimestamp"
    formats = {letter: created.strftime(f"%{letter}") for letter in _LETTERS} | _FIXED
    seconds = int(created.replace(tzinfo=timezone.utc).timestamp())
    written = {f"{prefix}.{letter}": value for letter, value in formats.items()}
    return {prefix: text, **written, f"{prefix}.s": str(seconds), f"{prefix}.RFC3339": text}


def _parameters(spec: Json, values: dict[str, str], lookup: Lookup) -> dict[str, str]:
    parameters = (spec.get("arguments") or {}).get("parameters") or []
    given = {one["name"]: substitute_text(_argument(one, lookup), values) for one in parameters}
    found = {f"workflow.parameters.{name}": value for name, value in given.items()}
    as_json = listed({**one, "value": given[one["name"]]} for one in parameters)
    return found | {"workflow.parameters": as_json, "workflow.parameters.json": as_json}


def _argument(one: Json, lookup: Lookup) -> str:
    """The value of one of the workflow's own arguments."""
    source = one.get("valueFrom") or {}
    reference = source.get("configMapKeyRef")
    if not reference:
        return text_of(one.get("value", ""))
    try:
        return lookup(reference)
    except ValueError as error:
        if isinstance(error, NotThere) and source.get("default") is not None:
            return text_of(source["default"])
        where = f"from configmap with name {reference.get('name')} and key {reference.get('key')}"
        raise ScopeError(f"failed to set global parameter {one['name']} {where}: {error}") from None
