"""Running a workflow: preview, checks, submission, and the progress of its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hera_k8s_arkouda.deployment import Subject
from hera_k8s_arkouda.managed_objects import ManagedObject, PodState, exists, number_of_tasks
from hera_k8s_arkouda.workflows import INSTANCE_LABEL, PARAMETERS_LABEL, instance_of, labels_of
from hera_k8s_utils import ChecksFailed, ErrorKind, HeraK8sError, NodeState, PlatformError, RunUpdate, provision

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Console, ExperimentContainer

ENDED = ("Succeeded", "Failed", "Error")
_TASK_TYPES = ("Pod", "Skipped")
"""Types of nodes that are tasks; the others only group them."""


def common_arguments(parser: ArgumentParser, *, asks: bool) -> None:
    """Add the arguments that deploy and delete share. asks: the command asks for confirmation."""
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--detach", action="store_true", help="exit once the workflow is submitted")
    parser.add_argument("--strict", action="store_true", help="treat unknown (forbidden) checks as failures")
    if asks:
        parser.add_argument("--yes", "-y", action="store_true", help="do not ask for confirmation")


def show_parameters(subject: Subject, console: Console) -> None:
    """Show the parameters of the workflow."""
    width = max(map(len, subject.parameters()))
    for name, value in subject.parameters().items():
        console.info(f"  {name.ljust(width)}  {value}")


def show_objects(found: dict[ManagedObject, bool | None], console: Console, *, deleting: bool) -> None:
    """Show what will happen to each object. found: whether it exists; None: unknown."""
    actions = {True: "delete", False: "already gone"} if deleting else {True: "apply again", False: "create"}
    unknown = "delete, if it exists" if deleting else "create or apply"
    for item, there in found.items():
        console.result(f"  {unknown if there is None else actions[there]:14} {item.title}")


def find_existing(
    container: ExperimentContainer, items: Iterable[ManagedObject], *, can_read_cluster: bool
) -> dict[ManagedObject, bool | None]:
    """Whether each object exists; None for all without access to Kubernetes."""
    context = container.context()
    return {item: exists(context, item) if can_read_cluster else None for item in items}


def check(container: ExperimentContainer, console: Console, *, strict: bool, install: bool) -> None:
    """Check everything that the workflow needs. Raises `ChecksFailed`.

    install: first create missing objects of the installation; in the sandbox this is always done.
    """
    container.running()
    context = container.context()
    if install or _provisions_automatically(container):
        created = provision(container)
        if created:
            console.success(f"installed {', '.join(f'{step.kind} {step.name}' for step in created)}")
    report = container.report()
    if console.json:
        console.record({"event": "checked", "passed": not report.failures(strict=strict), **report.to_json()})
    failures = report.failures(strict=strict)
    if failures:
        if not console.json:
            console.report(report, stderr=True, closing="Nothing was submitted.")
        names = ", ".join(row.title for row in failures)
        raise ChecksFailed(f"requirements are not met in {context.namespace}", found=names, hint="see the report above")
    console.remarks(report)
    console.success(f"{len(report.rows)} checks{''.join(map(_describe_access, report.identities[:1]))}")


def _describe_access(line: Mapping[str, str]) -> str:
    """Server, namespace and identity: `   127.0.0.1:8080, namespace arkouda, as jdoe`."""
    server = line.get("server", "").partition("://")[2] or line.get("server", "")
    named = [("namespace", line.get("namespace")), ("as", line.get("identity"))]
    return f"   {', '.join([server, *(f'{word} {name}' for word, name in named if name)])}"


def find_running(container: ExperimentContainer, subject: Subject, console: Console) -> str:
    """The name of a running workflow with the same action and parameters; empty if there is none.

    Raises `HeraK8sError` if another workflow is running for the same instance.
    """
    labels = labels_of(subject)
    try:
        found = list(container.engine().runs(label_selector=f"{INSTANCE_LABEL}={instance_of(subject)}"))
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN:
            raise
        console.warning("not permitted to see whether another workflow is running for it (403)")
        return ""
    running = [run for run in found if run.phase not in ENDED]
    for run in running:
        if all(run.labels.get(key) == value for key, value in labels.items()):
            return run.name
    if running:
        other = running[0]
        same = other.labels.get(PARAMETERS_LABEL) == labels[PARAMETERS_LABEL]
        raise HeraK8sError(
            f"another workflow is running for {instance_of(subject)}",
            found=f"{other.name}{'' if same else ', with other parameters'}",
            hint=f"hera-k8s follow {other.name}, or hera-k8s stop {other.name}",
        )
    return ""


def submit(container: ExperimentContainer, subject: Subject, console: Console) -> str:
    """The name of the workflow: of a running one that does the same, or of a new one."""
    name = find_running(container, subject, console)
    if name:
        console.info(f"{name} already does the same: following it")
        return name
    built = container.experiment()
    submission = container.running().engine.submit(built)  # no experiment of a user's: nothing to record
    if console.json:
        console.record({"event": "submitted", "workflow": submission.name, "namespace": submission.namespace})
    console.success(f"submitted {submission.name}{f'   {submission.url}' if submission.url else ''}")
    return submission.name


def follow(container: ExperimentContainer, subject: Subject, name: str, console: Console) -> RunUpdate:
    """Report each task as it ends, until the workflow ends. Ctrl-C leaves it running."""
    reported: set[str] = set()
    total = number_of_tasks(subject)
    last = RunUpdate(phase="")
    try:
        for update in container.running().engine.follow(name):
            last = update
            for node in update.nodes:
                _report_task(node, reported, total, console)
            if update.finished:
                break
    except KeyboardInterrupt:
        console.warning(f"stopped following; {name} is still running")
        console.hint(f"reattach: hera-k8s follow {name}; stop it: hera-k8s stop {name}")
        raise
    if console.json:
        console.record({"event": "finished", "workflow": name, "phase": last.phase, "message": last.message})
    return last


def _report_task(node: NodeState, reported: set[str], total: int, console: Console) -> None:
    if node.type not in _TASK_TYPES or node.phase not in (*ENDED, "Skipped", "Omitted") or node.id in reported:
        return
    reported.add(node.id)
    title = node.display_name or node.name
    if console.json:
        console.record({"event": "task", "task": title, "phase": node.phase, "message": node.message})
    elif node.phase == "Succeeded":
        console.success(f"{title}   {len(reported)} of {total}")
    elif node.phase in ("Skipped", "Omitted"):
        console.info(f"- {title}: skipped")
    else:
        console.warning(f"{title}: {node.phase}{f': {node.message}' if node.message else ''}")


def task_log(container: ExperimentContainer, name: str, task: str, *, limit: int = 20) -> list[str]:
    """The last lines that the pods of a task printed; empty if they cannot be read."""
    try:
        lines = [line.text for line in container.engine().logs(name) if f"-{task}-" in line.pod]
    except HeraK8sError:
        return []
    return lines[-limit:]


def show_pods(pods: Iterable[PodState], console: Console) -> None:
    """Show a line for each pod."""
    for pod in pods:
        if pod.ready:
            console.success(f"{pod.name} is ready")
        else:
            console.warning(f"{pod.name} is not ready: {pod.reason}")


def _provisions_automatically(container: ExperimentContainer) -> bool:
    """Whether missing objects are installed without asking, as in the sandbox."""
    try:
        return bool(container.context().platforms.credential("kubernetes").auto_provision)
    except HeraK8sError:
        return False


def write_record(console: Console, data: dict[str, Any]) -> None:
    """Write a JSON record, with `--output json`."""
    if console.json:
        console.record(data)
