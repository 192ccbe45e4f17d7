"""Files of points: CSV, with a header, JSON, and JSON lines."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from hera_k8s_utils.errors import BuildError, join_names
from hera_k8s_utils.reading import parse_json, read_text
from hera_k8s_utils.sweep.values import TYPES, ParameterType, Value, short_repr


@dataclass(frozen=True)
class FileInputs:
    """What a file says: parameters or points, and perhaps constants."""

    parameters: Mapping[str, Any] | None = None
    constants: Mapping[str, Any] | None = None
    points: Sequence[Mapping[str, Any]] | None = None
    places: Sequence[str] = ()

    def placed(self) -> Iterator[tuple[str, Any]]:
        """Each point with the place in the file that a message names: `line 3`, or `point 2` where no lines count."""
        for number, point in enumerate(self.points or (), 1):
            yield self.places[number - 1] if self.places else f"point {number}", point


def read_inputs(path: Path, types: Mapping[str, type] | None = None) -> FileInputs:
    """The inputs that a file holds; the texts of a CSV file decide its types, and a JSON file has its own.

    types: of columns whose types are not to be told from the file.
    """
    declared = {name: _declared(path, name, kind) for name, kind in (types or {}).items()}
    if _format(path) == "csv":
        return FileInputs(points=_of_csv(path, declared))
    found = _of_json(path)
    if not declared:
        return found
    if not isinstance(found.points, list):
        _refuse(path, "types are for points", "write a list of objects")
    points = [_as_declared(path, place, point, declared) for place, point in found.placed()]
    return FileInputs(constants=found.constants, points=points)


def read_typed_points(path: Path, columns: Mapping[str, ParameterType]) -> list[Mapping[str, Any]]:
    """The points of a file, typed like the declared parameters, which must be its columns."""
    if _format(path) == "json":
        found = _of_json(path)
        if not isinstance(found.points, list):
            _refuse(path, "it holds no list of points", "write a list of objects")
        return [_accepted(path, place, point, columns) for place, point in found.placed()]
    names, rows = _table(path)
    _refuse_columns(path, names, columns)
    return [
        {name: _read(path, row, columns[name], text) for name, text in zip(names, row.cells, strict=True)}
        for row in rows
    ]


_LINES: Final = (".jsonl", ".ndjson")
_JSON: Final = (".json", *_LINES)
_OTHERS: Final = re.compile(r"\.(ya?ml|xlsx?|ods|parquet|feather|gz|zip|bz2|xz|np[yz]|h5|pkl)")
"""Suffixes of files that are neither CSV nor JSON, whatever they hold."""


def _format(path: Path) -> str:
    """What a file holds, by its suffix: CSV under any name but those of other formats."""
    suffix = path.suffix.lower()
    if _OTHERS.fullmatch(suffix):
        hint = "save it as CSV (.csv, .tsv, .txt), JSON (.json) or JSON lines (.jsonl, .ndjson)"
        _refuse(path, f"files of type {suffix} are not read", hint)
    return "json" if suffix in _JSON else "csv"


def _declared(path: Path, name: str, kind: type) -> ParameterType:
    if kind not in TYPES:
        _refuse(path, f"types: {name} cannot be {short_repr(kind)}", "str, int, float, bool, date or datetime")
    return ParameterType(name, frozenset({kind}))


def _refuse(path: Path, found: str, hint: str = "") -> NoReturn:
    raise BuildError(f"cannot read points from {path}", found=found, hint=hint)


def _text(path: Path, *, keep_line_ends: bool = False) -> str:
    try:
        return read_text(path, pipe=True, keep_line_ends=keep_line_ends)
    except OSError as error:
        _refuse(path, error.strerror or str(error))


# --- JSON ------------------------------------------------------------------------------------------------------


def _of_json(path: Path) -> FileInputs:
    if path.suffix.lower() in _LINES:
        lines = [(f"line {n}", line) for n, line in enumerate(_text(path).split("\n"), 1) if line.strip()]
        points = [_json(path, line, f"{place} is not JSON") for place, line in lines]
        return FileInputs(points=points, places=[place for place, _ in lines])
    found = _json(path, _text(path), "not JSON")
    if isinstance(found, list):
        return FileInputs(points=found)
    if not isinstance(found, dict):
        _refuse(path, "neither a list nor an object", '[{"seed": 1}, {"seed": 2}]')
    unknown = sorted(set(found) - {"parameters", "constants", "points"})
    if unknown:
        _refuse(path, f"unknown keys: {join_names(unknown)}", "an object has parameters or points, and constants")
    return FileInputs(found.get("parameters"), found.get("constants"), found.get("points"))


def _json(path: Path, text: str, otherwise: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        _refuse(path, f"{otherwise}: {error}")


def _as_declared(path: Path, place: str, point: Any, declared: Mapping[str, ParameterType]) -> dict[str, Any]:
    if not isinstance(point, Mapping):
        _refuse(path, f"{place} is no object")
    _refuse_unknown(path, declared, list(point))
    return {
        name: _from_json(path, place, declared[name], value) if name in declared and value is not None else value
        for name, value in point.items()
    }


def _accepted(path: Path, place: str, point: Any, columns: Mapping[str, ParameterType]) -> dict[str, Value]:
    if not isinstance(point, Mapping):
        _refuse(path, f"{place} is no object")
    _refuse_columns(path, list(point), columns, where=f"{place}: ")
    return {name: _from_json(path, place, columns[name], value) for name, value in point.items()}


def _from_json(path: Path, place: str, column: ParameterType, value: Any) -> Value:
    """JSON has no dates: a text is read as one where dates are declared."""
    if isinstance(value, str) and str not in column.types:
        try:
            return column.read(value)
        except ValueError:
            pass
    try:
        return column.accept(value)
    except BuildError as error:
        _refuse(path, f"{place}: {': '.join(part for part in (error.wanted, error.found) if part)}", error.hint)


# --- CSV -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    line: int
    cells: Sequence[str]


def _table(path: Path) -> tuple[list[str], list[_Row]]:
    text = _text(path, keep_line_ends=True)
    if not text:
        _refuse(path, "it is empty", "the first line names the parameters")
    lines = io.StringIO(text, newline="")  # splitlines() also splits at form feeds and U+2028
    reader = csv.reader(lines, delimiter=_delimiter(path, re.split(r"[\r\n]", text, maxsplit=1)[0]), strict=True)
    try:
        names = [name.strip() for name in next(reader)]
        rows = [_Row(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        _refuse(path, f"line {reader.line_num}: {error}")
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        _refuse(path, f"two columns are called {repeated[0]!r}")
    for row in rows:
        if len(row.cells) != len(names):
            _refuse(path, f"line {row.line} has {len(row.cells)} cells; the first line names {len(names)} columns")
    if not rows:
        _refuse(path, "it has no points below its first line")
    return names, rows


def _delimiter(path: Path, header: str) -> str:
    """Names of parameters hold neither commas, semicolons nor tabs, so the header tells which one separates."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    return next((each for each in (",", ";", "\t") if each in header), ",")


