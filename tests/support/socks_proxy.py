"""A SOCKS 5 proxy (RFC 1928, CONNECT without authentication) that notes which addresses it was asked for."""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType


class SocksProxy:
    """Listens on 127.0.0.1 while the `with` block lasts; every name that it resolves leads to 127.0.0.1.

    asked: the hosts that it was asked for, as they were sent: names where the client leaves them to the proxy.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> SocksProxy:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as words:
            words.read(words.read(2)[1])  # version, and the ways to authenticate
            client.sendall(b"\x05\x00")
            kind = words.read(4)[3]
            host = socket.inet_ntoa(words.read(4)) if kind == 1 else words.read(words.read(1)[0]).decode()
            (port,) = struct.unpack(">H", words.read(2))
            self.asked.append(host)
            with socket.create_connection(("127.0.0.1", port)) as server:
                client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
                threading.Thread(target=_copy, args=(client, server), daemon=True).start()
                _copy(server, client)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
