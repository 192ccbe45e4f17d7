"""JSON data as YAML text that people can read and every parser reads back exactly.

Scalars are written as JSON, which is YAML too, unless they are plain words; text of several lines becomes a literal
block where that is exact. PyYAML's own emitter is several times slower and folds the lines of scripts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

_WORD: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*")
_MEANT_OTHERWISE: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that are no text to YAML 1.1 parsers, in any case; Kubernetes and PyYAML read YAML 1.1."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NOT_RAW: Final = re.compile("[^ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What a quoted scalar cannot hold as it is: control characters, line breaks of YAML 1.1, the byte order mark."""
_NOT_LITERAL: Final = re.compile("[^\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_LONGEST_SIMPLE_KEY: Final = 1000
"""A key without a question mark must end within 1,024 characters (YAML 1.1, 9.3.1)."""

_quoted = json.JSONEncoder(ensure_ascii=False).encode


def dump_yaml(data: Any) -> str:
    """JSON data as one YAML document, keys in the order given.

    Raises `ValueError` for what JSON cannot say: other types, keys that are no text, NaN, infinity, lone surrogates.
    """
    lines: list[str] = []
    if isinstance(data, Mapping) and data:
        _put_mapping(lines, "", "", data)
    elif isinstance(data, (list, tuple)) and data:
        _put_sequence(lines, "", "", data)
    else:
        lines.append(_scalar(data))
    return "\n".join(lines) + "\n"


def _put_mapping(lines: list[str], head: str, indent: str, mapping: Mapping[Any, Any]) -> None:
    """Append `key: value` lines. head: what stands before the first key, as wide as the indent of the others."""
    for key, value in mapping.items():
        name = _key(key)
        if len(name) > _LONGEST_SIMPLE_KEY:
            lines.append(f"{head}? {name}")
            head, name = indent, ""
        _put_value(lines, f"{head}{name}:", indent, value)
        head = indent


def _put_value(lines: list[str], start: str, indent: str, value: Any) -> None:
    """Append what belongs to a key, after `start`; sequences stand below their key without further indent."""
    if isinstance(value, str):
        lines.append(f"{start} {_text(value, indent + '  ')}")
    elif isinstance(value, Mapping) and value:
        lines.append(start)
        _put_mapping(lines, indent + "  ", indent + "  ", value)
    elif isinstance(value, (list, tuple)) and value:
        lines.append(start)
        _put_sequence(lines, indent, indent, value)
    else:
        lines.append(f"{start} {_scalar(value)}")


def _put_sequence(lines: list[str], head: str, indent: str, items: Iterable[Any]) -> None:
    """Append `- item` lines. head: what stands before the first dash, as wide as the indent of the others."""
    inner = indent + "  "
    for item in items:
        if isinstance(item, Mapping) and item:
            _put_mapping(lines, head + "- ", inner, item)
        elif isinstance(item, (list, tuple)) and item:
            _put_sequence(lines, head + "- ", inner, item)
        elif isinstance(item, str):
            lines.append(f"{head}- {_text(item, inner)}")
        else:
            lines.append(f"{head}- {_scalar(item)}")
        head = indent


def _text(value: str, indent: str) -> str:
    """A string as a literal block below `indent`, a plain word, or JSON."""
    if "\n" in value and _fits_literal(value):
        return _literal(value, indent)
    return _line(value)


def _fits_literal(value: str) -> bool:
    """Whether a block gives the text back exactly; a last line of blanks is read differently by parsers."""
    last = value[value.rstrip("\n").rfind("\n") + 1 :]
    return bool(last.strip(" \t\n")) and not _NOT_LITERAL.search(value)


def _literal(value: str, indent: str) -> str:
    """The block with its header: an indentation indicator where it would be misread, and how the text ends."""
    indicator = "2" if value[0] in " \t\n" else ""
    ending = "-" if not value.endswith("\n") else "+" if value.endswith("\n\n") else ""
    lines = value.removesuffix("\n").split("\n")
    body = "\n".join(indent + line if line else "" for line in lines)
    return f"|{indicator}{ending}\n{body}"


@lru_cache(maxsize=4096)
def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"a key must be text, not {type(key).__name__}: {key!r}")
    return _line(key)


def _line(value: str) -> str:
    """A string on one line."""
    if _WORD.fullmatch(value) and value.lower() not in _MEANT_OTHERWISE:
        return value
    if value.isascii() and "\x7f" not in value:
        return _quoted(value)
    if _SURROGATE.search(value):
        raise ValueError(f"half of a surrogate pair is no text: {value!r}")
    return _NOT_RAW.sub(_escape, _quoted(value))


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _line(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    raise ValueError(f"{type(value).__name__} is no JSON: {value!r}")


def _float(value: float) -> str:
    """A number that YAML 1.1 takes for a float: JSON's 1e+16 would be text to it, 1.0e+16 is not."""
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is no JSON")
    text = float.__repr__(value)
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}.0{exponent}{power}" if exponent and "." not in mantissa else text
