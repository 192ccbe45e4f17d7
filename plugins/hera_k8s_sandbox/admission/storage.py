"""Claims, volumes and storage classes: what they are completed with, and what they are refused for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hera_k8s_sandbox.foundation import quantities
from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import forbidden_field, invalid_value, required, unsupported_value
from hera_k8s_sandbox.foundation.metadata_validation import validate_subdomain
from hera_k8s_sandbox.foundation.resource_types import CLAIMS
from hera_k8s_sandbox.schema.decoding import cannot_be_handled, go_name
from hera_k8s_sandbox.store.entries import now_text
from hera_k8s_utils._types import Json

VOLUME_MODES: Final = ("Block", "Filesystem")
ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def set_claim_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    requests = (spec.get("resources") or {}).get("requests") or {}
    for name, amount in requests.items():
        requests[name] = quantities.format_quantity(str(amount)) or amount
    obj.setdefault("status", {"phase": "Pending"})


def validate_claim(obj: Json) -> Iterator[Cause]:
    """What a claim is refused for. Raises ApiError for what cannot be read."""
    spec = obj["spec"]
    modes = spec.get("accessModes") or []
    if not isinstance(modes, list):
        message = f"json: cannot unmarshal {go_name(modes)} into Go struct field"
        what = "PersistentVolumeClaimSpec.spec.accessModes of type []v1.PersistentVolumeAccessMode"
        raise cannot_be_handled(CLAIMS, f"{message} {what}")
    if not modes:
        yield required("spec.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in ACCESS_MODES:
            yield unsupported_value("spec.accessModes", mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        yield forbidden_field("spec.accessModes", "may not use ReadWriteOncePod with other access modes")
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield required("spec.resources[storage]")
    elif not quantities.QUANTITIES.match(str(size)):
        raise cannot_be_handled(
            CLAIMS, f"quantities must match the regular expression '{quantities.QUANTITIES.pattern}'"
        )
    elif (quantities.read_quantity(str(size)) or 0) <= 0:
        yield invalid_value("spec.resources[storage]", size, "must be greater than zero")
    if spec.get("storageClassName"):
        yield from validate_subdomain("spec.storageClassName", spec["storageClassName"])
    if spec["volumeMode"] not in VOLUME_MODES:
        yield unsupported_value("spec.volumeMode", spec["volumeMode"], VOLUME_MODES)


def validate_claim_update(old: Json, new: Json) -> Iterator[Cause]:
    """What a change of a claim is refused for."""
    is_bound = (old.get("status") or {}).get("phase") == "Bound"
    free = ("resources",) if is_bound else ("volumeName",)

    def kept(obj: Json) -> Json:
        return {key: value for key, value in obj["spec"].items() if key not in free}

    if kept(old) != kept(new):
        message = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield forbidden_field("spec", message)


def set_storage_class_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def validate_storage_class(obj: Json) -> Iterator[Cause]:
    """What a storage class is refused for."""
    if not obj.get("provisioner"):
        yield required("provisioner")
    modes = ("Immediate", "WaitForFirstConsumer")
    if obj["volumeBindingMode"] not in modes:
        yield unsupported_value("volumeBindingMode", obj["volumeBindingMode"], modes)
    if obj["reclaimPolicy"] not in ("Delete", "Retain"):
        yield unsupported_value("reclaimPolicy", obj["reclaimPolicy"], ("Delete", "Retain"))


def validate_storage_class_update(old: Json, new: Json) -> Iterator[Cause]:
    """What a change of a storage class is refused for."""
    for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        if (old.get(field) or None) != (new.get(field) or None):
            yield invalid_value(field, new.get(field), "field is immutable")


def set_volume_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if isinstance(spec.get("hostPath"), dict):
        spec["hostPath"].setdefault("type", "")
    status = obj.setdefault("status", {"phase": "Pending"})
    status.setdefault("lastPhaseTransitionTime", now_text())
