"""`hera-k8s arkouda delete`: delete what exists of an instance, and report what was removed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands import workflow_run
from hera_k8s_arkouda.commands.context import (
    ClusterContext,
    account_of,
    can_read_cluster,
    confirm,
    find_cluster_context,
    settings_for,
    settings_of,
)
from hera_k8s_arkouda.deployment import ArkoudaDeletion, ArkoudaExporterDeletion
from hera_k8s_arkouda.experiments import experiment_for
from hera_k8s_arkouda.managed_objects import ManagedObject, existing, is_kind_known, managed_objects_of, pods_of
from hera_k8s_arkouda.workflows import instance_of
from hera_k8s_utils import WorkflowFailed

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Console, ExperimentContainer, Session

Deletion = ArkoudaDeletion | ArkoudaExporterDeletion

DELETION_TIMEOUT = 180.0
"""Seconds to wait until the deleted objects are gone; pods may take their grace period."""


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    workflow_run.common_arguments(parser, asks=True)
    parser.add_argument("--install", action="store_true", help="first install missing templates and permissions")


def run(session: Session) -> int:
    """Delete an instance. Objects that are already gone are not an error."""
    cluster = find_cluster_context(session)
    wanted = settings_of(session).deletion(cluster.url)
    if wanted.collect_metrics and not _has_monitor_kind(session, cluster, wanted):
        session.console().info("no ServiceMonitor is deleted: the cluster does not have this kind")
        wanted = replace(wanted, collect_metrics=False)
    return delete(session, cluster, wanted)


def delete(session: Session, cluster: ClusterContext, wanted: Deletion) -> int:
    """Show the objects, ask, delete, wait until they are gone, and report."""
    console = session.console()
    title = f"{instance_of(wanted)} in {cluster.namespace}"
    with session.container(experiment_for(wanted, account_of(session)), **settings_for(session, cluster)) as container:
        can_read = can_read_cluster(container)
        found = workflow_run.find_existing(container, managed_objects_of(wanted), can_read_cluster=can_read)
        console.info(f"delete {title}")
        workflow_run.show_objects(found, console, deleting=True)
        if session.arguments.dry_run:
            console.info("--dry-run: nothing was changed")
            return 0
        initial = [item for item, there in found.items() if there]
        if can_read and not initial and not _pods(container, wanted):
            return _report([], found, console, title)
        if not confirm(session, f"delete {title}?", action="before deleting", hint="--yes"):
            console.info("nothing was deleted")
            return 0
        workflow_run.check(container, console, strict=session.arguments.strict, install=session.arguments.install)
        name = workflow_run.submit(container, wanted, console)
        if session.arguments.detach:
            console.hint(f"hera-k8s follow {name}")
            return 0
        ended = workflow_run.follow(container, wanted, name, console)
        remaining = _wait_until_gone(container, wanted) if can_read else []
        if ended.phase != "Succeeded" or remaining:
            raise WorkflowFailed(
                f"{title} was not deleted completely",
                found=f"remaining: {', '.join(remaining)}" if remaining else ended.message or ended.phase,
                hint="run the command again; objects that are gone are skipped",
            )
        return _report(initial, found, console, title)


def _has_monitor_kind(session: Session, cluster: ClusterContext, wanted: ArkoudaDeletion) -> bool:
    """Whether the cluster has the kind ServiceMonitor; without it, kubectl could not delete one and would fail."""
    with session.container(None, **settings_for(session, cluster)) as container:
        if not can_read_cluster(container):
            return True
        monitors = [item for item in managed_objects_of(wanted) if item.kind == "ServiceMonitor"]
        return all(is_kind_known(container.context(), item) for item in monitors)


def _wait_until_gone(container: ExperimentContainer, wanted: Deletion) -> list[str]:
    """Wait until the objects are gone; returns those that remain after the timeout."""
    context, items = container.context(), managed_objects_of(wanted)
    deadline, pause = time.monotonic() + DELETION_TIMEOUT, 0.2
    while True:
        remaining = [item.title for item in existing(context, items)]
        remaining += [f"Pod {name}" for name in _pods(container, wanted)]
        if not remaining or time.monotonic() >= deadline:
            return remaining
        time.sleep(pause)
        pause = min(2.0, pause * 1.5)


def _pods(container: ExperimentContainer, wanted: Deletion) -> list[str]:
    """The pods of the Deployment, which are removed after it."""
    app = f"{wanted.instance_name}-locale" if isinstance(wanted, ArkoudaDeletion) else wanted.app_name
    return [pod.name for pod in pods_of(container.context(), app)]


def _report(removed: list[ManagedObject], found: dict[ManagedObject, bool | None], console: Console, title: str) -> int:
    unknown = any(there is None for there in found.values())
    missing = [item for item, there in found.items() if there is False]
    workflow_run.write_record(
        console,
        {
            "event": "deleted",
            "removed": [item.title for item in removed],
            "gone_before": [item.title for item in missing],
            "seen": not unknown,
        },
    )
    for item in removed:
        console.result(f"removed {item.title}")
    if unknown:
        console.result(f"deleted {title}; without access to Kubernetes, what existed is unknown")
    elif removed:
        console.result(f"deleted {title}: {len(removed)} objects; {len(missing)} were already gone")
    else:
        console.result(f"nothing of {title} exists")
    return 0
