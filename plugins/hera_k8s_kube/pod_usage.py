"""What the pods of a run use: those of a workflow's templates, those its `resource` templates create, those of Jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from hera_k8s_kube.jobs.manifest import jobs_of
from hera_k8s_utils import Json
from hera_k8s_utils.experiment import Manifest, Unresolved

_POD_AT: Final[Mapping[str, Sequence[str]]] = {
    "Pod": ("spec",),
    "Job": ("spec", "template", "spec"),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where the pod's own spec is in each kind that makes pods."""


@dataclass(frozen=True)
class UsedPod:
    """A pod, or a container of one. scope: the template whose variables its texts hold.

    account, pull_secrets: of pods that a `resource` template or a Job makes; those of a workflow are its own.
    """

    scope: str
    where: str
    containers: Sequence[Json] = ()
    volumes: Sequence[Json] = ()
    account: str = ""
    pull_secrets: Sequence[Json] = field(default_factory=tuple)


class KeyedUse(NamedTuple):
    """A config map or secret that a pod needs, by the text that names it, and the keys it needs of it."""

    name: str
    keys: tuple[str, ...]


def used_pods(manifest: Manifest) -> Iterator[UsedPod]:
    """Every container that a run can start."""
    for part in manifest.containers():
        yield UsedPod(part.template, f"template {part.template}", (part.container,), part.volumes)
    for resource in manifest.resources():
        spec = _pod_spec(resource.kind, resource.body) if resource.action in ("create", "apply") else None
        if spec is not None:
            yield _whole(spec, resource.template, f"the {resource.kind} of template {resource.template}")
    for job in jobs_of(manifest.body):
        spec = _pod_spec("Job", job)
        if spec is not None:
            yield _whole(spec, "", f"Job {(job.get('metadata') or {}).get('name') or ''}".rstrip())


def _whole(spec: Json, scope: str, where: str) -> UsedPod:
    """A pod with all of its containers."""
    return UsedPod(
        scope=scope,
        where=where,
        containers=[*(spec.get("initContainers") or ()), *(spec.get("containers") or ())],
        volumes=spec.get("volumes") or (),
        account=str(spec.get("serviceAccountName") or ""),
        pull_secrets=spec.get("imagePullSecrets") or (),
    )


def _pod_spec(kind: str, body: Json | None) -> Json | None:
    found: Any = body
    for step in _POD_AT.get(kind, ()):
        found = found.get(step) if isinstance(found, dict) else None
    return found if kind in _POD_AT and isinstance(found, dict) else None


def resolved(manifest: Manifest, pod: UsedPod, text: Any) -> Iterable[str | Unresolved]:
    """The names that a text in a pod may stand for."""
    return manifest.names(pod.scope, str(text), pod.where)


def keyed_uses(pod: UsedPod, kind: str) -> Iterator[KeyedUse]:
    """The config maps (`configMap`) or secrets (`secret`) that a pod cannot start without."""
    for container in pod.containers:
        for source in container.get("envFrom") or ():
            yield from _use(source.get(f"{kind}Ref"), "name", ())
        for variable in container.get("env") or ():
            reference = (variable.get("valueFrom") or {}).get(f"{kind}KeyRef")
            yield from _use(reference, "name", ((reference or {}).get("key"),))
    for volume in pod.volumes:
        for source in _sources(volume, kind):
            name = "secretName" if "secretName" in source else "name"
            yield from _use(source, name, [item.get("key") for item in source.get("items") or ()])


def _sources(volume: Json, kind: str) -> Iterator[Json]:
    if isinstance(volume.get(kind), dict):
        yield volume[kind]
    for source in (volume.get("projected") or {}).get("sources") or ():
        if isinstance(source.get(kind), dict):
            yield source[kind]


def _use(reference: Any, name: str, keys: Iterable[Any]) -> Iterator[KeyedUse]:
    if isinstance(reference, dict) and reference.get(name) and not reference.get("optional"):
        yield KeyedUse(str(reference[name]), tuple(str(key) for key in keys if key))
