"""The cluster as a running workflow uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hera_k8s_sandbox.foundation.labels import CONFIG_MAP_TYPE
from hera_k8s_utils._types import Json


class NotThere(ValueError):
    """A config map, or a key of one, is not there; the message is Argo's."""


class Cluster(Protocol):
    """The pods, claims and config maps of one workflow, and the locks that it shares with others."""

    def create(self, pod: Json) -> Json:
        """Add a pod, or return the one of this name that the workflow owns already. Raises ApiError."""

    def has_room(self) -> bool:
        """Whether a pod may be made now."""

    def stop(self, name: str) -> None:
        """End a pod's processes, or keep them from starting."""

    def config_map(self, name: str, namespace: str = "") -> Json | None:
        """A config map, by default of the workflow's namespace; None when it does not exist."""

    def keep(self, name: str, key: str, entry: str) -> None:
        """Write an entry of a cache, which is made when it is not there. Raises ApiError."""

    def create_claim(self, claim: Json) -> None:
        """Add a claim that the workflow owns, unless it has it. Raises ApiError."""

    def delete_claim(self, name: str) -> None:
        """Remove a claim, if it is there."""

    def acquire(self, holder: str, locks: Mapping[str, int], priority: int) -> tuple[str, str] | None:
        """Take locks, all or none; else the name of one that is not free, and a message.

        holder: the id of a node, or empty for the whole workflow. locks: how many may hold each, by their names.
        """

    def release(self, holder: str) -> None:
        """Give back what a holder has, and take it from the queues."""


def parameter(cluster: Cluster, reference: Json) -> str:
    """The value that `configMapKeyRef` names. Raises NotThere, and ValueError for a map that is not for this."""
    name, key = str(reference.get("name", "")), str(reference.get("key", ""))
    found = cluster.config_map(name)
    if found is None:
        message = f"Please make sure it has the label {CONFIG_MAP_TYPE}: Parameter to be detectable by the controller"
        raise NotThere(f"ConfigMap '{name}' does not exist. {message}")
    if (found["metadata"].get("labels") or {}).get(CONFIG_MAP_TYPE) != "Parameter":
        raise ValueError(f"ConfigMap '{name}' needs to have the label {CONFIG_MAP_TYPE}: Parameter to load parameters")
    if key not in (found.get("data") or {}):
        raise NotThere(f"ConfigMap '{name}' does not have the key '{key}'")
    return str(found["data"][key])
