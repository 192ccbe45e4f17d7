"""Causes: the reasons of a 422 in the API server's words."""

from __future__ import annotations

import json

from hera_k8s_sandbox.foundation.errors import Cause


def required(field: str, why: str = "") -> Cause:
    """A field is missing."""
    return Cause(field, f"Required value: {why}" if why else "Required value", "FieldValueRequired")


def invalid_value(field: str, value: object, why: str) -> Cause:
    """A field's value breaks a rule."""
    shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Cause(field, f"Invalid value: {shown}: {why}")


def forbidden_field(field: str, why: str) -> Cause:
    """A field may not be set or changed."""
    return Cause(field, f"Forbidden: {why}", "FieldValueForbidden")


def unsupported_value(field: str, value: object, supported: tuple[str, ...]) -> Cause:
    """A field's value is not one of a closed set."""
    names = ", ".join(json.dumps(one) for one in supported)
    shown = json.dumps(value, separators=(",", ":"))
    message = f"Unsupported value: {shown}: supported values: {names}"
    return Cause(field, message, "FieldValueNotSupported")


def duplicate(field: str, value: object) -> Cause:
    """A value that must be unique occurs again."""
    return Cause(field, f"Duplicate value: {json.dumps(value)}", "FieldValueDuplicate")


def unknown_reference(field: str, value: object) -> Cause:
    """A field names what is not there."""
    return Cause(field, f"Not found: {json.dumps(value)}", "FieldValueNotFound")
