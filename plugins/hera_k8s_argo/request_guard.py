"""Hera's requests, held back while an experiment is loaded and built: its services' sessions are replaced."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from hera_k8s_utils import HeldRequest, Json, OfflinePhase, Replacement, RequestGuard, offline_phase

_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "workflows": ("Workflow", "workflow"),
    "workflow-templates": ("WorkflowTemplate", "template"),
    "cluster-workflow-templates": ("ClusterWorkflowTemplate", "template"),
    "cron-workflows": ("CronWorkflow", "cronWorkflow"),
    "event-sources": ("EventSource", "eventSource"),
    "sensors": ("Sensor", "sensor"),
    "archived-workflows": ("Workflow", ""),
    "sync": ("SyncLimit", ""),
    "events": ("event", ""),
}
"""Kind of the objects of each collection of the Argo server's, and the field of a request that holds one."""
_CLUSTER_WIDE: Final = ("cluster-workflow-templates", "archived-workflows")
_NOWHERE: Final = "http://not-configured.invalid/"
_VERBS: Final = ("get", "options", "head", "post", "put", "patch", "delete")


def replace_sessions(module: ModuleType) -> Iterable[Replacement]:
    """The attribute `session` of each service class: through it, and nothing else, all of Hera's requests go (7.1)."""
    services = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]
    for service in services:
        if "session" not in inspect.signature(service).parameters:
            raise TypeError(f"{service.__name__} has no session: this version of Hera is not known")
        yield Replacement(service, "host", _HostOfService())
        held = _HeldAsyncSession if inspect.iscoroutinefunction(getattr(service, "close", None)) else _HeldSession
        yield Replacement(service, "session", _SessionOfService(held))


class _SessionOfService:
    """Stands before the attribute of each instance, also of those made before, and of derived classes."""

    def __init__(self, held: Callable[[Any], Any]) -> None:
        self._held = held

    def __get__(self, service: Any, owner: type | None = None) -> Any:
        if service is None:
            return self
        try:
            session = vars(service)["session"]
        except KeyError:
            raise AttributeError("session") from None
        return session if offline_phase() is None else self._held(session)

    def __set__(self, service: Any, session: Any) -> None:
        vars(service)["session"] = session


class _HostOfService:
    """Gives a service that has no address one that leads nowhere, so that its request is made and can be held."""

    def __get__(self, service: Any, owner: type | None = None) -> Any:
        if service is None:
            return self
        host = vars(service).get("host")
        return _NOWHERE if host is None and offline_phase() is not None else host

    def __set__(self, service: Any, host: Any) -> None:
        vars(service)["host"] = host


def replace_creation(module: ModuleType) -> Iterable[Replacement]:
    """`create` and `async_create` of Hera's objects, which refuse to work without a namespace."""
    for each in vars(module).values():
        if inspect.isclass(each) and each.__module__ == module.__name__:
            for name in ("create", "async_create"):
                if name in vars(each):
                    yield Replacement(each, name, _remembered(vars(each)[name]))


@dataclass(frozen=True)
class _Creation:
    """A Hera object that is being created; `made_up`: its namespace is only there for the request to be made."""

    workflow: Any
    made_up: bool


_CREATION: ContextVar[_Creation | None] = ContextVar("hera_creation", default=None)


