"""Validation: what each kind of object is completed with, and what it is refused for."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from hera_k8s_sandbox.admission.crds import (
    complete_definition,
    definition_causes,
    definition_update_causes,
    new_definition_causes,
)
from hera_k8s_sandbox.admission.deployments import (
    complete_deployment,
    complete_replica_set,
    deployment_causes,
    replica_set_causes,
    selector_update_causes,
)
from hera_k8s_sandbox.admission.jobs import complete_job, job_causes, job_update_causes
from hera_k8s_sandbox.admission.pods import complete_pod, pod_causes, pod_update_causes
from hera_k8s_sandbox.admission.rbac import (
    binding_causes,
    binding_update_causes,
    complete_binding,
    complete_role,
    role_causes,
)
from hera_k8s_sandbox.admission.services import (
    complete_endpoints,
    complete_service,
    complete_slice,
    service_causes,
    service_update_causes,
    slice_causes,
)
from hera_k8s_sandbox.admission.storage import (
    claim_causes,
    claim_update_causes,
    complete_claim,
    complete_storage_class,
    complete_volume,
    storage_class_causes,
    storage_class_update_causes,
)
from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import fixed, required, wrong
from hera_k8s_sandbox.foundation.labels import ACCOUNT_NAME
from hera_k8s_sandbox.foundation.metadata_validation import finalizer_causes, metadata_causes
from hera_k8s_sandbox.foundation.resource_types import (
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
    REPLICA_SETS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STORAGE_CLASSES,
    Resource,
)
from hera_k8s_sandbox.schema.structural_schema import fill_in, schema_causes
from hera_k8s_utils._types import Json

Defaulter = Callable[[Json], None]
Validator = Callable[[Json], Iterator[Cause]]
UpdateValidator = Callable[[Json, Json], Iterator[Cause]]

LARGEST_DATA: Final = 1 << 20  # bytes in a ConfigMap or Secret
TOKEN_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105  the name of a type

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


# Nodes and namespaces


_NODE_INFO: Final = (
    *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion"),
    *("machineID", "operatingSystem", "osImage", "systemUUID"),
)


def _complete_node(obj: Json) -> None:
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    status.setdefault("nodeInfo", dict.fromkeys(_NODE_INFO, ""))


def _complete_namespace(obj: Json) -> None:
    meta = obj["metadata"]
    if meta.get("name"):
        meta["labels"] = (meta.get("labels") or {}) | {"kubernetes.io/metadata.name": meta["name"]}
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {"phase": "Active"})


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
    CLAIMS: complete_claim,
    PERSISTENT_VOLUMES: complete_volume,
    NODES: _complete_node,
    EVENTS: _complete_event,
    STORAGE_CLASSES: complete_storage_class,
    PODS: complete_pod,
    JOBS: complete_job,
    REPLICA_SETS: complete_replica_set,
    DEPLOYMENTS: complete_deployment,
    SERVICES: complete_service,
    ENDPOINTS: complete_endpoints,
    ENDPOINT_SLICES: complete_slice,
    CUSTOM_RESOURCE_DEFINITIONS: complete_definition,
    NAMESPACES: _complete_namespace,
    ROLES: complete_role,
    CLUSTER_ROLES: complete_role,
    ROLE_BINDINGS: complete_binding,
    CLUSTER_ROLE_BINDINGS: complete_binding,
}
_VALIDATORS: Final[Mapping[Resource, Validator]] = {
    CONFIG_MAPS: _config_map_causes,
    SECRETS: _secret_causes,
    CLAIMS: claim_causes,
    STORAGE_CLASSES: storage_class_causes,
    PODS: pod_causes,
    JOBS: job_causes,
    REPLICA_SETS: replica_set_causes,
    DEPLOYMENTS: deployment_causes,
    SERVICES: service_causes,
    ENDPOINT_SLICES: slice_causes,
    CUSTOM_RESOURCE_DEFINITIONS: definition_causes,
    EVENTS: _event_causes,
    ROLES: role_causes,
    CLUSTER_ROLES: role_causes,
    ROLE_BINDINGS: binding_causes,
    CLUSTER_ROLE_BINDINGS: binding_causes,
}
_UPDATE_VALIDATORS: Final[Mapping[Resource, UpdateValidator]] = {
    CONFIG_MAPS: _config_map_update_causes,
    SECRETS: _secret_update_causes,
    CLAIMS: claim_update_causes,
    PODS: pod_update_causes,
    JOBS: job_update_causes,
    REPLICA_SETS: selector_update_causes,
    DEPLOYMENTS: selector_update_causes,
    SERVICES: service_update_causes,
    CUSTOM_RESOURCE_DEFINITIONS: definition_update_causes,
    STORAGE_CLASSES: storage_class_update_causes,
    ROLE_BINDINGS: binding_update_causes,
    CLUSTER_ROLE_BINDINGS: binding_update_causes,
}
