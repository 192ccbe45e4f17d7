"""Sync one Job: count pods, create or delete some, write the status."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final

from hera_k8s_sandbox.admission import job_indexes
from hera_k8s_sandbox.controllers.jobs.pods import (
    has_failed,
    index_of,
    is_active,
    is_leaving,
    is_ready,
    is_tracked,
    new_pod,
    order_of_removal,
    phase_of,
    restarts_of,
    waits_for_end,
)
from hera_k8s_sandbox.controllers.jobs.policies import FAIL_JOB, apply_failure_policy, success_policy_message
from hera_k8s_sandbox.controllers.jobs.status import JobCounters, JobMemory, all_failures
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.foundation.labels import JOB_TRACKING
from hera_k8s_sandbox.foundation.resource_types import JOBS, PODS
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.events import record_event
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import now_text
from hera_k8s_utils._types import Json

COMPONENT: Final = "job-controller"
FIRST_BACK_OFF: Final = 0.5  # seconds until a failed pod is replaced, doubled with each failure; a cluster's is 10
LONGEST_BACK_OFF: Final = 10.0  # a cluster's is 600
_REFUSED_BACK_OFF: Final = 1.0  # seconds until a pod that could not be made is tried again, doubled likewise
_MOST_AT_ONCE: Final = 100  # pods created in one sync; the loop has other work


class JobSync(JobCounters):
    """One sync of an unfinished job; `run` once."""

    def __init__(self, state: SandboxState, job: Json, memory: JobMemory) -> None:
        super().__init__(state.store, job, memory)
        self._state = state
        self._again: float | None = None  # seconds until the next sync

    def run(self) -> float | None:
        """Sync. Returns the seconds until the next sync, None: at the next change."""
        if not self.status.get("startTime") and not self.suspended:
            self.status["startTime"] = now_text()
        finished = self._finished() or self._failed()
        if self.indexed and finished is None:
            finished = self._failed_by_index() or self._succeeded_by_policy()
        if finished is not None:
            self._delete([pod for pod in self.pods if is_active(pod)], record_events=True)
        else:
            if "deletionTimestamp" not in self.job["metadata"]:
                self._manage()
            finished = self._completed()
            if finished is None:
                self._tell_suspension()
        self._write(finished)
        return self._again

    # How it ends

    def _finished(self) -> Json | None:
        """The result that an earlier sync has found."""
        return self._condition("SuccessCriteriaMet") or self._condition("FailureTarget")

    def _failed(self) -> Json | None:
        for pod in self.pods:
            if has_failed(self.job, pod) and (verdict := apply_failure_policy(self.job, pod)).action == FAIL_JOB:
                return _condition("FailureTarget", "PodFailurePolicy", verdict.message)
        if self.failed > self.spec["backoffLimit"] or self._restarted_too_often():
            return _condition("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        left = self._time_left()
        if left is not None and left <= 0:
            return _condition("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
        if left is not None:
            self._requeue_after(left)
        return None

    def _restarted_too_often(self) -> bool:
        if self.spec["template"]["spec"].get("restartPolicy") != "OnFailure":
            return False
        restarts = sum(restarts_of(pod) for pod in self.pods if phase_of(pod) in ("Running", "Pending"))
        return bool(restarts >= max(1, self.spec["backoffLimit"]))

    def _time_left(self) -> float | None:
        deadline, started = self.spec.get("activeDeadlineSeconds"), self.status.get("startTime")
        if deadline is None or not started or self.suspended:
            return None
        return float(seconds_of(started) + deadline - self.now)

    def _failed_by_index(self) -> Json | None:
        if self.per_index is None or not self.lost:
            return None
        most = self.spec.get("maxFailedIndexes")
        if most is not None and len(self.lost) > most:
            message = "Job has exceeded the specified maximal number of failed indexes"
            return _condition("FailureTarget", "MaxFailedIndexesExceeded", message)
        if len(self.lost) + len(self.done) >= self.spec["completions"]:
            return _condition("FailureTarget", "FailedIndexes", "Job has failed indexes")
        return None

    def _succeeded_by_policy(self) -> Json | None:
        message = success_policy_message(self.job, self.done)
        return _condition("SuccessCriteriaMet", "SuccessPolicy", message) if message else None

    def _completed(self) -> Json | None:
        wanted = self.spec.get("completions")
        reached = self.succeeded > 0 if wanted is None else self.succeeded >= wanted
        if not reached or any(is_active(pod) for pod in self.pods):
            return None
        return _condition("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")

    # Making and removing pods

    def _manage(self) -> None:
        active = [pod for pod in self.pods if is_active(pod)]
        wanted = 0 if self.suspended else self._wanted(len(active))
        surplus = self._surplus(active, len(active) - wanted)
        if surplus or self.suspended:
            self._delete(surplus, record_events=True, untrack=True)
            return
        leaving = sum(is_leaving(pod) for pod in self.pods) if waits_for_end(self.job) else 0
        missing = wanted - leaving - len(active)
        if missing <= 0:
            return
        if self.per_index is None and self._holds_back(self.memory.failures, self.memory.failed_at):
            return
        if missing > _MOST_AT_ONCE:
            self._requeue_after(0)
        self._create(self._places(min(missing, _MOST_AT_ONCE), active))

    def _wanted(self, active: int) -> int:
        completions, parallelism = self.spec.get("completions"), self.spec["parallelism"]
        if completions is None:  # a queue of work: once a pod has succeeded, no new ones are made
            return active if self.succeeded else int(parallelism)
        return int(max(0, min(completions - self.succeeded, parallelism)))

    def _surplus(self, active: list[Json], count: int) -> list[Json]:
        ordered = sorted(active, key=order_of_removal)
        doubled: list[Json] = []
        if self.indexed:
            kept = {index_of(pod): pod["metadata"]["uid"] for pod in ordered if self.is_valid(pod)}
            doubled = [pod for pod in ordered if kept.get(index_of(pod)) != pod["metadata"]["uid"]]
        rest = [pod for pod in ordered if pod not in doubled]
        return [*doubled, *rest[: max(0, count - len(doubled))]]

    def _holds_back(self, failures: int, since: float) -> bool:
        if not failures:
            return False
        pause = min(FIRST_BACK_OFF * 2 ** min(failures - 1, 16), LONGEST_BACK_OFF)
        left = since + pause - self.now
        if left > 0:
            self._requeue_after(left)
        return bool(left > 0)

    def _places(self, count: int, active: list[Json]) -> Iterable[int | None]:
        """The indexes that want a pod; without indexes as many times None."""
        if not self.indexed:
            return [None] * count
        busy = [*active, *(pod for pod in self.pods if waits_for_end(self.job) and is_leaving(pod))]
        taken = {index for pod in busy if (index := index_of(pod)) is not None} | self.done | self.lost
        free = job_indexes.first_missing(taken, count, self.spec["completions"])
        return [index for index in free if not self._holds_back_index(index)]

    def _holds_back_index(self, index: int) -> bool:
        failed = self.delayed.get(index)
        if failed is None:
            return False
        return self._holds_back(all_failures(failed) + 1, self.memory.ended_at[failed["metadata"]["uid"]])

    def _create(self, places: Iterable[int | None]) -> None:
        namespace = self.job["metadata"]["namespace"]
        for index in places:
            pod = new_pod(self.job, index, None if index is None else self.delayed.get(index))
            try:
                made = operations.create(self._state, PODS, namespace, pod).object
            except ApiError as error:
                self._tell_refusal(error)
                return
            self.pods.append(made)
            if index is not None:
                self.delayed.pop(index, None)
            self._record_event("SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        self.memory.refused = 0

    def _tell_refusal(self, error: ApiError) -> None:
        causes = (error.details or {}).get("causes") or ()
        if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
            return
        self._record_event("FailedCreate", f"Error creating: {error.message}", type="Warning")
        self._requeue_after(min(_REFUSED_BACK_OFF * 2 ** min(self.memory.refused, 16), LONGEST_BACK_OFF))
        self.memory.refused += 1

    def _delete(self, pods: Iterable[Json], *, record_events: bool, untrack: bool = False) -> None:
        for pod in pods:
            key = pod["metadata"]["namespace"], pod["metadata"]["name"]
            with contextlib.suppress(ApiError):
                if untrack:
                    release(self._state, pod)
                operations.delete(self._state, PODS, *key)
                if record_events:
                    self._record_event("SuccessfulDelete", f"Deleted pod: {key[1]}")
        self._refresh()

    def _refresh(self) -> None:
        """The pods as they are now; those that are gone are left out."""
        found = (self.store.find(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in self.pods)
        self.pods = [pod for pod in found if pod is not None]

    # Writing

    def _write(self, finished: Json | None) -> None:
        """Write what was counted in the steps of a cluster: first who is about to be counted, then the sums."""
        self._set_counts()
        successful = finished is not None and finished["type"] == "SuccessCriteriaMet"
        gone = self._to_release(finished is not None)
        uncounted = self._uncounted(gone, fails=finished is not None and not successful)
        if finished is not None and self._condition(finished["type"]) is None:
            self.status["conditions"] = [*(self.status.get("conditions") or ()), finished]
        self._save(self.status | {"uncountedTerminatedPods": uncounted})
        for pod in gone:
            release(self._state, pod)
        self._refresh()
        self.status["failed"] = self.status.get("failed", 0) + len(uncounted.get("failed", ()))
        if not self.indexed:
            self.status["succeeded"] = self.status.get("succeeded", 0) + len(uncounted.get("succeeded", ()))
        ended = finished is not None and not any(is_leaving(pod) for pod in self.pods)
        if ended and finished is not None:
            self._end(finished)
        self._set_counts()
        self._save(self.status | {"uncountedTerminatedPods": {}})
        if ended and finished is not None:
            self._tell_end(finished)

    def _set_counts(self) -> None:
        status = self.status
        status["active"] = sum(is_active(pod) for pod in self.pods)
        status["ready"] = sum(is_active(pod) and is_ready(pod) for pod in self.pods)
        status["terminating"] = sum(is_leaving(pod) for pod in self.pods)
        if self.indexed:
            status["succeeded"] = len(self.done)
            status["completedIndexes"] = job_indexes.format_indexes(self.done)
            if self.per_index is not None:
                status["failedIndexes"] = job_indexes.format_indexes(self.lost)

    def _to_release(self, finished: bool) -> list[Json]:
        everyone = finished or "deletionTimestamp" in self.job["metadata"]
        delayed = {pod["metadata"]["uid"] for pod in self.delayed.values()}
        return [
            pod
            for pod in self.pods
            if is_tracked(pod)
            and (everyone or phase_of(pod) == "Succeeded" or has_failed(self.job, pod))
            and (everyone or pod["metadata"]["uid"] not in delayed)
        ]

    def _uncounted(self, gone: list[Json], *, fails: bool) -> Json:
        succeeded, failed = [], []
        for pod in gone:
            uid = pod["metadata"]["uid"]
            if not self.is_valid(pod):
                continue
            if phase_of(pod) == "Succeeded":
                succeeded.append(uid)
            elif (uid in self.failing or fails) and apply_failure_policy(self.job, pod).counts:
                failed.append(uid)
        if self.indexed:
            succeeded = []  # their index says it
        return {name: uids for name, uids in (("succeeded", succeeded), ("failed", failed)) if uids}

    def _end(self, finished: Json) -> None:
        kind = "Complete" if finished["type"] == "SuccessCriteriaMet" else "Failed"
        last = _condition(kind, finished["reason"], finished["message"])
        self.status["conditions"] = [*self.status["conditions"], last]
        if kind == "Complete":
            self.status["completionTime"] = last["lastTransitionTime"]

    def _tell_suspension(self) -> None:
        if "deletionTimestamp" in self.job["metadata"]:
            return
        conditions = self.status.get("conditions") or []
        found = next((one for one in conditions if one["type"] == "Suspended"), None)
        if self.suspended == (found is not None and found["status"] == "True"):
            return
        word, truth = ("suspended", "True") if self.suspended else ("resumed", "False")
        changed = _condition("Suspended", f"Job{word.capitalize()}", f"Job {word}", truth)
        others = [one if one is not found else changed for one in conditions]
        self.status["conditions"] = others if found is not None else [*others, changed]
        self._record_event(word.capitalize(), f"Job {word}")
        if self.suspended:
            self.status.pop("startTime", None)
        else:
            self.status["startTime"] = now_text()

    def _tell_end(self, finished: Json) -> None:
        if finished["type"] == "SuccessCriteriaMet":
            wanted = self.spec.get("completions")
            if wanted is not None and self.status["succeeded"] > wanted:
                message = "Too many succeeded pods running after completion count reached"
                self._record_event("TooManySucceededPods", message, type="Warning")
            self._record_event("Completed", "Job completed")
        else:
            self._record_event(finished["reason"], finished["message"], type="Warning")

    def _save(self, status: Json) -> None:
        meta = self.job["metadata"]
        shown = {key: value for key, value in status.items() if value != 0 or key in ("ready", "terminating")}
        if not shown.get("completedIndexes"):
            shown.pop("completedIndexes", None)

        def write(obj: Json) -> None:
            obj["status"] = shown

        self.store.change(JOBS, meta["namespace"], meta["name"], write)

    # Small ones

    def _condition(self, kind: str) -> Json | None:
        conditions: list[Json] = self.status.get("conditions") or []
        return next((one for one in conditions if one["type"] == kind and one["status"] == "True"), None)

    def _requeue_after(self, seconds: float) -> None:
        self._again = seconds if self._again is None else min(self._again, seconds)

    def _record_event(self, reason: str, message: str, type: str = "Normal") -> None:
        record_event(self.store, self.job, reason=reason, message=message, component=COMPONENT, type=type)


def release(state: SandboxState, pod: Json) -> None:
    """Let go of a pod that was counted: without our finalizer it can be removed."""
    meta = pod["metadata"]
    found = state.store.find(PODS, meta["namespace"], meta["name"])
    if found is None or found["metadata"]["uid"] != meta["uid"] or not is_tracked(found):
        return
    entry = state.store.entry(PODS, meta["namespace"], meta["name"])
    obj = entry.copy()
    obj["metadata"]["finalizers"] = [one for one in obj["metadata"]["finalizers"] if one != JOB_TRACKING]
    with contextlib.suppress(ApiError):
        operations.update(state, PODS, entry, obj)


def _condition(kind: str, reason: str, message: str, status: str = "True") -> Json:
    now = now_text()
    return {
        "type": kind,
        "status": status,
        "lastProbeTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }
