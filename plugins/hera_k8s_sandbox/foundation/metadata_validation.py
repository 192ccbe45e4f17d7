"""Metadata: what every object's name, labels, annotations, finalizers and owners must look like."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from hera_k8s_sandbox.foundation.errors import Cause
from hera_k8s_sandbox.foundation.field_errors import forbidden_field, invalid_value
from hera_k8s_sandbox.foundation.resource_types import NAMESPACES, RBAC, SERVICES, Resource
from hera_k8s_utils._types import Json

LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN: Final = rf"{LABEL}(\.{LABEL})*"
LABEL_VALUE: Final = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_QUALIFIED_NAME: Final = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LARGEST_ANNOTATIONS: Final = 256 << 10  # bytes
_STANDARD_FINALIZERS: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})

SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    f"start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"
)
LABEL_RULE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
)
LABEL_VALUE_RULE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    f"validation is '{LABEL_VALUE}')"
)
_QUALIFIED_NAME_RULE: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{_QUALIFIED_NAME}')"
)


def validate_metadata(resource: Resource, meta: Json) -> Iterator[Cause]:
    """What is wrong with an object's metadata."""
    yield from _validate_name(resource, meta.get("name", ""))
    yield from _validate_owner(meta.get("ownerReferences") or ())
    for index, name in enumerate(meta.get("finalizers") or ()):
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            message = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid_value(f"metadata.finalizers[{index}]", name, message)
    yield from validate_labels(meta)


def validate_labels(meta: Json) -> Iterator[Cause]:
    """What is wrong with the labels and annotations of an object or of a template."""
    for key in meta.get("annotations") or ():
        yield from _validate_key("metadata.annotations", key.lower())
    yield from _validate_label(meta.get("labels") or {})
    size = sum(len(key) + len(value or "") for key, value in (meta.get("annotations") or {}).items())
    if size > _LARGEST_ANNOTATIONS:
        message = f"Too long: may not be more than {_LARGEST_ANNOTATIONS} bytes"
        yield Cause("metadata.annotations", message, "FieldValueTooLong")


def validate_finalizers(old: Json, new: Json) -> Iterator[Cause]:
    """What is wrong with a change of finalizers: what is being deleted takes no new ones."""
    if "deletionTimestamp" not in old:
        return
    known = old.get("finalizers") or ()
    added = [name for name in new.get("finalizers") or () if name not in known]
    if added:
        shown = ", ".join(json.dumps(name) for name in added)
        message = (
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{shown}}}"
        )
        for _ in range(2):  # the API server validates twice, and lists each error twice
            yield forbidden_field("metadata.finalizers", message)


def validate_subdomain(field: str, name: str) -> Iterator[Cause]:
    """What is wrong with a name that must be a DNS subdomain."""
    if len(name) > 253:
        yield invalid_value(field, name, "must be no more than 253 characters")
    if not re.fullmatch(SUBDOMAIN, name):
        yield invalid_value(field, name, SUBDOMAIN_RULE)


def _validate_name(resource: Resource, name: str) -> Iterator[Cause]:
    if resource.group == RBAC:
        if "/" in name or "%" in name or name in (".", ".."):
            yield invalid_value("metadata.name", name, "may not contain '/'")
    elif resource in (NAMESPACES, SERVICES):
        yield from _validate_label_name(name)
    else:
        yield from validate_subdomain("metadata.name", name)


def _validate_label_name(name: str) -> Iterator[Cause]:
    if len(name) > 63:
        yield invalid_value("metadata.name", name, "must be no more than 63 characters")
    if "." in name:
        yield invalid_value("metadata.name", name, "must not contain dots")
    elif not re.fullmatch(LABEL, name):
        yield invalid_value("metadata.name", name, LABEL_RULE)


def _validate_owner(owners: Any) -> Iterator[Cause]:
    for owner in owners:
        where = "metadata.ownerReferences"
        if not owner.get("apiVersion"):
            yield invalid_value(f"{where}.apiVersion", "", "version must not be empty")
        for field in ("kind", "name", "uid"):
            if not owner.get(field):
                yield invalid_value(f"{where}.{field}", "", "must not be empty")


def _validate_label(labels: Json) -> Iterator[Cause]:
    for key, value in labels.items():
        yield from _validate_key("metadata.labels", key)
        if len(value or "") > 63:
            yield invalid_value("metadata.labels", value, "must be no more than 63 bytes")
        if not re.fullmatch(LABEL_VALUE, value or ""):
            yield invalid_value("metadata.labels", value, LABEL_VALUE_RULE)


def _validate_key(field: str, key: str) -> Iterator[Cause]:
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        yield invalid_value(field, key, "prefix part must be non-empty")
    elif slash and not re.fullmatch(SUBDOMAIN, prefix):
        yield invalid_value(field, key, f"prefix part {SUBDOMAIN_RULE}")
    if len(name) > 63:
        yield invalid_value(field, key, "name part must be no more than 63 bytes")
    if not name:
        yield invalid_value(field, key, "name part must be non-empty")
    elif not re.fullmatch(_QUALIFIED_NAME, name):
        yield invalid_value(field, key, _QUALIFIED_NAME_RULE)
