"""`hera-k8s arkouda deploy`: check, deploy, and wait until every locale and the server are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands import workflow_run
from hera_k8s_arkouda.commands.context import account_of, can_look, find_place, settings_for, settings_of
from hera_k8s_arkouda.deployment import ArkoudaDeployment
from hera_k8s_arkouda.experiments import experiment_for
from hera_k8s_arkouda.managed_objects import pods_of, things_of
from hera_k8s_arkouda.templates import VERIFY_TASK
from hera_k8s_utils import WorkflowFailed

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Console, ExperimentContainer, Session


def arguments(parser: ArgumentParser) -> None:
    """How far to go."""
    workflow_run.common_arguments(parser, asks=False)
    parser.add_argument(
        "--install", action="store_true", help="first install the templates and rights that are missing"
    )


def run(session: Session) -> int:
    """Deploy; a second time finds what the first one made, and goes on where one was interrupted."""
    console = session.console()
    place = find_place(session)
    wanted = settings_of(session).deployment(place.namespace, place.url)
    experiment = experiment_for(wanted, account_of(session))
    with session.container(experiment, **settings_for(session, place)) as container:
        seeing = can_look(container)
        console.say(f"deploy Arkouda {wanted.instance_name} in {place.namespace}")
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
            console.hint(f"hera-k8s arkouda status, or hera-k8s follow {name}")
            return 0
        console.say(f"  waiting for {wanted.number_of_locales} locales, {wanted.ready_timeout} s at most")
        ended = workflow_run.follow(container, wanted, name, console)
        if ended.phase != "Succeeded":
            raise _failed(container, wanted, name, ended.message or ended.phase, console, seeing=seeing)
        return _done(container, wanted, console, seeing=seeing)


def _done(container: ExperimentContainer, wanted: ArkoudaDeployment, console: Console, *, seeing: bool) -> int:
    locales = pods_of(container.context(), f"{wanted.instance_name}-locale") if seeing else []
    workflow_run.show_pods(locales, console)
    workflow_run.document(
        console, {"event": "deployed", "instance": wanted.instance_name, "locales": [p.name for p in locales]}
    )
    address = f"{wanted.instance_name}.{wanted.namespace}:5555"
    console.result(f"Arkouda {wanted.instance_name} is deployed: {wanted.number_of_locales} locales, server {address}")
    return 0


def _failed(
    container: ExperimentContainer,
    wanted: ArkoudaDeployment,
    name: str,
    why: str,
    console: Console,
    *,
    seeing: bool,
) -> WorkflowFailed:
    """The error that names the locales that are not ready, and what the verification had to say."""
    locales = pods_of(container.context(), f"{wanted.instance_name}-locale") if seeing else []
    late = [pod for pod in locales if not pod.ready]
    for line in workflow_run.log_of(container, name, VERIFY_TASK):
        console.say(f"  {line}")
    workflow_run.show_pods(late, console)
    found = f"{why}; not ready: {', '.join(pod.name for pod in late)}" if late else why
    return WorkflowFailed(
        f"Arkouda {wanted.instance_name} was not deployed",
        found=found,
        hint="mend it and deploy again: what is done stays; or hera-k8s arkouda delete",
    )
