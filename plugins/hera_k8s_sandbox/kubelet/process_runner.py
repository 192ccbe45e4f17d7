"""Runner: starts tasks as local processes, each a group of its own, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.kubelet import watchdog
from hera_k8s_sandbox.kubelet.images import HINT
from hera_k8s_sandbox.kubelet.mount_views import MountView
from hera_k8s_sandbox.kubelet.mounts import Launch, Task, TaskRefused
from hera_k8s_sandbox.kubelet.private_roots import UNSHARE
from hera_k8s_sandbox.kubelet.spawning import Spawner, spawner_for

_MOST: Final = 1 << 20  # threads: no process waits for the end of another, and who runs the pods bounds their number
_LARGEST_OUTPUT: Final = 10 << 10  # bytes of the output of a probe's command
_PIECE: Final = 64 << 10  # bytes that are read at a time
_CANNOT_START: Final = 128  # the exit code that containerd reports for a command that cannot be started
_UNTIL_STARTED: Final = 0.02  # seconds until a signal is tried again that came before the process it is meant for


@dataclass(frozen=True)
class Ended:
    """How a task ended; times in seconds since the epoch.

    started: None when it could not be started.
    """

    exit_code: int
    message: str = ""
    started: float | None = None
    finished: float = 0.0


class Runner:
    """Runs tasks, each waited for by a thread of its own.

    view: how they see their mounts.
    directory: holds those of all tasks; where it is not known, a bubblewrap that was being started when this process
        was killed may stay.
    """

    def __init__(self, view: MountView, directory: Path | None = None) -> None:
        self._directory = directory
        self.view = view
        self._spawner = spawner_for(view.kind)
        self._pool = ThreadPoolExecutor(_MOST, thread_name_prefix="task")
        self._running: dict[Path, _Process] = {}
        self._watchdog: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    async def run(
        self, task: Task, *, output: Path, errors: Path | None, on_start: Callable[[Launch], None]
    ) -> tuple[Ended, Launch | None]:
        """Run a task to its end.

        output: the file that takes its standard output, and its standard error too unless `errors` is given.
        on_start: called on the loop as soon as the process runs. Without a launch, the task was refused.
        """
        loop = asyncio.get_running_loop()
        try:
            launch = self.view.launch(task)
        except TaskRefused as refusal:
            return Ended(_CANNOT_START, str(refusal), finished=CLOCK.now()), None
        problem = _unstartable(launch, task)
        if problem is not None:
            return Ended(_CANNOT_START, problem, finished=CLOCK.now()), launch
        self._tell_watchdog("")
        process = self._running[task.directory] = _Process(launch, self._spawner, output, errors)

        def started(group: int) -> None:
            self._tell_watchdog(f"+{group}\n")
            loop.call_soon_threadsafe(on_start, launch)

        try:
            ended = await loop.run_in_executor(self._pool, process.run, started)
        finally:
            del self._running[task.directory]
        if process.group:
            self._tell_watchdog(f"-{process.group}\n")
        return ended, launch

    async def run_aside(self, task: Task, seconds: float) -> tuple[int, str]:
        """Run a command beside a task that runs in the same directory: its exit code, and what it wrote.

        It is killed after so many seconds, and when the caller is cancelled. Raises TimeoutError.
        """
        try:
            launch = self.view.launch(task)
        except TaskRefused as refusal:
            return _CANNOT_START, str(refusal)
        process = await asyncio.create_subprocess_exec(
            *launch.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=launch.cwd,
            env=dict(launch.env),
            start_new_session=True,
        )
        self._tell_watchdog(f"+{process.pid}\n")
        try:
            output = await asyncio.wait_for(_output_of(process), seconds)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            self._tell_watchdog(f"-{process.pid}\n")
        code = process.returncode or 0
        return (code if code >= 0 else 128 - code), output.decode("utf-8", "replace")

    def stop(self, directory: Path, grace: float) -> bool:
        """Ask the task of a directory to end, and kill it after some seconds; whether it was running."""
        process = self._running.get(directory)
        if process is None:
            return False
        if grace <= 0:
            process.signal(signal.SIGKILL)
            return True
        self._ask_to_end(process)
        asyncio.get_running_loop().call_later(grace, process.signal, signal.SIGKILL)
        return True

    def _ask_to_end(self, process: _Process) -> None:
        """Send SIGTERM, again when a wrapper has not yet started the process that it is meant for."""
        if not process.signal(signal.SIGTERM):
            asyncio.get_running_loop().call_later(_UNTIL_STARTED, self._ask_to_end, process)

    async def close(self) -> None:
        """Kill what still runs and wait until it has been dealt with; nothing may be run meanwhile."""
        for process in list(self._running.values()):
            process.signal(signal.SIGKILL)
        while self._running:
            await asyncio.sleep(0.01)
        self._pool.shutdown()
        self._spawner.close()
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._tell_watchdog(".\n")
            with contextlib.suppress(BrokenPipeError):
                self._watchdog.stdin.close()
            self._watchdog.wait()

    def _tell_watchdog(self, line: str) -> None:
        """Write a line to the watchdog, which is started before the first task is."""
        if self.view.kind == UNSHARE:  # what forks ends with this process, and all that it has started
            return
        with self._lock, contextlib.suppress(BrokenPipeError):
            if self._watchdog is None:
                self._watchdog = _start_watchdog(self._directory)
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.write(line)
            self._watchdog.stdin.flush()


class _Process:
    """One process group, from its start on a worker's thread to its end."""

    def __init__(self, launch: Launch, spawner: Spawner, output: Path, errors: Path | None) -> None:
        self._launch = launch
        self._spawner = spawner
        self._output = output
        self._errors = errors
        self._lock = threading.Lock()
        self._signalled: signal.Signals | None = None
        self._ended = False
        self.group = 0

    def run(self, started: Callable[[int], None]) -> Ended:
        """Start, wait, and leave nothing of the group behind."""
        with contextlib.ExitStack() as files:
            output = files.enter_context(self._output.open("ab"))
            errors: IO[bytes] | int = subprocess.STDOUT
            if self._errors is not None:
                errors = files.enter_context(self._errors.open("ab"))
            with self._lock:
                if self._signalled is not None:
                    return Ended(128 + self._signalled, "stopped before it started", finished=CLOCK.now())
                began = CLOCK.now()
                try:
                    process = self._spawner.start(self._launch, output, errors)
                except OSError as error:
                    return Ended(_CANNOT_START, _start_error(self._launch.argv[0], str(error)), finished=CLOCK.now())
                self.group = process.pid
        started(self.group)
        code = process.wait()
        with self._lock:
            self._ended = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.group, signal.SIGKILL)  # what the task has left behind
        return Ended(code if code >= 0 else 128 - code, started=began, finished=CLOCK.now())

    def signal(self, number: signal.Signals) -> bool:
        """Ask the main process, or with SIGKILL make the group; or keep it from starting.

        False when a wrapper runs that has not yet started the main process.
        """
        with self._lock:
            self._signalled = self._signalled or number
            if not self.group or self._ended:
                return True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if number == signal.SIGKILL:
                    os.killpg(self.group, number)
                    return True
                main_process = _main_process(self.group, self._launch.wrappers)
                if main_process is None:
                    return False
                os.kill(main_process, number)
        return True


