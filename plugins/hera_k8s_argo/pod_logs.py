"""Logs of a workflow's pods, read from the Kubernetes API: one after another, or side by side while they run."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Final

from hera_k8s_utils import Kubernetes, LogLine, PlatformError, Trouble

WORKFLOW_LABEL: Final = "workflows.argoproj.io/workflow"
_WIDTH: Final = 20
"""Logs that are followed at once: each holds a connection."""
_PENDING: Final = 1000
"""Lines that wait to be taken, so that a slow reader slows the pods' streams and not the memory."""


def logs_of(kubernetes: Kubernetes, name: str, *, pod: str = "", follow: bool = False) -> Iterator[LogLine]:
    """Lines of one pod, or of every pod of a workflow. Raises `PlatformError` when there is no such pod."""
    if pod:
        yield from (LogLine(pod, line) for line in kubernetes.logs(pod, follow=follow))
        return
    pods = _pods(kubernetes, name)
    if not pods:
        raise PlatformError(
            f"logs of {name}",
            found="it has no pods: they were deleted, or none has begun",
            hint="hera-k8s follow shows how far it is",
            trouble=Trouble.MISSING,
        )
    if follow:
        yield from _side_by_side(kubernetes, pods)
        return
    for each in pods:
        yield from _lines(kubernetes, each, follow=False)


def _pods(kubernetes: Kubernetes, name: str) -> list[str]:
    found = kubernetes.list("v1", "pods", label_selector=f"{WORKFLOW_LABEL}={name}")
    started = sorted((_started(pod), pod["metadata"]["name"]) for pod in found)
    return [pod for _, pod in started]


def _started(pod: dict[str, object]) -> str:
    metadata = pod.get("metadata")
    return str(metadata.get("creationTimestamp") or "") if isinstance(metadata, dict) else ""


def _lines(kubernetes: Kubernetes, pod: str, *, follow: bool) -> Iterator[LogLine]:
    """One pod's lines; none when it has not begun (400) or is gone (404)."""
    try:
        for line in kubernetes.logs(pod, follow=follow):
            yield LogLine(pod, line)
    except PlatformError as error:
        if error.trouble not in (Trouble.MISSING, Trouble.INVALID):
            raise


def _side_by_side(kubernetes: Kubernetes, pods: list[str]) -> Iterator[LogLine]:
    """Lines of many pods as they come. A pod whose log breaks off raises once all others have ended."""
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    lines: queue.Queue[LogLine | BaseException | None] = queue.Queue(_PENDING)
    stopped = threading.Event()
    for pod in pods:
        todo.put(pod)
    readers = min(_WIDTH, len(pods))
    for _ in range(readers):
        threading.Thread(target=_read, args=(kubernetes, todo, lines, stopped), name="logs", daemon=True).start()
    failure: BaseException | None = None
    try:
        while readers:
            line = lines.get()
            if line is None:
                readers -= 1
            elif isinstance(line, BaseException):
                failure = line
            else:
                yield line
    finally:
        stopped.set()
    if failure is not None:
        raise failure


def _read(
    kubernetes: Kubernetes,
    todo: queue.SimpleQueue[str],
    lines: queue.Queue[LogLine | BaseException | None],
    stopped: threading.Event,
) -> None:
    try:
        while not stopped.is_set():
            for line in _lines(kubernetes, todo.get_nowait(), follow=True):
                if not _hand_over(line, lines, stopped):
                    return
    except queue.Empty:
        pass
    except Exception as error:
        _hand_over(error, lines, stopped)
    finally:
        _hand_over(None, lines, stopped)


def _hand_over(
    item: LogLine | BaseException | None,
    lines: queue.Queue[LogLine | BaseException | None],
    stopped: threading.Event,
) -> bool:
    """Whether the item was taken before the reader stopped."""
    while not stopped.is_set():
        try:
            lines.put(item, timeout=0.2)
        except queue.Full:
            continue
        return True
    return False
