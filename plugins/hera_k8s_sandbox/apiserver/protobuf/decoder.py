"""Protobuf bodies: kubectl sends its small requests in this form and has no option for JSON.

A table names the fields of the messages that it sends, after the `generated.proto` files of Kubernetes' API; answers
are always JSON, which every client accepts.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hera_k8s_sandbox.apiserver.protobuf.fields import Field, kind, texts
from hera_k8s_sandbox.apiserver.protobuf.workloads import STRICT
from hera_k8s_utils._types import Json

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class ProtobufError(ValueError):
    """The body is broken, or of a kind that the table lacks."""


_RULES: Final = Field("rules", "PolicyRule", repeated=True)
_BINDING: Final = kind(_2=Field("subjects", "Subject", repeated=True), _3=Field("roleRef", "RoleRef"))

MESSAGES: Final[Mapping[str, Mapping[int, Field]]] = {
    "ObjectMeta": {
        **texts("name", "generateName", "namespace", "", "uid", "resourceVersion"),
        11: Field("labels", "map"),
        12: Field("annotations", "map"),
        13: Field("ownerReferences", "OwnerReference", repeated=True),
        14: Field("finalizers", repeated=True),
    },
    "OwnerReference": {
        **texts("kind", "", "name", "uid", "apiVersion"),
        6: Field("controller", "bool"),
        7: Field("blockOwnerDeletion", "bool"),
    },
    "ObjectReference": texts("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"),
    "LocalObjectReference": texts("name"),
    "DeleteOptions": {
        1: Field("gracePeriodSeconds", "int"),
        2: Field("preconditions", "Preconditions"),
        3: Field("orphanDependents", "bool"),
        4: Field("propagationPolicy"),
        5: Field("dryRun", repeated=True),
    },
    "Preconditions": texts("uid", "resourceVersion"),
    "ConfigMap": kind(_2=Field("data", "map"), _3=Field("binaryData", "bytesmap"), _4=Field("immutable", "bool")),
    "Secret": kind(
        _2=Field("data", "bytesmap"), _3=Field("type"), _4=Field("stringData", "map"), _5=Field("immutable", "bool")
    ),
    "Namespace": kind("NamespaceSpec"),
    "NamespaceSpec": {1: Field("finalizers", repeated=True)},
    "ServiceAccount": kind(
        _2=Field("secrets", "ObjectReference", repeated=True),
        _3=Field("imagePullSecrets", "LocalObjectReference", repeated=True),
        _4=Field("automountServiceAccountToken", "bool"),
    ),
    "Role": kind(_2=_RULES),
    "ClusterRole": kind(_2=_RULES, _3=Field("aggregationRule", "AggregationRule")),
    "AggregationRule": {1: Field("clusterRoleSelectors", "LabelSelector", repeated=True)},
    "LabelSelector": {
        1: Field("matchLabels", "map"),
        2: Field("matchExpressions", "LabelSelectorRequirement", repeated=True),
    },
    "LabelSelectorRequirement": {**texts("key", "operator"), 3: Field("values", repeated=True)},
    "PolicyRule": {
        number: Field(name, repeated=True)
        for number, name in enumerate(("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), 1)
    },
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "Subject": texts("kind", "apiGroup", "name", "namespace"),
    "RoleRef": texts("apiGroup", "kind", "name"),
    "SelfSubjectAccessReview": kind("AccessSpec"),
    "SubjectAccessReview": kind("AccessSpec"),
    "LocalSubjectAccessReview": kind("AccessSpec"),
    "AccessSpec": {
        1: Field("resourceAttributes", "ResourceAttributes"),
        2: Field("nonResourceAttributes", "NonResourceAttributes"),
        3: Field("user"),
        4: Field("groups", repeated=True),
        6: Field("uid"),
    },
    "ResourceAttributes": texts("namespace", "verb", "group", "version", "resource", "subresource", "name"),
    "NonResourceAttributes": texts("path", "verb"),
    "SelfSubjectRulesReview": kind("RulesSpec"),
    "RulesSpec": texts("namespace"),
    "SelfSubjectReview": kind(),
    "TokenReview": kind("TokenReviewSpec"),
    "TokenReviewSpec": {1: Field("token"), 2: Field("audiences", repeated=True)},
    "TokenRequest": kind("TokenRequestSpec"),
    "TokenRequestSpec": {
        1: Field("audiences", repeated=True),
        3: Field("boundObjectRef", "BoundObjectReference"),
        4: Field("expirationSeconds", "int"),
    },
    "BoundObjectReference": texts("kind", "apiVersion", "name", "uid"),
    **STRICT,
}
_READ: Final = frozenset({*MESSAGES} - ({*STRICT} - {"Job", "Deployment", "Service"}))


def decode(body: bytes) -> Json:
    """The object in a protobuf body. Raises ProtobufError."""
    if not body.startswith(_MAGIC):
        raise ProtobufError("the body does not begin as Kubernetes' protobuf does")
    envelope = dict(_fields(body[len(_MAGIC) :]))
    about = dict(_fields(_as_bytes(envelope.get(1, b""))))
    head = {"apiVersion": _text(about.get(1, b"")), "kind": _text(about.get(2, b""))}
    if head["kind"] not in _READ:
        raise ProtobufError(f"a {head['kind']} is only read as JSON or YAML")
    return head | _message(head["kind"], _as_bytes(envelope.get(2, b"")))


def _message(name: str, raw: bytes) -> Json:
    fields = MESSAGES[name]
    found: Json = {}
    for number, value in _fields(raw):
        field = fields.get(number)
        if field is None:
            if value and name in STRICT and name not in _READ:
                raise ProtobufError(f"field {number} of a {name} is only read as JSON or YAML")
            continue
        if field.type in ("map", "bytesmap"):
            found.setdefault(field.name, {}).update(_pair(field.type, _as_bytes(value)))
        elif field.repeated:
            found.setdefault(field.name, []).append(_value(field.type, value))
        elif value != b"" and (value != 0 or field.zero):  # an empty value was not set
            found[field.name] = _value(field.type, value)
    return found


def _value(type: str, value: int | bytes) -> Any:
    if type == "bool":
        return bool(value)
    if type == "int":
        return value
    if type == "int-or-string":
        parts = dict(_fields(_as_bytes(value)))
        return _text(parts.get(3, b"")) if parts.get(1) else parts.get(2, 0)
    return _text(value) if type == "string" else _message(type, _as_bytes(value))


def _pair(type: str, raw: bytes) -> Json:
    pair = dict(_fields(raw))
    value = _as_bytes(pair.get(2, b""))
    shown = base64.b64encode(value).decode() if type == "bytesmap" else _text(value)
    return {_text(pair.get(1, b"")): shown}


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        wire = tag & 7
        if wire == _VARINT:
            value, position = _varint(raw, position)
            yield tag >> 3, value
            continue
        if wire == _BYTES:
            size, position = _varint(raw, position)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}.get(wire, len(raw) + 1)
        if position + size > len(raw):
            raise ProtobufError("the body ends too early")
        yield tag >> 3, raw[position : position + size]
        position += size


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(raw):
        byte = raw[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise ProtobufError("the body ends too early")


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("a number stands where a message is expected")
    return value


def _text(value: int | bytes) -> str:
    return _as_bytes(value).decode("utf-8", "strict")
