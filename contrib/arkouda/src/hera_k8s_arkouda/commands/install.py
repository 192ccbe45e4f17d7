"""`hera-k8s arkouda install`: the workflow templates, and the service account that runs them with its role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands.context import account_of, confirm, namespace_option
from hera_k8s_arkouda.install import ABSENT, PRESENT, apply_changes, installation, plan
from hera_k8s_arkouda.templates import WORKFLOWS_ACCOUNT
from hera_k8s_utils import pluralize

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Session


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask for confirmation")
    parser.add_argument("--dry-run", action="store_true", help="only show the changes")
    parser.add_argument("--remove", action="store_true", help="remove the installation instead")
    parser.add_argument("--force", action="store_true", help="take over fields that another program manages")
    parser.add_argument("--no-rbac", action="store_true", help="only the templates; RBAC objects are managed elsewhere")


def run(session: Session) -> int:
    """Show the changes, ask, create what is missing and update the rest."""
    console, given = session.console(), session.arguments
    namespace = namespace_option(session)
    with session.container(None, **({"namespace": namespace} if namespace else {})) as container:
        context = container.context()
        wanted = installation(account_of(session) or WORKFLOWS_ACCOUNT, rbac=not given.no_rbac)
        changes = plan(wanted, context, removing=given.remove)
        console.info(f"{'remove from' if given.remove else 'install in'} {context.kubernetes.namespace}")
        for change in changes:
            console.result(f"  {change.describe()}")
        pending = [change for change in changes if change.action not in (PRESENT, ABSENT)]
        applied = []
        if given.dry_run:
            console.info("--dry-run: nothing was changed")
        elif pending and not (context.platforms.credential("kubernetes").auto_provision or _confirmed(session)):
            console.info("nothing was changed")
        else:
            applied = apply_changes(pending, context, force=given.force)
            console.success(
                f"{pluralize(len(applied), 'object')} changed, {len(changes) - len(pending)} were up to date"
            )
        if console.json:
            console.document(
                {
                    "namespace": context.kubernetes.namespace,
                    "planned": [change.to_json() for change in changes],
                    "done": [change.to_json() for change in applied],
                }
            )
    return 0


def _confirmed(session: Session) -> bool:
    return confirm(session, "apply these changes?", action="before changing the cluster", hint="--yes, or --dry-run")
