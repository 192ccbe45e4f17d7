"""Workload kinds: the kinds of object that a builder may return, and the functions that read each of them.

Plugins declare them through the hook `workload_kinds`. An object of a kind that no plugin declares is still named,
labelled and rendered; nothing else is known of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hera_k8s_utils._types import Json
from hera_k8s_utils.experiment.bodies import merge_fields, metadata_of, with_labels
from hera_k8s_utils.experiment.schema import object_error
from hera_k8s_utils.experiment.workload import (
    UNKNOWN,
    ContainerUse,
    ObjectReference,
    PeakDemand,
    Resolution,
    ResourceAction,
    RunPlan,
    Source,
)
from hera_k8s_utils.results import Finding


class WorkloadAnalysis:
    """What one workload is made of and what it uses; made once for a manifest.

    This base knows only what every object has. Kinds derive from it and override what they know more of.
    """

    def __init__(self, body: Json) -> None:
        self.body = body

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.body["kind"])

    @property
    def metadata(self) -> Json:
        """Names, labels and annotations."""
        return metadata_of(self.body)

    @property
    def name(self) -> str:
        """The object's name; empty when the server makes one from `generateName`."""
        return str(self.metadata.get("name") or "")

    @property
    def namespace(self) -> str:
        """The namespace that the object names, or empty."""
        return str(self.metadata.get("namespace") or "")

    @property
    def spec(self) -> Json:
        """The specification of what runs."""
        return self.body.get("spec") or {}

    @property
    def objects(self) -> Sequence[Json]:
        """What is created on the cluster, one by one."""
        return [self.body]

    def templates(self) -> Iterator[tuple[str, Json]]:
        """Name and body of each template."""
        return iter(())

    def used_templates(self) -> Iterator[tuple[str, Json]]:
        """Name and body of each template that a run can reach."""
        return self.templates()

    def resolve(self, template: str, text: str) -> Resolution:  # noqa: ARG002 - kinds with variables use it
        """What a text in a template may stand for; an empty name means the workload itself.

        Braces belong to a language that this base does not read: what they stand for is unknown.
        """
        return UNKNOWN if "{{" in text else Resolution(frozenset((text,)))

    def containers(self) -> Iterator[ContainerUse]:
        """The containers of the templates that a run can reach."""
        return iter(())

    def service_accounts(self) -> Iterator[ObjectReference]:
        """The service accounts that the workload and its templates name."""
        return iter(())

    def pull_secrets(self) -> Iterator[ObjectReference]:
        """The secrets that images are pulled with."""
        return iter(())

    def template_references(self) -> Iterator[ObjectReference]:
        """The templates of the cluster that the workload uses."""
        return iter(())

    def resources(self) -> Iterator[ResourceAction]:
        """The objects that the workload acts upon."""
        return iter(())

    def demand(self) -> PeakDemand:
        """The most that a run may ask for at one time."""
        return PeakDemand(cpu=0.0, memory=0, pods=0)


class Workload(Protocol):
    """A manifest, as the functions of a kind see it."""

    @property
    def body(self) -> Json:
        """The object as plain data; read-only."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """The functions that scripts were made from, by template."""

    @property
    def size(self) -> int:
        """Bytes of compact JSON."""

    @property
    def analysis(self) -> Any:
        """What the kind's `analyse` returned."""


def _no_sources(_built: Any) -> Mapping[str, Source]:
    return {}


def _recognise_none(_value: Any) -> bool:
    return False


def _read_mapping(value: Any, _read_item: Callable[[Any], Mapping[str, Any]]) -> Mapping[str, Any]:
    return dict(value)


def _as_it_is(body: Json) -> Json:
    return body


def _validate(body: Mapping[str, Any]) -> str:
    return object_error(body, {})


def _labelled(body: Json, _name: str, labels: Mapping[str, str]) -> Json:
    return with_labels(body, labels)


def _with_spec(body: Json, fields: Json) -> Json:
    return {**body, "spec": merge_fields(body.get("spec") or {}, fields)}


def _no_plan(_body: Mapping[str, Any]) -> RunPlan:
    return RunPlan()


def _no_command(_name: str, _namespace: str) -> str:
    return ""


