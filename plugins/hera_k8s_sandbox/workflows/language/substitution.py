"""Substitution: `{{tag}}` in the texts of a template is replaced by the value that the tag stands for.

`{{=expression}}` is replaced by what it comes to, as soon as all that it names is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hera_k8s_sandbox.workflows.expressions import shown
from hera_k8s_sandbox.workflows.limits import LARGEST_TEXT, LimitError

_TAG: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)


class Budget:
    """The characters that are left to what replaces tags."""

    def __init__(self, characters: int) -> None:
        self._characters = self._left = characters

    def take(self, text: str) -> str:
        """Pay for a text. Raises LimitError."""
        self._left -= len(text)
        if self._left < 0:
            raise LimitError(f"the values of tags come to more than {self._characters} characters")
        return text


def substitute(value: Any, values: Mapping[str, str], budget: Budget | None = None) -> Any:
    """A copy of plain data in which known tags are replaced; unknown ones stay for a later pass.

    budget: of what replaces the tags; without one, what a request to the API server may have. Raises LimitError.
    """
    budget = budget or Budget(LARGEST_TEXT)
    if isinstance(value, str):
        return _replaced(value, values, budget) if "{{" in value else value
    if isinstance(value, dict):
        return {key: substitute(each, values, budget) for key, each in value.items()}
    if isinstance(value, list):
        return [substitute(each, values, budget) for each in value]
    return value


def substitute_text(text: str, values: Mapping[str, str]) -> str:
    """A text in which known tags are replaced. Raises LimitError."""
    return _replaced(text, values, Budget(LARGEST_TEXT))


def _replaced(text: str, values: Mapping[str, str], budget: Budget) -> str:
    def replacement(found: re.Match[str]) -> str:
        tag = found[1]
        value = shown(tag[1:], values) if tag.startswith("=") else values.get(tag)
        return found[0] if value is None else budget.take(value)

    return _TAG.sub(replacement, text)


def tags(value: Any) -> Iterator[str]:
    """All tags in the texts of plain data."""
    if isinstance(value, str):
        if "{{" in value:
            yield from (found[1] for found in _TAG.finditer(value))
    elif isinstance(value, dict):
        for each in value.values():
            yield from tags(each)
    elif isinstance(value, list):
        for each in value:
            yield from tags(each)
