"""The quota of pods: a sandbox has one node, and not the memory of a cluster for what waits for it."""

from __future__ import annotations

import time
from typing import Final

from hera_k8s_sandbox.foundation.errors import forbidden
from hera_k8s_sandbox.foundation.resource_types import PODS
from hera_k8s_sandbox.store.store import Store

MOST_PODS: Final = 10_000  # that have not ended
_PAUSE: Final = 1.0  # seconds between two counts


class PodQuota:
    """How many pods may still be made; those that have ended do not count."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._free = 0
        self._counted = float("-inf")

    def take(self, name: str) -> None:
        """Make room for a pod. Raises ApiError 403 in the words of a ResourceQuota."""
        if not self.has_room():
            used = f"requested: pods=1, used: pods={MOST_PODS}, limited: pods={MOST_PODS}"
            raise forbidden(PODS, name, f"exceeded quota: sandbox, {used}")
        self._free -= 1

    def has_room(self) -> bool:
        """Whether a pod may be made now."""
        if self._free <= 0 and time.monotonic() >= self._counted + _PAUSE:
            self._count()
        return self._free > 0

    def _count(self) -> None:
        self._counted = time.monotonic()
        self._free = MOST_PODS
        if self._store.count(PODS) >= MOST_PODS // 2:
            phases = ((pod.get("status") or {}).get("phase") for pod in self._store.list(PODS))
            self._free -= sum(phase not in ("Succeeded", "Failed") for phase in phases)
        else:
            self._free -= self._store.count(PODS)
