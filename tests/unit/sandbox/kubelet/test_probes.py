"""Probes by themselves: whatever a command writes or a server answers, a probe comes to a result."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from hera_k8s_sandbox.kubelet.mount_views import choose_view
from hera_k8s_sandbox.kubelet.mounts import Task
from hera_k8s_sandbox.kubelet.probes import Prober
from hera_k8s_sandbox.kubelet.process_runner import Runner

SECONDS = 30.0


def test_of_what_a_command_writes_only_the_beginning_is_kept(tmp_path: Path) -> None:
    megabytes = 32
    script = f"printf begun; head -c {megabytes << 20} /dev/zero; exit 3"
    task = Task("main", tmp_path, ("sh", "-c", script), tmp_path, env={"PATH": "/usr/bin:/bin"})

    async def run() -> tuple[int, str]:
        return await Runner(choose_view("rewrite", tmp_path)).run_aside(task, SECONDS)

    tracemalloc.start()
    try:
        code, said = asyncio.run(run())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (code, said[:5]) == (3, "begun")
    assert len(said) <= 10 << 10
    assert most < megabytes << 19


async def nothing_inside(command: list[str], seconds: float) -> tuple[int, str]:
    raise AssertionError((command, seconds))


@pytest.mark.parametrize(
    "action",
    [
        {"tcpSocket": {"port": 70000}},
        {"httpGet": {"port": 70000}},
        {"httpGet": {"port": 1, "host": "a\0b"}},
    ],
)
def test_what_cannot_be_asked_is_a_failure_of_the_probe(action: dict[str, Any]) -> None:
    assert asyncio.run(Prober({}, nothing_inside).attempt(action, SECONDS))


def test_a_command_that_cannot_be_is_a_failure_of_the_probe(tmp_path: Path) -> None:
    runner = Runner(choose_view("rewrite", tmp_path))

    async def inside(command: list[str], seconds: float) -> tuple[int, str]:
        return await runner.run_aside(Task("main", tmp_path, tuple(command), tmp_path), seconds)

    why = asyncio.run(Prober({}, inside).attempt({"exec": {"command": ["true", "a\0b"]}}, SECONDS))
    assert "null" in why


def test_an_answer_without_an_end_of_line_is_a_failure_of_the_probe() -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * (1 << 20))
        writer.close()

    async def probed() -> str:
        server = await asyncio.start_server(endless, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await Prober({}, nothing_inside).attempt({"httpGet": {"port": port}}, SECONDS)

    assert asyncio.run(probed())
