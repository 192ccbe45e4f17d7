"""One codec for values: canonical text, path segment, DNS name, label, and back.

A value's *text* is what a task receives: `3.82`, `1`, `true`, `null`, `2012-07-01`, `Infinity`. But for dates and
strings it is the value's JSON, which is how a Hera script reads its arguments.

A value's *segment* is its text made safe in any path: ASCII letters, digits and `_ . + -` stand for themselves, every
other byte of its UTF-8 is `%XX`, and so is a dot at either end, since `.` and `..` mean something else in a path and
leading dots hide files. `%00` is the empty text (NUL itself is refused: no process can be given one). Segments are
ASCII, so no file system normalises them into something else.

Types are not written into paths. They are recovered from the *column*: the types of the values that a parameter was
declared with. The texts of the types other than `str` never coincide; a text that could be read back as one of
the column's other types (`"1"` beside `2`, `"true"` beside `False`) is refused by name.
"""

from __future__ import annotations

import base64
import hashlib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timezone
from enum import Enum
from types import NoneType
from typing import Any, Final

from hera_k8s_utils.errors import BuildError

Value = str | int | float | bool | None | date | datetime
"""What a parameter can be."""


class Placeholder(str):
    """Text such as `{{item.seed}}` that stands for a value not yet known; the codec leaves it as it is."""

    __slots__ = ()


# --- values ----------------------------------------------------------------------------------------------------


def coerce(raw: object, where: str) -> Value:
    """A Python value that a point can hold; numpy's scalars, timestamps of pandas and Enums of texts become Python's.

    where: what the value belongs to, as a message names it.

    Raises `BuildError` for NaN, which equals nothing and so could never be found again, for text that is not valid
    UTF-8 or holds a NUL, and for any other type.
    """
    kind = type(raw)
    if kind in (int, bool, NoneType, date):
        return raw  # type: ignore[return-value]
    if isinstance(raw, float) and kind is float:
        return _number(raw, where)
    if isinstance(raw, str) and kind is str:
        return _words(raw, where)
    if isinstance(raw, datetime) and kind is datetime:
        return _moment(raw)
    return _converted(raw, where)


def _number(raw: float, where: str) -> float:
    if math.isnan(raw):
        raise BuildError(
            f"{where} cannot be NaN", found="NaN equals nothing, not even itself", hint="None says: no value"
        )
    return raw


def _words(raw: str, where: str) -> str:
    if "\0" in raw:
        raise BuildError(f"{where} cannot be {short_repr(raw)}", found="no process can be given a NUL character")
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise BuildError(
            f"{where} cannot be {short_repr(raw)}", found="not valid Unicode: it holds a lone surrogate"
        ) from None
    return raw


def _moment(raw: datetime) -> datetime:
    """Named time zones become the offset that held: this is what text can carry."""
    offset = raw.utcoffset()
    zone = None if offset is None else timezone(offset)
    return raw.replace(tzinfo=zone, fold=0)


def _converted(raw: object, where: str) -> Value:
    """A value of a type that stands for one of ours without loss: an Enum of texts, a timestamp, a numpy scalar."""
    found: object = raw
    if isinstance(raw, Enum) and isinstance(raw, (str, int, float)):
        found = raw.value
    elif isinstance(raw, date):
        found = _plain_date(raw)
    elif type(raw).__name__ == "datetime64":
        found = _from_datetime64(raw)
    elif type(raw).__name__ != "timedelta64":  # in nanoseconds its item() is a bare int
        item = getattr(raw, "item", None)
        with suppress(TypeError, ValueError):  # an array of several elements
            found = item() if callable(item) else raw
    if type(found) in TYPES:
        return coerce(found, where)
    kind = type(raw)
    raise BuildError(
        f"{where} cannot be of type {kind.__module__}.{kind.__qualname__}".replace("builtins.", ""),
        found=short_repr(raw),
        hint=_way_out(raw),
    )


