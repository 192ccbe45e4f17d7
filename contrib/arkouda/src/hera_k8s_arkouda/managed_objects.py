"""The objects of an instance on the cluster, read off the templates, and how they are: there, ready, or why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hera_k8s_arkouda.deployment import Subject
from hera_k8s_arkouda.templates import METRICS_WANTED, template_bodies
from hera_k8s_utils import Context, ErrorKind, Manifest, PlatformError

Json = dict[str, Any]


@dataclass(frozen=True)
class ManagedObject:
    """One object by its kind and name."""

    api_version: str
    kind: str
    name: str

    @property
    def resource(self) -> str:
        """The plural of its kind, which is regular for all of ours."""
        return f"{self.kind.lower()}s"

    @property
    def title(self) -> str:
        """`Deployment arkouda-locale`."""
        return f"{self.kind} {self.name}"


def things_of(subject: Subject) -> list[ManagedObject]:
    """What the workflow of a subject makes or deletes, in its order."""
    parameters = subject.parameters()
    body = template_bodies()[subject.template]
    skipped = _skipped(body) if parameters.get("collect-metrics") == "false" else set()
    found = []
    for part in Manifest.of(body).resources():
        if part.template not in skipped:
            found.append(ManagedObject(part.api_version, part.kind, _filled(part.name, parameters)))
    return list(dict.fromkeys(found))


def number_of_tasks(subject: Subject) -> int:
    """How many tasks the workflow of a subject has."""
    return len(_tasks(template_bodies()[subject.template]))


def _tasks(body: Json) -> list[Json]:
    return [task for template in body["spec"]["templates"] for task in (template.get("dag") or {}).get("tasks") or ()]


def _skipped(body: Json) -> set[str]:
    return {task["template"] for task in _tasks(body) if task.get("when") == METRICS_WANTED}


def _filled(text: str, parameters: dict[str, str]) -> str:
    for name, value in parameters.items():
        text = text.replace(f"{{{{workflow.parameters.{name}}}}}", value)
    return text


def look(context: Context, thing: ManagedObject) -> Json | None:
    """The object; None when there is none, or when the cluster does not know its kind."""
    try:
        return context.kubernetes.get(thing.api_version, thing.resource, thing.name)
    except PlatformError as error:
        if error.trouble is ErrorKind.MISSING:
            return None
        raise


def is_known(context: Context, thing: ManagedObject) -> bool:
    """Whether the cluster knows the kind of the object; true where it may not be looked at."""
    try:
        context.kubernetes.get(thing.api_version, thing.resource, thing.name)
    except PlatformError as error:
        if error.trouble not in (ErrorKind.MISSING, ErrorKind.FORBIDDEN):
            raise
        return error.trouble is ErrorKind.FORBIDDEN or error.reason == "NotFound"  # an unknown kind has no such reason
    return True


def is_there(context: Context, thing: ManagedObject) -> bool | None:
    """Whether the object is there; None where it may not be looked at."""
    try:
        return look(context, thing) is not None
    except PlatformError as error:
        if error.trouble is not ErrorKind.FORBIDDEN:
            raise
        return None


def present(context: Context, things: Iterable[ManagedObject]) -> list[ManagedObject]:
    """Those that are there, as far as they may be looked at."""
    return [thing for thing in things if is_there(context, thing)]


@dataclass(frozen=True)
class PodState:
    """A pod and whether it is ready; why it is not, in a few words."""

    name: str
    ready: bool
    why: str = ""


def pods_of(context: Context, app: str) -> list[PodState]:
    """The pods with the label `app`, by name; none where they may not be listed."""
    found = context.kubernetes.list("v1", "pods", label_selector=f"app={app}")
    try:
        return sorted((_state(pod) for pod in found), key=lambda state: state.name)
    except PlatformError as error:
        if error.trouble is not ErrorKind.FORBIDDEN:
            raise
        return []


def _state(pod: Json) -> PodState:
    status, name = pod.get("status") or {}, str(pod["metadata"]["name"])
    if pod["metadata"].get("deletionTimestamp"):
        return PodState(name, False, "is being deleted")
    conditions = status.get("conditions") or ()
    if any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions):
        return PodState(name, True)
    return PodState(name, False, _why(status, conditions))


def _why(status: Json, conditions: Sequence[Json]) -> str:
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting:
            said = (waiting.get("reason"), waiting.get("message"))
            return f"{container.get('name')}: {': '.join(filter(None, said))}"
    for condition in conditions:
        if condition.get("status") == "False" and condition.get("message"):
            return str(condition["message"])
    return str(status.get("phase") or "unknown")
