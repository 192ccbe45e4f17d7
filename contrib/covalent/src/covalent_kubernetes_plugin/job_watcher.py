"""One watch of all Jobs of the process, which dispatches updates to the waiting tasks."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from hera_k8s_utils import HeraK8sError

if TYPE_CHECKING:
    from hera_k8s_kube.jobs import Jobs, JobUpdate

log = logging.getLogger(__name__)

_RETRY_DELAY: Final = 5.0
"""Seconds until a failed watch is started again; tasks poll in the meantime."""


class Updates:
    """The updates of a Job, for the event loop that created this object."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: deque[JobUpdate] = deque()
        self._available = asyncio.Event()

    def put(self, update: JobUpdate) -> None:
        """Add an update, from any thread. Raises RuntimeError if the loop is closed."""
        self._queue.append(update)
        self._loop.call_soon_threadsafe(self._available.set)

    async def next(self, seconds: float) -> JobUpdate | None:
        """The next update; None after this many seconds without one."""
        if not self._queue:
            self._available.clear()
        if not self._queue:  # `wait_for` may lose a cancellation that meets an update (until Python 3.12)
            waiting = asyncio.ensure_future(self._available.wait())
            try:
                await asyncio.wait([waiting], timeout=seconds)
            finally:
                waiting.cancel()
        return self._queue.popleft() if self._queue else None


class JobWatcher:
    """Dispatches updates of the watch to tasks; the watch runs while there are tasks.

    failed: whether the watch is down, so that tasks must poll.
    """

    def __init__(self, jobs: Jobs, label_selector: str) -> None:
        self._jobs = jobs
        self._selector = label_selector
        self._lock = threading.Lock()
        self._waiting: dict[str, Updates] = {}
        self._thread: threading.Thread | None = None
        self.failed = False

    def add(self, name: str) -> Updates:
        """The updates of a Job, for the running loop. Call it before the Job exists, so that none is missed."""
        with self._lock:
            self._waiting[name] = Updates()
            return self._waiting[name]

    def start(self) -> None:
        """Start the watch, once a Job exists: the deletion of the last Job ends it."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="covalent-k8s-watch", daemon=True)
                self._thread.start()

    def remove(self, name: str) -> None:
        """Stop dispatching updates of this Job."""
        with self._lock:
            self._waiting.pop(name, None)

    def _watch(self) -> None:
        while not self._is_idle():
            try:
                for update in self._jobs.follow(self._selector):
                    self.failed = False
                    self._dispatch(update)
                    if self._is_idle():  # after the deletion of the last Job the watch is no longer needed
                        return
            except HeraK8sError as error:
                log.warning("tasks on Kubernetes cannot be watched, polling instead: %s", error)
            except Exception:
                log.exception("the watch of tasks on Kubernetes failed")
            self.failed = True
            time.sleep(_RETRY_DELAY)

    def _is_idle(self) -> bool:
        """Whether no task is waiting; the thread then ends."""
        with self._lock:
            if self._waiting:
                return False
            self._thread = None
            return True

    def _dispatch(self, update: JobUpdate) -> None:
        name = update.job.name
        with self._lock:  # no update follows a deletion
            found = self._waiting.pop(name, None) if update.kind == "deleted" else self._waiting.get(name)
        if found is None:
            return
        try:
            found.put(update)
        except RuntimeError:  # the loop was closed, and the task with it
            self.remove(name)
