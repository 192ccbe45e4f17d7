"""JSON and YAML of requests, within the limits and with the error texts of the API server, which is written in Go.

Python's `json` accepts NaN, which is not JSON, and integers of any length. In YAML, a few lines of aliases can stand
for gigabytes.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hera_k8s_utils.reading import TooComplex, parse_json, parse_yaml

LARGEST_BODY: Final = 3 << 20  # bytes of a request: the API server's limit
DEEPEST: Final = 200  # objects and lists inside each other; Go reads 10000 of them
_TOO_DEEP: Final = "exceeded max depth"
_INT64: Final = 1 << 63
_SAFE_DIGITS: Final = 18  # of an integer that surely has 64 bits


def read_json(text: bytes | str) -> Any:
    """A JSON value, its numbers as Go reads them. Raises ValueError."""
    try:
        return parse_json(text, deepest=DEEPEST, parse_int=_integer, parse_float=_float, parse_constant=_refuse)
    except TooComplex:
        raise ValueError(_TOO_DEEP) from None


def read_yaml(text: bytes | str) -> list[Any]:
    """The documents of a YAML text. Raises ValueError, and yaml.YAMLError."""
    try:
        return parse_yaml(text, check=_check_yaml)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _check_yaml(events: Any) -> None:
    """Raises ValueError for a text that is nested too deeply, or whose aliases expand to more than a request holds."""
    import yaml

    sizes = [0]  # of the open collections, with their content
    anchors: dict[str | None, int] = {}
    names: list[str | None] = [None]
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            sizes.append(1)
            names.append(event.anchor)
            if len(sizes) > DEEPEST + 1:
                raise ValueError(_TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            _close(sizes, names, anchors)
        elif isinstance(event, yaml.ScalarEvent):
            sizes.append(1 + len(event.value))
            names.append(event.anchor)
            _close(sizes, names, anchors)
        elif isinstance(event, yaml.AliasEvent):
            sizes[-1] += anchors.get(event.anchor, 0)
            if sizes[-1] > LARGEST_BODY:
                raise ValueError("document contains excessive aliasing")


def _close(sizes: list[int], names: list[str | None], anchors: dict[str | None, int]) -> None:
    size, name = sizes.pop(), names.pop()
    sizes[-1] += size
    if name is not None:
        anchors[name] = size


def _integer(text: str) -> int | float:
    """An integer as Go reads it: a float when it does not fit into 64 bits."""
    if len(text) <= _SAFE_DIGITS:
        return int(text)
    value = _float(text)
    if abs(value) > _INT64:
        return value
    whole = int(text)
    return whole if -_INT64 <= whole < _INT64 else value


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"cannot unmarshal number {text[:40]} into Go value of type float64")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")
