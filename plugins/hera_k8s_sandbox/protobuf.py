"""Protobuf bodies: kubectl writes its small requests so, and cannot be told to write JSON.

A table names the fields of the messages that it sends, after the `generated.proto` files of Kubernetes' API; answers
are always JSON, which every client accepts.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class ProtobufError(ValueError):
    """The body is broken, or of a kind that the table lacks."""


@dataclass(frozen=True)
class Field:
    """One field of a message; type: string, bytes, int, bool, map, bytesmap, or another message's name."""

    name: str
    type: str = "string"
    repeated: bool = False


def _texts(*names: str) -> dict[int, Field]:
    return {number: Field(name) for number, name in enumerate(names, 1) if name}


def _kind(spec: str | None = None, **more: Field) -> dict[int, Field]:
    fields = {1: Field("metadata", "ObjectMeta")}
    if spec:
        fields[2] = Field("spec", spec)
    return fields | {int(number[1:]): field for number, field in more.items()}


_RULES: Final = Field("rules", "PolicyRule", repeated=True)
_BINDING: Final = _kind(_2=Field("subjects", "Subject", repeated=True), _3=Field("roleRef", "RoleRef"))

MESSAGES: Final[Mapping[str, Mapping[int, Field]]] = {
    "ObjectMeta": {
        **_texts("name", "generateName", "namespace", "", "uid", "resourceVersion"),
        11: Field("labels", "map"),
        12: Field("annotations", "map"),
        13: Field("ownerReferences", "OwnerReference", repeated=True),
        14: Field("finalizers", repeated=True),
    },
    "OwnerReference": {
        **_texts("kind", "", "name", "uid", "apiVersion"),
        6: Field("controller", "bool"),
        7: Field("blockOwnerDeletion", "bool"),
    },
    "ObjectReference": _texts("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"),
    "LocalObjectReference": _texts("name"),
    "DeleteOptions": {
        1: Field("gracePeriodSeconds", "int"),
        2: Field("preconditions", "Preconditions"),
        3: Field("orphanDependents", "bool"),
        4: Field("propagationPolicy"),
        5: Field("dryRun", repeated=True),
    },
    "Preconditions": _texts("uid", "resourceVersion"),
    "ConfigMap": _kind(_2=Field("data", "map"), _3=Field("binaryData", "bytesmap"), _4=Field("immutable", "bool")),
    "Secret": _kind(
        _2=Field("data", "bytesmap"), _3=Field("type"), _4=Field("stringData", "map"), _5=Field("immutable", "bool")
    ),
    "Namespace": _kind("NamespaceSpec"),
    "NamespaceSpec": {1: Field("finalizers", repeated=True)},
    "ServiceAccount": _kind(
        _2=Field("secrets", "ObjectReference", repeated=True),
        _3=Field("imagePullSecrets", "LocalObjectReference", repeated=True),
        _4=Field("automountServiceAccountToken", "bool"),
    ),
    "Role": _kind(_2=_RULES),
    "ClusterRole": _kind(_2=_RULES, _3=Field("aggregationRule", "AggregationRule")),
    "AggregationRule": {1: Field("clusterRoleSelectors", "LabelSelector", repeated=True)},
    "LabelSelector": {
        1: Field("matchLabels", "map"),
        2: Field("matchExpressions", "LabelSelectorRequirement", repeated=True),
    },
    "LabelSelectorRequirement": {**_texts("key", "operator"), 3: Field("values", repeated=True)},
    "PolicyRule": {
        number: Field(name, repeated=True)
        for number, name in enumerate(("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), 1)
    },
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "Subject": _texts("kind", "apiGroup", "name", "namespace"),
    "RoleRef": _texts("apiGroup", "kind", "name"),
    "SelfSubjectAccessReview": _kind("AccessSpec"),
    "SubjectAccessReview": _kind("AccessSpec"),
    "LocalSubjectAccessReview": _kind("AccessSpec"),
    "AccessSpec": {
        1: Field("resourceAttributes", "ResourceAttributes"),
        2: Field("nonResourceAttributes", "NonResourceAttributes"),
        3: Field("user"),
        4: Field("groups", repeated=True),
        6: Field("uid"),
    },
    "ResourceAttributes": _texts("namespace", "verb", "group", "version", "resource", "subresource", "name"),
    "NonResourceAttributes": _texts("path", "verb"),
    "SelfSubjectRulesReview": _kind("RulesSpec"),
    "RulesSpec": _texts("namespace"),
    "SelfSubjectReview": _kind(),
    "TokenReview": _kind("TokenReviewSpec"),
    "TokenReviewSpec": {1: Field("token"), 2: Field("audiences", repeated=True)},
    "TokenRequest": _kind("TokenRequestSpec"),
    "TokenRequestSpec": {
        1: Field("audiences", repeated=True),
        3: Field("boundObjectRef", "BoundObjectReference"),
        4: Field("expirationSeconds", "int"),
    },
    "BoundObjectReference": _texts("kind", "apiVersion", "name", "uid"),
}


def decode(body: bytes) -> Json:
    """The object in a protobuf body. Raises ProtobufError."""
    if not body.startswith(_MAGIC):
        raise ProtobufError("the body does not begin as Kubernetes' protobuf does")
    envelope = dict(_fields(body[len(_MAGIC) :]))
    about = dict(_fields(_as_bytes(envelope.get(1, b""))))
    head = {"apiVersion": _text(about.get(1, b"")), "kind": _text(about.get(2, b""))}
    if head["kind"] not in MESSAGES:
        raise ProtobufError(f"a {head['kind']} is only read as JSON or YAML")
    return head | _message(head["kind"], _as_bytes(envelope.get(2, b"")))


def _message(name: str, raw: bytes) -> Json:
    fields = MESSAGES[name]
    found: Json = {}
    for number, value in _fields(raw):
        field = fields.get(number)
        if field is None:
            continue
        if field.type in ("map", "bytesmap"):
            found.setdefault(field.name, {}).update(_pair(field.type, _as_bytes(value)))
        elif field.repeated:
            found.setdefault(field.name, []).append(_value(field.type, value))
        elif value != b"":  # what is empty was not said
            found[field.name] = _value(field.type, value)
    return found


def _value(type: str, value: int | bytes) -> Any:
    if type == "bool":
        return bool(value)
    if type == "int":
        return value
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
