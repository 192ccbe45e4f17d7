"""Schedules: the times that a cron expression names, as the library of Argo's controller (robfig/cron 3) reads them.

Five fields (minute, hour, day of the month, month, day of the week), `@hourly` and its like, and `@every 1h30m`.
The fields are local time of the zone: what clocks that go forward leave out does not happen, and what clocks that go
back bring twice happens twice.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from hera_k8s_sandbox.foundation.durations import duration_of

_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_NAMES: Final[dict[str, dict[str, int]]] = {
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "weekday": {name: number for number, name in enumerate(_DAYS)},
}
_BOUNDS: Final = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 6)}
_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_YEARS_AHEAD: Final = 5  # after so many years without a match there is none
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_SPANS: Final = (_HOUR, _DAY, 32 * _DAY, 367 * _DAY, math.inf)


class ScheduleError(ValueError):
    """The expression cannot be read; the message is that of Argo's library."""


@dataclass(frozen=True)
class _Field:
    """The values that one field allows.

    any: it was a star, which matters for days.
    """

    values: frozenset[int]
    any: bool


@dataclass(frozen=True)
class Schedule:
    """When something is to happen.

    every: seconds between two times, None for a schedule of fields.
    """

    fields: dict[str, _Field]
    zone: tzinfo
    every: float | None = None

    @classmethod
    def parse(cls, text: str, zone: str = "") -> Schedule:
        """Read an expression; zone: of the time zone database, such as `Europe/Paris`. Raises ScheduleError."""
        text = text.strip() if isinstance(text, str) else ""
        if text.startswith(("TZ=", "CRON_TZ=")):
            head, _, text = text.partition(" ")
            zone, text = head.partition("=")[2], text.strip()
        found = _zone(zone)
        if not text:
            raise ScheduleError("empty spec string")
        if text.startswith("@every "):
            return cls({}, found, _delay(text))
        if text.startswith("@"):
            if text not in _DESCRIPTORS:
                raise ScheduleError(f"unrecognized descriptor: {text}")
            text = _DESCRIPTORS[text]
        given = text.split()
        if len(given) != len(_BOUNDS):
            raise ScheduleError(f"expected exactly 5 fields, found {len(given)}: [{' '.join(given)}]")
        return cls({kind: _field(kind, each) for kind, each in zip(_BOUNDS, given, strict=True)}, found)

    def after(self, moment: float) -> int | None:
        """The first time after a moment, both in seconds since the epoch; None when none comes for years."""
        if self.every is not None:
            return int(moment) + int(self.every)
        at = int(moment) // _MINUTE * _MINUTE + _MINUTE
        limit = at + _YEARS_AHEAD * 366 * 24 * _HOUR
        while at <= limit:
            local = datetime.fromtimestamp(at, self.zone)
            if not self._allows_date(local):
                at = _next_day(at, local)
            elif local.hour not in self.fields["hour"].values:
                at += _HOUR - local.minute * _MINUTE - local.second
            elif local.minute not in self.fields["minute"].values:
                at += _MINUTE - local.second
            else:
                return at
        return None

    def before(self, moment: float, since: float) -> int | None:
        """The last time before a moment and after another one; None when there is none.

        It looks at the last hour first, then at longer spans: what lies between may hold millions of times.
        """
        if self.every is not None:
            step = int(self.every)
            times = math.ceil((moment - int(since)) / step) - 1
            return int(since) + times * step if times > 0 else None
        for span in _SPANS:
            start = max(since, moment - span)
            found, following = None, self.after(start)
            while following is not None and following < moment:
                found, following = following, self.after(following)
            if found is not None or start == since:
                return found
        return None

    def _allows_date(self, local: datetime) -> bool:
        if local.month not in self.fields["month"].values:
            return False
        day, weekday = self.fields["day"], self.fields["weekday"]
        in_month, in_week = local.day in day.values, local.isoweekday() % 7 in weekday.values
        return (in_month and in_week) if day.any or weekday.any else (in_month or in_week)


def _zone(name: str) -> tzinfo:
    if name in ("", "UTC"):
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ScheduleError(f"provided bad location {name}: unknown time zone {name}") from None


def _next_day(at: int, local: datetime) -> int:
    """Where the next local day begins; midnight itself may be left out by the clocks."""
    midnight = (local.replace(hour=0, minute=0, second=0, fold=0, tzinfo=None) + timedelta(days=1)).replace(
        tzinfo=local.tzinfo
    )
    return max(int(midnight.timestamp()), at + _MINUTE)


def _delay(text: str) -> float:
    given = text.removeprefix("@every ").strip()
    try:
        seconds = duration_of(given) if not given.isdigit() else None
    except ValueError as error:
        raise ScheduleError(f"failed to parse duration {text}: {error}") from None
    if seconds is None:
        raise ScheduleError(f'failed to parse duration {text}: time: missing unit in duration "{given}"')
    return max(1.0, float(int(seconds)))


def _field(kind: str, text: str) -> _Field:
    values: set[int] = set()
    any_value = False
    for part in text.split(","):
        if part:
            found, star = _range(kind, part)
            values |= found
            any_value = any_value or star
    return _Field(frozenset(values), any_value)


def _range(kind: str, text: str) -> tuple[set[int], bool]:
    """The values of `*`, `a`, `a-b`, each perhaps with `/step`, and whether it is a star without a step."""
    low, high = _BOUNDS[kind]
    extent, *steps = text.split("/")
    ends = extent.split("-")
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {text}")
    star = ends[0] in ("*", "?")
    if star:
        start, end = low, high
    elif len(ends) > 2:
        raise ScheduleError(f"too many hyphens: {text}")
    else:
        start = _number(kind, ends[0])
        end = _number(kind, ends[1]) if len(ends) > 1 else start
    step = 1
    if steps:
        step = _number(kind, steps[0])
        if not star and len(ends) == 1:
            end = high  # as in `5/15`
    if start < low:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({low}): {text}")
    if end > high:
        raise ScheduleError(f"end of range ({end}) above maximum ({high}): {text}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return set(range(start, end + 1, step)), star and step == 1


def _number(kind: str, text: str) -> int:
    named = _NAMES.get(kind, {}).get(text.lower())
    if named is not None:
        return named
    if not re.fullmatch(r"[-+]?\d+", text, re.ASCII):
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number
