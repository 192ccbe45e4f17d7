"""`hera-k8s arkouda schedule`: deploy and delete at certain times, by cron workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hera_k8s_arkouda.commands.context import account_of, find_place, settings_for, settings_of
from hera_k8s_arkouda.cron import check_schedule, check_timezone
from hera_k8s_arkouda.workflows import DELETE_AT, DEPLOY_AT, INSTANCE_LABEL, TIMEZONE, cron_workflow
from hera_k8s_utils import ErrorKind, HeraK8sError, Manifest, OptionsError, PlatformError, pluralize

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_utils import Console, Context, Session

Json = dict[str, Any]

_API, _RESOURCE = "argoproj.io/v1alpha1", "cronworkflows"
_WHICH = ("deploy", "delete", "both")


def arguments(parser: ArgumentParser) -> None:
    """Which schedule, and when."""
    parser.add_argument(
        "which", nargs="?", choices=_WHICH, default="both", metavar="WHICH", help=f"one of {', '.join(_WHICH)}"
    )
    parser.add_argument("--deploy-at", default=DEPLOY_AT, metavar="CRON", help=f"default: {DEPLOY_AT}")
    parser.add_argument("--delete-at", default=DELETE_AT, metavar="CRON", help=f"default: {DELETE_AT}")
    parser.add_argument("--timezone", default=TIMEZONE, metavar="ZONE", help=f"default: {TIMEZONE}")
    parser.add_argument("--suspend", action="store_true", help="keep the schedule, and let nothing happen")
    parser.add_argument("--remove", action="store_true", help="remove the schedule")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--yes", "-y", action="store_true", help="do it without asking")


def run(session: Session) -> int:
    """Show, ask, create or change. Times that would repeat every minute are warned of."""
    console, given = session.console(), session.arguments
    place = find_place(session)
    settings, account = settings_of(session), account_of(session)
    chosen = ("deploy", "delete") if given.which == "both" else (given.which,)
    more = {"timezone": given.timezone, "suspend": given.suspend} | ({"service_account": account} if account else {})
    made: list[Json] = []
    check_timezone(given.timezone)
    if "deploy" in chosen:
        _heed(given.deploy_at, console)
        if not given.remove:
            wanted = settings.deployment(place.namespace, place.url)
            made.append(Manifest.of(cron_workflow(wanted, schedule=given.deploy_at, **more)).body)
    if "delete" in chosen:
        _heed(given.delete_at, console)
        if not given.remove:
            gone = settings.deletion(place.url)
            made.append(Manifest.of(cron_workflow(gone, schedule=given.delete_at, **more)).body)
    with session.container(None, **settings_for(session, place)) as container:
        context = container.context()
        if given.remove:
            return _remove([f"{each}-arkouda-on-kubernetes" for each in chosen], context, session, console)
        return _apply(made, context, session, console)


def _heed(schedule: str, console: Console) -> None:
    warning = check_schedule(schedule)
    if warning:
        console.warning(warning)


def _apply(made: list[Json], context: Context, session: Session, console: Console) -> int:
    for body in made:
        found = _read(context, body["metadata"]["name"])
        _refuse_another(body, found)
        word = "create" if found is None else "change"
        spec = body["spec"]
        times = f"{spec['schedules'][0]}, {spec['timezone']}{', suspended' if spec.get('suspend') else ''}"
        console.result(f"  {word} CronWorkflow {body['metadata']['name']}: {times}")
    if not _agreed(session, context, console):
        return 0
    for body in made:
        context.kubernetes.apply(_API, _RESOURCE, body["metadata"]["name"], body, force=True)
    console.passed(f"{pluralize(len(made), 'schedule')} in {context.kubernetes.namespace}")
    if console.json:
        console.document({"namespace": context.kubernetes.namespace, "schedules": made})
    return 0


def _remove(names: list[str], context: Context, session: Session, console: Console) -> int:
    found = {name: body for name in names if (body := _read(context, name)) is not None}
    there = list(found)
    for name in names:
        instance = _instance(found.get(name))
        whose = f" of {instance}" if instance else ""
        console.result(f"  {'remove' if name in found else 'gone already'} CronWorkflow {name}{whose}")
    if not there or not _agreed(session, context, console):
        return 0
    for name in there:
        context.kubernetes.delete(_API, _RESOURCE, name)
    console.passed(f"removed {pluralize(len(there), 'schedule')}")
    if console.json:
        console.document({"namespace": context.kubernetes.namespace, "removed": there})
    return 0


def _read(context: Context, name: str) -> Json | None:
    try:
        return context.kubernetes.get(_API, _RESOURCE, name)
    except PlatformError as error:
        if error.trouble is ErrorKind.MISSING and error.reason == "NotFound":
            return None
        raise


def _instance(found: Json | None) -> str:
    """Whose schedule it is, by its label; empty where nobody says."""
    labels = ((found or {}).get("metadata") or {}).get("labels") or {}
    return str(labels.get(INSTANCE_LABEL) or "")


def _refuse_another(body: Json, found: Json | None) -> None:
    """The schedules have fixed names: one instance of a namespace has them at a time."""
    other, mine = _instance(found), _instance(body)
    if other and other != mine:
        raise HeraK8sError(
            f"{body['metadata']['name']} is the schedule of {other}",
            found="a namespace has one schedule of each kind",
            hint=f"hera-k8s arkouda schedule --remove, then again for {mine}",
        )


def _agreed(session: Session, context: Context, console: Console) -> bool:
    if session.arguments.dry_run:
        console.say("nothing was done: --dry-run")
        return False
    if session.arguments.yes or context.platforms.credential("kubernetes").auto_provision:
        return True
    if not console.can_ask:
        raise OptionsError(
            "it asks before it changes the cluster", found="there is no terminal to ask on", hint="--yes, or --dry-run"
        )
    return console.confirm("do it?")
