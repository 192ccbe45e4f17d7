"""How a run ended: what became of each point of its sweep, why points failed, and how many came to what."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from itertools import chain, islice
from typing import Any, Final

from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import WorkflowFailed
from hera_k8s_utils.experiment.run_state import TASK, NodeState, RunUpdate
from hera_k8s_utils.experiment.workload import PlannedTasks
from hera_k8s_utils.formatting import pluralize, run_time
from hera_k8s_utils.redaction import redact

EXAMPLES: Final = 3
"""Points that stand for all of those that failed for one cause."""
_MOST_LOGS: Final = 24
"""Failed points whose logs are read, the examples of the commonest causes first."""
_MOST_LISTED: Final = 10_000
"""Failed points that plain data lists one by one; the counts are complete."""
_LONGEST_CAUSE: Final = 500
"""Characters of a cause, or of a line of a log, that are kept."""
_BY_SIGNAL: Final = 128
"""What shells and container runtimes add to a signal's number for the exit code of a program that it ended."""
_SIGNALS: Final = {
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
    24: "SIGXCPU",
    25: "SIGXFSZ",
}
"""Signals by their numbers on Linux, where pods run; the numbers of this machine may be others."""


class PointState(str, Enum):
    """What became of a point, the worst first."""

    FAILED = "failed"
    STOPPED = "stopped"
    UNFINISHED = "unfinished"
    NOT_RUN = "not run"
    SKIPPED = "skipped"
    SUCCEEDED = "succeeded"


_RANK: Final = {state: rank for rank, state in enumerate(PointState)}
_STATES: Final = {
    "Succeeded": PointState.SUCCEEDED,
    "Failed": PointState.FAILED,
    "Error": PointState.FAILED,
    "Stopped": PointState.STOPPED,
    "Skipped": PointState.SKIPPED,
    "Omitted": PointState.NOT_RUN,
}


