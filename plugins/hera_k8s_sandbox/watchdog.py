"""Watchdog: ends the tasks of a sandbox that was killed and could not end them itself.

Started as a process of its own. Reads `+PID` and `-PID` of process groups; when its input ends, which it does however
the sandbox ended, the groups that are left are killed. Standard library only, for a quick start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Read until the end of the input, then kill what is left."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
