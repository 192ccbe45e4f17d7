"""Structural schemas: what of a custom object is kept, what is filled in, and what it is refused for."""

from __future__ import annotations

import base64
import binascii
import contextlib
import copy
import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.patterns import PatternError, compile_pattern
from hera_k8s_utils._types import Json

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"
EMBEDDED: Final = "x-kubernetes-embedded-resource"
LIST_TYPE: Final = "x-kubernetes-list-type"
LIST_KEYS: Final = "x-kubernetes-list-map-keys"
_HEAD: Final = ("apiVersion", "kind", "metadata")
_METADATA: Final = frozenset(
    {
        *("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation"),
        *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations"),
        *("ownerReferences", "finalizers", "managedFields", "clusterName"),
    }
)
_INT32: Final = 1 << 31
_NIL: Final = "<nil>"  # what the validator names when it names no field


# Keeping


def prune(schema: Json, value: Any, path: str = "", *, root: bool = True) -> list[str]:
    """Drop, in place, the fields that a schema does not have; returns their paths."""
    if isinstance(value, list):
        items = schema.get("items")
        found = [prune(items, one, f"{path}[{index}]", root=False) for index, one in enumerate(value)] if items else []
        return [name for names in found for name in names]
    if not isinstance(value, dict):
        return []
    headed = root or bool(schema.get(EMBEDDED))
    dropped: list[str] = []
    if headed and isinstance(value.get("metadata"), dict):
        dropped += _prune_metadata(value["metadata"], f"{path}.metadata" if path else "metadata")
    for name in sorted(value):
        if headed and name in _HEAD:
            continue
        inner, where = _schema_of(schema, name), f"{path}.{name}" if path else name
        if inner is not None:
            dropped += prune(inner, value[name], where, root=False)
        elif not schema.get(PRESERVE) and schema.get("additionalProperties") is not True:
            del value[name]
            dropped.append(where)
    return dropped


def _prune_metadata(meta: Json, path: str) -> list[str]:
    unknown = sorted(meta.keys() - _METADATA)
    for name in unknown:
        del meta[name]
    return [f"{path}.{name}" for name in unknown]


def _schema_of(schema: Json, name: str) -> Json | None:
    """The schema of a field; None when it has none of its own."""
    found = (schema.get("properties") or {}).get(name)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else None


# Filling in


def set_schema_defaults(schema: Json, value: Any) -> None:
    """Write, in place, the defaults of a schema; a null that may not be is the same as nothing."""
    if isinstance(value, list):
        for one in value if schema.get("items") else ():
            set_schema_defaults(schema["items"], one)
        return
    if not isinstance(value, dict):
        return
    for name, inner in (schema.get("properties") or {}).items():
        if value.get(name, _ABSENT) is None and not inner.get("nullable"):
            del value[name]
        if name not in value and "default" in inner:
            value[name] = copy.deepcopy(inner["default"])
    for name, one in value.items():
        inner = _schema_of(schema, name)
        if inner is not None:
            set_schema_defaults(inner, one)


_ABSENT: Final = object()


# Refusing


