"""Streams that may be cut: which errors are final, and when an attempt counts as failed."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from hera_k8s_utils.errors import ErrorKind, PlatformError
from hera_k8s_utils.network.retry import RetryPolicy

STREAM_SECONDS: Final = 300.0
"""Seconds after which a stream is reopened."""
UNANCHORED_STREAM_SECONDS: Final = 30.0
"""The same for a stream without a resourceVersion: only reading again shows what was deleted just before it began."""

REFUSALS: Final = frozenset({ErrorKind.FORBIDDEN, ErrorKind.UNTRUSTED, ErrorKind.INVALID})
"""Errors of a stream that another attempt cannot get over. An expired token is not among them: reading renews it."""
PERMANENT: Final = REFUSALS | {ErrorKind.UNAUTHORIZED, ErrorKind.MISSING, ErrorKind.CONFLICT}
"""Errors of a read that another attempt cannot get over; the client has renewed an expired token before it raises."""


def is_permanent(error: PlatformError, *, first: bool) -> bool:
    """Whether reading again cannot help: the server itself refuses, or what answers the first read is no such server.

    first: nothing has been read so far.
    """
    refused = error.kind in PERMANENT and error.conclusive
    return refused or (first and error.kind is ErrorKind.PROTOCOL)


class StreamAttempt:
    """One attempt at a stream; as a context manager it keeps the error after which another attempt may succeed.

        with StreamAttempt(policy) as attempt:
            for event in stream():
                attempt.heard = True
                yield event
        if not attempt.succeeded:
            budget.record_failure(attempt.error or ...)

    heard: whether the stream brought anything new; the caller sets it.
    error: what cut the stream; None while it is open, and when the server ended it.
    """

    def __init__(
        self, policy: RetryPolicy, *, final: frozenset[ErrorKind] = REFUSALS, only_conclusive: bool = True
    ) -> None:
        """Begin now.

        policy: how long a stream must live to count as successful.
        final: kinds of errors that are raised.
        only_conclusive: raise them only when the server itself sent them; False: also when a gateway did.
        """
        self.heard = False
        self.error: PlatformError | None = None
        self._policy = policy
        self._final = final
        self._only_conclusive = only_conclusive
        self._began = time.monotonic()

    def __enter__(self) -> StreamAttempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, PlatformError):
            return False
        if error.kind in self._final and (error.conclusive or not self._only_conclusive):
            return False
        self.error = error
        return True

    @property
    def lasted(self) -> bool:
        """Whether the stream lived long enough to count as successful, even if it brought nothing."""
        return time.monotonic() - self._began >= self._policy.reset_after

    @property
    def succeeded(self) -> bool:
        """Whether the stream brought something or lasted; one that ends at once would be reopened forever."""
        return self.heard or self.lasted
