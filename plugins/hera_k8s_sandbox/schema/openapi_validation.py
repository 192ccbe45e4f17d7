"""Values of the built-in kinds: fields that do not exist, and types that are not those of the kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from hera_k8s_sandbox.foundation.quantities import QUANTITIES, format_quantity
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.schema.decoding import cannot_be_handled, go_name
from hera_k8s_sandbox.schema.openapi_fields import (
    ANY,
    EITHER,
    NUMBER,
    OBJECT,
    QUANTITY,
    TEXT,
    TIME,
    TRUTH,
    WHOLE,
    Field,
    Model,
    fields_of,
    struct_name,
)
from hera_k8s_sandbox.schema.patches import MERGE_KEYS
from hera_k8s_utils._types import Json

_INT64: Final = frozenset(
    {
        *("terminationGracePeriodSeconds", "activeDeadlineSeconds", "tolerationSeconds", "expirationSeconds"),
        *("generation", "observedGeneration", "deletionGracePeriodSeconds", "runAsUser", "runAsGroup", "fsGroup"),
        *("supplementalGroups",),
    }
)
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d")
_QUANTITY_RULE: Final = f"quantities must match the regular expression '{QUANTITIES.pattern}'"
# Texts of which the API server speaks by a name of its own.
_NAMED: Final = {
    "restartPolicy": "v1.RestartPolicy",
    "dnsPolicy": "v1.DNSPolicy",
    "imagePullPolicy": "v1.PullPolicy",
    "protocol": "v1.Protocol",
    "terminationMessagePolicy": "v1.TerminationMessagePolicy",
    "completionMode": "v1.CompletionMode",
    "podReplacementPolicy": "v1.PodReplacementPolicy",
    "accessModes": "v1.PersistentVolumeAccessMode",
    "volumeMode": "v1.PersistentVolumeMode",
    "persistentVolumeReclaimPolicy": "v1.PersistentVolumeReclaimPolicy",
    "volumeBindingMode": "v1.VolumeBindingMode",
    "sessionAffinity": "v1.ServiceAffinity",
    "effect": "v1.TaintEffect",
    "scheme": "v1.URIScheme",
}


def decode(model: Model, value: Json, path: str = "") -> Iterator[str]:
    """Make of a value, in place, what the API server reads: without nulls, amounts as texts, and without what the model
    does not have, whose paths are listed in the order of the document.
    """
    fields = fields_of(model)
    for name in list(value):
        where, field = f"{path}.{name}" if path else name, fields.get(name)
        if field is None:
            del value[name]
            yield where
        elif value[name] is None:
            if field.type != TIME or path == "metadata":  # elsewhere an absent time is written as null
                del value[name]
        elif field.type == QUANTITY:
            value[name] = _amounts(value[name])
        elif field.model is not None:
            for one, place in _parts(field, value[name], where):
                if isinstance(one, dict):
                    yield from decode(field.model, one, place)


def _amounts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _amounts(one) for key, one in value.items()}
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return format_quantity(str(value)) or value if is_number else value


def _parts(field: Field, value: Any, where: str) -> Iterator[tuple[Any, str]]:
    """The values that are of the field's own type, and where they stand."""
    if field.container == "list" and isinstance(value, list):
        for index, one in enumerate(value):
            yield one, f"{where}[{index}]"
    elif field.container == "map" and isinstance(value, dict):
        for key, one in value.items():
            yield one, f"{where}.{key}"
    elif not field.container:
        yield value, where


def check_types(resource: Resource, model: Model, obj: Json) -> None:
    """Refuse what cannot be decoded into the model, in the words of Go's decoder. Raises ApiError 400."""
    for why in _mistyped(model, obj, ""):
        raise cannot_be_handled(resource, why)


def _mistyped(model: Model, value: Json, path: str) -> Iterator[str]:
    """What is wrong with each value that is of another type than its field."""
    struct, fields = struct_name(model), fields_of(model)
    for name, found in value.items():
        field = fields.get(name)
        if field is None or found is None or field.type == ANY:
            continue
        where = ".".join(part for part in (path, _inlined(struct, name), name) if part)
        whole = _go_type(field)
        container = {"list": list, "map": dict}.get(field.container)
        if container is not None and not isinstance(found, container):
            yield _unmarshalled(struct, where, found, f"[]{whole}" if container is list else f"map[string]{whole}")
            continue
        for one in found if container is list else found.values() if container is dict else (found,):
            if one is None:
                continue
            if why := _misfit(field, one):
                yield why
            elif not _fits(field, one):
                yield _unmarshalled(struct, where, one, whole)
            elif field.model is not None:
                yield from _mistyped(field.model, one, where)


