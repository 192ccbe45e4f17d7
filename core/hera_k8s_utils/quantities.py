"""Quantities of Kubernetes: `100m` of a core, `64Mi` of memory, as exact numbers."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_QUANTITY: Final = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([KMGTPE]i|[numkMGTPE]?)|[eE]([+-]?[0-9]{1,2}))")

_SUFFIX: Final = {
    "": Fraction(1),
    **{letter: Fraction(1, 1000**power) for power, letter in enumerate("mun", start=1)},
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}


def parse_quantity(text: str | int | float) -> Fraction:
    """A quantity as an exact number of cores, bytes or pieces; compares with ints and floats.

    The syntax is that of `k8s.io/apimachinery/pkg/api/resource`: a decimal number with a binary suffix (`Ki` to `Ei`),
    a decimal one (`n`, `u`, `m`, `k` to `E`) or an exponent (`1e3`). Raises `ValueError` for anything else.
    """
    matched = _QUANTITY.fullmatch(text if isinstance(text, str) else format(text, ""))
    if matched is None:
        raise ValueError(f"{text!r} is no quantity; write 500m, 2, 64Mi or 1e3")
    number, suffix, exponent = matched.groups()
    if exponent is not None:
        return Fraction(number) * Fraction(10) ** int(exponent)
    return Fraction(number) * _SUFFIX[suffix]
