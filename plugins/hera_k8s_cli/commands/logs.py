"""`hera-k8s logs`: what the tasks of a run printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hera_k8s_cli.commands.follow import run_argument
from hera_k8s_utils.container.recorded_submission import find
from hera_k8s_utils.container.session import Session
from hera_k8s_utils.errors import ErrorKind, HeraK8sError, OptionsError, PlatformError, join_names
from hera_k8s_utils.experiment.run_state import ATTEMPT
from hera_k8s_utils.experiment.workload_kinds import workload_kind
from hera_k8s_utils.formatting import pluralize
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hera_k8s_cli.runs.selection import RunHandle
    from hera_k8s_cli.terminal.console import Console
    from hera_k8s_utils.container.container import ExperimentContainer
    from hera_k8s_utils.experiment.run_state import LogLine, NodeState
    from hera_k8s_utils.plugins.records import Engine

_FAILED: Final = ("Failed", "Error")
_BEGUN: Final = ("Running", "Succeeded", "Failed", "Error", "Stopped")
_MOST_MESSAGES: Final = 8
_MOST_ASKED: Final = 50
"""Pods that printed nothing, of which it is asked whether they are there."""


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
    with session.container(None, **target.settings) as container:
        with explain_missing_run(target):
            engine = container.engine()
            settle(target, container, in_part=True)
            reader = _Reader(engine, target, console, session.arguments, container)
            everything = not task and not session.arguments.failed
            chosen = _chosen(_nodes(engine, target), task, failed=session.arguments.failed)
            if everything:
                reader.print_all(chosen)
            else:
                _require_some(chosen, task, target)
                for node in chosen:
                    reader.print_one(node, named=len(chosen) > 1)
        return reader.close(chosen)


def _target(session: Session) -> tuple[RunHandle, str]:
    """RUN and TASK; a single word that names no run is a task of the latest one."""
    from hera_k8s_cli.runs.selection import runs_of, select_run
    from hera_k8s_utils.experiment.run_ids import is_safe_id

    run, task = session.arguments.run, session.arguments.task
    runs = runs_of(session)
    only_task = run and not task and runs.all() and (not is_safe_id(run) or not runs.matching(run))
    return (select_run(session, ""), run) if only_task else (select_run(session, run), task)


def _nodes(engine: Engine, target: RunHandle) -> list[NodeState]:
    """The tasks and attempts of a run that have a pod, as recorded and, where that is not all, as the server tells."""
    recorded = dict(target.record.nodes) if target.record else {}
    if target.record is None or target.record.outcome is None:
        _require_there(engine, target)
        for update in engine.follow(target.name):
            recorded.update({node.id: node for node in update.nodes})
            break
    by_pod: dict[str, NodeState] = {}
    for node in recorded.values():
        if node.pod and (node.pod not in by_pod or node.role == ATTEMPT):  # a task goes by the pod of its last attempt
            by_pod[node.pod] = node
    return list(by_pod.values())


def _require_there(engine: Engine, target: RunHandle) -> None:
    """Raise at once when the server cannot be asked for the run, for which `follow` would try again for minutes."""
    if target.record is not None:
        find(engine, target.record)
    elif hasattr(engine, "find"):  # engines of plugins that were written before it have none
        engine.find(target.name)


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


class _Reader:
    """Prints logs, and keeps account of pods that are gone."""

    def __init__(
        self, engine: Engine, target: RunHandle, console: Console, wanted: Namespace, container: ExperimentContainer
    ) -> None:
        self._engine = engine
        self._target = target
        self._console = console
        self._wanted = wanted
        self._container = container
        self._printed: set[str] = set()
        self._gone: dict[str, NodeState] = {}
        self._none: PlatformError | None = None

    def print_all(self, nodes: Sequence[NodeState]) -> None:
        """Print what all tasks printed."""
        names = {node.pod: node.display_name for node in nodes}
        try:
            for line in self._engine.logs(self._target.name, follow=self._wanted.follow):
                self._print(line, names.get(line.pod, line.pod), named=True)
        except PlatformError as error:
            if not error.says_absent or not nodes:
                raise
            self._none = error

    def print_one(self, node: NodeState, *, named: bool) -> None:
        """Print what one task printed."""
        try:
            for line in self._engine.logs(self._target.name, pod=node.pod, follow=self._wanted.follow):
                self._print(replace(line, pod=node.pod), node.display_name or node.name, named=named)
        except PlatformError as error:
            if not error.says_absent:
                raise
            self._gone[node.pod] = node

    def _print(self, line: LogLine, task: str, *, named: bool) -> None:
        self._printed.add(line.pod)
        _print(self._console, line, task, named=named, colours=self._wanted.colour)

    def close(self, nodes: Sequence[NodeState]) -> int:
        """Say which tasks printed nothing, and whose pods are gone; raises when nothing could be printed for that."""
        silent = [node for node in nodes if node.pod not in self._printed and node.phase in _BEGUN]
        for node in silent[:_MOST_ASKED]:
            if node.pod not in self._gone and self._is_gone(node.pod):
                self._gone[node.pod] = node
        if self._gone and not self._printed:
            raise PlatformError(
                f"no log of {self._target.name} can be printed",
                found=f"{pluralize(len(self._gone), 'pod is', 'pods are')} gone: {_names(self._gone.values())}",
                hint=self._why(),
                kind=ErrorKind.MISSING,
                status=404,
            )
        if self._gone:
            self._console.warning(f"without the pods that are gone: {_names(self._gone.values())}")
            if self._why():
                self._console.hint(self._why())
        elif self._none is not None and not self._printed:
            raise self._none
        elif not self._printed and nodes:
            _tell_silence(nodes, self._console)
        return 0

    def _is_gone(self, pod: str) -> bool:
        """Whether Kubernetes says so; where it cannot be asked, a pod that printed nothing may be there."""
        try:
            self._container.context().kubernetes.get("v1", "pods", pod)
        except PlatformError as error:
            return error.says_absent
        except HeraK8sError:
            return False
        return False

    def _why(self) -> str:
        kinds = self._container.running().declaration.runs
        return next(filter(None, (workload_kind(kind).why_pods_go(self._target.manifest) for kind in kinds)), "")


def _names(nodes: Iterable[NodeState]) -> str:
    return join_names([node.display_name or node.name for node in nodes])


def _tell_silence(chosen: Sequence[NodeState], console: Console) -> None:
    """Say that the tasks printed nothing, and how those that failed did: an empty answer says too little."""
    console.info(f"{_names(chosen)} printed nothing")
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
