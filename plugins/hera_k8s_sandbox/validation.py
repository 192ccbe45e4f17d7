"""Validation: what each kind of object is completed with, and what it is refused for."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from hera_k8s_sandbox.errors import Cause, bad_request
from hera_k8s_sandbox.resources import (
    CLAIMS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    NAMESPACES,
    PODS,
    RBAC,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    Resource,
)
from hera_k8s_sandbox.selectors import labels_of

Json = dict[str, Any]
Defaulter = Callable[[Json], None]
Validator = Callable[[Json], Iterator[Cause]]
UpdateValidator = Callable[[Json, Json], Iterator[Cause]]

LARGEST_DATA: Final = 1 << 20  # bytes in a ConfigMap or Secret
TOKEN_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105  the name of a type
ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_VALUE: Final = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_DATA_KEY: Final = r"[-._a-zA-Z0-9]+"
_QUANTITY: Final = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")

_SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    f"start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_LABEL_RULE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_LABEL_VALUE_RULE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    f"validation is '{_LABEL_VALUE}')"
)
_DATA_KEY_RULE: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    f"or 'key-name', regex used for validation is '{_DATA_KEY}')"
)

# The fields of an object besides apiVersion, kind and metadata; kinds that are not here are not looked at.
FIELDS: Final[Mapping[Resource, frozenset[str]]] = {
    CONFIG_MAPS: frozenset({"data", "binaryData", "immutable"}),
    SECRETS: frozenset({"data", "stringData", "type", "immutable"}),
    CLAIMS: frozenset({"spec", "status"}),
    PODS: frozenset({"spec", "status"}),
    NAMESPACES: frozenset({"spec", "status"}),
    SERVICE_ACCOUNTS: frozenset({"secrets", "imagePullSecrets", "automountServiceAccountToken"}),
    ROLES: frozenset({"rules"}),
    CLUSTER_ROLES: frozenset({"rules", "aggregationRule"}),
    ROLE_BINDINGS: frozenset({"subjects", "roleRef"}),
    CLUSTER_ROLE_BINDINGS: frozenset({"subjects", "roleRef"}),
}


def unknown_fields(resource: Resource, obj: Json) -> list[str]:
    """The top-level fields that the kind does not have."""
    known = FIELDS.get(resource)
    if known is None:
        return []
    return [name for name in obj if name not in known and name not in ("apiVersion", "kind", "metadata")]


def check_types(resource: Resource, obj: Json) -> None:
    """Refuse what could not be decoded into the kind at all. Raises ApiError 400."""
    for field, types, told in _TYPES:
        value = obj.get(field)
        if resource in FIELDS and value is not None and field in FIELDS[resource] and not isinstance(value, types):
            raise _undecodable(resource, field, value, told)
    if resource in (CONFIG_MAPS, SECRETS):
        _check_data(resource, obj)


def complete(resource: Resource, obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    default = _DEFAULTS.get(resource)
    if default is not None:
        default(obj)


def validate(resource: Resource, obj: Json) -> list[Cause]:
    """What is wrong with a new state of an object."""
    causes = [*_metadata_causes(resource, obj["metadata"])]
    check = _VALIDATORS.get(resource)
    return causes if check is None else [*causes, *check(obj)]


def validate_update(resource: Resource, old: Json, new: Json) -> list[Cause]:
    """What is wrong with a change of an object."""
    check = _UPDATE_VALIDATORS.get(resource)
    return [*validate(resource, new), *(check(old, new) if check else ())]


def required(field: str, why: str = "") -> Cause:
    """A field is missing."""
    return Cause(field, f"Required value: {why}" if why else "Required value", "FieldValueRequired")


def wrong(field: str, value: object, why: str) -> Cause:
    """A field's value breaks a rule."""
    return Cause(field, f"Invalid value: {json.dumps(value)}: {why}")


def fixed(field: str, why: str) -> Cause:
    """A field may not be set or changed."""
    return Cause(field, f"Forbidden: {why}", "FieldValueForbidden")


# Metadata


