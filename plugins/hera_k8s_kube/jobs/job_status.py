"""The status of a Job: phase, counts, indexes, reason of a failure. Any part of a status may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from hera_k8s_utils import Json

PENDING, RUNNING, SUSPENDED, SUCCEEDED, FAILED = "Pending", "Running", "Suspended", "Succeeded", "Failed"

_DECIDED: Final = {"Failed": FAILED, "FailureTarget": FAILED, "Complete": SUCCEEDED, "SuccessCriteriaMet": SUCCEEDED}
"""Conditions, and the end that they stand for: `Failed` and `Complete` come once the last pod has ended, the others
as soon as the end is decided (Kubernetes 1.31)."""
_ENDED: Final = ("Failed", "Complete")


@dataclass(frozen=True)
class Job:
    """A Job and its status.

    name: name of the object.
    uid: its uid; empty before the server has assigned one.
    labels: its labels.
    annotations: its annotations.
    phase: `Pending` (no pod has started), `Running`, `Suspended`, `Succeeded` or `Failed`. A Job whose failed pods are
        retried is Running, and so is an indexed one with failed indexes while others run.
    over: whether the Job and all its pods have ended. Succeeded or Failed may be decided a moment before that.
    active: number of pods that are pending or running.
    ready: number of ready pods.
    succeeded: number of pods that succeeded.
    failed: number of pods that failed, including those that are retried.
    completed_indexes: indexes of an indexed Job that succeeded.
    failed_indexes: indexes of an indexed Job that failed.
    indexed: whether it is an indexed Job.
    completions: required number of successes; None: one success of any pod.
    parallelism: maximum number of concurrent pods.
    reason: why it failed: `BackoffLimitExceeded`, `DeadlineExceeded`, ...; else empty.
    message: details of the failure; else empty.
    created_at: RFC 3339 time.
    started_at: RFC 3339 time; empty before the start.
    finished_at: RFC 3339 time; empty before the end.
    deleting: whether it is being deleted.
    """

    name: str
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    phase: str = PENDING
    over: bool = False
    active: int = 0
    ready: int = 0
    succeeded: int = 0
    failed: int = 0
    completed_indexes: frozenset[int] = frozenset()
    failed_indexes: frozenset[int] = frozenset()
    indexed: bool = False
    completions: int | None = None
    parallelism: int = 1
    reason: str = ""
    message: str = ""
    created_at: str = ""
    started_at: str = ""
    finished_at: str = ""
    deleting: bool = False

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Job:
        """Read a Job object of the API server."""
        metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
        status: Json = manifest.get("status") or {}
        conditions = _conditions(status)
        end = next((conditions[kind] for kind in _DECIDED if kind in conditions), {})
        return cls(
            name=str(metadata.get("name") or ""),
            uid=str(metadata.get("uid") or ""),
            labels=dict(metadata.get("labels") or {}),
            annotations=dict(metadata.get("annotations") or {}),
            phase=_phase(spec, status, conditions),
            over=any(kind in conditions for kind in _ENDED),
            active=_number(status, "active"),
            ready=_number(status, "ready"),
            succeeded=_number(status, "succeeded"),
            failed=_number(status, "failed"),
            completed_indexes=indexes(str(status.get("completedIndexes") or "")),
            failed_indexes=indexes(str(status.get("failedIndexes") or "")),
            indexed=spec.get("completionMode") == "Indexed",
            completions=spec.get("completions"),
            parallelism=1 if spec.get("parallelism") is None else int(spec["parallelism"]),
            reason=str(end.get("reason") or "") if _DECIDED.get(str(end.get("type"))) == FAILED else "",
            message=str(end.get("message") or "") if _DECIDED.get(str(end.get("type"))) == FAILED else "",
            created_at=str(metadata.get("creationTimestamp") or ""),
            started_at=str(status.get("startTime") or ""),
            finished_at=_finished_at(status, conditions),
            deleting=bool(metadata.get("deletionTimestamp")),
        )


def _conditions(status: Mapping[str, Any]) -> dict[str, Json]:
    """The conditions that hold, by type."""
    found: Iterable[Json] = status.get("conditions") or ()
    return {str(each.get("type")): each for each in found if str(each.get("status")) == "True"}


def _phase(spec: Mapping[str, Any], status: Mapping[str, Any], conditions: Mapping[str, Json]) -> str:
    for kind, end in _DECIDED.items():
        if kind in conditions:
            return end
    if "Suspended" in conditions or spec.get("suspend"):
        return SUSPENDED
    active, started = _number(status, "active"), any(_number(status, key) for key in ("ready", "succeeded", "failed"))
    if started or (active and status.get("ready") is None):  # a server before 1.24 does not say how many are ready
        return RUNNING
    return PENDING


def _finished_at(status: Mapping[str, Any], conditions: Mapping[str, Json]) -> str:
    ended = next((conditions[kind] for kind in _ENDED if kind in conditions), {})
    return str(status.get("completionTime") or ended.get("lastTransitionTime") or "")


def _number(status: Mapping[str, Any], key: str) -> int:
    return int(status.get(key) or 0)


@lru_cache(maxsize=64)
def indexes(text: str) -> frozenset[int]:
    """The numbers of `0,3-5,7`, as a Job's status writes them."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
