"""`scale`: the number of pods of a Deployment, a ReplicaSet or a custom object as an object of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_sandbox.apiserver import custom_scale
from hera_k8s_sandbox.apiserver.bodies import APPLIES, patched, read_patch
from hera_k8s_sandbox.apiserver.custom_scale import SCALES
from hera_k8s_sandbox.apiserver.requests import Query, Target, read_object
from hera_k8s_sandbox.apiserver.responses import json_answer
from hera_k8s_sandbox.foundation.errors import conflict, invalid, method_not_allowed, unsupported
from hera_k8s_sandbox.foundation.field_errors import invalid_value
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import Entry
from hera_k8s_utils._types import Json

if TYPE_CHECKING:
    from aiohttp import web


_OPERATORS: Final = {"In": "in", "NotIn": "notin"}


def _scale_of(entry: Entry) -> Json:
    """The Scale of an object."""
    if entry.resource.custom:
        return custom_scale.scale_of(entry, entry.resource)
    meta, obj = entry.meta, entry.object
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = obj["spec"].get("replicas") or 0
    status: Json = {"replicas": (obj.get("status") or {}).get("replicas") or 0}
    if selector := _written(obj["spec"].get("selector") or {}):
        status["selector"] = selector
    return {
        "kind": SCALES.kind,
        "apiVersion": SCALES.api_version,
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _scaled(entry: Entry, scale: Json) -> Json:
    """The object with the number of pods that a Scale asks for. Raises ApiError 400, 409, 422."""
    if entry.resource.custom:
        return custom_scale.rescaled(entry, entry.resource, scale)
    name = entry.meta["name"]
    version = (scale.get("metadata") or {}).get("resourceVersion")
    if version and version != entry.meta["resourceVersion"]:
        raise conflict(entry.resource, name)
    replicas = int((scale.get("spec") or {}).get("replicas") or 0)
    if replicas < 0:
        raise invalid(SCALES, name, [invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")])
    obj = entry.copy()
    obj["spec"]["replicas"] = replicas
    return obj


def _written(selector: Mapping[str, Any]) -> str:
    """A selector as the text by which objects are listed."""
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        operator, values = one["operator"], ",".join(sorted(one.get("values") or ()))
        if operator in _OPERATORS:
            terms.append(f"{one['key']} {_OPERATORS[operator]} ({values})")
        else:
            terms.append(one["key"] if operator == "Exists" else f"!{one['key']}")
    return ",".join(sorted(terms))


async def serve(request: web.Request, state: SandboxState, resource: Resource, target: Target) -> web.StreamResponse:
    """Answer a request for the Scale of an object. Raises ApiError 400, 404, 405, 409, 415, 422."""
    entry = state.store.entry(resource, target.namespace, target.name)
    if request.method == "GET":
        return json_answer(_scale_of(entry))
    query = Query.read(request)
    if request.method == "PUT":
        wanted = await read_object(request, SCALES)
    elif request.method == "PATCH":
        patch = await read_patch(request, resource)
        if request.content_type in APPLIES:
            raise unsupported(f"server-side apply to {resource.plural}/scale")
        wanted = patched(request.content_type, SCALES, _scale_of(entry), patch)
    else:
        raise method_not_allowed()
    changed = operations.update(state, resource, entry, _scaled(entry, wanted), dry_run=query.dry_run)
    state.store.flush()
    return json_answer(_scale_of(changed))