def _of_csv(path: Path, declared: Mapping[str, ParameterType]) -> list[Mapping[str, Any]]:
    names, rows = _table(path)
    _refuse_unknown(path, declared, names)
    columns = [
        [_read_if_filled(path, row, declared[name], row.cells[at]) for row in rows]
        if name in declared
        else _guessed(path, name, at, rows)
        for at, name in enumerate(names)
    ]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


_INTEGER: Final = r"[+-]?(0|[1-9][0-9]*)"
_NUMBER: Final = rf"{_INTEGER}(\.[0-9]*)?([eE][+-]?[0-9]+)?|[+-]?\.[0-9]+([eE][+-]?[0-9]+)?|[+-]?(nan|NaN|inf|Infinity)"
_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{3,6})?)?([zZ]|[+-][0-9]{2}:[0-9]{2})?"
)
_GUESSES: Final[Sequence[tuple[str, type]]] = (
    (_INTEGER, int),
    (_NUMBER, float),
    (r"(?i:true|false)", bool),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", date),
    (_TIME, datetime),
)
"""What all cells of a column look like, and their type then. `007` is no integer: codes of places begin with zeros."""
_AMBIGUOUS: Final = r"[+-]?[1-9][0-9]{0,2},[0-9]{3}"
_FOREIGN_NUMBERS: Final[Sequence[tuple[str, str]]] = (
    (r"[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?|[+-]?[0-9]{1,3}(\.[0-9]{3})+,[0-9]+", "a decimal comma"),
    (r"[+-]?[0-9]{1,3}([,' \u2019\u00a0\u202f][0-9]{3})+(\.[0-9]+)?", "a separator of thousands"),
    (
        r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+)[dDqQ][+-]?[0-9]+|[+-]?[0-9]+[dDqQ][+-][0-9]+|[+-][0-9]+[dDqQ][0-9]+",
        "Fortran's exponent",
    ),
    (rf"\u2212({_NUMBER})", "a minus sign that is not ASCII (U+2212)"),
)
"""Numbers of other notations, which `float` does not read, and what tells them apart. `1D3` and `2023_01` may be names:
they are numbers only beside others."""
_PERHAPS_FORTRAN: Final = r"[0-9]+[dDqQ][0-9]+"
_NOTHING: Final = r"(?i:n/?a|null|none|-)"


