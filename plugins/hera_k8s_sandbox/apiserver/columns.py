"""Columns: what a table shows of an object, and how it writes times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_utils._types import Json


@dataclass(frozen=True)
class Column:
    """One column; priority 1 shows with `-o wide` only."""

    name: str
    cell: Callable[[Json], object]
    priority: int = 0
    type: str = "string"
    format: str = ""
    description: str = ""


def age(text: str | None) -> str:
    """How long ago a time was, in the short form of kubectl: 45s, 3m20s, 5h, 2d."""
    return duration(max(0, int(CLOCK.now() - seconds_of(text)))) if text else "<unknown>"


def seconds_of(text: str) -> float:
    """A time as clients write it, with or without parts of a second, in seconds since the epoch."""
    return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()


def duration(seconds: int) -> str:
    """A duration in the short form of kubectl; seconds: whole."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d" if days < 730 else f"{days // 365}y{days % 365}d"


def path_of(path: str, default: object = "") -> Callable[[Json], object]:
    """A cell that shows what is at a dotted path."""

    def cell(obj: Json) -> object:
        value: Any = obj
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return default if value is None else value

    return cell


def age_of(path: str, default: object = "<unknown>") -> Callable[[Json], object]:
    """A cell that shows how long ago the time at a dotted path was."""
    read = path_of(path)
    return lambda obj: age(str(read(obj))) if read(obj) else default


AGE: Final = Column("Age", age_of("metadata.creationTimestamp"))
