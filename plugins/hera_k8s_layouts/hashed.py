"""hashed: directories named by content, `3f/3fk2m9q0ap1x`: short and safe however long the values are.

The name depends on the point alone, so the same point has the same directory in every sweep. It is read back by going
through the sweep, or, without it, from the `point.json` that a task writes beside its results:

    run_point(name="simulate", **inputs.fan_out(output=layout.path, point=layout.sidecar_text))
"""

from __future__ import annotations

import base64
from typing import Final

from hera_k8s_layouts.index import Index
from hera_k8s_layouts.pattern import refuse_argument
from hera_k8s_utils import Inputs, Point
from hera_k8s_utils.sweep import Value, fingerprint

_LETTERS: Final = 20
"""Letters of a name, 5 bits each: among a million points, two have the same with a probability of 4e-19."""


class Hashed:
    """The naming for one sweep."""

    def __init__(self, inputs: Inputs) -> None:
        self._index = Index(inputs, self.encode)

    def encode(self, point: Point) -> str:
        """The first two letters of the point's fingerprint, in base 32, then all."""
        name = base64.b32encode(fingerprint(point)).decode("ascii").lower()[:_LETTERS]
        return f"{name[:2]}/{name}"

    def decode(self, path: str) -> dict[str, Value]:
        """The values of the point of the sweep that has this path."""
        return dict(self._index.find(path))


def build(settings: None, inputs: Inputs, argument: str) -> Hashed:
    """The naming for one sweep."""
    refuse_argument("hashed", argument)
    return Hashed(inputs)
