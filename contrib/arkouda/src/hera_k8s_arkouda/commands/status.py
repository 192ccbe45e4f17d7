"""`hera-k8s arkouda status`: what of an instance is there, which locales are ready, and its workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hera_k8s_arkouda.commands.context import find_place, settings_for, settings_of
from hera_k8s_arkouda.managed_objects import ManagedObject, PodState, is_there, look, pods_of, things_of
from hera_k8s_arkouda.workflows import INSTANCE_LABEL
from hera_k8s_utils import ChecksFailed, ErrorKind, PlatformError, pluralize

if TYPE_CHECKING:
    from hera_k8s_utils import Console, Context, Session

Json = dict[str, Any]
_ARGO = "argoproj.io/v1alpha1"
_WORDS = {True: "there", False: "absent", None: "unseen"}


def run(session: Session) -> int:
    """The exit code is 0 when the server and all locales are ready, 5 when not."""
    console = session.console()
    place = find_place(session)
    wanted = settings_of(session).deletion(place.url)
    with session.container(None, **settings_for(session, place)) as container:
        context = container.context()
        found = {thing: is_there(context, thing) for thing in things_of(wanted)}
        locales = pods_of(context, f"{wanted.instance_name}-locale")
        server = pods_of(context, f"{wanted.instance_name}-server")
        replicas = _replicas(context, next(thing for thing in found if thing.kind == "Deployment"), found)
        ready = replicas > 0 and sum(pod.ready for pod in locales) >= replicas and any(pod.ready for pod in server)
        if console.json:
            document = _document(wanted.instance_name, found, locales, server, replicas, ready)
            console.document(document | _workflows(context, wanted.instance_name))
        else:
            console.say(f"Arkouda {wanted.instance_name} in {place.namespace}")
            _show(found, locales, server, replicas, console)
            _show_workflows(_workflows(context, wanted.instance_name), console)
        return 0 if ready else ChecksFailed.exit_code


def _replicas(context: Context, locales: ManagedObject, found: dict[ManagedObject, bool | None]) -> int:
    """How many locales there shall be."""
    deployment = look(context, locales) if found[locales] else None
    return int(((deployment or {}).get("spec") or {}).get("replicas") or 0)


def _show(
    found: dict[ManagedObject, bool | None],
    locales: list[PodState],
    server: list[PodState],
    replicas: int,
    console: Console,
) -> None:
    if not any(there is not False for there in found.values()) and not locales and not server:
        console.result("nothing of it is there")
        return
    for thing, there in found.items():
        console.result(f"  {_WORDS[there]:8} {thing.title}")
    console.result(f"{sum(pod.ready for pod in locales)} of {pluralize(replicas, 'locale')} ready")
    for pod in (*locales, *server):
        console.result(f"  {'ready' if pod.ready else 'not ready':10} {pod.name}{f': {pod.why}' if pod.why else ''}")


def _workflows(context: Context, instance: str) -> dict[str, list[Json] | None]:
    """Workflows and schedules of the instance, by their resource; None where they are not ours to look at."""
    found: dict[str, list[Json] | None] = {}
    for resource in ("workflows", "cronworkflows"):
        try:
            bodies = list(context.kubernetes.list(_ARGO, resource, label_selector=f"{INSTANCE_LABEL}={instance}"))
        except PlatformError as error:
            if error.trouble not in (ErrorKind.FORBIDDEN, ErrorKind.MISSING):
                raise
            found[resource] = None
        else:
            found[resource] = [
                {"kind": body["kind"], "name": body["metadata"]["name"], "state": _state(body)} for body in bodies
            ]
    return found


def _show_workflows(found: dict[str, list[Json] | None], console: Console) -> None:
    for resource, bodies in found.items():
        if bodies is None:
            console.result(f"{resource}: not ours to look at")
        for body in bodies or ():
            console.result(f"{body['kind']} {body['name']}: {body['state']}")


def _state(body: Json) -> str:
    if body["kind"] == "Workflow":
        return str((body.get("status") or {}).get("phase") or "Pending")
    spec = body["spec"]
    when = ", ".join(spec.get("schedules") or [spec.get("schedule", "")])
    return f"{when} {spec.get('timezone', '')}{', suspended' if spec.get('suspend') else ''}"


def _document(
    instance: str,
    found: dict[ManagedObject, bool | None],
    locales: list[PodState],
    server: list[PodState],
    replicas: int,
    ready: bool,
) -> Json:
    return {
        "instance": instance,
        "ready": ready,
        "replicas": replicas,
        "objects": [{"kind": thing.kind, "name": thing.name, "there": there} for thing, there in found.items()],
        "locales": [{"name": pod.name, "ready": pod.ready, "why": pod.why} for pod in locales],
        "server": [{"name": pod.name, "ready": pod.ready, "why": pod.why} for pod in server],
    }
