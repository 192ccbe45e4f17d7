"""`hera-k8s follow`: attach to a run, show its progress, and exit with its status."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hera_k8s_utils.container.session import Session
from hera_k8s_utils.errors import FollowTimeout, HeraK8sError
from hera_k8s_utils.experiment.run_state import RunUpdate
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_cli.runs.progress import TaskProgress
    from hera_k8s_cli.runs.selection import RunHandle
    from hera_k8s_cli.terminal.console import Console
    from hera_k8s_utils.container.container import ExperimentContainer

_PAUSE = 1.0
"""Seconds between two lines of progress for programs."""


def arguments(parser: ArgumentParser) -> None:
    """The run, and how long to wait for it."""
    run_argument(parser)
    timeout_argument(parser)


def run_argument(parser: ArgumentParser, *, required: bool = False) -> None:
    """Add the positional `run`."""
    latest = "" if required else " (default: the latest)"
    parser.add_argument(
        "run",
        nargs=None if required else "?",
        default="",
        metavar="RUN",
        help=f"id of a run, or the beginning or end of one, or a workflow's name{latest}",
    )


def timeout_argument(parser: ArgumentParser) -> None:
    """Add `--timeout`."""
    parser.add_argument(
        "--timeout",
        default="",
        metavar="TIME",
        help="stop following after so many seconds, or 10m, 1h30m; the run goes on, the exit code is 12",
    )


def run(session: Session) -> int:
    """Follow a run until it ends; a recorded outcome is shown at once, without a server.

    A run that is not known to have been accepted is looked for first.
    """
    from hera_k8s_cli.runs.selection import explain_missing_run, select_run
    from hera_k8s_cli.runs.settling import settle
    from hera_k8s_cli.terminal.console import console_of
    from hera_k8s_utils.engines.submission import SETTLED
    from hera_k8s_utils.formatting import parse_duration

    console = console_of(session)
    timeout = parse_duration(session.arguments.timeout, "--timeout") if session.arguments.timeout else None
    target = select_run(session, session.arguments.run)
    recorded = target.record.outcome if target.record else None
    if recorded is not None:
        return tell_recorded(recorded, target, console)
    with session.container(None, **target.settings) as container, explain_missing_run(target):
        container.engine()
        settle(target, container, patience=min(SETTLED, timeout or SETTLED), say=console.warning)
        console.info(f"following {target.name} on {whereabouts(container)}; Ctrl-C leaves it running")
        return see_through(target, console, container, timeout)


def whereabouts(container: ExperimentContainer) -> str:
    """Where the engine in use is, and as whom: `argo.univ.example, namespace vcity, as jdoe`."""
    from hera_k8s_cli.terminal.report import describe_platform
    from hera_k8s_utils.checks.preflight import head

    lines = head(container.platforms(), container.context())
    return describe_platform(lines[0]) if lines else container.running().declaration.name


def see_through(
    target: RunHandle, console: Console, container: ExperimentContainer, timeout: float | None = None
) -> int:
    """Follow a run to its end, record the outcome, and show it. Returns the exit code."""
    from hera_k8s_cli.runs.follower import Follower
    from hera_k8s_cli.runs.outcome import show
    from hera_k8s_cli.runs.progress import TaskProgress
    from hera_k8s_utils.container.recording import recording_engine
    from hera_k8s_utils.experiment.workload_kinds import plan_of

    plan = plan_of(target.manifest)
    tally = TaskProgress(plan.tasks)
    tally.restore(target.record.nodes.values() if target.record else ())
    engine = recording_engine(container)
    follower = Follower(
        engine=engine,
        name=target.name,
        console=console,
        tally=tally,
        timeout=timeout,
        explain=_explainer(container),
        related=_related(target),
        on_update=_observer(container, console, tally, target),
        come_back=target.come_back,
        stop=target.stop,
        resume=_resume_command(target, container),
        suspend_templates=plan.suspend_templates,
    )
    ended = follower.run()
    if ended.timed_out:
        return _gave_up(target, console, timeout or 0.0)
    outcome = engine.outcome(target.name)
    if outcome is None:
        raise HeraK8sError(f"the event stream ended before {target.name} finished", hint=follower.come_back)
    container.plugins().notify("finished", **outcome.to_json())
    if console.json:
        console.record({"event": "finished", **outcome.to_json(), **_where(target)})
    show(outcome, target, console)
    return outcome.exit_code


def _resume_command(target: RunHandle, container: ExperimentContainer) -> str:
    """What lets a suspended run go on; the engine names the kind, since a run need not be recorded here."""
    from hera_k8s_utils.experiment.workload_kinds import workload_kind

    namespace = container.context().namespace
    kinds = map(workload_kind, container.running().declaration.runs)
    return next(filter(None, (kind.resume_command(target.name, namespace) for kind in kinds)), "")


def tell_recorded(recorded: dict[str, object], target: RunHandle, console: Console) -> int:
    """Show an outcome that is recorded already. Returns its exit code."""
    from hera_k8s_cli.runs.outcome import show
    from hera_k8s_utils.runs.outcome import outcome_from_json

    outcome = outcome_from_json(recorded, target.name)
    if console.json:
        console.record({"event": "finished", **outcome.to_json(), **_where(target)})
    show(outcome, target, console)
    return outcome.exit_code


def _gave_up(target: RunHandle, console: Console, seconds: float) -> int:
    from hera_k8s_cli.runs.follower import timeout_message

    if console.json:
        console.record({"event": "timeout", "workflow": target.name, "seconds": seconds, **_where(target)})
    console.warning(timeout_message(target.name, seconds))
    console.hint(f"{target.come_back} comes back, {target.stop} ends it")
    return FollowTimeout.exit_code


def _where(target: RunHandle) -> dict[str, object]:
    if target.record is None:
        return {}
    return {
        "run": target.record.id,
        "record": str(target.record.path),
        "results": target.record.metadata.get("results"),
    }


def _explainer(container: ExperimentContainer) -> Callable[[str], str]:
    """Looks a pod up through Kubernetes, where there is a way to it."""

    def explain(pod: str) -> str:
        from hera_k8s_utils.engines.pod_status import describe_wait

        return describe_wait(container.context().kubernetes.get("v1", "pods", pod))

    return explain


def _related(target: RunHandle) -> Callable[[str], str]:
    """Finds the check, made before the run, of the object that keeps tasks waiting."""
    report = (target.record.read("report") if target.record else None) or {}

    def related(text: str) -> str:
        from hera_k8s_cli.runs.pending import related_check

        return related_check(report, text)

    return related


def _observer(
    container: ExperimentContainer, console: Console, tally: TaskProgress, target: RunHandle
) -> Callable[[RunUpdate], None]:
    """Notifies plugins of each update, and programs of some."""
    last: list[tuple[float, str]] = []

    def observe(update: RunUpdate) -> None:
        container.plugins().notify("updated", workflow=target.name, phase=update.phase, tasks=tally.to_json())
        now = time.monotonic()
        if not console.json or (last and update.phase == last[-1][1] and now - last[-1][0] < _PAUSE):
            return
        last[:] = [(now, update.phase)]
        console.record({"event": "updated", "workflow": target.name, "phase": update.phase, "tasks": tally.to_json()})

    return observe


COMMAND = Command(
    name="follow",
    run=run,
    summary="attach to a run; exit with its status",
    example="hera-k8s follow\nhera-k8s follow k3f9 --timeout 10m",
    arguments=arguments,
)
