"""Reconciling: a controller takes what happens to objects, event by event, whatever one of them brings along."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final

from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.foundation.selectors import Selector
from hera_k8s_sandbox.store.store import Event, Store

log = logging.getLogger(__name__)

_LONGEST_TURN: Final = 0.05  # seconds


async def reconcile(
    store: Store, resource: Resource, take: Callable[[Event], None], *, labels: Selector | None = None
) -> None:
    """Call `take` with every change of a resource, beginning with the objects that exist, until the watches end.

    An event that cannot be dealt with is logged: custom objects may hold anything, and one must not stop the others.
    A watch that falls too far behind starts over with the objects that exist.
    """
    while True:
        try:
            with contextlib.closing(store.watch(resource, labels=labels)) as events:
                busy = 0.0
                async for event in events:
                    began = time.monotonic()
                    _take(event, take)
                    busy += time.monotonic() - began
                    if busy > _LONGEST_TURN:  # requests and signals have their turn, too
                        await asyncio.sleep(0)
                        busy = 0.0
                return
        except ApiError as error:
            log.warning("watching %s begins anew: %s", resource.plural, error.message)


def _take(event: Event, take: Callable[[Event], None]) -> None:
    try:
        take(event)
    except Exception:  # whatever it is about this object, the next one is taken
        log.exception("%s %s/%s could not be dealt with", event.entry.resource.plural, *event.entry.key)
