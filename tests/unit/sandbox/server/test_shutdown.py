"""A sandbox that is told to end does so, whatever it is busy with, and nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_api import Api
from sandbox_workflows import Workflows, container, task, workflow

from hera_k8s_sandbox.foundation import files
from hera_k8s_sandbox.kubelet import watchdog

MOST = 20  # seconds; it kills itself after eight, and the machine may be busy
DEAF = "trap '' TERM INT HUP; while :; do sleep 1; done"
STUCK = """
import asyncio
import subprocess
from hera_k8s_sandbox.server.shutdown import stop_event

async def main():
    with stop_event():
        subprocess.Popen(["sh", "-c", "sleep 0.5; echo up"])
        sum(range(10**18))  # one step of the interpreter: no handler runs before it is over

asyncio.run(main())
"""
SLOW_TO_END = """
import asyncio
from hera_k8s_sandbox.server.shutdown import stop_event

async def main():
    with stop_event() as stopping:
        print("up", flush=True)
        await stopping.wait()
        print("told", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def start(directory: Path, *options: str) -> tuple[subprocess.Popen[bytes], Workflows]:
    child = spawn(directory, *options)
    while (told := files.read_server(directory)) is None or told.pid != child.pid:
        assert child.poll() is None, (directory / files.LOG).read_text()
        time.sleep(0.02)
    return child, Workflows(Api(told.url, (directory / files.ADMIN_TOKEN).read_text().strip()))


def spawn(directory: Path, *options: str) -> subprocess.Popen[bytes]:
    directory.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "hera_k8s_sandbox", "--state", str(directory), "--lifetime", "300", *options]
    with (directory / files.LOG).open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)


def program(text: str) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child


def left_of(directory: Path) -> list[str]:
    """The processes that name a state directory in their command, environment or working directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            place = os.readlink(entry / "cwd")
        except OSError:
            continue
        if int(entry.name) != os.getpid() and (str(directory).encode() in told or place.startswith(str(directory))):
            found.append(f"{entry.name} {told[:200]!r}")
    return found


def wait_until_nothing_is_left_of(directory: Path) -> None:
    for _ in range(200):
        if not (left := left_of(directory)):
            return
        time.sleep(0.05)
    raise AssertionError(left)


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + MOST
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    if not Path("/proc/self/environ").exists():
        pytest.skip("needs /proc")
    return tmp_path / "sandbox"


def fan_out(count: int, command: str) -> dict:
    steps = [[task("s", "one", withSequence={"count": str(count)})]]
    return workflow({"name": "main", "steps": steps}, container("one", command))


def running(found: dict) -> int:
    return sum(node["phase"] == "Running" for node in found.get("status", {}).get("nodes", {}).values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_two_hundred_tasks_that_do_not_listen_do_not_hold_it_up(home: Path, number: signal.Signals) -> None:
    child, flows = start(home, "--concurrency", "200")
    flows.until(flows.submit(fan_out(200, DEAF)), lambda found: running(found) == 202)
    child.send_signal(number)
    child.wait(MOST)
    wait_until_nothing_is_left_of(home)


def test_it_ends_under_two_thousand_tasks_with_streams_open(home: Path) -> None:
    child, flows = start(home, "--concurrency", "4")
    name = flows.submit(fan_out(2000, "sleep 300"))
    events = flows.events(name)
    flows.until(name, lambda found: running(found) >= 5)
    assert next(events)
    with flows.api.session.get(f"{flows.api.url}/api/v1/pods?watch=true", stream=True, timeout=30) as watch:
        assert next(watch.iter_lines())
        child.send_signal(signal.SIGTERM)
        child.wait(MOST)
    wait_until_nothing_is_left_of(home)
    again, flows = start(home)
    assert flows.get(name)["metadata"]["name"] == name
    again.terminate()
    again.wait(MOST)


def wait_for_nodes(flows: Workflows, name: str, more_than: int) -> int:
    """The number of a workflow's nodes once there are more; asked for, as each event would hold megabytes."""
    while (count := len(flows.get(name).get("status", {}).get("nodes", {}))) <= more_than:
        time.sleep(0.1)
    return count


