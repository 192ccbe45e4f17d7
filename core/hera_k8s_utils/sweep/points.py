"""Points of a sweep, and mappings whose values are attributes too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn, TypeVar

from hera_k8s_utils.names import nearest
from hera_k8s_utils.sweep.values import Value, coerce, short_repr, value_key

V = TypeVar("V", covariant=True)


class Point(Mapping[str, Value]):
    """One point of a sweep: immutable, hashable, its values by `point["seed"]` or `point.seed`.

    names: of the parameters.
    values_tuple: their values, in the same order.

    Two points are equal when their names, values and the types of these are: `1`, `1.0` and `True` differ. A parameter
    that is called like an attribute of every point (`items`, `names`) is reached by `point["items"]` only.
    """

    __slots__ = ("names", "values_tuple")

    names: tuple[str, ...]
    values_tuple: tuple[Value, ...]

    def __init__(self, names: tuple[str, ...], values: tuple[Value, ...]) -> None:
        _set_names(self, names)
        _set_values(self, values)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a point cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a point cannot be changed")

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Point:
        """A point of any mapping; raises `BuildError` for what is no value."""
        return cls(tuple(values), tuple(coerce(value, f"parameter {name}") for name, value in values.items()))

    def __getitem__(self, name: str) -> Value:
        try:
            return self.values_tuple[self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.names:
            raise AttributeError(f"a point has no {name}; it has {', '.join(self.names) or 'no parameters'}")
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        if self.keys() != other.keys():
            return False
        return all(
            type(other[name]) is type(value) and value_key(other[name]) == value_key(value)
            for name, value in zip(self.names, self.values_tuple, strict=True)
        )

    def __hash__(self) -> int:
        return hash(frozenset(zip(self.names, self.values_tuple, strict=True)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Point, (self.names, self.values_tuple)

    def __repr__(self) -> str:
        return f"Point({self})"

    def __str__(self) -> str:
        return ", ".join(f"{name}={short_repr(self[name])}" for name in self.names)


# The slots' own setters, as __setattr__ refuses: points are made by the million.
_set_names: Final = Point.__dict__["names"].__set__
_set_values: Final = Point.__dict__["values_tuple"].__set__


class AttributeMapping(Mapping[str, V]):
    """An immutable mapping whose values are attributes too: `inputs.constants.tile` is `inputs.constants["tile"]`."""

    __slots__ = ("_values", "_what")

    def __init__(self, values: Mapping[str, V], what: str) -> None:
        self._values = dict(values)
        self._what = what

    def __getitem__(self, name: str) -> V:
        return self._values[name]

    def __getattr__(self, name: str) -> V:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            near = nearest(name, self._values)
            meant = f"did you mean {near}?" if near else f"there are: {', '.join(self._values) or 'none'}"
            raise AttributeError(f"no {self._what} is called {name}; {meant}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __reduce__(self) -> tuple[Any, ...]:
        return AttributeMapping, (self._values, self._what)

    def __repr__(self) -> str:
        return repr(self._values)
