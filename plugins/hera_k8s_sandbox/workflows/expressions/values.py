"""Values: how an expression's numbers, texts, lists and maps compare, are named and are written, as in Go."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

from hera_k8s_sandbox.workflows.expressions.errors import ExpressionError

LARGEST_INTEGER: Final = 2**63 - 1  # as Go's int


def is_number(value: Any) -> bool:
    """Whether a value is a number; a bool is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def kind_of(value: Any) -> str:
    """What Go calls a value's type."""
    if value is None:
        return "nil"
    for kinds, name in (((bool,), "bool"), ((int,), "int"), ((float,), "float64"), ((str,), "string")):
        if isinstance(value, kinds):
            return name
    return "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"


def compare(left: Any, right: Any) -> int:
    """Less than, equal to or more than nought, as the left is less than, equal to or more than the right."""
    if isinstance(left, str) != isinstance(right, str):
        raise ExpressionError(f"mismatched types {kind_of(left)} and {kind_of(right)}")
    return int(left > right) - int(left < right)


def formatted(value: Any) -> str:
    """A value as Go's `%v` writes it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list):
        return f"[{' '.join(formatted(each) for each in value)}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{formatted(value[key])}' for key in sorted(value))}]"
    return str(value)


def _float(value: float) -> str:
    """The fewest digits that read back; with an exponent below 1e-4 and from 1e6 on, whole or not."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, figures, _ = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(str(each) for each in figures)
    exponent = Decimal(repr(value)).adjusted() if value else 0
    minus = "-" if sign else ""
    if exponent < -4 or exponent >= 6:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{minus}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"
    if exponent < 0:
        return f"{minus}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{minus}{whole}.{fraction}" if fraction else f"{minus}{whole}"
