"""Validation: what each kind of object is completed with, and what it is refused for."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from hera_k8s_sandbox.admission.crds import (
    set_definition_defaults,
    validate_definition,
    validate_definition_update,
    validate_new_definition,
)
from hera_k8s_sandbox.admission.deployments import (
    set_deployment_defaults,
    set_replica_set_defaults,
    validate_deployment,
    validate_replica_set,
    validate_selector_update,
)
from hera_k8s_sandbox.admission.jobs import set_job_defaults, validate_job, validate_job_update
from hera_k8s_sandbox.admission.pods import set_pod_defaults, validate_pod, validate_pod_update
from hera_k8s_sandbox.admission.rbac import (
    set_binding_defaults,
    set_role_defaults,
    validate_binding,
    validate_binding_update,
    validate_role,
)
from hera_k8s_sandbox.admission.services import (
    set_endpoints_defaults,
    set_service_defaults,
    set_slice_defaults,
    validate_service,
    validate_service_update,
    validate_slice,
)
from hera_k8s_sandbox.admission.storage import (
    set_claim_defaults,
    set_storage_class_defaults,
    set_volume_defaults,
    validate_claim,
    validate_claim_update,
    validate_storage_class,
    validate_storage_class_update,
)
from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import forbidden_field, invalid_value, required
from hera_k8s_sandbox.foundation.labels import ACCOUNT_NAME
from hera_k8s_sandbox.foundation.metadata_validation import validate_finalizers, validate_metadata
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
from hera_k8s_sandbox.schema.structural_schema import set_schema_defaults, validate_schema
from hera_k8s_utils._types import Json

Defaulter = Callable[[Json], None]
Validator = Callable[[Json], Iterator[Cause]]
UpdateValidator = Callable[[Json, Json], Iterator[Cause]]

LARGEST_DATA: Final = 1 << 20  # bytes in a ConfigMap or Secret
TOKEN_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105  the name of a type

_DATA_KEY: Final = r"[-._a-zA-Z0-9]+"
_LONGEST_DATA_KEY: Final = 253

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


def set_defaults(resource: Resource, obj: Json) -> None:
    """Fill in, in place, what the API server fills in, and drop what it does not write."""
    _drop_empty(obj["metadata"], ("labels", "annotations", "finalizers", "ownerReferences"))
    _drop_empty(obj, _WITHOUT_EMPTY.get(resource, ()))
    if resource in (CONFIG_MAPS, SECRETS):
        _fill_nulls(obj)
    default = _DEFAULTS.get(resource)
    if default is not None:
        default(obj)
    if resource.schema is not None:
        set_schema_defaults(dict(resource.schema), obj)


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
    named = validate_new_definition(obj) if resource is CUSTOM_RESOURCE_DEFINITIONS else ()
    return [*named, *validate(resource, obj)]


def validate_status(resource: Resource, obj: Json) -> list[Cause]:
    """The errors of a new status of an object, which is validated apart from the rest."""
    schema = ((resource.schema or {}).get("properties") or {}).get("status")
    if not isinstance(schema, dict) or obj.get("status") is None:
        return []
    return [replace(cause, field=f"status.{cause.field}") for cause in validate_schema(schema, obj["status"])]


def validate(resource: Resource, obj: Json) -> list[Cause]:
    """What is wrong with a new state of an object."""
    causes = [*validate_metadata(resource, obj["metadata"])]
    check = _VALIDATORS.get(resource)
    if resource.schema is not None:
        causes += validate_schema(dict(resource.schema), obj)
    return causes if check is None else [*causes, *check(obj)]


def validate_update(resource: Resource, old: Json, new: Json) -> list[Cause]:
    """What is wrong with a change of an object."""
    check = _UPDATE_VALIDATORS.get(resource)
    meta = validate_finalizers(old["metadata"], new["metadata"])
    return [*meta, *validate(resource, new), *(check(old, new) if check else ())]


# ConfigMaps and Secrets


def _validate_data(obj: Json, fields: tuple[str, ...]) -> Iterator[Cause]:
    size = 0
    for field in fields:
        for key, value in (obj.get(field) or {}).items():
            size += _data_size(value or "", encoded=field != "data" or fields == ("data",))
            if len(key) > _LONGEST_DATA_KEY:
                yield invalid_value(f"{field}[{key}]", key, f"must be no more than {_LONGEST_DATA_KEY} characters")
            if not re.fullmatch(_DATA_KEY, key):
                yield invalid_value(f"{field}[{key}]", key, _DATA_KEY_RULE)
            if key in (".", ".."):
                yield invalid_value(f"{field}[{key}]", key, f"must not be '{key}'")
            elif key.startswith(".."):
                yield invalid_value(f"{field}[{key}]", key, "must not start with '..'")
    if size > LARGEST_DATA:
        yield Cause("[]", f"Too long: may not be more than {LARGEST_DATA} bytes", "FieldValueTooLong")


def _data_size(value: str, *, encoded: bool) -> int:
    """Bytes of a value as the API server counts them. encoded: it is base64, as in a Secret and in binaryData."""
    if not encoded:
        return len(value.encode(errors="surrogatepass"))
    return len(value) * 3 // 4 - value.count("=", -2)


def _validate_config_map(obj: Json) -> Iterator[Cause]:
    yield from _validate_data(obj, ("data", "binaryData"))
    for key in (obj.get("data") or {}).keys() & (obj.get("binaryData") or {}).keys():
        yield invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")


def _validate_immutable(old: Json, new: Json, fields: tuple[str, ...]) -> Iterator[Cause]:
    if not old.get("immutable"):
        return
    message = "field is immutable when `immutable` is set"
    for field in ("immutable", *fields):
        if old.get(field) != new.get(field):
            yield forbidden_field(field, message)


def _validate_config_map_update(old: Json, new: Json) -> Iterator[Cause]:
    return _validate_immutable(old, new, ("data", "binaryData"))


def _set_secret_defaults(obj: Json) -> None:
    plain = obj.pop("stringData", None) or {}
    for key, value in (obj.get("data") or {}).items():
        if isinstance(value, str):  # kept as bytes, written anew
            obj["data"][key] = "".join(value.split())
    if plain:
        coded = {key: base64.b64encode((value or "").encode()).decode() for key, value in plain.items()}
        obj["data"] = (obj.get("data") or {}) | coded
    obj.setdefault("type", "Opaque")


def _validate_secret(obj: Json) -> Iterator[Cause]:
    yield from _validate_data(obj, ("data",))
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
            yield invalid_value(f"data[{key}]", "<secret contents redacted>", _json_error(data[key]))


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


def _validate_secret_update(old: Json, new: Json) -> Iterator[Cause]:
    if old.get("type") != new.get("type"):
        yield invalid_value("type", new.get("type"), "field is immutable")
    yield from _validate_immutable(old, new, ("data",))


# Nodes and namespaces


_NODE_INFO: Final = (
    *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion"),
    *("machineID", "operatingSystem", "osImage", "systemUUID"),
)


def _set_node_defaults(obj: Json) -> None:
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    status.setdefault("nodeInfo", dict.fromkeys(_NODE_INFO, ""))


def _set_namespace_defaults(obj: Json) -> None:
    meta = obj["metadata"]
    if meta.get("name"):
        meta["labels"] = (meta.get("labels") or {}) | {"kubernetes.io/metadata.name": meta["name"]}
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {"phase": "Active"})


# Events


def _validate_event(obj: Json) -> Iterator[Cause]:
    namespace = (obj.get("involvedObject") or {}).get("namespace") or "default"
    if namespace != obj["metadata"]["namespace"]:
        yield invalid_value("involvedObject.namespace", namespace, "does not match event.namespace")


def _set_event_defaults(obj: Json) -> None:
    for field, value in (("source", {}), ("eventTime", None), ("reportingComponent", ""), ("reportingInstance", "")):
        obj.setdefault(field, value)
    for field in ("firstTimestamp", "lastTimestamp"):
        obj.setdefault(field, None)


# The table

_DEFAULTS: Final[Mapping[Resource, Defaulter]] = {
    SECRETS: _set_secret_defaults,
    CLAIMS: set_claim_defaults,
    PERSISTENT_VOLUMES: set_volume_defaults,
    NODES: _set_node_defaults,
    EVENTS: _set_event_defaults,
    STORAGE_CLASSES: set_storage_class_defaults,
    PODS: set_pod_defaults,
    JOBS: set_job_defaults,
    REPLICA_SETS: set_replica_set_defaults,
    DEPLOYMENTS: set_deployment_defaults,
    SERVICES: set_service_defaults,
    ENDPOINTS: set_endpoints_defaults,
    ENDPOINT_SLICES: set_slice_defaults,
    CUSTOM_RESOURCE_DEFINITIONS: set_definition_defaults,
    NAMESPACES: _set_namespace_defaults,
    ROLES: set_role_defaults,
    CLUSTER_ROLES: set_role_defaults,
    ROLE_BINDINGS: set_binding_defaults,
    CLUSTER_ROLE_BINDINGS: set_binding_defaults,
}
_VALIDATORS: Final[Mapping[Resource, Validator]] = {
    CONFIG_MAPS: _validate_config_map,
    SECRETS: _validate_secret,
    CLAIMS: validate_claim,
    STORAGE_CLASSES: validate_storage_class,
    PODS: validate_pod,
    JOBS: validate_job,
    REPLICA_SETS: validate_replica_set,
    DEPLOYMENTS: validate_deployment,
    SERVICES: validate_service,
    ENDPOINT_SLICES: validate_slice,
    CUSTOM_RESOURCE_DEFINITIONS: validate_definition,
    EVENTS: _validate_event,
    ROLES: validate_role,
    CLUSTER_ROLES: validate_role,
    ROLE_BINDINGS: validate_binding,
    CLUSTER_ROLE_BINDINGS: validate_binding,
}
_UPDATE_VALIDATORS: Final[Mapping[Resource, UpdateValidator]] = {
    CONFIG_MAPS: _validate_config_map_update,
    SECRETS: _validate_secret_update,
    CLAIMS: validate_claim_update,
    PODS: validate_pod_update,
    JOBS: validate_job_update,
    REPLICA_SETS: validate_selector_update,
    DEPLOYMENTS: validate_selector_update,
    SERVICES: validate_service_update,
    CUSTOM_RESOURCE_DEFINITIONS: validate_definition_update,
    STORAGE_CLASSES: validate_storage_class_update,
    ROLE_BINDINGS: validate_binding_update,
    CLUSTER_ROLE_BINDINGS: validate_binding_update,
}
