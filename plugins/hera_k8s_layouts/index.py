"""An index from paths back to the points of a sweep, for layouts whose paths do not contain the values."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from hera_k8s_utils import BuildError, Inputs, Point


class Index:
    """A hash table of positions in the sweep, 8 to 16 bytes a point; paths and points are computed again on each look.

    Made at the first look.
    """

    def __init__(self, inputs: Inputs, encode: Callable[[Point], str]) -> None:
        self._inputs = inputs
        self._encode = encode
        self._slots: array[int] | None = None

    def find(self, path: str) -> Point:
        """The first point of the sweep that has this path; raises `BuildError` when none has."""
        slots = self._slots if self._slots is not None else self._fill()
        at = hash(path) % len(slots)
        while slots[at]:
            point = self._inputs[slots[at] - 1]
            if self._encode(point) == path:
                return point
            at = (at + 1) % len(slots)
        raise BuildError(f"no point of the sweep has the path {path!r}")

    def _fill(self) -> array[int]:
        slots = array("L", bytes(array("L").itemsize * (2 * len(self._inputs) + 1)))
        for position, point in enumerate(self._inputs, 1):
            at = hash(self._encode(point)) % len(slots)
            while slots[at]:
                at = (at + 1) % len(slots)
            slots[at] = position
        self._slots = slots
        return slots
