"""Pods: what their specification is completed with, and what it is refused for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from hera_k8s_sandbox.admission.containers import set_container_defaults, validate_container
from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import (
    duplicate,
    forbidden_field,
    invalid_value,
    required,
    unsupported_value,
)
from hera_k8s_sandbox.foundation.labels import NODE_NOT_READY
from hera_k8s_sandbox.foundation.metadata_validation import LABEL, LABEL_RULE, validate_labels
from hera_k8s_utils._types import Json

_SPEC: Final = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "enableServiceLinks": True,
    "priority": 0,
    "preemptionPolicy": "PreemptLowerPriority",
}
_TEMPLATE: Final = ("restartPolicy", "terminationGracePeriodSeconds", "dnsPolicy", "securityContext", "schedulerName")
_TOLERATED: Final = (NODE_NOT_READY, "node.kubernetes.io/unreachable")
_VOLUMES_WITH_MODE: Final = ("configMap", "secret", "projected", "downwardAPI")
_POLICIES: Final = ("Always", "OnFailure", "Never")
_LONGEST: Final = (1 << 31) - 1  # seconds
_TOKEN_SECONDS: Final = 3600


def set_pod_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server and its admission fill in."""
    obj["metadata"].setdefault("generation", 1)
    spec = obj.setdefault("spec", {})
    for field, value in _SPEC.items():
        spec.setdefault(field, dict(value) if isinstance(value, dict) else value)
    spec.setdefault("serviceAccountName", spec.get("serviceAccount") or "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in _containers(spec):
        set_container_defaults(container)
    _set_volumes_defaults(spec)
    _tolerate(spec)
    obj.setdefault("status", {"phase": "Pending"}).setdefault("qosClass", _quality(spec))


def set_template_defaults(owner: Json) -> None:
    """Fill in, in place, the pod template in the specification of a Job or the like: less than in a pod itself."""
    template = owner.setdefault("template", {})
    if template.setdefault("metadata", {}).get("creationTimestamp", "") is None:
        del template["metadata"]["creationTimestamp"]  # which clients in Go write
    spec = template.setdefault("spec", {})
    for field in _TEMPLATE:
        value = _SPEC[field]
        spec.setdefault(field, dict(value) if isinstance(value, dict) else value)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in _containers(spec):
        set_container_defaults(container)
    _set_volumes_defaults(spec)


def validate_template(template: Json) -> Iterator[Cause]:
    """What is wrong with a pod template that stands at `spec.template`."""
    meta = template.get("metadata") or {}
    named = {key: meta.get(key) or {} for key in ("labels", "annotations")}
    for cause in validate_labels(named):  # which are named without what they stand in
        yield Cause(f"spec.template.{cause.field.removeprefix('metadata.')}", cause.message, cause.reason)
    for cause in validate_pod(template):
        yield Cause(f"spec.template.{cause.field}", cause.message, cause.reason)


def validate_pod(obj: Json) -> Iterator[Cause]:
    """What is wrong with a pod."""
    spec = obj["spec"]
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    yield from _validate_volume(spec.get("volumes") or ())
    if not spec.get("containers"):
        yield required("spec.containers")
    seen: set[str] = set()
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            where = f"spec.{field}[{index}]"
            yield from validate_container(where, container, volumes, seen, init=field == "initContainers")
    if spec["restartPolicy"] not in _POLICIES:
        yield unsupported_value("spec.restartPolicy", spec["restartPolicy"], _POLICIES)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _LONGEST:
        yield invalid_value("spec.activeDeadlineSeconds", deadline, f"must be between 1 and {_LONGEST}, inclusive")


def validate_pod_update(old: Json, new: Json) -> Iterator[Cause]:
    """What is wrong with a change of a pod."""
    for field in ("containers", "initContainers"):
        if len(old["spec"].get(field) or ()) != len(new["spec"].get(field) or ()):
            yield forbidden_field(f"spec.{field}", "pod updates may not add or remove containers")
            return
    if _fixed_part(old["spec"]) != _fixed_part(new["spec"]):
        message = (
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
            "previously negative)"
        )
        yield forbidden_field("spec", message)


def set_pod_status_defaults(obj: Json) -> None:
    """Set the API server's defaults of a pod's status, in place."""
    status = obj.get("status")
    if not isinstance(status, dict):
        return
    for one in status.get("conditions") or ():
        one.setdefault("lastProbeTime", None)
        one.setdefault("lastTransitionTime", None)
    for single, plural in (("podIP", "podIPs"), ("hostIP", "hostIPs")):
        if status.get(single) and not status.get(plural):
            status[plural] = [{"ip": status[single]}]


def _fixed_part(spec: Json) -> Json:
    """What of a pod no update may change: of its containers all but the image."""
    free = ("tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds")
    kept = {key: value for key, value in spec.items() if key not in free}
    for field in ("containers", "initContainers"):
        kept[field] = [{k: v for k, v in one.items() if k != "image"} for one in spec.get(field) or ()]
    return kept


def _containers(spec: Json) -> list[Json]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _set_volumes_defaults(spec: Json) -> None:
    for volume in spec.get("volumes") or ():
        if all(value is None for key, value in volume.items() if key != "name"):
            volume["emptyDir"] = {}
        for kind in _VOLUMES_WITH_MODE:
            if isinstance(volume.get(kind), dict):
                volume[kind].setdefault("defaultMode", 0o644)
        if isinstance(volume.get("hostPath"), dict):
            volume["hostPath"].setdefault("type", "")
        sources = (volume.get("projected") or {}).get("sources") or ()
        for source in (volume.get("downwardAPI") or {}, *((one.get("downwardAPI") or {}) for one in sources)):
            for item in source.get("items") or ():
                if item.get("fieldRef"):
                    item["fieldRef"].setdefault("apiVersion", "v1")
                if item.get("resourceFieldRef"):
                    item["resourceFieldRef"].setdefault("divisor", "0")
        for one in sources:
            if one.get("serviceAccountToken"):
                one["serviceAccountToken"].setdefault("expirationSeconds", _TOKEN_SECONDS)


def _tolerate(spec: Json) -> None:
    found = spec.get("tolerations") or []
    known = {one.get("key") for one in found}
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in _TOLERATED
        if key not in known
    ]
    spec["tolerations"] = [*found, *added]


def _quality(spec: Json) -> str:
    containers = [container["resources"] for container in _containers(spec)]
    if not any(one.get("requests") or one.get("limits") for one in containers):
        return "BestEffort"
    whole = all(
        one.get("limits", {}).keys() >= {"cpu", "memory"} and one.get("requests") == one.get("limits")
        for one in containers
    )
    return "Guaranteed" if whole else "Burstable"


def _validate_volume(volumes: Iterable[Json]) -> Iterator[Cause]:
    """Volumes become directories: their names may be nothing but names."""
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        where, name = f"spec.volumes[{index}].name", volume.get("name") or ""
        if not name:
            yield required(where)
        elif len(name) > 63:
            yield invalid_value(where, name, "must be no more than 63 bytes")
        elif not re.fullmatch(LABEL, name):
            yield invalid_value(where, name, LABEL_RULE)
        elif name in seen:
            yield duplicate(where, name)
        seen.add(name)
