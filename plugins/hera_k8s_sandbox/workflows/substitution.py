"""Substitution: `{{tag}}` in the texts of a template is replaced by the value that the tag stands for.

`{{=expression}}` is replaced by what it comes to, as soon as all that it names is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hera_k8s_sandbox.workflows.expressions import shown

_TAG: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)


def substitute(value: Any, values: Mapping[str, str]) -> Any:
    """A copy of plain data in which known tags are replaced; unknown ones stay for a later pass."""
    if isinstance(value, str):
        return substitute_text(value, values) if "{{" in value else value
    if isinstance(value, dict):
        return {key: substitute(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [substitute(each, values) for each in value]
    return value


def substitute_text(text: str, values: Mapping[str, str]) -> str:
    """A text in which known tags are replaced."""

    def replacement(found: re.Match[str]) -> str:
        tag = found[1]
        if tag.startswith("="):
            value = shown(tag[1:], values)
            return found[0] if value is None else value
        return values.get(tag, found[0])

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