def _metadata_causes(resource: Resource, meta: Json) -> Iterator[Cause]:
    yield from _name_causes(resource, meta.get("name", ""))
    for key, value in (meta.get("labels") or {}).items():
        if len(key.rpartition("/")[2]) > 63 or not re.fullmatch(
            r"([^/]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", key
        ):
            yield wrong("metadata.labels", key, "name part must consist of alphanumeric characters, '-', '_' or '.'")
        if len(value or "") > 63:
            yield wrong("metadata.labels", value, "must be no more than 63 bytes")
        if not re.fullmatch(_LABEL_VALUE, value or ""):
            yield wrong("metadata.labels", value, _LABEL_VALUE_RULE)


def _name_causes(resource: Resource, name: str) -> Iterator[Cause]:
    if resource.group == RBAC:
        if "/" in name or "%" in name or name in (".", ".."):
            yield wrong("metadata.name", name, "may not contain '/'")
        return
    is_label = resource is NAMESPACES
    longest = 63 if is_label else 253
    if len(name) > longest:
        yield wrong("metadata.name", name, f"must be no more than {longest} bytes")
    if not re.fullmatch(_LABEL if is_label else _SUBDOMAIN, name):
        yield wrong("metadata.name", name, _LABEL_RULE if is_label else _SUBDOMAIN_RULE)


# Types

_TYPES: Final = (
    ("data", dict, "map[string]string"),
    ("stringData", dict, "map[string]string"),
    ("binaryData", dict, "map[string][]uint8"),
    ("immutable", bool, "bool"),
    ("spec", dict, "v1.Spec"),
    ("status", dict, "v1.Status"),
    ("rules", list, "[]v1.PolicyRule"),
    ("subjects", list, "[]v1.Subject"),
    ("secrets", list, "[]v1.ObjectReference"),
    ("imagePullSecrets", list, "[]v1.LocalObjectReference"),
)
_GO_NAMES: Final = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}


def _undecodable(resource: Resource, field: str, value: object, wanted: str) -> Exception:
    found = _GO_NAMES.get(type(value), "null")
    detail = f"json: cannot unmarshal {found} into Go struct field {resource.kind}.{field} of type {wanted}"
    return cannot_be_handled(resource, detail)


def cannot_be_handled(resource: Resource, why: str) -> Exception:
    """400: the body is not of the kind that it claims to be."""
    kind, version = resource.kind, resource.version
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')


def _check_data(resource: Resource, obj: Json) -> None:
    encoded = ("binaryData",) if resource is CONFIG_MAPS else ("data",)
    for field in ("data", "stringData", "binaryData"):
        for value in (obj.get(field) or {}).values():
            if value is not None and not isinstance(value, str):
                raise _undecodable(resource, field, value, "string")
            if field in encoded:
                _check_base64(resource, value or "")


def _check_base64(resource: Resource, value: str) -> None:
    try:
        base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except binascii.Error:
        allowed = re.match(r"[A-Za-z0-9+/\r\n]*", value)
        position = allowed.end() if allowed else 0
        raise cannot_be_handled(resource, f"illegal base64 data at input byte {position}") from None


# ConfigMaps and Secrets


def _data_causes(obj: Json, fields: tuple[str, ...]) -> Iterator[Cause]:
    size = 0
    for field in fields:
        for key, value in (obj.get(field) or {}).items():
            size += len(value or "")
            if not re.fullmatch(_DATA_KEY, key) or key in (".", ".."):
                yield wrong(f"{field}[{key}]", key, _DATA_KEY_RULE)
    if size > LARGEST_DATA:
        yield Cause("", f"Too long: may not be more than {LARGEST_DATA} bytes", "FieldValueTooLong")


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
        if kind in _SECRET_KEYS and key in _SECRET_KEYS[kind] and not _is_json(data[key]):
            yield wrong(f"data[{key}]", "<secret contents redacted>", "invalid JSON")


_SECRET_KEYS: Final = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _is_json(coded: str) -> bool:
    try:
        json.loads(base64.b64decode(coded))
    except ValueError:
        return False
    return True


def _secret_update_causes(old: Json, new: Json) -> Iterator[Cause]:
    if old.get("type") != new.get("type"):
        yield wrong("type", new.get("type"), "field is immutable")
    yield from _immutable_causes(old, new, ("data",))


