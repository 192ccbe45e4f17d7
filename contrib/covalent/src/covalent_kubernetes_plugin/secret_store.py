"""The store of small tasks: they go in their Secret, and what came of them comes back in the pod's log.

Neither needs a right in the pod: its account's token is not even mounted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Final

from covalent_kubernetes_plugin import results
from covalent_kubernetes_plugin.errors import TaskFailed
from covalent_kubernetes_plugin.stores import TaskBundle

LARGEST_TASK: Final = 960 * 1024
"""Bytes, compressed: a Secret holds one MiB, and the runner and cloudpickle are in it too."""
LARGEST_OUTCOME: Final = 4 * 1024 * 1024
"""Bytes, compressed: a kubelet rotates logs at 10 MiB, and the lines are a third longer."""

_KEPT: Final = 128 * 1024


class SecretStore:
    """A Secret and a log."""

    def send(self, name: str, payload: bytes) -> TaskBundle:  # noqa: ARG002
        """Raises `TaskFailed` for a task that is too large."""
        packed = zlib.compress(payload, 6)
        if len(packed) > LARGEST_TASK:
            raise TaskFailed(
                "the task is too large for a Secret",
                found=f"function and arguments are {len(packed)} bytes when compressed, at most {LARGEST_TASK} fit",
                hint="set data_store to a claim, a path or s3://bucket/prefix; or let tasks read large data themselves",
            )
        return TaskBundle({"secret": "task.z"}, {"log": LARGEST_OUTCOME}, files={"task.z": packed}, keep=_KEPT)

    def fetch(self, name: str, nonce: str, log: Callable[[], Iterable[str]]) -> bytes | None:  # noqa: ARG002
        """The block between the other lines of the log."""
        return results.from_log(log(), nonce)

    def remove(self, name: str) -> None:
        """Nothing: the Secret belongs to the Job."""
