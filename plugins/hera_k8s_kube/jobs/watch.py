"""Watching all objects that carry some labels, over streams that may be cut: what came, changed and went, once each."""

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
"""The status that says that a resourceVersion is too old to begin with."""


@dataclass(frozen=True)
class WatchEvent(Generic[T]):
    """One object that came, changed or went. kind: `added`, `modified` or `deleted`; a deleted one as it was last."""

    kind: str
    object: T


@dataclass(frozen=True)
class ListWatch(Generic[T]):
    """Which objects are watched, and what is kept of each.

    read: an object -> what is kept and told. label_selector, field_selector: as the API server takes them.
    what: how messages name them. hint: what to do when nothing can be heard any more.
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
        """First what is there, then what changes, without an end, or until that (monotonic) time, in seconds.

        stopped: asked between streams; once true, nothing more is asked of the server.
        there: objects that were read already, and are told first; a deletion since then is noticed.

        A stream is taken up where it was; when the server no longer knows that place, all is listed and compared.
        Raises `PlatformError` when the server says that it is not ours to watch, and when the connection failed too
        often in a row.
        """
        view = _Cache(self.read)
        strain = FailureBudget(self.what or self.resource, patience, self.hint)
        stale = False
        yield from view.listed(there)
        while not (_past(until) or stopped()):
            try:
                found = list(self._list())
            except PlatformError as error:
                if is_permanent(error, first=not view.newest):
                    raise
                if not stopped():
                    strain.bear(error)
                continue
            yield from view.listed(found)
            place = _ResumePoint("" if stale else view.newest, until)
            while not (place.lost or place.over or stopped()):
                yield from self._streamed(view, strain, place, stopped)
            stale = place.stale

    def _list(self) -> Iterator[Json]:
        return self.kubernetes.list(
            self.api_version, self.resource, label_selector=self.label_selector, field_selector=self.field_selector
        )

    def _streamed(
        self, view: _Cache[T], strain: FailureBudget, place: _ResumePoint, stopped: Callable[[], bool]
    ) -> Iterator[WatchEvent[T]]:
        """One stream, until it ends; one that ends at once, and so would be asked for without end, is a failure.

        After such a one all is listed: what changes is not heard.
        """
        with StreamAttempt(strain.patience) as attempt:
            for kind, found in self._watch(place):
                news = list(view.taken(found, deleted=kind == "DELETED"))
                if news or place.since:  # a stream that begins anywhere repeats what is known
                    attempt.heard = True
                place.passed(found)
                yield from news
        place.ended(attempt.error, heard=attempt.heard)
        if attempt.succeeded or place.over or stopped():
            strain.relieve()
        else:
            place.lost = True
            what = f"watching {self.what or self.resource}"
            ended_at_once = PlatformError(what, found="the stream ended at once", trouble=ErrorKind.SERVER)
            strain.bear(attempt.error or ended_at_once)

    def _watch(self, place: _ResumePoint) -> Iterator[tuple[str, Json]]:
        return self.kubernetes.watch(
            self.api_version,
            self.resource,
            label_selector=self.label_selector,
            field_selector=self.field_selector,
            resource_version=place.since,
            timeout=place.seconds(),
        )


@dataclass
class _ResumePoint:
    """Where in the history of the objects the next stream begins; with "" it begins with all of them as they are.

    lost: the place is not sure any more, so that all must be listed. stale: not even the newest version can be begun
    with (410): that of objects that nobody has changed for minutes is, and stays so.
    """

    since: str
    until: float | None
    lost: bool = False
    stale: bool = False

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return _past(self.until)

    def seconds(self) -> float:
        """How long the next stream may last."""
        most = STREAM_SECONDS if self.since else UNANCHORED_STREAM_SECONDS
        return most if self.until is None else max(1.0, min(most, self.until - time.monotonic()))

    def passed(self, found: Json) -> None:
        """An event was heard."""
        if self.since:
            self.since = _version(found) or self.since

    def ended(self, error: PlatformError | None, *, heard: bool) -> None:
        """The stream is at its end."""
        self.stale = error is not None and error.status == _GONE and not heard
        self.lost = error is not None or not self.since


@dataclass
class _Cache(Generic[T]):
    """The objects as they were heard of last."""

    read: Callable[[Json], T]
    newest: str = ""
    _known: dict[str, tuple[str, str, T]] = field(default_factory=dict)

    def listed(self, found: Iterable[Json]) -> Iterator[WatchEvent[T]]:
        """What a whole list changes."""
        present = {_name(each): each for each in found}
        for name in [name for name in self._known if name not in present]:
            yield WatchEvent("deleted", self._known.pop(name)[2])
        for each in present.values():
            yield from self.taken(each)
        self.newest = max((_version(each) for each in present.values()), key=_age, default="")

    def taken(self, found: Json, *, deleted: bool = False) -> Iterator[WatchEvent[T]]:
        """What one object changes; nothing when it was heard of before."""
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
    """Versions of one resource are numbers that grow (they may be compared, says Kubernetes since 1.35)."""
    return int(version) if version.isdecimal() else 0


def _past(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until
