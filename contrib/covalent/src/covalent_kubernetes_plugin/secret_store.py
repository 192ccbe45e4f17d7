"""The store of small tasks: the task is in a Secret, and its outcome in the pod's log.

The pod needs no permissions; its service account token is not mounted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Final

from covalent_kubernetes_plugin import results
from covalent_kubernetes_plugin.errors import TaskFailed
from covalent_kubernetes_plugin.stores import TaskBundle

LARGEST_TASK: Final = 960 * 1024
"""Compressed bytes: a Secret holds 1 MiB, including the runner and cloudpickle."""
LARGEST_OUTCOME: Final = 4 * 1024 * 1024
"""Compressed bytes: a kubelet rotates logs at 10 MiB, and base64 adds a third."""

_KEPT: Final = 128 * 1024


class SecretStore:
    """A Secret and a log."""

    def send(self, name: str, payload: bytes) -> TaskBundle:  # noqa: ARG002
        """Pack the task. Raises `TaskFailed` if it is too large."""
        packed = zlib.compress(payload, 6)
        if len(packed) > LARGEST_TASK:
            raise TaskFailed(
                "the task is too large for a Secret",
                found=f"function and arguments have {len(packed)} bytes compressed; the maximum is {LARGEST_TASK}",
                hint="set data_store to a claim, a path or s3://bucket/prefix; or let tasks read large data themselves",
            )
        return TaskBundle({"secret": "task.z"}, {"log": LARGEST_OUTCOME}, files={"task.z": packed}, keep=_KEPT)

    def fetch(self, name: str, nonce: str, log: Callable[[], Iterable[str]]) -> bytes | None:  # noqa: ARG002
        """The outcome from the log."""
        return results.from_log(log(), nonce)

    def remove(self, name: str) -> None:
        """Does nothing: the Job owns the Secret."""
