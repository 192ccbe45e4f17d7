"""The kubelet's own API, as far as the API server asks for it: the logs of containers.

It speaks TLS and serves whoever shows a certificate of the control plane's authority, which the API server does.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from aiohttp import web
from kube_watch import Json, Key

from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.kubelet import logs

FindPod = Callable[[Key], Json | None]

_UNSUPPORTED: Final = ("attach", "portForward", "run", "cp")


def application(find: FindPod, directory_of: Callable[[Json], Path]) -> web.Application:
    """What the API server may ask for; directory_of: where the files of a pod are."""
    served = _Logs(find, directory_of)
    made = web.Application()
    made.router.add_get("/healthz", _healthy)
    made.router.add_get("/containerLogs/{namespace}/{pod}/{container}", served.answer)
    for name in _UNSUPPORTED:
        made.router.add_route("*", f"/{name}/{{rest:.*}}", _refuse)
    return made


def secured(certificate: Path, key: Path, client_ca: Path) -> ssl.SSLContext:
    """TLS for clients that show a certificate of an authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client_ca))
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _refuse(request: web.Request) -> web.Response:
    return web.Response(status=501, text=f"the test kubelet does not support {request.path.split('/')[1]}\n")


class _Logs:
    def __init__(self, find: FindPod, directory_of: Callable[[Json], Path]) -> None:
        self._find = find
        self._directory_of = directory_of

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Write the log of a container as far as it is asked for."""
        key = (request.match_info["namespace"], request.match_info["pod"])
        container = request.match_info["container"]
        pod = self._find(key)
        if pod is None:
            return web.Response(status=404, text=f'pod "{key[1]}" does not exist')
        previous = request.query.get("previous") == "true"
        try:
            attempt = logs.require_started(pod, container, previous=previous)
        except ApiError as error:
            return web.Response(status=400, text=str(error))
        uid = pod["metadata"]["uid"]

        def runs() -> bool:
            now = self._find(key)
            there = now is not None and now["metadata"]["uid"] == uid
            return there and not previous and logs.is_running(now or {}, container, attempt)

        directory = logs.log_directory(self._directory_of(pod), container, attempt)
        response = web.StreamResponse(headers={"Content-Type": "text/plain", "Transfer-Encoding": "chunked"})
        with contextlib.suppress(ConnectionError):  # the reader left
            await response.prepare(request)
            async for line in logs.read_lines(directory, _options(request), runs):
                await response.write(line)
            await response.write_eof()
        return response


def _options(request: web.Request) -> logs.LogOptions:
    query = request.query
    since = None
    if "sinceSeconds" in query:
        since = time.time() - int(query["sinceSeconds"])
    elif "sinceTime" in query:
        since = datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00")).timestamp()
    return logs.LogOptions(
        follow=query.get("follow") == "true",
        timestamps=query.get("timestamps") == "true",
        tail_lines=int(query["tailLines"]) if "tailLines" in query else None,
        since=since,
        limit_bytes=int(query["limitBytes"]) if "limitBytes" in query else None,
    )
