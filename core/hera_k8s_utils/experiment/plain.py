"""Plain JSON: the values of a manifest, checked and without the types of libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import BuildError


def to_plain_json(data: Mapping[str, Any]) -> Json:
    """A deep copy made of dicts, lists, strings, numbers, booleans and None.

    Raises `BuildError` naming the place of what JSON cannot say.
    """
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False, default=_plain_value)
        text.encode()  # half of a surrogate pair cannot be encoded
        copied: Json = json.loads(text)
        return copied
    except (TypeError, ValueError, RecursionError) as error:
        raise BuildError(
            "the workflow cannot be written as JSON",
            found=_first_trouble(data) or str(error),
            hint="use strings, numbers, booleans, None, lists and dicts; float(x) or int(x) for numpy scalars",
        ) from error


def _plain_value(value: Any) -> Any:
    """JSON for what `json` does not know: any mapping, members of enumerations, dates as RFC 3339."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _first_trouble(value: Any, place: str = "", depth: int = 0) -> str:
    """Where the first thing is that JSON cannot say; empty when there is none."""
    if depth > 200:
        return f"it holds itself, or is nested too deeply, at {place[:80]}"
    if isinstance(value, Mapping):
        children = [(f"{place}.{key}" if place else str(key), child) for key, child in value.items()]
    elif isinstance(value, (list, tuple)):
        children = [(f"{place}[{index}]", child) for index, child in enumerate(value)]
    else:
        try:
            json.dumps(value, allow_nan=False, ensure_ascii=False, default=_plain_value).encode()
        except (TypeError, ValueError):
            shown = ascii(value)[:40] if isinstance(value, (float, str)) else f"a {type(value).__name__}"
            return f"{shown} at {place}"
        return ""
    return next(filter(None, (_first_trouble(child, at, depth + 1) for at, child in children)), "")
