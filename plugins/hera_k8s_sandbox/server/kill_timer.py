"""Guard: kills a sandbox that does not end after a signal.

Started as a process of its own: whatever the sandbox is busy with cannot hold it up. Its input is what the kernel
delivers to the sandbox: one byte for each signal. SIGTERM or SIGINT sets a deadline, a second one a short one. When
the input ends, the sandbox has ended by itself. Standard library only, for a quick start.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

_AT_ONCE = 0.5  # seconds after a second signal


def main(sandbox: int, grace: float) -> None:
    """Watch over the process of this id; grace: seconds that it has to end after the first signal."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    deadline: float | None = None
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([0], [], [], left)[0]:
            break
        delivered = os.read(0, 1)
        if not delivered:
            return
        if delivered[0] in (signal.SIGTERM, signal.SIGINT):
            deadline = time.monotonic() + (grace if deadline is None else _AT_ONCE)
    if os.getppid() == sandbox:
        os.kill(sandbox, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
