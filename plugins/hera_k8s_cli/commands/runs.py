"""`hera-k8s runs`: the runs that are recorded here, or those on the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from hera_k8s_cli.commands.follow import whereabouts
from hera_k8s_utils._types import Json
from hera_k8s_utils.container.session import Session
from hera_k8s_utils.errors import CredentialError, HeraK8sError, NoCredential, PlatformError, attribute_errors_to
from hera_k8s_utils.labels import EXPERIMENT_LABEL, RUN_LABEL
from hera_k8s_utils.plugins.records import Command, Engine, ExecutionEngine
from hera_k8s_utils.runs.outcome import outcome_from_json
from hera_k8s_utils.runs.records import Submitted

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_cli.terminal.console import Console
    from hera_k8s_utils.container.container import ExperimentContainer
    from hera_k8s_utils.experiment.run_state import RunSummary
    from hera_k8s_utils.runs.records import RunRecord

_UNACCEPTED = {
    Submitted.REFUSED: "not submitted",
    Submitted.IN_PART: "submitted in part",
    Submitted.UNKNOWN: "outcome unknown",
}
"""How a listing words a run that is not known to have been accepted whole."""


def arguments(parser: ArgumentParser) -> None:
    """Where to look, and how far back."""
    parser.add_argument("--server", action="store_true", help="list runs on the server instead of those in --runs-dir")
    parser.add_argument("--experiment", default="", metavar="NAME", help="only runs of this experiment")
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="maximum number, newest first (default: %(default)s)"
    )


def run(session: Session) -> int:
    """List runs."""
    from hera_k8s_cli.terminal.console import console_of

    console = console_of(session)
    wanted, limit = session.arguments.experiment, max(1, session.arguments.limit)
    on_server = session.arguments.server
    rows = _on_server(session, wanted, limit, console) if on_server else _recorded(session, wanted, limit)
    if console.json:
        console.document(rows)
    else:
        _table(rows, console, server=on_server)
    return 0


def _recorded(session: Session, experiment: str, limit: int) -> list[Json]:
    from hera_k8s_cli.runs.selection import runs_of

    records = (r for r in runs_of(session).all() if not experiment or r.metadata.get("experiment") == experiment)
    return [row_of(record) for _, record in zip(range(limit), records, strict=False)]


def row_of(record: RunRecord) -> Json:
    """A record as a listing shows it."""
    about, recorded = record.metadata, record.outcome
    outcome, points = outcome_from_json(recorded or {}, record.name), about.get("points")
    return {
        "run": record.id,
        "workflow": record.name,
        "experiment": about.get("experiment", ""),
        "phase": outcome.phase or _last_heard(record),
        "done": outcome.done if recorded is not None else None,
        "total": outcome.total or (points if isinstance(points, int) else None),
        "unit": outcome.unit if recorded is not None else "point",
        "submission": record.attempt.state.value,
        "created_at": about.get("created_at", ""),
        "seconds": outcome.seconds or None,
        "record": str(record.path),
    }


def _last_heard(record: RunRecord) -> str:
    """The phase of a run whose end is not recorded: it was left, or is followed by another program just now."""
    unaccepted = _UNACCEPTED.get(record.attempt.state)
    if unaccepted is not None:
        return unaccepted
    phase = ""
    for event in record.events():
        phase = str(event.get("phase") or phase)
    return f"{phase or 'submitted'}, left"


def _on_server(session: Session, experiment: str, limit: int, console: Console) -> list[Json]:
    selector = f"{EXPERIMENT_LABEL}={experiment}" if experiment else RUN_LABEL
    rows: list[Json] = []
    with session.container(None) as container:
        default = container.running().declaration.name
        console.info(whereabouts(container))
        failures: list[tuple[str, HeraK8sError]] = []
        answered = False
        for name, open_engine in _engines(container):
            try:
                found = list(open_engine().runs(label_selector=selector, limit=limit))
            except NoCredential:
                continue
            except (CredentialError, PlatformError) as error:
                failures.append((name, error))
                continue
            answered = True
            rows += [_summary_row(summary, "" if name == default else name) for summary in found]
        if not answered:
            raise failures[0][1]
        for name, failure in failures:
            console.warning(f"runs of the engine {name} are not listed: {failure.wanted}: {failure.found}".rstrip(": "))
    return sorted(rows, key=lambda row: str(row["created_at"]), reverse=True)[:limit]


def _engines(container: ExperimentContainer) -> Iterator[tuple[str, Callable[[], Engine]]]:
    """The engine in use, and one for each further kind of object that runs consist of, unless `--engine` names one."""
    running = container.running()
    yield running.declaration.name, container.engine
    if container.core().engine:
        return
    covered = set(running.declaration.runs)
    for each in sorted(container.plugins().records("execution_engines", ExecutionEngine), key=lambda e: -e.priority):
        if not covered.issuperset(each.runs):
            covered.update(each.runs)
            yield each.name, partial(_open, each, container)


def _open(declared: ExecutionEngine, container: ExperimentContainer) -> Engine:
    platforms, context = container.platforms(), container.context()
    for name in declared.platforms:
        platforms.open(name, context)
    with attribute_errors_to(f"the execution engine {declared.name}"):
        return declared.open(platforms.settings(declared), context)


def _summary_row(summary: RunSummary, engine: str) -> Json:
    """A run of the server's as a listing shows it. engine: the one that it needs `--engine` for, or empty."""
    return {
        "run": summary.labels.get(RUN_LABEL, ""),
        "workflow": summary.name,
        "experiment": summary.labels.get(EXPERIMENT_LABEL, ""),
        "phase": summary.phase,
        "progress": summary.progress,
        "created_at": summary.started_at,
        "finished_at": summary.finished_at,
        "engine": engine,
    }


def _table(rows: list[Json], console: Console, *, server: bool) -> None:
    from hera_k8s_utils.formatting import align_columns, parse_timestamp, run_time, time_ago

    if not rows:
        console.info("no run" + (" on the server" if server else " is recorded here"))
        elsewhere = "hera-k8s runs lists those recorded here; -n NAMESPACE looks in another namespace"
        console.hint(elsewhere if server else "hera-k8s runs --server")
        return
    head = ("RUN", "EXPERIMENT", "PHASE", "DONE", "WHEN", "TOOK")
    cells = [head]
    for row in rows:
        started = parse_timestamp(str(row["created_at"] or ""))
        ended = parse_timestamp(str(row.get("finished_at") or ""))
        seconds = row.get("seconds")
        if seconds is None and started and ended:
            seconds = (ended - started).total_seconds()
        done = row.get("progress") or (f"{row['done']}/{row['total']}" if row.get("done") is not None else "")
        when = time_ago(started) if started else ""
        took = run_time(float(seconds)) if seconds is not None else ""
        cells.append(
            (str(row["run"] or row["workflow"]), str(row["experiment"]), str(row["phase"]), str(done), when, took)
        )
    for line in align_columns(cells, gap=3):
        console.result(line)
    other = next((row for row in rows if row.get("engine")), None)
    if other is not None:
        console.hint(f"hera-k8s follow {other['workflow']} --engine {other['engine']}, if it is not recorded here")


COMMAND = Command(
    name="runs",
    run=run,
    summary="list recorded runs, or those on the server",
    example="hera-k8s runs\nhera-k8s runs --server --experiment logistic-map",
    arguments=arguments,
)
