"""Decoding errors of objects that are not of their kind, with the texts of Go's JSON decoder."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from hera_k8s_sandbox.foundation.errors import bad_request
from hera_k8s_sandbox.foundation.resource_types import (
    CLAIMS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    JOBS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from hera_k8s_utils._types import Json

# The fields of an object besides apiVersion, kind and metadata; kinds that are not listed are not checked.
FIELDS: Final[Mapping[Resource, frozenset[str]]] = {
    CONFIG_MAPS: frozenset({"data", "binaryData", "immutable"}),
    SECRETS: frozenset({"data", "stringData", "type", "immutable"}),
    CLAIMS: frozenset({"spec", "status"}),
    PODS: frozenset({"spec", "status"}),
    JOBS: frozenset({"spec", "status"}),
    REPLICA_SETS: frozenset({"spec", "status"}),
    DEPLOYMENTS: frozenset({"spec", "status"}),
    SERVICES: frozenset({"spec", "status"}),
    ENDPOINTS: frozenset({"subsets"}),
    ENDPOINT_SLICES: frozenset({"addressType", "endpoints", "ports"}),
    NAMESPACES: frozenset({"spec", "status"}),
    SERVICE_ACCOUNTS: frozenset({"secrets", "imagePullSecrets", "automountServiceAccountToken"}),
    ROLES: frozenset({"rules"}),
    CLUSTER_ROLES: frozenset({"rules", "aggregationRule"}),
    ROLE_BINDINGS: frozenset({"subjects", "roleRef"}),
    CLUSTER_ROLE_BINDINGS: frozenset({"subjects", "roleRef"}),
}
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
_METADATA_TYPES: Final[tuple[tuple[str, type, str], ...]] = (
    ("name", str, "string"),
    ("generateName", str, "string"),
    ("labels", dict, "map[string]string"),
    ("annotations", dict, "map[string]string"),
    ("finalizers", list, "[]string"),
    ("ownerReferences", list, "[]v1.OwnerReference"),
)
_GO_NAMES: Final = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}


def check_types(resource: Resource, obj: Json) -> None:
    """Refuse what could not be decoded into the kind at all. Raises ApiError 400."""
    for field, types, message in _TYPES:
        value = obj.get(field)
        if resource in FIELDS and value is not None and field in FIELDS[resource] and not isinstance(value, types):
            raise _undecodable(resource, field, value, message)
    if resource in (CONFIG_MAPS, SECRETS):
        _check_data(resource, obj)


def check_metadata_types(resource: Resource, meta: Json) -> None:
    """Refuse metadata that could not be decoded. Raises ApiError 400."""
    prefix = "" if resource.custom else "metadata."
    for field, types, message in _METADATA_TYPES:
        value = meta.get(field)
        where = f"ObjectMeta.{prefix}{field}"
        if value is None:
            continue
        if not isinstance(value, types):
            raise _unmarshalled(resource, value, where, message)
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for part in parts:
            wanted: type = dict if field == "ownerReferences" else str
            if part is not None and not isinstance(part, wanted):
                kind = "v1.OwnerReference" if wanted is dict else "string"
                raise _unmarshalled(resource, part, where, kind)


def go_name(value: object) -> str:
    """What Go's JSON calls a value's type."""
    return _GO_NAMES.get(type(value), "null")


def _unmarshalled(resource: Resource, value: object, where: str, wanted: str) -> Exception:
    why = f"json: cannot unmarshal {go_name(value)} into Go struct field {where} of type {wanted}"
    return cannot_be_handled(resource, why)


def _undecodable(resource: Resource, field: str, value: object, wanted: str) -> Exception:
    detail = f"json: cannot unmarshal {go_name(value)} into Go struct field {resource.kind}.{field} of type {wanted}"
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
        if position == len(value):  # it breaks off: Go names the start of the last group of four
            position -= position % 4
        raise cannot_be_handled(resource, f"illegal base64 data at input byte {position}") from None
