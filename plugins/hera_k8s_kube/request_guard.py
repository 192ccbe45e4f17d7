"""The official client's requests, held back while an experiment is loaded and built. Also its asynchronous forms."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from hera_k8s_utils import HeldRequest, Json, OfflinePhase, Replacement, RequestGuard, offline_phase

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_REVIEWS: Final = ("authentication.k8s.io", "authorization.k8s.io")
"""Groups whose objects are questions: POST asks, and keeps nothing."""
_CONNECTIONS: Final = ("exec", "attach", "portforward", "proxy")
"""Subresources that a GET does not only read."""
_KINDS: Final = {"jobs": "Job", "cronjobs": "CronJob", "pods": "Pod"}
"""Kinds that the client's models leave out: the path says what they are."""


def replace_requests(module: ModuleType) -> Iterable[Replacement]:
    """The one function of a module of the client's (37, and kubernetes_asyncio 36) through which its requests go."""
    library = module.__name__.partition(".")[0]
    if hasattr(module, "RESTClientObject"):
        client = module.RESTClientObject
        wrap = _asynchronous if inspect.iscoroutinefunction(client.request) else _synchronous
        yield Replacement(client, "request", wrap(client.request, library))
    elif hasattr(module, "WsApiClient"):
        yield Replacement(module.WsApiClient, "request", _asynchronous(module.WsApiClient.request, library, "exec"))
    else:
        yield Replacement(module, "create_websocket", _websocket(module.create_websocket, library))


def _synchronous(original: Any, library: str) -> Any:
    def request(self: Any, method: str, url: str, *arguments: Any, **parts: Any) -> Any:
        phase = offline_phase()
        if phase is None:
            return original(self, method, url, *arguments, **parts)
        return _Response(_hold(phase, library, method, url, parts.get("body")))

    return request


def _asynchronous(original: Any, library: str, verb: str = "") -> Any:
    async def request(self: Any, method: str, url: str, *arguments: Any, **parts: Any) -> Any:
        phase = offline_phase()
        if phase is None:
            return await original(self, method, url, *arguments, **parts)
        return _AsyncResponse(_hold(phase, library, method, url, parts.get("body"), verb))

    return request


def _websocket(original: Any, library: str) -> Any:
    def create_websocket(configuration: Any, url: str, *arguments: Any, **parts: Any) -> Any:
        phase = offline_phase()
        if phase is None:
            return original(configuration, url, *arguments, **parts)
        return _hold(phase, library, "GET", url, None, "exec")

    return create_websocket


@dataclass
class _Response:
    """An answer as far as the client reads it."""

    body: Json
    status: int = 200
    reason: str = "OK"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})

    @property
    def data(self) -> bytes:
        return json.dumps(self.body).encode()

    @property
    def response(self) -> _Response:
        return self

    def read(self, *_: Any) -> Any:
        return self.data

    def getheaders(self) -> dict[str, str]:
        return self.headers

    def getheader(self, name: str, default: Any = None) -> Any:
        return self.headers.get(name.lower(), default)


class _AsyncResponse(_Response):
    async def read(self, *_: Any) -> Any:
        return self.data


def _hold(phase: OfflinePhase, library: str, method: str, url: str, body: Any, verb: str = "") -> Json:
    """Record a request; return what the server would answer where that is known: the object itself, or its end."""
    path = urlsplit(url).path
    place = _Place.of(path)
    reads = method.upper() == "GET" and place.subresource.partition("/")[0] not in _CONNECTIONS
    verb = verb or (place.subresource if not reads else "") or _VERBS.get(method.upper(), "get")
    sent = _plain(body)
    if verb == "create" and sent is not None and not sent.get("kind") and place.resource in _KINDS:
        sent = {"apiVersion": place.api_version, "kind": _KINDS[place.resource], **sent}
    request = HeldRequest(
        library=library,
        method=method.upper(),
        path=path,
        changes=verb != "get" and place.group not in _REVIEWS,
        verb=verb,
        kind=str((sent or {}).get("kind") or "") if verb != "delete" else place.resource,
        namespace=place.namespace,
        body=sent,
    )
    return phase.hold(request, _answer(request) if not place.subresource else None)


def _answer(request: HeldRequest) -> Json | None:
    if not request.changes:
        return None
    if request.verb in ("create", "update"):
        return request.body
    if request.verb == "delete":
        return {"apiVersion": "v1", "kind": "Status", "status": "Success"}
    return None


def _plain(body: Any) -> Json | None:
    """The body of a request as plain JSON; None for none, for a list of changes and for other encodings."""
    if isinstance(body, (str, bytes)):
        try:
            body = json.loads(body)
        except ValueError:
            return None
    return body if isinstance(body, dict) else None


@dataclass(frozen=True)
class _Place:
    """What a path of the API server names."""

    group: str
    version: str
    namespace: str
    resource: str
    subresource: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @classmethod
    def of(cls, path: str) -> _Place:
        """Read from `/api/v1/...` or `/apis/GROUP/VERSION/...`, whatever stands before it."""
        words = path.strip("/").split("/")
        start = next((at for at, word in enumerate(words) if word in ("api", "apis")), len(words))
        group = words[start + 1] if words[start : start + 1] == ["apis"] and len(words) > start + 1 else ""
        rest = words[start + (3 if group else 2) :]
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        version = words[start + (2 if group else 1)] if len(words) > start + (2 if group else 1) else ""
        return cls(group, version, namespace, rest[0] if rest else "", "/".join(rest[2:]))


GUARD: Final = RequestGuard(
    name="kubernetes",
    modules=(
        "kubernetes.client.rest",
        "kubernetes.stream.ws_client",
        "kubernetes.aio.client.rest",
        "kubernetes.aio.stream.ws_client",
        "kubernetes_asyncio.client.rest",
        "kubernetes_asyncio.stream.ws_client",
    ),
    replace=replace_requests,
)
