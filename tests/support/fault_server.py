"""A small HTTP peer on the loopback whose answers a test dictates: errors, cuts, silence, streams, TLS of any quality.

    with FaultServer() as server:
        server.on("GET", "/version", reply(429, "slow down", headers={"Retry-After": "0"}), reply(200, {"major": "1"}))
        server.on("GET", "/watch", stream(['{"type": "ADDED"}'], end="cut"))
        ...
        assert [request.path for request in server.requests] == ["/version", "/version"]

The answers of one route are given one after another; the last is repeated. A path that no route names is answered by
`server.otherwise`, which says 404 unless a test sets another answer.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

LIMIT = 60.0
"""Seconds after which even a silent answer ends, so that a test that goes wrong does not hang."""


@dataclass(frozen=True)
class Request:
    """What arrived. `query` holds the last value of each key; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


Answer = Callable[[Request, "_Handler"], None]


def reply(status: int, body: Any = "", *, headers: Mapping[str, str] | None = None) -> Answer:
    """A whole answer. A dict or list is sent as JSON, a text as it is (with type text/plain unless a header says)."""

    def send(request: Request, handler: _Handler) -> None:
        handler.send_whole(status, body, headers or {})

    return send


def html_login() -> Answer:
    """The page that a login proxy sends, with 200, to whoever is not logged in."""
    page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>"
    return reply(200, page, headers={"Content-Type": "text/html; charset=utf-8"})


def cut(after: Callable[[Request], None] | None = None) -> Answer:
    """Read the request, let `after` act upon it, and close the connection without an answer."""

    def close(request: Request, handler: _Handler) -> None:
        if after is not None:
            after(request)
        handler.cut()

    return close


def hang() -> Answer:
    """Read the request and never answer (until the server is closed)."""

    def wait(request: Request, handler: _Handler) -> None:
        handler.wait_for_the_end()
        handler.cut()

    return wait


def stream(
    lines: Iterable[str | threading.Event],
    *,
    end: Literal["clean", "cut", "silent"] = "clean",
    status: int = 200,
    content_type: str = "application/json",
) -> Answer:
    """A chunked answer, one chunk a line; an Event in its place is waited for before the next line is sent.

    end: `clean` ends the answer as HTTP wants it, `cut` drops the connection in the middle, `silent` sends no more.
    """

    def send(request: Request, handler: _Handler) -> None:
        handler.begin_stream(status, content_type)
        for line in lines:
            if isinstance(line, threading.Event):
                line.wait(LIMIT)
            else:
                handler.send_chunk(line.encode() + b"\n")
        if end == "silent":
            handler.wait_for_the_end()
        if end == "clean":
            handler.send_chunk(b"")
        else:
            handler.cut()

    return send


def sse(frames: Iterable[Any], *, end: Literal["clean", "cut", "silent"] = "clean") -> Answer:
    """Server-sent events as an Argo server writes them: a dict is a `data:` frame, a text such as `:` a bare line."""
    lines = (f"data: {json.dumps(frame)}\n" if isinstance(frame, dict) else frame for frame in frames)
    return stream(lines, end=end, content_type="text/event-stream")


# --- answers without a bound -----------------------------------------------------------------------------------

_PIECE = 65536


def raw(*pieces: Iterable[bytes], pause: float = 0.0) -> Answer:
    """Bytes as they are, headers included, one after another, until the client goes away or the server is closed.

    pause: seconds between two pieces.
    """

    def send(request: Request, handler: _Handler) -> None:
        for piece in itertools.chain(*pieces):
            handler.send_raw(piece)
            if handler.server.owner.closing.wait(pause) if pause else handler.server.owner.closing.is_set():
                break
        handler.cut()

    return send


def head(status: int = 200, *headers: str) -> bytes:
    """The beginning of an answer: its status line and headers."""
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def _chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


def endless(status: int = 200, *, begin: bytes = b'{"message": "') -> Answer:
    """A body without an end, and without a line's end."""
    chunked = head(status, "Transfer-Encoding: chunked") + _chunk(begin)
    return raw([chunked], itertools.repeat(_chunk(b"x" * _PIECE)))


def drip(status: int = 200, *, pause: float = 0.1) -> Answer:
    """A body of which one byte comes at a time, without an end."""
    return raw([head(status, "Transfer-Encoding: chunked"), _chunk(b"{")], itertools.repeat(_chunk(b" ")), pause=pause)


