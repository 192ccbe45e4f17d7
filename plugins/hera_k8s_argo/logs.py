"""Resuming interrupted log streams: the server replays them from the start, and lines already seen are skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from hera_k8s_utils import LogLine
from hera_k8s_utils._moved import forward
from hera_k8s_utils.engines import PERMANENT, StreamAttempt
from hera_k8s_utils.network import RetryPolicy

_AT_FIRST: Final = 1
"""Failures that are tolerated before the first line when not following: the server may be unreachable."""


def resume_stream(
    stream: Callable[[], Iterator[tuple[LogLine, str]]], patience: RetryPolicy, *, follow: bool = True
) -> Iterator[LogLine]:
    """The lines of a stream, each once, although it is reopened whenever it is interrupted.

    stream: opens it from the start; yields each line with its time (empty when unknown: such a line is never skipped).
    patience: retry policy.
    follow: the stream lasts as long as the tasks; else silence counts as a failure.
    """
    seen: dict[str, _Seen] = {}
    failures = 0
    while True:
        for pod in seen.values():
            pod.rewind()
        with StreamAttempt(patience, final=PERMANENT, only_conclusive=False) as attempt:
            for line, moment in stream():
                if seen.setdefault(line.pod, _Seen()).is_new(moment):
                    failures = 0
                    yield line
        if attempt.error is None:
            return
        if follow and attempt.lasted:  # a task may print nothing for hours
            failures = 0
            continue
        failures += 1
        if failures > (patience.max_failures if follow or seen else _AT_FIRST):
            raise attempt.error
        patience.wait(failures)


@dataclass
class _Seen:
    """How far one pod's log was read: the time of its last line, and how many lines have that time."""

    last: tuple[str, str] = ("", "")
    at_last: int = 0
    _replayed: int = field(default=0, repr=False)

    def rewind(self) -> None:
        """The stream begins anew."""
        self._replayed = 0

    def is_new(self, moment: str) -> bool:
        """Whether a line of this time has not been seen; lines come in the order of their times."""
        if not moment:
            return True
        when = _sortable(moment)
        if when < self.last:
            return False
        if when > self.last:
            self.last, self.at_last, self._replayed = when, 1, 1
            return True
        self._replayed += 1
        if self._replayed <= self.at_last:
            return False
        self.at_last = self._replayed
        return True


def _sortable(moment: str) -> tuple[str, str]:
    """An RFC 3339 time as texts that sort by time: the fraction of a second is written without its trailing zeros."""
    fraction = moment[19:].rstrip("Z").partition(".")[2]
    return moment[:19], fraction


globals()["__getattr__"] = forward(__name__)  # old names; not as a `def`, or type checkers would accept any name
