"""The inputs of an experiment: constants, and the parameters or points that it sweeps over."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import product, repeat
from pathlib import Path
from types import NoneType
from typing import Any, Final, overload

from hera_k8s_utils.errors import BuildError, OptionsError, join_names
from hera_k8s_utils.names import nearest
from hera_k8s_utils.paths import expand_path
from hera_k8s_utils.sweep.points import AttributeMapping, Point
from hera_k8s_utils.sweep.values import TYPES, ParameterType, Value, coerce, short_repr, to_json_value, value_key

__all__ = ["NAME", "AttributeMapping", "Inputs", "Point", "linspace", "parse_overrides"]

NAME: Final = re.compile(r"[-a-zA-Z0-9_]+")
"""What Argo accepts as the name of a parameter."""
_SHORT: Final = 4096
"""Ranges up to this length are kept as their values; longer ones stay ranges, which cost no memory."""


class Inputs(Sequence[Point]):
    """What an experiment is computed from.

    parameters: name -> values; the sweep is their product, the last one varying fastest.
    constants: name -> one value of any type, for the function that builds the workflow.
    points: instead of parameters, the points themselves, each a mapping with the same names.

    A sequence of `Point`, made one by one as they are asked for. Without parameters there is one point, which is empty.
    Raises `BuildError` for a parameter without values, a name that Argo would not accept, a value that is no `Value`.
    """

    __slots__ = ("_columns", "_rows", "axes", "constants", "names")

    names: tuple[str, ...]
    axes: Mapping[str, Sequence[Value]] | None
    constants: AttributeMapping[Any]

    def __init__(
        self,
        parameters: Mapping[str, Iterable[Any]] | None = None,
        constants: Mapping[str, Any] | None = None,
        points: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        _refuse_shape("parameters", parameters)
        _refuse_shape("constants", constants)
        if points is not None and parameters:
            raise BuildError("inputs have parameters or points, not both", hint="put all parameters into the points")
        self.constants = AttributeMapping(constants or {}, "constant")
        self._rows: tuple[tuple[Value, ...], ...] = ()
        if points is not None:
            self.axes = None
            self.names, self._rows = _rows(points)
        else:
            self.axes = AttributeMapping(
                {name: _axis(name, values) for name, values in (parameters or {}).items()}, "parameter"
            )
            self.names = tuple(self.axes)
        self._refuse_names()
        self._columns = {name: ParameterType.of(name, self._values(name)) for name in self.names}

    def _refuse_names(self) -> None:
        for name in self.names:
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise BuildError(
                    f"a parameter cannot be called {name!r}", found="names are letters, digits, dashes and underscores"
                )
            if name in self.constants:
                raise BuildError(f"{name} is both a parameter and a constant", hint="give one of them another name")

    def _values(self, name: str) -> Sequence[Value]:
        if self.axes is not None:
            return self.axes[name]
        position = self.names.index(name)
        return [row[position] for row in self._rows]

    # --- a sequence of points ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        if self.axes is None:
            return len(self._rows)
        return math.prod(len(values) for values in self.axes.values())

    def __iter__(self) -> Iterator[Point]:
        return map(Point, repeat(self.names), self._tuples())

    def _tuples(self) -> Iterator[tuple[Value, ...]]:
        if self.axes is None:
            return iter(self._rows)
        values = tuple(self.axes.values())
        # product() keeps the values of a long range; a single axis needs no product
        return zip(values[0], strict=True) if len(values) == 1 else product(*values)

    @overload
    def __getitem__(self, position: int) -> Point: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Point]: ...
    def __getitem__(self, position: int | slice) -> Point | Sequence[Point]:
        if isinstance(position, slice):
            return [self[each] for each in range(*position.indices(len(self)))]
        if not -len(self) <= position < len(self):
            raise IndexError(f"point {position} of {len(self)}")
        rest = position % len(self)
        if self.axes is None:
            return Point(self.names, self._rows[rest])
        found: list[Value] = []
        for values in reversed(tuple(self.axes.values())):
            rest, here = divmod(rest, len(values))
            found.append(values[here])
        return Point(self.names, tuple(reversed(found)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Inputs):
            return NotImplemented
        same = self.names == other.names and len(self) == len(other) and dict(self.constants) == dict(other.constants)
        return same and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Inputs: {self.describe()}>"

    # --- what it is made of ------------------------------------------------------------------------------------

    @property
    def parameters(self) -> AttributeMapping[Sequence[Value]]:
        """The values of each parameter, by `["seed"]` or `.seed`; of points, those that occur, in order, once each."""
        if isinstance(self.axes, AttributeMapping):
            return self.axes
        return AttributeMapping({name: _once(self._values(name)) for name in self.names}, "parameter")

    @property
    def columns(self) -> Mapping[str, ParameterType]:
        """How the values of each parameter are written and read back."""
        return self._columns

    def point(self, values: Mapping[str, object]) -> Point:
        """A point with the names and types of this sweep, whether it belongs to it or not.

        Raises `BuildError` for a missing or an unknown name, or a value of another type than the declared ones.
        """
        missing = [name for name in self.names if name not in values]
        surplus = [name for name in values if name not in self._columns]
        if missing or surplus:
            lacks = [f"{name} is missing" for name in missing] + [f"{name} is not a parameter" for name in surplus]
            raise BuildError(
                f"not a point of these inputs: {Point(tuple(values), tuple(values.values()))}",  # type: ignore[arg-type]
                found=join_names(lacks),
            )
        return Point(self.names, tuple(self._columns[name].accept(values[name]) for name in self.names))

    def describe(self) -> str:
        """In a few words: `152 points: 76 growth_rate x 2 seed`."""
        count = f"{len(self)} point{'' if len(self) == 1 else 's'}"
        if not self.names:
            return f"{count}, no parameters"
        if self.axes is None:
            return f"{count} of {join_names(self.names)}"
        return f"{count}: {' x '.join(f'{len(values)} {name}' for name, values in self.axes.items())}"

    def to_json(self) -> dict[str, Any]:
        """Plain data for records: constants that are values, and parameters, or points where they were given."""
        constants = {name: to_json_value(value) for name, value in self.constants.items() if type(value) in TYPES}
        if self.axes is None:
            return {"constants": constants, "points": [_plain_point(point) for point in self]}
        parameters = {name: [to_json_value(value) for value in values] for name, values in self.axes.items()}
        return {"constants": constants, "parameters": parameters}

    # --- other inputs ------------------------------------------------------------------------------------------

    def override(self, settings: Mapping[str, str | Sequence[Any]]) -> Inputs:
        """The same inputs with other values: `{"seed": "1,2"}`, as `--set` gives them, or `{"seed": [1, 2]}`.

        Texts are typed like the declared values. Those of a parameter are separated by commas; one that holds a comma
        is put in double quotes. The text of a constant is one value. Raises `OptionsError` for an unknown name, with
        the nearest, for a text of the wrong type, and for parameters of explicit points.
        """
        parameters: dict[str, Iterable[Any]] = dict(self.axes or {})
        constants = dict(self.constants)
        for name, given in settings.items():
            if name in constants:
                constants[name] = _set_constant(name, constants[name], given)
            elif name in parameters:
                parameters[name] = _set_parameter(self._columns[name], given)
            else:
                raise self._unknown(name)
        if self.axes is None:
            return Inputs(constants=constants, points=map(dict, self))
        return Inputs(parameters, constants)

    def _unknown(self, name: str) -> OptionsError:
        if name in self.names:
            return OptionsError(
                f"--set {name}=...", found="this sweep is a list of points", hint="--points FILE replaces the list"
            )
        names = [*self.names, *self.constants]
        near = nearest(name, names)
        return OptionsError(
            f"--set {name}=...: no parameter or constant is called {name}",
            found=f"there are: {join_names(names) or 'none'}",
            hint=f"did you mean {near}?" if near else "",
        )

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        constants: Mapping[str, Any] | None = None,
        types: Mapping[str, type] | None = None,
    ) -> Inputs:
        """Points from a file, whose suffix says what it holds.

        `.json`: a list of objects, or an object with `parameters` or `points`, and `constants`; `.jsonl`, `.ndjson`: an
        object a line; any other but those of other formats, such as `.xlsx`: CSV, a header, then a point a row.

        The cells of a CSV column are integers, numbers, booleans, dates or times where all of them look so, an empty
        one among those is None; else they are texts. `with_points` takes the types that were declared instead.

        types: of columns, where they are not to be told from the cells: `{"code": str}`.

        Raises `BuildError` with the line or point that cannot be used, also for numbers in another notation, such as
        `1,5` and Fortran's `1.5D-3`, which would become texts, and for `1,000`, which may be 1 or 1000.
        """
        from hera_k8s_utils.sweep.point_files import read_inputs

        found = read_inputs(expand_path(path), types)
        try:
            return cls(found.parameters, {**(found.constants or {}), **(constants or {})}, found.points)
        except BuildError as error:
            reason = ": ".join(part for part in (error.wanted, error.found) if part)
            raise BuildError(f"cannot read points from {path}", found=reason, hint=error.hint) from None

    def with_points(self, path: str | Path) -> Inputs:
        """These inputs over the points of a file; constants stay, values are typed like the declared ones.

        Raises `BuildError` when the file has other columns than the parameters declared.
        """
        from hera_k8s_utils.sweep.point_files import read_typed_points

        if not self.names:
            return Inputs.from_file(path, constants=self.constants)
        return Inputs(constants=self.constants, points=read_typed_points(expand_path(path), self._columns))

    # --- in a workflow -----------------------------------------------------------------------------------------

    def fan_out(self, **extra: Any) -> dict[str, Any]:
        """What a Hera task needs to run once for each point: `arguments` over `{{item.*}}`, and `with_items`.

        extra: further arguments. A function of a point (`output=layout.path`) becomes one text over `{{item.*}}` when
        that is proven to give the same for every point, else its values are put into the items. Anything else is
        passed as it is.

        Items hold canonical texts, never numbers: a real API server writes 4.0 back as 4, and a path made of it
        would be another one. Without parameters there are only `arguments`, for one task.
        Raises `BuildError` for an extra with a parameter's name, and for values that hold `{{`, which Argo fills in.
        """
        from hera_k8s_utils.sweep.fan_out import fan_out

        return fan_out(self, extra)


# --- axes and rows ---------------------------------------------------------------------------------------------


def _axis(name: str, values: Iterable[Any]) -> Sequence[Value]:
    _refuse_shapeless(name, values)
    if isinstance(values, range) and len(values) > _SHORT:
        return values
    found = tuple(coerce(value, f"parameter {name}") for value in values)
    if not found:
        raise BuildError(f"parameter {name} has no values", hint=f"parameters={{{name!r}: [...]}} needs at least one")
    return found


def _refuse_shape(what: str, given: object) -> None:
    if given is not None and not isinstance(given, Mapping):
        hint = _as_mappings(given, "points={}")
        raise BuildError(f"the {what} of inputs need a mapping of names", found=_outline(given), hint=hint)


def _as_mappings(given: object, form: str) -> str:
    """What turns a table or a row of another library into mappings, or nothing."""
    ways = (("to_dicts", "{}.to_dicts()"), ("iterrows", '{}.to_dict("records")'), ("_asdict", "{}._asdict()"))
    way = next((text for method, text in ways if hasattr(given, method)), "")
    name = "row" if way.endswith("_asdict()") else "table"
    return form.format(way.format(name)) if way else ""


def _outline(given: object) -> str:
    """A value in a message; a table by its type alone, since it has many lines."""
    return f"a {type(given).__name__}" if hasattr(given, "columns") else short_repr(given)


def _refuse_shapeless(name: str, values: object) -> None:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise BuildError(
            f"parameter {name} needs a list of values",
            found=short_repr(values),
            hint=f"parameters={{{name!r}: [{short_repr(values)}]}}, or a constant",
        )
    if isinstance(values, (Set, Mapping)):
        raise BuildError(
            f"parameter {name} needs a list of values",
            found=f"a {type(values).__name__}, whose order is not that of values",
            hint=f"parameters={{{name!r}: sorted(...)}}",
        )


def _rows(points: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...]]:
    if isinstance(points, (str, Mapping)) or not isinstance(points, Iterable) or hasattr(points, "columns"):
        hint = _as_mappings(points, "points={}")
        raise BuildError("points of inputs need a list of mappings", found=_outline(points), hint=hint)
    names: tuple[str, ...] | None = None
    rows: list[tuple[Value, ...]] = []
    for number, point in enumerate(points, 1):
        if not isinstance(point, Mapping):
            hint = _as_mappings(point, "points=[{} for row in table]")
            raise BuildError(f"point {number} is no mapping of names to values", found=short_repr(point), hint=hint)
        if names is None:
            names = tuple(point)
        elif point.keys() != set(names):
            raise BuildError(f"point {number} has other names than the first", found=_difference(names, point))
        rows.append(tuple(coerce(point[name], f"point {number}, {name},") for name in names))
    if names is None:
        raise BuildError("the sweep has no points", hint="points=[{...}] needs at least one")
    return names, tuple(rows)


def _difference(names: Iterable[str], point: Mapping[str, Any]) -> str:
    lacks = [f"it lacks {name}" for name in names if name not in point]
    adds = [f"it adds {name}" for name in point if name not in set(names)]
    return join_names([*lacks, *adds])


def _once(values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple({value_key(value): value for value in reversed(list(values))}.values())[::-1]


def _plain_point(point: Point) -> dict[str, Any]:
    return {name: to_json_value(value) for name, value in point.items()}


# --- overrides -------------------------------------------------------------------------------------------------


def parse_overrides(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=V1,V2` texts as a mapping; raises `OptionsError` for any other form, or a name given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name.strip():
            raise OptionsError(f"--set {text!r}", found="not of the form NAME=VALUE", hint="--set seed=1,2")
        if name.strip() in found:
            raise OptionsError(f"--set {name.strip()}=... is given twice", hint=f"--set {name.strip()}=V1,V2")
        found[name.strip()] = values
    return found


def _set_parameter(column: ParameterType, given: str | Sequence[Any]) -> Sequence[Value]:
    if not isinstance(given, str):
        return [column.accept(value) for value in given]
    if not given.strip() and not column.types & {str, NoneType}:
        raise OptionsError(
            f"--set {column.name}= leaves the parameter without values", hint=f"--set {column.name}=V1,V2"
        )
    try:
        lines = list(csv.reader(io.StringIO(given, newline=""), strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise OptionsError(f"--set {column.name}=...", found=f"cannot be split at commas: {error}") from None
    if len(lines) > 1:
        raise OptionsError(f"--set {column.name}=...", found="a line break between values; commas separate them")
    return [_read(column, text) for text in (lines[0] if lines else [""])]


def _set_constant(name: str, declared: Any, given: str | Sequence[Any]) -> Any:
    if not isinstance(given, str):
        return given
    if type(declared) not in TYPES:
        raise OptionsError(f"--set {name}=...", found=f"the constant is a {type(declared).__name__}, which has no text")
    return _read(ParameterType(name, frozenset({type(declared)})), given)


def _read(column: ParameterType, text: str) -> Value:
    try:
        return column.read(text)
    except (ValueError, BuildError) as error:
        reason = error.wanted if isinstance(error, BuildError) else str(error)
        raise OptionsError(f"--set {column.name}=...: {short_repr(text)} cannot be used", found=reason) from None


# --- making values ---------------------------------------------------------------------------------------------

_DIGITS: Final = 12


def linspace(start: float, stop: float, count: int) -> list[float]:
    """`count` evenly spaced numbers from `start` to `stop`, both included.

    Rounded to 12 digits of the larger end, so that `linspace(2.5, 4.0, 76)` holds 2.52 and not 2.5200000000000005;
    not rounded where the step itself is so small that it would be seen. The ends are exact.
    """
    width = stop - start
    if not math.isfinite(width):
        raise BuildError(f"linspace({start}, {stop}, {count})", found="the ends, and their distance, must be finite")
    if count < 1:
        raise BuildError(f"linspace({start}, {stop}, {count})", found="at least one number is needed")
    if count == 1:
        return [float(start)]
    last = count - 1
    numbers = [start + width * (position / last) for position in range(1, last)]
    scale = max(abs(start), abs(stop))
    places = _DIGITS - 1 - math.floor(math.log10(scale)) if scale else 0
    if abs(width / last) >= 1000 * 10.0**-places:
        numbers = [round(number, places) + 0.0 for number in numbers]  # + 0.0: no -0.0
    return [float(start), *numbers, float(stop)]