def _plain_date(raw: date) -> object:
    """The date or time that a derived class holds, such as a Timestamp of pandas; itself where that would lose some."""
    if raw != raw or getattr(raw, "nanosecond", 0) != 0:  # NaT, and what `datetime` cannot hold
        return raw
    if not isinstance(raw, datetime):
        return date(raw.year, raw.month, raw.day)
    whole = datetime(raw.year, raw.month, raw.day, raw.hour, raw.minute, raw.second, raw.microsecond)
    return whole.replace(tzinfo=raw.tzinfo, fold=raw.fold)


def _from_datetime64(raw: Any) -> object:
    """numpy's datetime64: one in nanoseconds, as pandas has it, is a time if it has whole microseconds."""
    if raw != raw:  # NaT
        return raw
    moment = raw.item()
    if not isinstance(moment, int):
        return moment
    if not hasattr(raw, "astype"):
        return raw
    rounded = raw.astype("datetime64[us]")
    return rounded.item() if rounded == raw else raw


_WAYS_OUT: Final[Mapping[str, str]] = {
    "NaTType": "None says: no value",
    "NAType": "None says: no value",
    "Timestamp": "its nanoseconds are too fine: .floor('us') drops them, str(...) keeps them",
    "datetime64": "None says: no value; whole microseconds: .astype('datetime64[us]'); str(...) keeps all digits",
    "Period": "its start as a time: .start_time; or str(...)",
    "Decimal": "str(...) keeps its digits, float(...) makes it a number",
    "Fraction": "float(...) makes it a number; or two parameters, numerator and denominator",
    "complex": "two parameters, .real and .imag",
    "complex64": "two parameters, .real and .imag",
    "complex128": "two parameters, .real and .imag",
    "longdouble": "float(...) makes it a number",
    "timedelta": "its seconds as a number: .total_seconds()",
    "Timedelta": "its seconds as a number: .total_seconds()",
    "timedelta64": "its seconds as a number: value / numpy.timedelta64(1, 's')",
    "time": "its text: .isoformat()",
    "bytes": "its text: .decode()",
    "UUID": "its text: str(...)",
}
"""What to write instead of a value, by the name of its type: libraries are not imported to recognise theirs."""


def _way_out(raw: object) -> str:
    if isinstance(raw, Enum):
        return "its value or its name: .value, .name"
    if isinstance(raw, os.PathLike):
        return "its text: str(...)"
    names = (kind.__name__ for kind in type(raw).__mro__)
    fitting = (_WAYS_OUT[name] for name in names if name in _WAYS_OUT)
    return next(fitting, "values are str, int, float, bool, None, date or datetime")


def short_repr(value: object, *, most: int = 80) -> str:
    """A value as a message holds it, cut after `most` characters."""
    try:
        text = value.isoformat() if isinstance(value, date) else repr(value)
    except ValueError:  # an int of more digits than Python agrees to write
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= most else f"{text[: most - 12]}...{text[-8:]}"


# --- texts -----------------------------------------------------------------------------------------------------


def _float_text(value: float) -> str:
    text = repr(value)
    if text[-1] != "f":
        return text
    return "Infinity" if value > 0 else "-Infinity"  # as JSON in Python has it; float() reads it too


_TEXT: Final[dict[type, Callable[[Any], str]]] = {
    str: str,
    int: int.__repr__,
    float: _float_text,
    bool: lambda value: "true" if value else "false",
    NoneType: lambda _: "null",
    date: date.isoformat,
    datetime: datetime.isoformat,
}
TYPES: Final = frozenset(_TEXT)
"""The types of values."""


def to_text(value: Value) -> str:
    """A value's canonical text. Raises `BuildError` for what is no value."""
    write = _TEXT.get(type(value))
    if write is None:
        return value if isinstance(value, Placeholder) else to_text(coerce(value, "a value"))
    try:
        return write(value)
    except ValueError:  # CPython writes no int of more than 4300 digits
        raise BuildError(f"{short_repr(value)} cannot be written", found="it has too many digits") from None


