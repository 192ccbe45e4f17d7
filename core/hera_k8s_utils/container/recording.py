"""The engine of a container: its runs are recorded, whether a command or a script submits and follows them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils.container.recorded_submission import submit
from hera_k8s_utils.container.run_details import run_details
from hera_k8s_utils.engines.pod_logs import last_words, lines_before
from hera_k8s_utils.errors import HeraK8sError
from hera_k8s_utils.experiment.run_state import LogLine, NodeState, RunSummary, RunUpdate, Submission
from hera_k8s_utils.experiment.workload_kinds import plan_of
from hera_k8s_utils.formatting import parse_timestamp
from hera_k8s_utils.offline.phase import offline_phase
from hera_k8s_utils.plugins.records import Engine
from hera_k8s_utils.plugins.return_types import require_update
from hera_k8s_utils.results import Finding
from hera_k8s_utils.runs.outcome import Outcome, Sweep, summarize
from hera_k8s_utils.runs.records import RunRecord

if TYPE_CHECKING:
    from hera_k8s_utils.checks.runner import Report
    from hera_k8s_utils.container.container import ExperimentContainer
    from hera_k8s_utils.experiment.model import BuiltExperiment

log = logging.getLogger(__name__)

_LOOKING: Final = 10.0
"""Seconds for which logs are read for the outcome of a run."""


class RecordingEngine:
    """An engine that records what it submits and follows in the container's `runs`.

    wrapped: the engine that a plugin opened; what else it has can be used as before.
    """

    def __init__(self, wrapped: Engine, container: ExperimentContainer) -> None:
        self.wrapped = wrapped
        self._container = container
        self._records: dict[str, RunRecord] = {}
        self._outcomes: dict[str, Outcome] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def record(self, built: BuiltExperiment, report: Report | None = None) -> RunRecord:
        """Start the record of a run, or take it up again; `submit` does so too. report: of the checks before it."""
        found = self._container.runs().start(built, report, details=run_details(self._container))
        self._records[built.name] = found
        return found

    def submit(self, built: BuiltExperiment) -> Submission:
        """Exactly once; raises `SubmitError`.

        Nothing is recorded while an experiment is loaded or built, when nothing is sent.
        """
        if offline_phase() is not None:
            return self.wrapped.submit(built)
        record = self._records.get(built.name) or self.record(built)
        return submit(built, record, self._container)

    def follow(self, name: str) -> Iterator[RunUpdate]:
        """Updates as they come; with the last one, the outcome is known and recorded."""
        seen = _Seen(name, self._records.get(name) or self._container.runs().of_workflow(name))
        for update in self.wrapped.follow(name):
            require_update(update, self._container.running().declaration.name)
            seen.take(update)
            if update.finished:
                self._outcomes[name] = seen.conclude(update, self.wrapped)
            yield update

    def outcome(self, name: str) -> Outcome | None:
        """How a run ended that was followed to its end; what became of each of its points."""
        return self._outcomes.get(name)

    def preflight(self, built: BuiltExperiment) -> Iterable[Finding]:
        """What the server says of the manifest without running it."""
        return self.wrapped.preflight(built)

    def logs(self, name: str, *, pod: str = "", follow: bool = False) -> Iterator[LogLine]:
        """What the tasks printed."""
        return self.wrapped.logs(name, pod=pod, follow=follow)

    def stop(self, name: str, *, terminate: bool = False) -> None:
        """End a run."""
        self.wrapped.stop(name, terminate=terminate)

    def runs(self, *, label_selector: str = "", limit: int = 500) -> Iterator[RunSummary]:
        """The runs on the server that carry the labels."""
        return self.wrapped.runs(label_selector=label_selector, limit=limit)


def recording_engine(container: ExperimentContainer) -> RecordingEngine:
    """The engine of a container; one that a plugin or a test put in its place is recorded too."""
    engine = container.engine()
    return engine if isinstance(engine, RecordingEngine) else RecordingEngine(engine, container)


@dataclass
class _Seen:
    """What was seen of a run while it was followed."""

    name: str
    record: RunRecord | None
    _nodes: dict[str, NodeState] = field(default_factory=dict)
    _phase: str = ""
    _began: float = field(default_factory=time.monotonic)

    def take(self, update: RunUpdate) -> None:
        self._phase = update.phase or self._phase
        if self.record is not None:
            self.record.append(update)
        else:
            self._nodes.update({node.id: node for node in update.nodes})

    def conclude(self, update: RunUpdate, engine: Engine) -> Outcome:
        """What the run came to; it is recorded."""
        nodes = self._nodes if self.record is None else self.record.nodes
        found = summarize(
            self.name,
            RunUpdate(
                phase=self._phase,
                message=update.message,
                started_at=update.started_at,
                finished_at=update.finished_at,
                gone=update.gone,
            ),
            nodes.values(),
            sweep_of(self.record) if self.record is not None else Sweep(),
            seconds=elapsed_seconds(update, time.monotonic() - self._began),
            read_log=_LogReader(self.name, engine),
        )
        if self.record is not None:
            self.record.ended(found.to_json())
        return found


class _LogReader:
    """Reads how the log of a pod ends: a courtesy, and not for long."""

    def __init__(self, run: str, engine: Engine) -> None:
        self._run = run
        self._engine = engine
        self._until = time.monotonic() + _LOOKING

    def __call__(self, pod: str) -> str:
        if time.monotonic() >= self._until:
            return ""
        try:
            return last_words(lines_before(self._until, lambda: self._engine.logs(self._run, pod=pod)))
        except HeraK8sError as error:
            log.info("the log of %s cannot be read: %s", pod, error)
            return ""


def sweep_of(record: RunRecord) -> Sweep:
    """What a record says of the tasks of its run."""
    inputs = record.read("inputs") or {}
    parameters, points = inputs.get("parameters"), inputs.get("points")
    first = points[0] if isinstance(points, list) and points else {}
    names = parameters if isinstance(parameters, Mapping) else first if isinstance(first, Mapping) else {}
    stated = record.metadata.get("points")
    return Sweep(
        planned=plan_of(record.read("manifest") or {}).tasks,
        points=stated if isinstance(stated, int) else 0,
        names=tuple(names),
    )


def elapsed_seconds(update: RunUpdate, fallback: float) -> float:
    """Seconds that a run took by its server's clock, which tells whole ones, else by ours."""
    started, finished = parse_timestamp(update.started_at), parse_timestamp(update.finished_at)
    return (finished - started).total_seconds() or fallback if started and finished else fallback
