"""One watch of all Jobs of this process, and the tasks that wait for their own."""

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

_PAUSE: Final = 5.0
"""Seconds after which a watch that was given up is tried again; meanwhile tasks look for themselves."""


class Updates:
    """What is heard of one Job, for the loop in which this was made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard: deque[JobUpdate] = deque()
        self._something = asyncio.Event()

    def tell(self, update: JobUpdate) -> None:
        """From any thread. Raises RuntimeError when the loop was closed."""
        self._heard.append(update)
        self._loop.call_soon_threadsafe(self._something.set)

    async def next(self, seconds: float) -> JobUpdate | None:
        """The next update; None when so many seconds pass without one."""
        if not self._heard:
            self._something.clear()
        if not self._heard:  # `wait_for` may lose a cancellation that meets an update (until Python 3.12)
            waiting = asyncio.ensure_future(self._something.wait())
            try:
                await asyncio.wait([waiting], timeout=seconds)
            finally:
                waiting.cancel()
        return self._heard.popleft() if self._heard else None


class Followed:
    """What the watch says goes to the task that it is about; the watch lasts as long as there are any.

    failed: the watch is not to be relied on: tasks must ask.
    """

    def __init__(self, jobs: Jobs, label_selector: str) -> None:
        self._jobs = jobs
        self._selector = label_selector
        self._lock = threading.Lock()
        self._waiting: dict[str, Updates] = {}
        self._thread: threading.Thread | None = None
        self.failed = False

    def add(self, name: str) -> Updates:
        """What will be heard of a Job, for the running loop: called before it is there, so that nothing is missed."""
        with self._lock:
            self._waiting[name] = Updates()
            return self._waiting[name]

    def start(self) -> None:
        """Watch, now that there is a Job: its deletion will end the watch, if it is the last."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="covalent-k8s-watch", daemon=True)
                self._thread.start()

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
        name = update.job.name
        with self._lock:  # after its deletion nothing more will be heard
            found = self._waiting.pop(name, None) if update.kind == "deleted" else self._waiting.get(name)
        if found is None:
            return
        try:
            found.tell(update)
        except RuntimeError:  # the loop was closed, and the task with it
            self.remove(name)