def validate_schema(schema: Json, value: Any, path: str = "") -> Iterator[Cause]:
    """What is wrong with a value, in the words of the API server; path: where it stands."""
    if value is None and schema.get("nullable"):
        return
    wrong_type = _type_cause(schema, value, path)
    if wrong_type is not None:
        yield wrong_type
        if schema.get("type") == "integer" and isinstance(value, float):
            message = f"Checked value must be of type integer (default format) in {path}"
            yield Cause(_NIL, f'Invalid value: "": {message}')
        return
    yield from _validate_enum(schema, value, path)
    if isinstance(value, dict):
        yield from _validate_object(schema, value, path)
    elif isinstance(value, list):
        yield from _validate_list(schema, value, path)
    elif isinstance(value, str):
        yield from _validate_text(schema, value, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _validate_number(schema, value, path)
    yield from _validate_combined(schema, value, path)


def _type_cause(schema: Json, value: Any, path: str) -> Cause | None:
    wanted = ["integer", "string"] if schema.get(INT_OR_STRING) else [schema["type"]] if schema.get("type") else []
    found = type_name(value)
    whole = isinstance(value, float) and value == math.floor(value)
    if not wanted or found in wanted or (found == "integer" and "number" in wanted) or (whole and "integer" in wanted):
        return None
    message = f"{path} in body must be of type {','.join(wanted)}: {json.dumps(found)}"
    return Cause(path, f"Invalid value: {json.dumps(found)}: {message}", "FieldValueTypeInvalid")


def type_name(value: Any) -> str:
    """What a schema calls the type of a JSON value."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _invalid(path: str, shown: Any, rule: str) -> Cause:
    text = json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    return Cause(path, f"Invalid value: {text}: {path} in body {rule}")


def _too_many(path: str, count: int, most: int) -> Cause:
    return Cause(path, f"Too many: {count}: must have at most {most} items", "FieldValueTooMany")


def _validate_enum(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    if schema.get("enum") and value not in schema["enum"]:
        supported = ", ".join(json.dumps(one if isinstance(one, str) else json.dumps(one)) for one in schema["enum"])
        message = f"Unsupported value: {json.dumps(value)}: supported values: {supported}"
        yield Cause(path, message, "FieldValueNotSupported")


def _validate_object(schema: Json, value: Json, path: str) -> Iterator[Cause]:
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if least is not None and len(value) < least:
        yield _invalid(path, len(value), f"should have at least {least} properties")
    if most is not None and len(value) > most:
        yield _too_many(path, len(value), most)
    required = [*(schema.get("required") or ()), *(_HEAD[:2] if schema.get(EMBEDDED) else ())]
    for name in required:
        if name not in value:
            yield Cause(f"{path}.{name}" if path else name, "Required value", "FieldValueRequired")
    for name, one in value.items():
        inner = _schema_of(schema, name)
        if inner is not None and not (not path and name in _HEAD):
            yield from validate_schema(inner, one, f"{path}.{name}" if path else name)


def _validate_list(schema: Json, value: list[Any], path: str) -> Iterator[Cause]:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and len(value) < least:
        yield _invalid(path, len(value), f"should have at least {least} items")
    if most is not None and len(value) > most:
        yield _too_many(path, len(value), most)
    for index, one in enumerate(value):
        if isinstance(schema.get("items"), dict):
            yield from validate_schema(schema["items"], one, f"{path}[{index}]")
    keys = schema.get(LIST_KEYS) or ()
    seen: list[Any] = []
    for index, one in enumerate(value) if schema.get(LIST_TYPE) in ("set", "map") else ():
        key = {name: one.get(name) for name in keys} if schema[LIST_TYPE] == "map" and isinstance(one, dict) else one
        if key in seen and key != dict.fromkeys(keys):
            shown = json.dumps(key, separators=(",", ":"))
            yield Cause(f"{path}[{index}]", f"Duplicate value: {shown}", "FieldValueDuplicate")
        seen.append(key)


def _validate_text(schema: Json, value: str, path: str) -> Iterator[Cause]:
    least, most, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    if most is not None and len(value) > most:
        yield Cause(path, f"Too long: may not be more than {most} bytes", "FieldValueTooLong")
    if least is not None and len(value) < least:
        yield _invalid(path, value, f"should be at least {least} chars long")
    if pattern is not None and not _matches(pattern, value):
        yield _invalid(path, value, f"should match '{pattern}'")
    check = _FORMATS.get(schema.get("format", ""))
    if check is not None and not check(value):
        message = f"{path} in body must be of type {schema['format']}: {json.dumps(value)}"
        yield Cause(path, f"Invalid value: {json.dumps(value)}: {message}", "FieldValueTypeInvalid")


def _matches(pattern: str, value: str) -> bool:
    """Whether a text matches; a pattern that only Go understands, or matches in time, matches everything."""
    with contextlib.suppress(PatternError, re.error):
        return compile_pattern(pattern, value).search(value) is not None
    return True


def _validate_number(schema: Json, value: float, path: str) -> Iterator[Cause]:
    least, most, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _invalid(path, value, f"should be {than} {least}")
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _invalid(path, value, f"should be {than} {most}")
    if step and value % step:
        yield _invalid(path, value, f"should be a multiple of {step}")
    if schema.get("format") == "int32" and not -_INT32 <= value < _INT32:
        message = f"Checked value must be of type {schema.get('type')} with format int32 in {path}"
        yield Cause(_NIL, f'Invalid value: "": {message}')


def _validate_combined(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    """allOf, anyOf, oneOf, not."""
    shown = json.dumps(path)
    tried = [list(validate_schema(one, value, path)) for one in schema.get("allOf") or ()]
    if any(tried):
        yield from (cause for causes in tried for cause in causes)
        none = ". None validated" if all(tried) else ""
        yield Cause(_NIL, f'Invalid value: "": {shown} must validate all the schemas (allOf){none}')
    tried = [list(validate_schema(one, value, path)) for one in schema.get("anyOf") or ()]
    if tried and all(tried):
        yield Cause(_NIL, f'Invalid value: "": {shown} must validate at least one schema (anyOf)')
        yield from min(tried, key=len)
    tried = [list(validate_schema(one, value, path)) for one in schema.get("oneOf") or ()]
    valid = sum(not causes for causes in tried)
    if tried and valid != 1:
        what = "Found none valid" if not valid else f"Found {valid} valid alternatives"
        yield Cause(_NIL, f'Invalid value: "": {shown} must validate one and only one schema (oneOf). {what}')
        yield from (() if valid else min(tried, key=len))
    if schema.get("not") and not list(validate_schema(schema["not"], value, path)):
        yield Cause(_NIL, f'Invalid value: "": {shown} must not validate the schema (not)')


def _read_by(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _like(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


def _read_url(text: str) -> None:
    if not urlsplit(text).path and not urlsplit(text).netloc:
        raise ValueError(text)


_UUID: Final = r"[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}"
# Formats that are not listed are not checked.
_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date-time": lambda text: "T" in text.upper() and _read_by(_read_time)(text),
    "date": _read_by(date.fromisoformat),
    "byte": _read_by(lambda text: base64.b64decode(text, validate=True)),
    "duration": _like(r"([0-9.]+ ?([a-z]+|µs|μs))+"),
    "ipv4": _read_by(ipaddress.IPv4Address),
    "ipv6": _read_by(ipaddress.IPv6Address),
    "cidr": _read_by(lambda text: ipaddress.ip_interface(text) if "/" in text else ipaddress.ip_network("")),
    "uuid": _like(_UUID),
    "hostname": _like(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?"),
    "email": _like(r"[^@\s]+@[^@\s]+"),
    "uri": _read_by(_read_url),
    "mac": _like(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"),
}


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text.upper().replace("Z", "+00:00")))
