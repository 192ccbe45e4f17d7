"""Frames of the Argo server's streams: server-sent events or JSON a line, keepalives, errors, and how a stream ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from hera_k8s_utils import ErrorKind, Json, PlatformError
from hera_k8s_utils.reading import TooComplex, parse_json

_STATUS_OF_GRPC: Final = {2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 10: 409, 13: 500, 14: 503, 16: 401}
"""HTTP statuses of gRPC codes, where a frame brings only the latter."""
_RESOURCE_EXHAUSTED: Final = 8
_LONGEST: Final = 64 * 1024 * 1024
"""Characters of one frame, in however many lines."""


def results(lines: Iterable[str], *, wanted: str) -> Iterator[Json]:
    """The `result` of each frame, until the server ends the stream in its own way or closes it.

    wanted: what was asked for, for messages. Raises `PlatformError` for a frame that holds an error, and for what is
    no frame at all.
    """
    for text in frames(lines):
        frame = _parsed(text, wanted)
        error = frame.get("error") or (frame if "message" in frame and "result" not in frame else None)
        if error is not None:
            if _is_end(error):
                return
            raise _failure(error, wanted)
        if isinstance(frame.get("result"), dict):
            yield frame["result"]


def frames(lines: Iterable[str]) -> Iterator[str]:
    """The text of each frame: the `data` of a server-sent event, or a line of newline-delimited JSON."""
    data, size = list[str](), 0
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
            size += len(line)  # the word itself too: lines may be empty
        elif not line.strip():
            if data:
                yield "\n".join(data)
            data, size = [], 0
        elif not _is_other_field(line):
            yield line
        if size > _LONGEST:
            raise PlatformError("reading a stream", found="one event is too long", kind=ErrorKind.PROTOCOL)
    if data:
        yield "\n".join(data)


def _is_other_field(line: str) -> bool:
    """A comment (the keepalive is a lone colon) or a field that says nothing about the data."""
    return line.startswith((":", "event:", "id:", "retry:"))


def _parsed(text: str, wanted: str) -> Json:
    try:
        frame = parse_json(text)
    except TooComplex as error:
        raise PlatformError(wanted, found=f"an event: {error}", kind=ErrorKind.PROTOCOL) from None
    except ValueError:
        frame = None
    if not isinstance(frame, dict):
        raise PlatformError(
            wanted,
            found="the stream contains something other than events",
            hint="is there a proxy or a login page in front of the server?",
            kind=ErrorKind.PROTOCOL,
        )
    return frame


def _is_end(error: Any) -> bool:
    """The server ends every stream, also in the best of health, by an error: EOF as ResourceExhausted (4.1)."""
    if not isinstance(error, dict):
        return False
    return _grpc_code(error) == _RESOURCE_EXHAUSTED and "EOF" in str(error.get("message", ""))


def _failure(error: Any, wanted: str) -> PlatformError:
    if not isinstance(error, dict):
        return PlatformError(wanted, found=str(error)[:300], kind=ErrorKind.SERVER)
    status = error.get("http_code")
    if not isinstance(status, int):
        status = _STATUS_OF_GRPC.get(_grpc_code(error), 500)
    return PlatformError(
        wanted,
        found=f"{str(error.get('message') or 'the server ended the stream')[:300]} ({status})",
        kind=PlatformError.kind_of_status(status),
        status=status,
    )


def _grpc_code(error: Json) -> int:
    code = error.get("grpc_code", error.get("code"))
    return code if isinstance(code, int) else 0
