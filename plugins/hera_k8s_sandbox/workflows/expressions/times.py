"""Times: moments and durations in expressions, with the methods of Go's that Argo's documentation uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.durations import duration_of
from hera_k8s_sandbox.workflows.expressions.errors import ExpressionError


@dataclass(frozen=True, order=True)
class Duration:
    """A length of time, in seconds."""

    seconds: float


@dataclass(frozen=True, order=True)
class Moment:
    """A point in time, in seconds since the epoch."""

    seconds: float

    @classmethod
    def read(cls, text: str) -> Moment:
        """As RFC 3339 writes it, or a day. Raises ExpressionError."""
        try:
            found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            raise ExpressionError(f"invalid date {text}") from None
        return cls((found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp())

    @property
    def shown(self) -> datetime:
        """With its fields, in UTC."""
        return datetime.fromtimestamp(self.seconds, timezone.utc)


def now() -> Moment:
    """What the sandbox takes for now."""
    return Moment(CLOCK.now())


def duration(text: Any) -> Duration:
    """`1h30m`. Raises ExpressionError."""
    try:
        return Duration(duration_of(text))
    except ValueError as error:
        raise ExpressionError(str(error)) from None


_OF_DURATIONS: Final[Mapping[str, Callable[[Duration], Any]]] = {
    "Hours": lambda one: one.seconds / 3600,
    "Minutes": lambda one: one.seconds / 60,
    "Seconds": lambda one: float(one.seconds),
    "Milliseconds": lambda one: int(one.seconds * 1000),
}
_OF_MOMENTS: Final[Mapping[str, Callable[[Moment], Any]]] = {
    "Unix": lambda one: int(one.seconds),
    "Year": lambda one: one.shown.year,
    "Month": lambda one: one.shown.month,
    "Day": lambda one: one.shown.day,
    "Hour": lambda one: one.shown.hour,
    "Minute": lambda one: one.shown.minute,
    "Second": lambda one: one.shown.second,
    "Weekday": lambda one: one.shown.isoweekday() % 7,
}
METHODS: Final = frozenset({*_OF_DURATIONS, *_OF_MOMENTS})
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {"now": now, "date": Moment.read, "duration": duration}


def is_time(value: Any) -> bool:
    """Whether a value is a moment or a duration."""
    return isinstance(value, (Moment, Duration))


def method(holder: Any, name: str) -> Any:
    """What a method of a moment or duration returns. Raises ExpressionError."""
    if isinstance(holder, Duration) and name in _OF_DURATIONS:
        return _OF_DURATIONS[name](holder)
    if isinstance(holder, Moment) and name in _OF_MOMENTS:
        return _OF_MOMENTS[name](holder)
    raise ExpressionError(f"type {type(holder).__name__} has no method {name}")


def calculate(operator: str, left: Any, right: Any) -> Any:
    """The difference, the sum or the order of moments and durations. Raises ExpressionError."""
    if operator in ("==", "!="):
        return (left == right) is (operator == "==")
    alike = type(left) is type(right)
    if alike and operator in ("<", "<=", ">", ">="):
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]
    if alike and operator == "-":
        return Duration(left.seconds - right.seconds)
    if operator == "+" and isinstance(right, Duration):
        return type(left)(left.seconds + right.seconds)
    if operator == "-" and isinstance(left, Moment) and isinstance(right, Duration):
        return Moment(left.seconds - right.seconds)
    message = f"{type(left).__name__.lower()} and {type(right).__name__.lower()}"
    raise ExpressionError(f"invalid operation: {operator} (mismatched types {message})")
