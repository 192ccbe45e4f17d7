"""Ending: a sandbox ends within ten seconds of the signal, whatever it is busy with.

The event loop may be in the middle of something long when the signal arrives, such as a large commit; the signal
therefore reaches a process beside the sandbox, too. Killing loses nothing that was answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Final

from hera_k8s_sandbox.server import kill_timer

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_GRACE: Final = 8.0  # seconds between the signal and the kill
_BY_SIGNAL: Final = 128  # added to its number, the exit code of what a signal ended


@contextlib.contextmanager
def stop_event() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set; a second signal ends the process at once.

    Once the signal has come, the process has to end, also when the block has been left.
    """
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    received: list[int] = []

    def receive(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            os._exit(_BY_SIGNAL + number)
        loop.call_soon_threadsafe(stopping.set)

    before = {name: signal.signal(name, receive) for name in SIGNALS}
    line = _start_guard()
    wakeup = signal.set_wakeup_fd(line, warn_on_full_buffer=False)
    try:
        yield stopping
    finally:
        if not received:
            signal.set_wakeup_fd(wakeup)
            for name, handler in before.items():
                signal.signal(name, handler)
            os.close(line)


def _start_guard() -> int:
    """Start the process that watches over this one; the descriptor to which signals are to be written."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        subprocess.Popen(
            [sys.executable, "-I", "-S", kill_timer.__file__, str(os.getpid()), str(_GRACE)],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is not meant for it
        )
    finally:
        os.close(reading)
    return writing
