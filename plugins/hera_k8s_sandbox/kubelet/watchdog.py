"""Watchdog: ends the tasks of a sandbox that was killed and could not end them itself.

Started as a process of its own; its argument is the sandbox's directory. Reads `+PID` and `-PID` of process groups;
when its input ends, which it does however the sandbox ended, the groups that are left are killed. A task that was just
being started is not among them: its group is announced after its start. Such tasks are found in /proc, by what they
have open. So are bubblewraps that lost their parent: they ask to end with it a moment after they were started, and do
not notice one that ended before. A line `.` says that the sandbox has seen all of them end. Standard library only, for
a quick start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROUNDS = 10  # searches for processes without a parent; one that is just being started is found by a later search
PAUSE = 0.1  # seconds between them


def main() -> None:
    """Read until the end of the input, then kill what is left."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: set[int] = set()
    rounds = ROUNDS if sys.argv[1:] else 0
    for line in sys.stdin:
        if line == ".\n":
            rounds = 0
            continue
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    for group in groups:
        end(os.killpg, group)
    until = time.clock_gettime(time.CLOCK_BOOTTIME)
    for _ in range(rounds):
        for process in leaders(os.path.join(os.path.realpath(sys.argv[1]), "pods", ""), until):
            end(os.killpg, process)
        for process in orphans(sys.argv[1]):
            end(os.kill, process)
        time.sleep(PAUSE)


def end(kill: Callable[[int, int], None], process: int) -> None:
    """Kill a process or a group, which may have ended, or be another user's."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        kill(process, signal.SIGKILL)


def leaders(directory: str, until: float) -> Iterator[int]:
    """The leaders of sessions that write to a file, or work, below a directory, and started before a time.

    until: in seconds since boot. A sandbox that was started since with the same state has tasks of its own.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            session, started = int(fields[3]), int(fields[19]) / os.sysconf("SC_CLK_TCK")
            links = (entry / "fd/1", entry / "fd/2", entry / "cwd")
            if session == int(entry.name) and started <= until and any(is_below(link, directory) for link in links):
                yield session


def is_below(link: Path, directory: str) -> bool:
    """Whether a link of /proc leads to a place below a directory, whose path ends with a slash."""
    try:
        return os.readlink(link).startswith(directory)
    except OSError:  # closed, ended, or another user's
        return False


def orphans(directory: str) -> Iterator[int]:
    """The bubblewraps of tasks below a directory whose parent is neither the sandbox nor another one of them."""
    commands: dict[int, list[bytes]] = {}
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            commands[int(entry.name)] = (entry / "cmdline").read_bytes().split(b"\0")
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    place = os.fsencode(directory)
    named = {process for process, command in commands.items() if any(place in word for word in command)}
    for process in named:
        is_bubblewrap = os.path.basename(commands[process][0]) == b"bwrap" and b"--die-with-parent" in commands[process]
        if is_bubblewrap and parents.get(process) not in named:
            yield process


if __name__ == "__main__":
    main()
