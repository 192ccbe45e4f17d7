"""Bounds: how much an expression may do and make before it is refused, in expr-lang's words.

Expressions are evaluated where everything else of the sandbox waits for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from hera_k8s_sandbox.workflows.expressions.errors import ExpressionError
from hera_k8s_sandbox.workflows.expressions.values import LARGEST_INTEGER

EXCEEDED: Final = "memory budget exceeded"
_LONGEST: Final = 1_000_000  # characters of a text, items of a list with all that is in them
_STEPS: Final = 1_000_000  # of one evaluation; what is made counts too
_ITEMS: Final = 8  # of a list that are made in one step
_CHARACTERS: Final = 64  # of a text that are made in one step
_MOST_COMPARED: Final = 1_000  # items of a list, each with all others


class Budget:
    """The steps that are left to one evaluation."""

    def __init__(self) -> None:
        self._left = _STEPS

    def spend(self, steps: int) -> None:
        """Take some steps. Raises ExpressionError."""
        self._left -= steps
        if self._left < 0:
            raise ExpressionError(EXCEEDED)

    def take(self, value: Any) -> None:
        """Pay for a value that was made. Raises ExpressionError, also for an integer that Go does not have."""
        if isinstance(value, int) and not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
            raise ExpressionError("integer overflow: the value does not fit into 64 bits")
        if isinstance(value, (str, list, dict)):
            self.spend(_weight(value) // _ITEMS)


def bounded(length: int) -> None:
    """Raises ExpressionError for what is to be longer than a function may make it."""
    if length > _LONGEST:
        raise ExpressionError(EXCEEDED)


def cost_of(*values: Any) -> int:
    """The steps that it takes to go through some values once."""
    return sum(_weight(value) // _ITEMS for value in values if isinstance(value, (str, list, dict)))


def joined(items: list[Any], separator: str) -> str:
    """Texts in a row."""
    bounded(sum(len(item) for item in items) + len(separator) * len(items))
    return separator.join(items)


def replaced(text: str, old: str, new: str, count: int = -1) -> str:
    """A text with one part in place of another, everywhere or so many times."""
    times = text.count(old)
    bounded(len(text) + (times if count < 0 else min(times, count)) * (len(new) - len(old)))
    return text.replace(old, new, count)


def unique(items: Iterable[Any]) -> list[Any]:
    """Each item once."""
    found: list[Any] = []
    seen: set[Any] = set()
    others: list[Any] = []  # lists and maps
    for item in items:
        if isinstance(item, (list, dict)):
            if item in others:
                continue
            others.append(item)
            bounded(len(others) * (_LONGEST // _MOST_COMPARED))
        elif item in seen:
            continue
        else:
            seen.add(item)
        found.append(item)
    return found


def _weight(value: Any) -> int:
    """How many items there are in a value, at any depth, with its texts; no more is counted than there may be."""
    total, rest = 0, [value]
    while rest:
        one = rest.pop()
        total += 1
        if isinstance(one, str):
            bounded(len(one))
            total += len(one) * _ITEMS // _CHARACTERS
        elif isinstance(one, (list, dict)):
            bounded(total + len(one) + len(rest))
            rest.extend(one.values() if isinstance(one, dict) else one)
    return total