def to_json_value(value: Value) -> str | int | float | bool | None:
    """A value as JSON can hold it: dates and infinities as text, the others as they are."""
    if isinstance(value, date) or (isinstance(value, float) and math.isinf(value)):
        return to_text(value)
    return value


def value_key(value: Value) -> tuple[type, str]:
    """What makes two values the same: `1`, `1.0`, `True` and `"1"` are four, and so are `0.0` and `-0.0` two."""
    return type(value), to_text(value)


_BOOLEANS: Final = {"true": True, "false": False}


def _read_bool(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _read_none(text: str) -> None:
    if text.lower() not in ("null", "none", ""):
        raise ValueError(text)


def _read_int(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(text)
    return int(text)


def _read_float(text: str) -> float:
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    number = float(text)
    if math.isinf(number) and "inf" not in text.lower():  # 1e400
        raise ValueError(text)
    return number


def _read_date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _read_datetime(text: str) -> datetime:
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:", text):
        raise ValueError(text)
    return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))  # Python 3.10 does not know Z


_READ: Final[dict[type, Callable[[str], Value]]] = {
    NoneType: _read_none,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    date: _read_date,
    datetime: _read_datetime,
    str: str,
}
"""Readers in the order of trial: each raises `ValueError` on a text that is not of its type."""

_WORDS: Final[Mapping[type, str]] = {
    NoneType: "null",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    date: "a date (2012-07-01)",
    datetime: "a date and time (2012-07-01T12:00:00)",
    str: "a text",
}


# --- segments --------------------------------------------------------------------------------------------------

SAFE: Final = r"A-Za-z0-9_.+\-"
"""The characters that stand for themselves in a segment, as the inside of a regular expression's class."""
SEGMENT: Final = f"[{SAFE}%]+"
"""A regular expression that every segment matches."""
_EMPTY: Final = "%00"
_UNSAFE: Final = re.compile(rf"[^{SAFE}]|^\.|\.$".encode())
_ESCAPED: Final = re.compile(r"%([0-9A-F]{2})")
_CLEAN: Final = re.compile(rf"(?!\.)[{SAFE}]+(?<!\.)")


def escape(text: str) -> str:
    """A text as a segment, or a part of one."""
    if _CLEAN.fullmatch(text):
        return text
    if not text:
        return _EMPTY
    return _UNSAFE.sub(lambda found: b"%%%02X" % found.group()[0], text.encode()).decode("ascii")


_SEGMENT: Final[dict[type, Callable[[Any], str]]] = {
    **_TEXT,
    str: escape,
    datetime: lambda value: escape(value.isoformat()),
    Placeholder: str,
}


def segment_of(value: Value) -> str:
    """A value as (a part of) a path segment; a placeholder as it is. Raises `BuildError` for what is no value."""
    try:
        return _SEGMENT[type(value)](value)
    except (KeyError, ValueError):
        return escape(to_text(value))


def unescape(segment: str) -> str:
    """The text that `escape` was given; raises `ValueError` for what it never returns."""
    if segment == _EMPTY:
        return ""
    octets = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), segment).encode("latin-1")
    text = octets.decode()
    if not text or escape(text) != segment:
        raise ValueError(segment)
    return text


