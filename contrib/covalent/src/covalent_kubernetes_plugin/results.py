"""Outcomes: the block of bytes that a pod sends back, authenticated with the task's key."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from covalent_kubernetes_plugin.errors import OutcomeIncomplete, TaskFailed
from covalent_kubernetes_plugin.runner import MARK

_LARGEST_IN_LOG: Final = 256 * 1024 * 1024
"""Maximum decompressed size of an outcome from a log, in bytes."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a task.

    header: `state` (done, raised, crashed or refused), `stdout`, `stderr`, and further fields of the state.
    result: the pickled result, if the state is done.
    """

    header: dict[str, Any]
    result: bytes = field(repr=False)

    @property
    def state(self) -> str:
        """done, raised (by the task's code), crashed (no report) or refused (by the runner)."""
        return str(self.header["state"])


def unseal(block: bytes, key: bytes) -> Outcome:
    """The outcome in a block. Raises `TaskFailed` if its HMAC is wrong, before parsing it."""
    seal, _, body = block.partition(b"\n")
    if not hmac.compare_digest(seal, hmac.new(key, body, "sha256").hexdigest().encode("ascii")):
        raise TaskFailed(
            "the task's outcome is not authentic",
            found="it was not written by the pod of this task, or was changed later",
            hint="who else may write to the data store?",
        )
    line, _, result = body.partition(b"\n")
    return Outcome(json.loads(line), result)


def from_log(lines: Iterable[str], nonce: str) -> bytes | None:
    """The block in a pod's log; None if there is none. Raises `OutcomeIncomplete` if a part is missing."""
    parts: dict[int, str] = {}
    wanted = 0
    for line in lines:
        words = line.split(" ")
        if len(words) == 4 and words[0] == MARK and words[1] == nonce:
            number, _, of = words[2].partition("/")
            parts[int(number)], wanted = words[3].strip(), int(of)
    if not wanted:
        return None
    if len(parts) < wanted:
        raise _unreadable(f"{len(parts)} of its {wanted} lines are there: the log was rotated")
    try:
        packed = base64.b64decode("".join(parts[number] for number in sorted(parts)), validate=True)
        unfolding = zlib.decompressobj()
        block = unfolding.decompress(packed, _LARGEST_IN_LOG)
    except (binascii.Error, zlib.error) as error:
        raise _unreadable(str(error)) from None
    if not unfolding.eof:
        raise _unreadable(f"it decompresses to more than {_LARGEST_IN_LOG} bytes")
    return block


def _unreadable(found: str) -> OutcomeIncomplete:
    return OutcomeIncomplete(
        "the task's outcome in the pod's log cannot be read",
        found=found,
        hint="print less in the task, or set data_store",
    )
