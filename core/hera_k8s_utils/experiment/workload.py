"""What a workload needs of its cluster and what its run will do: containers, references, peak demand, planned tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hera_k8s_utils._types import Json

Source = Callable[..., Any]
"""A Python function whose body became the source of a script that a workload carries."""


@dataclass(frozen=True)
class Resolution:
    """What a text may stand for.

    values: the values that are known.
    unknown: there may be other values, which only the run will show; default False.
    """

    values: frozenset[str]
    unknown: bool = False


UNKNOWN: Final = Resolution(frozenset(), unknown=True)


@dataclass(frozen=True)
class Unresolved:
    """A name that only the run will show.

    text: as written.
    where: the template or field that holds it.
    """

    text: str
    where: str


@dataclass(frozen=True)
class ContainerUse:
    """A container of a template's pod.

    template: the name of the template.
    kind: `container`, `script`, `init` or `sidecar`.
    container: its body.
    volumes: those of the template, and of the workflow as far as the pod mounts them; default none.
    """

    template: str
    kind: str
    container: Json
    volumes: Sequence[Json] = ()


@dataclass(frozen=True)
class ObjectReference:
    """A name that a workload gives to an object outside it.

    text: the name as written; may hold variables.
    scope: the template whose variables they are; empty for the workload's own.
    where: the place, as a message names it.
    template: of a template reference, which one of the object's templates; else empty.
    cluster: whether the object is cluster-scoped; default False.
    """

    text: str
    scope: str
    where: str
    template: str = ""
    cluster: bool = False


@dataclass(frozen=True)
class ResourceAction:
    """What a workload does to an object of the cluster. Texts may hold variables.

    template: the template that does it.
    action: `get`, `create`, `apply`, `delete`, `replace` or `patch`.
    body: the object; None when it cannot be read offline.
    """

    template: str
    action: str
    body: Json | None

    @property
    def kind(self) -> str:
        """The object's kind, or empty."""
        return str((self.body or {}).get("kind") or "")

    @property
    def api_version(self) -> str:
        """The object's API version, or empty."""
        return str((self.body or {}).get("apiVersion") or "")

    @property
    def name(self) -> str:
        """The object's name, empty where it has `generateName`."""
        return str(((self.body or {}).get("metadata") or {}).get("name") or "")

    @property
    def namespace(self) -> str:
        """The object's namespace, or empty."""
        return str(((self.body or {}).get("metadata") or {}).get("namespace") or "")


@dataclass(frozen=True)
class PeakDemand:
    """The most that a run may ask for at one time; None where only the run will show it.

    cpu: cores.
    memory: bytes.
    pods: how many at once.
    fan_out: pods of one template at once, which may share a claim; at least 1, and 2 where it is not known.
    """

    cpu: float | None = None
    memory: int | None = None
    pods: int | None = None
    fan_out: int = 1


@dataclass(frozen=True)
class PlannedTasks:
    """The tasks of one template, as far as the manifest shows.

    template: its name.
    total: how many tasks; None when only the run will show it.
    after: templates whose tasks must end before; default none.
    """

    template: str
    total: int | None
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunPlan:
    """What a run will do, as far as the manifest shows.

    tasks: the planned tasks by template, in the order of the manifest.
    suspend_templates: templates that wait to be resumed, each with the time after which it goes on by itself (`10m`),
        empty where it waits until it is resumed; default none.
    """

    tasks: Sequence[PlannedTasks] = ()
    suspend_templates: Mapping[str, str] = field(default_factory=dict)
