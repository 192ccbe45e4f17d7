"""Watches: a stream of changes as lines of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.store.store import Event, Store, Subscription

if TYPE_CHECKING:
    from aiohttp import web

BOOKMARK_EVERY: Final = 60.0  # seconds
_INITIAL_END: Final = "k8s.io/initial-events-end"


@dataclass(frozen=True)
class Stream:
    """How one watch is written.

    initial: events of what was there already come first and are closed by a bookmark.
    bookmarks: whether the client wants them.
    seconds: after which the stream ends.
    """

    resource: Resource
    render: Callable[[Event], bytes]
    initial: bool
    bookmarks: bool
    seconds: float


def default_timeout() -> float:
    """How long a watch lasts when the client does not say: half an hour to an hour, as the API server's."""
    return random.uniform(1800, 3600)  # noqa: S311


async def serve(request: web.Request, store: Store, subscription: Subscription, stream: Stream) -> web.StreamResponse:
    """Write the events of a subscription until its time is up, the client leaves or the server ends."""
    from aiohttp import web

    response = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"})
    response.enable_chunked_encoding()
    try:
        await response.prepare(request)
        await _write(response, store, subscription, stream)
        await response.write_eof()
    except (ConnectionResetError, ConnectionError):
        pass
    finally:
        subscription.close()
    return response


async def _write(response: web.StreamResponse, store: Store, subscription: Subscription, stream: Stream) -> None:
    ends_at = time.monotonic() + stream.seconds
    initial_lines = [_line(event, stream) for event in subscription.pending()]
    if stream.initial:
        initial_lines.append(_bookmark(stream.resource, store.version, initial_end=True))
    if initial_lines:
        await response.write(b"".join(initial_lines))
    while (left := ends_at - time.monotonic()) > 0:
        try:
            arrived = await asyncio.wait_for(subscription.wait(), min(left, BOOKMARK_EVERY))
        except asyncio.TimeoutError:
            if stream.bookmarks and time.monotonic() < ends_at:
                await response.write(_bookmark(stream.resource, store.version))
            continue
        except ApiError as error:
            await response.write(error_line(error))
            return
        if not arrived:
            return
        await response.write(b"".join(_line(event, stream) for event in subscription.pending()))
    if stream.bookmarks:
        with contextlib.suppress(ConnectionError):
            await response.write(_bookmark(stream.resource, store.version))


def error_line(error: ApiError) -> bytes:
    """An ERROR event, which ends a watch."""
    return json.dumps({"type": "ERROR", "object": error.status()}, separators=(",", ":")).encode() + b"\n"


def _line(event: Event, stream: Stream) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (event.type.encode(), stream.render(event))


def _bookmark(resource: Resource, version: int, *, initial_end: bool = False) -> bytes:
    meta: dict[str, object] = {"resourceVersion": str(version)}
    if initial_end:
        meta["annotations"] = {_INITIAL_END: "true"}
    obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
    return json.dumps({"type": "BOOKMARK", "object": obj}, separators=(",", ":")).encode() + b"\n"