# Claims and storage classes


def _complete_claim(obj: Json) -> None:
    obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    obj.setdefault("status", {"phase": "Pending"})


def _claim_causes(obj: Json) -> Iterator[Cause]:
    spec = obj["spec"]
    modes = spec.get("accessModes") or []
    if not modes:
        yield required("spec.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in ACCESS_MODES:
            yield unsupported_value("spec.accessModes", mode, ACCESS_MODES)
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield required("spec.resources[storage]")
    elif not _QUANTITY.match(str(size)):
        raise cannot_be_handled(CLAIMS, f"quantities must match the regular expression '{_QUANTITY.pattern}'")


def unsupported_value(field: str, value: object, supported: tuple[str, ...]) -> Cause:
    """A field's value is not one of a closed set."""
    names = ", ".join(json.dumps(one) for one in supported)
    message = f"Unsupported value: {json.dumps(value)}: supported values: {names}"
    return Cause(field, message, "FieldValueNotSupported")


def _claim_update_causes(old: Json, new: Json) -> Iterator[Cause]:
    def kept(obj: Json) -> Json:
        return {key: value for key, value in obj["spec"].items() if key not in ("resources", "volumeName")}

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


# Pods


def _complete_pod(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("serviceAccountName", spec.get("serviceAccount") or "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    obj.setdefault("status", {"phase": "Pending"})


def _pod_causes(obj: Json) -> Iterator[Cause]:
    yield from _volume_causes(obj["spec"].get("volumes") or ())
    containers = obj["spec"].get("containers") or []
    if not containers:
        yield required("spec.containers")
    for index, container in enumerate(containers):
        where = f"spec.containers[{index}]"
        if not container.get("name"):
            yield required(f"{where}.name")
        elif not re.fullmatch(_LABEL, container["name"]):
            yield wrong(f"{where}.name", container["name"], _LABEL_RULE)
        if not container.get("image"):
            yield required(f"{where}.image")
    policies = ("Always", "Never", "OnFailure")
    if obj["spec"]["restartPolicy"] not in policies:
        yield unsupported_value("spec.restartPolicy", obj["spec"]["restartPolicy"], policies)


def _volume_causes(volumes: Iterable[Json]) -> Iterator[Cause]:
    """Volumes become directories: their names may be nothing but names."""
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        where, name = f"spec.volumes[{index}].name", volume.get("name") or ""
        if not name:
            yield required(where)
        elif len(name) > 63:
            yield wrong(where, name, "must be no more than 63 bytes")
        elif not re.fullmatch(_LABEL, name):
            yield wrong(where, name, _LABEL_RULE)
        elif name in seen:
            yield Cause(where, f"Duplicate value: {json.dumps(name)}", "FieldValueDuplicate")
        seen.add(name)


def _pod_update_causes(old: Json, new: Json) -> Iterator[Cause]:
    free = ("tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "containers", "nodeName")
    if {k: v for k, v in old["spec"].items() if k not in free} != {
        k: v for k, v in new["spec"].items() if k not in free
    }:
        told = (
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
            "previously negative)"
        )
        yield fixed("spec", told)


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
    obj.setdefault("rules", None)


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
        yield wrong("roleRef", new.get("roleRef"), "cannot change roleRef")


# The table

_DEFAULTS: Final[Mapping[Resource, Defaulter]] = {
    SECRETS: _complete_secret,
    CLAIMS: _complete_claim,
    STORAGE_CLASSES: _complete_storage_class,
    PODS: _complete_pod,
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
    PODS: _pod_causes,
    ROLES: _role_causes,
    CLUSTER_ROLES: _role_causes,
    ROLE_BINDINGS: _binding_causes,
    CLUSTER_ROLE_BINDINGS: _binding_causes,
}
_UPDATE_VALIDATORS: Final[Mapping[Resource, UpdateValidator]] = {
    CONFIG_MAPS: _config_map_update_causes,
    SECRETS: _secret_update_causes,
    CLAIMS: _claim_update_causes,
    PODS: _pod_update_causes,
    ROLE_BINDINGS: _binding_update_causes,
    CLUSTER_ROLE_BINDINGS: _binding_update_causes,
}
