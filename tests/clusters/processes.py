"""Servers of the tests as child processes: started, waited for, and ended with the tests."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from go_programs import ControlPlaneError

READY_TIMEOUT: Final = 180.0  # seconds; 3 to 8 are usual
LOG_TAIL: Final = 3000  # characters
_PAUSE: Final = 0.05  # seconds between two looks at a condition
# Ends its command when its standard input closes, for programs that do not look at theirs.
_LEASH: Final = 'exec 3<&0; "$@" </dev/null & child=$!; { cat <&3 >/dev/null; kill -KILL $child; } & wait $child'


@dataclass(frozen=True)
class Process:
    """A child and where it writes."""

    name: str
    child: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def start_process(
    directory: Path, name: str, command: list[str], *, seconds_to_end: float = 0, env: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """A child in `directory` for as long as the block lasts; its standard input is closed, and then it is killed.

    seconds_to_end: how long it gets between the two.
    """
    log = directory / f"{name}.log"
    with log.open("wb") as written:
        child = _start(command, directory, written, env)
    try:
        yield Process(name, child, log)
    finally:
        assert child.stdin is not None
        child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            if seconds_to_end:
                child.wait(seconds_to_end)
        child.kill()  # after SIGTERM an API server keeps its port for minutes
        child.wait()


def _start(
    command: list[str], directory: Path, log: IO[bytes], env: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=directory, env=env, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
    )


def wait_for(process: Process, what: str, condition: Callable[[], bool]) -> None:
    """Wait for something that a process brings about. Raises ControlPlaneError when it ends, or after three minutes."""
    ends_at = time.monotonic() + READY_TIMEOUT
    while not condition():
        ended = process.child.poll()
        if ended is not None or time.monotonic() > ends_at:
            why = f"{process.name} ended with code {ended}" if ended is not None else f"not after {READY_TIMEOUT:g} s"
            tail = process.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]
            raise ControlPlaneError(f"waiting for {what}: {why}\n{tail}")
        time.sleep(_PAUSE)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def leashed(command: list[str]) -> list[str]:
    """A command that is killed as soon as its standard input closes."""
    return ["sh", "-c", _LEASH, command[0], *command]
