"""Quantities: amounts such as 1Gi or 500m, read exactly and written as the API server writes them."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_QUANTITY: Final = re.compile(r"^(?P<number>[+-]?(\d+\.?\d*|\.\d+))(?P<unit>[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")
_BINARY: Final = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def value(text: str) -> Fraction | None:
    """The amount, or None when the text is no quantity."""
    found = _QUANTITY.match(text)
    if found is None:
        return None
    number, unit = Fraction(found["number"]), found["unit"] or ""
    if unit in _BINARY:
        return number * _BINARY[unit]
    if unit in _DECIMAL:
        return number * Fraction(10) ** _DECIMAL[unit]
    return number * Fraction(10) ** int(unit[1:])


def written(text: str) -> str | None:
    """The shortest form with the same kind of unit (1024Mi is 1Gi, 1000m is 1), or None for no quantity."""
    amount = value(text)
    if amount is None:
        return None
    units = _BINARY if text.endswith("i") else {unit: Fraction(10) ** power for unit, power in _DECIMAL.items()}
    for unit, size in sorted(units.items(), key=lambda pair: -pair[1]):
        if amount % size == 0 and amount:
            return f"{amount / size}{unit}"
    return "0" if not amount else str(int(amount)) if amount.denominator == 1 else text
