"""Runs commands, each in a fork of one process that has imported everything: a fresh interpreter's state, in no time.

    with ForkedCommands() as forked, forked.worker() as worker:
        process = worker.start({"words": ["check"], "directory": "...", "environ": {...}})
        code = worker.exit_code()

A worker runs one command at a time; threads that take a worker each run them side by side. A command's output is in the
files `out` and `err` of the parent of its directory. It is told what to do by a JSON object: words, directory, environ,
script (a 0.1 script to run in place of `hera-k8s`) and ceiling (bytes of address space that it may have).
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

_PRELOADED = (
    "aiohttp",
    "hera.workflows",
    "hera_k8s_argo.client",
    "hera_k8s_kube.client",
    "hera_k8s_cli.main",
    "hera_k8s_utils.container.container",
    "hera_k8s_utils.k8s_cluster",
    "kubernetes.client",
    "kubernetes.config",
    "requests",
    "rich.console",
    "yaml",
)


# --- in the tests ----------------------------------------------------------------------------------------------


class ForkedCommands:
    """The process that has imported everything. variables: of its own besides those of this process."""

    def __init__(self, **variables: str) -> None:
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **variables},
                pass_fds=[theirs.fileno()],
            )

    def __enter__(self) -> ForkedCommands:
        return self

    def __exit__(self, *_: object) -> None:
        while not self._idle.empty():
            self._idle.get().close()
        self._requests.close()
        self._process.wait()

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """A worker for this thread, until the block ends."""
        try:
            worker = self._idle.get_nowait()
        except Empty:
            worker = self._new_worker()
        try:
            yield worker
        finally:
            self._idle.put(worker)

    def _new_worker(self) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._requests, [b"\0"], [theirs.fileno()])
        return Worker(ours)


class Worker:
    """Runs one command after another."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lines = stream.makefile("rw", encoding="utf-8")

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self._stream.close()

    def start(self, told: Mapping[str, Any]) -> int:
        """Start a command; its process id."""
        self._lines.write(json.dumps(told) + "\n")
        self._lines.flush()
        return int(self._lines.readline())

    def exit_code(self) -> int:
        """Wait for the end of the command; its exit code, or minus the number of a signal."""
        return int(self._lines.readline())


# --- in the process --------------------------------------------------------------------------------------------


def main(requests: socket.socket) -> None:
    """Import everything, then fork a worker for each request, whose stream comes with it."""
    for module in _PRELOADED:
        __import__(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for workers
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.set_inheritable(descriptors[0], False)
            with socket.socket(fileno=descriptors[0]) as stream:
                _work(stream.makefile("rw", encoding="utf-8"))
            os._exit(0)
        os.close(descriptors[0])


def _work(lines: IO[str]) -> None:
    for line in lines:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        print(child, file=lines, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=lines, flush=True)


def _run(told: Any) -> None:
    code = 1
    try:
        os.setsid()
        os.chdir(told["directory"])
        os.environ.clear()
        os.environ.update(told["environ"])
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(Path(told["directory"]).parent / name, os.O_WRONLY | os.O_CREAT, 0o600), number)
        if told.get("ceiling"):
            resource.setrlimit(resource.RLIMIT_AS, (told["ceiling"], told["ceiling"]))
        code = _script(told) if told.get("script") else _command(told["words"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(words: list[str]) -> int:
    from hera_k8s_cli.main import main as command

    return command(words)


def _script(told: Any) -> int:
    """As Python runs a script: an exit's message and an error's traceback go to standard error."""
    sys.argv = ["script.py", *told["words"]]
    try:
        runpy.run_path(told["script"], run_name="__main__")
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
    return 0


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
