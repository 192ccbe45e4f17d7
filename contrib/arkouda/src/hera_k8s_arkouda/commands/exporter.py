"""`hera-k8s arkouda exporter deploy` and `delete`: the exporter of an Arkouda that runs elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands import delete, workflow_run
from hera_k8s_arkouda.commands.context import (
    account_of,
    can_read_cluster,
    find_cluster_context,
    settings_for,
    settings_of,
)
from hera_k8s_arkouda.experiments import experiment_for
from hera_k8s_arkouda.managed_objects import managed_objects_of, pods_of
from hera_k8s_utils import WorkflowFailed

if TYPE_CHECKING:
    from hera_k8s_utils import Session


def run_deploy(session: Session) -> int:
    """Deploy the exporter. Objects that exist are applied again."""
    console = session.console()
    cluster = find_cluster_context(session, exporter=True)
    wanted = settings_of(session).exporter()
    with session.container(experiment_for(wanted, account_of(session)), **settings_for(session, cluster)) as container:
        can_read = can_read_cluster(container)
        console.info(f"deploy the exporter {wanted.app_name} in {cluster.namespace}")
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
            console.hint(f"hera-k8s follow {name}")
            return 0
        ended = workflow_run.follow(container, wanted, name, console)
        if ended.phase != "Succeeded":
            pods = pods_of(container.context(), wanted.app_name) if can_read else []
            workflow_run.show_pods(pods, console)
            raise WorkflowFailed(
                f"the exporter {wanted.app_name} was not deployed",
                found=ended.message or ended.phase,
                hint="fix the cause and deploy again, which resumes",
            )
        workflow_run.write_record(console, {"event": "deployed", "exporter": wanted.app_name})
        console.result(f"the exporter {wanted.app_name} is deployed: {wanted.service_name}.{cluster.namespace}:5080")
        return 0


def run_delete(session: Session) -> int:
    """Delete the exporter. Objects that are already gone are not an error."""
    cluster = find_cluster_context(session, exporter=True)
    return delete.delete(session, cluster, settings_of(session).exporter_deletion())
