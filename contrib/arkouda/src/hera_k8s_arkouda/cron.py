"""Cron schedules, checked early: Argo's controller would report an error only in a status."""

from __future__ import annotations

import re
import zoneinfo
from typing import Final

from hera_k8s_utils import OptionsError

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_PART: Final = re.compile(r"(\*|\?|[0-9a-z]+(?:-[0-9a-z]+)?)(?:/([0-9]+))?")
_NICKNAMES: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def check_schedule(text: str) -> str:
    """A warning about a valid schedule that is probably not intended, or an empty text.

    Raises `OptionsError` for an invalid schedule.
    """
    if text in _NICKNAMES:
        return ""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise _invalid(text, f"{len(fields)} fields instead of minute, hour, day of the month, month, day of the week")
    for field, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        for part in field.lower().split(","):
            if not _fits(part, low, high, words):
                raise _invalid(text, f"{part!r} is not a {name} ({low} to {high})")
    if fields[0] in ("*", "*/1", "0-59"):
        hour = "each minute" if fields[1] == "*" else f"each minute of hour {fields[1]}"
        return f"{text!r} fires {hour}; for once an hour, the first field is a number"
    return ""


def check_timezone(name: str) -> None:
    """Raise `OptionsError` for an unknown time zone. Without a database of zones, any name is accepted."""
    known = zoneinfo.available_timezones()
    if known and name not in known:
        raise OptionsError(f"unknown time zone {name!r}", hint="use a name of the tz database, such as Europe/Paris")


def _fits(part: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    matched = _PART.fullmatch(part)
    if matched is None or (matched[2] is not None and int(matched[2]) == 0):
        return False
    if matched[1] in ("*", "?"):
        return True
    numbers = [_number(word, low, words) for word in matched[1].split("-")]
    return all(n is not None and low <= n <= high for n in numbers) and numbers == sorted(numbers, key=lambda n: n or 0)


def _number(word: str, low: int, words: tuple[str, ...]) -> int | None:
    if word in words:
        return words.index(word) + low
    return int(word) if word.isdigit() else None


def _invalid(text: str, found: str) -> OptionsError:
    return OptionsError(f"{text!r} is not a schedule", found=found, hint='"0 06 * * *" is each day at 6 o\'clock')
