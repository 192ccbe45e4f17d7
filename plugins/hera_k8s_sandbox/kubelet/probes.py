"""Probes: whether a container has started, lives and is ready, and what is done in its life's turns.

A command of a probe sees the container's files and variables, and not its processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from hera_k8s_sandbox.kubelet.environment import ADDRESS, config_error
from hera_k8s_utils._types import Json

RunInside = Callable[[list[str], float], Awaitable[tuple[int, str]]]
"""Runs a command as the container would, for so many seconds at most: its exit code and output; TimeoutError."""

_LARGEST_BODY: Final = 10 << 10  # bytes of an answer that are read
_LONGEST: Final = 365 * 24 * 3600.0  # seconds


@dataclass(frozen=True)
class Prober:
    """Probes of one container.

    container: its specification.
    run_inside: runs a command as the container would.
    """

    container: Json
    run_inside: RunInside

    async def attempt(self, action: Json, seconds: float) -> str:
        """Perform the action of a probe or a hook, for so many seconds at most; the error, or empty."""
        try:
            return await asyncio.wait_for(self._act(action, seconds), seconds)
        except (asyncio.TimeoutError, TimeoutError):
            return f"it took longer than {seconds:g}s"
        except (OSError, ValueError, OverflowError) as error:  # such as a line without end, a port that is none, a NUL
            return str(error) or type(error).__name__

    async def settles(self, probe: Json, *, record_event: Callable[[str], None]) -> bool:
        """Probe until it is decided: True after enough successes, False after enough failures in a row."""
        good = bad = 0
        while True:
            why = await self.attempt(probe, float(probe.get("timeoutSeconds") or 1))
            good, bad = (good + 1, 0) if not why else (0, bad + 1)
            if why:
                record_event(why)
            if good >= int(probe.get("successThreshold") or 1):
                return True
            if bad >= int(probe.get("failureThreshold") or 3):
                return False
            await asyncio.sleep(float(probe.get("periodSeconds") or 10))

    async def _act(self, action: Json, seconds: float) -> str:
        if action.get("exec"):
            code, output = await self.run_inside(list(action["exec"].get("command") or ()), seconds)
            return "" if code == 0 else output.strip() or f"command failed with exit code {code}"
        if action.get("httpGet"):
            return await self._get(action["httpGet"])
        if action.get("tcpSocket"):
            _, writer = await asyncio.open_connection(_host(action["tcpSocket"]), self._port(action["tcpSocket"]))
            writer.close()
            return ""
        if action.get("sleep"):
            await asyncio.sleep(min(float(action["sleep"].get("seconds") or 0), _LONGEST))
        return ""

    async def _get(self, action: Json) -> str:
        """One GET, read as far as its status: nothing of it is followed or kept."""
        host, port = _host(action), self._port(action)
        secure = None
        if str(action.get("scheme") or "HTTP").upper() == "HTTPS":
            secure = ssl.create_default_context()
            secure.check_hostname, secure.verify_mode = False, ssl.CERT_NONE  # as the kubelet: it checks no certificate
        reader, writer = await asyncio.open_connection(host, port, ssl=secure)
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/sandbox", "Accept": "*/*"}
        headers |= {one["name"]: one.get("value", "") for one in action.get("httpHeaders") or ()}
        path = action.get("path") or "/"
        lines = [f"GET /{path.lstrip('/')} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items())]
        try:
            writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            await writer.drain()
            first = await reader.readline()
            await reader.read(_LARGEST_BODY)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        code = first.split(b" ")[1:2]
        if not code or not code[0].isdigit():
            return "malformed HTTP response"
        return "" if 200 <= int(code[0]) < 400 else f"HTTP probe failed with statuscode: {code[0].decode()}"

    def _port(self, action: Json) -> int:
        port = action.get("port")
        if isinstance(port, int) or str(port).isdigit():
            return int(port or 0)
        named = {one.get("name"): one.get("containerPort") for one in self.container.get("ports") or ()}
        if port not in named:
            raise OSError(f'couldn\'t find a port named "{port}"')
        return int(named[port] or 0)


def check_actions(container: Json) -> None:
    """Check a container for probes and hooks that the sandbox does not support. Raises PodBlocked."""
    lifecycle = container.get("lifecycle") or {}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        _check(name, container.get(name) or {})
    for name in ("postStart", "preStop"):
        _check(name, lifecycle.get(name) or {})


def _check(name: str, action: Json) -> None:
    if action.get("grpc"):
        raise config_error(f"the sandbox does not support grpc in a {name}", event_message=None)
    for kind in ("httpGet", "tcpSocket"):
        host = (action.get(kind) or {}).get("host") or ADDRESS
        if not _is_loopback(host):
            message = f'the sandbox looks at nothing but this machine\'s loopback: {name} of host "{host}"'
            raise config_error(message, event_message=None)


def _host(action: Json) -> str:
    return str(action.get("host") or ADDRESS)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
