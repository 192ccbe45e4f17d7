"""`hera-k8s arkouda install`: the workflow templates and the rights of the account that runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands.context import account_of, said_namespace
from hera_k8s_arkouda.install import ABSENT, PRESENT, carry_out, installation, plan
from hera_k8s_arkouda.templates import WORKFLOWS_ACCOUNT
from hera_k8s_utils import OptionsError, pluralize

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Session


def arguments(parser: ArgumentParser) -> None:
    """What, and whether to ask."""
    parser.add_argument("--yes", "-y", action="store_true", help="do it without asking")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--remove", action="store_true", help="remove the installation instead")
    parser.add_argument("--force", action="store_true", help="take over what another program wrote")
    parser.add_argument("--no-rbac", action="store_true", help="the templates alone, where others manage the rights")


def run(session: Session) -> int:
    """Show, ask, create what is missing and bring the rest to this version."""
    console, given = session.console(), session.arguments
    namespace = said_namespace(session)
    with session.container(None, **({"namespace": namespace} if namespace else {})) as container:
        context = container.context()
        wanted = installation(account_of(session) or WORKFLOWS_ACCOUNT, rbac=not given.no_rbac)
        changes = plan(wanted, context, removing=given.remove)
        console.say(f"{'remove from' if given.remove else 'install in'} {context.kubernetes.namespace}")
        for change in changes:
            console.result(f"  {change.sentence()}")
        todo = [change for change in changes if change.action not in (PRESENT, ABSENT)]
        done = []
        if given.dry_run:
            console.say("nothing was done: --dry-run")
        elif todo and not (given.yes or context.platforms.credential("kubernetes").auto_provision or _agreed(session)):
            console.say("nothing was done")
        else:
            done = carry_out(todo, context, force=given.force)
            console.passed(f"{pluralize(len(done), 'object')} changed, {len(changes) - len(todo)} were as wanted")
        if console.json:
            console.document(
                {
                    "namespace": context.kubernetes.namespace,
                    "planned": [change.to_json() for change in changes],
                    "done": [change.to_json() for change in done],
                }
            )
    return 0


def _agreed(session: Session) -> bool:
    console = session.console()
    if not console.can_ask:
        raise OptionsError(
            "it asks before it changes the cluster", found="there is no terminal to ask on", hint="--yes, or --dry-run"
        )
    return console.confirm("do it?")
