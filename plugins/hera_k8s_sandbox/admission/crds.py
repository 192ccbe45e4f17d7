"""Definitions of custom kinds: what they are completed with, and what they are refused for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import forbidden_field, invalid_value, required, unsupported_value
from hera_k8s_sandbox.schema.structural_schema import (
    EMBEDDED,
    INT_OR_STRING,
    LIST_KEYS,
    LIST_TYPE,
    PRESERVE,
    validate_schema,
)
from hera_k8s_utils._types import Json

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"  # finalizer while objects of the kind are removed
_APPROVED: Final = "api-approved.kubernetes.io"
_LABEL: Final = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_LABEL_RULE: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    f"and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{_LABEL}')"
)
_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_COMBINED: Final = ("allOf", "anyOf", "oneOf")
_SHAPING: Final = ("type", "default", "additionalProperties", "nullable", "title", "description", PRESERVE, EMBEDDED)
_VERSION_PARTS: Final = (
    *("Name", "Served", "Storage", "Deprecated", "DeprecationWarning", "Schema", "Subresources"),
    *("AdditionalPrinterColumns", "SelectableFields"),
)


def set_definition_defaults(obj: Json) -> None:
    """Fill in, in place, what the API server fills in."""
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if names.get("kind"):
        names["singular"] = names.get("singular") or names["kind"].lower()
        names["listKind"] = names.get("listKind") or f"{names['kind']}List"
    if not (spec.get("conversion") or {}).get("strategy"):
        spec["conversion"] = {"strategy": "None"}
    if not spec.get("preserveUnknownFields"):
        spec.pop("preserveUnknownFields", None)
    for version in spec.get("versions") or ():
        version.setdefault("served", False)
        version.setdefault("storage", False)
    stored = [version["name"] for version in spec.get("versions") or () if version.get("storage")][:1]
    begun: Json = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}
    obj.setdefault("status", begun)


def validate_new_definition(obj: Json) -> Iterator[Cause]:
    """What is wrong with a definition that is to be made, besides what is wrong with any."""
    spec, name = obj["spec"], obj["metadata"]["name"]
    if name != f"{spec['names'].get('plural', '')}.{spec.get('group') or ''}":
        yield invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')


def validate_definition(obj: Json) -> Iterator[Cause]:
    """What is wrong with a definition."""
    spec = obj["spec"]
    names, versions, group = spec["names"], spec.get("versions"), spec.get("group") or ""
    yield from _validate_approval(obj, group)
    if not group:
        yield required("spec.group")
    elif "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")
    if not spec.get("scope"):
        yield required("spec.scope")
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        yield unsupported_value("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
    yield from _validate_versions(versions)
    yield from _validate_names(names)
    yield from _validate_content(versions or [])
    yield from _validate_conversion(spec["conversion"])
    if spec.get("preserveUnknownFields"):
        message = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        yield invalid_value("spec.preserveUnknownFields", True, message)
    yield from _validate_stored(obj, versions or [])


def validate_definition_update(old: Json, new: Json) -> Iterator[Cause]:
    """What is wrong with a change of a definition."""
    before, after = old["spec"], new["spec"]
    for field in ("group", "scope"):
        if before.get(field) != after.get(field):
            yield invalid_value(f"spec.{field}", after.get(field), "field is immutable")
    for field in ("plural", "kind"):
        if before["names"].get(field) != after["names"].get(field) and _is_established(old):
            yield invalid_value(f"spec.names.{field}", after["names"].get(field), "field is immutable")


def _is_established(obj: Json) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _validate_approval(obj: Json, group: str) -> Iterator[Cause]:
    annotations = obj["metadata"].get("annotations") or {}
    if re.search(r"(^|\.)(k8s\.io|kubernetes\.io)$", group) and not annotations.get(_APPROVED):
        see = "see https://github.com/kubernetes/enhancements/pull/1111"
        message = f'protected groups must have approval annotation "{_APPROVED}", {see}'
        yield required(f"metadata.annotations[{_APPROVED}]", message)


def _validate_versions(versions: list[Json] | None) -> Iterator[Cause]:
    shown = None if versions is None else [_internal(one) for one in versions]
    names = [one.get("name") or "" for one in versions or ()]
    for index, name in enumerate(names):
        if not re.fullmatch(_LABEL, name) or len(name) > 63:
            yield invalid_value(f"spec.versions[{index}].name", name, _LABEL_RULE)
            if name and not index:
                yield invalid_value("spec.version", name, _LABEL_RULE)
    if len(set(names)) < len(names):
        yield invalid_value("spec.versions", shown, "must contain unique version names")
    if sum(bool(one.get("storage")) for one in versions or ()) != 1:
        yield invalid_value("spec.versions", shown, "must have exactly one version marked as storage version")


def _validate_content(versions: list[Json]) -> Iterator[Cause]:
    """What is wrong with the schemas, columns and subresources of versions."""
    alike = len({str(one.get("schema")) for one in versions}) == 1
    for index, one in enumerate(versions):
        where = f"spec.versions[{index}]"
        above = "spec" if len(versions) == 1 else where  # what all versions have in common is checked once
        yield from _validate_column(one.get("additionalPrinterColumns") or (), f"{above}.additionalPrinterColumns")
        yield from _validate_scale((one.get("subresources") or {}).get("scale"), f"{above}.subresources.scale")
        schema = (one.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield required(f"{where}.schema.openAPIV3Schema")
        elif not alike:
            yield from _validate_root(schema, f"{where}.schema.openAPIV3Schema")
        elif not index:
            yield from _validate_root(schema, "spec.validation.openAPIV3Schema")


def _internal(version: Json) -> Json:
    """A version as messages show it: what all have in common was taken out."""
    given = {name[0].upper() + name[1:]: value for name, value in version.items()}
    shown = {name: given.get(name) for name in _VERSION_PARTS}
    shown |= {"Name": given.get("Name") or "", "Deprecated": bool(given.get("Deprecated"))}
    return shown | dict.fromkeys(("Schema", "Subresources", "AdditionalPrinterColumns"))


def _validate_column(columns: Any, where: str) -> Iterator[Cause]:
    for index, column in enumerate(columns):
        if not column.get("name"):
            yield required(f"{where}[{index}].name")
        if not column.get("type"):
            yield required(f"{where}[{index}].type", f"must be one of {','.join(_COLUMN_TYPES)}")
        elif column["type"] not in _COLUMN_TYPES:
            yield invalid_value(f"{where}[{index}].type", column["type"], f"must be one of {','.join(_COLUMN_TYPES)}")
        if not column.get("jsonPath"):
            yield required(f"{where}[{index}].JSONPath")


def _validate_scale(scale: Json | None, where: str) -> Iterator[Cause]:
    if scale is None:
        return
    for field, top in (("specReplicasPath", "spec"), ("statusReplicasPath", "status"), ("labelSelectorPath", "")):
        path = scale.get(field)
        if not path and not top:
            continue
        if not path:
            yield required(f"{where}.{field}")
        elif not path.startswith("."):
            yield invalid_value(f"{where}.{field}", path, "must be a simple json path starting with .")
        elif top and not path.startswith(f".{top}."):
            yield invalid_value(f"{where}.{field}", path, f"should be a json path under .{top}")


def _validate_names(names: Json) -> Iterator[Cause]:
    for field in ("plural", "singular", "kind", "listKind"):
        value = names.get(field) or ""
        if not value:
            yield required(f"spec.names.{field}")
        elif not re.fullmatch(_LABEL, value.lower() if field in ("kind", "listKind") else value):
            mixed = "may have mixed case, but should otherwise match: " if field in ("kind", "listKind") else ""
            yield invalid_value(f"spec.names.{field}", value, f"{mixed}{_LABEL_RULE}")
    for field in ("shortNames", "categories"):
        for index, value in enumerate(names.get(field) or ()):
            if not re.fullmatch(_LABEL, value):
                yield invalid_value(f"spec.names.{field}[{index}]", value, _LABEL_RULE)
    if names.get("kind") and names["kind"] == names.get("listKind"):
        yield invalid_value("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def _validate_conversion(conversion: Json) -> Iterator[Cause]:
    strategy = conversion["strategy"]
    if strategy not in ("None", "Webhook"):
        yield unsupported_value("spec.conversion.strategy", strategy, ("None", "Webhook"))
    webhook = conversion.get("webhook") or {}
    if strategy == "Webhook" and not webhook.get("clientConfig"):
        yield required("spec.conversion.webhookClientConfig", "required when strategy is set to Webhook")
    if strategy == "Webhook" and not webhook.get("conversionReviewVersions"):
        yield required("spec.conversion.conversionReviewVersions")


def _validate_stored(obj: Json, versions: list[Json]) -> Iterator[Cause]:
    """What is wrong with the versions that objects have been stored in."""
    stored = (obj.get("status") or {}).get("storedVersions") or []
    marked = [one.get("name") for one in versions if one.get("storage")]
    if not stored:
        yield invalid_value("status.storedVersions", None, "must have at least one stored version")
    elif marked and marked[-1] not in stored:
        yield invalid_value("status.storedVersions", stored, f"must have the storage version {marked[-1]}")
    names = [one.get("name") for one in versions]
    for index, name in enumerate(stored):
        if name not in names:
            message = "missing from spec.versions; " + _STORED_RULE.format(name=name)
            yield invalid_value(f"status.storedVersions[{index}]", name, message)


_STORED_RULE: Final = (
    "{name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no "
    "data remains persisted in {name} and removes {name} from status.storedVersions"
)


# Schemas


def _validate_root(schema: Json, where: str) -> Iterator[Cause]:
    kind = schema.get("type")
    if not kind:
        yield required(f"{where}.type", "must not be empty at the root")
        return
    if kind != "object":
        yield invalid_value(f"{where}.type", kind, "must be object at the root")
        return
    metadata = (schema.get("properties") or {}).get("metadata") or {}
    if (metadata.get("properties") or {}).keys() - {"name", "generateName"}:
        message = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden_field(f"{where}.properties[metadata]", message)
    yield from _validate_structure(schema, where)


def _validate_structure(schema: Json, where: str) -> Iterator[Cause]:
    """Check that a schema gives the type of each field."""
    kind = schema.get("type")
    if "$ref" in schema:
        yield forbidden_field(f"{where}.$ref", "$ref is not supported")
        return
    yield from _validate_combination(schema, where)
    if not kind and not schema.get(INT_OR_STRING) and not schema.get(PRESERVE):
        yield required(f"{where}.type", "must not be empty for specified object fields")
    elif kind and kind not in _TYPES:
        yield unsupported_value(f"{where}.type", kind, _TYPES)
    if schema.get(EMBEDDED) and not schema.get("properties") and not schema.get(PRESERVE):
        yield required(f"{where}.properties", f"must not be empty if {EMBEDDED} is true without {PRESERVE}")
    if schema.get("uniqueItems"):
        message = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden_field(f"{where}.uniqueItems", message)
    if schema.get("properties") and schema.get("additionalProperties"):
        yield forbidden_field(
            f"{where}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    if kind == "array" and not isinstance(schema.get("items"), dict):
        yield required(f"{where}.items", "must be specified")
    if schema.get(LIST_TYPE) == "map" and not schema.get(LIST_KEYS):
        yield required(f"{where}.{LIST_KEYS}", f"must not be empty if {LIST_TYPE} is map")
    if schema.get("pattern") is not None:
        try:
            re.compile(schema["pattern"])
        except re.error as error:
            message = f"must be a valid regular expression, but isn't: error parsing regexp: {error}"
            yield invalid_value(f"{where}.pattern", schema["pattern"], message)
    if "default" in schema and kind in _TYPES:
        for cause in validate_schema(schema, schema["default"]):
            yield Cause(f"{where}.default", cause.message, cause.reason)
    for name, inner in (schema.get("properties") or {}).items():
        if where.endswith("openAPIV3Schema") and name in ("apiVersion", "kind", "metadata"):
            continue
        yield from _validate_structure(inner, f"{where}.properties[{name}]")
    for field in ("items", "additionalProperties"):
        if isinstance(schema.get(field), dict):
            yield from _validate_structure(schema[field], f"{where}.{field}")


def _validate_combination(schema: Json, where: str) -> Iterator[Cause]:
    """What is tried on a value may ask for what is there, and not say what there is."""
    tried = [(f"{where}.{field}[{index}]", one) for field in _COMBINED for index, one in _numbered(schema, field)]
    if schema.get("not"):
        tried.append((f"{where}.not", schema["not"]))
    for place, one in tried:
        for field in _SHAPING:
            if field in one and not (field == "type" and schema.get(INT_OR_STRING)):
                yield forbidden_field(f"{place}.{field}", "must be empty to be structural")


def _numbered(schema: Json, field: str) -> Iterator[tuple[int, Json]]:
    yield from enumerate(schema.get(field) or ())
