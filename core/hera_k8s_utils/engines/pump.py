"""Threads that produce items, and the one caller that consumes them through a bounded queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_CHECK: Final = 0.5
"""Seconds between looks whether the consumer has stopped, while the queue is full."""


@dataclass(frozen=True)
class _Failure:
    """What ended a producer."""

    error: BaseException


class _End:
    """A producer has ended."""


class Pump(Generic[T]):
    """Daemon threads feed one consumer. A slow consumer slows them down; once it stops, they stop.

    pump = Pump[str](1000)
    pump.start(lambda: [pump.put(line) for line in stream()], name="read")
    for line in pump.items():
        ...

    """

    def __init__(self, capacity: int, *, weigh: Callable[[T], int] | None = None) -> None:
        """Without threads so far.

        capacity: the weight of the items that may wait in the queue.
        weigh: the weight of an item; by default each weighs 1, which is the least.
        """
        self._entries: _WeighedQueue[_Failure | _End | T] = _WeighedQueue(
            capacity, lambda entry: 1 if weigh is None or isinstance(entry, (_Failure, _End)) else weigh(entry)
        )
        self._running = 0
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether the consumer has stopped."""
        return self._stopped.is_set()

    def start(self, produce: Callable[[], object], *, name: str) -> None:
        """Run a producer, which calls `put`, in a thread of this name. To be called by the consumer."""
        self._running += 1
        threading.Thread(target=self._run, args=(produce,), name=name, daemon=True).start()

    def put(self, item: T) -> bool:
        """Wait for room and add an item; False when the consumer has stopped."""
        return self._put(item)

    def items(self) -> Iterator[T]:
        """Items until every producer has ended; the last failure of any is raised then."""
        failure: BaseException | None = None
        try:
            while self._running:
                entry = self._entries.get()
                if isinstance(entry, _Failure):
                    failure = entry.error
                elif isinstance(entry, _End):
                    self._running -= 1
                else:
                    yield entry
        finally:
            self._stopped.set()
        if failure is not None:
            raise failure

    def poll(self, seconds: Callable[[], float]) -> Generator[T | None, None, None]:
        """Items until every producer has ended, and None whenever none came for a while; a failure is raised at once.

        seconds: how long to wait for the next item.
        """
        try:
            while self._running:
                try:
                    entry = self._entries.get(timeout=seconds())
                except queue.Empty:
                    yield None
                    continue
                if isinstance(entry, _Failure):
                    raise entry.error
                if isinstance(entry, _End):
                    self._running -= 1
                else:
                    yield entry
        finally:
            self._stopped.set()

    def _run(self, produce: Callable[[], object]) -> None:
        try:
            produce()
        except BaseException as error:  # SystemExit too, which would end the thread silently
            self._put(_Failure(error))
        finally:
            self._put(_End())

    def _put(self, entry: _Failure | _End | T) -> bool:
        while not self._stopped.is_set():
            try:
                self._entries.put(entry, timeout=_CHECK)
            except queue.Full:
                continue
            return True
        return False


class _WeighedQueue(queue.Queue[T]):
    """A queue that is full when it holds so many items, or fewer heavy ones."""

    def __init__(self, capacity: int, weigh: Callable[[T], int]) -> None:
        self._weigh = weigh
        super().__init__(capacity)

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._weight = 0

    def _qsize(self) -> int:
        return max(len(self.queue), self._weight)

    def _put(self, item: T) -> None:
        super()._put(item)
        self._weight += self._weigh(item)

    def _get(self) -> T:
        item: T = super()._get()
        self._weight -= self._weigh(item)
        return item