def _guessed(path: Path, name: str, at: int, rows: Sequence[_Row]) -> Sequence[Value]:
    """The values of a column, of the first type that all its cells look like; an empty cell among those is None.

    Raises `BuildError` for a column of numbers in another notation: as texts they would go unnoticed.
    """
    texts = [row.cells[at] for row in rows]
    filled = [text.strip() for text in texts if text.strip()]
    for shape, kind in _GUESSES:
        if filled and all(re.fullmatch(shape, text) for text in filled):
            try:
                return _values(ParameterType("", frozenset({kind})), texts)
            except ValueError:  # looks like a date and is none: 2012-02-30
                continue
    _refuse_foreign_numbers(path, name, at, rows)
    return texts


def _refuse_foreign_numbers(path: Path, name: str, at: int, rows: Sequence[_Row]) -> None:
    found: list[tuple[_Row, str]] = []
    for row in rows:
        text = row.cells[at].strip()
        notation = _foreign(text)
        if notation:
            found.append((row, notation))
        elif text and not re.fullmatch(f"{_NUMBER}|{_NOTHING}|{_PERHAPS_FORTRAN}", text):
            return  # a column of texts, of which some look like numbers
    if not found:
        return
    clear = [each for each in found if not re.fullmatch(_AMBIGUOUS, each[0].cells[at].strip())]
    row, notation = (clear or found)[0]
    text = row.cells[at].strip()
    what, instead = f"has {notation}, which no number has here", "write it like 1.5 or 1.5e-3"
    if not clear:
        point, whole = float(text.replace(",", ".")), text.replace(",", "")
        what, instead = f"is ambiguous: {point} or {whole}", f"write {point} or {whole}"
    elif notation == _TOO_LARGE:
        what, instead = f"is {notation}", "write a smaller one"
    _refuse(
        path,
        f"line {row.line}, {name}: {short_repr(row.cells[at])} {what}",
        f"{instead}; to keep texts: from_file(..., types={{{name!r}: str}}); for --points, "
        f"declare {name} as text in the experiment's Inputs, or use a JSON file",
    )


_TOO_LARGE: Final = "a number beyond 1.8e308"


def _foreign(text: str) -> str:
    """What makes a text a number that is not read here; empty for anything else."""
    if re.fullmatch(_NUMBER, text) and "inf" not in text.lower() and math.isinf(float(text)):
        return _TOO_LARGE
    return next((what for shape, what in _FOREIGN_NUMBERS if re.fullmatch(shape, text)), "")


def _values(column: ParameterType, texts: Sequence[str]) -> Sequence[Value]:
    return [column.read(text) if text.strip() else None for text in texts]


def _read_if_filled(path: Path, row: _Row, column: ParameterType, text: str) -> Value:
    return _read(path, row, column, text) if text.strip() or str in column.types else None


def _refuse_unknown(path: Path, declared: Mapping[str, ParameterType], names: Sequence[str]) -> None:
    unknown = [name for name in declared if name not in names]
    if unknown:
        _refuse(path, f"types: no column is called {join_names(unknown)}", f"there are: {join_names(names)}")


def _refuse_columns(path: Path, names: Sequence[str], columns: Mapping[str, ParameterType], where: str = "") -> None:
    lacks = [f"{name} is missing" for name in columns if name not in names]
    adds = [f"{name or 'a column without a name'} is no parameter" for name in names if name not in columns]
    if lacks or adds:
        _refuse(path, f"{where}{join_names([*lacks, *adds])}", f"the parameters are {', '.join(columns)}")


def _read(path: Path, row: _Row, column: ParameterType, text: str) -> Value:
    try:
        return column.read(text)
    except (ValueError, BuildError) as error:
        reason = error.wanted if isinstance(error, BuildError) else str(error)
        _refuse(path, f"line {row.line}, {column.name}: {short_repr(text)} cannot be used: {reason}")
