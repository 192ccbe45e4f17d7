"""Persistent volume claims: bound to directories of this disk, as their storage class says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

from hera_k8s_sandbox.recorder import record_event
from hera_k8s_sandbox.resources import CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES
from hera_k8s_sandbox.state import SandboxState

Json = dict[str, Any]

LOCAL_PATH: Final = "hera-k8s-utils/local-path"
"""Annotation of a bound claim: its directory on this disk, for clients that want to say where results lie."""
PROVISIONER: Final = "hera-k8s.sandbox/directory"
DEFAULT_MARK: Final = "storageclass.kubernetes.io/is-default-class"
_CONTROLLER: Final = "persistentvolume-controller"
_CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"  # what came before spec.storageClassName


def choose_class(state: SandboxState, claim: Json) -> None:
    """Write the default storage class, if there is one, into a claim that names none."""
    annotations = claim["metadata"].get("annotations") or {}
    if claim["spec"].get("storageClassName") is not None or _CLASS_ANNOTATION in annotations:
        return
    for storage_class in state.store.list(STORAGE_CLASSES):
        if (storage_class["metadata"].get("annotations") or {}).get(DEFAULT_MARK) == "true":
            claim["spec"]["storageClassName"] = storage_class["metadata"]["name"]


def settle(state: SandboxState, claim: Json) -> None:
    """Bind a new claim, or tell by an event why it stays Pending."""
    if (claim.get("status") or {}).get("phase") == "Bound":
        return
    name = class_name(claim)
    storage_class = state.store.find(STORAGE_CLASSES, "", name)
    if not name:
        _tell(
            state,
            claim,
            "FailedBinding",
            "no persistent volumes available for this claim and no storage class is set",
        )
    elif storage_class is None:
        message = f'storageclass.storage.k8s.io "{name}" not found'
        _tell(state, claim, "ProvisioningFailed", message, type="Warning")
    elif storage_class["volumeBindingMode"] == "WaitForFirstConsumer":
        message = "waiting for first consumer to be created before binding"
        _tell(state, claim, "WaitForFirstConsumer", message)
    else:
        _provision(state, claim, storage_class)


def settle_all(state: SandboxState) -> None:
    """Look again at every claim that is Pending, after a storage class has come."""
    for claim in state.store.list(CLAIMS):
        settle(state, claim)


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

    Only what was made for the claim: a volume that somebody wrote may name any directory of this disk.
    """
    volume = _own_volume(state, claim)
    if volume is None:
        return
    name, meta = volume["metadata"]["name"], claim["metadata"]
    if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
        state.store.delete(PERSISTENT_VOLUMES, "", name)
        shutil.rmtree(state.claim_directory(meta["namespace"], meta["name"]), ignore_errors=True)
    else:
        state.store.change(PERSISTENT_VOLUMES, "", name, _set_released)


def _own_volume(state: SandboxState, claim: Json) -> Json | None:
    """The volume that was made for a claim."""
    name = _volume_name(claim)
    return state.store.find(PERSISTENT_VOLUMES, "", name) if claim["spec"].get("volumeName") == name else None


def _volume_name(claim: Json) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def _set_released(volume: Json) -> None:
    volume["status"]["phase"] = "Released"


def _provision(state: SandboxState, claim: Json, storage_class: Json) -> None:
    provisioner = storage_class["provisioner"]
    if provisioner != PROVISIONER:
        message = (
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually "
            "by the system administrator. If volume creation is delayed, please verify that the provisioner is "
            "running and correctly registered."
        )
        _tell(state, claim, "ExternalProvisioning", message)
        return
    meta = claim["metadata"]
    directory = state.claim_directory(meta["namespace"], meta["name"])
    directory.mkdir(parents=True, exist_ok=True)
    volume = _volume(claim, storage_class, directory)
    if state.store.find(PERSISTENT_VOLUMES, "", volume["metadata"]["name"]) is None:
        state.store.create(PERSISTENT_VOLUMES, volume)

    def bind(found: Json) -> None:
        annotations = found["metadata"].setdefault("annotations", {})
        annotations["pv.kubernetes.io/bind-completed"] = "yes"
        annotations["volume.kubernetes.io/storage-provisioner"] = PROVISIONER
        annotations[LOCAL_PATH] = str(directory)
        found["spec"]["volumeName"] = volume["metadata"]["name"]
        found["status"] = {
            "phase": "Bound",
            "accessModes": volume["spec"]["accessModes"],
            "capacity": volume["spec"]["capacity"],
        }

    bound = state.store.change(CLAIMS, meta["namespace"], meta["name"], bind)
    message = f"Successfully provisioned volume {volume['metadata']['name']}"
    record_event(state.store, bound, reason="ProvisioningSucceeded", message=message, component=PROVISIONER)


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


def _tell(state: SandboxState, claim: Json, reason: str, message: str, *, type: str = "Normal") -> None:
    record_event(state.store, claim, reason=reason, message=message, component=_CONTROLLER, type=type)
