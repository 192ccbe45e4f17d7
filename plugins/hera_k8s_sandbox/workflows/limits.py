"""Limits: how large and how deep a workflow may become; what exceeds them ends in Error, in Argo's words.

Argo has no limit on `withSequence` or on the number of nodes: its limit is the size of the workflow object, with
`status.nodes` compressed when it is larger than 1 MiB. The size is checked before a fan-out is expanded, for every node
that is added, and for every state that is written.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterable
from typing import Any, Final

from hera_k8s_utils._types import Json

LARGEST: Final = 1 << 20  # bytes of a workflow as Argo stores it: MAX_WORKFLOW_SIZE
LARGEST_PLAIN: Final = 64 << 20  # bytes of its nodes before compression; the sandbox's own limit
DEEPEST: Final = 100  # nested calls of templates, Argo's limit
TOO_DEEP: Final = (
    "Maximum recursion depth exceeded. See "
    "https://argo-workflows.readthedocs.io/en/release-4.1/scaling/#maximum-recursion-depth"
)
LARGEST_TEXT: Final = 3 << 20  # characters of a template with its tags replaced: the API server takes no larger request
_TOO_LARGE: Final = "workflow is longer than maximum allowed size."
_NOT_OFFLOADED: Final = "Tried to offload but encountered error: offload node status is not supported"
_LEAST_NODE: Final = 20  # bytes of a compressed node in base64; the smallest ones take 33
_CAUTION: Final = 0.9  # of an estimated size: nothing is refused that might fit
_LEVEL: Final = 6  # of compression, as Argo's
_IN_BASE64: Final = 4 / 3


class LimitError(Exception):
    """The workflow exceeds a limit; it ends in Error with this message."""


class Size:
    """The size of a workflow as it grows, at least: its nodes as they were when they were added.

    base: bytes of the workflow without its nodes.
    """

    def __init__(self, base: int, nodes: Iterable[Json]) -> None:
        self._base = base
        self._compressor = zlib.compressobj(_LEVEL)
        self._compressed = 0
        self._plain = 0
        for node in nodes:
            self._take(node)

    def add(self, node: Json) -> None:
        """Count a node that was added. Raises LimitError."""
        self._take(node)
        if self._base + self._plain > LARGEST:
            _require(self._base + self._compressed * _IN_BASE64)
        if self._plain > LARGEST_PLAIN:
            message = (
                f"{_TOO_LARGE} uncompressed nodes have {self._plain} bytes > {LARGEST_PLAIN}, a limit of the sandbox"
            )
            raise LimitError(message)

    def require_room(self, what: str, count: int, sample: list[Json]) -> None:
        """Check that so many nodes fit in before the first is made. Raises LimitError.

        what: what they are made for. sample: some of them, as they will be.
        """
        require_room_for(what, count, self._base)
        texts = b",".join(_dumps(node) for node in sample)
        each = len(gzip.compress(texts, _LEVEL)) * _IN_BASE64 / len(sample)
        plain = self._base + self._plain + len(texts) / len(sample) * count
        if plain * _CAUTION > LARGEST:
            _require(self._base + self._compressed * _IN_BASE64 + each * count * _CAUTION, f"{what}: {count} nodes")

    def _take(self, node: Json) -> None:
        text = _dumps(node)
        self._plain += len(text)
        self._compressed += len(self._compressor.compress(text))


def require_room_for(what: str, count: int, base: int = 0) -> None:
    """Refuse so many nodes, however small they are. Raises LimitError."""
    _require(base + count * _LEAST_NODE, f"{what}: {count} nodes")


def size_of(workflow: Json) -> int:
    """Bytes of a workflow as JSON, nothing of it compressed."""
    return len(_dumps(workflow))


def require_size(workflow: Json, nodes: Json) -> None:
    """Check a workflow larger than 1 MiB as Argo stores it: its nodes compressed. Raises LimitError."""
    packed = len(base64.b64encode(gzip.compress(_dumps(nodes), _LEVEL)))
    rest = workflow | {"status": {key: value for key, value in workflow["status"].items() if key != "nodes"}}
    size = len(_dumps(rest)) + packed
    if size > LARGEST:
        raise LimitError(f"{_TOO_LARGE} compressed size {size} > maxSize {LARGEST}{_NOT_OFFLOADED}")


def _require(size: float, why: str = "") -> None:
    if size > LARGEST:
        message = f"{_TOO_LARGE} compressed size at least {int(size)} > maxSize {LARGEST}"
        raise LimitError(f"{message} ({why})" if why else message)


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
