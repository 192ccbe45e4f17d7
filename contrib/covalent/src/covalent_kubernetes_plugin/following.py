"""One watch of all Jobs of this process, and the tasks that wait for their own."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from hera_k8s_utils import HeraK8sError

if TYPE_CHECKING:
    from hera_k8s_kube.jobs import Jobs, JobUpdate

log = logging.getLogger(__name__)

_PAUSE: Final = 5.0
"""Seconds after which a watch that was given up is tried again; meanwhile tasks look for themselves."""


class Followed:
    """What the watch says goes to the queue of the task that it is about; the watch lasts as long as there are any.

    failed: the watch is not to be relied on: tasks must ask.
    """

    def __init__(self, jobs: Jobs, label_selector: str) -> None:
        self._jobs = jobs
        self._selector = label_selector
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Queue[JobUpdate]]] = {}
        self._thread: threading.Thread | None = None
        self.failed = False

    def add(self, name: str) -> asyncio.Queue[JobUpdate]:
        """From now on, updates about a Job go into this queue of the running loop."""
        updates: asyncio.Queue[JobUpdate] = asyncio.Queue()
        with self._lock:
            self._waiting[name] = (asyncio.get_running_loop(), updates)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="covalent-k8s-watch", daemon=True)
                self._thread.start()
        return updates

    def remove(self, name: str) -> None:
        """Nobody waits for this Job any more."""
        with self._lock:
            self._waiting.pop(name, None)

    def _watch(self) -> None:
        while not self._idle():
            try:
                for update in self._jobs.follow(self._selector):
                    self.failed = False
                    self._tell(update)
                    if self._idle():  # the last Job's deletion is heard, so that the watch does not outlive its use
                        return
            except HeraK8sError as error:
                log.warning("tasks on Kubernetes cannot be watched, and are asked one by one: %s", error)
            except Exception:
                log.exception("the watch of tasks on Kubernetes failed")
            self.failed = True
            time.sleep(_PAUSE)

    def _idle(self) -> bool:
        """Whether there is nothing to watch for; then this thread is the watch no longer."""
        with self._lock:
            if self._waiting:
                return False
            self._thread = None
            return True

    def _tell(self, update: JobUpdate) -> None:
        with self._lock:
            found = self._waiting.get(update.job.name)
        if found is None:
            return
        loop, updates = found
        try:
            loop.call_soon_threadsafe(updates.put_nowait, update)
        except RuntimeError:  # the loop was closed, and the task with it
            self.remove(update.job.name)
