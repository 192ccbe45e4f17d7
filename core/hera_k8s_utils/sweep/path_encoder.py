"""Layout strategies and their path encoders: how a point becomes a path, and a path a point again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hera_k8s_utils.sweep.inputs import Inputs, Point


class PathEncoder(Protocol):
    """How one strategy names the points of one sweep. Paths are relative, with `/`, and never leave their root."""

    def encode(self, point: Point) -> str:
        """The relative path of a point."""

    def decode(self, path: str) -> Mapping[str, Any]:
        """The values that `encode` was given; raises `BuildError` on a path that is not of this naming."""


@dataclass(frozen=True, kw_only=True)
class LayoutStrategy:
    """A way of naming directories after points.

    name: as in `--layout NAME`.
    build: (settings, inputs, argument) -> PathEncoder; the argument is what follows the colon in
        `template:{seed}/{rate}`.
    sidecar: paths do not hold the whole point, so each directory gets a `point.json`.
    settings: its options, an `@option` class; None without any.
    """

    name: str
    build: Callable[[Any, Inputs, str], PathEncoder]
    sidecar: bool = False
    settings: type | None = None
