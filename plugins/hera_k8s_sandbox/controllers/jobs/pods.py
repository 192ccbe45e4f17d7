"""Pods of jobs: which belong to one, what they count as, and how a new one is written."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Final

from hera_k8s_sandbox.controllers.jobs.policies import apply_failure_policy
from hera_k8s_sandbox.controllers.owner_references import controller_of, reference_to
from hera_k8s_sandbox.foundation.labels import COMPLETION_INDEX, IGNORED_INDEX_FAILURES, INDEX_FAILURES, JOB_TRACKING
from hera_k8s_sandbox.foundation.resource_types import JOBS, PODS
from hera_k8s_sandbox.foundation.selectors import labels_of
from hera_k8s_sandbox.store.store import Store
from hera_k8s_utils._types import Json

_INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"
_LONGEST_BASE: Final = 58  # characters of a generated name before its five random ones
_FIRST: Final = ("Pending", "Running")  # a pod that has not started is the first to go


def phase_of(pod: Json) -> str:
    """The phase of a pod."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def has_ended(pod: Json) -> bool:
    """Whether a pod has succeeded or failed."""
    return phase_of(pod) in ("Succeeded", "Failed")


def is_leaving(pod: Json) -> bool:
    """Whether a pod is being deleted and has not ended yet."""
    return "deletionTimestamp" in pod["metadata"] and not has_ended(pod)


def is_active(pod: Json) -> bool:
    """Whether a pod works for its job, or soon will."""
    return "deletionTimestamp" not in pod["metadata"] and not has_ended(pod)


def is_ready(pod: Json) -> bool:
    """Whether a pod has the condition Ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def is_tracked(pod: Json) -> bool:
    """Whether a pod is still to be counted."""
    return JOB_TRACKING in (pod["metadata"].get("finalizers") or ())


def index_of(pod: Json) -> int | None:
    """The completion index of a pod; None when it has none."""
    text = (pod["metadata"].get("annotations") or {}).get(COMPLETION_INDEX, "")
    return int(text) if text.isdigit() else None


def failures_of(pod: Json, annotation: str = INDEX_FAILURES) -> int:
    """How many pods of this index had failed before this one."""
    text = (pod["metadata"].get("annotations") or {}).get(annotation, "")
    return int(text) if text.isdigit() else 0


def restarts_of(pod: Json) -> int:
    """How often the containers of a pod were started again."""
    status = pod.get("status") or {}
    containers = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
    return sum(one.get("restartCount") or 0 for one in containers)


def waits_for_end(job: Json) -> bool:
    """Whether a pod is replaced only once it has ended, not while it is being deleted."""
    return job["spec"].get("podReplacementPolicy") == "Failed" or bool(job["spec"].get("podFailurePolicy"))


def has_failed(job: Json, pod: Json) -> bool:
    """Whether a pod counts as failed for its job; one that is deleted may never come to say so."""
    return phase_of(pod) == "Failed" or (is_leaving(pod) and not waits_for_end(job))


def pods_of(store: Store, job: Json) -> list[Json]:
    """The pods that a job owns, and those that it takes up because its selector was written by hand."""
    uid, namespace = job["metadata"]["uid"], job["metadata"]["namespace"]
    pods = [entry.object for entry in store.dependents(uid) if entry.resource is PODS]
    if job["spec"].get("manualSelector") and "deletionTimestamp" not in job["metadata"]:
        pods += _adopted(store, job, namespace)
    return [pod for pod in pods if (controller_of(pod) or {}).get("uid") == uid]


def _adopted(store: Store, job: Json, namespace: str) -> Iterator[Json]:
    def adopt(pod: Json) -> None:
        meta = pod["metadata"]
        meta["ownerReferences"] = [*(meta.get("ownerReferences") or ()), reference_to(JOBS, job)]
        meta["finalizers"] = [*(meta.get("finalizers") or ()), JOB_TRACKING]

    for pod in store.list(PODS, namespace, labels=labels_of(job["spec"]["selector"])):
        if controller_of(pod) is None and "deletionTimestamp" not in pod["metadata"]:
            yield store.change(PODS, namespace, pod["metadata"]["name"], adopt)


def order_of_removal(pod: Json) -> tuple[bool, bool, bool, str]:
    """The key by which surplus pods are sorted: first what is not on a node, not started, not ready, new."""
    scheduled = bool(pod["spec"].get("nodeName"))
    return scheduled, phase_of(pod) == _FIRST[1], is_ready(pod), _reversed(pod["metadata"]["creationTimestamp"])


def _reversed(text: str) -> str:
    return "".join(chr(0x7F - ord(letter)) for letter in text)


def new_pod(job: Json, index: int | None, replaced: Json | None) -> Json:
    """A pod after the job's template; index: of an indexed job, replaced: the failed one before it."""
    template, name = copy.deepcopy(job["spec"]["template"]), job["metadata"]["name"]
    given, spec = template.get("metadata") or {}, template["spec"]
    finalizers = [one for one in given.get("finalizers") or () if one != JOB_TRACKING]
    meta: Json = {
        "generateName": f"{name}-",
        "labels": dict(given.get("labels") or {}),
        "annotations": dict(given.get("annotations") or {}),
        "finalizers": [*finalizers, JOB_TRACKING],
        "ownerReferences": [reference_to(JOBS, job)],
    }
    if index is not None:
        appended = f"-{index}-"
        meta["generateName"] = f"{name[: _LONGEST_BASE - len(appended)]}{appended}"
        meta["labels"][COMPLETION_INDEX] = meta["annotations"][COMPLETION_INDEX] = str(index)
        meta["annotations"] |= _failure_counts(job, replaced)
        spec["hostname"] = f"{name}-{index}"
        for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
            _tell_index(container)
    return {"metadata": meta, "spec": spec}


def _failure_counts(job: Json, replaced: Json | None) -> Json:
    if job["spec"].get("backoffLimitPerIndex") is None:
        return {}
    if replaced is None:
        return {INDEX_FAILURES: "0"}
    counts = apply_failure_policy(job, replaced).counts
    ignored = failures_of(replaced, IGNORED_INDEX_FAILURES) + (not counts)
    return {INDEX_FAILURES: str(failures_of(replaced) + counts)} | (
        {IGNORED_INDEX_FAILURES: str(ignored)} if ignored else {}
    )


def _tell_index(container: Json) -> None:
    variables = container.get("env") or []
    if all(one.get("name") != _INDEX_VARIABLE for one in variables):
        source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{COMPLETION_INDEX}']"}}
        container["env"] = [*variables, {"name": _INDEX_VARIABLE, "valueFrom": source}]
