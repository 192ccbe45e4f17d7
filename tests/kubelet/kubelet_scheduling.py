"""Scheduling for the test kubelet: which pending pods may come to its one node, and what the others are told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from kube_watch import Json, Key, KubeApi, Reflection, Refused
from kubelet_claims import CLASSES, SELECTED_NODE, Provisioner
from kubelet_pod import NODE, OverHttp

from hera_k8s_sandbox.foundation import quantities

MOST_PODS: Final = 24  # at a time; the others wait, as for want of room on any node
_NAME: Final = "default-scheduler"
LABELS: Final = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}


class Scheduler:
    """Binds pods. One node, so there is nothing to choose: a pod fits it, or says why not."""

    def __init__(self, api: KubeApi, claims: Provisioner) -> None:
        self._api = api
        self._claims = claims
        self._told: dict[str, tuple[OverHttp, str]] = {}

    async def look(self, pods: Reflection, context: Callable[[Json], OverHttp]) -> bool:
        """Bind what fits, the oldest first; whether some pods could not be bound yet."""
        waiting = [pod for pod in pods.objects.values() if _is_to_be_bound(pod)]
        taken = sum(map(_takes_room, pods.objects.values()))
        left = False
        for pod in sorted(waiting, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"])):
            why = await self._obstacle(pod) or ("1 Too many pods." if taken >= MOST_PODS else "")
            if not why:
                self._told.pop(pod["metadata"]["uid"], None)
                taken += await self._bind(pod)
                continue
            left = True
            self._tell(pod, f"0/1 nodes are available: {why}", context)
        there = {pod["metadata"]["uid"] for pod in waiting}
        self._told = {uid: told for uid, told in self._told.items() if uid in there}
        return left

    async def _bind(self, pod: Json) -> bool:
        meta = pod["metadata"]
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"metadata": {"name": meta["name"], "uid": meta["uid"]}, "target": target}
        try:
            path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/binding"
            await self._api.send("POST", path, binding)
        except Refused as refused:  # deleted or bound meanwhile, or with its namespace on the way out
            if refused.status not in (403, 404, 409):
                raise
            return False
        pod["spec"]["nodeName"] = NODE  # the watch will say the same
        return True

    def _tell(self, pod: Json, message: str, context: Callable[[Json], OverHttp]) -> None:
        uid = pod["metadata"]["uid"]
        known = self._told.get(uid)
        if known is not None and known[1] == message:
            return
        whom = known[0] if known is not None else context(pod)
        self._told[uid] = (whom, message)
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        whom.report({"phase": "Pending", "conditions": [condition]}, {})
        whom.record_event("FailedScheduling", message)

    async def _obstacle(self, pod: Json) -> str:
        """Why a pod does not fit, in the scheduler's words; empty when it does."""
        selector = pod["spec"].get("nodeSelector") or {}
        if selector.items() - LABELS.items():
            return "1 node(s) didn't match Pod's node affinity/selector."
        for what, amount in _requests(pod).items():
            if what in _CAPACITY and amount > _CAPACITY[what]:
                return f"1 Insufficient {what}."
        for name in _claims_of(pod):
            claim = self._claims.claims.objects.get((pod["metadata"]["namespace"], name))
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found.'
            if (claim.get("status") or {}).get("phase") != "Bound":
                return await self._claims_obstacle(claim)
        return ""

    async def _claims_obstacle(self, claim: Json) -> str:
        meta, name = claim["metadata"], claim["spec"].get("storageClassName") or ""
        of = await self._api.find(f"{CLASSES}/{name}") if name else None
        if of is None or of.get("volumeBindingMode") != "WaitForFirstConsumer":
            return "pod has unbound immediate PersistentVolumeClaims."
        if (meta.get("annotations") or {}).get(SELECTED_NODE) != NODE:
            path = f"/api/v1/namespaces/{meta['namespace']}/persistentvolumeclaims/{meta['name']}"
            await self._api.patch(path, {"metadata": {"annotations": {SELECTED_NODE: NODE}}})
        return "waiting for its volume."


def capacity() -> dict[str, str]:
    """What the node has."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    return {"cpu": str(os.cpu_count() or 1), "memory": f"{memory}Ki", "pods": str(MOST_PODS)}


_CAPACITY: Final = {what: quantities.parse_quantity(amount) or 0 for what, amount in capacity().items()}


def _requests(pod: Json) -> dict[str, Any]:
    """The sum of what a pod's containers request."""
    total: dict[str, Any] = {}
    for container in pod["spec"]["containers"]:
        for what, amount in ((container.get("resources") or {}).get("requests") or {}).items():
            total[what] = total.get(what, 0) + (quantities.parse_quantity(str(amount)) or 0)
    return total


def _claims_of(pod: Json) -> Iterator[str]:
    for volume in pod["spec"].get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            yield volume["persistentVolumeClaim"]["claimName"]


def _is_to_be_bound(pod: Json) -> bool:
    meta, spec = pod["metadata"], pod["spec"]
    mine = spec.get("schedulerName", _NAME) == _NAME and not spec.get("schedulingGates")
    return mine and not (spec.get("nodeName") or meta.get("deletionTimestamp") or is_over(pod))


def _takes_room(pod: Json) -> bool:
    return pod["spec"].get("nodeName") == NODE and not is_over(pod)


def is_over(pod: Json) -> bool:
    """Whether a pod has ended."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


__all__ = ["LABELS", "MOST_PODS", "Key", "Scheduler", "capacity", "is_over"]
