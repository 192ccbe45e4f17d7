"""Work queue of a controller: which keys to sync, and when. A sync that takes long is not repeated at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from hera_k8s_sandbox.foundation.errors import ApiError

Key = tuple[str, str]  # namespace, name

log = logging.getLogger(__name__)

_SHARE: Final = 10  # seconds without a sync after a sync of one second


class WorkQueue:
    """The keys that one controller has to sync.

    what: the kind of the objects, for the log.
    sync: brings the object of a key to its desired state; the seconds until its next sync, or None.
    share: seconds without a sync of an object after a sync of one second.
    """

    def __init__(self, what: str, sync: Callable[[Key], float | None], *, share: float = _SHARE) -> None:
        self._what = what
        self._sync = sync
        self._share = share
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._not_before: dict[Key, float] = {}

    @property
    def idle(self) -> bool:
        """Whether no sync is due."""
        return not self._timers

    def enqueue(self, key: Key, delay: float = 0.0) -> None:
        """Sync an object after a delay in seconds, or earlier if that is scheduled already."""
        loop = asyncio.get_running_loop()
        when = max(loop.time() + delay, self._not_before.get(key, 0.0))
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self._run, key)

    def forget(self, key: Key) -> None:
        """Drop the key of an object that is gone."""
        self._not_before.pop(key, None)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    def stop(self) -> None:
        """Drop all keys."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _run(self, key: Key) -> None:
        del self._timers[key]
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            again = self._sync(key)
        except ApiError as error:
            if error.code != 404:  # deleted meanwhile
                log.warning("%s %s/%s: %s", self._what, *key, error.message)
            return
        except Exception:  # whatever it is about this one, the others go on
            log.exception("%s %s/%s could not be dealt with", self._what, *key)
            return
        now = loop.time()
        self._not_before[key] = now + self._share * (now - began)
        if again is not None:
            self.enqueue(key, again)
