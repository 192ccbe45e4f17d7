"""Fields of protobuf messages: how the tables of them are written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One field of a message.

    type: string, bytes, int, bool, map, bytesmap, int-or-string, or another message's name.
    zero: whether a zero or a false was set; without, every message that does not set it has it.
    """

    name: str
    type: str = "string"
    repeated: bool = False
    zero: bool = True


def texts(*names: str) -> dict[int, Field]:
    """The fields of a message of texts, numbered from one; an empty name leaves a number out."""
    return {number: Field(name) for number, name in enumerate(names, 1) if name}


def kind(spec: str | None = None, **more: Field) -> dict[int, Field]:
    """The fields of an object: its metadata, its specification, and more, such as `_3=Field(...)`."""
    fields = {1: Field("metadata", "ObjectMeta")}
    if spec:
        fields[2] = Field("spec", spec)
    return fields | {int(number[1:]): field for number, field in more.items()}
