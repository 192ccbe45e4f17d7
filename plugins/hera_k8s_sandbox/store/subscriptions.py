"""Subscriptions: the changes of one resource, kept for a while and delivered to watches."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from hera_k8s_sandbox.foundation.errors import expired
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.foundation.selectors import Selector
from hera_k8s_sandbox.store.entries import Change, Entry, Event, Key

HISTORY_CHANGES: Final = 8_192  # kept for each resource, for watches that come back
HISTORY_BYTES: Final = 16 << 20
BACKLOG: Final = 65_536  # events that a slow watcher may be behind
BACKLOG_BYTES: Final = 64 << 20


@dataclass
class Table:
    """The objects of one resource, what lately happened to them, and who wants to know."""

    resource: Resource
    entries: dict[Key, Entry] = field(default_factory=dict)
    history: deque[Change] = field(default_factory=deque)
    history_bytes: int = 0
    oldest: int = 0  # changes up to this version are forgotten
    subscriptions: set[Subscription] = field(default_factory=set)

    def publish(self, change: Change) -> None:
        """Remember a change and offer it to every watch."""
        self.history.append(change)
        self.history_bytes += len(change.after.body)
        while len(self.history) > HISTORY_CHANGES or self.history_bytes > HISTORY_BYTES:
            forgotten = self.history.popleft()
            self.history_bytes -= len(forgotten.after.body)
            self.oldest = forgotten.after.version
        for subscription in list(self.subscriptions):
            subscription.offer(change)


class Subscription:
    """A watch: `async for event in subscription`, until it is closed; ApiError 410 when it fell behind."""

    def __init__(self, table: Table, namespace: str | None, labels: Selector | None, fields: Selector | None) -> None:
        self._table = table
        self._scope = (namespace, labels, fields)
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._most = BACKLOG
        self._wake: asyncio.Future[None] | None = None
        self._closed = False
        self._lost = False
        table.subscriptions.add(self)

    def offer(self, change: Change) -> None:
        """Take a change, as the event that it is for this watch's scope."""
        now = change.after.selected(*self._scope) and not change.deleted
        before = change.before is not None and change.before.selected(*self._scope)
        if not now and not before:
            return
        if now:
            self._put(Event("MODIFIED" if before else "ADDED", change.after))
        elif change.deleted or change.before is None:
            self._put(Event("DELETED", change.after))
        else:  # it left the selection: sent as it last matched, at the version of the change
            meta = change.before.meta | {"resourceVersion": change.after.meta["resourceVersion"]}
            self._put(Event("DELETED", Entry(change.before.resource, meta, change.before.body)))

    def start_with(self, entry: Entry) -> None:
        """Take an object that is there already as an ADDED event; these do not count as a backlog."""
        self._events.append(Event("ADDED", entry))
        self._most += 1

    def pending(self) -> list[Event]:
        """Take what has arrived, without waiting."""
        events = list(self._events)
        self._events.clear()
        self._bytes = 0
        return events

    async def wait(self) -> bool:
        """Wait until something has arrived; False when the watch is closed. Raises ApiError 410."""
        while not self._events:
            if self._lost:
                raise expired(0, self._table.oldest)
            if self._closed:
                return False
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return True

    def close(self) -> None:
        """End the watch; safe to repeat."""
        self._closed = True
        self._table.subscriptions.discard(self)
        self._notify()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        if await self.wait():
            event = self._events.popleft()
            self._bytes = max(0, self._bytes - len(event.entry.body))
            return event
        raise StopAsyncIteration

    def _put(self, event: Event) -> None:
        self._events.append(event)
        self._bytes += len(event.entry.body)
        if len(self._events) > self._most or (self._bytes > BACKLOG_BYTES and len(self._events) > 1):
            self._lost = True
            self._events.clear()
            self._table.subscriptions.discard(self)
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
