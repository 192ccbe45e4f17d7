"""Retry policies of streams: how long an interrupted stream is resumed, how often, and when that ends."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hera_k8s_utils._moved import renamed
from hera_k8s_utils.errors import PlatformError

log = logging.getLogger(__name__)

_WARN_AFTER: Final = 3
"""Failures in a row after which the user is warned, once: several seconds of silence."""


@renamed(failures="max_failures", first="initial_delay", most="max_delay", healthy="reset_after", pause="sleep")
@dataclass(frozen=True)
class RetryPolicy:
    """How an interrupted stream is resumed.

    max_failures: failures in a row before giving up; the default lasts about six minutes.
    initial_delay: seconds before the first retry; the delay doubles each time, and varies by a quarter.
    max_delay: seconds that the delay is at most.
    reset_after: seconds after which a stream counts as healthy, so that its end is no failure; one event suffices too.
    sleep: waits for that many seconds.
    """

    max_failures: int = 16
    initial_delay: float = 0.5
    max_delay: float = 30.0
    reset_after: float = 5.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, failures: int) -> None:
        """Wait before the next try, after this many failures in a row."""
        seconds = min(self.max_delay, self.initial_delay * 2 ** max(0, failures - 1))
        self.sleep(seconds * random.uniform(0.75, 1.25))  # noqa: S311 - spreads clients, keeps no secret


@renamed(bear="record_failure", relieve="reset", patience="policy")
class FailureBudget:
    """Counts failures in a row, waits between them, and raises when there were too many.

    name: of what is followed.
    policy: how many failures, and how long between them.
    hint: what to do when there were too many.
    """

    def __init__(self, name: str, policy: RetryPolicy, hint: str) -> None:
        self.policy = policy
        self._name = name
        self._hint = hint
        self._failures = 0

    @property
    def failing(self) -> bool:
        """Whether the last try failed."""
        return self._failures > 0

    def reset(self) -> None:
        """Forget the failures: a try succeeded."""
        self._failures = 0

    def record_failure(self, error: PlatformError) -> None:
        """Count a failure and wait; raises `PlatformError` when it is one too many."""
        self._failures += 1
        if self._failures > self.policy.max_failures:
            raise PlatformError(
                f"following {self._name} failed {self._failures} times in a row",
                found=f"{error.wanted}: {error.found}",
                hint=self._hint,
                kind=error.kind,
                status=error.status,
            ) from error
        level = logging.WARNING if self._failures == _WARN_AFTER else logging.INFO
        log.log(level, "following %s: %s; trying again", self._name, error.found or error.wanted)
        self.policy.wait(self._failures)
