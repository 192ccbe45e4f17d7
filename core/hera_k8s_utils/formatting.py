"""Times, durations, sizes and numbers as a person says them."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Final

from hera_k8s_utils.errors import OptionsError
from hera_k8s_utils.sanitize import one_line

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNITS: Final = {"": 1, "s": 1, "min": _MINUTE, "m": _MINUTE, "h": _HOUR, "d": _DAY}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(d|h|min|m|s|)")


def format_duration(seconds: float) -> str:
    """How long something took: `0.31 s`, `3.2 s`, `51 s`, `1 min 14 s`, `2 h 3 min`, `3 d 4 h`."""
    seconds = max(0.0, seconds)
    if seconds < 0.995:
        return f"{seconds:.2g} s" if seconds >= 0.0095 else "0.01 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _pair(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _pair(whole, _HOUR, "h", _MINUTE, "min")
    return _pair(whole, _DAY, "d", _HOUR, "h")


def run_time(seconds: float) -> str:
    """How long a run took by its server's clock, which tells whole seconds: `under 1 s`, `6 s`, `1 min 14 s`."""
    if seconds < 1:
        return "under 1 s"
    return f"{round(seconds)} s" if seconds < _MINUTE else format_duration(seconds)


def _pair(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    many, rest = divmod(whole, large)
    few = rest // small
    return f"{many} {large_name} {few} {small_name}" if few else f"{many} {large_name}"


def format_elapsed(seconds: float) -> str:
    """A running time of fixed shape: `0:51`, `12:03`, `1:02:03`."""
    minutes, second = divmod(int(max(0.0, seconds)), _MINUTE)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def parse_duration(text: str, flag: str = "that") -> float:
    """Seconds from `90`, `90s`, `10m`, `1h30m`, `2 h`; raises `OptionsError`, naming the flag, for anything else."""
    position, total = 0, 0.0
    stripped = text.strip().lower()
    while position < len(stripped):
        part = _PART.match(stripped, position)
        if part is None:
            position = -1
            break
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if position <= 0:
        raise OptionsError(f"{flag} cannot be used", found="not a duration", hint="seconds, or such as 90s, 10m, 1h30m")
    return total


def parse_timestamp(text: str) -> datetime | None:
    """A time as servers write it (RFC 3339, with `Z`), None when it is not one. Always timezone-aware."""
    # Python 3.10 knows no Z, and fractions of three or six digits only
    six_digits = re.sub(r"\.(\d+)", lambda match: f".{match[1][:6]:0<6}", text.strip())
    try:
        found = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", six_digits))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def now() -> datetime:
    """This moment, timezone-aware, in local time."""
    return datetime.now(timezone.utc).astimezone()


def format_timestamp(at: datetime) -> str:
    """A time for records: RFC 3339 in UTC, to the millisecond."""
    return at.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_ago(then: datetime, at: datetime | None = None) -> str:
    """How long ago it was: `just now`, `4 min ago`, `2 h ago`, and from a week on the day: `20 Nov 2026`."""
    seconds = ((at or now()) - then).total_seconds()
    if seconds < 10:
        return "just now"
    if seconds >= 7 * _DAY:
        local = then.astimezone()
        return f"{local.day} {local:%b %Y}"
    for large, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= large:
            return f"{int(seconds // large)} {name} ago"
    return f"{int(seconds)} s ago"


def format_bytes(count: int) -> str:
    """A number of bytes: `812 B`, `20.8 kB`, `1.1 MB` (powers of ten)."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def pluralize(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 check`, `9 checks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def align_columns(rows: Sequence[Sequence[str]], *, gap: int = 2) -> list[str]:
    """Rows of text with their columns aligned, each in one line; trailing spaces are left out."""
    if not rows:
        return []
    rows = [[one_line(cell) for cell in row] for row in rows]
    many = max(len(row) for row in rows)
    widths = [max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(many)]
    return [
        (" " * gap).join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows
    ]


_WIDEST: Final = 100


def terminal_width() -> int:
    """Columns for help: those of the terminal, within reason."""
    return max(50, min(shutil.get_terminal_size().columns - 2, _WIDEST))


# --- lines that are too long for a terminal --------------------------------------------------------------------

_SIGN: Final = re.compile(r"\s*(?:->|[^\w\s]|\w+:(?= ))? *")
_WIDEST_COLUMN: Final = 40


def cell_width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def line_breaks(line: str, width: int) -> tuple[list[int], int]:
    """Where to break a line that is wider than the terminal, and how far to indent what follows.

    Words, such as addresses and paths, are never broken. Further lines begin below the text that follows a glyph or an
    arrow, or below the second column of a table.
    """
    if cell_width(line) <= width:
        return [], 0
    hang = _hanging_indent(line, width)
    breaks: list[int] = []
    start = indent = 0
    for word in re.finditer(r"\S+", line):
        fits = indent + cell_width(line[start : word.end()]) <= width
        if not fits and word.start() > max(start, 0 if breaks else hang):
            breaks.append(word.start())
            start, indent = word.start(), hang
    return breaks, hang


def _hanging_indent(line: str, width: int) -> int:
    sign = _SIGN.match(line)
    lead = sign.end() if sign else 0
    if line[:lead].rstrip().endswith("->"):
        return lead
    column = re.compile(r"\S {2,}(?=\S)").search(line, lead)
    if column is None or column.end() > _WIDEST_COLUMN:
        return lead
    longest = max(cell_width(word) for word in line[column.end() :].split())
    return column.end() if column.end() + longest <= width else lead


def wrapped(text: str, width: int) -> str:
    """A text with its long lines broken as `line_breaks` says."""
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    breaks, hang = line_breaks(line, width)
    ends = [*breaks, len(line)]
    parts = [line[start:end].rstrip() for start, end in zip([0, *breaks], ends, strict=True)]
    return ("\n" + " " * hang).join(parts) if breaks else line
