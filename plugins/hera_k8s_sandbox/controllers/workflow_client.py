"""The objects of one workflow in the sandbox's store: its pods, claims and config maps, and its locks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.labels import CONFIG_MAP_TYPE, WANTED_CLASS
from hera_k8s_sandbox.foundation.resource_types import CLAIMS, CONFIG_MAPS, PODS, STORAGE_CLASSES, Resource
from hera_k8s_sandbox.kubelet.kubelet import Kubelet
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.workflows.engine.locks import Locks
from hera_k8s_utils._types import Json


class WorkflowCluster:
    """What `workflows.objects.Objects` asks for."""

    def __init__(self, state: SandboxState, kubelet: Kubelet, locks: Locks, workflow: Json) -> None:
        meta = workflow["metadata"]
        self._state = state
        self._kubelet = kubelet
        self._locks = locks
        self._namespace: str = meta["namespace"]
        self._name: str = meta["name"]
        self._uid: str = meta["uid"]
        self._created: str = meta["creationTimestamp"]

    def create(self, pod: Json) -> Json:
        """Add a pod, or return the one of this name that the workflow owns already. Raises ApiError."""
        return self._create(PODS, pod)

    def has_room(self) -> bool:
        """Whether a pod may be made now."""
        return self._state.pod_quota.has_room()

    def stop(self, name: str) -> None:
        """End a pod's processes, or keep them from starting."""
        self._kubelet.stop(self._namespace, name)

    def config_map(self, name: str, namespace: str = "") -> Json | None:
        """A config map, by default of the workflow's namespace; None when it does not exist."""
        return self._state.store.find(CONFIG_MAPS, namespace or self._namespace, name)

    def keep(self, name: str, key: str, entry: str) -> None:
        """Write an entry of a cache, which is made when it is not there. Raises ApiError."""
        if self.config_map(name) is None:
            made = {"metadata": {"name": name, "labels": {CONFIG_MAP_TYPE: "Cache"}}, "data": {key: entry}}
            operations.create(self._state, CONFIG_MAPS, self._namespace, made)
            return

        def add(found: Json) -> None:
            found["data"] = {**(found.get("data") or {}), key: entry}

        self._state.store.change(CONFIG_MAPS, self._namespace, name, add)

    def create_claim(self, claim: Json) -> None:
        """Add a claim that the workflow owns, unless it has it. Raises ApiError.

        A storage class that the sandbox does not have is another cluster's: the default class stands for it.
        """
        wanted = claim["spec"].get("storageClassName")
        if wanted and self._state.store.find(STORAGE_CLASSES, "", wanted) is None:
            spec = {key: value for key, value in claim["spec"].items() if key != "storageClassName"}
            annotations = {**(claim["metadata"].get("annotations") or {}), WANTED_CLASS: wanted}
            claim = {**claim, "spec": spec, "metadata": {**claim["metadata"], "annotations": annotations}}
        self._create(CLAIMS, claim)

    def delete_claim(self, name: str) -> None:
        """Remove a claim, if it is there."""
        with contextlib.suppress(ApiError):
            operations.delete(self._state, CLAIMS, self._namespace, name)

    def acquire(self, holder: str, locks: Mapping[str, int], priority: int) -> tuple[str, str] | None:
        """Take locks, all or none; else the name of one that is not free, and a message."""
        who = (self._namespace, self._name, holder)
        return self._locks.acquire(who, locks, priority=priority, created=self._created)

    def release(self, holder: str) -> None:
        """Give back what a holder has, and take it from the queues."""
        self._locks.release((self._namespace, self._name, holder))

    def _create(self, resource: Resource, obj: Json) -> Json:
        try:
            return operations.create(self._state, resource, self._namespace, obj).object
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            found = self._state.store.get(resource, self._namespace, obj["metadata"]["name"])
            if controller_of(found) != self._uid:
                raise
            return found


def controller_of(obj: Json, field: str = "uid") -> str:
    """The uid, or another field, of the owner that controls an object; empty for none."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((str(owner[field]) for owner in owners if owner.get("controller")), "")
