"""What a workload needs of its cluster: containers, objects it refers to, resource actions and peak demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hera_k8s_utils._types import Json


@dataclass(frozen=True)
class Resolution:
    """What a text may stand for. unknown: there may be other values, which only the run will show."""

    values: frozenset[str]
    unknown: bool = False


UNKNOWN: Final = Resolution(frozenset(), unknown=True)


@dataclass(frozen=True)
class Unresolved:
    """A name that only the run will show. text: as written. where: the template or field that holds it."""

    text: str
    where: str


@dataclass(frozen=True)
class ContainerUse:
    """A container of a template's pod.

    kind: `container`, `script`, `init` or `sidecar`. container: its body.
    volumes: those of the template, and of the workflow as far as the pod mounts them.
    """

    template: str
    kind: str
    container: Json
    volumes: Sequence[Json] = ()


@dataclass(frozen=True)
class ObjectReference:
    """A name that the workflow gives to something outside it.

    text: as written; may hold variables. scope: the template whose variables they are, empty for the workflow's.
    where: how a person calls the place. template: of a template reference, which one of the object's templates.
    cluster: the object is cluster-scoped.
    """

    text: str
    scope: str
    where: str
    template: str = ""
    cluster: bool = False


@dataclass(frozen=True)
class ResourceAction:
    """What a `resource` template does to an object of the cluster. Texts may hold variables.

    action: get, create, apply, delete, replace or patch. body: None when the manifest cannot be read offline.
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
    """The most that a run may ask for at one time; None where it cannot be told.

    cpu: cores. memory: bytes. pods: how many at once. fan_out: pods that may share a claim at once.
    """

    cpu: float | None = None
    memory: int | None = None
    pods: int | None = None
    fan_out: int = 1
