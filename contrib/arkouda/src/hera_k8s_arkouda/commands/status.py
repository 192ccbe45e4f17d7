"""`hera-k8s arkouda status`: which objects of an instance exist, which locales are ready, and its workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_arkouda.commands.context import find_cluster_context, settings_for, settings_of
from hera_k8s_arkouda.managed_objects import ManagedObject, PodState, exists, managed_objects_of, pods_of, read
from hera_k8s_arkouda.workflows import INSTANCE_LABEL
from hera_k8s_utils import ChecksFailed, ErrorKind, Json, PlatformError, pluralize

if TYPE_CHECKING:
    from hera_k8s_utils import Console, Context, Session

_ARGO = "argoproj.io/v1alpha1"
_STATES = {True: "exists", False: "absent", None: "unknown"}


def run(session: Session) -> int:
    """Show the state. The exit code is 0 if the server and all locales are ready, otherwise 5."""
    console = session.console()
    cluster = find_cluster_context(session)
    wanted = settings_of(session).deletion(cluster.url)
    with session.container(None, **settings_for(session, cluster)) as container:
        context = container.context()
        found = {item: exists(context, item) for item in managed_objects_of(wanted)}
        locales = pods_of(context, f"{wanted.instance_name}-locale")
        server = pods_of(context, f"{wanted.instance_name}-server")
        replicas = _replicas(context, next(item for item in found if item.kind == "Deployment"), found)
        ready = replicas > 0 and sum(pod.ready for pod in locales) >= replicas and any(pod.ready for pod in server)
        if console.json:
            document = _document(wanted.instance_name, found, locales, server, replicas, ready)
            console.document(document | _workflows(context, wanted.instance_name))
        else:
            console.info(f"Arkouda {wanted.instance_name} in {cluster.namespace}")
            _show(found, locales, server, replicas, console)
            _show_workflows(_workflows(context, wanted.instance_name), console)
        return 0 if ready else ChecksFailed.exit_code


def _replicas(context: Context, locales: ManagedObject, found: dict[ManagedObject, bool | None]) -> int:
    """The desired number of locales."""
    deployment = read(context, locales) if found[locales] else None
    return int(((deployment or {}).get("spec") or {}).get("replicas") or 0)


def _show(
    found: dict[ManagedObject, bool | None],
    locales: list[PodState],
    server: list[PodState],
    replicas: int,
    console: Console,
) -> None:
    if not any(there is not False for there in found.values()) and not locales and not server:
        console.result("nothing of it exists")
        return
    for item, there in found.items():
        console.result(f"  {_STATES[there]:8} {item.title}")
    console.result(f"{sum(pod.ready for pod in locales)} of {pluralize(replicas, 'locale')} ready")
    for pod in (*locales, *server):
        console.result(
            f"  {'ready' if pod.ready else 'not ready':10} {pod.name}{f': {pod.reason}' if pod.reason else ''}"
        )


def _workflows(context: Context, instance: str) -> dict[str, list[Json] | None]:
    """Workflows and schedules of the instance, by resource; None if reading them is not permitted."""
    found: dict[str, list[Json] | None] = {}
    for resource in ("workflows", "cronworkflows"):
        try:
            bodies = list(context.kubernetes.list(_ARGO, resource, label_selector=f"{INSTANCE_LABEL}={instance}"))
        except PlatformError as error:
            if error.kind not in (ErrorKind.FORBIDDEN, ErrorKind.MISSING):
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
            console.result(f"{resource}: not permitted to read")
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
        "objects": [{"kind": item.kind, "name": item.name, "there": there} for item, there in found.items()],
        "locales": [{"name": pod.name, "ready": pod.ready, "why": pod.reason} for pod in locales],
        "server": [{"name": pod.name, "ready": pod.ready, "why": pod.reason} for pod in server],
    }
