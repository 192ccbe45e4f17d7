"""Quantities: amounts such as 1Gi or 500m, read exactly and written as the API server writes them."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from hera_k8s_utils import parse_quantity

QUANTITIES: Final = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")  # as the API server's messages show it
_BINARY: Final = {f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", 1)}
_DECIMAL: Final = {unit: Fraction(1000) ** power for power, unit in enumerate(["n", "u", "m", "", *"kMGTPE"], -3)}


def read_quantity(text: str) -> Fraction | None:
    """The amount, or None when the text is no quantity."""
    try:
        return parse_quantity(text)
    except ValueError:
        return None


def format_quantity(text: str) -> str | None:
    """The shortest form with the same kind of unit (1024Mi is 1Gi, 1000m is 1), or None for no quantity."""
    amount = read_quantity(text)
    if amount is None:
        return None
    units = _BINARY if text.endswith("i") else _DECIMAL
    for unit, size in sorted(units.items(), key=lambda pair: -pair[1]):
        if amount % size == 0 and amount:
            return f"{amount / size}{unit}"
    return "0" if not amount else str(int(amount)) if amount.denominator == 1 else text
