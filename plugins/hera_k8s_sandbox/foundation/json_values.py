"""Values: how parameters and items, which may be any JSON, become text."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any


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
