"""Reading: JSON and YAML that others have written, within bounds; what exceeds them is a ValueError.

Python reads NaN, which is no JSON, and integers of any length; it gives up, or even crashes, on what is nested deeply.
In YAML, a few lines of aliases can stand for gigabytes.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

LARGEST_BODY: Final = 3 << 20  # bytes of a request: the API server's limit
DEEPEST: Final = 200  # objects and lists inside each other; Go reads 10000 of them
_INT64: Final = 1 << 63
_SAFE_DIGITS: Final = 18  # of an integer that surely has 64 bits


def read_json(text: bytes | str) -> Any:
    """A JSON value. Raises ValueError."""
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    _require_depth(value)
    return value


def read_yaml(text: bytes | str) -> list[Any]:
    """The documents of a YAML text. Raises ValueError, and yaml.YAMLError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_yaml(yaml.parse(text, Loader=loader))
        return list(yaml.load_all(text, Loader=loader))  # both are safe
    except RecursionError:
        raise ValueError("exceeded max depth") from None


def _check_yaml(events: Any) -> None:
    """Raises ValueError for what is nested too deeply, and for aliases that stand for more than a request may hold."""
    import yaml

    sizes = [0]  # of what is open, with all that is in it
    anchors: dict[str | None, int] = {}
    names: list[str | None] = [None]
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            sizes.append(1)
            names.append(event.anchor)
            if len(sizes) > DEEPEST + 1:
                raise ValueError("exceeded max depth")
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


def _require_depth(value: Any) -> None:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(DEEPEST):
        inner = (child for each in level for child in (each.values() if isinstance(each, dict) else each))
        level = [child for child in inner if isinstance(child, (dict, list))]
        if not level:
            return
    raise ValueError("exceeded max depth")


def _integer(text: str) -> int | float:
    """As Go reads it: what does not fit into 64 bits is a float."""
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