@dataclass(frozen=True, kw_only=True)
class PointOutcome:
    """What became of one point of a sweep, or of one task where a run has no points.

    parameters: the point's, as texts; of other tasks their inputs, where they tell tasks of one template apart.
    task: the template of the task that decided it; name: what people call that task.
    attempts: how often it was tried; of a point, the most that one of its tasks was.
    cause: why it failed: `exit code 3`, `exit code 139 (SIGSEGV)`, `OOMKilled, exit code 137`,
        `Evicted: ...`; empty for one that did not.
    exit_code: of its container; None where it is not known. pod: of its latest attempt, or empty.
    log: the last line that says something of what this pod printed; read for some of those that failed.
    """

    task: str
    name: str
    state: PointState
    parameters: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 1
    cause: str = ""
    exit_code: int | None = None
    pod: str = ""
    log: str = ""

    @property
    def title(self) -> str:
        """`seed=7 samples=2000`, else the task's name."""
        return " ".join(f"{name}={value}" for name, value in self.parameters.items()) or self.name

    def to_json(self) -> Json:
        """The outcome as plain data."""
        said: Json = {name: value for name, value in asdict(self).items() if value not in ("", None)}
        for name in ("cause", "log"):
            if name in said:
                said[name] = redact(said[name])
        return {**said, "state": self.state.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PointOutcome:
        """An outcome as a record holds it, whole or damaged."""
        state, parameters, code = data.get("state"), data.get("parameters"), data.get("exit_code")
        texts = parameters if isinstance(parameters, Mapping) else {}
        return cls(
            task=_text(data.get("task")),
            name=_text(data.get("name")),
            state=PointState(state) if isinstance(state, str) and state in _VALUES else PointState.FAILED,
            parameters={name: str(value) for name, value in texts.items()},
            attempts=max(1, _count(data.get("attempts"))),
            cause=_text(data.get("cause")),
            exit_code=None if code is None else _count(code),
            pod=_text(data.get("pod")),
            log=_text(data.get("log")),
        )


_VALUES: Final = frozenset(state.value for state in PointState)


@dataclass(frozen=True, kw_only=True)
class FailureCause:
    """One cause, and the points that failed for it. examples: the first few of them."""

    task: str
    cause: str
    count: int
    examples: Sequence[PointOutcome] = ()

    def to_json(self) -> Json:
        """The cause as plain data."""
        examples = [each.to_json() for each in self.examples]
        return {"task": self.task, "cause": redact(self.cause), "count": self.count, "examples": examples}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended.

    seconds: by the server's clock where it tells.
    total: points of the sweep, or tasks where they cannot be told apart; `unit` says which. A task whose condition does
        not hold is not one of them.
    counts: how many of them came to what. retried: those that succeeded after more than one attempt
        of a task.
    failed: the points that failed, and other tasks that did. causes: why, the commonest first.
    gone: its object was deleted before it ended.
    """

    name: str
    phase: str
    message: str = ""
    seconds: float = 0.0
    started_at: str = ""
    finished_at: str = ""
    total: int = 0
    unit: str = "task"
    counts: Mapping[PointState, int] = field(default_factory=dict)
    retried: int = 0
    failed: Sequence[PointOutcome] = ()
    causes: Sequence[FailureCause] = ()
    gone: bool = False

    @property
    def done(self) -> int:
        """How many succeeded."""
        return self.counts.get(PointState.SUCCEEDED, 0)

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
        if self.gone and not self.phase:
            return f"{self.name} was deleted while it was followed: {self._amounts()}"
        if self.gone and self.phase not in ("Succeeded", "Failed", "Error"):
            return f"{self.name} was deleted while it was {self.phase.lower()}: {self._amounts()}"
        if self.succeeded:
            return f"succeeded in {run_time(self.seconds)}: {self._amounts()}"
        return f"{self.name} {self._verb()} after {run_time(self.seconds)}: {self._amounts()}"

    def _verb(self) -> str:
        if self.counts.get(PointState.STOPPED) and not self.failed:
            return "was stopped"
        verbs = {"Failed": "failed", "Error": "ended in an error"}
        return verbs.get(self.phase, f"ended as {self.phase or 'nobody knows what'}")

    def _amounts(self) -> str:
        if not self.total:
            return "no task ran"
        others = [f"{self.retried} after a retry"] if self.retried else []
        others += [f"{self.counts[state]} {state.value}" for state in _RANK if self._is_told(state)]
        return ", ".join([f"{self.done} of {pluralize(self.total, self.unit)}", *others])

    def _is_told(self, state: PointState) -> bool:
        return state is not PointState.SUCCEEDED and self.counts.get(state, 0) > 0

    def to_json(self) -> Json:
        """The outcome as plain data. Counts are complete; of very many failed points, the first are listed."""
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
            "counts": {state.value: self.counts.get(state, 0) for state in reversed(PointState)},
            "retried": self.retried,
            "skipped": self.counts.get(PointState.SKIPPED, 0),
            "deleted": self.gone,
            "causes": [each.to_json() for each in self.causes],
            "failed": [each.to_json() for each in self.failed[:_MOST_LISTED]],
            "failed_not_listed": max(0, len(self.failed) - _MOST_LISTED),
        }


def outcome_from_json(data: Mapping[str, Any], name: str) -> Outcome:
    """An outcome as a record holds it, whole or damaged."""
    counts = data.get("counts")
    said = counts if isinstance(counts, Mapping) else {"succeeded": data.get("done"), "skipped": data.get("skipped")}
    failed = tuple(PointOutcome.from_json(each) for each in _mappings(data.get("failed")))
    causes = [
        FailureCause(
            task=_text(each.get("task")),
            cause=_text(each.get("cause")),
            count=_count(each.get("count")),
            examples=tuple(PointOutcome.from_json(one) for one in _mappings(each.get("examples"))),
        )
        for each in _mappings(data.get("causes"))
    ]
    return Outcome(
        name=name,
        phase=_text(data.get("phase")),
        message=_text(data.get("message")),
        seconds=_finite(data.get("seconds")),
        started_at=_text(data.get("started_at")),
        finished_at=_text(data.get("finished_at")),
        total=_count(data.get("total")),
        unit=_text(data.get("unit")) or "task",
        counts={state: _count(said.get(state.value)) for state in PointState},
        retried=_count(data.get("retried")),
        failed=failed,
        causes=causes,
        gone=bool(data.get("deleted")),
    )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _finite(value: Any) -> float:
    """A number of a record; 0 for what is none, also for one beyond what a float holds."""
    try:
        number = float(value) if isinstance(value, (int, float)) else 0.0
    except OverflowError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _count(value: Any) -> int:
    return max(0, int(_finite(value)))


# --- from the last state of the tasks ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a record says of the tasks that are to come.

    planned: the tasks of each template, none where nothing is recorded. points: how many the sweep has.
    names: of its parameters.
    """

    planned: Sequence[PlannedTasks] = ()
    points: int = 0
    names: Sequence[str] = ()

    def counts(self, node: NodeState) -> bool:
        """Whether a node is a task of this run, rather than an attempt, a group, or an exit handler's."""
        return node.role == TASK and (not self.planned or node.template in {each.template for each in self.planned})

    def key(self, node: NodeState) -> tuple[str, ...] | None:
        """The point of a task; None where its inputs do not name one."""
        if not self.names or any(name not in node.inputs for name in self.names):
            return None
        return tuple(node.inputs[name] for name in self.names)


def summarize(
    name: str,
    update: RunUpdate,
    nodes: Iterable[NodeState],
    sweep: Sweep,
    *,
    seconds: float = 0.0,
    read_log: Callable[[str], str] | None = None,
) -> Outcome:
    """What the last update and the last states of all nodes come to.

    read_log: the name of a pod -> the last line of its log that says something, empty for none; called for some points.
    """
    tasks = [node for node in nodes if sweep.counts(node)]
    points = _Points(sweep, tasks)
    results, counts = points.outcomes(tasks)
    others = [_Result.of([node]) for node in tasks if points.templates and node.template not in points.templates]
    failed = [each for each in (*results, *others) if each.state is PointState.FAILED]
    in_order = sorted(failed, key=lambda each: (each.decisive.finished_at, each.decisive.name))
    listed = [_point(each, sweep, points) for each in in_order]
    return Outcome(
        name=name,
        phase=update.phase,
        message=update.message,
        seconds=seconds,
        started_at=update.started_at,
        finished_at=update.finished_at,
        total=sum(counts.values()) - (0 if points.templates else counts[PointState.SKIPPED]),
        unit="point" if points.templates else "task",
        counts=counts,
        retried=sum(each.attempts > 1 for each in results if each.state is PointState.SUCCEEDED),
        failed=listed,
        causes=_causes(listed, read_log),
        gone=update.gone,
    )


def state_of(node: NodeState) -> PointState:
    """What became of a task."""
    return _STATES.get(node.phase, PointState.UNFINISHED)


@dataclass(frozen=True)
class _Result:
    """What became of a point. decisive: the task that decided it; attempts: the most that one of its tasks took."""

    decisive: NodeState
    state: PointState
    attempts: int

    @classmethod
    def of(cls, tasks: Sequence[NodeState], wanted: int = 1) -> _Result:
        """The worst of a point's tasks decides, but for those whose condition did not hold, unless none did.

        wanted: how many templates have a task of each point; a point that has fewer is not complete.
        """
        met = [node for node in tasks if state_of(node) is not PointState.SKIPPED] or tasks
        decisive = min(met, key=lambda node: _RANK[state_of(node)])
        state = state_of(decisive)
        if state is PointState.SUCCEEDED and len({node.template for node in tasks}) < wanted:
            state = PointState.NOT_RUN
        return cls(decisive, state, 1 + max(node.retries for node in tasks))


class _Points:
    """Which tasks belong to which point. templates: those that run once a point; none without a sweep."""

    def __init__(self, sweep: Sweep, tasks: Sequence[NodeState]) -> None:
        self._sweep = sweep
        planned = {each.template for each in sweep.planned if each.total == sweep.points}
        named = {node.template for node in tasks if sweep.key(node) is not None}
        self.templates = planned | named if sweep.points > 1 else set()
        self.seen = Counter(node.template for node in tasks)

    def outcomes(self, tasks: Sequence[NodeState]) -> tuple[list[_Result], dict[PointState, int]]:
        """What became of each point, and how many points came to what; without points, of tasks."""
        if not self.templates:
            results = [_Result.of([node]) for node in tasks]
            return results, self._completed(results, self._planned_tasks())
        of_points = [node for node in tasks if node.template in self.templates]
        by_point: dict[object, list[NodeState]] = {}
        for node in of_points:
            by_point.setdefault(self._sweep.key(node) or node.id, []).append(node)
        wanted = len(self.templates)
        if len(by_point) > self._sweep.points:  # inputs under other names: points cannot be told apart
            by_template = [[node for node in of_points if node.template == name] for name in sorted(self.templates)]
            by_point = {node.id: [node] for node in min(by_template, key=self._progress)}
            wanted = 1
        results = [_Result.of(each, wanted) for each in by_point.values()]
        return results, self._completed(results, self._sweep.points)

    @staticmethod
    def _progress(tasks: Sequence[NodeState]) -> tuple[int, int, int]:
        """How far the tasks of a template are, the least first; of those as far, one with fewer skipped, more retried.

        A task whose condition did not hold keeps no point back.
        """
        states = Counter(map(state_of, tasks))
        skipped = states[PointState.SKIPPED]
        return states[PointState.SUCCEEDED] + skipped, skipped, -sum(node.retries > 0 for node in tasks)

    def _planned_tasks(self) -> int:
        totals = {each.template: each.total or 0 for each in self._sweep.planned}
        return sum(max(totals.get(name, 0), self.seen[name]) for name in {*totals, *self.seen})

    @staticmethod
    def _completed(results: Sequence[_Result], total: int) -> dict[PointState, int]:
        """How many came to what, with what never came to be."""
        counts = Counter(each.state for each in results)
        counts[PointState.NOT_RUN] += max(0, total - len(results))
        return {state: counts[state] for state in PointState}


def _point(result: _Result, sweep: Sweep, points: _Points) -> PointOutcome:
    node = result.decisive
    if node.template in points.templates or points.seen[node.template] > 1:
        of_sweep = {name: node.inputs[name] for name in sweep.names if name in node.inputs}
        parameters = of_sweep or dict(node.inputs)
    else:
        parameters = {}
    return PointOutcome(
        task=node.template,
        name=node.display_name or node.name,
        state=result.state,
        parameters=parameters,
        attempts=result.attempts,
        cause=_cause(node),
        exit_code=node.exit_code,
        pod=node.pod,
    )


def _cause(node: NodeState) -> str:
    code = f"exit code {node.exit_code}" if node.exit_code is not None else ""
    said = " ".join(node.message.split()) or code or node.phase.lower()
    said = said.replace(node.pod, "POD") if node.pod else said
    signal = _SIGNALS.get((node.exit_code or 0) - _BY_SIGNAL)
    if signal and "OOMKilled" not in said:
        said = re.sub(rf"\b{code}\b", f"{code} ({signal})", said, count=1)
    return said[:_LONGEST_CAUSE]


def _causes(failed: list[PointOutcome], read_log: Callable[[str], str] | None) -> list[FailureCause]:
    """The causes, the commonest first; failed points get the last line of their log, in place, as far as it is read."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number, each in enumerate(failed):
        groups.setdefault((each.task, each.cause), []).append(number)
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    if read_log is not None:
        for number in _first_to_read([numbers for _, numbers in ranked], failed):
            failed[number] = replace(failed[number], log=read_log(failed[number].pod)[:_LONGEST_CAUSE])
    return [
        FailureCause(task=task, cause=cause, count=len(numbers), examples=tuple(failed[n] for n in numbers[:EXAMPLES]))
        for (task, cause), numbers in ranked
    ]


def _first_to_read(groups: Sequence[Sequence[int]], failed: Sequence[PointOutcome]) -> Iterator[int]:
    """The points whose logs are read: the examples of each cause, then the others, as many as are read at most."""
    examples = (number for numbers in groups for number in numbers[:EXAMPLES])
    others = (number for numbers in groups for number in numbers[EXAMPLES:])
    return islice((number for number in chain(examples, others) if failed[number].pod), _MOST_LOGS)
