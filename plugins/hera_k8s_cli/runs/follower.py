"""Following a run: progress as it comes, why tasks wait, and what Ctrl-C or the end of patience leaves behind."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from hera_k8s_cli.runs.pending import ExplainPod, PendingTracker, Reason
from hera_k8s_cli.runs.progress import LiveTable, ProgressLines, TaskProgress
from hera_k8s_cli.terminal.console import Console
from hera_k8s_utils.engines.pump import Pump
from hera_k8s_utils.errors import ErrorKind, HeraK8sError, Interrupted, PlatformError
from hera_k8s_utils.experiment.run_state import RunUpdate
from hera_k8s_utils.formatting import format_duration
from hera_k8s_utils.plugins.records import Engine

log = logging.getLogger(__name__)

_TICK: Final = 0.5
"""Seconds between looks at the clock while nothing comes."""
_WAITING: Final = 1000
"""Updates that wait to be shown, so that a server that sends more slows itself and fills no memory."""


@dataclass(frozen=True)
class FollowResult:
    """How following ended: with the run's last state, or because the time was up."""

    update: RunUpdate
    timed_out: bool = False


@dataclass
class Follower:
    """Follows one run.

    engine: read in a thread of its own, so that the clock and Ctrl-C are heard while nothing comes.
    timeout: seconds; None waits for as long as it takes.
    explain: looks up why a pod does not start, where the task itself does not say.
    related: what the checks before the run said of the thing that a reason names, empty for nothing.
    on_update: told of each update, after it was counted.
    come_back: what brings one back to this run; stop: what ends it; resume: what lets it go on when it is suspended.
    suspend_templates: those of its plan, each with the time that it waits by itself.
    """

    engine: Engine
    name: str
    console: Console
    tally: TaskProgress
    timeout: float | None = None
    explain: ExplainPod | None = None
    related: Callable[[str], str] | None = None
    on_update: Callable[[RunUpdate], None] | None = None
    come_back: str = ""
    stop: str = ""
    resume: str = ""
    suspend_templates: Mapping[str, str] = field(default_factory=dict)
    _pump: Pump[RunUpdate | Reason] = field(default_factory=lambda: Pump(_WAITING), init=False)

    def run(self) -> FollowResult:
        """Follow until the run ends or the time is up.

        Raises `Interrupted` at Ctrl-C, and what the engine raises; in both cases the run itself goes on.
        """
        self._pump.start(self._read, name="follow")
        try:
            with ExitStack() as stack:
                lines = None if self._goes_live(stack) else ProgressLines(self.tally)
                return self._consume(lines)
        except KeyboardInterrupt:
            raise left_running(self.name, self.come_back, self.stop) from None

    def _goes_live(self, stack: ExitStack) -> bool:
        if self.console.json or not self.console.err.terminal:
            return False
        stack.enter_context(self.console.live(LiveTable(self.tally)))
        return True

    def _read(self) -> None:
        for update in self.engine.follow(self.name):
            if not self._pump.put(update) or update.finished:
                return

    def _consume(self, lines: ProgressLines | None) -> FollowResult:
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        waiting = PendingTracker(
            self.tally,
            self.explain,
            self._pump.put,
            resume=self.resume,
            suspend_templates=self.suspend_templates,
        )
        last = RunUpdate(phase="")
        for arrived in self._arrivals(deadline):
            if isinstance(arrived, RunUpdate):
                last = self._took(arrived, last)
            self._tell(waiting, arrived if isinstance(arrived, Reason) else None, lines)
            if last.finished:
                return FollowResult(last)
            if deadline is not None and time.monotonic() >= deadline:
                return FollowResult(last, timed_out=True)
        self._tell(waiting, None, lines)
        return FollowResult(last)

    def _arrivals(self, deadline: float | None) -> Iterator[RunUpdate | Reason | None]:
        """Updates and reasons as they come, and None at each tick without one."""

        def tick() -> float:
            return _TICK if deadline is None else min(_TICK, max(0.0, deadline - time.monotonic()))

        try:
            yield from self._pump.poll(tick)
        except HeraK8sError as error:
            self._tell_loss(error)
            raise

    def _took(self, update: RunUpdate, last: RunUpdate) -> RunUpdate:
        self.tally.apply(update)
        if self.on_update is not None:
            self.on_update(update)
        if update.gone and not update.phase:
            return RunUpdate(phase=last.phase, message=last.message, gone=True)
        return update

    def _tell(self, waiting: PendingTracker, reason: Reason | None, lines: ProgressLines | None) -> None:
        news = waiting.new_messages(time.monotonic()) if reason is None else waiting.add_reason(reason)
        for text in news:
            self.console.warning(text)
            said_before = self.related(text) if self.related is not None else ""
            if said_before:
                self.console.info(f"  {said_before}")
        line = lines.line(time.monotonic()) if lines is not None and not self.console.json else None
        if line is not None:
            self.console.info(line)

    def _tell_loss(self, error: HeraK8sError) -> None:
        if isinstance(error, PlatformError) and error.kind is ErrorKind.MISSING:
            return
        log.debug("following %s failed", self.name, exc_info=error)
        self.console.warning(f"lost connection to {self.name}; it is still running. Reattach: {self.come_back}")


def left_running(name: str, come_back: str, stop: str) -> Interrupted:
    """What is said at Ctrl-C once a workflow was submitted. From now on Ctrl-C ends the program at once."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, lambda _signum, _frame: os._exit(Interrupted.exit_code))
    return Interrupted(f"stopped following; {name} goes on", hint=f"{come_back} comes back, {stop} ends it")


def timeout_message(name: str, seconds: float) -> str:
    """What is said when `--timeout` is up."""
    return f"no longer following {name} after {format_duration(seconds)}: it goes on"
