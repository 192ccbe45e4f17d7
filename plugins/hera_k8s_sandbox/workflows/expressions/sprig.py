"""Sprig: the functions of `sprig.` that workflows use.

Those that read the environment or the clock, or that make random values or keys, are left out: an expression is
evaluated more than once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import posixpath
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from hera_k8s_sandbox.foundation.patterns import compile_pattern
from hera_k8s_sandbox.workflows.expressions.bounds import bounded, joined, replaced, unique
from hera_k8s_sandbox.workflows.expressions.errors import ExpressionError
from hera_k8s_sandbox.workflows.expressions.values import formatted, is_number, kind_of

_LONGEST: Final = 1_000_000  # characters or items that a function may make
_PLACES: Final = 300  # that a number is rounded to: no float has more


def _truth(value: Any) -> bool:
    """Whether a value is not empty as sprig sees it: nought and false are empty."""
    return bool(value)


def _text(value: Any) -> str:
    return "" if value is None else formatted(value)


def _integer(value: Any) -> int:
    """A number as sprig reads it: 0 for anything that is not one."""
    if is_number(value):
        return int(value)
    try:
        return int(str(value), 0) if not isinstance(value, bool) else int(value)
    except ValueError:
        return 0


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _divide(left: Any, right: Any) -> int:
    first, second = _integer(left), _integer(right)
    if second == 0:
        raise ExpressionError("integer divide by zero")
    return int(first / second) if abs(first) < 2**53 else -(-first // second) if first * second < 0 else first // second


def _remainder(left: Any, right: Any) -> int:
    first, second = _integer(left), _integer(right)
    if second == 0:
        raise ExpressionError("integer divide by zero")
    return int(math.fmod(first, second))


def _product(*values: Any) -> int:
    return math.prod(_integer(value) for value in values)


def _rounded(value: Any, places: int, half: float = 0.5) -> float:
    power = 10.0 ** max(-_PLACES, min(_PLACES, _integer(places)))
    scaled = _float(value) * power
    if not math.isfinite(scaled):
        return _float(value)
    whole = math.floor(scaled)
    return (whole + 1 if scaled - whole >= half else whole) / power


def _until(start: Any, stop: Any, step: Any) -> list[int]:
    first, end, by = _integer(start), _integer(stop), _integer(step)
    if by == 0 or abs(end - first) > _LONGEST:
        raise ExpressionError("the range is endless or too long")
    return list(range(first, end, by))


def _substring(start: int, end: int, text: str) -> str:
    if start < 0:
        return text[:end]
    return text[start:] if end < 0 or end > len(text) else text[start:end]


def _truncated(count: int, text: str) -> str:
    return text[count:] if count < 0 else text[:count]


def _abbreviated(width: int, text: str) -> str:
    return text if width < 4 or len(text) <= width else f"{text[: width - 3]}..."


def _repeated(count: int, text: str) -> str:
    bounded(len(text) * count)
    return text * count


def _words(text: str) -> list[str]:
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", text))
    return [word for word in re.split(r"[^A-Za-z0-9]+", spaced) if word]


def _indented(count: int, text: str) -> str:
    bounded(len(text) + count * (text.count("\n") + 1))
    pad = " " * count
    return pad + text.replace("\n", f"\n{pad}")


def _title(text: str) -> str:
    return re.sub(r"(^|\s)(\w)", lambda found: found[1] + found[2].upper(), text)


def _untitled(text: str) -> str:
    return re.sub(r"(^|\s)(\w)", lambda found: found[1] + found[2].lower(), text)


def _go_template(replacement: str) -> str:
    """Go's `$1` and `${name}` as Python writes them."""
    escaped = replacement.replace("\\", "\\\\")
    return re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda found: rf"\g<{found[1] or found[2]}>", escaped)


def _replaced(pattern: str, text: str, template: str) -> str:
    """What `re.sub` returns, as long as that is not too long."""
    found: list[str] = []
    total = place = 0
    for each in compile_pattern(pattern, text).finditer(text):
        parts = text[place : each.start()], each.expand(template)
        place = each.end()
        total += len(parts[0]) + len(parts[1])
        found.extend(parts)
        bounded(total)
    return "".join([*found, text[place:]])


