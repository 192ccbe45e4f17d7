"""Jobs: watches Job objects and their pods, and drives each job to its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from hera_k8s_sandbox.admission.jobs import MANAGER
from hera_k8s_sandbox.controllers.jobs.pods import is_tracked, pods_of
from hera_k8s_sandbox.controllers.jobs.status import JobMemory
from hera_k8s_sandbox.controllers.jobs.sync import JobSync, release
from hera_k8s_sandbox.controllers.owner_references import controller_of
from hera_k8s_sandbox.controllers.work_queue import WorkQueue
from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.foundation.resource_types import JOBS, PODS
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.informer import reconcile
from hera_k8s_sandbox.store.store import Event
from hera_k8s_utils._types import Json

Key = tuple[str, str]  # namespace, name

_SHARE: Final = 2  # seconds without a sync after a sync of one second
_ENDS: Final = ("Complete", "Failed")


class JobController:
    """Runs the jobs of a sandbox."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._store = state.store
        self._memories: dict[str, JobMemory] = {}  # by uid
        self._queue = WorkQueue("job", self._sync, share=_SHARE)
        self._removals: dict[str, asyncio.TimerHandle] = {}  # by uid
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def idle(self) -> bool:
        """Whether no job wants anything before something happens to its pods; they keep the server up themselves."""
        return self._queue.idle

    def start(self) -> None:
        """Start to watch, beginning with the objects that exist."""
        work = (reconcile(self._store, JOBS, self._take_job), reconcile(self._store, PODS, self._take_pod))
        self._tasks = [asyncio.create_task(each) for each in work]

    async def stop(self) -> None:
        """Stop to sync jobs; the next start continues from there."""
        self._queue.stop()
        for timer in self._removals.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def resync(self) -> None:
        """The clock was advanced: what was planned for later may be due."""
        for entry in self._store.entries(JOBS):
            self._queue.enqueue(entry.key)

    def _take_job(self, event: Event) -> None:
        job, key = event.object, event.entry.key
        if event.type == "DELETED":
            self._forget(key, job["metadata"]["uid"])
            for pod in pods_of(self._store, job):
                release(self._state, pod)
            return
        self._queue.enqueue(key)

    def _take_pod(self, event: Event) -> None:
        owner = controller_of(event.object)
        namespace = event.entry.meta["namespace"]
        if owner is not None and (owner.get("kind"), owner.get("apiVersion")) == (JOBS.kind, JOBS.api_version):
            if self._store.find(JOBS, namespace, owner["name"]) is not None:
                self._queue.enqueue((namespace, owner["name"]))
                return
        elif owner is not None:
            return
        if event.type != "DELETED" and is_tracked(event.object):  # its job is gone, or has let it go
            release(self._state, event.object)

    def _sync(self, key: Key) -> float | None:
        job = self._store.find(JOBS, *key)
        if job is None or job["spec"].get("managedBy") not in (None, MANAGER):
            return None
        ended_at = _ended_at(job)
        if ended_at is not None:
            self._memories.pop(job["metadata"]["uid"], None)
            for pod in pods_of(self._store, job):
                release(self._state, pod)
            self._plan_removal(job, ended_at)
            return None
        memory = self._memories.setdefault(job["metadata"]["uid"], JobMemory())
        return JobSync(self._state, job, memory).run()

    def _plan_removal(self, job: Json, ended_at: str) -> None:
        """Delete a job that has ended after its ttlSecondsAfterFinished."""
        seconds, meta = job["spec"].get("ttlSecondsAfterFinished"), job["metadata"]
        planned = self._removals.pop(meta["uid"], None)
        if planned is not None:
            planned.cancel()
        if seconds is None or "deletionTimestamp" in meta:
            return
        delay = max(0.0, seconds_of(ended_at) + seconds - CLOCK.now())
        key = meta["namespace"], meta["name"]
        self._removals[meta["uid"]] = asyncio.get_running_loop().call_later(delay, self._remove, key, meta["uid"])

    def _remove(self, key: Key, uid: str) -> None:
        self._removals.pop(uid, None)
        with contextlib.suppress(ApiError):
            operations.delete(self._state, JOBS, *key, preconditions={"uid": uid}, propagation="Foreground")

    def _forget(self, key: Key, uid: str) -> None:
        self._memories.pop(uid, None)
        self._queue.forget(key)
        if (removal := self._removals.pop(uid, None)) is not None:
            removal.cancel()


def _ended_at(job: Json) -> str | None:
    """When a job ended, None while it has not."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition["type"] in _ENDS and condition["status"] == "True":
            return str(condition["lastTransitionTime"])
    return None
