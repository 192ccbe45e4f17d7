"""Watchdog: ends the tasks of a sandbox that was killed and could not end them itself.

Started as a process of its own; its argument is the directory of all tasks. Reads `+PID` and `-PID` of process groups;
when its input ends, which it does however the sandbox ended, the groups that are left are killed. So are bubblewraps
that lost their parent: they ask to end with it a moment after they were started, and do not notice one that ended
before. A line `.` says that the sandbox has seen all of them end. Standard library only, for a quick start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROUNDS = 10  # looks for processes without a parent; what was being started is found by a later one
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
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for _ in range(rounds):
        for process in orphans(sys.argv[1]):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(PAUSE)


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
