"""How a run ended: in words, as plain data, and as an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_cli.runs.progress import TaskProgress
from hera_k8s_cli.terminal.console import Console
from hera_k8s_cli.terminal.stream import Span
from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import WorkflowFailed
from hera_k8s_utils.experiment.run_state import NodeState, RunUpdate
from hera_k8s_utils.formatting import pluralize, run_time
from hera_k8s_utils.redaction import redact

if TYPE_CHECKING:
    from hera_k8s_cli.runs.selection import RunHandle

_MOST_FAILURES: Final = 8
"""Failed tasks that are named; the rest are counted."""
_FEW: Final = 4


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `seconds`: by the server's clock where it tells. `retried`: tasks with more than one attempt.
    `skipped`: tasks whose condition did not hold, or whose turn never came.

    done, total: points of the sweep, or tasks where they cannot be told apart; `unit` says which.
    """

    name: str
    phase: str
    message: str = ""
    seconds: float = 0.0
    started_at: str = ""
    finished_at: str = ""
    done: int = 0
    total: int = 0
    unit: str = "task"
    retried: int = 0
    skipped: int = 0
    failed: Sequence[NodeState] = field(default_factory=tuple)
    gone: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the whole workflow did what it was meant to."""
        return self.phase == "Succeeded"

    @property
    def exit_code(self) -> int:
        """0, or that of `WorkflowFailed`."""
        return 0 if self.succeeded else WorkflowFailed.exit_code

    def sentence(self) -> str:
        """`succeeded in 1 min 14 s: 152 of 152 points, 1 after a retry`."""
        retried = f", {self.retried} after a retry" if self.retried else ""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        counts = f"{self.done} of {pluralize(self.total, self.unit)}{retried}{skipped}" if self.total else "no task ran"
        if self.gone and not self.phase:
            return f"{self.name} was deleted while it was followed: {counts}"
        if self.gone and self.phase not in ("Succeeded", "Failed", "Error"):
            return f"{self.name} was deleted while it was {self.phase.lower()}: {counts}"
        if self.succeeded:
            return f"succeeded in {run_time(self.seconds)}: {counts}"
        return f"{self.name} {_verb(self.phase)} after {run_time(self.seconds)}: {counts}"

    def to_json(self) -> Json:
        """The outcome as plain data."""
        return {
            "workflow": self.name,
            "phase": self.phase,
            "message": redact(self.message),
            "seconds": round(self.seconds, 3),
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
            "retried": self.retried,
            "skipped": self.skipped,
            "deleted": self.gone,
            "failed": [
                {"name": node.display_name or node.name, "template": node.template, "message": redact(node.message)}
                for node in self.failed
            ],
        }


def _verb(phase: str) -> str:
    return {"Failed": "failed", "Error": "ended in an error"}.get(phase, f"ended as {phase or 'nobody knows what'}")


def summarize(name: str, update: RunUpdate, tally: TaskProgress, *, points: int = 0, seconds: float = 0.0) -> Outcome:
    """What the last update and the counts come to.

    points: of the sweep, 0 where there is none; the templates that run once a point are then what is counted.
    """
    rows = tally.rows()
    of_points = [row for row in rows if points > 1 and row.total == points]
    counted_rows = of_points or rows
    return Outcome(
        name=name,
        phase=update.phase,
        message=update.message,
        seconds=seconds,
        started_at=update.started_at,
        finished_at=update.finished_at,
        done=min((row.succeeded for row in of_points), default=sum(row.succeeded for row in counted_rows)),
        total=points if of_points else sum(max(row.total or 0, row.seen) - row.skipped for row in counted_rows),
        unit="point" if of_points else "task",
        retried=tally.retried(),
        skipped=sum(row.skipped for row in counted_rows),
        failed=tuple(tally.failed()),
        gone=update.gone,
    )


def from_json(data: Mapping[str, Any], name: str) -> Outcome:
    """An outcome as a record holds it."""
    failed = [
        NodeState(id="", name=str(n.get("name")), template=str(n.get("template")), message=str(n.get("message")))
        for n in data.get("failed") or ()
    ]
    return Outcome(
        name=name,
        phase=str(data.get("phase", "")),
        message=str(data.get("message", "")),
        seconds=float(data.get("seconds") or 0),
        started_at=str(data.get("started_at", "")),
        finished_at=str(data.get("finished_at", "")),
        done=int(data.get("done") or 0),
        total=int(data.get("total") or 0),
        unit=str(data.get("unit") or "task"),
        retried=int(data.get("retried") or 0),
        skipped=int(data.get("skipped") or 0),
        failed=tuple(failed),
        gone=bool(data.get("deleted")),
    )


def show(outcome: Outcome, target: RunHandle, console: Console) -> None:
    """The end of a run: how it ended, which tasks failed and how to see what they printed, where things lie."""
    signs = console.out.glyphs
    sign = Span(signs.passed, "good") if outcome.succeeded else Span(signs.failed, "bad")
    console.result(sign, " ", outcome.sentence())
    if not outcome.succeeded and outcome.message and not outcome.message.startswith("child '"):
        console.result(f"  {outcome.message}")
    failures = failure_lines(outcome.failed)
    for who, why in failures[:_MOST_FAILURES]:
        console.result("  ", Span(who, "strong"), f"  {why}")
    if len(failures) > _MOST_FAILURES:
        console.result(f"  and {len(failures) - _MOST_FAILURES} more")
    for line in result_locations(target):
        console.result(line)
    if not outcome.succeeded and outcome.failed:
        console.hint(f"hera-k8s logs {target.short} --failed")


def failure_lines(failed: Sequence[NodeState]) -> list[tuple[str, str]]:
    """Who failed and why; tasks of one template that failed for one reason share a line when they are many."""
    groups: dict[tuple[str, str], list[NodeState]] = {}
    for node in failed:
        groups.setdefault((node.template, node.message or node.phase), []).append(node)
    lines = []
    for (template, why), nodes in groups.items():
        names = [node.display_name or node.name for node in nodes]
        together = [f"{len(names)} tasks of {template}, such as {names[0]}"]
        lines += [(who, why) for who in (together if len(names) > _FEW else names)]
    return lines


def result_locations(target: RunHandle) -> list[str]:
    """Where the results and the record of a run lie."""
    if target.record is None:
        return []
    lines = []
    results: Mapping[str, Any] = target.record.metadata.get("results") or {}
    if results.get("path"):
        lines.append(f"  results  {results.get('title', '')}: {results['path']}")
    if results.get("local"):
        lines.append(f"           on this disk: {results['local']}")
    return [*lines, f"  record   {target.record.path}/"]
