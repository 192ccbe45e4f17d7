"""How far a run is: counts of its tasks by template, as a live table on a terminal and as lines elsewhere."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils._types import Json
from hera_k8s_utils.experiment.run_state import TASK, NodeState, RunUpdate
from hera_k8s_utils.experiment.workload import PlannedTasks
from hera_k8s_utils.formatting import format_elapsed, now, parse_timestamp
from hera_k8s_utils.sanitize import one_line

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import ConsoleOptions
    from rich.table import Table

_FAILED: Final = ("Failed", "Error")
_SKIPPED: Final = ("Skipped", "Omitted")
_BAR, _BESIDE_BAR = 34, 64
"""Columns of a bar at most, and of all that stands beside it."""
_SHORTEST_BAR: Final = 8
"""Narrower than this, numbers get its room."""
_UNBOUNDED: Final = 1000
MOST_ROWS: Final = 8
"""A live table shows no more templates than these, those at work first."""


# --- what has passed -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TemplateProgress:
    """Progress of the tasks of one template. `total` is None while it is not known."""

    template: str
    total: int | None = None
    succeeded: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    skipped: int = 0
    stopped: int = 0
    waits_for: tuple[str, ...] = ()
    started: datetime | None = None
    finished: datetime | None = None

    @property
    def seen(self) -> int:
        """Tasks that exist."""
        return self.running + self.pending + self.done

    @property
    def done(self) -> int:
        """Tasks that need no more waiting."""
        return self.succeeded + self.failed + self.skipped + self.stopped

    @property
    def begun(self) -> bool:
        """Whether any task has started."""
        return self.running + self.done > 0

    @property
    def complete(self) -> bool:
        """Whether no task is left."""
        return self.seen > 0 and self.done >= max(self.seen, self.total or 0)

    def describe_amount(self) -> str:
        """`118 of 152`, or `118 so far`."""
        return (
            f"{self.succeeded} of {max(self.total, self.seen)}"
            if self.total is not None
            else f"{self.succeeded} so far"
        )

    def describe_state(self) -> str:
        """`20 running, 0 failed`, or what it waits for."""
        if not self.seen:
            return f"waits for {', '.join(self.waits_for)}" if self.waits_for else "not started"
        said = [
            f"{self.running} running" if not self.complete else "",
            f"{self.pending} pending" if self.pending else "",
            f"{self.failed} failed",
            f"{self.stopped} stopped" if self.stopped else "",
            f"{self.skipped} skipped" if self.skipped else "",
        ]
        return ", ".join(part for part in said if part)


class TaskProgress:
    """The tasks of a run, counted by template; `apply` takes changes from one thread, others may read."""

    def __init__(self, planned: Sequence[PlannedTasks] = ()) -> None:
        self._planned = {each.template: each for each in planned}
        self._lock = threading.Lock()
        self._nodes: dict[str, NodeState] = {}
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in self._planned}
        self._started: dict[str, datetime] = {}
        self._finished: dict[str, datetime] = {}
        self.phase = ""
        self.is_suspended = False

    def apply(self, update: RunUpdate) -> None:
        """Take up an update."""
        with self._lock:
            self.phase = update.phase or self.phase
            self.is_suspended = update.suspended
            for node in update.nodes:
                self._take(node)

    def restore(self, nodes: Iterable[NodeState]) -> None:
        """Take up what was recorded earlier."""
        with self._lock:
            for node in nodes:
                self._take(node)

    def _take(self, node: NodeState) -> None:
        if node.role != TASK or (self._planned and node.template not in self._planned):
            if self._nodes.pop(node.id, None) is not None:  # its attempt as a whole is made again
                self._recount()
            return
        before = self._nodes.get(node.id)
        counts = self._counts.setdefault(node.template, Counter())
        if before is not None:
            counts[before.phase] -= 1
        counts[node.phase] += 1
        self._nodes[node.id] = node
        self._note_times(node)

    def _recount(self) -> None:
        self._counts = {name: Counter() for name in self._planned}
        for node in self._nodes.values():
            self._counts.setdefault(node.template, Counter())[node.phase] += 1

    def _note_times(self, node: NodeState) -> None:
        started, finished = parse_timestamp(node.started_at), parse_timestamp(node.finished_at)
        name = node.template
        if started:
            self._started[name] = min(started, self._started.get(name, started))
        if finished:
            self._finished[name] = max(finished, self._finished.get(name, finished))

    # --- what it comes to --------------------------------------------------------------------------------------

    def rows(self) -> list[TemplateProgress]:
        """A row for each template, those that the manifest plans first and in its order."""
        with self._lock:
            rows = [self._row(name, counts) for name, counts in self._counts.items()]
        unfinished = {row.template for row in rows if not row.complete}
        return [replace(row, waits_for=tuple(n for n in row.waits_for if n in unfinished)) for row in rows]

    def _row(self, name: str, counts: Counter[str]) -> TemplateProgress:
        planned = self._planned.get(name)
        return TemplateProgress(
            template=name,
            total=planned.total if planned else None,
            succeeded=counts["Succeeded"],
            running=counts["Running"],
            pending=counts["Pending"] + counts[""],
            failed=sum(counts[phase] for phase in _FAILED),
            skipped=sum(counts[phase] for phase in _SKIPPED),
            stopped=counts["Stopped"],
            waits_for=planned.after if planned else (),
            started=self._started.get(name),
            finished=self._finished.get(name),
        )

    def pending(self) -> list[NodeState]:
        """The tasks that exist and have not started."""
        with self._lock:
            return [node for node in self._nodes.values() if node.phase in ("Pending", "")]

    def suspended(self) -> list[NodeState]:
        """The tasks that wait to be resumed, or for a duration to pass."""
        with self._lock:
            return [node for node in self._nodes.values() if node.type == "Suspend" and node.phase == "Running"]

    def to_json(self) -> list[Json]:
        """The rows as plain data."""
        return [
            {
                "template": row.template,
                "total": row.total,
                "succeeded": row.succeeded,
                "running": row.running,
                "pending": row.pending,
                "failed": row.failed,
                "skipped": row.skipped,
                "stopped": row.stopped,
            }
            for row in self.rows()
        ]


# --- how it looks ----------------------------------------------------------------------------------------------


class LiveTable:
    """The tally as a renderable of rich: name, bar, amount, state and time of each template."""

    def __init__(self, tally: TaskProgress) -> None:
        self._tally = tally

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> Iterator[Table]:
        from rich.measure import Measurement

        bar = min(_BAR, options.max_width - _BESIDE_BAR)
        table = self._table(bar if bar >= _SHORTEST_BAR else 0)
        wanted = Measurement.get(console, options.update(max_width=_UNBOUNDED), table).maximum
        yield table if wanted <= options.max_width else self._table(0)

    def _table(self, bar: int) -> Table:
        """The rows; bar: its columns, 0 where numbers need the room."""
        from rich.table import Table

        table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
        indent = [""] if bar else []
        for _ in range(len(indent) + (5 if bar else 4)):
            table.add_column(no_wrap=True)
        rows = self._tally.rows()
        shown = _most_active(rows)
        for row in shown:
            table.add_row(*indent, one_line(row.template), *_cells(row, bar))
        if len(rows) > len(shown):
            table.add_row(*indent, f"and {len(rows) - len(shown)} more templates")
        if not rows:
            table.add_row(*indent, one_line(self._tally.phase) or "waiting for the first task")
        return table


def _cells(row: TemplateProgress, bar: int) -> Iterator[Any]:
    from rich.progress_bar import ProgressBar

    if not row.seen:
        if not bar:
            yield ""
        yield one_line(row.describe_state())
        return
    if bar:
        total = max(row.total, row.seen) if row.total is not None else None
        style = "red" if row.failed else "green"
        yield ProgressBar(total=total, completed=row.done, width=bar, complete_style=style, finished_style=style)
    yield row.describe_amount()
    yield row.describe_state()
    yield format_elapsed(_elapsed(row))


def _elapsed(row: TemplateProgress) -> float:
    if row.started is None:
        return 0.0
    end = row.finished if row.complete and row.finished else now()
    return (end - row.started).total_seconds()


def _most_active(rows: Sequence[TemplateProgress]) -> list[TemplateProgress]:
    if len(rows) <= MOST_ROWS:
        return list(rows)
    busy = sorted(rows, key=lambda row: (not (row.running or row.pending), row.complete, not row.failed))
    kept = {row.template for row in busy[:MOST_ROWS]}
    return [row for row in rows if row.template in kept]


class ProgressLines:
    """The tally as lines: one whenever the phase or the set of templates at work changes, else now and then.

    soonest: seconds between two lines at first; they grow rarer as a run grows longer, up to once a minute.
    """

    def __init__(self, tally: TaskProgress, *, soonest: float = 5.0) -> None:
        self._tally = tally
        self._soonest = soonest
        self._last_text = ""
        self._last_stage: object = None
        self._last_at: float | None = None
        self._began: float | None = None

    def line(self, at: float) -> str | None:
        """The next line, if one is due at this (monotonic) time, in seconds."""
        self._began = at if self._began is None else self._began
        rows = self._tally.rows()
        stage = (self._tally.phase, [(row.template, row.seen > 0, row.begun, row.complete) for row in rows])
        pause = min(60.0, max(self._soonest, (at - self._began) / 20))
        due = self._last_at is None or at - self._last_at >= pause or stage != self._last_stage
        text = "; ".join(_sentence(row) for row in _most_active(rows) if row.seen) or self._tally.phase
        if not due or not text or text == self._last_text:
            return None
        self._last_text, self._last_stage, self._last_at = text, stage, at
        return f"  {format_elapsed(at - self._began)}  {text}"


def _sentence(row: TemplateProgress) -> str:
    return f"{row.template} {row.describe_amount()}, {row.describe_state()}"
