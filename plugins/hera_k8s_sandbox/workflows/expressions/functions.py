"""Functions: expr-lang's own, and those that Argo adds; sprig's are beside them."""

from __future__ import annotations

import base64
import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from hera_k8s_sandbox.foundation.jsonpath import JsonPathError, value_at
from hera_k8s_sandbox.workflows.expressions import times
from hera_k8s_sandbox.workflows.expressions.bounds import bounded, joined, replaced, unique
from hera_k8s_sandbox.workflows.expressions.errors import ExpressionError
from hera_k8s_sandbox.workflows.expressions.sprig import SPRIG
from hera_k8s_sandbox.workflows.expressions.values import formatted, is_number, kind_of


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ExpressionError(f"invalid operation: int({kind_of(value)})")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ExpressionError(f"invalid operation: float({kind_of(value)})")
    return float(value)


def _as_integer(value: Any) -> int:
    """Argo's: digits, perhaps with zeros after a point."""
    if isinstance(value, str):
        number = float(value)
        return int(value) if value.lstrip("+-").isdigit() else int(number)
    return _integer(value)


def _length(value: Any) -> int:
    if not isinstance(value, (str, list, dict)):
        raise ExpressionError(f"invalid argument for len (type {kind_of(value)})")
    return len(value)


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        found.extend(_numbers(tuple(value)) if isinstance(value, list) else [value])
    if not all(is_number(each) for each in found):
        raise ExpressionError("expected numbers")
    return found


def _get(holder: Any, key: Any) -> Any:
    if isinstance(holder, dict):
        return holder.get(key)
    if isinstance(holder, list) and isinstance(key, int) and -len(holder) <= key < len(holder):
        return holder[key]
    return None


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if separator == "":
        return list(text)
    return text.split(separator, count - 1 if count > 0 else -1)


def _split_after(text: str, separator: str, count: int = -1) -> list[str]:
    parts = _split(text, separator, count)
    return [*(f"{part}{separator}" for part in parts[:-1]), parts[-1]] if parts else []


def _repeat(text: str, count: int) -> str:
    bounded(len(text) * count)
    return text * count


def _flat(items: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        found.extend(_flat(item) if isinstance(item, list) else [item])
    return found


def _sorted(items: list[Any], order: str = "asc") -> list[Any]:
    return sorted(items, reverse=order == "desc")


def _join(items: list[Any], separator: str = "") -> str:
    return joined(items, separator)


def _first(items: list[Any]) -> Any:
    return items[0] if items else None


def _last(items: list[Any]) -> Any:
    return items[-1] if items else None


def _concat(*lists: list[Any]) -> list[Any]:
    return [item for each in lists for item in each]


def _round(value: float) -> float:
    """Half away from zero, as in Go."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _pairs(value: dict[str, Any]) -> list[list[Any]]:
    return [[key, each] for key, each in value.items()]


def _compact_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _indented_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False)


def _json_path(text: Any, path: str) -> Any:
    """Argo's `jsonpath(JSON, PATH)`."""
    try:
        return value_at(json.loads(text) if isinstance(text, str) else text, path)
    except JsonPathError as error:
        raise ExpressionError(str(error)) from None


_BUILTINS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": abs,
    "ceil": lambda value: float(math.ceil(value)),
    "floor": lambda value: float(math.floor(value)),
    "round": _round,
    "int": _integer,
    "float": _float,
    "string": formatted,
    "len": _length,
    "type": lambda value: {"map[string]interface {}": "map", "[]interface {}": "array", "float64": "float"}.get(
        kind_of(value), kind_of(value)
    ),
    "min": lambda *values: min(_numbers(values)),
    "max": lambda *values: max(_numbers(values)),
    "mean": lambda *values: statistics.fmean(_numbers(values)) if _numbers(values) else 0,
    "median": lambda *values: statistics.median(_numbers(values)) if _numbers(values) else 0,
    "upper": str.upper,
    "lower": str.lower,
    "trim": lambda text, what=None: text.strip(what),
    "trimPrefix": lambda text, prefix=" ": text.removeprefix(prefix),
    "trimSuffix": lambda text, suffix=" ": text.removesuffix(suffix),
    "split": _split,
    "splitAfter": _split_after,
    "replace": replaced,
    "repeat": _repeat,
    "indexOf": str.find,
    "lastIndexOf": str.rfind,
    "hasPrefix": str.startswith,
    "hasSuffix": str.endswith,
    "join": _join,
    "get": _get,
    "keys": lambda value: list(value.keys()),
    "values": lambda value: list(value.values()),
    "toPairs": _pairs,
    "fromPairs": lambda pairs: {str(key): value for key, value in pairs},
    "first": _first,
    "last": _last,
    "take": lambda items, count: items[:count],
    "reverse": lambda items: items[::-1],
    "concat": _concat,
    "flatten": _flat,
    "uniq": unique,
    "sort": _sorted,
    "toJSON": _indented_json,
    "fromJSON": json.loads,
    "toBase64": lambda text: base64.b64encode(text.encode()).decode(),
    "fromBase64": lambda text: base64.b64decode(text).decode(),
    "bitand": lambda left, right: left & right,
    "bitor": lambda left, right: left | right,
    "bitxor": lambda left, right: left ^ right,
    "bitnot": lambda value: ~value,
    "bitshl": lambda value, count: value << min(count, 64),
    "bitshr": lambda value, count: value >> count,
}
_ARGO: Final[Mapping[str, Callable[..., Any]]] = {
    "asInt": _as_integer,
    "asFloat": _float,
    "toJson": _compact_json,
    "jsonpath": _json_path,
}

FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    **_BUILTINS,
    **_ARGO,
    **times.FUNCTIONS,
    **{f"sprig.{name}": function for name, function in SPRIG.items()},
}
