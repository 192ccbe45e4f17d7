"""Persistent volume claims: bound or about to be, large enough, and shareable by as many tasks as run at once."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Final

from hera_k8s_kube.cluster_objects import usable_class
from hera_k8s_kube.lookups import find, is_deleting, kubectl_command, missing_result
from hera_k8s_kube.pod_usage import resolved, used_pods
from hera_k8s_kube.requirements import PersistentVolumeClaim
from hera_k8s_utils import CheckResult, Context, ErrorKind, Json, PlatformError, fail, ok, parse_quantity, unknown, warn
from hera_k8s_utils._moved import forward
from hera_k8s_utils.experiment import Manifest, Unresolved
from hera_k8s_utils.labels import LOCAL_PATH_ANNOTATION

_WRITABLE: Final = frozenset({"ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"})
_STORAGE: Final = "storage.k8s.io/v1"
_FRESH: Final = 60.0  # seconds of age until which a claim's volume may just be being made
_PATIENCE: Final = 6.0  # seconds that a check waits for it; checks are given up after ten unless options say otherwise
_PAUSE: Final = 0.2  # seconds between two looks


def check_claim(settings: None, context: Context, wanted: PersistentVolumeClaim) -> CheckResult:
    """Read the one named claim and, while it is not bound, its storage class."""
    found = find(context, "v1", "persistentvolumeclaims", wanted.name)
    if found is None:
        by_hand = kubectl_command(context, "create -f FILE")  # kubectl has no words for a claim
        return missing_result(context, wanted, otherwise=by_hand, can_be_made=bool(wanted.size))
    if is_deleting(found):
        return fail(f"{wanted.label}is being deleted", hint=f"use another claim: --bind {wanted.role}=NAME")
    phase = (found.get("status") or {}).get("phase") or "Pending"
    if phase == "Lost":
        return fail(
            f"{wanted.label}Lost: its volume is gone", hint=kubectl_command(context, f"describe pvc {wanted.name}")
        )
    misfit = _misfit(wanted, found, context)
    if misfit is not None and misfit.verdict.value == "failed":
        return misfit
    if phase != "Bound":
        return _pending(context, wanted, found, misfit)
    return misfit or ok(f"{wanted.label}Bound, {', '.join(_modes(found))}, {_size(found)}")


# --- whether it fits -------------------------------------------------------------------------------------------


def _misfit(wanted: PersistentVolumeClaim, found: Json, context: Context) -> CheckResult | None:
    """What of the claim's size and access modes is not as the experiment needs it."""
    modes, size = _modes(found), _size(found)
    rebind = f"use another claim: --bind {wanted.role}=NAME"
    if wanted.size and size and parse_quantity(size) < parse_quantity(wanted.size):
        return fail(f"{wanted.label}capacity {size}, needs {wanted.size}", hint=rebind)
    if not wanted.read_only and not _WRITABLE.intersection(modes):
        return fail(f"{wanted.label}{', '.join(modes)}: tasks cannot write to it", hint=rebind)
    together = context.demand.fan_out
    if together > 1 and modes == ["ReadWriteOncePod"]:
        return fail(f"{wanted.label}ReadWriteOncePod: {_tasks(together)} cannot share it", hint=rebind)
    if together > 1 and not _shareable(modes, read_only=wanted.read_only):
        return warn(
            f"{wanted.label}{', '.join(modes)}: {_tasks(together)} run only where they all fit on one node", hint=rebind
        )
    if wanted.access_mode and wanted.access_mode not in modes:
        return warn(f"{wanted.label}{', '.join(modes)}, not {wanted.access_mode}", hint=rebind)
    storage_class = _class_of(found)
    if wanted.storage_class and storage_class and storage_class != wanted.storage_class:
        return warn(f"{wanted.label}storage class {storage_class}, not {wanted.storage_class}", hint=rebind)
    return None


def _tasks(number: int) -> str:
    return f"{number} tasks at once"


def _shareable(modes: list[str], *, read_only: bool) -> bool:
    return "ReadWriteMany" in modes or (read_only and "ReadOnlyMany" in modes)


def _modes(found: Json) -> list[str]:
    """Those of the volume once there is one, else those that are asked for."""
    bound = (found.get("status") or {}).get("accessModes")
    return list(bound or (found.get("spec") or {}).get("accessModes") or ())


