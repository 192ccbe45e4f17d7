"""Logs of a workflow's pods, read from the Kubernetes API: one after another, or side by side while they run."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Final

from hera_k8s_utils import Kubernetes, LogLine, PlatformError, RunUpdate, Trouble

WORKFLOW_LABEL: Final = "workflows.argoproj.io/workflow"
_WIDTH: Final = 20
"""Logs that are read at once: each holds a connection."""
_PENDING: Final = 1000
"""Lines that wait to be taken, so that a slow reader slows the pods' streams and fills no memory."""
_BEGUN: Final = frozenset({"Running", "Succeeded", "Failed", "Error"})


def logs_of_pod(kubernetes: Kubernetes, pod: str, *, follow: bool) -> Iterator[LogLine]:
    """Lines of one pod; raises `PlatformError` when it is not there or has not begun."""
    return (LogLine(pod, line) for line in kubernetes.logs(pod, follow=follow))


def logs_of_workflow(kubernetes: Kubernetes, name: str) -> Iterator[LogLine]:
    """Lines of the pods that there are, one pod after another; raises `PlatformError` when there is none."""
    found = kubernetes.list("v1", "pods", label_selector=f"{WORKFLOW_LABEL}={name}")
    pods = sorted((str(pod["metadata"].get("creationTimestamp") or ""), pod["metadata"]["name"]) for pod in found)
    if not pods:
        raise PlatformError(
            f"logs of {name}",
            found="it has no pods: they were deleted, or none has begun",
            hint=f"hera-k8s follow {name} shows how far it is",
            trouble=Trouble.MISSING,
        )
    for _, pod in pods:
        yield from _lines(kubernetes, pod, follow=False)


def followed_logs(kubernetes: Kubernetes, updates: Iterable[RunUpdate]) -> Iterator[LogLine]:
    """Lines of a workflow's pods as they come, of those too that begin later, until the workflow ends.

    updates: of the workflow. A pod whose log breaks off raises once all others have ended.
    """
    exchange = _Exchange(kubernetes)
    exchange.start(_beginning(updates))
    try:
        yield from exchange.taken()
    finally:
        exchange.stopped.set()


def _beginning(updates: Iterable[RunUpdate]) -> Iterator[str]:
    """Each pod, once it has begun."""
    seen = set[str]()
    for update in updates:
        for node in update.nodes:
            if node.pod and node.phase in _BEGUN and node.pod not in seen:
                seen.add(node.pod)
                yield node.pod


def _lines(kubernetes: Kubernetes, pod: str, *, follow: bool) -> Iterator[LogLine]:
    """One pod's lines; none when it has not begun (400) or is gone (404)."""
    try:
        yield from logs_of_pod(kubernetes, pod, follow=follow)
    except PlatformError as error:
        if error.trouble not in (Trouble.MISSING, Trouble.INVALID):
            raise


class _Exchange:
    """One thread finds pods, a few read their logs, and the caller takes the lines. All are daemons."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self.stopped = threading.Event()
        self._kubernetes = kubernetes
        self._pods: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lines: queue.Queue[LogLine | BaseException | None] = queue.Queue(_PENDING)

    def start(self, pods: Iterator[str]) -> None:
        threading.Thread(target=self._find, args=(pods,), name="logs-find", daemon=True).start()
        for _ in range(_WIDTH):
            threading.Thread(target=self._read, name="logs-read", daemon=True).start()

    def taken(self) -> Iterator[LogLine]:
        """Lines until every thread has ended; the last failure of any is raised then."""
        running, failure = _WIDTH + 1, None
        while running:
            item = self._lines.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                failure = item
            else:
                yield item
        if failure is not None:
            raise failure

    def _find(self, pods: Iterator[str]) -> None:
        try:
            for pod in pods:
                self._pods.put(pod)
                if self.stopped.is_set():
                    break
        except Exception as error:
            self._hand_over(error)
        finally:
            for _ in range(_WIDTH):
                self._pods.put(None)
            self._hand_over(None)

    def _read(self) -> None:
        try:
            while (pod := self._pods.get()) is not None and not self.stopped.is_set():
                self._read_one(pod)
        finally:
            self._hand_over(None)

    def _read_one(self, pod: str) -> None:
        try:
            for line in _lines(self._kubernetes, pod, follow=True):
                if not self._hand_over(line):
                    return
        except Exception as error:
            self._hand_over(error)

    def _hand_over(self, item: LogLine | BaseException | None) -> bool:
        """Whether the item found a place before the caller stopped."""
        while not self.stopped.is_set():
            try:
                self._lines.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
