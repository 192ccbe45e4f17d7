"""How much time and how many bytes one answer of a server may take; `connections` holds them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from hera_k8s_utils.errors import ErrorKind, PlatformError

LARGEST_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of one answer, as it comes and decompressed: a page of 500 objects of 100 KiB, a workflow of 50,000 tasks."""
LARGEST_OBJECT: Final = 16 * 1024 * 1024
"""Bytes of one object of Kubernetes, which keeps at most 1.5 MiB of it: dozens of them are read at once."""


MOST_PAGES: Final = 2000
"""Pages of one list: a million objects."""
LARGEST_LIST: Final = 2 * 1024 * 1024 * 1024
"""Bytes of all pages of one list."""


class OutOfTime(TimeoutError):
    """A whole answer did not come within its time. The text says what was waited for, and how long."""


class AnswerRejected(OSError):
    """An answer is larger than its limit, or packed in a way that was not asked for. The text says which."""


class RequestLimits:
    """The time and the bytes that are left for one request and its repetitions.

    seconds: until the whole answer is there.
    most: bytes of it, headers included, as they come.
    extended: the seconds that were left out so far.
    """

    def __init__(self, seconds: float, *, most: int = LARGEST_ANSWER) -> None:
        self.most = most
        self.extended = 0.0
        self._seconds = seconds
        self.restart()

    def restart(self, seconds: float | None = None, *, awaited: str = "answer") -> None:
        """Begin anew, with another time limit if one is named.

        awaited: what has to come whole within it.
        """
        self._seconds = self._seconds if seconds is None else seconds
        self._awaited = awaited
        self._end = time.monotonic() + self._seconds
        self._begun = False
        self._received = 0

    def restart_size(self) -> None:
        """Count bytes anew."""
        self._received = 0

    def extend(self, seconds: float) -> None:
        """Leave out time for which the server was not waited for."""
        self._end += seconds
        self.extended += seconds

    def within(self, seconds: float | None = None) -> float:
        """The seconds that are left, or fewer if fewer are named. Raises `OutOfTime` when none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.out_of_time()
        return left if seconds is None else min(seconds, left)

    @property
    def over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._end

    def out_of_time(self) -> OutOfTime:
        """The error that says so."""
        whole = "whole " if self._begun else ""
        return OutOfTime(f"no {whole}{self._awaited} within {self._seconds:g} s")

    def take(self, size: int) -> None:
        """Count bytes that came. Raises `AnswerRejected` when they are too many."""
        self._begun = self._begun or size > 0
        self._received += size
        self.allow(self._received)

    def allow(self, size: int) -> None:
        """Raise `AnswerRejected` when an answer of so many bytes is too large."""
        if size > self.most:
            raise AnswerRejected(f"its answer is larger than {self.most / 1024**2:g} MiB")

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Hold these limits for all that this thread sends in the block."""
        token = _applied.set(self)
        try:
            yield
        finally:
            _applied.reset(token)


class ListLimits:
    """The pages and bytes that are left for one list.

    wanted: what is listed, for the message.
    """

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self._pages = self._size = 0

    def take(self, size: int) -> None:
        """Count a page. Raises `PlatformError` (protocol) when the list is too long."""
        self._pages += 1
        self._size += size
        if self._pages > MOST_PAGES or self._size > LARGEST_LIST:
            raise PlatformError(
                self._wanted,
                found=f"the list has no end: {self._pages:,} pages, {self._size / 1024**2:.0f} MiB",
                hint="is the address right?",
                kind=ErrorKind.PROTOCOL,
            )


_applied: ContextVar[RequestLimits | None] = ContextVar("applied", default=None)


def applied_limits() -> RequestLimits | None:
    """The limits that hold in this thread now."""
    return _applied.get()
