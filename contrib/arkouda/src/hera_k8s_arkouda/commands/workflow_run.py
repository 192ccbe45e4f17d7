"""Running one of our workflows: what will be done, checks, submission, and its tasks as they end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hera_k8s_arkouda.deployment import Subject
from hera_k8s_arkouda.managed_objects import ManagedObject, PodState, is_there, number_of_tasks
from hera_k8s_arkouda.workflows import INSTANCE_LABEL, PARAMETERS_LABEL, instance_of, labels_of
from hera_k8s_utils import ChecksFailed, ErrorKind, HeraK8sError, NodeState, PlatformError, RunUpdate, provision

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Console, ExperimentContainer

ENDED = ("Succeeded", "Failed", "Error")
_WORK = ("Pod", "Skipped")
"""Types of nodes that are tasks of ours; the others only hold them together."""


def common_arguments(parser: ArgumentParser, *, asks: bool) -> None:
    """How far to go."""
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
    parser.add_argument("--detach", action="store_true", help="leave as soon as the workflow is submitted")
    parser.add_argument("--strict", action="store_true", help="what may not be looked at counts as failed")
    if asks:
        parser.add_argument("--yes", "-y", action="store_true", help="do it without asking")


def show_parameters(subject: Subject, console: Console) -> None:
    """What the workflow will be given."""
    width = max(map(len, subject.parameters()))
    for name, value in subject.parameters().items():
        console.say(f"  {name.ljust(width)}  {value}")


def show_things(found: dict[ManagedObject, bool | None], console: Console, *, deleting: bool) -> None:
    """What will be done about each object. found: whether it is there; None where that cannot be seen."""
    words = {True: "delete", False: "gone already"} if deleting else {True: "apply again", False: "create"}
    unseen = "delete, if it is there" if deleting else "create or apply"
    for thing, there in found.items():
        console.result(f"  {unseen if there is None else words[there]:14} {thing.title}")


def seen(
    container: ExperimentContainer, things: Iterable[ManagedObject], *, can_look: bool
) -> dict[ManagedObject, bool | None]:
    """Whether each object is there."""
    context = container.context()
    return {thing: is_there(context, thing) if can_look else None for thing in things}


def check(container: ExperimentContainer, console: Console, *, strict: bool, install: bool) -> None:
    """Everything that the workflow needs, at once. Raises `ChecksFailed`; the sandbox installs what is missing itself.

    install: create what of the installation is missing, first.
    """
    container.running()
    context = container.context()
    own = _is_own(container)
    if install or own:
        done = provision(container)
        if done:
            console.passed(f"installed {', '.join(f'{step.kind} {step.name}' for step in done)}")
    report = container.report()
    if console.json:
        console.record({"event": "checked", "passed": not report.failures(strict=strict), **report.to_json()})
    failures = report.failures(strict=strict)
    if failures:
        if not console.json:
            console.report(report, talk=True, closing="Nothing was submitted.")
        names = ", ".join(row.title for row in failures)
        raise ChecksFailed(f"not everything is there in {context.namespace}", found=names, hint="as said above")
    console.remarks(report)
    console.passed(f"{len(report.rows)} checks{''.join(map(_where, report.identities[:1]))}")


def _where(line: Mapping[str, str]) -> str:
    """As whom and where: `   127.0.0.1:8080, namespace arkouda, as jdoe`."""
    server = line.get("server", "").partition("://")[2] or line.get("server", "")
    named = [("namespace", line.get("namespace")), ("as", line.get("identity"))]
    return f"   {', '.join([server, *(f'{word} {name}' for word, name in named if name)])}"


def under_way(container: ExperimentContainer, subject: Subject, console: Console) -> str:
    """The name of a workflow that does just this at the moment, empty when there is none.

    Raises `HeraK8sError` when one is at work on the same instance with something else in mind.
    """
    mine = labels_of(subject)
    try:
        found = list(container.engine().runs(label_selector=f"{INSTANCE_LABEL}={instance_of(subject)}"))
    except PlatformError as error:
        if error.trouble is not ErrorKind.FORBIDDEN:
            raise
        console.warning("whether another workflow is at work on it is not ours to see (403)")
        return ""
    running = [run for run in found if run.phase not in ENDED]
    for run in running:
        if all(run.labels.get(key) == value for key, value in mine.items()):
            return run.name
    if running:
        other = running[0]
        same = other.labels.get(PARAMETERS_LABEL) == mine[PARAMETERS_LABEL]
        raise HeraK8sError(
            f"another workflow is at work on {instance_of(subject)}",
            found=f"{other.name}{'' if same else ', with other parameters'}",
            hint=f"hera-k8s follow {other.name}, or hera-k8s stop {other.name}",
        )
    return ""


def submit(container: ExperimentContainer, subject: Subject, console: Console) -> str:
    """The name of the workflow: of the one that does the same already, else of a new one."""
    name = under_way(container, subject, console)
    if name:
        console.say(f"{name} does the same already: following it")
        return name
    built = container.experiment()
    submission = container.engine().submit(built)
    if console.json:
        console.record({"event": "submitted", "workflow": submission.name, "namespace": submission.namespace})
    console.passed(f"submitted {submission.name}{f'   {submission.url}' if submission.url else ''}")
    return submission.name


def follow(container: ExperimentContainer, subject: Subject, name: str, console: Console) -> RunUpdate:
    """Tell of each task as it ends, until the workflow does. Ctrl-C leaves it running."""
    told: set[str] = set()
    total = number_of_tasks(subject)
    last = RunUpdate(phase="")
    try:
        for update in container.engine().follow(name):
            last = update
            for node in update.nodes:
                _tell(node, told, total, console)
            if update.finished:
                break
    except KeyboardInterrupt:
        console.warning(f"stopped following; {name} goes on")
        console.hint(f"hera-k8s follow {name} comes back, hera-k8s stop {name} ends it")
        raise
    if console.json:
        console.record({"event": "finished", "workflow": name, "phase": last.phase, "message": last.message})
    return last


def _tell(node: NodeState, told: set[str], total: int, console: Console) -> None:
    if node.type not in _WORK or node.phase not in (*ENDED, "Skipped", "Omitted") or node.id in told:
        return
    told.add(node.id)
    title = node.display_name or node.name
    if console.json:
        console.record({"event": "task", "task": title, "phase": node.phase, "message": node.message})
    elif node.phase == "Succeeded":
        console.passed(f"{title}   {len(told)} of {total}")
    elif node.phase in ("Skipped", "Omitted"):
        console.say(f"- {title}: left out")
    else:
        console.warning(f"{title}: {node.phase}{f': {node.message}' if node.message else ''}")


def log_of(container: ExperimentContainer, name: str, task: str, *, most: int = 20) -> list[str]:
    """The last lines that the pods of a task printed, as far as they can still be read."""
    try:
        lines = [line.text for line in container.engine().logs(name) if f"-{task}-" in line.pod]
    except HeraK8sError:
        return []
    return lines[-most:]


def show_pods(pods: Iterable[PodState], console: Console) -> None:
    """A line for each pod."""
    for pod in pods:
        if pod.ready:
            console.passed(f"{pod.name} is ready")
        else:
            console.warning(f"{pod.name} is not ready: {pod.why}")


def _is_own(container: ExperimentContainer) -> bool:
    """Whether the cluster is the user's own, as the sandbox is: what is missing is installed without asking."""
    try:
        return bool(container.context().platforms.credential("kubernetes").auto_provision)
    except HeraK8sError:
        return False


def document(console: Console, data: dict[str, Any]) -> None:
    """A last record for programs."""
    if console.json:
        console.record(data)
