"""Patterns: literal text with the encoded values of parameters between, filled in quickly and read back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from hera_k8s_utils import BuildError, Inputs, Point
from hera_k8s_utils.sweep import SEGMENT, Value, segment_of
from hera_k8s_utils.trust import SAFE

_MEMORY: Final = 4096
"""Values of a parameter whose encoded form is remembered."""
_SEPARATES: Final = re.compile(f"[^{SAFE}%]")


class Pattern:
    """`a={a}/b={b}`, cut into pieces.

    pieces: (literal text, name of the parameter that follows it), in order. tail: literal text after the last.
    """

    def __init__(self, inputs: Inputs, pieces: Sequence[tuple[str, str]], tail: str = "") -> None:
        self._inputs = inputs  # also keeps the values alive whose ids the tables hold
        self._pieces = tuple(pieces)
        self._tail = tail
        self._places = [(literal, inputs.names.index(name)) for literal, name in self._pieces]
        tables = [_remembered(inputs, literal, name) for literal, name in self._pieces]
        self._known = [(table, at) for table, (_, at) in zip(tables, self._places, strict=True)] if all(tables) else []
        self._shape = re.compile("".join(f"{re.escape(text)}({SEGMENT})" for text, _ in pieces) + re.escape(tail))

    @property
    def readable(self) -> bool:
        """Whether the values can be read from the text alone: all are in it, separated by characters that none has."""
        apart = all(_SEPARATES.search(literal) for literal, _ in self._pieces[1:])
        return apart and {name for _, name in self._pieces} == set(self._inputs.names)

    def encode(self, point: Point) -> str:
        """The pattern with a point's values."""
        values = point.values_tuple
        if self._known:
            try:
                return "".join([table[id(values[at])] for table, at in self._known]) + self._tail
            except KeyError:
                pass
        return "".join([text + segment_of(values[at]) for text, at in self._places]) + self._tail

    def decode(self, path: str) -> dict[str, Value]:
        """The values that a text of this pattern holds; raises `BuildError` for any other text."""
        matched = self._shape.fullmatch(unicodedata.normalize("NFC", path))
        if matched is None:
            raise BuildError(f"{path!r} is not of the form {self}")
        found: dict[str, Value] = {}
        for (_, name), segment in zip(self._pieces, matched.groups(), strict=True):
            found[name] = self._inputs.columns[name].decode(segment)
        return found

    def __str__(self) -> str:
        return "".join(f"{text}{{{name}}}" for text, name in self._pieces) + self._tail


def _remembered(inputs: Inputs, literal: str, name: str) -> dict[int, str]:
    """Literal and encoded value by the value's identity, for the values that a sweep goes through again and again.

    By identity rather than equality: `1`, `1.0` and `True` are equal, as are `0.0` and `-0.0`, and not the same value.
    The values of a long range are made anew each time, so their identities mean nothing.
    """
    values = () if inputs.axes is None else inputs.axes[name]
    if len(values) > _MEMORY or not isinstance(values, tuple):
        return {}
    return {id(value): literal + segment_of(value) for value in values}


def refuse_argument(strategy: str, argument: str) -> None:
    """Raise `BuildError` when something follows the colon of a strategy that takes nothing."""
    if argument:
        raise BuildError(
            f"--layout {strategy}:{argument}", found=f"{strategy} takes no pattern", hint=f"--layout {strategy}"
        )