def _find_all(pattern: str, text: str, count: int) -> list[str]:
    found = [each[0] for each in compile_pattern(pattern, text).finditer(text)]
    return found if count < 0 else found[:count]


def _regex_split(pattern: str, text: str, count: int) -> list[str]:
    if count == 0:
        return []
    return compile_pattern(pattern, text).split(text, maxsplit=count - 1 if count > 0 else 0)


def _find(pattern: str, text: str) -> str:
    found = compile_pattern(pattern, text).search(text)
    return found[0] if found else ""


def _numbered(separator: str, text: str) -> dict[str, str]:
    """sprig's `split`: a map of `_0`, `_1`, ..."""
    return {f"_{index}": part for index, part in enumerate(text.split(separator))}


def _joined(separator: str, items: Any) -> str:
    return joined([_text(item) for item in items], separator) if isinstance(items, list) else _text(items)


def _dict(*pairs: Any) -> dict[str, Any]:
    values = [*pairs[1::2], *([""] if len(pairs) % 2 else [])]
    return {_text(key): value for key, value in zip(pairs[::2], values, strict=True)}


def _merged(*maps: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for one in maps:
        result = {**one, **{key: value for key, value in result.items() if _truth(value)}}
    return result


def _dug(*path: Any) -> Any:
    *keys, default, holder = path
    for key in keys:
        if not isinstance(holder, dict) or key not in holder:
            return default
        holder = holder[key]
    return holder


def _sliced(items: list[Any], start: int = 0, end: int | None = None) -> list[Any]:
    return items[start:end]


def _coalesced(*values: Any) -> Any:
    return next((value for value in values if _truth(value)), None)


def _kind(value: Any) -> str:
    return {"map[string]interface {}": "map", "[]interface {}": "slice", "nil": "invalid"}.get(
        kind_of(value), kind_of(value)
    )


def _fail(message: str) -> Any:
    raise ExpressionError(message)


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


SPRIG: Final[Mapping[str, Callable[..., Any]]] = {
    # texts
    "trim": str.strip,
    "trimAll": lambda what, text: text.strip(what),
    "trimPrefix": lambda prefix, text: text.removeprefix(prefix),
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
    "upper": str.upper,
    "lower": str.lower,
    "title": _title,
    "untitle": _untitled,
    "repeat": _repeated,
    "substr": _substring,
    "trunc": _truncated,
    "abbrev": _abbreviated,
    "initials": lambda text: "".join(word[0] for word in text.split()),
    "nospace": lambda text: "".join(text.split()),
    "contains": lambda part, text: part in text,
    "hasPrefix": lambda prefix, text: text.startswith(prefix),
    "hasSuffix": lambda suffix, text: text.endswith(suffix),
    "quote": lambda *values: " ".join(json.dumps(_text(value)) for value in values if value is not None),
    "squote": lambda *values: " ".join(f"'{_text(value)}'" for value in values if value is not None),
    "cat": lambda *values: " ".join(_text(value) for value in values if value is not None),
    "indent": _indented,
    "nindent": lambda count, text: "\n" + _indented(count, text),
    "replace": lambda old, new, text: replaced(text, old, new),
    "plural": lambda one, many, count: one if count == 1 else many,
    "snakecase": lambda text: "_".join(_words(text)).lower(),
    "kebabcase": lambda text: "-".join(_words(text)).lower(),
    "camelcase": lambda text: "".join(word[:1].upper() + word[1:] for word in _words(text)),
    "toString": _text,
    "toStrings": lambda items: [_text(item) for item in items],
    "regexMatch": lambda pattern, text: compile_pattern(pattern, text).search(text) is not None,
    "regexFind": _find,
    "regexFindAll": _find_all,
    "regexReplaceAll": lambda pattern, text, by: _replaced(pattern, text, _go_template(by)),
    "regexReplaceAllLiteral": lambda pattern, text, by: _replaced(pattern, text, by.replace("\\", r"\\")),
    "regexSplit": _regex_split,
    "regexQuoteMeta": re.escape,
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "b64dec": lambda text: base64.b64decode(text).decode(),
    "b32enc": lambda text: base64.b32encode(text.encode()).decode(),
    "b32dec": lambda text: base64.b32decode(text).decode(),
    "sha1sum": lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "sha512sum": lambda text: hashlib.sha512(text.encode()).hexdigest(),
    "adler32sum": lambda text: str(zlib.adler32(text.encode())),
    "split": _numbered,
    "splitList": lambda separator, text: text.split(separator),
    "join": _joined,
    "base": posixpath.basename,
    "dir": lambda path: posixpath.dirname(path) or ".",
    "ext": lambda path: posixpath.splitext(path)[1],
    "clean": posixpath.normpath,
    "isAbs": posixpath.isabs,
    # numbers
    "int": _integer,
    "int64": _integer,
    "float64": _float,
    "atoi": _integer,
    "add": lambda *values: sum(_integer(value) for value in values),
    "add1": lambda value: _integer(value) + 1,
    "sub": lambda left, right: _integer(left) - _integer(right),
    "mul": _product,
    "div": _divide,
    "mod": _remainder,
    "max": lambda *values: max(_integer(value) for value in values),
    "min": lambda *values: min(_integer(value) for value in values),
    "addf": lambda *values: sum(_float(value) for value in values),
    "subf": lambda first, *rest: _float(first) - sum(_float(value) for value in rest),
    "mulf": lambda *values: math.prod(_float(value) for value in values),
    "divf": lambda left, right: _float(left) / _float(right),
    "maxf": lambda *values: max(_float(value) for value in values),
    "minf": lambda *values: min(_float(value) for value in values),
    "floor": lambda value: float(math.floor(_float(value))),
    "ceil": lambda value: float(math.ceil(_float(value))),
    "round": _rounded,
    "until": lambda count: _until(0, count, 1 if _integer(count) >= 0 else -1),
    "untilStep": _until,
    # lists
    "list": lambda *values: list(values),
    "tuple": lambda *values: list(values),
    "first": lambda items: items[0] if items else None,
    "last": lambda items: items[-1] if items else None,
    "rest": lambda items: items[1:],
    "initial": lambda items: items[:-1],
    "append": lambda items, value: [*items, value],
    "prepend": lambda items, value: [value, *items],
    "concat": lambda *lists: [item for each in lists for item in each],
    "reverse": lambda items: items[::-1],
    "uniq": unique,
    "without": lambda items, *values: [item for item in items if item not in values],
    "has": lambda value, items: value in (items or ()),
    "compact": lambda items: [item for item in items if _truth(item)],
    "slice": _sliced,
    "sortAlpha": lambda items: sorted(_text(item) for item in items),
    # maps
    "dict": _dict,
    "get": lambda holder, key: holder.get(key, ""),
    "hasKey": lambda holder, key: key in holder,
    "keys": lambda *maps: [key for each in maps for key in each],
    "values": lambda holder: list(holder.values()),
    "pick": lambda holder, *keys: {key: holder[key] for key in keys if key in holder},
    "omit": lambda holder, *keys: {key: value for key, value in holder.items() if key not in keys},
    "pluck": lambda key, *maps: [each[key] for each in maps if key in each],
    "merge": _merged,
    "dig": _dug,
    # any
    "default": lambda default, value=None: value if _truth(value) else default,
    "empty": lambda value: not _truth(value),
    "coalesce": _coalesced,
    "ternary": lambda yes, no, condition: yes if condition else no,
    "all": lambda *values: all(_truth(value) for value in values),
    "any": lambda *values: any(_truth(value) for value in values),
    "toJson": _compact,
    "toRawJson": _compact,
    "toPrettyJson": lambda value: json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False),
    "fromJson": json.loads,
    "kindOf": _kind,
    "kindIs": lambda kind, value: _kind(value) == kind,
    "typeOf": kind_of,
    "fail": _fail,
}