def _nothing_known(_body: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class WorkloadKind:
    """A kind of object that a builder may return, and the functions that read it. They make no request.

    name: the object's kind, `Workflow`.
    engine_kind: the kind that an engine must run, such as `Job` for a `List` of Jobs; default: the name.
    noun: what a message calls a run of it, `workflow`; default: the name.
    is_runnable: submitting it starts something that can be followed to its end; default False.
    recognises: (value) -> whether `read` makes an object of this value, which is no mapping; default: never, since
        mappings and values with `to_dict` or `model_dump` need none.
    read: (value, read_item) -> the object as a mapping; `read_item` reads one value of several. Raises `BuildError`.
    validate: (body) -> the first field that does not have its shape, with its place; empty when all of them fit.
    validates_models: whether objects that build themselves are validated too; False where their classes have done it.
    complete: (body) -> the valid body with what may be left out filled in. Raises `BuildError`.
    sources: (what the builder returned) -> the Python functions that scripts were made from, by template.
    analyse: (body) -> `WorkloadAnalysis`; called once for each manifest.
    for_run: (body, name, labels) -> the body as the run of this name, with labels; default: the labels alone.
    with_spec: (body, fields) -> the body with further fields in its spec; lists are joined, scalars stay.
    plan: (body) -> `RunPlan`, for the view of a run. The body comes from a record and may be damaged.
    lint: (workload) -> findings, at least one; None when the kind is not checked.
    how_to_create: (name, namespace) -> what a user types to create it from what `hera-k8s render` writes, and to start
        its runs, a line for each; for kinds that `hera-k8s run` does not run. Default: nothing, it is submitted.
    resume_command: (name, namespace) -> what a user types to resume a suspended run; empty where there is nothing.
    why_pods_go: (body) -> why pods of a run may be gone, and where their logs may be, in one line; empty where nothing
        is known. The body comes from a record and may be damaged.
    when_stopped: what becomes of a stopped run, `its exit handlers still run`; default: the message leaves it out.
    when_terminated: the same for `--terminate`.
    """

    name: str
    engine_kind: str = ""
    noun: str = ""
    is_runnable: bool = False
    recognises: Callable[[Any], bool] = _recognise_none
    read: Callable[[Any, Callable[[Any], Mapping[str, Any]]], Mapping[str, Any]] = _read_mapping
    validate: Callable[[Mapping[str, Any]], str] = _validate
    validates_models: bool = True
    complete: Callable[[Json], Json] = _as_it_is
    sources: Callable[[Any], Mapping[str, Source]] = _no_sources
    analyse: Callable[[Json], WorkloadAnalysis] = WorkloadAnalysis
    for_run: Callable[[Json, str, Mapping[str, str]], Json] = _labelled
    with_spec: Callable[[Json, Json], Json] = _with_spec
    plan: Callable[[Mapping[str, Any]], RunPlan] = _no_plan
    lint: Callable[[Any], Iterable[Finding]] | None = None
    how_to_create: Callable[[str, str], str] = _no_command
    resume_command: Callable[[str, str], str] = _no_command
    why_pods_go: Callable[[Mapping[str, Any]], str] = _nothing_known
    when_stopped: str = ""
    when_terminated: str = ""


_LOADING: Final = threading.local()


@contextmanager
def loading_a_plugin() -> Iterator[None]:
    """In this thread a plugin is being loaded: a manifest that it makes meanwhile finds the kinds that there are."""
    _LOADING.here = True
    try:
        yield
    finally:
        _LOADING.here = False


class _Registry:
    """The kinds of this process: manifests are made without a container too.

    Kinds stay registered. A program may have containers with different plugins, and what one of them built must still
    be readable after another was made.
    """

    def __init__(self) -> None:
        self.load: Callable[[], object] | None = None
        self._kinds: dict[str, WorkloadKind] = {}
        self._loaded = False
        self._lock = threading.RLock()

    def known(self) -> Mapping[str, WorkloadKind]:
        """The kinds by name; loads the installed plugins when nothing has loaded any."""
        if self._loaded or getattr(_LOADING, "here", False):
            return self._kinds
        with self._lock:
            load, self.load = self.load, None
            if load is not None:
                try:
                    load()
                except BaseException:
                    self.load = load  # the next manifest fails with the same error
                    raise
        return self._kinds

    def add(self, kinds: Iterable[WorkloadKind]) -> None:
        """Add kinds; one replaces another of its name."""
        with self._lock:
            self._kinds.update({kind.name: kind for kind in kinds})
            self._loaded = True


_REGISTRY: Final = _Registry()


def load_kinds_with(load: Callable[[], object]) -> None:
    """What loads the installed plugins when a kind is asked for before any plugin was loaded."""
    _REGISTRY.load = load


def register_kinds(kinds: Iterable[WorkloadKind]) -> None:
    """Add the kinds that loaded plugins declare."""
    _REGISTRY.add(kinds)


def workload_kind(name: str) -> WorkloadKind:
    """The kind of this name; one of which nothing is known when no plugin declares it."""
    return _REGISTRY.known().get(name) or WorkloadKind(name=name, validates_models=False)


def is_declared(name: str) -> bool:
    """Whether a plugin declares the kind of this name."""
    return name in _REGISTRY.known()


def recognise(value: Any) -> WorkloadKind | None:
    """The kind that reads a value which is no mapping; None when no kind recognises it."""
    return next((kind for kind in _REGISTRY.known().values() if kind.recognises(value)), None)


def plan_of(body: Mapping[str, Any]) -> RunPlan:
    """What a run of a recorded manifest will do; empty for one of a kind that is not known."""
    return workload_kind(str(body.get("kind") or "")).plan(body)
