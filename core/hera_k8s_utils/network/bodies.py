"""Bodies of answers, decompressed piece by piece: read whole, in their beginning, or line by line."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import urllib3

from hera_k8s_utils.network.limits import AnswerRejected, RequestLimits

LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes of one line of a stream: an object of the Kubernetes API is at most 3 MiB, and so is never near this."""
LONGEST_REFUSAL: Final = 1024 * 1024
"""Bytes that are read of an answer whose status already says that it failed."""
_CHUNK: Final = 65536


@dataclass(frozen=True)
class Pace:
    """When the time limit of a stream begins anew; with neither, it counts for the whole stream.

    line: after each whole line.
    size: after so many bytes.
    """

    line: bool = False
    size: int = 0


WHOLE: Final = Pace()
"""Of a stream that the server ends by itself after a time that was asked for."""
EVENTS: Final = Pace(line=True)
"""Of a stream of events, in which the server sends a line now and then even if there is nothing new."""
GROWING: Final = Pace(size=1)
"""Of a log that is followed: a program may write dots on one line for hours."""
FINISHED: Final = Pace(size=4096)
"""Of a log or file that is there already: what comes more slowly than this never ends."""


def read_whole(response: Any, limits: RequestLimits) -> bytes:
    """The body of one of urllib3's answers.

    Raises `AnswerRejected` for one that is too large, as it comes or decompressed, and what urllib3 raises for a cut.
    """
    pieces, size = list[bytes](), 0
    try:
        limits.allow(response.length_remaining or 0)  # as the server itself says
        for piece in _unpacked(response, limits):
            size += len(piece)
            limits.allow(size)
            pieces.append(piece)
    except BaseException:
        pieces.clear()  # the error holds this frame, and whoever tries again holds the error
        response.close()
        raise
    return b"".join(pieces)


def read_beginning(response: Any, limits: RequestLimits, most: int = LONGEST_REFUSAL) -> bytes:
    """At most so many bytes of a body, fewer if it is cut, late or unreadable: for a message, the status is known."""
    found = bytearray()
    try:
        for piece in _unpacked(response, limits):
            found += piece
            if len(found) > most:
                response.close()
                break
    except (urllib3.exceptions.HTTPError, OSError):
        response.close()
    return bytes(found[:most])


def iter_lines(response: Any, limits: RequestLimits, pace: Pace = GROWING) -> Iterator[bytes]:
    """The lines of one of urllib3's answers as they come, without their ends.

    At `\\n` only: text inside a frame may hold other separators that `splitlines` would split at. Raises
    `AnswerRejected` for a line that is longer than `LONGEST_LINE`, and what urllib3 raises for a cut.
    """
    rest, fresh = bytearray(), 0
    for chunk in _unpacked(response, limits):
        limits.restart_size()  # a stream may be endless; what must not be is all that is around its lines
        fresh += len(chunk)
        if pace.size and fresh >= pace.size:
            limits.restart(awaited="more of it")
            fresh = 0
        head, *others = chunk.split(b"\n")
        rest += head
        for each in others:
            yield from _taken(bytes(rest), limits)
            if pace.line:
                limits.restart(awaited="line")
            rest = bytearray(each)
        if len(rest) > LONGEST_LINE:
            rest.clear()
            raise AnswerRejected("one line has no end")
    if rest:
        yield bytes(rest)


def _taken(line: bytes, limits: RequestLimits) -> Iterator[bytes]:
    """A line, given to whoever reads; the time that he takes for it is not the server's."""
    given = time.monotonic()
    yield line
    limits.extend(time.monotonic() - given)


# --- decompression ---------------------------------------------------------------------------------------------


def _unpacked(response: Any, limits: RequestLimits) -> Iterator[bytes]:
    """The body in pieces of at most 64 KiB; not by urllib3, which before 2.6 unpacks all that came at once."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    packed = _packed(response)
    if encoding in ("", "identity"):
        return packed
    if encoding in ("gzip", "x-gzip"):
        return _gunzipped(packed, limits.within)
    raise AnswerRejected(f"it answered in the encoding {encoding[:40]!r}, which was not asked for")


def _packed(response: Any) -> Iterator[bytes]:
    size = response.length_remaining or 0
    if 0 < size <= _CHUNK:  # nearly all answers: one call, at whose end the connection is free again
        chunk = response.read(size, decode_content=False)
        yield chunk
        if len(chunk) == size:
            return
    while chunk := response.read1(_CHUNK, decode_content=False):
        yield chunk


def _gunzipped(packed: Iterable[bytes], still_in_time: Callable[[], float]) -> Iterator[bytes]:
    """The content of a gzip file (RFC 1952), which may have several members."""
    inflate = _inflater()
    try:
        for data in packed:
            while data:
                still_in_time()
                piece = inflate.decompress(data, _CHUNK)
                data = inflate.unconsumed_tail or inflate.unused_data
                if inflate.eof and data:
                    inflate = _inflater()
                if piece:
                    yield piece
        while piece := inflate.decompress(b"", _CHUNK):
            yield piece
    except zlib.error as error:
        raise AnswerRejected(f"its answer cannot be decompressed: {error}") from None


def _inflater() -> Any:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)
