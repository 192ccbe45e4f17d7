"""`hera-k8s stop`: end a run on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..declarations import Command
from . import Session
from .follow import run_argument, whereabouts

if TYPE_CHECKING:
    from argparse import ArgumentParser


def arguments(parser: ArgumentParser) -> None:
    """Which run, and how abruptly."""
    run_argument(parser, required=True)
    parser.add_argument("--terminate", action="store_true", help="do not run the workflow's exit handlers")


def run(session: Session) -> int:
    """Ask the server to end the run; its tasks are ended by the server, a moment later."""
    from ..targets import find_target, known_to_server

    console = session.console()
    target = find_target(session, session.arguments.run)
    terminate = session.arguments.terminate
    with session.container(None, **target.settings) as container, known_to_server(target):
        container.engine().stop(target.name, terminate=terminate)
        where = whereabouts(container)
    if console.json:
        console.document({"workflow": target.name, "asked": "terminate" if terminate else "stop"})
    handlers = "without its exit handlers" if terminate else "its exit handlers still run"
    console.result(console.out.signs.passed, f" asked {target.name} on {where} to stop: {handlers}")
    console.hint(target.come_back)
    return 0


COMMAND = Command(
    name="stop",
    run=run,
    summary="end a run on the server",
    example="hera-k8s stop k3f9\nhera-k8s stop k3f9 --terminate",
    arguments=arguments,
)
