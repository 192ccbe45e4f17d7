"""Scale of custom kinds: the subresource with the number of replicas, whatever the kind calls that."""

from __future__ import annotations

from typing import Any

from hera_k8s_sandbox.foundation.errors import bad_request, invalid
from hera_k8s_sandbox.foundation.field_errors import invalid_value
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.store.store import Entry
from hera_k8s_utils._types import Json

SCALES = Resource("autoscaling", "v1", "scales", "scale", "Scale")


def scale_of(entry: Entry, resource: Resource) -> Json:
    """The Scale of an object; resource: the row whose paths lead to its numbers."""
    paths, meta = resource.scale or {}, entry.meta
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    scale: Json = {
        "kind": SCALES.kind,
        "apiVersion": SCALES.api_version,
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {},
        "status": {"replicas": _at(entry.object, paths.get("statusReplicasPath", "")) or 0},
    }
    wanted = _at(entry.object, paths.get("specReplicasPath", ""))
    if wanted:
        scale["spec"]["replicas"] = wanted
    selector = _at(entry.object, paths.get("labelSelectorPath", ""))
    if selector:
        scale["status"]["selector"] = selector
    return scale


def rescaled(entry: Entry, resource: Resource, scale: Json) -> Json:
    """The object with as many replicas as a Scale asks for. Raises ApiError 400, 422."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request("spec.replicas is a whole number")
    path = (resource.scale or {})["specReplicasPath"]
    if replicas < 0:
        raise invalid(resource, entry.meta["name"], [invalid_value(path, replicas, "should be a non-negative integer")])
    obj = entry.copy()
    *above, last = path.strip(".").split(".")
    place = obj
    for part in above:
        place = place.setdefault(part, {})
    place[last] = replicas
    version = (scale.get("metadata") or {}).get("resourceVersion")
    if version:
        obj["metadata"]["resourceVersion"] = version
    return obj


def _at(value: Any, path: str) -> Any:
    for part in path.strip(".").split(".") if path else ():
        value = value.get(part) if isinstance(value, dict) else None
    return value if path else None