def _size(found: Json) -> str:
    bound = (found.get("status") or {}).get("capacity") or {}
    asked = ((found.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return str(bound.get("storage") or asked.get("storage") or "")


# --- while it is pending ---------------------------------------------------------------------------------------


def _pending(context: Context, wanted: PersistentVolumeClaim, found: Json, misfit: CheckResult | None) -> CheckResult:
    describe = kubectl_command(context, f"describe pvc {wanted.name}")
    name = _class_of(found)
    if not name:
        why = "it has no storage class, and no volume matches it"
        return fail(f"{wanted.label}Pending: {why}", hint=describe)
    try:
        storage_class = find(context, _STORAGE, "storageclasses", name, scope="cluster")
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN:
            raise
        return unknown(f"{wanted.label}Pending; not permitted to read its storage class {name} (403)", hint=describe)
    if storage_class is None:
        return fail(f"{wanted.label}Pending: storage class {name} does not exist", hint="kubectl get storageclass")
    if storage_class.get("volumeBindingMode") == "WaitForFirstConsumer":
        return misfit or ok(f"{wanted.label}waits for its first pod (WaitForFirstConsumer), {', '.join(_modes(found))}")
    if _age(found) < _FRESH and _is_bound_soon(context, wanted.name):
        return check_claim(None, context, wanted)
    return fail(f"{wanted.label}Pending: storage class {name} has not provided a volume yet", hint=describe)


def _is_bound_soon(context: Context, name: str) -> bool:
    """Wait for a claim that was made a moment ago, as `run --provision` does: a provisioner takes its time."""
    ends_at = time.monotonic() + _PATIENCE
    while time.monotonic() < ends_at:
        time.sleep(_PAUSE)
        found = find(context, "v1", "persistentvolumeclaims", name)
        if found is None or is_deleting(found):
            return False
        if (found.get("status") or {}).get("phase") == "Bound":
            return True
    return False


def _age(found: Json) -> float:
    """Seconds since an object was made, by this machine's clock; without a time, for ever."""
    made = (found.get("metadata") or {}).get("creationTimestamp")
    if not made:
        return float("inf")
    moment = datetime.strptime(str(made), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - moment).total_seconds()


def _class_of(found: Json) -> str:
    annotations = (found.get("metadata") or {}).get("annotations") or {}
    older = annotations.get("volume.beta.kubernetes.io/storage-class")  # what came before spec.storageClassName
    return str(older or (found.get("spec") or {}).get("storageClassName") or "")


# --- what a workflow uses, what can be made, where it lies -----------------------------------------------------


def referenced_claims(manifest: Manifest) -> Iterable[PersistentVolumeClaim | Unresolved]:
    """The claims that the workflow's pods mount."""
    for pod in used_pods(manifest):
        for volume in pod.volumes:
            claim = volume.get("persistentVolumeClaim")
            if isinstance(claim, dict) and claim.get("claimName"):
                read_only = bool(claim.get("readOnly"))
                for name in resolved(manifest, pod, claim["claimName"]):
                    yield (
                        name
                        if isinstance(name, Unresolved)
                        else PersistentVolumeClaim(name, where=pod.where, read_only=read_only)
                    )


def build_claim(settings: None, context: Context, wanted: PersistentVolumeClaim) -> Json | None:
    """The claim to create; None when its size is not said."""
    if not wanted.size:
        return None
    spec: Json = {
        "accessModes": [wanted.access_mode or "ReadWriteOnce"],
        "resources": {"requests": {"storage": wanted.size}},
    }
    if wanted.storage_class:
        spec["storageClassName"] = usable_class(context, wanted.storage_class)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": wanted.name},
        "spec": spec,
    }


def locate_claim(settings: None, context: Context, wanted: PersistentVolumeClaim) -> str | None:
    """The directory on this machine that holds the claim's contents, where there is one."""
    found = find(context, "v1", "persistentvolumeclaims", wanted.name) or {}
    path = ((found.get("metadata") or {}).get("annotations") or {}).get(LOCAL_PATH_ANNOTATION)
    return str(path) if path else None


globals()["__getattr__"] = forward(__name__)  # old names; not as a `def`, or type checkers would accept any name
