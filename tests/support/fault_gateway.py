"""A gateway on the loopback in front of a sandbox that fails as gateways do: before, after or long before it delivers.

    with FaultGateway(sandbox.url, sandbox.token) as gateway:
        gateway.plan = faults_of(seed=7)
        ...                                  # submit through gateway.url, with `sleep=gateway.pass_time`
        gateway.deliver_all()
        assert len(gateway.created["hello-r1"]) == 1

Its time is virtual: `pass_time` lets it pass, and delivers what it has held back for so long. Creations and readings of
single objects meet its faults; whatever else there is to ask goes through.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import struct
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from fault_server import Answer, FaultServer, Request, html_login, reply

Json = dict[str, Any]

LATEST = 100.0
"""Virtual seconds for which a request is held back at the most."""


@dataclass(frozen=True)
class Fault:
    """What becomes of one request. how: the answer. delivers: `never`, `now`, or `late`, after so many seconds."""

    how: str
    delivers: str = "never"
    after: float = 0.0


Plan = Callable[[Request, str, int], "Fault | None"]
"""(request, name of the object, how many of its kind came before) -> the fault that it meets."""


@dataclass
class _Held:
    due: float
    request: Request = field(repr=False)


class FaultGateway(FaultServer):
    """Forwards to a sandbox. created: the uids of what was created through it, by kind and name, late ones too."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self.plan: Plan = lambda request, name, before: None
        self.on_request: Callable[[Request], None] = lambda request: None
        self.created: dict[str, list[str]] = defaultdict(list)
        self.met: list[str] = []
        self._behind = urlsplit(url)
        self.token = token
        self._now = 0.0
        self._held: list[_Held] = []
        self._came: Counter[tuple[str, str]] = Counter()
        self._guard = threading.Lock()

    # --- its time ------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds since it began."""
        return self._now

    @property
    def held(self) -> list[str]:
        """The names of the objects whose creation it has not delivered yet."""
        with self._guard:
            return [_name(each.request) for each in self._held]

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and deliver what is due."""
        with self._guard:
            self._now += seconds
            due = sorted((each for each in self._held if each.due <= self._now), key=lambda each: each.due)
            self._held = [each for each in self._held if each.due > self._now]
        for each in due:
            self._forward(each.request)

    def deliver_all(self) -> None:
        """Deliver whatever is held back."""
        self.pass_time(2 * LATEST)

    # --- requests ------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """The fault that a request meets, else what the sandbox says."""
        self.on_request(request)
        name = _name(request)
        if not name:
            return self._through
        with self._guard:
            before = self._came[request.method, name]
            self._came[request.method, name] += 1
        fault = self.plan(request, name, before)
        if fault is None:
            return self._through
        self.met.append(f"{request.method} {name}: {fault.how}, delivered {fault.delivers}")
        return self._failing(fault)

    def _through(self, request: Request, handler: Any) -> None:
        status, kind, content = self._forward(request)
        reply(status, content, headers={"Content-Type": kind})(request, handler)

    def _failing(self, fault: Fault) -> Answer:
        def fail(request: Request, handler: Any) -> None:
            answer = (200, "application/json", b"{}")
            if fault.delivers == "now":
                answer = self._forward(request)
            elif fault.delivers == "late":
                with self._guard:
                    self._held.append(_Held(self._now + fault.after, request))
            _ANSWERS[fault.how](request, handler, answer)

        return fail

    def _forward(self, request: Request) -> tuple[int, str, bytes]:
        """Deliver a request; the status, the type and the body of the answer."""
        connection = http.client.HTTPConnection(self._behind.hostname or "", self._behind.port, timeout=30)
        query = f"?{urlencode(request.query)}" if request.query else ""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        if "content-type" in request.headers:
            headers["Content-Type"] = request.headers["content-type"]
        connection.request(request.method, request.path + query, request.body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if request.method == "POST" and answer.status < 300 and _name(request):
            self.created[_name(request)].append(json.loads(content)["metadata"]["uid"])
        return answer.status, answer.headers.get("Content-Type") or "application/json", content


_COLLECTIONS = ("workflows", "jobs", "configmaps")


def _name(request: Request) -> str:
    """The object that is created or read, as `workflows/hello-r1`; empty for all other requests."""
    *_, parent, last = ["", *request.path.split("/")]
    argo = request.path.removeprefix("/api/v1/workflows/") if request.path.startswith("/api/v1/workflows/") else ""
    if request.method == "GET":
        found = argo.count("/") == 1 if argo else parent in _COLLECTIONS
        return f"{'workflows' if argo else parent}/{last}" if found else ""
    if request.method != "POST" or "dryRun" in request.query:
        return ""
    if argo:
        body = request.json()
        ours = "/" not in argo and not body.get("serverDryRun")
        return f"workflows/{body['workflow']['metadata']['name']}" if ours else ""
    return f"{last}/{request.json()['metadata']['name']}" if last in _COLLECTIONS else ""


# --- answers -------------------------------------------------------------------------------------------------------


def _page(status: int, headers: Mapping[str, str] | None = None) -> Callable[..., None]:
    page = f"<html><head><title>{status} from the gateway</title></head></html>"

    def send(request: Request, handler: Any, answer: Any) -> None:
        reply(status, page, headers={"Content-Type": "text/html", **(headers or {})})(request, handler)

    return send


def _words(status: int, code: int, message: str) -> Callable[..., None]:
    """An error in the words of the server that is asked."""

    def send(request: Request, handler: Any, answer: Any) -> None:
        body: Json = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": message}
        if request.path.startswith("/api/v1/workflows"):
            body = {"code": code, "message": message}
        reply(status, body, headers={"Retry-After": "0"})(request, handler)

    return send


def _reset(request: Request, handler: Any, answer: Any) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def _truncated(request: Request, handler: Any, answer: tuple[int, str, bytes]) -> None:
    status, kind, content = answer
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content) + 7))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.cut()


def _silent(request: Request, handler: Any, answer: Any) -> None:
    """Say nothing until the client has gone."""
    handler.connection.settimeout(20)
    handler.rfile.read(1)
    handler.cut()


_ANSWERS: dict[str, Callable[..., None]] = {
    "502": _page(502),
    "503": _page(503),
    "504": _page(504),
    "500": _words(500, 13, "etcdserver: request timed out"),
    "503 in its words": _words(503, 14, "the server is shutting down"),
    "408": _page(408),
    "302": _page(302, {"Location": "https://login.example/"}),
    "403 page": _page(403),
    "404 page": _page(404),
    "login page": lambda request, handler, answer: html_login()(request, handler),
    "empty object": lambda request, handler, answer: reply(200, {})(request, handler),
    "reset": _reset,
    "truncated": _truncated,
    "silence": _silent,
    "401": _words(401, 16, "token not valid"),
    "403": _words(403, 7, "forbidden: exceeded quota"),
    "429": _words(429, 8, "too many requests"),
}
OWN_REFUSALS = ("401", "403", "429")
"""Answers of the server itself, which has done nothing then."""
_COMMON = ("502", "503", "504", "500", "reset", "truncated", "503 in its words")
_RARE = ("408", "302", "403 page", "404 page", "login page", "empty object", "silence")


def faults_of(seed: int) -> Plan:
    """Faults that a seed decides, request by request; some histories fail at every creation."""
    whole = random.Random(f"{seed}")
    creating, reading = whole.choice((0.6, 0.85, 1.0)), whole.choice((0.0, 0.3, 0.7))

    def plan(request: Request, name: str, before: int) -> Fault | None:
        own = random.Random(f"{seed} {request.method} {name} {before}")
        if own.random() >= (creating if request.method == "POST" else reading):
            return None
        how = own.choice(own.choices((_COMMON, _RARE, OWN_REFUSALS), weights=(8, 3, 2))[0])
        if request.method != "POST" or how in OWN_REFUSALS:
            return Fault(how, "now" if how == "truncated" else "never")
        return Fault(how, own.choice(("never", "now", "late")), own.uniform(0.2, LATEST))

    return plan
