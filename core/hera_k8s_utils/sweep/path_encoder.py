"""Path encoders: how a point becomes a path, and a path a point again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from hera_k8s_utils.sweep.inputs import Point

if TYPE_CHECKING:
    from hera_k8s_utils.sweep.inputs import Point


class PathEncoder(Protocol):
    """How one strategy names the points of one sweep. Paths are relative, with `/`, and never leave their root."""

    def encode(self, point: Point) -> str:
        """The relative path of a point."""

    def decode(self, path: str) -> Mapping[str, Any]:
        """The values that `encode` was given; raises `BuildError` on a path that is not of this naming."""
