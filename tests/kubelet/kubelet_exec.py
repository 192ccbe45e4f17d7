"""The kubelet's exec, as far as Argo's controller uses it: to send a signal to the first process of a container.

The controller asks for `argoexec kill SIGNAL 1` or `sh -c "kill -SIGNAL 1"` over SPDY/3.1, whose frames are read and
written here; the API server only passes them on. Any other command is answered with a failure. The containers' first
processes are not the first of their namespace, so the signal is sent from outside. Anything but exec on the port is
aiohttp's.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

PROTOCOL: Final = "v4.channel.k8s.io"
Signal = Callable[[str, str, str, int], str]
"""Namespace, pod, container, number of a signal -> why it could not be sent, or empty."""

_SYN_STREAM, _SYN_REPLY, _PING = 1, 2, 6
_CONTROL: Final = 0x8003_0000
_FINAL: Final = 1  # a flag
_NO_HEADERS: Final = struct.pack(">I", 0)
_SWITCHED: Final = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    f"X-Stream-Protocol-Version: {PROTOCOL}\r\n\r\n"
)
_KILL: Final = (re.compile(r"\S*argoexec kill (\d+) 1"), re.compile(r"\S*sh -c kill -(\d+) 1"))


class Doorman(asyncio.Protocol):
    """Looks at the first request of a connection and answers exec; `other` makes the protocol for anything else."""

    def __init__(self, other: Callable[[], asyncio.Protocol], send: Signal) -> None:
        self._other = other
        self._send = send
        self._transport: asyncio.Transport
        self._received = b""
        self._streams: list[int] = []
        self._asked: tuple[str, list[str]] | None = None
        self._streams_wanted = 0
        self._headers = zlib.compressobj()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Part of the request, or of a frame."""
        self._received += data
        if self._asked is not None:
            self._take_frames()
            return
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        target = head.decode("latin-1").split(" ")[1]
        if not target.startswith("/exec/"):
            other = self._other()
            self._transport.set_protocol(other)
            other.connection_made(self._transport)
            other.data_received(self._received)
            return
        self._asked = (urlsplit(target).path, parse_qs(urlsplit(target).query).get("command", []))
        self._streams_wanted = 1 + sum(f"{name}=1" in urlsplit(target).query for name in ("input", "output", "error"))
        self._received = rest
        self._transport.write(_SWITCHED.encode("ascii"))
        self._take_frames()

    def _take_frames(self) -> None:
        for kind, body in self._frames():
            if kind == _SYN_STREAM:
                self._streams.append(struct.unpack(">I", body[:4])[0])
                self._control(_SYN_REPLY, body[:4] + self._compressed(_NO_HEADERS))
                if len(self._streams) == self._streams_wanted:
                    self._answer()
            elif kind == _PING:
                self._control(_PING, body)

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """The control frames that have come whole, in their order; data frames are left out."""
        while len(self._received) >= 8:
            first, second = struct.unpack(">II", self._received[:8])
            size = 8 + (second & 0xFFFFFF)
            if len(self._received) < size:
                return
            body, self._received = self._received[8:size], self._received[size:]
            if first & 0x8000_0000:
                yield first & 0xFFFF, body

    def _answer(self) -> None:
        assert self._asked is not None
        path, command = self._asked
        why = self._act([unquote(part) for part in path.split("/")[2:]], " ".join(command))
        status: dict[str, Any] = {"metadata": {}, "status": "Success"}
        if why:
            status |= {"status": "Failure", "reason": "InternalError", "message": why}
        errors, *others = self._streams  # the client opens the stream of errors first
        self._data(errors, json.dumps(status).encode())
        for stream in others:
            self._data(stream, b"")
        self._transport.close()

    def _act(self, where: list[str], command: str) -> str:
        found = next((found for pattern in _KILL if (found := pattern.fullmatch(command))), None)
        if found is None or len(where) != 3:
            return f"the test kubelet runs no commands in containers: {command}"
        return self._send(where[0], where[1], where[2], int(found[1]))

    def _compressed(self, headers: bytes) -> bytes:
        return self._headers.compress(headers) + self._headers.flush(zlib.Z_SYNC_FLUSH)

    def _control(self, kind: int, body: bytes) -> None:
        self._transport.write(struct.pack(">II", _CONTROL | kind, len(body)) + body)

    def _data(self, stream: int, body: bytes) -> None:
        self._transport.write(struct.pack(">II", stream, _FINAL << 24 | len(body)) + body)


def signal_container(directory: Path, container: str, number: int) -> str:
    """Send a signal to the first process of a container of the pod in `directory`; why not, or empty."""
    found = _first_process(str(directory.resolve() / "containers" / container / "tmp").encode())
    if found is None:
        return f"container {container} does not run"
    try:
        os.kill(found, number)
    except ProcessLookupError:
        return f"container {container} has ended"
    return ""


def _first_process(mark: bytes) -> int | None:
    """The process below the two that make a container's root, of which the outer one has `mark` among its arguments."""
    marked = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "cmdline").read_bytes().split(b"\0"):
                    marked[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # ended meanwhile
                continue
    outer = next((process for process, parent in marked.items() if parent not in marked), None)
    inner = _child(outer) if outer is not None else None
    return _child(inner) if inner is not None else None


def _child(process: int) -> int | None:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None
