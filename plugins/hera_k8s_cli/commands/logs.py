"""`hera-k8s logs`: what the tasks of a run printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hera_k8s_cli.commands.follow import run_argument
from hera_k8s_utils.container.session import Session
from hera_k8s_utils.errors import OptionsError, join_names
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hera_k8s_cli.runs.selection import RunHandle
    from hera_k8s_cli.terminal.console import Console
    from hera_k8s_utils.experiment.run_state import LogLine, NodeState
    from hera_k8s_utils.plugins.records import Engine

_FAILED: Final = ("Failed", "Error")
_MOST_MESSAGES: Final = 8


def arguments(parser: ArgumentParser) -> None:
    """Which run, which of its tasks, and for how long."""
    run_argument(parser)
    parser.add_argument(
        "task",
        nargs="?",
        default="",
        metavar="TASK",
        help="task, template, pod, or part of a point such as seed=2 (default: all)",
    )
    parser.add_argument("--failed", action="store_true", help="only tasks that failed")
    parser.add_argument("--follow", "-f", action="store_true", help="keep printing new lines")
    parser.add_argument(
        "--colour",
        "--color",
        action="store_true",
        help="on a terminal, keep colours; other control characters are shown as escapes such as \\x1b. "
        "Files and pipes get what was printed, unchanged",
    )


def run(session: Session) -> int:
    """Print the output of tasks; lines of several tasks carry the name of theirs."""
    from hera_k8s_cli.runs.selection import explain_missing_run
    from hera_k8s_cli.runs.settling import settle
    from hera_k8s_cli.terminal.console import console_of

    console = console_of(session)
    target, task = _target(session)
    with session.container(None, **target.settings) as container, explain_missing_run(target):
        engine = container.engine()
        settle(target, container, in_part=True)
        if not task and not session.arguments.failed:
            _print_all(engine, target, console, session.arguments)
            return 0
        chosen = _chosen(_nodes(engine, target), task, failed=session.arguments.failed)
        _require_some(chosen, task, target)
        printed = 0
        for node in chosen:
            printed += _print_one(engine, target, node, console, session.arguments, named=len(chosen) > 1)
    if not printed:
        _tell_silence(chosen, console)
    return 0


def _target(session: Session) -> tuple[RunHandle, str]:
    """RUN and TASK; a single word that names no run is a task of the latest one."""
    from hera_k8s_cli.runs.selection import runs_of, select_run
    from hera_k8s_utils.experiment.run_ids import is_safe_id

    run, task = session.arguments.run, session.arguments.task
    runs = runs_of(session)
    only_task = run and not task and runs.all() and (not is_safe_id(run) or not runs.matching(run))
    return (select_run(session, ""), run) if only_task else (select_run(session, run), task)


def _nodes(engine: Engine, target: RunHandle) -> list[NodeState]:
    """The tasks of a run, as recorded and, where that is not all, as the server tells now."""
    recorded = dict(target.record.nodes) if target.record else {}
    if target.record is None or target.record.outcome is None:
        for update in engine.follow(target.name):
            recorded.update({node.id: node for node in update.nodes})
            break
    return [node for node in recorded.values() if node.type in ("Pod", "") and node.pod]


def _chosen(nodes: Sequence[NodeState], task: str, *, failed: bool) -> list[NodeState]:
    alive = [node for node in nodes if not failed or node.phase in _FAILED]
    if not task:
        return alive
    exact = [node for node in alive if task in (node.display_name, node.name, node.template, node.pod)]
    return exact or [node for node in alive if _speaks_of(node, task)]


def _speaks_of(node: NodeState, task: str) -> bool:
    """Whether every word of the task is part of the node's name or one of its inputs, `seed=2`."""
    said = [f"{name}={value}" for name, value in node.inputs.items()]
    return all(word in node.display_name or word in said for word in task.replace("/", " ").split())


def _require_some(chosen: Sequence[NodeState], task: str, target: RunHandle) -> None:
    if not chosen:
        what = f"no task of {target.name} is {task}" if task else f"no task of {target.name} failed"
        raise OptionsError(what, hint=f"hera-k8s logs {target.short} prints all")


def _print_all(engine: Engine, target: RunHandle, console: Console, wanted: Namespace) -> None:
    names = {node.pod: node.display_name for node in target.record.nodes.values()} if target.record else {}
    for line in engine.logs(target.name, follow=wanted.follow):
        _print(console, line, names.get(line.pod, line.pod), named=True, colours=wanted.colour)


def _print_one(
    engine: Engine, target: RunHandle, node: NodeState, console: Console, wanted: Namespace, *, named: bool
) -> int:
    """Print what one task printed. Returns how many lines that were."""
    count = 0
    for line in engine.logs(target.name, pod=node.pod, follow=wanted.follow):
        mine = replace(line, pod=node.pod)
        _print(console, mine, node.display_name or node.name, named=named, colours=wanted.colour)
        count += 1
    return count


def _tell_silence(chosen: Sequence[NodeState], console: Console) -> None:
    """Say that the tasks printed nothing, and how those that failed did: an empty answer says too little."""
    console.info(f"{join_names([node.display_name or node.name for node in chosen])} printed nothing")
    for node in chosen[:_MOST_MESSAGES]:
        if node.phase in _FAILED and node.message:
            console.info(f"  {node.display_name or node.name}: {node.message}")


def _print(console: Console, line: LogLine, task: str, *, named: bool, colours: bool) -> None:
    if console.json:
        console.record({"pod": line.pod, "task": task, "text": line.text})
    else:
        console.log_line(line, by=task if named else "", colours=colours)


COMMAND = Command(
    name="logs",
    run=run,
    summary="print the logs of a run's tasks",
    example="hera-k8s logs\nhera-k8s logs k3f9 draw --follow\nhera-k8s logs k3f9 --failed",
    arguments=arguments,
)