def test_it_ends_while_a_workflow_is_expanded_without_end(home: Path) -> None:
    """Each call of the template makes two more: the workflow grows until it is too large."""
    child, flows = start(home)
    both = [[task("a", "main"), task("b", "main")]]
    name = flows.submit(workflow({"name": "main", "steps": both}))
    wait_for_nodes(flows, name, 100)
    child.kill()
    child.wait()

    again, flows = start(home)  # it goes on where it was
    wait_for_nodes(flows, name, wait_for_nodes(flows, name, 0))
    again.terminate()
    again.wait(MOST)

    last, flows = start(home)
    assert flows.get(name)["metadata"]["name"] == name
    assert flows.api.send("DELETE", f"{flows.base}/{name}").ok
    last.terminate()
    assert last.wait(MOST) in (0, -signal.SIGKILL)  # by itself, or by its guard where the machine is busy


def test_it_ends_while_it_starts(home: Path) -> None:
    child, flows = start(home, "--concurrency", "4")
    name = flows.submit(fan_out(500, "sleep 300"))
    flows.until(name, lambda found: len(found.get("status", {}).get("nodes", {})) > 500)
    child.kill()
    child.wait()
    again = spawn(home, "--concurrency", "4")
    while not left_of(home / "pods") and again.poll() is None and files.read_server(home) is None:
        time.sleep(0.01)
    again.terminate()
    again.wait(MOST)
    wait_until_nothing_is_left_of(home)


@pytest.mark.needs("bwrap")
@pytest.mark.parametrize(("said", "left"), [("", False), (".\n", True)])
def test_a_bubblewrap_without_a_parent_does_not_outlive_a_sandbox_that_was_killed(
    tmp_path: Path, said: str, left: bool
) -> None:
    """It was being started when its sandbox was killed. Here it is made: its words are those, its parent is gone."""
    place = tmp_path / "pods"
    orphan = f"bwrap --ro-bind / / sh -c 'sleep 60; :' {place} --die-with-parent >/dev/null 2>&1 & echo $!"
    pid = int(subprocess.run(["sh", "-c", orphan], stdout=subprocess.PIPE, check=True).stdout)
    try:
        subprocess.run([sys.executable, watchdog.__file__, str(place)], input=said, text=True, check=True, timeout=60)
        found = Path(f"/proc/{pid}/cmdline")
        assert (found.exists() and found.read_bytes() != b"") is left
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("said", "left"), [("", False), (".\n", True)])
@pytest.mark.parametrize("opened", [">pods/n/p/main.log", "2>pods/n/p/main.log", ">/dev/null"])
def test_a_task_that_was_being_started_does_not_outlive_a_sandbox_that_was_killed(
    tmp_path: Path, opened: str, said: str, left: bool
) -> None:
    """The sandbox was killed between the start of its process and the announcement of its group."""
    (tmp_path / "pods" / "n" / "p").mkdir(parents=True)
    other = subprocess.Popen(["sleep", "60"], cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True)
    orphan = f"exec sh -c 'cd pods/n/p; sleep 60; :' {opened}"
    task = subprocess.Popen(["sh", "-c", orphan], cwd=tmp_path, start_new_session=True)
    try:
        wait_for(lambda: children(task.pid))
        child = children(task.pid)[0]
        subprocess.run([sys.executable, watchdog.__file__, tmp_path], input=said, text=True, check=True, timeout=60)
        assert (task.poll() is None) is left
        wait_for(lambda: is_running(child) is left)
        assert other.poll() is None
    finally:
        for process in (task, other):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_what_cannot_be_interrupted_is_killed() -> None:
    child = program(STUCK)
    child.send_signal(signal.SIGTERM)
    assert child.wait(MOST) == -signal.SIGKILL


def test_a_second_signal_kills_what_cannot_be_interrupted_before_its_time_is_over() -> None:
    child = program(f"import hera_k8s_sandbox.server.shutdown as ending; ending._GRACE = 600.0\n{STUCK}")
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGTERM)
    assert child.wait(MOST) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_what_is_slow_to_end(number: signal.Signals) -> None:
    child = program(SLOW_TO_END)
    child.send_signal(number)
    assert child.stdout is not None
    assert child.stdout.readline() == "told\n"
    child.send_signal(number)
    assert child.wait(MOST) == 128 + number