def _unmarshalled(struct: str, where: str, value: Any, wanted: str) -> str:
    shown = go_name(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and wanted.startswith("int"):
        shown = f"number {json.dumps(value)}"
    return f"json: cannot unmarshal {shown} into Go struct field {struct}.{where} of type {wanted}"


def _inlined(struct: str, name: str) -> str:
    """The structure that a field stands in, where the API server keeps one in another: JSON does not show it."""
    if struct == "Volume":
        return "" if name == "name" else "VolumeSource"
    return "ProbeHandler" if struct == "Probe" and name in _HANDLERS else ""


def _go_type(field: Field) -> str:
    if field.model is not None:
        return f"v1.{struct_name(field.model)}"
    if field.type in (WHOLE, EITHER):
        return "int64" if field.name in _INT64 else "int32"
    if field.type == TEXT:
        return _NAMED.get(field.name, "string")
    return {TRUTH: "bool", NUMBER: "float64"}.get(field.type, "string")


def _misfit(field: Field, value: Any) -> str:
    """What is wrong with a value that the API server reads by other rules than JSON's; empty when nothing is."""
    if field.type == QUANTITY and not isinstance(value, (int, float)):
        return "" if isinstance(value, str) and QUANTITIES.match(value) else _QUANTITY_RULE
    if field.type == TIME and isinstance(value, str) and not _TIME.match(value):
        shown = json.dumps(value)
        return f'parsing time {shown} as "2006-01-02T15:04:05Z07:00": cannot parse {shown} as "2006"'
    return ""


def _fits(field: Field, value: Any) -> bool:
    if field.type == OBJECT:
        return isinstance(value, dict)
    if field.type in (TEXT, TIME):
        return isinstance(value, str)
    if field.type == TRUTH:
        return isinstance(value, bool)
    if field.type == NUMBER:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    bits = 63 if field.name in _INT64 else 31
    whole = isinstance(value, int) and not isinstance(value, bool) and -(1 << bits) <= value < 1 << bits
    if field.type == WHOLE:
        return whole or (isinstance(value, float) and value.is_integer())
    if field.type == EITHER:
        return whole or isinstance(value, str)
    return True


# Server-side apply


def undeclared(model: Model, value: Json, path: str = "") -> Iterator[str]:
    """What is wrong with an applied declaration, by the kind's schema: a field that is none, or of another type."""
    fields = fields_of(model)
    for name, found in value.items():
        where, field = f"{path}.{name}", fields.get(name)
        if field is None:
            yield f"{where}: field not declared in schema"
        elif found is not None:
            yield from _undeclared(field, found, where)


def _undeclared(field: Field, value: Any, where: str) -> Iterator[str]:
    if field.container == "list" and not isinstance(value, list):
        yield f"{where}: expected list, got {_shown(value)}"
    elif field.container == "map" and not isinstance(value, dict):
        yield f"{where}: expected map, got {_shown(value)}"
    elif field.container == "list":
        for index, one in enumerate(value):
            yield from _undeclared_one(field, one, f"{where}[{_key(field, one, index)}]")
    elif field.container == "map":
        for key, one in value.items():
            yield from _undeclared_one(field, one, f"{where}.{key}")
    else:
        yield from _undeclared_one(field, value, where)


def _undeclared_one(field: Field, value: Any, where: str) -> Iterator[str]:
    if field.model is not None and isinstance(value, dict):
        yield from undeclared(field.model, value, where)
    elif field.type == OBJECT and not isinstance(value, dict):
        yield f"{where}: expected map, got {_shown(value)}"
    elif field.type in (TEXT, TIME) and not isinstance(value, str):
        yield f"{where}: expected string, got &value.valueUnstructured{{Value:{json.dumps(value)}}}"
    elif field.type == TRUTH and not isinstance(value, bool):
        yield f"{where}: expected boolean, got {_shown(value)}"
    elif field.type in (WHOLE, NUMBER) and (isinstance(value, bool) or not isinstance(value, (int, float))):
        yield f"{where}: expected numeric (int or float), got {go_name(value)}"


def _shown(value: Any) -> str:
    return f"&{{{value if isinstance(value, str) else 'map[]' if value == {} else json.dumps(value)}}}"


def _key(field: Field, value: Any, index: int) -> str:
    """How an item of a list is named: by its key where the list has one."""
    key = MERGE_KEYS.get(field.name)
    if key is None or not isinstance(value, dict) or key not in value:
        return str(index)
    shown = f"{key}={json.dumps(value[key])}"
    return f'{shown},protocol="{value.get("protocol", "TCP")}"' if field.name == "ports" else shown
