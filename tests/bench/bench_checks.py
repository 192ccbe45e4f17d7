"""1,000 requirements, checked while the server takes 20 ms for each answer.

    python tests/bench/bench_checks.py [--requirements N] [--width N] [--rounds N] [--json]

Three ways to look at the same objects through the same client, in turn: the framework's checks; a bare thread pool of
the same width that only does the GETs; and one after another (a sample of 100, scaled). The server is a process of its
own on the loopback, counts what it is asked, and says whether any request was a list. Targets: at most 1.5 times the
bare pool, at least 20 times faster than one after another, no list.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any, ClassVar

from hera_k8s_kube import ConfigMap
from hera_k8s_kube.client import KubernetesClient
from hera_k8s_kube.data_keys import check_config_map
from hera_k8s_utils import Context, Credential, CredentialProvider, build_container, hookimpl
from hera_k8s_utils.checks.runner import Check, run_checks

LATENCY = 0.020
MOST_OF_POOL, LEAST_OF_SEQUENTIAL = 1.5, 20.0
SAMPLE = 100
COUNTS = "/counts"


# --- the server ------------------------------------------------------------------------------------------------


class _Answers(asyncio.Protocol):
    """HTTP/1.1 with kept connections: each GET of a config map is answered after LATENCY seconds."""

    counts: ClassVar[dict[str, int]] = {"requests": 0, "lists": 0}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            self._answer(head.split(b" ", 2)[1].decode())

    def _answer(self, path: str) -> None:
        if path == COUNTS:
            self._send(dict(self.counts))
            return
        named = path.partition("?")[0].rpartition("/configmaps/")[2]
        self.counts["requests"] += 1
        self.counts["lists"] += not named or "/" in named
        body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": named}, "data": {"KEY": "1"}}
        asyncio.get_running_loop().call_later(LATENCY, self._send, body)

    def _send(self, body: Any) -> None:
        content = json.dumps(body).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self.transport.write(head.encode() + content)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started it goes away
    server.close()


@contextmanager
def serving() -> Iterator[int]:
    """The port of a server in a process of its own."""
    child = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        yield int(child.stdout.readline())
    finally:
        child.stdin.close()
        child.wait(10)


def counts(port: int) -> dict[str, int]:
    """How many requests the server answered, and how many of them were lists."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", COUNTS)
    counted: dict[str, int] = json.loads(connection.getresponse().read())
    connection.close()
    return counted


# --- the three ways --------------------------------------------------------------------------------------------


def through_checks(context: Context, wanted: Sequence[ConfigMap], width: int) -> float:
    """Seconds for the framework's checks of all requirements."""
    checks = [Check("Environment", w.title, lambda w=w: check_config_map(None, context, w)) for w in wanted]
    began = time.perf_counter()
    report = run_checks(checks, max_workers=width, timeout=60)
    taken = time.perf_counter() - began
    assert report.counts["passed"] == len(wanted), report.counts
    return taken


def through_pool(client: KubernetesClient, wanted: Sequence[ConfigMap], width: int) -> float:
    """Seconds for a bare thread pool that gets the same objects."""
    began = time.perf_counter()
    with ThreadPoolExecutor(width) as pool:
        found = list(pool.map(lambda w: client.get("v1", "configmaps", w.name), wanted))
    taken = time.perf_counter() - began
    assert len(found) == len(wanted)
    return taken


def one_by_one(client: KubernetesClient, wanted: Sequence[ConfigMap]) -> float:
    """Seconds for all, estimated from a sample."""
    sample = wanted[:SAMPLE]
    began = time.perf_counter()
    for each in sample:
        client.get("v1", "configmaps", each.name)
    return (time.perf_counter() - began) * len(wanted) / len(sample)


def measure(requirements: int = 1000, width: int = 32, rounds: int = 5) -> dict[str, Any]:
    """Medians in seconds, ratios, and what the server was asked."""
    wanted = [ConfigMap(f"settings-{n}", keys=["KEY"]) for n in range(requirements)]
    times: dict[str, list[float]] = {"checks": [], "pool": [], "sequential": []}
    with serving() as port, connected(port, width) as context:
        client: Any = context.kubernetes
        through_pool(client, wanted[: 2 * width], width)  # connections are opened before the clock runs
        before = counts(port)["requests"]
        for _ in range(rounds):
            times["checks"].append(through_checks(context, wanted, width))
            times["pool"].append(through_pool(client, wanted, width))
        times["sequential"].append(one_by_one(client, wanted))
        counted = counts(port)
    expected = 2 * rounds * requirements + min(SAMPLE, requirements)
    assert counted["requests"] - before == expected, (counted, expected)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return {
        **medians,
        "width": width,
        "requirements": requirements,
        "of_pool": medians["checks"] / medians["pool"],
        "of_sequential": medians["sequential"] / medians["checks"],
        "lists": counted["lists"],
    }


@contextmanager
def connected(port: int, width: int) -> Iterator[Context]:
    """A context whose Kubernetes is the server on this port."""
    from hera_k8s_utils.plugins.manager import PluginManager

    class Local:
        @hookimpl
        def credential_providers(self) -> list[CredentialProvider]:
            found = Credential(server=f"http://127.0.0.1:{port}", secret="bench", namespace="default")
            return [CredentialProvider(name="bench", target="kubernetes", load=lambda *_: found, priority=99)]

    with build_container(
        environ={}, concurrency=width, plugins=PluginManager.load(extra={"bench": Local()})
    ) as container:
        yield container.context()


def main() -> int:
    """Print the medians; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requirements", type=int, default=1000)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(_serve())
        return 0
    found = measure(asked.requirements, asked.width, asked.rounds)
    if asked.json:
        print(json.dumps(found))
    else:
        print(f"{found['requirements']} requirements, {LATENCY * 1000:g} ms a request, {found['width']} at once")
        print(f"checks                 {found['checks']:7.2f} s")
        print(f"bare thread pool       {found['pool']:7.2f} s   checks take {found['of_pool']:.2f} times as long")
        print(f"one after another      {found['sequential']:7.2f} s   checks are {found['of_sequential']:.1f}x as fast")
        print(f"requests that list     {found['lists']:7d}")
    good = found["of_pool"] <= MOST_OF_POOL and found["of_sequential"] >= LEAST_OF_SEQUENTIAL and not found["lists"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
