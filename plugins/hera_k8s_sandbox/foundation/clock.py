"""The clock: what the sandbox takes for now, which its users may advance.

One for the process, as the system's is: every time that the sandbox writes into an object comes from it, so that times
agree with each other. Tokens do not follow it: how long a credential lives is no matter of experiments.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from hera_k8s_sandbox.foundation.files import write_private


class Clock:
    """The system's clock, and by how much this one is ahead of it."""

    def __init__(self) -> None:
        self.ahead = 0.0  # seconds
        self._path: Path | None = None

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.ahead

    def open(self, path: Path | None) -> None:
        """Go on where the clock of a state directory was; None: with the system's time, kept nowhere."""
        self._path, self.ahead = path, 0.0 if path is None else kept(path)

    def move_to(self, moment: float) -> None:
        """Let it be a moment that is still to come; one that has passed changes nothing."""
        self.ahead = max(self.ahead, moment - time.time())

    def keep(self) -> None:
        """Write down by how much it is ahead, for the next start."""
        if self._path is not None:
            write_private(self._path, json.dumps({"ahead": self.ahead}) + "\n")


def kept(path: Path) -> float:
    """By how many seconds a clock was ahead when it was written down last."""
    try:
        return max(0.0, float(json.loads(path.read_text(encoding="ascii"))["ahead"]))
    except FileNotFoundError:
        return 0.0


CLOCK = Clock()
now: Callable[[], float] = CLOCK.now