async def _output_of(process: asyncio.subprocess.Process) -> bytes:
    """The beginning of what a process writes until it ends; the rest is read and forgotten."""
    assert process.stdout is not None
    output = b""
    while piece := await process.stdout.read(_PIECE):
        output += piece[: _LARGEST_OUTPUT - len(output)]
    await process.wait()
    return output


def _oldest_child(process: int) -> int | None:
    """The child of a process of one thread that was started first; None while there is none."""
    started: list[tuple[int, int]] = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for child in map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()):
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            started.append((int(fields[19]), child))
    return min(started)[1] if started else None


def _main_process(leader: int, wrappers: int) -> int | None:
    """The process that stands for a container's first, below so many wrappers; None when it does not run yet.

    The wrappers themselves would end without waiting for the task. Of several children the oldest is meant: the first
    process of a namespace is also given those whose parents have ended.
    """
    found = leader
    for _ in range(wrappers):
        child = _oldest_child(found)
        if child is None:
            return None
        found = child
    return found


def _unstartable(launch: Launch, task: Task) -> str | None:
    """Why a container runtime would refuse to start the command; None when it would not."""
    program = task.command[0]
    if "/" in program:
        return None
    path = launch.env.get("PATH", "")
    local = path.replace("/.sandbox/bin", str(task.programs))
    if shutil.which(program, path=local) is not None:
        return None
    return _start_error(program, f"executable file not found in $PATH ({HINT})")


def _start_error(program: str, why: str) -> str:
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        f'unable to start container process: error during container init: exec: "{program}": {why}'
    )


def _start_watchdog(directory: Path | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", watchdog.__file__, *([str(directory)] if directory else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
