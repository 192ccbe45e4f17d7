"""The context of a pod: look-ups in its cluster, and reports about the pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hera_k8s_utils._types import Json

TOKEN_SECONDS = 3600  # default lifetime of a projected token


class PodBlocked(Exception):
    """A pod cannot start yet.

    reason, message: as kubelet or scheduler write them into the status.
    event: reason of the event that reports it; by default `reason`.
    event_message: message of that event; by default `message`.
    """

    def __init__(self, reason: str, message: str, *, event: str = "", event_message: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.event = event or reason
        self.event_message = event_message or message


class PodContext(Protocol):
    """The cluster around one pod, as its worker uses it.

    All methods are called on the event loop. Look-ups may take time; `report` and `record_event` return at once, and
    drop what cannot be written because the pod is gone.
    """

    async def find(self, kind: str, name: str) -> Json | None:
        """A `ConfigMap` or `Secret` of the pod's namespace, or None when it is not there."""

    async def claim(self, name: str) -> Path:
        """The directory of a claim of the namespace, bound now if it waits for a pod. Raises PodBlocked."""

    async def token(self, audience: str, seconds: int) -> str:
        """A token of the pod's account; audience: empty for the API server."""

    def report(self, status: Json, annotations: Mapping[str, str]) -> None:
        """Write the pod's status, whole but for what the API server owns of it, and add annotations."""

    def record_event(self, reason: str, message: str, type: str = "Warning") -> None:
        """Record an event about the pod."""


@dataclass(frozen=True)
class Sources:
    """The objects that a pod's volumes and variables are made from.

    objects: by kind and name; None: not found.
    claims: directories by the claim's name.
    tokens: by audience and lifetime in seconds.
    """

    objects: Mapping[tuple[str, str], Json | None] = field(default_factory=dict)
    claims: Mapping[str, Path] = field(default_factory=dict)
    tokens: Mapping[tuple[str, int], str] = field(default_factory=dict, repr=False)


async def look_up(pod: Json, context: PodContext) -> Sources:
    """Look up everything that a pod refers to. Raises PodBlocked when it has a claim that cannot be used yet."""
    claims = {name: await context.claim(name) for name in dict.fromkeys(_claims(pod))}
    objects = {key: await context.find(*key) for key in dict.fromkeys(_objects(pod))}
    tokens = {key: await context.token(*key) for key in dict.fromkeys(_tokens(pod))}
    return Sources(objects, claims, tokens)


def containers_of(pod: Json) -> list[Json]:
    """All containers, in the order in which they start."""
    return [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]


def _volumes(pod: Json) -> list[Json]:
    return list(pod["spec"].get("volumes") or ())


def _claims(pod: Json) -> Iterator[str]:
    for volume in _volumes(pod):
        if volume.get("persistentVolumeClaim"):
            yield volume["persistentVolumeClaim"]["claimName"]


def _projections(pod: Json) -> Iterator[Json]:
    for volume in _volumes(pod):
        yield from (volume.get("projected") or {}).get("sources") or ()


def _tokens(pod: Json) -> Iterator[tuple[str, int]]:
    for source in _projections(pod):
        if wanted := source.get("serviceAccountToken"):
            yield wanted.get("audience") or "", int(wanted.get("expirationSeconds") or TOKEN_SECONDS)


def _objects(pod: Json) -> Iterator[tuple[str, str]]:
    for volume in _volumes(pod):
        if source := volume.get("configMap"):
            yield "ConfigMap", source.get("name", "")
        if source := volume.get("secret"):
            yield "Secret", source.get("secretName", "")
    for source in _projections(pod):
        for field_name, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if source.get(field_name):
                yield kind, source[field_name].get("name", "")
    for container in containers_of(pod):
        for source in container.get("envFrom") or ():
            for field_name, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if source.get(field_name):
                    yield kind, source[field_name].get("name", "")
        for one in container.get("env") or ():
            source = one.get("valueFrom") or {}
            for field_name, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if source.get(field_name):
                    yield kind, source[field_name].get("name", "")
