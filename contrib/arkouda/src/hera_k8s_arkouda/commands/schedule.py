"""`hera-k8s arkouda schedule`: deploy and delete on a schedule, by cron workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands.context import account_of, confirm, find_cluster_context, settings_for, settings_of
from hera_k8s_arkouda.cron import check_schedule, check_timezone
from hera_k8s_arkouda.workflows import DELETE_AT, DEPLOY_AT, INSTANCE_LABEL, TIMEZONE, cron_workflow
from hera_k8s_utils import ErrorKind, HeraK8sError, Json, Manifest, PlatformError, pluralize

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Console, Context, Session

_API, _RESOURCE = "argoproj.io/v1alpha1", "cronworkflows"
_WHICH = ("deploy", "delete", "both")


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "which", nargs="?", choices=_WHICH, default="both", metavar="WHICH", help=f"one of {', '.join(_WHICH)}"
    )
    parser.add_argument("--deploy-at", default=DEPLOY_AT, metavar="CRON", help=f"default: {DEPLOY_AT}")
    parser.add_argument("--delete-at", default=DELETE_AT, metavar="CRON", help=f"default: {DELETE_AT}")
    parser.add_argument("--timezone", default=TIMEZONE, metavar="ZONE", help=f"default: {TIMEZONE}")
    parser.add_argument("--suspend", action="store_true", help="create the schedule suspended")
    parser.add_argument("--remove", action="store_true", help="remove the schedule")
    parser.add_argument("--dry-run", action="store_true", help="only show the changes")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask for confirmation")


def run(session: Session) -> int:
    """Show the changes, ask, create or update. Warns about a schedule that fires every minute."""
    console, given = session.console(), session.arguments
    cluster = find_cluster_context(session)
    settings, account = settings_of(session), account_of(session)
    selected = ("deploy", "delete") if given.which == "both" else (given.which,)
    more = {"timezone": given.timezone, "suspend": given.suspend} | ({"service_account": account} if account else {})
    made: list[Json] = []
    check_timezone(given.timezone)
    if "deploy" in selected:
        _warn_about(given.deploy_at, console)
        if not given.remove:
            wanted = settings.deployment(cluster.namespace, cluster.url)
            made.append(Manifest.of(cron_workflow(wanted, schedule=given.deploy_at, **more)).body)
    if "delete" in selected:
        _warn_about(given.delete_at, console)
        if not given.remove:
            gone = settings.deletion(cluster.url)
            made.append(Manifest.of(cron_workflow(gone, schedule=given.delete_at, **more)).body)
    with session.container(None, **settings_for(session, cluster)) as container:
        context = container.context()
        if given.remove:
            return _remove([f"{each}-arkouda-on-kubernetes" for each in selected], context, session, console)
        return _apply(made, context, session, console)


def _warn_about(schedule: str, console: Console) -> None:
    warning = check_schedule(schedule)
    if warning:
        console.warning(warning)


def _apply(made: list[Json], context: Context, session: Session, console: Console) -> int:
    for body in made:
        found = _read(context, body["metadata"]["name"])
        _check_owner(body, found)
        action = "create" if found is None else "change"
        spec = body["spec"]
        times = f"{spec['schedules'][0]}, {spec['timezone']}{', suspended' if spec.get('suspend') else ''}"
        console.result(f"  {action} CronWorkflow {body['metadata']['name']}: {times}")
    if not _confirmed(session, context, console):
        return 0
    for body in made:
        context.kubernetes.apply(_API, _RESOURCE, body["metadata"]["name"], body, force=True)
    console.success(f"{pluralize(len(made), 'schedule')} in {context.kubernetes.namespace}")
    if console.json:
        console.document({"namespace": context.kubernetes.namespace, "schedules": made})
    return 0


def _remove(names: list[str], context: Context, session: Session, console: Console) -> int:
    found = {name: body for name in names if (body := _read(context, name)) is not None}
    existing = list(found)
    for name in names:
        instance = _instance(found.get(name))
        owner = f" of {instance}" if instance else ""
        console.result(f"  {'remove' if name in found else 'already gone'} CronWorkflow {name}{owner}")
    if not existing or not _confirmed(session, context, console):
        return 0
    for name in existing:
        context.kubernetes.delete(_API, _RESOURCE, name)
    console.success(f"removed {pluralize(len(existing), 'schedule')}")
    if console.json:
        console.document({"namespace": context.kubernetes.namespace, "removed": existing})
    return 0


def _read(context: Context, name: str) -> Json | None:
    try:
        return context.kubernetes.get(_API, _RESOURCE, name)
    except PlatformError as error:
        if error.kind is ErrorKind.MISSING and error.reason == "NotFound":
            return None
        raise


def _instance(found: Json | None) -> str:
    """The instance that the schedule belongs to, by its label; empty without one."""
    labels = ((found or {}).get("metadata") or {}).get("labels") or {}
    return str(labels.get(INSTANCE_LABEL) or "")


def _check_owner(body: Json, found: Json | None) -> None:
    """Raise `HeraK8sError` if the schedule belongs to another instance: the names of schedules are fixed."""
    other, own = _instance(found), _instance(body)
    if other and other != own:
        raise HeraK8sError(
            f"{body['metadata']['name']} is the schedule of {other}",
            found="a namespace has one schedule of each kind",
            hint=f"hera-k8s arkouda schedule --remove, then again for {own}",
        )


def _confirmed(session: Session, context: Context, console: Console) -> bool:
    if session.arguments.dry_run:
        console.info("--dry-run: nothing was changed")
        return False
    if context.platforms.credential("kubernetes").auto_provision:
        return True
    return confirm(session, "apply these changes?", action="before changing the cluster", hint="--yes, or --dry-run")
