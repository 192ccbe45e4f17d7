"""OpenAPI: the documents by which kubectl explains kinds, merges what is applied, and knows what the server checks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Final

from hera_k8s_sandbox.foundation.kind_registry import Kinds
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.schema.discovery import KUBERNETES_VERSION, group_versions
from hera_k8s_sandbox.schema.openapi_fields import (
    ANY,
    EITHER,
    NUMBER,
    QUANTITY,
    TEXT,
    TIME,
    TRUTH,
    WHOLE,
    Field,
    Model,
    fields_of,
    model_of,
    struct_name,
)
from hera_k8s_sandbox.schema.patches import MERGE_KEYS, SET_FIELDS
from hera_k8s_utils._types import Json

_PREFIX: Final = "io.k8s."
_SCALARS: Final[dict[str, Json]] = {
    TEXT: {"type": "string"},
    QUANTITY: {"type": "string"},
    TIME: {"type": "string", "format": "date-time"},
    WHOLE: {"type": "integer"},
    NUMBER: {"type": "number"},
    TRUTH: {"type": "boolean"},
    EITHER: {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    ANY: {"type": "object"},
}


def index(kinds: Kinds) -> Json:
    """The answer of /openapi/v3: where each group's document is."""
    places = [f"api/{version}" if not group else f"apis/{group}/{version}" for group, version in group_versions(kinds)]
    return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in places}}


def document(kinds: Kinds, group: str, version: str) -> Json:
    """One group's OpenAPI 3 document."""
    schemas: Json = {}
    for resource in kinds:
        if (resource.group, resource.version) == (group, version) and resource.verbs:
            schemas |= _schemas_of(resource)
    head = {"openapi": "3.0.0", "info": _info(), "paths": dict(_paths(kinds, group, version))}
    return head | {"components": {"schemas": schemas}}


def document_v2(kinds: Kinds) -> Json:
    """The OpenAPI 2 document: paths alone, for clients of before OpenAPI 3."""
    paths = {path: item for place in group_versions(kinds) for path, item in _paths(kinds, *place)}
    return {"swagger": "2.0", "info": _info(), "paths": paths, "definitions": {}}


def _info() -> Json:
    return {"title": "Kubernetes", "version": KUBERNETES_VERSION}


# Schemas


def _schemas_of(resource: Resource) -> Json:
    """The schemas that a kind consists of, by name; the kind's own says which it is."""
    kind = {"group": resource.group, "kind": resource.kind, "version": resource.version}
    model = model_of(resource)
    if model is None:
        reversed_group = ".".join(reversed(resource.group.split(".")))
        own = _defined(resource) | {"x-kubernetes-group-version-kind": [kind]}
        return {f"{reversed_group}.{resource.version}.{resource.kind}": own, **_schemas_below(_metadata_model())}
    schemas = dict(_schemas_below(model))
    return schemas | {_name(model): schemas[_name(model)] | {"x-kubernetes-group-version-kind": [kind]}}


def _metadata_model() -> Model:
    from kubernetes import client

    found: Model = client.V1ObjectMeta
    return found


def _defined(resource: Resource) -> Json:
    """The schema of a custom kind: its definition's, with what every object has."""
    schema = copy.deepcopy(dict(resource.schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}))
    heads = {name: {"type": "string"} for name in ("apiVersion", "kind")}
    metadata = {"allOf": [_reference(_metadata_model())], "default": {}}
    return schema | {"properties": {**(schema.get("properties") or {}), **heads, "metadata": metadata}}


@cache
def _schemas_below(model: Model) -> Json:
    """The schemas of a model and of all that it is made of."""
    found: Json = {}
    waiting = [model]
    while waiting:
        one = waiting.pop()
        if _name(one) in found:
            continue
        fields = fields_of(one)
        found[_name(one)] = _schema(one)
        waiting += [field.model for field in fields.values() if field.model is not None]
    return found


def _schema(model: Model) -> Json:
    fields = fields_of(model)
    message = (model.__doc__ or "").partition("Attributes:")[0].strip()
    schema: Json = {"type": "object", "description": " ".join(message.split())}
    required = [field.name for field in fields.values() if field.required]
    if required:
        schema["required"] = required
    return schema | {"properties": {name: _property(field) for name, field in fields.items()}}


def _property(field: Field) -> Json:
    message = {"description": field.description} if field.description else {}
    inner: Json = _reference(field.model) if field.model is not None else dict(_SCALARS[field.type])
    if field.container == "list":
        return {"type": "array", "items": inner, **message, **_merging(field)}
    if field.container == "map":
        return {"type": "object", "additionalProperties": inner, **message}
    if field.model is not None:
        return {"allOf": [inner], **message}
    return {**inner, **message}


def _merging(field: Field) -> Json:
    """How a list is merged, which `kubectl apply` must know as the server does."""
    if field.name in SET_FIELDS:
        return {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-list-type": "set"}
    key = MERGE_KEYS.get(field.name)
    if key is None or field.model is None or key not in fields_of(field.model):
        return {}
    return {
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": key,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": [key],
    }


def _reference(model: Model) -> Json:
    return {"$ref": f"#/components/schemas/{_name(model)}"}


def _name(model: Model) -> str:
    """`io.k8s.v1.PodSpec`: the last part is what kubectl shows of it."""
    return f"{_PREFIX}{model.__name__.removesuffix(struct_name(model)).lower() or 'v1'}.{struct_name(model)}"


# Paths


def _paths(kinds: Kinds, group: str, version: str) -> Iterator[tuple[str, Json]]:
    root = f"/api/{version}" if not group else f"/apis/{group}/{version}"
    for resource in kinds:
        if (resource.group, resource.version) != (group, version):
            continue
        where = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
        gvk = {"group": group, "kind": resource.kind, "version": version}
        operations = {
            verb: {
                "parameters": [{"in": "query", "name": name} for name in names],
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": verb,
                "x-kubernetes-group-version-kind": gvk,
            }
            for verb, names in _PARAMETERS.items()
        }
        yield f"{where}/{resource.plural}/{{name}}", operations


_WRITE_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")
_PARAMETERS: Final = {
    "get": (),
    "put": _WRITE_PARAMETERS,
    "patch": (*_WRITE_PARAMETERS, "force"),
    "delete": ("dryRun",),
}
