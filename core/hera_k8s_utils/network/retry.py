"""Patience with streams that break: how long, how often, and when it has an end."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hera_k8s_utils.errors import PlatformError

log = logging.getLogger(__name__)

_WORTH_TELLING: Final = 3
"""Failures in a row after which the user is told, once, that nothing is heard: several seconds of silence."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long a broken stream is taken up again.

    failures: how many in a row are borne, by default for about six minutes. A stream that lived for `healthy`
        seconds, or brought an event, is none.
    first, most: seconds before the first and before later tries; they double, and vary by a quarter.
    pause: waits for that many seconds.
    """

    failures: int = 16
    first: float = 0.5
    most: float = 30.0
    healthy: float = 5.0
    pause: Callable[[float], None] = time.sleep

    def wait(self, failures: int) -> None:
        """Wait before the next try, after this many failures in a row."""
        seconds = min(self.most, self.first * 2 ** max(0, failures - 1))
        self.pause(seconds * random.uniform(0.75, 1.25))  # noqa: S311 - spreads clients, keeps no secret


class FailureBudget:
    """Counts failures in a row, waits between them, and has enough at some point.

    name: of what is followed. hint: what to do when it was too much.
    """

    def __init__(self, name: str, patience: RetryPolicy, hint: str) -> None:
        self.patience = patience
        self._name = name
        self._hint = hint
        self._failures = 0

    @property
    def failing(self) -> bool:
        """Whether the last stream or look failed."""
        return self._failures > 0

    def relieve(self) -> None:
        """All is well again."""
        self._failures = 0

    def bear(self, error: PlatformError) -> None:
        """One more failure, and a pause; raises when it is one too many."""
        self._failures += 1
        if self._failures > self.patience.failures:
            raise PlatformError(
                f"following {self._name} failed {self._failures} times in a row",
                found=f"{error.wanted}: {error.found}",
                hint=self._hint,
                trouble=error.trouble,
                status=error.status,
            ) from error
        level = logging.WARNING if self._failures == _WORTH_TELLING else logging.INFO
        log.log(level, "following %s: %s; trying again", self._name, error.found or error.wanted)
        self.patience.wait(self._failures)
