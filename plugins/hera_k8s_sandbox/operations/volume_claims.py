"""Persistent volume claims, bound to directories of this disk according to their storage class."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

from hera_k8s_sandbox.foundation import quantities
from hera_k8s_sandbox.foundation.labels import IS_DEFAULT_CLASS, STORAGE_PROVISIONER
from hera_k8s_sandbox.foundation.resource_types import CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES
from hera_k8s_sandbox.operations.events import record_event
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import now_text
from hera_k8s_utils._types import Json
from hera_k8s_utils.labels import LOCAL_PATH_ANNOTATION

PROVISIONER: Final = "hera-k8s.sandbox/directory"
_BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"
_BOUND_BY_CONTROLLER: Final = "pv.kubernetes.io/bound-by-controller"
_CONTROLLER: Final = "persistentvolume-controller"
_CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"  # what came before spec.storageClassName


def choose_class(state: SandboxState, claim: Json) -> None:
    """Write the default storage class, if there is one, into a claim that names none."""
    annotations = claim["metadata"].get("annotations") or {}
    if claim["spec"].get("storageClassName") is not None or _CLASS_ANNOTATION in annotations:
        return
    marked = [one["metadata"] for one in state.store.list(STORAGE_CLASSES) if _is_default(one)]
    if marked:  # the newest, then the first by name
        newest = max(meta["creationTimestamp"] for meta in marked)
        claim["spec"]["storageClassName"] = min(m["name"] for m in marked if m["creationTimestamp"] == newest)


def _is_default(storage_class: Json) -> bool:
    return (storage_class["metadata"].get("annotations") or {}).get(IS_DEFAULT_CLASS) == "true"


def settle(state: SandboxState, claim: Json) -> None:
    """Bind a new claim, or record an event with the reason why it stays Pending."""
    if (claim.get("status") or {}).get("phase") == "Bound":
        return
    if "deletionTimestamp" in claim["metadata"]:
        return
    name = class_name(claim)
    storage_class = state.store.find(STORAGE_CLASSES, "", name)
    volume = _volume_for(state, claim, name)
    if volume is not None:
        _bind(state, claim, volume)
    elif claim["spec"].get("volumeName"):
        return  # it waits for that volume and no other
    elif not name:
        _record_event(
            state,
            claim,
            "FailedBinding",
            "no persistent volumes available for this claim and no storage class is set",
        )
    elif storage_class is None:
        message = f'storageclass.storage.k8s.io "{name}" not found'
        _record_event(state, claim, "ProvisioningFailed", message, type="Warning")
    elif storage_class["volumeBindingMode"] == "WaitForFirstConsumer":
        message = "waiting for first consumer to be created before binding"
        _record_event(state, claim, "WaitForFirstConsumer", message)
    else:
        _provision(state, claim, storage_class)


def settle_all(state: SandboxState) -> None:
    """Look again at every claim that is Pending, after a storage class has come."""
    for claim in state.store.list(CLAIMS):
        settle(state, claim)


def offer(state: SandboxState, volume: Json) -> None:
    """Make a new volume available, and bind a claim that waits for it."""
    if volume["status"].get("phase") != "Pending" or "deletionTimestamp" in volume["metadata"]:
        return
    changed = state.store.change(PERSISTENT_VOLUMES, "", volume["metadata"]["name"], _set_available)
    if changed["status"]["phase"] == "Available":
        settle_all(state)


def _set_available(volume: Json) -> None:
    volume["status"] = {"phase": "Available", "lastPhaseTransitionTime": now_text()}


def _volume_for(state: SandboxState, claim: Json, storage_class: str) -> Json | None:
    """The smallest volume that is free for a claim, or the one that it names."""
    wanted = claim["spec"].get("volumeName")
    fitting = [
        volume
        for volume in state.store.list(PERSISTENT_VOLUMES)
        if wanted in (None, "", volume["metadata"]["name"]) and _fits(volume, claim, storage_class)
    ]
    return min(fitting, key=_size, default=None)


def _fits(volume: Json, claim: Json, storage_class: str) -> bool:
    spec, meta = volume["spec"], claim["metadata"]
    owner = spec.get("claimRef") or {}
    if owner and (owner.get("namespace"), owner.get("name")) != (meta["namespace"], meta["name"]):
        return False
    if owner.get("uid") not in (None, "", meta["uid"]) or volume["status"].get("phase") != "Available":
        return False
    modes = set(claim["spec"]["accessModes"]) <= set(spec.get("accessModes") or ())
    asked = quantities.read_quantity(str(claim["spec"]["resources"]["requests"]["storage"])) or 0
    return modes and (spec.get("storageClassName") or "") == storage_class and _size(volume) >= asked


def _size(volume: Json) -> Fraction:
    return quantities.read_quantity(str((volume["spec"].get("capacity") or {}).get("storage", ""))) or Fraction(0)


def _bind(state: SandboxState, claim: Json, volume: Json) -> None:
    """Bind a claim to a volume that was created by hand."""
    meta = claim["metadata"]
    reference = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "resourceVersion": meta["resourceVersion"]}
    reference |= {key: meta[key] for key in ("namespace", "name", "uid")}
    was_meant = bool(volume["spec"].get("claimRef"))
    was_named = bool(claim["spec"].get("volumeName"))

    def take(found: Json) -> None:
        found["spec"]["claimRef"] = reference
        found["status"] = {"phase": "Bound", "lastPhaseTransitionTime": now_text()}
        if not was_meant:
            found["metadata"].setdefault("annotations", {})[_BOUND_BY_CONTROLLER] = "yes"

    def bind(found: Json) -> None:
        annotations = found["metadata"].setdefault("annotations", {})
        annotations[_BIND_COMPLETED] = "yes"
        if not was_named:
            annotations[_BOUND_BY_CONTROLLER] = "yes"
        found["spec"]["volumeName"] = volume["metadata"]["name"]
        found["status"] = _bound_status(volume)

    state.store.change(PERSISTENT_VOLUMES, "", volume["metadata"]["name"], take)
    state.store.change(CLAIMS, meta["namespace"], meta["name"], bind)


def _bound_status(volume: Json) -> Json:
    return {
        "phase": "Bound",
        "accessModes": volume["spec"]["accessModes"],
        "capacity": volume["spec"]["capacity"],
    }


def bind_for_pod(state: SandboxState, namespace: str, name: str) -> Path | None:
    """Bind a claim that waits for its first pod; its directory, or None while it cannot be bound.

    Raises ApiError 404 when there is no such claim.
    """
    claim = state.store.get(CLAIMS, namespace, name)
    if claim["status"]["phase"] != "Bound":
        storage_class = state.store.find(STORAGE_CLASSES, "", class_name(claim))
        if storage_class is None:
            return None
        _provision(state, claim, storage_class)
        if state.store.get(CLAIMS, namespace, name)["status"]["phase"] != "Bound":
            return None
    directory = state.claim_directory(namespace, name)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def class_name(claim: Json) -> str:
    """The storage class that a claim asks for; empty for none."""
    annotations = claim["metadata"].get("annotations") or {}
    return annotations.get(_CLASS_ANNOTATION) or claim["spec"].get("storageClassName") or ""


def release(state: SandboxState, claim: Json) -> None:
    """After a claim is gone: its volume and, when the class reclaims by deletion, its files go too.

    Only volumes that were made for the claim: one that was created by hand may name any directory of this disk.
    """
    name, meta = claim["spec"].get("volumeName", ""), claim["metadata"]
    volume = state.store.find(PERSISTENT_VOLUMES, "", name)
    if volume is None or (volume["spec"].get("claimRef") or {}).get("uid") != meta["uid"]:
        return
    is_own = name == _volume_name(claim)
    if is_own and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
        state.store.delete(PERSISTENT_VOLUMES, "", name)
        state.trash.throw_away(state.claim_directory(meta["namespace"], meta["name"]))
    else:
        state.store.change(PERSISTENT_VOLUMES, "", name, _set_released)


def _volume_name(claim: Json) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def _set_released(volume: Json) -> None:
    volume["status"]["phase"] = "Released"


def _provision(state: SandboxState, claim: Json, storage_class: Json) -> None:
    provisioner = storage_class["provisioner"]
    if provisioner != PROVISIONER:
        _name_provisioner(state, claim, provisioner)
        message = (
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually "
            "by the system administrator. If volume creation is delayed, please verify that the provisioner is "
            "running and correctly registered."
        )
        _record_event(state, claim, "ExternalProvisioning", message)
        return
    meta = claim["metadata"]
    directory = state.claim_directory(meta["namespace"], meta["name"])
    directory.mkdir(parents=True, exist_ok=True)
    volume = _volume(claim, storage_class, directory)
    if state.store.find(PERSISTENT_VOLUMES, "", volume["metadata"]["name"]) is None:
        state.store.create(PERSISTENT_VOLUMES, volume)

    def bind(found: Json) -> None:
        annotations = found["metadata"].setdefault("annotations", {})
        annotations[_BIND_COMPLETED] = "yes"
        annotations[STORAGE_PROVISIONER] = PROVISIONER
        annotations[LOCAL_PATH_ANNOTATION] = str(directory)
        found["spec"]["volumeName"] = volume["metadata"]["name"]
        found["status"] = _bound_status(volume)

    bound = state.store.change(CLAIMS, meta["namespace"], meta["name"], bind)
    message = f"Successfully provisioned volume {volume['metadata']['name']}"
    record_event(state.store, bound, reason="ProvisioningSucceeded", message=message, component=PROVISIONER)


def _name_provisioner(state: SandboxState, claim: Json, provisioner: str) -> None:
    """Mark a claim for the one that is to make its volume."""

    def mark(found: Json) -> None:
        annotations = found["metadata"].setdefault("annotations", {})
        for name in ("volume.beta.kubernetes.io/storage-provisioner", STORAGE_PROVISIONER):
            annotations[name] = provisioner

    meta = claim["metadata"]
    state.store.change(CLAIMS, meta["namespace"], meta["name"], mark)


def _volume(claim: Json, storage_class: Json, directory: Path) -> Json:
    meta = claim["metadata"]
    return {
        "metadata": {
            "name": _volume_name(claim),
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
        },
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "claimRef": {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
            "persistentVolumeReclaimPolicy": storage_class["reclaimPolicy"],
            "storageClassName": storage_class["metadata"]["name"],
            "volumeMode": claim["spec"]["volumeMode"],
            "local": {"path": str(directory)},
        },
        "status": {"phase": "Bound"},
    }


def _record_event(state: SandboxState, claim: Json, reason: str, message: str, *, type: str = "Normal") -> None:
    record_event(state.store, claim, reason=reason, message=message, component=_CONTROLLER, type=type)
