"""Expansion: one task or step with withItems, withParam or withSequence becomes many."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hera_k8s_sandbox.foundation.json_values import go_json, text_of
from hera_k8s_sandbox.workflows.language.substitution import Budget, substitute
from hera_k8s_sandbox.workflows.limits import LARGEST_PLAIN
from hera_k8s_utils._types import Json

_EXPANDING: Final = ("withItems", "withParam", "withSequence")
_INTEGER: Final = re.compile(r"\s*[-+]?\d+\s*")
_LARGEST_INTEGER: Final = (1 << 63) - 1  # Go's
_DIGITS: Final = 1_000  # of a number that is read at all
_WIDTH: Final = re.compile(r"\d+")  # in a format
_WIDEST: Final = 3  # digits of one
_LONGEST_SHOWN: Final = 1_000  # characters of a bad value in a message


class ExpansionError(ValueError):
    """The items cannot be had."""


def expands(step: Json) -> bool:
    """Whether a task or step stands for many."""
    return bool(step.get("withItems") or step.get("withParam") or step.get("withSequence"))


class Expansion:
    """The tasks that one stands for, named `name(0:item)`; made one by one, for there may be more than have room.

    items: None for a task without any, which stands for itself.
    """

    def __init__(self, step: Json, items: Sequence[Any] | _Sequence | None) -> None:
        self._step = step
        self._items = items
        self.count = 1 if items is None else items.count if isinstance(items, _Sequence) else len(items)

    def __iter__(self) -> Iterator[Json]:
        if self._items is None:
            yield self._step
            return
        bare = {key: value for key, value in self._step.items() if key not in _EXPANDING}
        budget = Budget(LARGEST_PLAIN)
        for place in range(self.count):
            yield _of_item(bare, place, self._items[place], budget)

    def names(self, most: int) -> list[str]:
        """The names of some of them, evenly spread."""
        if self._items is None:
            return [self._step["name"]]
        distance = max(1, self.count // most)
        places = range(0, min(self.count, most * distance), distance)
        return [_name_of(self._step, place, self._items[place]) for place in places]


class _Sequence:
    """The items of withSequence: numbers in a format."""

    def __init__(self, start: int, step: int, count: int, form: str) -> None:
        self.count = count
        self._start, self._step, self._form = start, step, form

    def __getitem__(self, place: int) -> str:
        return self._form % (self._start + self._step * place)


def expand(step: Json) -> Expansion:
    """The tasks that one stands for. Raises ExpansionError."""
    return Expansion(step, _items(step) if expands(step) else None)


def _items(step: Json) -> Sequence[Any] | _Sequence:
    if step.get("withItems"):
        return list(step["withItems"])
    if step.get("withParam"):
        return _parsed(step["withParam"])
    return _sequence(step["withSequence"])


def _parsed(text: Any) -> list[Any]:
    try:
        items = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        shown = str(text).strip()
        raise ExpansionError(f"withParam value could not be parsed as a JSON list: {shown[:_LONGEST_SHOWN]}")
    return items


def _sequence(sequence: Json) -> _Sequence:
    start = _integer(sequence.get("start"), 0)
    if sequence.get("count") not in (None, ""):
        count = _integer(sequence["count"], 0)
        end = start + count - 1
        if count < 1:
            return _Sequence(start, 1, 0, "%d")
    elif sequence.get("end") not in (None, ""):
        end = _integer(sequence["end"], 0)
    else:
        raise ExpansionError("must have one of count or end")
    return _Sequence(start, 1 if start <= end else -1, abs(end - start) + 1, _format(sequence, start))


def _format(sequence: Json, number: int) -> str:
    """The format of a sequence, which was tried. Raises ExpansionError."""
    form = str(sequence.get("format") or "%d")
    if any(len(width) > _WIDEST for width in _WIDTH.findall(form)):
        shown = form[:_LONGEST_SHOWN]
        raise ExpansionError(f"withSequence.format '{shown}': the sandbox writes numbers of up to 999 characters")
    try:
        form % number
    except (TypeError, ValueError):
        raise ExpansionError(f"withSequence.format '{form}' cannot be applied to a number") from None
    return form


def _integer(value: Any, otherwise: int) -> int:
    if value is None or value == "":
        return otherwise
    text = str(value)
    if not _INTEGER.fullmatch(text):
        raise ExpansionError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    if len(text.strip()) > _DIGITS or not -_LARGEST_INTEGER - 1 <= int(text) <= _LARGEST_INTEGER:
        raise ExpansionError(f'strconv.Atoi: parsing "{text[:_LONGEST_SHOWN]}": value out of range')
    return int(text)


def _of_item(step: Json, index: int, item: Any, budget: Budget) -> Json:
    values = {"item": text_of(item)}
    if isinstance(item, dict):
        values |= {f"item.{key}": text_of(value) for key, value in item.items()}
    expanded: Json = substitute(step, values, budget)
    expanded["name"] = _name_of(step, index, item)
    return expanded


def _name_of(step: Json, index: int, item: Any) -> str:
    shown = text_of(item)
    if isinstance(item, dict):
        shown = ",".join(f"{key}:{text_of(item[key])}" for key in sorted(item))
    elif isinstance(item, list):
        shown = go_json(item)
    # parentheses would be taken for the item's when a name is read back
    return f"{step['name']}({index}:{shown.replace('(', '').replace(')', '')})"
