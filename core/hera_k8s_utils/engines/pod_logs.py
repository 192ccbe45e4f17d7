"""Logs of many pods, read from the Kubernetes API: one after another, or side by side while they run."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from hera_k8s_utils.errors import ErrorKind, PlatformError
from hera_k8s_utils.experiment.run_state import LogLine, RunUpdate

if TYPE_CHECKING:
    from hera_k8s_utils.plugins.clients import Kubernetes

_WIDTH: Final = 20
"""Logs that are read at once: each holds a connection."""
_PENDING: Final = 1000
"""Lines that wait to be taken, so that a slow reader slows the pods' streams and fills no memory."""
_LONG: Final = 65536
"""Characters of a line that counts as one of them; a longer one counts as several."""
_BEGUN: Final = frozenset({"Running", "Succeeded", "Failed", "Error"})

ReadLog = Callable[[str], Iterator[LogLine]]
"""The name of a pod -> the lines of its log, until it ends."""


def log_of_pod(kubernetes: Kubernetes, pod: str, *, follow: bool, container: str = "main") -> Iterator[LogLine]:
    """Lines of one pod; raises `PlatformError` when it is not there or has not begun."""
    for text in kubernetes.logs(pod, container=container, follow=follow, errors="surrogateescape"):
        if text.isascii():
            yield LogLine(pod, text)
            continue
        raw = text.encode("utf-8", "surrogateescape")
        legible = raw.decode("utf-8", "replace")
        yield LogLine(pod, legible, None if legible == text else raw)


def skip_missing(lines: Iterator[LogLine]) -> Iterator[LogLine]:
    """The lines; none when the pod has not begun (400) or is gone (404)."""
    try:
        yield from lines
    except PlatformError as error:
        if error.trouble not in (ErrorKind.MISSING, ErrorKind.INVALID):
            raise


def by_creation(pods: Iterable[dict[str, object]]) -> list[str]:
    """Names of pods, in the order in which they were made."""
    found = [pod["metadata"] for pod in pods]
    metadata = [each for each in found if isinstance(each, dict)]
    return [name for _, name in sorted((str(m.get("creationTimestamp") or ""), str(m["name"])) for m in metadata)]


def started_pods(updates: Iterable[RunUpdate]) -> Iterator[str]:
    """Each pod of a run, once it has begun."""
    seen = set[str]()
    for update in updates:
        for node in update.nodes:
            if node.pod and node.phase in _BEGUN and node.pod not in seen:
                seen.add(node.pod)
                yield node.pod


def stream_logs(read: ReadLog, pods: Iterator[str]) -> Iterator[LogLine]:
    """Lines of pods as they come, of those too that begin later, until there are no more pods and all logs have ended.

    pods: each once it has begun; read in a thread of its own. A pod whose log breaks off raises once all others have
    ended.
    """
    exchange = LogMultiplexer(read)
    exchange.start(pods)
    try:
        yield from exchange.taken()
    finally:
        exchange.stopped.set()


class _Lines(queue.Queue["LogLine | BaseException | None"]):
    """Is full when it holds so many lines, or fewer long ones."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._characters = 0

    def _qsize(self) -> int:
        return max(len(self.queue), self._characters // _LONG)

    def _put(self, item: LogLine | BaseException | None) -> None:
        super()._put(item)
        self._characters += _length(item)

    def _get(self) -> LogLine | BaseException | None:
        item: LogLine | BaseException | None = super()._get()
        self._characters -= _length(item)
        return item


def _length(item: LogLine | BaseException | None) -> int:
    return len(item.text) if isinstance(item, LogLine) else 0


class LogMultiplexer:
    """One thread finds pods, a few read their logs, and the caller takes the lines. All are daemons."""

    def __init__(self, read: ReadLog) -> None:
        self.stopped = threading.Event()
        self._read_log = read
        self._pods: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lines = _Lines(_PENDING)

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
        except BaseException as error:  # SystemExit too, which would end the thread without a word
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
            for line in skip_missing(self._read_log(pod)):
                if not self._hand_over(line):
                    return
        except BaseException as error:
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
