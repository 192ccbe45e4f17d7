"""Why a Job's pods do not start: from their conditions and containers, else from the events about them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hera_k8s_utils import ErrorKind, Json, Kubernetes, PlatformError
from hera_k8s_utils.engines import describe_wait

_OVER: Final = ("Succeeded", "Failed")
_MOST_PODS: Final = 20
"""Pods that are examined for a reason: those of one Job mostly wait for the same thing."""


def why_pods_wait(kubernetes: Kubernetes, job: str, pods: Iterable[Json]) -> str:
    """The first reason that is found; empty when nothing stands in the way, or it may not be looked at.

    job: the uid of the Job, whose own events tell when no pod could be made at all (a quota, an admission rule).
    """
    waiting = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in _OVER]
    if not waiting:
        return latest_warning(kubernetes, job)
    for pod in waiting[:_MOST_PODS]:
        if (pod.get("status") or {}).get("phase") == "Running" and not _stuck(pod):
            continue
        told = describe_wait(pod)
        if told and not told.startswith("ContainersNotReady"):  # that says only that it waits
            return told
        uid = str((pod.get("metadata") or {}).get("uid") or "")
        if warned := latest_warning(kubernetes, uid):
            return warned
    return ""


def _stuck(pod: Json) -> bool:
    """Whether a container of a running pod waits, such as for its next try."""
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    return any((each.get("state") or {}).get("waiting") for each in states)


def latest_warning(kubernetes: Kubernetes, uid: str) -> str:
    """The newest warning about an object; empty when there is none, or events are not ours to read."""
    if not uid:
        return ""
    try:
        found = list(kubernetes.list("v1", "events", field_selector=f"involvedObject.uid={uid},type=Warning"))
    except PlatformError as error:
        if error.kind in (ErrorKind.FORBIDDEN, ErrorKind.INVALID, ErrorKind.MISSING):
            return ""
        raise
    newest = max(found, key=_moment, default={})
    return ": ".join(str(newest[key]) for key in ("reason", "message") if newest.get(key))


def _moment(event: Json) -> str:
    series = event.get("series") or {}
    told = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(told or (event.get("metadata") or {}).get("creationTimestamp") or "")
