"""Locks: mutexes and semaphores that workflows and their nodes hold, and the queues before them.

Who waits is served by priority, then by when its workflow was made, then by when it came (Argo 4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Holder = tuple[str, str, str]  # namespace, workflow, node; no node: the whole workflow


@dataclass
class _Lock:
    held: list[Holder] = field(default_factory=list)
    queue: dict[Holder, tuple[int, str, int]] = field(default_factory=dict)  # lowest first


class Locks:
    """All locks of a sandbox.

    wake: called with the namespace and name of a workflow that may try again.
    """

    def __init__(self, wake: Callable[[str, str], None]) -> None:
        self._wake = wake
        self._locks: dict[str, _Lock] = {}
        self._arrivals = 0

    def acquire(
        self, holder: Holder, wanted: Mapping[str, int], *, priority: int = 0, created: str = ""
    ) -> tuple[str, str] | None:
        """Take all locks, or none; else the name of the first that is not free, and a message.

        wanted: how many may hold each lock.
        """
        self._arrivals += 1
        for name in wanted:
            lock = self._locks.setdefault(name, _Lock())
            if holder not in lock.held:
                lock.queue.setdefault(holder, (-priority, created, self._arrivals))
        for name, limit in wanted.items():
            lock = self._locks[name]
            if holder in lock.held:
                continue
            free = limit - len(lock.held)
            ahead = sorted(lock.queue, key=lambda each: lock.queue[each])[: max(free, 0)]
            if holder not in ahead:
                return name, f"Waiting for {name} lock. Lock status: {max(free, 0)}/{limit}"
        for name in wanted:
            lock = self._locks[name]
            lock.queue.pop(holder, None)
            if holder not in lock.held:
                lock.held.append(holder)
        return None

    def restore(self, holder: Holder, names: Iterable[str]) -> None:
        """Note what a workflow held when an earlier server ended."""
        for name in names:
            lock = self._locks.setdefault(name, _Lock())
            if holder not in lock.held:
                lock.held.append(holder)

    def release(self, holder: Holder) -> None:
        """Give back what a holder has; without a node, what all of its workflow's nodes have, too."""
        for lock in self._locks.values():
            gone = [each for each in (*lock.held, *lock.queue) if _is_of(each, holder)]
            for each in gone:
                if each in lock.held:
                    lock.held.remove(each)
                lock.queue.pop(each, None)
            if gone:
                self._wake_all(lock)

    def changed(self, name: str) -> None:
        """A semaphore's limit may have changed: those who wait for it try again."""
        for key, lock in self._locks.items():
            if key.startswith(name):
                self._wake_all(lock)

    def holders(self, name: str) -> list[Holder]:
        """Who holds a lock."""
        lock = self._locks.get(name)
        return [] if lock is None else list(lock.held)

    def _wake_all(self, lock: _Lock) -> None:
        for namespace, workflow in dict.fromkeys((each[0], each[1]) for each in lock.queue):
            self._wake(namespace, workflow)


def _is_of(one: Holder, holder: Holder) -> bool:
    return one == holder or (not holder[2] and one[:2] == holder[:2])
