"""`hera-k8s arkouda exporter deploy` and `delete`: the exporter of an Arkouda that runs elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands import delete, workflow_run
from hera_k8s_arkouda.commands.context import account_of, can_look, find_place, settings_for, settings_of
from hera_k8s_arkouda.experiments import experiment_for
from hera_k8s_arkouda.managed_objects import pods_of, things_of
from hera_k8s_utils import WorkflowFailed

if TYPE_CHECKING:
    from hera_k8s_utils import Session


def run_deploy(session: Session) -> int:
    """Deploy the exporter; a second time finds what the first one made."""
    console = session.console()
    place = find_place(session, exporter=True)
    wanted = settings_of(session).exporter()
    with session.container(experiment_for(wanted, account_of(session)), **settings_for(session, place)) as container:
        seeing = can_look(container)
        console.say(f"deploy the exporter {wanted.app_name} in {place.namespace}")
        workflow_run.show_parameters(wanted, console)
        workflow_run.show_things(
            workflow_run.seen(container, things_of(wanted), can_look=seeing), console, deleting=False
        )
        if session.arguments.dry_run:
            console.say("nothing was done: --dry-run")
            return 0
        workflow_run.check(container, console, strict=session.arguments.strict, install=session.arguments.install)
        name = workflow_run.submit(container, wanted, console)
        if session.arguments.detach:
            console.hint(f"hera-k8s follow {name}")
            return 0
        ended = workflow_run.follow(container, wanted, name, console)
        if ended.phase != "Succeeded":
            pods = pods_of(container.context(), wanted.app_name) if seeing else []
            workflow_run.show_pods(pods, console)
            raise WorkflowFailed(
                f"the exporter {wanted.app_name} was not deployed",
                found=ended.message or ended.phase,
                hint="mend it and deploy again: what is done stays",
            )
        workflow_run.document(console, {"event": "deployed", "exporter": wanted.app_name})
        console.result(f"the exporter {wanted.app_name} is deployed: {wanted.service_name}.{place.namespace}:5080")
        return 0


def run_delete(session: Session) -> int:
    """Delete the exporter; what is gone already is no error."""
    place = find_place(session, exporter=True)
    return delete.delete(session, place, settings_of(session).exporter_deletion())
