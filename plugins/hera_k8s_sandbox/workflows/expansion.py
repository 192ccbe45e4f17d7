"""Expansion: one task or step with withItems, withParam or withSequence becomes many."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from hera_k8s_sandbox.workflows.substitution import substitute
from hera_k8s_sandbox.workflows.values import go_json, text_of

Json = dict[str, Any]

_EXPANDING: Final = ("withItems", "withParam", "withSequence")
_INTEGER: Final = re.compile(r"\s*[-+]?\d+\s*")


class ExpansionError(ValueError):
    """The items cannot be had."""


def expands(step: Json) -> bool:
    """Whether a task or step stands for many."""
    return bool(step.get("withItems") or step.get("withParam") or step.get("withSequence"))


def expand(step: Json) -> list[Json]:
    """The tasks that one stands for, named `name(0:item)`; itself when it does not expand. Raises ExpansionError."""
    if not expands(step):
        return [step]
    bare = {key: value for key, value in step.items() if key not in _EXPANDING}
    return [_of_item(bare, index, item) for index, item in enumerate(_items(step))]


def _items(step: Json) -> Iterable[Any]:
    if step.get("withItems"):
        return list(step["withItems"])
    if step.get("withParam"):
        return _parsed(step["withParam"])
    return _sequence(step["withSequence"])


def _parsed(text: Any) -> list[Any]:
    try:
        items = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        items = None
    if not isinstance(items, list):
        raise ExpansionError(f"withParam value could not be parsed as a JSON list: {str(text).strip()}")
    return items


def _sequence(sequence: Json) -> list[str]:
    start = _integer(sequence.get("start"), 0)
    if sequence.get("count") not in (None, ""):
        count = _integer(sequence["count"], 0)
        if count < 1:
            return []
        end = start + count - 1
    elif sequence.get("end") not in (None, ""):
        end = _integer(sequence["end"], 0)
    else:
        raise ExpansionError("must have one of count or end")
    form = sequence.get("format") or "%d"
    step = 1 if start <= end else -1
    try:
        return [form % number for number in range(start, end + step, step)]
    except (TypeError, ValueError):
        raise ExpansionError(f"withSequence.format '{form}' cannot be applied to a number") from None


def _integer(value: Any, otherwise: int) -> int:
    if value is None or value == "":
        return otherwise
    if not _INTEGER.fullmatch(str(value)):
        raise ExpansionError(f'strconv.Atoi: parsing "{value}": invalid syntax')
    return int(value)


def _of_item(step: Json, index: int, item: Any) -> Json:
    values = {"item": text_of(item)}
    shown = values["item"]
    if isinstance(item, dict):
        values |= {f"item.{key}": text_of(value) for key, value in item.items()}
        shown = ",".join(f"{key}:{text_of(item[key])}" for key in sorted(item))
    elif isinstance(item, list):
        shown = go_json(item)
    expanded: Json = substitute(step, values)
    # parentheses would be taken for the item's when a name is read back
    expanded["name"] = f"{step['name']}({index}:{shown.replace('(', '').replace(')', '')})"
    return expanded
