"""The objects of an instance, derived from the templates, and their state on the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hera_k8s_arkouda.deployment import Subject
from hera_k8s_arkouda.lookup import find_object
from hera_k8s_arkouda.templates import METRICS_ENABLED, template_bodies
from hera_k8s_utils import Context, ErrorKind, Json, Manifest, PlatformError


@dataclass(frozen=True)
class ManagedObject:
    """An object, identified by kind and name.

    api_version: such as `apps/v1`.
    kind: such as `Deployment`.
    name: name on the cluster.
    """

    api_version: str
    kind: str
    name: str

    @property
    def resource(self) -> str:
        """The plural of the kind; all kinds used here are regular."""
        return f"{self.kind.lower()}s"

    @property
    def title(self) -> str:
        """`Deployment arkouda-locale`."""
        return f"{self.kind} {self.name}"


def managed_objects_of(subject: Subject) -> list[ManagedObject]:
    """The objects that the workflow of a subject creates or deletes, in order."""
    parameters = subject.parameters()
    body = template_bodies()[subject.template]
    skipped = _skipped(body) if parameters.get("collect-metrics") == "false" else set()
    found = []
    for part in Manifest.of(body).resources():
        if part.template not in skipped:
            found.append(ManagedObject(part.api_version, part.kind, _substitute(part.name, parameters)))
    return list(dict.fromkeys(found))


def number_of_tasks(subject: Subject) -> int:
    """How many tasks the workflow of a subject has."""
    return len(_tasks(template_bodies()[subject.template]))


def _tasks(body: Json) -> list[Json]:
    return [task for template in body["spec"]["templates"] for task in (template.get("dag") or {}).get("tasks") or ()]


def _skipped(body: Json) -> set[str]:
    return {task["template"] for task in _tasks(body) if task.get("when") == METRICS_ENABLED}


def _substitute(text: str, parameters: dict[str, str]) -> str:
    for name, value in parameters.items():
        text = text.replace(f"{{{{workflow.parameters.{name}}}}}", value)
    return text


def read(context: Context, item: ManagedObject) -> Json | None:
    """The object; None if it does not exist, or if the cluster does not know its kind."""
    return find_object(context, item.api_version, item.resource, item.name)


def is_kind_known(context: Context, item: ManagedObject) -> bool:
    """Whether the cluster knows the kind of the object; true if reading it is forbidden."""
    try:
        context.kubernetes.get(item.api_version, item.resource, item.name)
    except PlatformError as error:
        if error.kind not in (ErrorKind.MISSING, ErrorKind.FORBIDDEN):
            raise
        return error.kind is ErrorKind.FORBIDDEN or error.reason == "NotFound"  # an unknown kind gives no reason
    return True


def exists(context: Context, item: ManagedObject) -> bool | None:
    """Whether the object exists; None if reading it is forbidden."""
    try:
        return read(context, item) is not None
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN:
            raise
        return None


def existing(context: Context, items: Iterable[ManagedObject]) -> list[ManagedObject]:
    """The objects that exist and can be read."""
    return [item for item in items if exists(context, item)]


@dataclass(frozen=True)
class PodState:
    """A pod and its readiness.

    name: name of the pod.
    ready: whether it is ready.
    reason: why it is not ready; empty if it is.
    """

    name: str
    ready: bool
    reason: str = ""


def pods_of(context: Context, app: str) -> list[PodState]:
    """The pods with the label `app`, sorted by name; none if listing them is forbidden."""
    found = context.kubernetes.list("v1", "pods", label_selector=f"app={app}")
    try:
        return sorted((_state(pod) for pod in found), key=lambda state: state.name)
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN:
            raise
        return []


def _state(pod: Json) -> PodState:
    status, name = pod.get("status") or {}, str(pod["metadata"]["name"])
    if pod["metadata"].get("deletionTimestamp"):
        return PodState(name, False, "is being deleted")
    conditions = status.get("conditions") or ()
    if any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions):
        return PodState(name, True)
    return PodState(name, False, _reason(status, conditions))


def _reason(status: Json, conditions: Sequence[Json]) -> str:
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting:
            parts = (waiting.get("reason"), waiting.get("message"))
            return f"{container.get('name')}: {': '.join(filter(None, parts))}"
    for condition in conditions:
        if condition.get("status") == "False" and condition.get("message"):
            return str(condition["message"])
    return str(status.get("phase") or "unknown")