def _remembered(create: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(create)
    def synchronous(workflow: Any, *arguments: Any, **keywords: Any) -> Any:
        with _creating(workflow):
            return create(workflow, *arguments, **keywords)

    @wraps(create)
    async def asynchronous(workflow: Any, *arguments: Any, **keywords: Any) -> Any:
        with _creating(workflow):
            return await create(workflow, *arguments, **keywords)

    return asynchronous if inspect.iscoroutinefunction(create) else synchronous


@contextmanager
def _creating(workflow: Any) -> Iterator[None]:
    """The object of a request that is held back; one without a namespace has some meanwhile."""
    if offline_phase() is None:
        yield
        return
    creation = _Creation(workflow, made_up=not workflow.namespace)
    token = _CREATION.set(creation)
    if creation.made_up:
        workflow.namespace = "default"
    try:
        yield
    finally:
        _CREATION.reset(token)
        if creation.made_up:
            workflow.namespace = None


@dataclass(frozen=True)
class _Response:
    """An answer as far as Hera reads it. The status is that of requests and of httpx."""

    body: Json
    ok: bool = True
    is_success: bool = True
    status_code: int = 200

    def json(self) -> Json:
        return self.body

    @property
    def text(self) -> str:
        return json.dumps(self.body)

    @property
    def content(self) -> bytes:
        return self.text.encode()


class _HeldSession:
    """A session of requests that sends nothing; what does not send is left to the real one."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        if name in _VERBS:
            return lambda url, **parts: self.request(name, url, **parts)
        if name == "stream":
            return self.request
        return getattr(self._session, name)

    def request(self, method: str, url: str, **parts: Any) -> _Response:
        return _Response(_hold(method, url, parts))

    def send(self, request: Any, **_: Any) -> _Response:
        return self.request(request.method, str(request.url), data=getattr(request, "body", None))


class _HeldAsyncSession(_HeldSession):
    """The same for httpx."""

    async def request(self, method: str, url: str, **parts: Any) -> _Response:  # type: ignore[override]
        return _Response(_hold(method, url, parts))

    async def send(self, request: Any, **_: Any) -> _Response:  # type: ignore[override]
        return _Response(_hold(request.method, str(request.url), {"data": request.content}))


def _hold(method: str, url: str, parts: Mapping[str, Any]) -> Json:
    phase = offline_phase()
    assert phase is not None  # a session is held in a phase only
    return _held(phase, method.upper(), urlsplit(str(url)).path, _sent(parts))


def _held(phase: OfflinePhase, method: str, path: str, sent: Json | None) -> Json:
    """Record a request; return what the server would answer."""
    collection, namespace, rest = _parts(path)
    kind, field = _KINDS.get(collection, ("", ""))
    found = (sent or {}).get(field) if field else sent
    body = found if isinstance(found, dict) else sent
    verb = "send" if collection == "events" else _verb(method, rest)
    if verb == "submit" and (made := _from_template(sent or {})) is not None:
        verb, body = "create", made
    creation = _CREATION.get()
    if creation is not None and creation.made_up and body is not None:
        namespace, body = "", _without_namespace(body)
    request = HeldRequest(
        library="hera",
        method=method,
        path=path,
        changes=method not in ("GET", "HEAD", "OPTIONS") and verb != "lint",
        verb=verb,
        kind=kind,
        namespace="" if namespace == "None" else namespace,  # as Hera writes that it has none
        body=body,
        origin=creation.workflow if creation is not None else None,
    )
    return phase.hold(request, _answer(request))


def _answer(request: HeldRequest) -> Json | None:
    """What the server would answer, as far as that is known; None where Hera would read something out of it."""
    if request.verb in ("create", "update"):
        return request.body
    return {} if request.verb in ("delete", "send") else None


def _without_namespace(body: Json) -> Json:
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key != "namespace"}
    return {**body, "metadata": metadata}


def _from_template(sent: Json) -> Json | None:
    """The Workflow that the server makes when a template is submitted; None for a CronWorkflow, which it would read.

    As Argo's `NewWorkflowFromWorkflowTemplate` and `ApplySubmitOpts` (util/workflow.go, 3.6).
    """
    kind = str(sent.get("resourceKind") or "").lower()
    name = str(sent.get("resourceName") or "")
    references = {
        ("workflowtemplate", "workflowtemplates", "workflow-template", "wftmpl"): {"name": name},
        ("clusterworkflowtemplate", "clusterworkflowtemplates", "cwft"): {"name": name, "clusterScope": True},
    }
    reference = next((value for kinds, value in references.items() if kind in kinds), None)
    if reference is None or not name:
        return None
    options = sent.get("submitOptions") or {}
    named = {key: options[key] for key in ("name", "generateName") if options.get(key)}
    spec: Json = {"workflowTemplateRef": reference}
    for option, field in (("entryPoint", "entrypoint"), ("serviceAccount", "serviceAccountName")):
        if options.get(option):
            spec[field] = options[option]
    parameters = [str(each).partition("=") for each in options.get("parameters") or ()]
    if parameters:
        spec["arguments"] = {"parameters": [{"name": key, "value": value} for key, _, value in parameters]}
    metadata = {**(named or {"generateName": f"{name}-"})}
    for option in ("labels", "annotations"):
        if options.get(option):
            metadata[option] = dict(pair.split("=", 1) for pair in str(options[option]).split(",") if "=" in pair)
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": spec}


def _parts(path: str) -> tuple[str, str, list[str]]:
    """Collection, namespace and what follows, of `/base/api/v1/workflows/vcity/name`."""
    words = path.partition("/api/v1/")[2].strip("/").split("/")
    collection, rest = words[0], words[1:]
    if collection in _CLUSTER_WIDE or not rest:
        return collection, "", rest
    return collection, rest[0], rest[1:]


def _verb(method: str, rest: list[str]) -> str:
    """`create`, `update`, `delete`, or the last word of the path, such as `lint` or `stop`."""
    if method == "DELETE":
        return "delete"
    if method == "POST":
        return rest[-1] if rest else "create"
    if method == "PUT":
        return rest[-1] if len(rest) > 1 else "update"
    return "get"


def _sent(parts: Mapping[str, Any]) -> Json | None:
    """The body of a request as plain JSON; None where there is none."""
    data = parts.get("json", parts.get("data", parts.get("content")))
    if isinstance(data, (str, bytes)):
        try:
            data = json.loads(data)
        except ValueError:
            return None
    return data if isinstance(data, dict) else None


GUARD: Final = RequestGuard(
    name="hera",
    modules=(
        "hera.workflows.service",
        "hera.workflows.async_service",
        "hera.events.service",
        "hera.events.async_service",
    ),
    replace=replace_sessions,
)
CREATION_GUARD: Final = RequestGuard(
    name="hera-objects",
    modules=("hera.workflows.workflow", "hera.workflows.cron_workflow", "hera.workflows.workflow_template"),
    replace=replace_creation,
)
