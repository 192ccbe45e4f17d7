"""Spawning: how the processes of tasks are started, each as the leader of a session and a group of its own."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, Final, Protocol

from hera_k8s_sandbox.kubelet.mounts import Launch
from hera_k8s_sandbox.kubelet.private_roots import NAMESPACES, UNSHARE

_LONGEST_WORD: Final = 128 * 1024  # bytes, with the NUL at its end: MAX_ARG_STRLEN of Linux
_KILLED: Final = 137  # the exit code of a process that was killed
_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG")  # of this process's variables: a task may see those of its parents

Errors = IO[bytes] | int


class Child(Protocol):
    """A process that was started.

    pid: of the leader of its group.
    """

    @property
    def pid(self) -> int:
        """Its process id."""

    def wait(self) -> int:
        """Wait for its end; its exit code, or minus the number of the signal that ended it."""


class Spawner:
    """Starts processes directly."""

    def start(self, launch: Launch, output: IO[bytes], errors: Errors) -> Child:
        """Start a process; errors: a file, or `subprocess.STDOUT`. Raises OSError."""
        return subprocess.Popen(
            launch.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=launch.cwd,
            env=dict(launch.env),
            start_new_session=True,
        )

    def close(self) -> None:
        """Nothing is to be started any more."""


class NamespaceSpawner(Spawner):
    """Has `namespaces.py` fork: an interpreter for each task would cost three times as much.

    One process does so for all tasks. It is started with the first, and ends, with all that it has started, when this
    process does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def start(self, launch: Launch, output: IO[bytes], errors: Errors) -> Child:
        """Start a process; errors: a file, or `subprocess.STDOUT`. Raises OSError."""
        _require_short(launch)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                taken = output if isinstance(errors, int) else errors
                descriptors = [output.fileno(), taken.fileno(), theirs.fileno()]
                socket.send_fds(self._connected(), [b"\0"], descriptors)
            return _Forked(ours, launch)
        except OSError:
            ours.close()
            raise

    def close(self) -> None:
        """End the process that forks."""
        with self._lock:
            if self._requests is not None and self._server is not None:
                self._requests.close()
                self._server.wait()
                self._requests = self._server = None

    def _connected(self) -> socket.socket:
        """The socket for requests, to a process that is started when there is none."""
        with self._lock:
            if self._requests is None or self._server is None or self._server.poll() is not None:
                self._requests, self._server = _start_server()
            return self._requests


def _require_short(launch: Launch) -> None:
    """Raise the `OSError` of execve(2) for words that are too long: the forked process would meet it too late."""
    words = [*launch.argv, *(f"{name}={value}" for name, value in launch.env.items())]
    lengths = [len(os.fsencode(word)) + 1 for word in words]
    if max(lengths) > _LONGEST_WORD or sum(lengths) > os.sysconf("SC_ARG_MAX"):
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))


def _start_server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-I", "-S", str(NAMESPACES), "--serve", str(theirs.fileno())]
    with theirs:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={name: value for name, value in os.environ.items() if name in _KEPT},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    return ours, server


class _Forked:
    """A child of the process that forks, at the other end of a stream."""

    def __init__(self, stream: socket.socket, launch: Launch) -> None:
        request: dict[str, Any] = {"argv": _options_and_command(launch), "env": dict(launch.env)}
        self._stream = stream
        self._answers = stream.makefile("rb")
        answer = self._answers.readline()
        if not answer:
            raise OSError("the process that starts containers has ended")
        self.pid = int(answer)
        try:
            stream.sendall(json.dumps(request).encode())
            stream.shutdown(socket.SHUT_WR)
        except OSError:  # it was killed meanwhile, which `wait` reports
            return

    def wait(self) -> int:
        """Wait for its end; its exit code, or minus the number of the signal that ended it."""
        with self._stream, self._answers:
            try:
                answer = self._answers.readline()
            except OSError:
                answer = b""
        return int(answer) if answer else _KILLED


def _options_and_command(launch: Launch) -> list[str]:
    return list(launch.argv[launch.argv.index(str(Path(NAMESPACES))) + 1 :])


def spawner_for(kind: str) -> Spawner:
    """What starts the tasks of a view."""
    return NamespaceSpawner() if kind == UNSHARE else Spawner()
