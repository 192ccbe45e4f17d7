"""The sandbox's logs: the times of their lines, read while they grow and while their pod is removed."""

from __future__ import annotations

import asyncio
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from hera_k8s_sandbox.foundation.resource_types import PODS
from hera_k8s_sandbox.kubelet.logs import ERRORS, OUTPUT, LogOptions, log_directory, read_log, sample
from hera_k8s_sandbox.rbac.authorizer import Authorizer
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import Store


@pytest.fixture
def state(tmp_path: Path) -> SandboxState:
    """A sandbox with one pod that runs and has written nothing yet."""
    store = Store(None)
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    store.create(
        PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec, "status": {"phase": "Running"}}
    )
    state = SandboxState(directory=tmp_path, store=store, access=Authorizer(store, users={}, key=b"key"))
    logs_of(state).mkdir(parents=True)
    return state


def logs_of(state: SandboxState) -> Path:
    return log_directory(state.pod_directory("default", "p"))


def end(state: SandboxState) -> None:
    def succeed(pod: dict[str, Any]) -> None:
        pod["status"]["phase"] = "Succeeded"

    state.store.change(PODS, "default", "p", succeed)


def read(state: SandboxState, **options: Any) -> list[str]:
    async def lines() -> list[str]:
        return [line.decode() async for line in read_log(state, "default", "p", options=LogOptions(**options))]

    return asyncio.run(lines())


def test_the_last_moment_of_a_second_is_a_time_like_others(state: SandboxState) -> None:
    (logs_of(state) / OUTPUT).write_bytes(b"x\n")
    (logs_of(state) / f"{OUTPUT}.times").write_text(f"{2:020d} {1_700_000_000_999_999_700:020d}\n")
    (line,) = read(state, timestamps=True)
    moment, text = line.split(" ", 1)
    assert (len(moment), text) == (len("2023-11-14T22:13:20.000000000Z"), "x\n")


def test_a_log_is_followed_with_the_time_of_each_of_its_parts(state: SandboxState) -> None:
    async def follow() -> list[tuple[str, bytes]]:
        found = []
        output = logs_of(state) / OUTPUT
        output.write_bytes(b"0\n")
        async for line in read_log(state, "default", "p", options=LogOptions(follow=True, timestamps=True)):
            moment, _, text = line.partition(b" ")
            found.append((moment.decode(), text))
            if len(found) == 3:
                end(state)
            elif len(found) < 3:
                with output.open("ab") as file:
                    file.write(b"%d\n" % len(found))
                sample(logs_of(state))
        return found

    found = asyncio.run(follow())
    assert [text for _, text in found] == [b"0\n", b"1\n", b"2\n"]
    times = [moment for moment, _ in found]
    assert times == sorted(set(times))


def test_a_log_whose_pod_is_removed_ends(state: SandboxState) -> None:
    async def follow() -> list[bytes]:
        found = []
        (logs_of(state) / OUTPUT).write_bytes(b"0\n")
        async for line in read_log(state, "default", "p", options=LogOptions(follow=True)):
            found.append(line)
            shutil.rmtree(state.directory / "pods")
            state.store.delete(PODS, "default", "p")
        return found

    assert asyncio.run(follow()) == [b"0\n"]


def write(path: Path, *lines: tuple[int, str]) -> None:
    """Lines of a log, each with the second in which it was written."""
    size, times = 0, ""
    for second, line in lines:
        size += len(line)
        times += f"{size:020d} {second * 10**9:020d}\n"
    path.write_text("".join(line for _, line in lines))
    path.with_name(f"{path.name}.times").write_text(times)


def test_both_outputs_are_one_log_in_the_order_of_time(state: SandboxState) -> None:
    write(logs_of(state) / OUTPUT, (1, "a\n"), (3, "c\n"), (3, "d\n"), (9, "g\n"))
    write(logs_of(state) / ERRORS, (2, "b\n"), (3, "e\n"), (4, "f\n"))
    assert "".join(read(state)) == "a\nb\nc\nd\ne\nf\ng\n"
    assert "".join(read(state, tail_lines=2)) == "f\ng\n"
    assert read(state, tail_lines=0) == []
    assert "".join(read(state, since=3)) == "c\nd\ne\nf\ng\n"
    assert "".join(read(state, since=3, tail_lines=100)) == "c\nd\ne\nf\ng\n"


@pytest.mark.parametrize("options", [{}, {"tail_lines": 10}, {"since": 0.0}])
def test_a_large_log_is_read_without_being_held(state: SandboxState, options: dict[str, Any]) -> None:
    line, count = b"x" * 4095 + b"\n", 5000
    for name in (OUTPUT, ERRORS):
        (logs_of(state) / name).write_bytes(line * count)

    async def read_through() -> int:
        return sum([1 async for _ in read_log(state, "default", "p", options=LogOptions(**options))])

    tracemalloc.start()
    try:
        found = asyncio.run(read_through())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == options.get("tail_lines", 2 * count)
    assert peak < 4 * 1024 * 1024, f"of {2 * count * len(line)} bytes"
