"""Validation: what each kind of object is completed with, and what it is refused for."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from hera_k8s_sandbox import quantities
from hera_k8s_sandbox.apps_rules import (
    complete_deployment,
    complete_replica_set,
    deployment_causes,
    replica_set_causes,
    selector_update_causes,
)
from hera_k8s_sandbox.causes import fixed, required, unsupported_value, wrong
from hera_k8s_sandbox.crds_rules import (
    complete_definition,
    definition_causes,
    definition_update_causes,
    new_definition_causes,
)
from hera_k8s_sandbox.crds_schema import fill_in, schema_causes
from hera_k8s_sandbox.decoding import cannot_be_handled, go_name
from hera_k8s_sandbox.entries import now_text
from hera_k8s_sandbox.errors import Cause
from hera_k8s_sandbox.jobs_rules import complete_job, job_causes, job_update_causes
from hera_k8s_sandbox.metadata_rules import finalizer_causes, metadata_causes, subdomain_causes
from hera_k8s_sandbox.pod_rules import complete_pod, pod_causes, pod_update_causes
from hera_k8s_sandbox.resources import (
    CLAIMS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUMES,
    PODS,
    RBAC,
    REPLICA_SETS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STORAGE_CLASSES,
    Resource,
)
from hera_k8s_sandbox.selectors import labels_of
from hera_k8s_sandbox.service_rules import (
    complete_endpoints,
    complete_service,
    complete_slice,
    service_causes,
    service_update_causes,
    slice_causes,
)

Json = dict[str, Any]
Defaulter = Callable[[Json], None]
Validator = Callable[[Json], Iterator[Cause]]
UpdateValidator = Callable[[Json, Json], Iterator[Cause]]

LARGEST_DATA: Final = 1 << 20  # bytes in a ConfigMap or Secret
TOKEN_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105  the name of a type
ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
VOLUME_MODES: Final = ("Block", "Filesystem")
ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")

_DATA_KEY: Final = r"[-._a-zA-Z0-9]+"

_DATA_KEY_RULE: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    f"or 'key-name', regex used for validation is '{_DATA_KEY}')"
)


# Fields that the API server does not write when they are empty.
_WITHOUT_EMPTY: Final[Mapping[Resource, tuple[str, ...]]] = {
    CONFIG_MAPS: ("data", "binaryData"),
    SECRETS: ("data", "stringData"),
    SERVICE_ACCOUNTS: ("secrets", "imagePullSecrets"),
    ROLE_BINDINGS: ("subjects",),
    CLUSTER_ROLE_BINDINGS: ("subjects",),
}


def complete(resource: Resource, obj: Json) -> None:
    """Fill in, in place, what the API server fills in, and drop what it does not write."""
    _drop_empty(obj["metadata"], ("labels", "annotations", "finalizers", "ownerReferences"))
    _drop_empty(obj, _WITHOUT_EMPTY.get(resource, ()))
    if resource in (CONFIG_MAPS, SECRETS):
        _fill_nulls(obj)
    default = _DEFAULTS.get(resource)
    if default is not None:
        default(obj)
    if resource.schema is not None:
        fill_in(dict(resource.schema), obj)


def _drop_empty(obj: Json, fields: tuple[str, ...]) -> None:
    for field in fields:
        if field in obj and not obj[field]:
            del obj[field]


def _fill_nulls(obj: Json) -> None:
    for field in ("data", "binaryData", "stringData"):
        for key, value in (obj.get(field) or {}).items():
            if value is None:
                obj[field][key] = ""


def validate_new(resource: Resource, obj: Json) -> list[Cause]:
    """What is wrong with an object that is to be made."""
    named = new_definition_causes(obj) if resource is CUSTOM_RESOURCE_DEFINITIONS else ()
    return [*named, *validate(resource, obj)]


def validate_status(resource: Resource, obj: Json) -> list[Cause]:
    """What is wrong with a new status of an object; it is looked at by itself, as messages tell."""
    schema = ((resource.schema or {}).get("properties") or {}).get("status")
    if not isinstance(schema, dict) or obj.get("status") is None:
        return []
    return [replace(cause, field=f"status.{cause.field}") for cause in schema_causes(schema, obj["status"])]


def validate(resource: Resource, obj: Json) -> list[Cause]:
    """What is wrong with a new state of an object."""
    causes = [*metadata_causes(resource, obj["metadata"])]
    check = _VALIDATORS.get(resource)
    if resource.schema is not None:
        causes += schema_causes(dict(resource.schema), obj)
    return causes if check is None else [*causes, *check(obj)]


def validate_update(resource: Resource, old: Json, new: Json) -> list[Cause]:
    """What is wrong with a change of an object."""
    check = _UPDATE_VALIDATORS.get(resource)
    meta = finalizer_causes(old["metadata"], new["metadata"])
    return [*meta, *validate(resource, new), *(check(old, new) if check else ())]


# ConfigMaps and Secrets


def _data_causes(obj: Json, fields: tuple[str, ...]) -> Iterator[Cause]:
    size = 0
    for field in fields:
        for key, value in (obj.get(field) or {}).items():
            size += len(value or "")
            if key in (".", ".."):
                yield wrong(f"{field}[{key}]", key, f"must not be '{key}'")
            elif not re.fullmatch(_DATA_KEY, key):
                yield wrong(f"{field}[{key}]", key, _DATA_KEY_RULE)
    if size > LARGEST_DATA:
        yield Cause("[]", f"Too long: may not be more than {LARGEST_DATA} bytes", "FieldValueTooLong")


def _config_map_causes(obj: Json) -> Iterator[Cause]:
    yield from _data_causes(obj, ("data", "binaryData"))
    for key in (obj.get("data") or {}).keys() & (obj.get("binaryData") or {}).keys():
        yield wrong(f"data[{key}]", key, "duplicate of key present in binaryData")


def _immutable_causes(old: Json, new: Json, fields: tuple[str, ...]) -> Iterator[Cause]:
    if not old.get("immutable"):
        return
    told = "field is immutable when `immutable` is set"
    for field in ("immutable", *fields):
        if old.get(field) != new.get(field):
            yield fixed(field, told)


def _config_map_update_causes(old: Json, new: Json) -> Iterator[Cause]:
    return _immutable_causes(old, new, ("data", "binaryData"))


def _complete_secret(obj: Json) -> None:
    plain = obj.pop("stringData", None) or {}
    for key, value in (obj.get("data") or {}).items():
        if isinstance(value, str):  # kept as bytes, written anew
            obj["data"][key] = "".join(value.split())
    if plain:
        coded = {key: base64.b64encode((value or "").encode()).decode() for key, value in plain.items()}
        obj["data"] = (obj.get("data") or {}) | coded
    obj.setdefault("type", "Opaque")


def _secret_causes(obj: Json) -> Iterator[Cause]:
    yield from _data_causes(obj, ("data",))
    data, kind = obj.get("data") or {}, obj.get("type")
    if kind == TOKEN_SECRET and not (obj["metadata"].get("annotations") or {}).get(ACCOUNT_NAME):
        yield required(f"metadata.annotations[{ACCOUNT_NAME}]")
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        yield required("data[username]")
        yield required("data[password]")
    for key in _SECRET_KEYS.get(kind or "", ()):
        if key not in data:
            yield required(f"data[{key}]")
    for key in data.keys() & {".dockerconfigjson", ".dockercfg"}:
        if kind in _SECRET_KEYS and key in _SECRET_KEYS[kind] and _json_error(data[key]):
            yield wrong(f"data[{key}]", "<secret contents redacted>", _json_error(data[key]))


_SECRET_KEYS: Final = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _json_error(coded: str) -> str:
    text = base64.b64decode(coded)
    if not text.strip():
        return "unexpected end of JSON input"
    try:
        json.loads(text)
    except ValueError as error:
        return f"invalid JSON: {error}"
    return ""


def _secret_update_causes(old: Json, new: Json) -> Iterator[Cause]:
    if old.get("type") != new.get("type"):
        yield wrong("type", new.get("type"), "field is immutable")
    yield from _immutable_causes(old, new, ("data",))


# Claims and storage classes


def _complete_claim(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    requests = (spec.get("resources") or {}).get("requests") or {}
    for name, amount in requests.items():
        requests[name] = quantities.written(str(amount)) or amount
    obj.setdefault("status", {"phase": "Pending"})


def _claim_causes(obj: Json) -> Iterator[Cause]:
    spec = obj["spec"]
    modes = spec.get("accessModes") or []
    if not isinstance(modes, list):
        told = f"json: cannot unmarshal {go_name(modes)} into Go struct field"
        what = "PersistentVolumeClaimSpec.spec.accessModes of type []v1.PersistentVolumeAccessMode"
        raise cannot_be_handled(CLAIMS, f"{told} {what}")
    if not modes:
        yield required("spec.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in ACCESS_MODES:
            yield unsupported_value("spec.accessModes", mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        yield fixed("spec.accessModes", "may not use ReadWriteOncePod with other access modes")
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield required("spec.resources[storage]")
    elif not quantities.QUANTITIES.match(str(size)):
        raise cannot_be_handled(
            CLAIMS, f"quantities must match the regular expression '{quantities.QUANTITIES.pattern}'"
        )
    elif (quantities.value(str(size)) or 0) <= 0:
        yield wrong("spec.resources[storage]", size, "must be greater than zero")
    if spec.get("storageClassName"):
        yield from subdomain_causes("spec.storageClassName", spec["storageClassName"])
    if spec["volumeMode"] not in VOLUME_MODES:
        yield unsupported_value("spec.volumeMode", spec["volumeMode"], VOLUME_MODES)


def _claim_update_causes(old: Json, new: Json) -> Iterator[Cause]:
    is_bound = (old.get("status") or {}).get("phase") == "Bound"
    free = ("resources",) if is_bound else ("volumeName",)

    def kept(obj: Json) -> Json:
        return {key: value for key, value in obj["spec"].items() if key not in free}

    if kept(old) != kept(new):
        told = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield fixed("spec", told)


def _complete_storage_class(obj: Json) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def _storage_class_causes(obj: Json) -> Iterator[Cause]:
    if not obj.get("provisioner"):
        yield required("provisioner")
    modes = ("Immediate", "WaitForFirstConsumer")
    if obj["volumeBindingMode"] not in modes:
        yield unsupported_value("volumeBindingMode", obj["volumeBindingMode"], modes)
    if obj["reclaimPolicy"] not in ("Delete", "Retain"):
        yield unsupported_value("reclaimPolicy", obj["reclaimPolicy"], ("Delete", "Retain"))


def _storage_class_update_causes(old: Json, new: Json) -> Iterator[Cause]:
    for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        if (old.get(field) or None) != (new.get(field) or None):
            yield wrong(field, new.get(field), "field is immutable")


def _complete_volume(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if isinstance(spec.get("hostPath"), dict):
        spec["hostPath"].setdefault("type", "")
    status = obj.setdefault("status", {"phase": "Pending"})
    status.setdefault("lastPhaseTransitionTime", now_text())


_NODE_INFO: Final = (
    *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion"),
    *("machineID", "operatingSystem", "osImage", "systemUUID"),
)


def _complete_node(obj: Json) -> None:
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    status.setdefault("nodeInfo", dict.fromkeys(_NODE_INFO, ""))


# Namespaces and roles


def _complete_namespace(obj: Json) -> None:
    meta = obj["metadata"]
    if meta.get("name"):
        meta["labels"] = (meta.get("labels") or {}) | {"kubernetes.io/metadata.name": meta["name"]}
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {"phase": "Active"})


def _role_causes(obj: Json) -> Iterator[Cause]:
    for selector in (obj.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        labels_of(selector)
    for index, rule in enumerate(obj.get("rules") or []):
        _require_texts(rule)
        where = f"rules[{index}]"
        if not rule.get("verbs"):
            yield required(f"{where}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs") and obj["metadata"].get("namespace"):
            told = "namespaced rules cannot apply to non-resource URLs"
            yield wrong(f"{where}.nonResourceURLs", rule["nonResourceURLs"], told)
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            yield required(f"{where}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield required(f"{where}.resources", "resource rules must supply at least one resource")


def _require_texts(rule: Json) -> None:
    for field, values in rule.items():
        if values is not None and not (isinstance(values, list) and all(isinstance(one, str) for one in values)):
            raise TypeError(f"rules.{field} is a list of strings")


def _complete_role(obj: Json) -> None:
    obj["rules"] = obj.get("rules") or None


def _complete_binding(obj: Json) -> None:
    if isinstance(obj.get("roleRef"), dict):
        obj["roleRef"].setdefault("apiGroup", RBAC)
    for subject in obj.get("subjects") or []:
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", RBAC)


def _binding_causes(obj: Json) -> Iterator[Cause]:
    role = obj.get("roleRef") or {}
    kinds = ("ClusterRole",) if not obj["metadata"].get("namespace") else ("Role", "ClusterRole")
    if role.get("kind") not in kinds:
        yield unsupported_value("roleRef.kind", role.get("kind", ""), kinds)
    if not role.get("name"):
        yield required("roleRef.name")
    for index, subject in enumerate(obj.get("subjects") or []):
        where = f"subjects[{index}]"
        if not subject.get("name"):
            yield required(f"{where}.name")
        if subject.get("kind") not in ("ServiceAccount", "User", "Group"):
            yield unsupported_value(f"{where}.kind", subject.get("kind"), ("ServiceAccount", "User", "Group"))
        elif subject["kind"] == "ServiceAccount" and not (subject.get("namespace") or obj["metadata"].get("namespace")):
            yield required(f"{where}.namespace")


def _binding_update_causes(old: Json, new: Json) -> Iterator[Cause]:
    if old["roleRef"] != new.get("roleRef"):
        shown = {name[0].upper() + name[1:]: value for name, value in (new.get("roleRef") or {}).items()}
        if "ApiGroup" in shown:  # the message shows the server's own form of it
            shown = {"APIGroup": shown.pop("ApiGroup"), **shown}
        yield wrong("roleRef", shown, "cannot change roleRef")


# Events


def _event_causes(obj: Json) -> Iterator[Cause]:
    told = (obj.get("involvedObject") or {}).get("namespace") or "default"
    if told != obj["metadata"]["namespace"]:
        yield wrong("involvedObject.namespace", told, "does not match event.namespace")


def _complete_event(obj: Json) -> None:
    for field, value in (("source", {}), ("eventTime", None), ("reportingComponent", ""), ("reportingInstance", "")):
        obj.setdefault(field, value)
    for field in ("firstTimestamp", "lastTimestamp"):
        obj.setdefault(field, None)


# The table

_DEFAULTS: Final[Mapping[Resource, Defaulter]] = {
    SECRETS: _complete_secret,
    CLAIMS: _complete_claim,
    PERSISTENT_VOLUMES: _complete_volume,
    NODES: _complete_node,
    EVENTS: _complete_event,
    STORAGE_CLASSES: _complete_storage_class,
    PODS: complete_pod,
    JOBS: complete_job,
    REPLICA_SETS: complete_replica_set,
    DEPLOYMENTS: complete_deployment,
    SERVICES: complete_service,
    ENDPOINTS: complete_endpoints,
    ENDPOINT_SLICES: complete_slice,
    CUSTOM_RESOURCE_DEFINITIONS: complete_definition,
    NAMESPACES: _complete_namespace,
    ROLES: _complete_role,
    CLUSTER_ROLES: _complete_role,
    ROLE_BINDINGS: _complete_binding,
    CLUSTER_ROLE_BINDINGS: _complete_binding,
}
_VALIDATORS: Final[Mapping[Resource, Validator]] = {
    CONFIG_MAPS: _config_map_causes,
    SECRETS: _secret_causes,
    CLAIMS: _claim_causes,
    STORAGE_CLASSES: _storage_class_causes,
    PODS: pod_causes,
    JOBS: job_causes,
    REPLICA_SETS: replica_set_causes,
    DEPLOYMENTS: deployment_causes,
    SERVICES: service_causes,
    ENDPOINT_SLICES: slice_causes,
    CUSTOM_RESOURCE_DEFINITIONS: definition_causes,
    EVENTS: _event_causes,
    ROLES: _role_causes,
    CLUSTER_ROLES: _role_causes,
    ROLE_BINDINGS: _binding_causes,
    CLUSTER_ROLE_BINDINGS: _binding_causes,
}
_UPDATE_VALIDATORS: Final[Mapping[Resource, UpdateValidator]] = {
    CONFIG_MAPS: _config_map_update_causes,
    SECRETS: _secret_update_causes,
    CLAIMS: _claim_update_causes,
    PODS: pod_update_causes,
    JOBS: job_update_causes,
    REPLICA_SETS: selector_update_causes,
    DEPLOYMENTS: selector_update_causes,
    SERVICES: service_update_causes,
    CUSTOM_RESOURCE_DEFINITIONS: definition_update_causes,
    STORAGE_CLASSES: _storage_class_update_causes,
    ROLE_BINDINGS: _binding_update_causes,
    CLUSTER_ROLE_BINDINGS: _binding_update_causes,
}
