"""`pods/NAME/binding`: a scheduler's word on which node a pod is to run."""

from __future__ import annotations

from typing import Final

from hera_k8s_sandbox.foundation.errors import conflict, invalid
from hera_k8s_sandbox.foundation.field_errors import required
from hera_k8s_sandbox.foundation.resource_types import CORE, PODS, Resource
from hera_k8s_sandbox.store.entries import now_text
from hera_k8s_sandbox.store.store import Store
from hera_k8s_utils._types import Json

BINDINGS: Final = Resource(CORE, "v1", "pods/binding", "binding", "Binding")


def bind(store: Store, namespace: str, name: str, binding: Json, *, dry_run: bool = False) -> Json:
    """Assign a pod to a node; the answer to the request. Raises ApiError 404, 409 (it has one already), 422."""
    node = (binding.get("target") or {}).get("name") or ""
    if not node:
        raise invalid(BINDINGS, name, [required("target.name")])

    def assign(pod: Json) -> None:
        if pod["spec"].get("nodeName"):
            message = f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
            raise conflict(BINDINGS, name, message)
        if "deletionTimestamp" in pod["metadata"]:
            raise conflict(BINDINGS, name, f"pod {name} is being deleted, cannot be assigned to a host")
        pod["spec"]["nodeName"] = node
        status = pod.setdefault("status", {})
        others = [one for one in status.get("conditions") or () if one["type"] != "PodScheduled"]
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now_text()}
        status["conditions"] = [*others, scheduled]

    pod = store.entry(PODS, namespace, name).copy()
    assign(pod)
    store.put(PODS, pod, dry_run=dry_run)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
