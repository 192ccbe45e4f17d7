"""Values: how parameters and items, which may be any JSON, become text."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime, timezone
from typing import Any, Final

_BLANKS: Final = re.compile(r'("(?:\\.|[^"\\])*")|\s+')


def text_of(value: Any) -> str:
    """A parameter's or item's value as text: strings as they are, anything else as Go writes its JSON."""
    return value if isinstance(value, str) else go_json(value)


def go_json(value: Any) -> str:
    """Compact JSON with sorted keys and with numbers as Go writes them: 4.0 is 4."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{go_json(key)}:{go_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(go_json(each) for each in value) + "]"
    if isinstance(value, float):
        return _go_float(value)
    return json.dumps(value, ensure_ascii=False)


def compact(text: str) -> str:
    """JSON as Go passes it on: without blanks, keys and numbers as they are. Raises ValueError, in Go's words."""
    try:
        json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(_problem(text, error.pos)) from None
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    return _BLANKS.sub(lambda found: found[1] or "", text)


def _no_constant(name: str) -> None:
    raise json.JSONDecodeError("a constant of JavaScript", name, 0)


def _problem(text: str, position: int) -> str:
    """What Go says of text that is not JSON, as far as the position of the error shows it."""
    rest = text[position:].lstrip()
    if not rest:
        return "unexpected end of JSON input"
    shown = json.dumps(rest[0], ensure_ascii=False)[1:-1].replace("'", "\\'").replace('\\"', '"')
    try:
        json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
        return f"invalid character '{shown}' looking for beginning of value"
    return f"invalid character '{shown}' after top-level value"


def _go_float(value: float) -> str:
    if not math.isfinite(value):
        return json.dumps(value)
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    if "e" not in text:
        return text
    if 1e-6 <= abs(value) < 1e21:
        return f"{value:.20f}".rstrip("0")
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0').rjust(2, '0')}"


def seconds_of(text: str) -> float:
    """A time as the API writes it, in seconds since the epoch."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