# --- columns ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ParameterType:
    """How the values of one parameter are written and read back.

    types: those that its declared values have.
    """

    name: str
    types: frozenset[type]

    @classmethod
    def of(cls, name: str, values: Iterable[Value]) -> ParameterType:
        """The column of some values, which are gone through twice.

        Raises `BuildError` for texts that would be read back as values of another type among them.
        """
        types = frozenset({int}) if isinstance(values, range) else frozenset(map(type, values))
        column = cls(name, types)
        if str in types and len(types) > 1:
            for value in values:
                column._refuse_mistakable(value)
        return column

    def _refuse_mistakable(self, value: Value) -> None:
        if not isinstance(value, str):
            return
        read = self.parse(value)
        if not isinstance(read, str):
            raise BuildError(
                f"parameter {self.name}: the text {short_repr(value)} would be read back as {short_repr(read)}",
                found=f"its other values are {self.expected}",
                hint="make all values of the parameter texts, or none that looks like another type",
            )

    @property
    def expected(self) -> str:
        """What its values are, in words."""
        return " or ".join(word for kind, word in _WORDS.items() if kind in self.types)

    def accept(self, raw: object) -> Value:
        """A value of this column; a whole number is taken for a float where there are only floats.

        Raises `BuildError` for a value whose type none of the declared ones has.
        """
        value = coerce(raw, f"parameter {self.name}")
        if type(value) is int and int not in self.types and float in self.types:
            return float(value)
        if type(value) in self.types:
            return value
        raise BuildError(
            f"parameter {self.name} cannot be {short_repr(value)}", found=f"its values are {self.expected}"
        )

    def parse(self, text: str) -> Value:
        """The value that has this canonical text; raises `ValueError` when none of the column's types does."""
        for kind, read in _READ.items():
            if kind not in self.types:
                continue
            try:
                value = read(text)
            except ValueError:
                continue
            if to_text(value) == text:
                return value
        raise ValueError(text)

    def read(self, text: str) -> Value:
        """The value that a person means by a text (`3` for a float, `True`, `2012-07-01T12:00Z`).

        Raises `ValueError` with what is expected.
        """
        for kind, read in _READ.items():
            if kind not in self.types:
                continue
            try:
                return coerce(read(text if kind is str else text.strip()), f"parameter {self.name}")
            except ValueError:
                continue
        raise ValueError(f"not {self.expected}")

    def encode(self, value: Value) -> str:
        """A value as (a part of) a path segment."""
        return segment_of(value)

    def decode(self, segment: str) -> Value:
        """The value that was encoded; raises `BuildError` for what no value of the column encodes to."""
        try:
            return self.parse(unescape(segment))
        except ValueError:
            raise BuildError(
                f"{short_repr(segment)} is no value of {self.name} as a path holds it",
                found=f"expected {self.expected}",
            ) from None


# --- points ----------------------------------------------------------------------------------------------------


def fingerprint(point: Mapping[str, Value]) -> bytes:
    """16 bytes that depend on the names, types and values of a point alone: not on their order, nor on the sweep."""
    parts = (f"{name}\0{type(value).__name__}\0{to_text(value)}" for name, value in sorted(point.items()))
    return hashlib.blake2b("\0\0".join(parts).encode(), digest_size=16).digest()


_SUFFIX: Final = 12
_LONGEST: Final = 63


def dns_name(point: Mapping[str, Value]) -> str:
    """A DNS label (RFC 1123, at most 63 characters) for a point: `growth-rate-4-seed-1`.

    Where a value had to be changed or cut, a part of the fingerprint follows, behind two dashes, which no unchanged
    name has: names of different points differ, also on systems that ignore case.
    """
    text = "-".join(f"{name}-{to_text(value)}" for name, value in point.items())
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    kept = all(re.fullmatch(r"[a-z0-9]+", to_text(value)) for value in point.values())
    return _fitted(slug, point, kept=kept, between="--")


def label_value(point: Mapping[str, Value]) -> str:
    """A label's value (at most 63 characters) for a point: `growth_rate_3.82_seed_1`; made unique as in `dns_name`."""
    text = "_".join(f"{name}_{to_text(value)}" for name, value in point.items())
    slug = re.sub(r"[^A-Za-z0-9_.-]+|__+", "_", text).strip("_.-")
    kept = all(re.fullmatch(r"[a-z0-9.-]*[a-z0-9]", to_text(value)) for value in point.values())
    return _fitted(slug, point, kept=kept and text[:1].isalnum() and "__" not in text, between="__")


def _fitted(slug: str, point: Mapping[str, Value], *, kept: bool, between: str) -> str:
    if kept and 0 < len(slug) <= _LONGEST:
        return slug
    suffix = base64.b32encode(fingerprint(point)).decode("ascii").lower()[:_SUFFIX]
    head = slug[: _LONGEST - _SUFFIX - len(between)].rstrip("-_.")
    return f"{head}{between}{suffix}" if head else suffix
