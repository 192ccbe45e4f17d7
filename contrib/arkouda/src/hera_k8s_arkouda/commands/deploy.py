"""`hera-k8s arkouda deploy`: check, deploy, and wait until every locale and the server are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands import workflow_run
from hera_k8s_arkouda.commands.context import (
    account_of,
    can_read_cluster,
    find_cluster_context,
    settings_for,
    settings_of,
)
from hera_k8s_arkouda.deployment import ArkoudaDeployment
from hera_k8s_arkouda.experiments import experiment_for
from hera_k8s_arkouda.managed_objects import managed_objects_of, pods_of
from hera_k8s_arkouda.templates import VERIFY_TASK
from hera_k8s_utils import WorkflowFailed

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Console, ExperimentContainer, Session


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    workflow_run.common_arguments(parser, asks=False)
    parser.add_argument("--install", action="store_true", help="first install missing templates and permissions")


def run(session: Session) -> int:
    """Deploy. Objects that exist are applied again, so that an interrupted deployment is resumed."""
    console = session.console()
    cluster = find_cluster_context(session)
    wanted = settings_of(session).deployment(cluster.namespace, cluster.url)
    experiment = experiment_for(wanted, account_of(session))
    with session.container(experiment, **settings_for(session, cluster)) as container:
        can_read = can_read_cluster(container)
        console.info(f"deploy Arkouda {wanted.instance_name} in {cluster.namespace}")
        workflow_run.show_parameters(wanted, console)
        workflow_run.show_objects(
            workflow_run.find_existing(container, managed_objects_of(wanted), can_read_cluster=can_read),
            console,
            deleting=False,
        )
        if session.arguments.dry_run:
            console.info("--dry-run: nothing was changed")
            return 0
        workflow_run.check(container, console, strict=session.arguments.strict, install=session.arguments.install)
        name = workflow_run.submit(container, wanted, console)
        if session.arguments.detach:
            console.hint(f"hera-k8s arkouda status, or hera-k8s follow {name}")
            return 0
        console.info(f"  waiting for {wanted.number_of_locales} locales, at most {wanted.ready_timeout} s")
        ended = workflow_run.follow(container, wanted, name, console)
        if ended.phase != "Succeeded":
            raise _failed(container, wanted, name, ended.message or ended.phase, console, can_read=can_read)
        return _done(container, wanted, console, can_read=can_read)


def _done(container: ExperimentContainer, wanted: ArkoudaDeployment, console: Console, *, can_read: bool) -> int:
    locales = pods_of(container.context(), f"{wanted.instance_name}-locale") if can_read else []
    workflow_run.show_pods(locales, console)
    workflow_run.write_record(
        console, {"event": "deployed", "instance": wanted.instance_name, "locales": [p.name for p in locales]}
    )
    address = f"{wanted.instance_name}.{wanted.namespace}:5555"
    console.result(f"Arkouda {wanted.instance_name} is deployed: {wanted.number_of_locales} locales, server {address}")
    return 0


def _failed(
    container: ExperimentContainer,
    wanted: ArkoudaDeployment,
    name: str,
    reason: str,
    console: Console,
    *,
    can_read: bool,
) -> WorkflowFailed:
    """The error, with the locales that are not ready; shows the log of the verification."""
    locales = pods_of(container.context(), f"{wanted.instance_name}-locale") if can_read else []
    not_ready = [pod for pod in locales if not pod.ready]
    for line in workflow_run.task_log(container, name, VERIFY_TASK):
        console.info(f"  {line}")
    workflow_run.show_pods(not_ready, console)
    found = f"{reason}; not ready: {', '.join(pod.name for pod in not_ready)}" if not_ready else reason
    return WorkflowFailed(
        f"Arkouda {wanted.instance_name} was not deployed",
        found=found,
        hint="fix the cause and deploy again, which resumes; or hera-k8s arkouda delete",
    )
