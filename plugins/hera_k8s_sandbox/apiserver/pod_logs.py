"""`pods/NAME/log`: the parameters of a log request, and the stream that answers it."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from hera_k8s_sandbox.apiserver.requests import flag, number
from hera_k8s_sandbox.foundation.errors import bad_request
from hera_k8s_sandbox.foundation.resource_types import PODS
from hera_k8s_sandbox.kubelet.logs import LogOptions, read_log, require_started
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_utils._types import Json

if TYPE_CHECKING:
    from aiohttp import web


async def answer(request: web.Request, state: SandboxState, namespace: str, name: str) -> web.StreamResponse:
    """Write a container's log. Raises ApiError 400, 404."""
    from aiohttp import web

    pod = state.store.get(PODS, namespace, name)
    container = _container(pod, request.query.get("container", ""))
    options = _options(request)
    previous = flag(request, "previous")
    require_started(pod, container, previous=previous)
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    response.enable_chunked_encoding()
    with contextlib.suppress(ConnectionError):  # the reader left
        await response.prepare(request)
        async for line in read_log(state, namespace, name, container, options, previous=previous):
            await response.write(line)
        await response.write_eof()
    return response


def _container(pod: Json, wanted: str) -> str:
    if wanted:
        return wanted
    names = [one["name"] for one in pod["spec"]["containers"]]
    if len(names) > 1:
        message = f"a container name must be specified for pod {pod['metadata']['name']}, choose one of: "
        init = " ".join(one["name"] for one in pod["spec"].get("initContainers") or ())
        others = f" or one of the init containers: [{init}]" if init else ""
        raise bad_request(f"{message}[{' '.join(names)}]{others}")
    return str(names[0])


def _options(request: web.Request) -> LogOptions:
    seconds, moment = number(request, "sinceSeconds"), request.query.get("sinceTime", "")
    if seconds is not None and moment:
        raise bad_request("at most one of sinceTime or sinceSeconds may be specified")
    since = _moment(moment) if moment else None
    return LogOptions(
        follow=flag(request, "follow"),
        timestamps=flag(request, "timestamps"),
        tail_lines=number(request, "tailLines"),
        since=since if seconds is None else time.time() - seconds,
        limit_bytes=number(request, "limitBytes"),
    )


def _moment(text: str) -> float:
    """Seconds since the epoch of a time like 2026-11-20T10:42:00Z."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 does not know the Z
    except ValueError:
        raise bad_request(f'sinceTime: Invalid value: "{text}"') from None
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
