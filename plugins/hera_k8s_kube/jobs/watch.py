"""List and watch objects over streams that may be interrupted; each change is reported once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from hera_k8s_utils import ErrorKind, Json, Kubernetes, PlatformError
from hera_k8s_utils.engines import STREAM_SECONDS, UNANCHORED_STREAM_SECONDS, StreamAttempt, is_permanent
from hera_k8s_utils.network import FailureBudget, RetryPolicy

log = logging.getLogger(__name__)

T = TypeVar("T")

_GONE: Final = 410
"""The HTTP status of an expired resourceVersion."""


@dataclass(frozen=True)
class WatchEvent(Generic[T]):
    """One change of an object.

    kind: `added`, `modified` or `deleted`.
    object: the object after the change; a deleted one in its last state.
    """

    kind: str
    object: T


@dataclass(frozen=True)
class ListWatch(Generic[T]):
    """Which objects are watched, and what is kept of each.

    kubernetes: the client of the API server.
    api_version: such as `batch/v1`.
    resource: plural name, such as `jobs`.
    read: object -> what is kept and reported of it.
    label_selector: as the API server takes it; default: all.
    field_selector: as the API server takes it; default: all.
    what: name of the objects in messages; default: the resource.
    hint: what to do after too many failures in a row.
    """

    kubernetes: Kubernetes
    api_version: str
    resource: str
    read: Callable[[Json], T]
    label_selector: str = ""
    field_selector: str = ""
    what: str = ""
    hint: str = "nothing was changed. Reattach with the same command"

    def changes(
        self,
        patience: RetryPolicy,
        *,
        until: float | None = None,
        there: Iterable[Json] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[WatchEvent[T]]:
        """First the existing objects, then each change.

        patience: retry policy of interrupted streams.
        until: monotonic time in seconds at which to end; default: never.
        there: objects that were already read; they are reported first, and later deletions of them are noticed.
        stopped: called between streams; once true, no further request is sent.

        An interrupted stream is resumed; when its resourceVersion has expired, all objects are listed and compared.
        Raises `PlatformError` when the server does not permit it, and after too many failures in a row.
        """
        cache = _Cache(self.read)
        budget = FailureBudget(self.what or self.resource, patience, self.hint)
        stale = False
        yield from cache.listed(there)
        while not (_past(until) or stopped()):
            try:
                found = list(self._list())
            except PlatformError as error:
                if is_permanent(error, first=not cache.newest):
                    raise
                if not stopped():
                    budget.record_failure(error)
                continue
            yield from cache.listed(found)
            position = _ResumePoint("" if stale else cache.newest, until)
            while not (position.lost or position.over or stopped()):
                yield from self._streamed(cache, budget, position, stopped)
            stale = position.stale

    def _list(self) -> Iterator[Json]:
        return self.kubernetes.list(
            self.api_version, self.resource, label_selector=self.label_selector, field_selector=self.field_selector
        )

    def _streamed(
        self, cache: _Cache[T], budget: FailureBudget, position: _ResumePoint, stopped: Callable[[], bool]
    ) -> Iterator[WatchEvent[T]]:
        """One stream, until it ends. One that ends at once counts as a failure: it would be reopened forever.

        After such a failure all objects are listed, because changes may have been missed.
        """
        with StreamAttempt(budget.policy) as attempt:
            for kind, found in self._watch(position):
                news = list(cache.taken(found, deleted=kind == "DELETED"))
                if news or position.since:  # a stream that begins anywhere repeats what is known
                    attempt.heard = True
                position.passed(found)
                yield from news
        position.ended(attempt.error, heard=attempt.heard)
        if attempt.succeeded or position.over or stopped():
            budget.reset()
        else:
            position.lost = True
            what = f"watching {self.what or self.resource}"
            ended_at_once = PlatformError(what, found="the stream ended at once", kind=ErrorKind.SERVER)
            budget.record_failure(attempt.error or ended_at_once)

    def _watch(self, position: _ResumePoint) -> Iterator[tuple[str, Json]]:
        return self.kubernetes.watch(
            self.api_version,
            self.resource,
            label_selector=self.label_selector,
            field_selector=self.field_selector,
            resource_version=position.since,
            timeout=position.seconds(),
        )


@dataclass
class _ResumePoint:
    """The resourceVersion at which the next stream starts.

    since: empty: the stream starts with all objects in their present state.
    until: monotonic time in seconds at which to end; None: never.
    lost: the version may be wrong, so that all objects must be listed.
    stale: even the newest version has expired (410), as happens to objects that were not changed for minutes.
    """

    since: str
    until: float | None
    lost: bool = False
    stale: bool = False

    @property
    def over(self) -> bool:
        """Whether `until` has passed."""
        return _past(self.until)

    def seconds(self) -> float:
        """How long the next stream may last."""
        most = STREAM_SECONDS if self.since else UNANCHORED_STREAM_SECONDS
        return most if self.until is None else max(1.0, min(most, self.until - time.monotonic()))

    def passed(self, found: Json) -> None:
        """Advance past an event."""
        if self.since:
            self.since = _version(found) or self.since

    def ended(self, error: PlatformError | None, *, heard: bool) -> None:
        """Record how the stream ended."""
        self.stale = error is not None and error.status == _GONE and not heard
        self.lost = error is not None or not self.since


@dataclass
class _Cache(Generic[T]):
    """The last known state of each object."""

    read: Callable[[Json], T]
    newest: str = ""
    _known: dict[str, tuple[str, str, T]] = field(default_factory=dict)

    def listed(self, found: Iterable[Json]) -> Iterator[WatchEvent[T]]:
        """Changes that a whole list shows."""
        present = {_name(each): each for each in found}
        for name in [name for name in self._known if name not in present]:
            yield WatchEvent("deleted", self._known.pop(name)[2])
        for each in present.values():
            yield from self.taken(each)
        self.newest = max((_version(each) for each in present.values()), key=_age, default="")

    def taken(self, found: Json, *, deleted: bool = False) -> Iterator[WatchEvent[T]]:
        """Changes that one object shows; none when its state is already known."""
        name, uid, version = _name(found), str(_metadata(found).get("uid") or ""), _version(found)
        before = self._known.get(name)
        if deleted:
            if before is not None and before[0] == uid:
                del self._known[name]
                yield WatchEvent("deleted", self.read(found))
            return
        if before is not None and before[0] != uid:  # deleted, and another one made under its name
            yield WatchEvent("deleted", before[2])
            before = None
        if before is not None and (before[1] == version or _age(version) < _age(before[1])):
            return
        kept = self.read(found)
        self._known[name] = (uid, version, kept)
        yield WatchEvent("modified" if before is not None else "added", kept)


def _metadata(found: Json) -> dict[str, Any]:
    return found.get("metadata") or {}


def _name(found: Json) -> str:
    return str(_metadata(found).get("name") or "")


def _version(found: Json) -> str:
    return str(_metadata(found).get("resourceVersion") or "")


def _age(version: str) -> int:
    """Resource versions of one resource are increasing numbers (Kubernetes documents so since 1.35)."""
    return int(version) if version.isdecimal() else 0


def _past(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until
