"""`hera-k8s stop`: end a run on the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hera_k8s_cli.commands.follow import run_argument, whereabouts
from hera_k8s_utils.container.session import Session
from hera_k8s_utils.errors import RunAlreadyFinished
from hera_k8s_utils.experiment.workload_kinds import workload_kind
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_cli.runs.selection import RunHandle
    from hera_k8s_cli.terminal.console import Console

_ENDED: Final = {"Succeeded": "succeeded", "Failed": "failed", "Error": "ended with an error"}


def arguments(parser: ArgumentParser) -> None:
    """Which run, and how abruptly."""
    run_argument(parser, required=True)
    parser.add_argument("--terminate", action="store_true", help="do not run the workflow's exit handlers; delete Jobs")


def run(session: Session) -> int:
    """Ask the server to end the run; its tasks are ended by the server, a moment later. One that is over stays so."""
    from hera_k8s_cli.runs.selection import explain_missing_run, select_run
    from hera_k8s_cli.runs.settling import require_same_run, settle
    from hera_k8s_cli.terminal.console import console_of

    console = console_of(session)
    target = select_run(session, session.arguments.run)
    terminate = session.arguments.terminate
    try:
        with session.container(None, **target.settings) as container, explain_missing_run(target):
            settle(target, container, in_part=True)
            require_same_run(target, container.engine())
            container.engine().stop(target.name, terminate=terminate)
            where = whereabouts(container)
            consequence = _consequence(container.running().declaration.runs, terminate=terminate)
    except RunAlreadyFinished as over:
        return _nothing_left(over.phase, target, console)
    if console.json:
        console.document({"workflow": target.name, "asked": "terminate" if terminate else "stop"})
    console.result(console.out.glyphs.passed, f" asked {target.name} on {where} to stop{consequence}")
    console.hint(target.come_back)
    return 0


def _consequence(runs: Sequence[str], *, terminate: bool) -> str:
    """What becomes of the run, as the end of a sentence; runs: the kinds of object that its engine runs."""
    kinds = [workload_kind(name) for name in runs]
    said = next(filter(None, (kind.when_terminated if terminate else kind.when_stopped for kind in kinds)), "")
    return f": {said}" if said else ""


def _nothing_left(phase: str, target: RunHandle, console: Console) -> int:
    if console.json:
        console.document({"workflow": target.name, "asked": "", "phase": phase})
    console.info(f"{target.name} is over, it {_ENDED.get(phase, phase)}: nothing is left to stop")
    return 0


COMMAND = Command(
    name="stop",
    run=run,
    summary="end a run on the server",
    example="hera-k8s stop k3f9\nhera-k8s stop k3f9 --terminate",
    arguments=arguments,
)
