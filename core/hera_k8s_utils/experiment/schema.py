"""Shapes of bodies: lists where lists belong, so that code that reads a body need not check each field again.

A shape covers only the fields that this project reads; a server checks the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Shape = Any
"""A type; `[shape]` for a list; a dict of shapes by field, in which `"*"` stands for every field."""

NAMED: Final = [{"name": str}]
"""A list of mappings that have names."""

CONTAINER: Final = {
    "name": str,
    "image": str,
    "command": [str],
    "source": str,
    "volumeMounts": NAMED,
    "resources": {"requests": dict, "limits": dict},
    "env": NAMED,
    "envFrom": [dict],
}
"""A container of a pod."""

METADATA: Final = {
    "name": str,
    "generateName": str,
    "namespace": str,
    "labels": {"*": str},
    "annotations": {"*": str},
}
"""The metadata of any object."""

_WORD: Final[Mapping[type, str]] = {
    str: "text",
    list: "a list",
    dict: "a mapping",
    int: "a number",
    float: "a number",
    bool: "a boolean",
}


def object_error(body: Mapping[str, Any], spec: Shape, place: str = "") -> str:
    """The first field of an object that does not have its shape, with its place; empty when all of them fit.

    spec: the shape of the object's `spec`. place: where the object is, empty when it stands alone.
    """
    return shape_error(body, {"kind": str, "metadata": METADATA, "spec": spec}, place)


def shape_error(value: Any, shape: Shape, place: str = "") -> str:
    """The first part of a value that does not have its shape, with its place; empty when all of them fit."""
    if value is None:
        return ""
    wanted: type = shape if isinstance(shape, type) else type(shape)
    fits = isinstance(value, wanted)
    if not fits:
        return f"{place} is {_WORD[type(value)]}, not {_WORD[wanted]}"
    if isinstance(shape, list):
        parts = ((f"{place}[{index}]", item, shape[0]) for index, item in enumerate(value))
        return next(filter(None, (_null(item, at) or shape_error(item, of, at) for at, item, of in parts)), "")
    if isinstance(shape, dict):
        every = shape.get("*")
        fields = ((key, child, every or shape.get(key)) for key, child in value.items())
        found = (shape_error(child, of, f"{place}.{key}".lstrip(".")) for key, child, of in fields if of is not None)
        return next(filter(None, found), "")
    return ""


def _null(item: Any, place: str) -> str:
    return f"{place} is null" if item is None else ""
