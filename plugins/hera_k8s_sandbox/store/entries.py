"""Entries: one version of one object each, kept as JSON text and parsed when it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Final, NamedTuple

from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.foundation.selectors import Selector
from hera_k8s_utils._types import Json

LARGEST_OBJECT: Final = 3 << 19  # bytes, 1.5 MiB: what etcd takes in one request
TOO_LARGE_FOR_ETCD: Final = "etcdserver: request is too large"
Key = tuple[str, str]  # namespace ("" for what is cluster-scoped), name


class Entry:
    """One version of one object: its metadata apart from its body, each also as JSON text."""

    def __init__(self, resource: Resource, meta: Json, body: bytes) -> None:
        self.resource = resource
        self.meta = meta
        self.body = body  # the object without apiVersion, kind and metadata, as a JSON object
        self.version = int(meta.get("resourceVersion", 0))  # 0: only tried, never stored

    @property
    def size(self) -> int:
        """Its bytes as JSON, about."""
        return len(self.body) + len(self.meta_text)

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.meta.get("namespace", ""), self.meta["name"]

    @cached_property
    def meta_text(self) -> bytes:
        """The metadata as JSON."""
        return dumps(self.meta)

    @property
    def item_text(self) -> bytes:
        """The object as JSON without apiVersion and kind: an item of a list of a built-in kind."""
        return b'{"metadata":' + self.meta_text + self._tail

    @property
    def text(self) -> bytes:
        """The whole object as JSON."""
        head = b'{"kind":"%s","apiVersion":"%s","metadata":' % (
            self.resource.kind.encode(),
            self.resource.api_version.encode(),
        )
        return head + self.meta_text + self._tail

    @property
    def _tail(self) -> bytes:
        return b"}" if self.body == b"{}" else b"," + self.body[1:]

    @cached_property
    def object(self) -> Json:
        """The whole object, parsed when first asked for."""
        return self._headed(self.meta)

    def copy(self) -> Json:
        """The whole object, the caller's to change."""
        return self._headed(json.loads(self.meta_text))

    def _headed(self, meta: Json) -> Json:
        head = {"apiVersion": self.resource.api_version, "kind": self.resource.kind, "metadata": meta}
        body: Json = json.loads(self.body)
        return head | body

    def label(self, key: str) -> str | None:
        """A label's value, or None."""
        value: str | None = (self.meta.get("labels") or {}).get(key)
        return value

    def field(self, path: str) -> str:
        """The value at a dotted path as a field selector compares it; empty when there is none."""
        head, _, rest = path.partition(".")
        if head == "metadata":
            return str(self.meta.get(rest) or "")
        counted = dict(self.resource.counts).get(path)
        value: Any = self.object
        for part in (counted or path).split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            return "0" if counted else ""
        return str(value)

    def selected(self, namespace: str | None, labels: Selector | None, fields: Selector | None) -> bool:
        """Whether the object lies in the namespace (None: any) and satisfies both selectors."""
        if namespace is not None and self.meta.get("namespace", "") != namespace:
            return False
        if labels is not None and not labels.matches(self.label):
            return False
        return fields is None or fields.matches(self.field)


def as_served(entry: Entry, resource: Resource) -> Entry:
    """A stored object as another version of its kind shows it."""
    return entry if entry.resource.api_version == resource.api_version else Entry(resource, entry.meta, entry.body)


@dataclass(frozen=True)
class Event:
    """A change as a watcher sees it.

    type: ADDED, MODIFIED or DELETED.
    """

    type: str
    entry: Entry

    @property
    def object(self) -> Json:
        """The object after the change, or its last state; parsed when first asked for."""
        return self.entry.object

    @property
    def version(self) -> int:
        """The resourceVersion of the change."""
        return self.entry.version

    @property
    def text(self) -> bytes:
        """The object as JSON."""
        return self.entry.text


class Change(NamedTuple):
    """What happened at one version.

    before: None for a creation.
    deleted: `after` is the last state.
    """

    before: Entry | None
    after: Entry
    deleted: bool


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def now_text() -> str:
    """This second in UTC, as the API writes times: 2026-11-20T10:42:00Z."""
    return time_text(CLOCK.now())


def time_text(seconds: float) -> str:
    """A time as the API writes it; seconds since the epoch."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def body_of(obj: Json) -> bytes:
    """What an object holds besides apiVersion, kind and metadata, as JSON."""
    return dumps({key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")})
