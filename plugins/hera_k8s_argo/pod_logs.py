"""Logs of a workflow's pods, read from the Kubernetes API: one after another, or side by side while they run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from hera_k8s_utils import ErrorKind, Kubernetes, LogLine, PlatformError, RunUpdate
from hera_k8s_utils.engines import by_creation, log_of_pod, skip_missing, started_pods, stream_logs

WORKFLOW_LABEL: Final = "workflows.argoproj.io/workflow"


def logs_of_workflow(kubernetes: Kubernetes, name: str) -> Iterator[LogLine]:
    """Lines of the pods that there are, one pod after another; raises `PlatformError` when there is none."""
    pods = by_creation(kubernetes.list("v1", "pods", label_selector=f"{WORKFLOW_LABEL}={name}"))
    if not pods:
        raise PlatformError(
            f"logs of {name}",
            found="it has no pods: they were deleted, or none has started",
            hint=f"hera-k8s follow {name} shows its progress",
            kind=ErrorKind.MISSING,
        )
    for pod in pods:
        yield from skip_missing(log_of_pod(kubernetes, pod, follow=False))


def followed_logs(kubernetes: Kubernetes, updates: Iterable[RunUpdate]) -> Iterator[LogLine]:
    """Lines of a workflow's pods as they come, of those too that begin later, until the workflow ends."""
    return stream_logs(partial(log_of_pod, kubernetes, follow=True), started_pods(updates))
