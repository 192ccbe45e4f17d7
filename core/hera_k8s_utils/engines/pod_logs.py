"""Logs of many pods, read from the Kubernetes API: one after another, or side by side while they run."""

from __future__ import annotations

import logging
import queue
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from hera_k8s_utils.engines.pump import Pump
from hera_k8s_utils.errors import ErrorKind, PlatformError
from hera_k8s_utils.experiment.run_state import LogLine, RunUpdate
from hera_k8s_utils.results import CheckResult, warn

if TYPE_CHECKING:
    from hera_k8s_utils.plugins.clients import Kubernetes

log = logging.getLogger(__name__)

_REVIEWS: Final = "authorization.k8s.io/v1"
_LOG_RIGHTS: Final[Mapping[str, Mapping[str, str]]] = {
    "list pods": {"verb": "list", "resource": "pods"},
    "get pods/log": {"verb": "get", "resource": "pods", "subresource": "log"},
}
"""What a user needs to read the logs of a run's pods."""
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
        if error.kind not in (ErrorKind.MISSING, ErrorKind.INVALID):
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


def _weight(line: LogLine) -> int:
    return 1 + len(line.text) // _LONG


def stream_logs(read: ReadLog, pods: Iterator[str]) -> Iterator[LogLine]:
    """Lines of pods as they come, of those too that begin later, until there are no more pods and all logs have ended.

    pods: each once it has begun; read in a thread of its own. A pod whose log breaks off raises once all others have
    ended.
    """
    return LogMultiplexer(read).stream(pods)


class LogMultiplexer:
    """One thread finds pods, a few read their logs, and the caller takes the lines."""

    def __init__(self, read: ReadLog) -> None:
        self._read_log = read
        self._pods: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pump: Pump[LogLine] = Pump(_PENDING, weigh=_weight)

    def stream(self, pods: Iterator[str]) -> Iterator[LogLine]:
        """Lines until all pods are found and all their logs have ended; the last failure of any is raised then."""
        self._pump.start(partial(self._find, pods), name="logs-find")
        for _ in range(_WIDTH):
            self._pump.start(self._read, name="logs-read")
        yield from self._pump.items()

    def _find(self, pods: Iterator[str]) -> None:
        try:
            for pod in pods:
                self._pods.put(pod)
                if self._pump.stopped:
                    break
        finally:
            for _ in range(_WIDTH):
                self._pods.put(None)

    def _read(self) -> None:
        failure: BaseException | None = None
        while (pod := self._pods.get()) is not None and not self._pump.stopped:
            try:
                for line in skip_missing(self._read_log(pod)):
                    if not self._pump.put(line):
                        return
            except BaseException as error:  # the other pods' logs are still wanted
                failure = error
        if failure is not None:
            raise failure


def log_permission_result(kubernetes: Kubernetes) -> CheckResult | None:
    """A warning when the caller may not read the logs of pods; None when it may, or that cannot be found out."""
    denied = [words for words, attributes in _LOG_RIGHTS.items() if not _may(kubernetes, attributes)]
    if not denied:
        return None
    return warn(
        f"may not {' and '.join(denied)}: `hera-k8s logs` cannot show what tasks print",
        hint="ask those who run the cluster for that right",
    )


def _may(kubernetes: Kubernetes, attributes: Mapping[str, str]) -> bool:
    """Whether the server permits it; True when it does not say."""
    spec = {"resourceAttributes": {"namespace": kubernetes.namespace, **attributes}}
    body = {"apiVersion": _REVIEWS, "kind": "SelfSubjectAccessReview", "spec": spec}
    try:
        answer = kubernetes.create(_REVIEWS, "selfsubjectaccessreviews", body, scope="cluster")
    except PlatformError as error:
        log.debug("the right to read logs was not checked: %s", error)
        return True
    status = answer.get("status")
    return not isinstance(status, dict) or status.get("allowed") is not False


# --- how a log ends --------------------------------------------------------------------------------------------

_ABOUT_EXIT: Final = re.compile(r"(?:Error: )?exit(?:ed)?(?: with)? (?:status|code):? -?\d+\.?", re.IGNORECASE)
"""What wrappers of a program add of its end, such as Argo's executor: the exit code is known."""
_OF_WRAPPER: Final = re.compile(r"\blevel=(?:info|debug)\b", re.IGNORECASE)
"""A structured line that is not about a failure."""
_ERROR: Final = re.compile(r"[\w.]*(?:Error|Exception|Interrupt)\b.*|(?:error|fatal|panic)\b.*", re.IGNORECASE)
"""How a line begins that names an error: `ValueError: ...`, `numpy.linalg.LinAlgError: ...`, `fatal: ...`."""
_NEAR_THE_END: Final = 50
"""Lines at the end of a log among which an error is looked for."""
_MOST_LINES: Final = 100_000
"""Lines of a log after which its end is not waited for."""
_MOST_CHARACTERS: Final = 64 * 1024 * 1024
"""Characters of a log after which its end is not waited for."""
_KEPT: Final = 2000
"""Characters of a line that are kept."""


def lines_before(deadline: float, read: Callable[[], Iterable[LogLine]]) -> Iterator[LogLine]:
    """The lines of a log; raises `PlatformError` (timeout) at a deadline, also while a line is awaited.

    deadline: by `time.monotonic`. read: called in a thread of its own, which stops after the line that it waits for.
    """
    pump: Pump[LogLine] = Pump(_PENDING, weigh=_weight)
    pump.start(lambda: all(map(pump.put, read())), name="log-read")
    with closing(pump.poll(lambda: max(0.0, deadline - time.monotonic()))) as lines:
        for line in lines:
            if line is None or time.monotonic() >= deadline:
                raise PlatformError("reading a log", found="it has no end in time", kind=ErrorKind.TIMEOUT)
            yield line


def last_words(lines: Iterable[LogLine]) -> str:
    """The line in which a log says why its program failed, near its end; without one, the last that says something.

    Programs write errors at once and results when their buffers are full, so that the error may come before.
    Empty for a log without such a line, and for one that is too long to read through.
    """
    last: deque[str] = deque(maxlen=_NEAR_THE_END)
    size = 0
    for number, line in enumerate(lines):
        size += len(line.text)
        if number >= _MOST_LINES or size > _MOST_CHARACTERS:
            return ""
        text = line.text.strip()[:_KEPT]
        if any(map(str.isalnum, text)) and not _ABOUT_EXIT.fullmatch(text) and not _OF_WRAPPER.search(text):
            last.append(text)
    return next((text for text in reversed(last) if _ERROR.match(text)), last[-1] if last else "")
