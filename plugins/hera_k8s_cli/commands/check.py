"""`hera-k8s check`: everything that a run needs, looked at at once, and all that is wrong named together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hera_k8s_cli.commands.run import show_report
from hera_k8s_cli.hints import with_typed_hints
from hera_k8s_utils.container.session import Session, experiment_argument
from hera_k8s_utils.errors import ChecksFailed
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_cli.terminal.console import Console
    from hera_k8s_utils.checks.runner import Report
    from hera_k8s_utils.container.container import ExperimentContainer


def arguments(parser: ArgumentParser) -> None:
    """What to check, and how patiently."""
    experiment_argument(parser)
    parser.add_argument("--strict", action="store_true", help="treat unknown (forbidden) checks as failures")
    parser.add_argument(
        "--wait", default="", metavar="TIME", help="retry until all checks pass or TIME elapses (90, 5m)"
    )


def run(session: Session) -> int:
    """Check; the exit code is 0 only when a run may begin."""
    from hera_k8s_cli.terminal.console import console_of
    from hera_k8s_utils.formatting import parse_duration

    console = console_of(session)
    patience = parse_duration(session.arguments.wait, "--wait") if session.arguments.wait else 0.0
    strict = session.arguments.strict
    with session.container(session.file) as container:
        built = container.experiment()
        container.plugins().notify("built", workflow=built.name, experiment=built.experiment.name)
        report = with_typed_hints(_report(container, console, patience, strict=strict), session, container)
        container.plugins().notify("checked", **report.to_json())
        failed = bool(report.failures(strict=strict))
        if console.json:
            console.document(
                {
                    "experiment": built.experiment.name,
                    "source": built.source,
                    "inputs": built.inputs.describe(),
                    "passed": not failed,
                    "strict": strict,
                    **report.to_json(),
                }
            )
        else:
            show_report(built, report, console, closing="Nothing was submitted." if failed else "")
        return ChecksFailed.exit_code if failed else 0


def _report(container: ExperimentContainer, console: Console, patience: float, *, strict: bool) -> Report:
    """The first report without failures, else the last before the time is up."""
    deadline = time.monotonic() + patience
    pause, told = 0.5, ""
    while True:
        report = container.report()
        missing = ", ".join(row.title for row in report.failures(strict=strict))
        left = deadline - time.monotonic()
        if not missing or left <= 0:
            return report
        if missing != told:
            console.info(f"waiting for {missing}")
            told = missing
        time.sleep(min(pause, left))
        pause = min(5.0, pause * 1.5)


COMMAND = Command(
    name="check",
    run=run,
    summary="check everything that a run needs, without submitting",
    example="hera-k8s check\nhera-k8s check script.py:w --strict --wait 5m",
    arguments=arguments,
)
