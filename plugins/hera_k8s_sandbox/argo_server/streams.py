"""Streams of the Argo server: frames of results, and the logs of a workflow's pods."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable
from functools import lru_cache
from typing import Any, Final

from aiohttp import web

from hera_k8s_sandbox.apiserver.requests import number
from hera_k8s_sandbox.argo_server.field_mask import FieldFilter
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.labels import NODE_ID, WORKFLOW_LABEL
from hera_k8s_sandbox.foundation.resource_types import PODS, WORKFLOWS
from hera_k8s_sandbox.foundation.selectors import parse_labels
from hera_k8s_sandbox.kubelet import logs
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.entries import Event, dumps
from hera_k8s_sandbox.workflows.model.nodes import FULFILLED
from hera_k8s_utils._types import Json

KEEPALIVE: Final = 15.0  # seconds of silence after which an event stream shows that it is alive
_TEXTS_KEPT: Final = 16
_GRPC: Final = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 422: 3, 429: 8, 501: 12, 504: 4}
_HTTP: Final = {3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 12: 501, 16: 401}
_STATUS: Final = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 410: "Gone"}


def grpc_code(error: ApiError) -> int:
    """The gRPC code with which the Argo server reports an error."""
    return _GRPC.get(error.code, 13)


def http_code(code: int) -> int:
    """The HTTP status that goes with a gRPC code."""
    return _HTTP.get(code, 500)


class Stream:
    """A response of many frames: server-sent events where they are accepted, JSON lines elsewhere.

    Nothing is sent, not even headers, before the first frame; so does the real server.
    """

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._events = "text/event-stream" in request.headers.get("Accept", "")
        self._fields = FieldFilter.parse(request.query.get("fields", ""))
        self.response = web.StreamResponse()
        self._open = False

    async def open(self) -> None:
        """Send the headers."""
        if self._open:
            return
        self._open = True
        kind = "text/event-stream" if self._events else "application/json"
        self.response.headers["Content-Type"] = kind
        self.response.headers["Cache-Control"] = "no-cache"
        await self.response.prepare(self._request)

    async def send(self, result: Json) -> None:
        """Send one result."""
        await self._write(dumps(self._fields.apply({"result": result})))

    async def send_event(self, event: Event) -> None:
        """Send what happened to a workflow."""
        await self._write(event_text(event, self._fields))

    async def fail(self, error: ApiError) -> None:
        """Send an error as the last frame."""
        code = http_code(grpc_code(error))
        message = {"grpc_code": grpc_code(error), "http_code": code, "message": error.message}
        with contextlib.suppress(ConnectionError):
            await self._write(dumps(self._fields.apply({"error": message | {"http_status": _STATUS.get(code, "")}})))

    async def alive(self, waiting: Awaitable[Any]) -> Any:
        """Wait, and send keep-alives meanwhile."""
        task = asyncio.ensure_future(waiting)
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=KEEPALIVE)
                if done:
                    return task.result()
                if self._events:
                    await self.open()
                    await self.response.write(b":\n")
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _write(self, text: bytes) -> None:
        await self.open()
        await self.response.write(b"data: " + text + b"\n\n" if self._events else text + b"\n")


@lru_cache(maxsize=_TEXTS_KEPT)
def event_text(event: Event, fields: FieldFilter) -> bytes:
    """The frame of an event, made once for all who follow with the same fields: workflows may be large."""
    return dumps(fields.apply({"result": {"type": event.type, "object": event.object}}))


class LogReader:
    """The logs of a workflow's pods, or of one of them."""

    def __init__(self, state: SandboxState, namespace: str, workflow: str, request: web.Request) -> None:
        query = request.query
        self._state = state
        self._namespace = namespace
        self._workflow = workflow
        self._container = query.get("logOptions.container", "main") or "main"
        self._pod = request.match_info.get("pod") or query.get("podName", "")
        self._grep = query.get("grep", "")
        self._selector = query.get("selector", "")
        self._options = logs.LogOptions(
            follow=query.get("logOptions.follow") == "true",
            timestamps=query.get("logOptions.timestamps") == "true",
            tail_lines=number(request, "logOptions.tailLines"),
            limit_bytes=number(request, "logOptions.limitBytes"),
        )

    async def lines(self) -> AsyncGenerator[Json, None]:
        """Frames, in the order in which pods appear; while following, pods are read side by side."""
        queue: asyncio.Queue[Json | None] = asyncio.Queue(1024)
        if not self._options.follow:
            for pod in self._pods():
                async for frame in self._frames(pod):
                    yield frame
            return
        reader = asyncio.create_task(self._follow(queue))
        try:
            while (following := await queue.get()) is not None:
                yield following
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _follow(self, queue: asyncio.Queue[Json | None]) -> None:
        async def read(pod: str) -> None:
            async for frame in self._frames(pod):
                await queue.put(frame)

        readers: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                ended = self._has_ended()
                for pod in self._pods():
                    if pod not in readers:
                        readers[pod] = asyncio.create_task(read(pod))
                if ended:
                    break
                await asyncio.sleep(0.2)
            await asyncio.gather(*readers.values(), return_exceptions=True)
            await queue.put(None)
        finally:
            for task in readers.values():
                task.cancel()

    async def _frames(self, pod: str) -> AsyncGenerator[Json, None]:
        with contextlib.suppress(ApiError):  # the pod went meanwhile
            async for line in logs.read_log(self._state, self._namespace, pod, self._container, self._options):
                content = line.decode("utf-8", "replace").removesuffix("\n")
                if not self._grep or self._grep in content:
                    yield {"content": content, "podName": pod}

    def _pods(self) -> list[str]:
        """The pods that have started, in the order of their nodes."""
        labels = parse_labels(",".join(filter(None, (f"{WORKFLOW_LABEL}={self._workflow}", self._selector))))
        found = [
            entry
            for entry in self._state.store.entries(PODS, self._namespace, labels=labels)
            if not self._pod or entry.meta["name"] == self._pod
        ]
        started = [one for one in found if (one.object.get("status") or {}).get("phase", "Pending") != "Pending"]
        workflow = self._state.store.find(WORKFLOWS, self._namespace, self._workflow) or {}
        order = {key: number for number, key in enumerate((workflow.get("status") or {}).get("nodes") or ())}
        started.sort(key=lambda one: order.get((one.meta.get("annotations") or {}).get(NODE_ID, ""), len(order)))
        return [one.meta["name"] for one in started]

    def _has_ended(self) -> bool:
        if self._pod:
            pod = self._state.store.find(PODS, self._namespace, self._pod)
            if pod is not None:
                return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        workflow = self._state.store.find(WORKFLOWS, self._namespace, self._workflow)
        return workflow is None or (workflow.get("status") or {}).get("phase") in FULFILLED
