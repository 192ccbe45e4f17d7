"""Connections that hold to the limits of the request: from connecting and the first header to the last byte.

requests and urllib3 limit the time between two bytes, not that of an answer, and no size at all. So the connections of
both clients read through a file of ours, which knows how much time and how many bytes the request has left. Headers,
interim answers, redirects, what a proxy says and the framing of chunks all come through it.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from hera_k8s_utils.network.limits import RequestLimits, applied_limits

_PIECE: Final = 65536
"""Bytes that are sent before the time is looked at again."""


def limit_connections(manager: Any) -> None:
    """Make the connections that a `urllib3.PoolManager` opens from now on hold to the limits that are applied."""
    pools: Mapping[str, Any] = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _limited_pool(pool) for scheme, pool in pools.items()}


@cache
def _limited_pool(pool: Any) -> Any:
    if issubclass(pool.ConnectionCls, _LimitedConnection):
        return pool
    connection = type(pool.ConnectionCls.__name__, (_LimitedConnection, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


class _LimitedFile(io.RawIOBase):
    """What comes from a socket, within limits.

    The socket's own time limit counts for one call, also for one that reads many packets of TLS.
    """

    def __init__(self, raw: io.RawIOBase, sock: Any, limits: RequestLimits) -> None:
        self._raw = raw
        self._sock = sock
        self._limits = limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._limits.within())
        try:
            size = self._raw.readinto(buffer)
        except TimeoutError:
            raise self._limits.out_of_time() from None
        self._limits.take(size or 0)
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _LimitedResponse(http.client.HTTPResponse):
    """Reads status, headers, interim answers, chunks and body through `_LimitedFile`."""

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        limits = applied_limits()
        if limits is not None:
            self.fp = io.BufferedReader(_LimitedFile(self.fp.detach(), sock, limits))


class _LimitedConnection:
    """Mixed into urllib3's connections: they connect, send and read within the limits that are applied."""

    response_class = _LimitedResponse  # http.client's own hook; a proxy's answer to CONNECT is read by it too
    sock: Any
    timeout: float | None
    _connected = False

    def connect(self) -> None:
        self._connected = False
        limits = applied_limits()
        if limits is not None:
            self.timeout = limits.within(self.timeout)  # a TLS handshake keeps to the socket's limit as a whole
        super().connect()  # type: ignore[misc]
        self._connected = True

    @property
    def has_connected_to_proxy(self) -> bool:
        """Whether the proxy was reached, also after the connection was lost.

        urllib3 (2.8) forgets it then, and blames the proxy for an answer that was lost after the request was sent.
        """
        return self._connected or bool(super().has_connected_to_proxy)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        limits = applied_limits()
        if limits is None or self.sock is None or not isinstance(data, (bytes, bytearray)):
            super().send(data)  # type: ignore[misc]
            return
        for piece in _pieces(data):
            self.sock.settimeout(limits.within(self.timeout))
            super().send(piece)  # type: ignore[misc]


def _pieces(data: bytes | bytearray) -> Iterator[memoryview]:
    view = memoryview(data)
    return (view[at : at + _PIECE] for at in range(0, len(data), _PIECE))
