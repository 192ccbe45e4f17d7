"""Logs of a workflow's pods: read from the Kubernetes API, one after another or side by side while they run.

Argo's executor writes lines of its own into the log of the container whose command it runs; they are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from hera_k8s_utils import ErrorKind, Kubernetes, LogLine, PlatformError, RunUpdate
from hera_k8s_utils.engines import by_creation, log_of_pod, skip_missing, started_pods, stream_logs

WORKFLOW_LABEL: Final = "workflows.argoproj.io/workflow"
# Argo 3: time="..." level=info msg="capturing logs" argo=true; Argo 4: time=... level=INFO msg="..." argo=true ...
_QUOTED: Final = r'(?:"(?:[^"\\]|\\.)*"|[^"\s]\S*)'
_TEXT: Final = re.compile(rf"time={_QUOTED} level=\w+ msg={_QUOTED}(?: [\w.]+={_QUOTED})*? argo=true(?: |$)")
_FIELDS: Final = frozenset({"argo", "level", "msg", "time"})  # with --log-format json


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


def without_executor_lines(lines: Iterator[LogLine]) -> Iterator[LogLine]:
    """What the tasks printed: each line that the executor did not write itself."""
    return (line for line in lines if not _is_of_executor(line.text))


def _is_of_executor(text: str) -> bool:
    if text.startswith("time="):
        return _TEXT.match(text) is not None
    if not text.startswith("{") or '"argo":true' not in text:
        return False
    try:
        entry = json.loads(text)
    except ValueError:
        return False
    return isinstance(entry, dict) and entry.keys() >= _FIELDS and entry["argo"] is True
