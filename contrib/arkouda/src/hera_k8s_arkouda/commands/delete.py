"""`hera-k8s arkouda delete`: delete an instance, whatever is left of it, and say what was removed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands import workflow_run
from hera_k8s_arkouda.commands.context import (
    ClusterContext,
    account_of,
    can_look,
    find_place,
    settings_for,
    settings_of,
)
from hera_k8s_arkouda.deployment import ArkoudaDeletion, ArkoudaExporterDeletion
from hera_k8s_arkouda.experiments import experiment_for
from hera_k8s_arkouda.managed_objects import ManagedObject, is_known, pods_of, present, things_of
from hera_k8s_arkouda.workflows import instance_of
from hera_k8s_utils import OptionsError, WorkflowFailed

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Console, ExperimentContainer, Session

Deletion = ArkoudaDeletion | ArkoudaExporterDeletion

PATIENCE = 180.0
"""Seconds for what was deleted to be gone: pods may take their grace period."""


def arguments(parser: ArgumentParser) -> None:
    """How far to go."""
    workflow_run.common_arguments(parser, asks=True)
    parser.add_argument(
        "--install", action="store_true", help="first install the templates and rights that are missing"
    )


def run(session: Session) -> int:
    """Delete an instance; what is gone already is no error."""
    place = find_place(session)
    wanted = settings_of(session).deletion(place.url)
    if wanted.collect_metrics and not _knows_monitors(session, place, wanted):
        session.console().say("no ServiceMonitor is deleted: the cluster does not know the kind")
        wanted = replace(wanted, collect_metrics=False)
    return delete(session, place, wanted)


def delete(session: Session, place: ClusterContext, wanted: Deletion) -> int:
    """Show, ask, delete, wait until all of it is gone, and report."""
    console = session.console()
    title = f"{instance_of(wanted)} in {place.namespace}"
    with session.container(experiment_for(wanted, account_of(session)), **settings_for(session, place)) as container:
        seeing = can_look(container)
        found = workflow_run.seen(container, things_of(wanted), can_look=seeing)
        console.say(f"delete {title}")
        workflow_run.show_things(found, console, deleting=True)
        if session.arguments.dry_run:
            console.say("nothing was done: --dry-run")
            return 0
        before = [thing for thing, there in found.items() if there]
        if seeing and not before and not _pods(container, wanted):
            return _report([], found, console, title)
        if not _agreed(session, console, title):
            console.say("nothing was deleted")
            return 0
        workflow_run.check(container, console, strict=session.arguments.strict, install=session.arguments.install)
        name = workflow_run.submit(container, wanted, console)
        if session.arguments.detach:
            console.hint(f"hera-k8s follow {name}")
            return 0
        ended = workflow_run.follow(container, wanted, name, console)
        left = _wait_until_gone(container, wanted) if seeing else []
        if ended.phase != "Succeeded" or left:
            raise WorkflowFailed(
                f"{title} was not deleted as a whole",
                found=f"left: {', '.join(left)}" if left else ended.message or ended.phase,
                hint="delete again: what is gone is no error",
            )
        return _report(before, found, console, title)


def _knows_monitors(session: Session, place: ClusterContext, wanted: ArkoudaDeletion) -> bool:
    """Whether a ServiceMonitor can be deleted at all: kubectl fails on a kind that the cluster does not know."""
    with session.container(None, **settings_for(session, place)) as container:
        if not can_look(container):
            return True
        monitors = [thing for thing in things_of(wanted) if thing.kind == "ServiceMonitor"]
        return all(is_known(container.context(), thing) for thing in monitors)


def _agreed(session: Session, console: Console, title: str) -> bool:
    if session.arguments.yes:
        return True
    if not console.can_ask:
        raise OptionsError("it asks before it deletes", found="there is no terminal to ask on", hint="--yes")
    return console.confirm(f"delete {title}?")


def _wait_until_gone(container: ExperimentContainer, wanted: Deletion) -> list[str]:
    """What is still there when the time is up: nothing, as a rule."""
    context, things = container.context(), things_of(wanted)
    ends_at, pause = time.monotonic() + PATIENCE, 0.2
    while True:
        left = [thing.title for thing in present(context, things)]
        left += [f"Pod {name}" for name in _pods(container, wanted)]
        if not left or time.monotonic() >= ends_at:
            return left
        time.sleep(pause)
        pause = min(2.0, pause * 1.5)


def _pods(container: ExperimentContainer, wanted: Deletion) -> list[str]:
    """The pods of its deployment, which go after it."""
    app = f"{wanted.instance_name}-locale" if isinstance(wanted, ArkoudaDeletion) else wanted.app_name
    return [pod.name for pod in pods_of(container.context(), app)]


def _report(removed: list[ManagedObject], found: dict[ManagedObject, bool | None], console: Console, title: str) -> int:
    unseen = any(there is None for there in found.values())
    missing = [thing for thing, there in found.items() if there is False]
    workflow_run.document(
        console,
        {
            "event": "deleted",
            "removed": [thing.title for thing in removed],
            "gone_before": [thing.title for thing in missing],
            "seen": not unseen,
        },
    )
    for thing in removed:
        console.result(f"removed {thing.title}")
    if unseen:
        console.result(f"deleted {title}; what was there could not be seen without a way to Kubernetes")
    elif removed:
        console.result(f"deleted {title}: {len(removed)} objects; {len(missing)} were gone before")
    else:
        console.result(f"nothing of {title} is there")
    return 0
