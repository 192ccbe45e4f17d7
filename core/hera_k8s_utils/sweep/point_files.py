"""Files of points: CSV, with a header, and JSON."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from hera_k8s_utils.errors import BuildError, join_names
from hera_k8s_utils.reading import parse_json, read_text
from hera_k8s_utils.sweep.values import ParameterType, Value, short_repr


@dataclass(frozen=True)
class FileInputs:
    """What a file says: parameters or points, and perhaps constants."""

    parameters: Mapping[str, Any] | None = None
    constants: Mapping[str, Any] | None = None
    points: Sequence[Mapping[str, Any]] | None = None


def read_inputs(path: Path) -> FileInputs:
    """The inputs that a file holds; types are told from the texts of a CSV file, and are JSON's own in a JSON file."""
    if path.suffix.lower() == ".json":
        return _of_json(path)
    names, rows = _table(path)
    columns = [_guessed([row.cells[at] for row in rows]) for at in range(len(names))]
    return FileInputs(points=[dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)])


def read_typed_points(path: Path, columns: Mapping[str, ParameterType]) -> list[Mapping[str, Any]]:
    """The points of a file, typed like the declared parameters, which must be its columns."""
    if path.suffix.lower() == ".json":
        points = _of_json(path).points
        if points is None:
            _refuse(path, "it holds parameters; points are wanted", "write a list of objects")
        return [_accepted(path, number, point, columns) for number, point in enumerate(points, 1)]
    names, rows = _table(path)
    _refuse_columns(path, names, columns)
    return [
        {name: _read(path, row, columns[name], text) for name, text in zip(names, row.cells, strict=True)}
        for row in rows
    ]


def _refuse(path: Path, found: str, hint: str = "") -> NoReturn:
    raise BuildError(f"cannot read points from {path}", found=found, hint=hint)


def _text(path: Path) -> str:
    try:
        return read_text(path, pipe=True, encoding="utf-8-sig")  # spreadsheets write a byte order mark
    except OSError as error:
        _refuse(path, error.strerror or str(error))
    except UnicodeDecodeError:
        _refuse(path, "it is not UTF-8 text")


# --- JSON ------------------------------------------------------------------------------------------------------


def _of_json(path: Path) -> FileInputs:
    try:
        found = parse_json(_text(path))
    except ValueError as error:
        _refuse(path, f"not JSON: {error}")
    if isinstance(found, list):
        return FileInputs(points=found)
    if not isinstance(found, dict):
        _refuse(path, "neither a list nor an object", '[{"seed": 1}, {"seed": 2}]')
    unknown = sorted(set(found) - {"parameters", "constants", "points"})
    if unknown:
        _refuse(path, f"unknown keys: {join_names(unknown)}", "an object has parameters or points, and constants")
    return FileInputs(found.get("parameters"), found.get("constants"), found.get("points"))


def _accepted(path: Path, number: int, point: Any, columns: Mapping[str, ParameterType]) -> dict[str, Value]:
    if not isinstance(point, Mapping):
        _refuse(path, f"point {number} is no object")
    _refuse_columns(path, list(point), columns, where=f"point {number} ")
    return {name: _from_json(columns[name], value) for name, value in point.items()}


def _from_json(column: ParameterType, value: Any) -> Value:
    """JSON has no dates: a text is read as one where dates are declared."""
    if isinstance(value, str) and str not in column.types:
        try:
            return column.read(value)
        except ValueError:
            pass
    return column.accept(value)


# --- CSV -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    line: int
    cells: Sequence[str]


def _table(path: Path) -> tuple[list[str], list[_Row]]:
    lines = _text(path).splitlines(keepends=True)
    if not lines:
        _refuse(path, "it is empty", "the first line names the parameters")
    reader = csv.reader(lines, delimiter=_delimiter(lines[0]), strict=True)
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


def _delimiter(header: str) -> str:
    """Names of parameters hold neither commas, semicolons nor tabs, so the header tells which one separates."""
    return next((each for each in (",", ";", "\t") if each in header), ",")


_INTEGER: Final = r"-?(0|[1-9][0-9]*)"
_NUMBER: Final = rf"{_INTEGER}(\.[0-9]*)?([eE][+-]?[0-9]+)?|-?\.[0-9]+([eE][+-]?[0-9]+)?|[+-]?(nan|NaN|inf|Infinity)"
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


def _guessed(texts: Sequence[str]) -> Sequence[Value]:
    """The values of a column, of the first type that all its cells look like; an empty cell among those is None."""
    filled = [text.strip() for text in texts if text.strip()]
    for shape, kind in _GUESSES:
        if filled and all(re.fullmatch(shape, text) for text in filled):
            try:
                return _values(ParameterType("", frozenset({kind})), texts)
            except ValueError:  # looks like a date and is none: 2012-02-30
                continue
    return texts


def _values(column: ParameterType, texts: Sequence[str]) -> Sequence[Value]:
    return [column.read(text) if text.strip() else None for text in texts]


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
