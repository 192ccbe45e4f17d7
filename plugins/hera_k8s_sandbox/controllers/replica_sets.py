"""ReplicaSets: as many pods of one template as are wanted."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from typing import Any, Final

from hera_k8s_sandbox.controllers.jobs.pods import is_active, is_leaving, is_ready, order_of_removal
from hera_k8s_sandbox.controllers.owner_references import claim, concerned, reference_to
from hera_k8s_sandbox.controllers.work_queue import Key, WorkQueue
from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.foundation.resource_types import PODS, REPLICA_SETS
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.events import record_event
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.informer import reconcile
from hera_k8s_sandbox.store.store import Event, now_text
from hera_k8s_utils._types import Json

_COMPONENT: Final = "replicaset-controller"
_MOST_AT_ONCE: Final = 100  # pods created or deleted in one sync; the loop has other work
_AGAIN: Final = 1.0  # seconds until a pod that was refused is tried again


class ReplicaSetController:
    """Keeps the ReplicaSets of a sandbox at their number of pods."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._store = state.store
        self._queue = WorkQueue("replicaset", self._sync)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to watch, beginning with the objects that exist."""
        work = (reconcile(self._store, REPLICA_SETS, self._take), reconcile(self._store, PODS, self._take_pod))
        self._tasks = [asyncio.create_task(each) for each in work]

    async def stop(self) -> None:
        """Look at nothing any more."""
        self._queue.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, event: Event) -> None:
        if event.type == "DELETED":
            self._queue.forget(event.entry.key)
        else:
            self._queue.enqueue(event.entry.key)

    def _take_pod(self, event: Event) -> None:
        for key in concerned(self._store, REPLICA_SETS, event.entry):
            self._queue.enqueue(key)

    def _sync(self, key: Key) -> float | None:
        replica_set = self._store.get(REPLICA_SETS, *key)
        owned = claim(self._store, REPLICA_SETS, replica_set, PODS)
        pods = [pod for pod in owned if is_active(pod)]
        problem = ""
        if "deletionTimestamp" not in replica_set["metadata"]:
            problem = self._manage(replica_set, pods)
        wait = self._write(replica_set, pods, sum(map(is_leaving, owned)), problem)
        return _AGAIN if problem else wait

    def _manage(self, replica_set: Json, pods: list[Json]) -> str:
        """Make pods, or remove those that are too many; why that could not be done."""
        wanted = int(replica_set["spec"]["replicas"])
        for _ in range(min(wanted - len(pods), _MOST_AT_ONCE)):
            try:
                self._create(replica_set)
            except ApiError as error:
                self._record_event(replica_set, "FailedCreate", f"Error creating: {error.message}", "Warning")
                return f"FailedCreate\n{error.message}"
        for pod in sorted(pods, key=order_of_removal)[: max(0, len(pods) - wanted)]:
            with contextlib.suppress(ApiError):  # gone already
                name = pod["metadata"]["name"]
                operations.delete(self._state, PODS, pod["metadata"]["namespace"], name)
                self._record_event(replica_set, "SuccessfulDelete", f"Deleted pod: {name}")
        return ""

    def _create(self, replica_set: Json) -> None:
        meta, template = replica_set["metadata"], copy.deepcopy(replica_set["spec"]["template"])
        given = template.get("metadata") or {}
        made: Json = {
            "generateName": f"{meta['name']}-",
            "labels": dict(given.get("labels") or {}),
            "ownerReferences": [reference_to(REPLICA_SETS, replica_set)],
        }
        for field in ("annotations", "finalizers"):
            if given.get(field):
                made[field] = copy.copy(given[field])
        pod = {"metadata": made, "spec": template["spec"]}
        entry = operations.create(self._state, PODS, meta["namespace"], pod)
        self._record_event(replica_set, "SuccessfulCreate", f"Created pod: {entry.meta['name']}")

    def _write(self, replica_set: Json, pods: list[Json], leaving: int, problem: str) -> float | None:
        """Write the status; the seconds until a pod that is ready counts as available."""
        meta, spec = replica_set["metadata"], replica_set["spec"]
        labels = ((spec["template"].get("metadata") or {}).get("labels") or {}).items()
        ready = [pod for pod in pods if is_ready(pod)]
        waits = [_until_available(pod, int(spec.get("minReadySeconds") or 0)) for pod in ready]
        counts = {
            "replicas": len(pods),
            "fullyLabeledReplicas": sum(labels <= (pod["metadata"].get("labels") or {}).items() for pod in pods),
            "readyReplicas": len(ready),
            "availableReplicas": sum(wait <= 0 for wait in waits),
        }
        status: Json = {key: value for key, value in counts.items() if value or key == "replicas"}
        status |= {"terminatingReplicas": leaving, "observedGeneration": meta["generation"]}
        if problem:
            status["conditions"] = [_failure(problem, (replica_set.get("status") or {}).get("conditions") or ())]

        def write(found: Json) -> None:
            if found["metadata"]["uid"] == meta["uid"]:
                found["status"] = status

        self._store.change(REPLICA_SETS, meta["namespace"], meta["name"], write)
        return min((wait for wait in waits if wait > 0), default=None)

    def _record_event(self, replica_set: Json, reason: str, message: str, type: str = "Normal") -> None:
        record_event(self._store, replica_set, reason=reason, message=message, component=_COMPONENT, type=type)


def _until_available(pod: Json, least: int) -> float:
    """Seconds until a pod has been ready for long enough."""
    if not least:
        return 0.0
    since = next(one.get("lastTransitionTime") for one in pod["status"]["conditions"] if one["type"] == "Ready")
    return 0.0 if not since else seconds_of(since) + least - CLOCK.now()


def _failure(problem: str, before: Any) -> Json:
    reason, _, message = problem.partition("\n")
    made = {"type": "ReplicaFailure", "status": "True", "reason": reason, "message": message}
    since = next((one.get("lastTransitionTime") for one in before if one["type"] == made["type"]), None)
    return made | {"lastTransitionTime": since or now_text()}