def slow_headers(*, pause: float = 0.1) -> Answer:
    """Headers of which one byte comes at a time, without an end."""
    return raw([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-Slow: 1\r\n"), pause=pause)


def huge_header() -> Answer:
    """One header without an end."""
    return raw([b"HTTP/1.1 200 OK\r\nX-Huge: "], itertools.repeat(b"x" * _PIECE))


def endless_interim_answers() -> Answer:
    """`100 Continue` without an end: a client reads over each of them."""
    return raw(itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000))


def endless_extensions() -> Answer:
    """Chunks of one byte, each with as long an extension as a line may have."""
    return raw([head(200, "Transfer-Encoding: chunked")], itertools.repeat(_chunk(b" ", b";" + b"e" * 60_000)))


def endless_trailers() -> Answer:
    """A body that is over, followed by headers without an end."""
    return raw(
        [head(200, "Transfer-Encoding: chunked"), _chunk(b"{}"), b"0\r\n"], itertools.repeat(b"X-T: 1\r\n" * 1000)
    )


def lying_length(promised: int = 10**15) -> Answer:
    """A few bytes of a body that is said to be much longer, and then nothing more."""
    return raw([head(200, f"Content-Length: {promised}"), b'{"items": []}'], itertools.repeat(b""), pause=0.1)


def deep_json(levels: int = 100_000) -> Answer:
    """JSON that is nested deeply."""
    body = b'{"items":' + b"[" * levels + b"]" * levels + b"}"
    return raw([head(200, f"Content-Length: {len(body)}"), body])


def bomb(status: int = 200, *, mebibytes: int = 900, encoding: str = "gzip", begin: bytes = b'{"kind": "x"') -> Answer:
    """A small answer that is so many MiB of valid JSON once decompressed. encoding: `gzip, gzip` packs it twice."""
    packed = _packed(begin, mebibytes)
    if "," in encoding:
        packed = _gzipped([packed])
    headers = [f"Content-Encoding: {encoding}", f"Content-Length: {len(packed)}"]
    return raw([head(status, *headers), packed])


def redirect(answer: Answer, target: str = "/there") -> Answer:
    """An answer that is made a redirect by a header."""

    def send(request: Request, handler: _Handler) -> None:
        handler.more_headers = f"Location: {target}\r\n".encode()
        answer(request, handler)

    return send


@functools.cache
def _packed(begin: bytes, mebibytes: int) -> bytes:
    return _gzipped([begin, *[b" " * 1024 * 1024] * mebibytes, b"}"])


def _gzipped(pieces: Iterable[bytes]) -> bytes:
    """A gzip file (RFC 1952) of pieces; equal ones are compressed once, for each begins with a clean window."""

    @functools.cache
    def deflated(piece: bytes) -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)

    packed, checksum, size = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"], 0, 0
    for piece in pieces:
        packed.append(deflated(piece))
        checksum, size = zlib.crc32(piece, checksum), size + len(piece)
    return b"".join([*packed, b"\x03\0", struct.pack("<II", checksum, size & 0xFFFFFFFF)])


class FaultServer:
    """Listens on a free port of 127.0.0.1 while the `with` block lasts. `tls`: serve https with this context."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._routes: dict[tuple[str, str], list[Answer]] = {}
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self.otherwise: Answer = _nothing_here
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._server.tls = tls
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address, with the name that certificates are made for."""
        return f"{'https' if self._server.tls else 'http'}://localhost:{self.port}"

    def on(self, method: str, path: str, *answers: Answer) -> FaultServer:
        """Answer requests for a path (without its query); replaces what was said before."""
        with self._lock:
            self._routes[method, path] = list(answers)
        return self

    def forget(self) -> None:
        """Leave every request to `otherwise`."""
        with self._lock:
            self._routes.clear()

    def asked(self, method: str, path: str = "") -> list[Request]:
        """The requests that arrived with this method, and for this path if one is named."""
        with self._lock:
            return [r for r in self.requests if r.method == method and path in ("", r.path)]

    def answer(self, request: Request) -> Answer:
        """The next answer of a route."""
        with self._lock:
            self.requests.append(request)
            answers = self._routes.get((request.method, request.path))
            if not answers:
                return self.otherwise
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def __enter__(self) -> FaultServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


def _nothing_here(request: Request, handler: _Handler) -> None:
    reply(404, {"code": 5, "message": f"nothing at {request.path}"})(request, handler)


def refused_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tls_context(authority: Any, *names: str) -> ssl.SSLContext:
    """A server's context with a certificate that a `trustme.CA` issues for the names (default: localhost)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("localhost",))).configure_cert(context)
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: FaultServer
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is not None:  # in the connection's own thread: a stuck handshake holds up nobody else
            request.settimeout(LIMIT)
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LIMIT
    server: _Server
    more_headers = b""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            parts.path,
            {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()},
            {key.lower(): value for key, value in self.headers.items()},
            self.rfile.read(length),
        )
        self.server.owner.answer(request)(request, self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_CONNECT = _serve

    def send_whole(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        kind = "application/json" if isinstance(body, (dict, list)) else "text/plain"
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self, status: int, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def send_raw(self, data: bytes) -> None:
        if self.more_headers:
            line, _, rest = data.partition(b"\r\n")
            data, self.more_headers = line + b"\r\n" + self.more_headers + rest, b""
        self.wfile.write(data)

    def wait_for_the_end(self) -> None:
        self.server.owner.closing.wait(LIMIT)

    def cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Sequence[Any]) -> None:
        """Tests read `requests` instead."""
