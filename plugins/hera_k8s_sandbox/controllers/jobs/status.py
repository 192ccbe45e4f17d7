"""The counters of a job: which of its pods and indexes have succeeded, failed, or wait to be tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from hera_k8s_sandbox.admission import job_indexes
from hera_k8s_sandbox.admission.jobs import INDEXED
from hera_k8s_sandbox.controllers.jobs.pods import (
    failures_of,
    has_failed,
    index_of,
    is_active,
    is_tracked,
    phase_of,
    pods_of,
)
from hera_k8s_sandbox.controllers.jobs.policies import FAIL_INDEX, apply_failure_policy
from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.labels import IGNORED_INDEX_FAILURES
from hera_k8s_sandbox.store.store import Store
from hera_k8s_utils._types import Json


@dataclass
class JobMemory:
    """What the controller knows of a job besides its objects; it is forgotten with the server, as in a cluster.

    failures: how many pods failed since the last success.
    failed_at: when the last did.
    ended_at: when a failed pod was first seen to have, by uid.
    refused: how often in a row a pod could not be made.
    """

    failures: int = 0
    failed_at: float = 0.0
    ended_at: dict[str, float] = field(default_factory=dict)
    refused: int = 0


class JobCounters:
    """The counters of an unfinished job at this moment.

    succeeded, failed: number of pods, or of indexes.
    done, lost: the indexes that have succeeded and failed.
    failing: the uids of failed pods.
    delayed: by index, the failed pods that stay until they are replaced.
    """

    def __init__(self, store: Store, job: Json, memory: JobMemory) -> None:
        self.store = store
        self.job = job
        self.spec: Json = job["spec"]
        self.status: Json = dict(job.get("status") or {})
        self.memory = memory
        self.now = CLOCK.now()
        self.pods = pods_of(store, job)
        self.done: set[int] = set()  # indexes
        self.lost: set[int] = set()
        self.delayed: dict[int, Json] = {}
        self._count()

    @cached_property
    def indexed(self) -> bool:
        """Whether each pod works for an index."""
        return bool(self.spec["completionMode"] == INDEXED)

    @property
    def suspended(self) -> bool:
        """Whether no pod may run."""
        return bool(self.spec.get("suspend"))

    @property
    def per_index(self) -> int | None:
        """How many pods of an index may fail, when that is counted for each."""
        limit: int | None = self.spec.get("backoffLimitPerIndex")
        return limit

    def _count(self) -> None:
        counted = [pod for pod in self.pods if is_tracked(pod) and self.is_valid(pod)]
        self._new_successes = [pod for pod in counted if phase_of(pod) == "Succeeded"]
        self._new_failures = [pod for pod in counted if has_failed(self.job, pod)]
        self.failing = {pod["metadata"]["uid"] for pod in self.pods if has_failed(self.job, pod)}
        counting = [pod for pod in self._new_failures if apply_failure_policy(self.job, pod).counts]
        self._remember()
        self.succeeded = self.status.get("succeeded", 0) + len(self._new_successes)
        self.failed = self.status.get("failed", 0) + len(counting)
        if not self.indexed:
            return
        completions = self.spec["completions"]
        self.done = job_indexes.parse_indexes(self.status.get("completedIndexes"), completions)
        self.done |= {index for pod in self._new_successes if (index := index_of(pod)) is not None}
        self.succeeded = len(self.done)
        if self.per_index is not None:
            self.lost = job_indexes.parse_indexes(self.status.get("failedIndexes"), completions)
            lost = [pod for pod in self._new_failures if self._loses_index(pod)]
            self.lost |= {index for pod in lost if (index := index_of(pod)) is not None}
            self.delayed = self._find_delayed()

    def is_valid(self, pod: Json) -> bool:
        """Whether a pod works for one of the job's indexes, if it has any."""
        index = index_of(pod)
        return not self.indexed or (index is not None and index < self.spec["completions"])

    def _loses_index(self, pod: Json) -> bool:
        verdict = apply_failure_policy(self.job, pod)
        return verdict.action == FAIL_INDEX or (verdict.counts and failures_of(pod) >= (self.per_index or 0))

    def _remember(self) -> None:
        """How long to hold back: failures since the last success count, whenever that was seen."""
        memory = self.memory
        fresh = [pod for pod in self._new_failures if pod["metadata"]["uid"] not in memory.ended_at]
        memory.ended_at = {pod["metadata"]["uid"]: self._seen(pod) for pod in self._new_failures}
        if self._new_successes:
            memory.failures = 0
        if fresh:
            memory.failures += len(fresh)
            memory.failed_at = self.now

    def _seen(self, pod: Json) -> float:
        return self.memory.ended_at.get(pod["metadata"]["uid"], self.now)

    def _find_delayed(self) -> dict[int, Json]:
        """The failed pods without a successor, which takes over their count."""
        busy = {index_of(pod) for pod in self.pods if is_active(pod)} | self.done | self.lost
        found: dict[int, Json] = {}
        for pod in self._new_failures:
            index = index_of(pod)
            if index is None or index in busy:
                continue
            if index not in found or all_failures(found[index]) <= all_failures(pod):
                found[index] = pod
        return found


def all_failures(pod: Json) -> int:
    """How many pods of this index had failed before this one, those that were ignored included."""
    return failures_of(pod) + failures_of(pod, IGNORED_INDEX_FAILURES)
