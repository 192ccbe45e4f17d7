"""Conversion of values as written in a source to the type of their option."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hera_k8s_utils.config.files import split_list
from hera_k8s_utils.config.options import OptionSpec, OptionType, ValueSource
from hera_k8s_utils.errors import OptionsError
from hera_k8s_utils.paths import expand_path

_YES: Final = frozenset({"true", "yes", "on", "1", "y"})
_NO: Final = frozenset({"false", "no", "off", "0", "n"})


@dataclass(frozen=True)
class Candidate:
    """The value of an option in one source.

    origin: the source.
    value: as written there.
    location: file, line and key for messages; empty for other sources.
    """

    origin: ValueSource
    value: Any = field(repr=False)
    location: str = ""


def texts_of(value: Any) -> list[str]:
    """A value as written in a source, as the texts of a list."""
    if isinstance(value, str):
        is_list = value.startswith("[") and value.endswith("]")
        return list(split_list(value)) if is_list else [value]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [str(each) for each in value]
    return [] if value is None else [str(value)]


def converted(spec: OptionSpec, candidate: Candidate) -> Any:
    """The value in the option's type. Raises `OptionsError` naming the source, never the value."""
    try:
        value = _convert(spec, candidate.value)
        if spec.info.choices and any(str(each) not in spec.info.choices for each in texts_of(value)):
            raise ValueError(f"not one of {', '.join(spec.info.choices)}")
    except OptionsError as error:
        where = candidate.location or candidate.origin.where
        raise OptionsError(f"{where} cannot be used", found=error.found, hint=error.hint) from None
    except (ValueError, OverflowError) as error:
        raise OptionsError(
            f"{candidate.location or candidate.origin.where} cannot be used",
            found=str(error),
            hint=f"{spec.flag}: {spec.info.help}",
        ) from None
    return value


def _convert(spec: OptionSpec, value: Any) -> Any:
    if spec.kind is OptionType.LIST:
        return tuple(texts_of(value))
    if value is None:  # a key that stands alone
        if spec.kind is OptionType.SWITCH:
            return True
        raise ValueError("it has no value")
    if isinstance(value, (list, tuple)):
        raise ValueError("a list, but one value is expected")
    if isinstance(value, str):
        return None if spec.optional and not value else _FROM_TEXT[spec.kind](value)
    return _of_type(spec.kind, value)


def parse_pairs(texts: Sequence[str], flag: str, form: str, example: str) -> dict[str, str]:
    """The entries of a `mapping` option as a dictionary. Raises `OptionsError` for an entry of another form."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise OptionsError(f"{flag} {text!r}", found=f"not of the form {form}", hint=f"{flag} {example}")
        found[name] = value
    return found


def switch(text: str) -> bool:
    """A boolean in the usual spellings. Raises `ValueError` for anything else."""
    word = text.strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError("neither true nor false")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("not a whole number") from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("not a number") from None
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


_FROM_TEXT: Final[Mapping[OptionType, Callable[[str], Any]]] = {
    OptionType.TEXT: str,
    OptionType.WHOLE: _whole,
    OptionType.NUMBER: _number,
    OptionType.SWITCH: switch,
    OptionType.PATH: expand_path,
}


def _of_type(kind: OptionType, value: Any) -> Any:
    """A value that is no text, from a keyword or a site's default, checked."""
    if kind is OptionType.TEXT and isinstance(value, os.PathLike):
        return str(value)
    if kind is OptionType.SWITCH and isinstance(value, bool):
        return value
    if kind is OptionType.PATH and isinstance(value, os.PathLike):
        return expand_path(value)
    if kind is OptionType.NUMBER and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(str(value))
    if kind is OptionType.WHOLE and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"a {type(value).__name__}, but a {kind.value} is expected")
