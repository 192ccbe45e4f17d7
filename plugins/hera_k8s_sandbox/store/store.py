"""The store: objects with their versions, in memory for reading and in SQLite for surviving.

Everything happens on one thread, the event loop's. What a method returns must be treated as frozen: it is the
store's own. To change an object, pass a whole new one to `replace`, or a function to `change`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hera_k8s_sandbox.foundation.errors import ApiError, already_exists, conflict, expired, not_found
from hera_k8s_sandbox.foundation.kind_registry import Kinds
from hera_k8s_sandbox.foundation.resource_types import CUSTOM_RESOURCE_DEFINITIONS, RESOURCES, Resource
from hera_k8s_sandbox.foundation.selectors import Selector
from hera_k8s_sandbox.store.entries import (
    LARGEST_OBJECT,
    TOO_LARGE_FOR_ETCD,
    Change,
    Entry,
    Event,
    Key,
    as_served,
    body_of,
    dumps,
    now_text,
    time_text,
)
from hera_k8s_sandbox.store.subscriptions import Subscription, Table
from hera_k8s_utils._types import Json

__all__ = ["Entry", "Event", "Json", "Store", "Subscription", "as_served", "dumps", "now_text", "time_text"]

Objects = list[Json]

log = logging.getLogger(__name__)

_SUFFIX_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"  # the API server's: no vowels, no words
_SUFFIX_LENGTH: Final = 5
_NAME_ATTEMPTS: Final = 8
MOST_BYTES: Final = 512 << 20  # of all objects as JSON; etcd has room for 2 GiB
_FULL: Final = "etcdserver: mvcc: database space exceeded"
_SLACK: Final = 4096  # bytes
_LONGEST_BASE: Final = 63 - _SUFFIX_LENGTH


class Store:
    """All objects of one sandbox.

    path: the SQLite file, made when missing; None keeps everything in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self.kinds = Kinds()
        self._tables = {resource.qualified: Table(resource) for resource in RESOURCES}
        self._dependents: defaultdict[str, set[tuple[str, Key]]] = defaultdict(set)
        self._unsaved: dict[tuple[str, Key], Entry | None] = {}
        self._flush_planned = False
        self.version = 1
        self._bytes = 0  # of all objects
        self._database = _open(path)
        self._load()
        for table in self._tables.values():
            table.oldest = self.version

    # Kinds

    def define(self, definition: Json) -> tuple[Resource, ...]:
        """Serve the kinds of a CustomResourceDefinition; existing objects are kept. Returns its rows."""
        rows = self.kinds.define(definition)
        if rows:
            table = self._table(rows[0])
            table.resource = rows[0]
            table.entries = {key: Entry(rows[0], old.meta, old.body) for key, old in table.entries.items()}
        return rows

    def undefine(self, name: str) -> None:
        """Serve no longer what a definition defined; its objects are gone, its watches end."""
        self.kinds.forget(name)
        table = self._tables.pop(name, None)
        for subscription in builtin_list(table.subscriptions) if table is not None else ():
            subscription.close()

    def _table(self, resource: Resource) -> Table:
        table = self._tables.get(resource.qualified)
        if table is None:
            table = self._tables[resource.qualified] = Table(resource, oldest=self.version)
        return table

    # Reading

    def find(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """The object, or None."""
        entry = self._table(resource).entries.get((namespace, name))
        return None if entry is None else entry.object

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """The object. Raises ApiError 404."""
        return self.entry(resource, namespace, name).object

    def entry(self, resource: Resource, namespace: str, name: str) -> Entry:
        """The object with its JSON text. Raises ApiError 404."""
        entry = self._table(resource).entries.get((namespace, name))
        if entry is None:
            raise not_found(resource, name)
        return entry

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: Selector | None = None,
        fields: Selector | None = None,
    ) -> Objects:
        """The objects of a namespace (None: of all), sorted by namespace and name."""
        return [entry.object for entry in self.entries(resource, namespace, labels=labels, fields=fields)]

    def entries(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: Selector | None = None,
        fields: Selector | None = None,
    ) -> builtin_list[Entry]:
        """As `list`, with the JSON texts."""
        found = self._table(resource).entries
        return [found[key] for key in sorted(found) if found[key].selected(namespace, labels, fields)]

    def entries_at(
        self,
        resource: Resource,
        version: int,
        namespace: str | None = None,
        *,
        labels: Selector | None = None,
        fields: Selector | None = None,
    ) -> builtin_list[Entry]:
        """As `entries`, as it was at a version. Raises ApiError 410 when that is forgotten."""
        table = self._table(resource)
        if version < table.oldest and version < self.version:
            raise expired(version, table.oldest)
        found = dict(table.entries)
        for change in reversed(table.history):
            if change.after.version <= version:
                break
            if change.before is None:
                found.pop(change.after.key, None)
            else:
                found[change.after.key] = change.before
        return [found[key] for key in sorted(found) if found[key].selected(namespace, labels, fields)]

    def dependents(self, uid: str) -> builtin_list[Entry]:
        """The objects that name an owner of this uid."""
        found = sorted(self._dependents.get(uid, ()))
        return [self._tables[qualified].entries[key] for qualified, key in found]

    def count(self, resource: Resource) -> int:
        """How many objects there are, in all namespaces."""
        return len(self._table(resource).entries)

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        since: int | None = None,
        labels: Selector | None = None,
        fields: Selector | None = None,
    ) -> Subscription:
        """Follow changes.

        since: only what changed after this version; None: first an ADDED event for all that is there.
        Raises ApiError 410 when changes after `since` are forgotten.
        """
        table = self._table(resource)
        if since is not None and since < table.oldest:
            raise expired(since, table.oldest)
        subscription = Subscription(table, namespace, labels, fields)
        if since is None:
            for entry in self.entries(resource, namespace, labels=labels, fields=fields):
                subscription.start_with(entry)
        else:
            for change in table.history:
                if change.after.version > since:
                    subscription.offer(change)
        return subscription

    # Writing

    def free_name(self, resource: Resource, namespace: str, base: str) -> str:
        """A name for an object that wants a generated one. Raises ApiError 409 when all that were tried are taken."""
        table = self._table(resource)
        for _ in range(_NAME_ATTEMPTS):
            suffix = "".join(random.choices(_SUFFIX_ALPHABET, k=_SUFFIX_LENGTH))  # noqa: S311  a name, no secret
            name = base[:_LONGEST_BASE] + suffix
            if (namespace, name) not in table.entries:
                return name
        raise already_exists(table.resource, name)

    def create(self, resource: Resource, obj: Json) -> Json:
        """Add an object; sets name from generateName, uid, creationTimestamp and resourceVersion.

        Raises ApiError 409 AlreadyExists, and 500 when it is too large, or there is no room for it.
        """
        return self.insert(resource, obj).object

    def insert(self, resource: Resource, obj: Json, *, dry_run: bool = False) -> Entry:
        """As `create`, with the JSON text; with `dry_run` nothing is kept."""
        meta = dict(obj["metadata"])
        table = self._table(resource)
        namespace = meta.get("namespace", "")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = self.free_name(resource, namespace, meta["generateName"])
        if (namespace, meta["name"]) in table.entries:
            raise already_exists(resource, meta["name"])
        meta.setdefault("uid", str(uuid.uuid4()))
        meta["creationTimestamp"] = now_text()
        if resource.generation:
            meta["generation"] = 1
        body = body_of(obj)
        if len(body) > LARGEST_OBJECT:
            raise ApiError(500, "", TOO_LARGE_FOR_ETCD)
        if dry_run:
            return Entry(resource, meta, body)
        if self._bytes + len(body) > MOST_BYTES:
            raise ApiError(500, "", _FULL)
        return self._write(table, None, meta, body)

    def replace(self, resource: Resource, obj: Json) -> Json:
        """Write a whole new state; what the server owns of the metadata stays as it was.

        Raises ApiError 404, and 409 Conflict when metadata.resourceVersion is given and stale, or the uid
        is another object's.
        """
        return self.put(resource, obj).object

    def put(self, resource: Resource, obj: Json, *, dry_run: bool = False, bounded: bool = False) -> Entry:
        """As `replace`, with the JSON text; with `dry_run` nothing is kept.

        bounded: it must not grow beyond what etcd takes, as workflows do here whose nodes Argo would compress.
        """
        given = obj["metadata"]
        entry = self.entry(resource, given.get("namespace", ""), given["name"])
        self._require_current(entry, given)
        if bounded:
            self._require_room(entry, obj)
        return self._update(entry, obj, dry_run=dry_run)

    def change(self, resource: Resource, namespace: str, name: str, edit: Callable[[Json], None]) -> Json:
        """Read, let `edit` alter the object in place, write; nothing happens when nothing was altered.

        Raises ApiError 404, or what `edit` raises.
        """
        entry = self.entry(resource, namespace, name)
        obj = entry.copy()
        edit(obj)
        return self._update(entry, obj).object

    def delete(self, resource: Resource, namespace: str, name: str, *, cascade: bool = True) -> Json:
        """Remove an object and, with `cascade`, at once those that it owns; returns its last state.

        Raises ApiError 404.
        """
        entry = self.entry(resource, namespace, name)
        table = self._table(resource)
        last = Entry(resource, entry.meta | {"resourceVersion": str(self._next())}, entry.body)
        del table.entries[entry.key]
        self._disown(entry)
        self._publish(table, Change(entry, last, deleted=True))
        if cascade:
            for owned in self.dependents(entry.meta["uid"]):
                if owned.key in self._table(owned.resource).entries:
                    self.delete(owned.resource, *owned.key)
        return last.object

    def flush(self) -> None:
        """Commit what is not yet in the file; after this, kill -9 loses nothing."""
        self._flush_planned = False
        if not self._unsaved:
            return
        gone = [(name, *key) for (name, key), entry in self._unsaved.items() if entry is None]
        kept = [
            (name, *key, entry.version, entry.text) for (name, key), entry in self._unsaved.items() if entry is not None
        ]
        self._unsaved.clear()
        with self._database as transaction:
            transaction.execute("BEGIN")
            transaction.executemany("DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", gone)
            transaction.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", kept)
            transaction.execute("UPDATE version SET value = ?", (self.version,))

    def forget(self) -> None:
        """Let the past begin here: a watch from before this version has expired."""
        for table in self._tables.values():
            table.history.clear()
            table.history_bytes = 0
            table.oldest = self.version

    def close(self) -> None:
        """End all watches, commit, close the file."""
        self.end_watches()
        self.flush()
        self._database.close()

    def end_watches(self) -> None:
        """Close every subscription."""
        for table in self._tables.values():
            for subscription in builtin_list(table.subscriptions):
                subscription.close()

    # Inside

    def _require_room(self, entry: Entry, obj: Json) -> None:
        grown = len(body_of(obj)) - len(entry.body)
        if grown > 0 and len(entry.body) + grown > LARGEST_OBJECT and not _is_small_beside(grown, entry):
            raise ApiError(500, "", TOO_LARGE_FOR_ETCD)
        if grown > _SLACK and self._bytes + grown > MOST_BYTES:
            raise ApiError(500, "", _FULL)

    def _require_current(self, entry: Entry, given: Json) -> None:
        version = given.get("resourceVersion")
        if version and version != entry.meta["resourceVersion"]:
            raise conflict(entry.resource, entry.meta["name"])
        uid = given.get("uid")
        if uid and uid != entry.meta["uid"]:
            why = (
                f"StorageError: invalid object, Code: 4, Key: {_storage_key(entry)}, ResourceVersion: 0, "
                f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
                f"UID in object meta: {entry.meta['uid']}"
            )
            raise conflict(entry.resource, entry.meta["name"], why)

    def _update(self, entry: Entry, obj: Json, *, dry_run: bool = False) -> Entry:
        meta = dict(obj["metadata"])
        for owned in ("name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation"):
            if owned in entry.meta:
                meta[owned] = entry.meta[owned]
            else:
                meta.pop(owned, None)
        body = body_of(obj)
        if body == entry.body and meta == entry.meta:
            return entry
        if entry.resource.generation and _wish_changed(entry, obj, body):
            meta["generation"] = entry.meta.get("generation", 0) + 1
        if meta.get("generation") and "deletionGracePeriodSeconds" in meta.keys() - entry.meta.keys():
            meta["generation"] += 1
        if dry_run:
            return Entry(entry.resource, meta, body)
        return self._write(self._table(entry.resource), entry, meta, body)

    def _write(self, table: Table, before: Entry | None, meta: Json, body: bytes) -> Entry:
        meta["resourceVersion"] = str(self._next())
        entry = Entry(table.resource, json.loads(dumps(meta)), body)
        if before is not None:
            self._disown(before)
        table.entries[entry.key] = entry
        for owner in entry.meta.get("ownerReferences") or ():
            self._dependents[owner.get("uid", "")].add((table.resource.qualified, entry.key))
        self._publish(table, Change(before, entry, deleted=False))
        return entry

    def _disown(self, entry: Entry) -> None:
        for owner in entry.meta.get("ownerReferences") or ():
            dependents = self._dependents.get(owner.get("uid", ""))
            if dependents is not None:
                dependents.discard((entry.resource.qualified, entry.key))
                if not dependents:
                    del self._dependents[owner["uid"]]

    def _publish(self, table: Table, change: Change) -> None:
        self._bytes += (0 if change.deleted else change.after.size) - (change.before.size if change.before else 0)
        self._unsaved[table.resource.qualified, change.after.key] = None if change.deleted else change.after
        self._plan_flush()
        table.publish(change)

    def _plan_flush(self) -> None:
        if self._flush_planned:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            self._flush_planned = True
            loop.call_soon(self.flush)

    def _next(self) -> int:
        self.version += 1
        return self.version

    def _load(self) -> None:
        (self.version,) = self._database.execute("SELECT value FROM version").fetchone()
        found = self._database.execute("SELECT resource, body FROM objects").fetchall()
        known = {resource.qualified: resource for resource in RESOURCES}
        for qualified, text in found:
            if qualified in known:
                self._take(known[qualified], text)
        rows = [self.define(definition)[:1] for definition in self.list(CUSTOM_RESOURCE_DEFINITIONS)]
        defined = {resource.qualified: resource for stored in rows for resource in stored}
        for qualified, text in found:
            if qualified in defined:
                self._take(defined[qualified], text)

    def _take(self, resource: Resource, text: bytes) -> None:
        try:
            obj = json.loads(text)
        except (RecursionError, ValueError) as error:  # an earlier version took what cannot be read any more
            log.warning("an object of %s is left out: %s", resource.qualified, error)
            return
        entry = Entry(resource, obj["metadata"], body_of(obj))
        self._bytes += entry.size
        self._table(resource).entries[entry.key] = entry
        for owner in entry.meta.get("ownerReferences") or ():
            self._dependents[owner.get("uid", "")].add((resource.qualified, entry.key))


builtin_list = list  # `Store.list` hides the name inside the class


def _is_small_beside(grown: int, entry: Entry) -> bool:
    """Whether an object that is large already, as a workflow with many nodes, only takes a few words more."""
    return grown <= _SLACK and len(entry.body) > LARGEST_OBJECT


def _wish_changed(entry: Entry, obj: Json, body: bytes) -> bool:
    """Whether a change counts for `metadata.generation`: changes of a status subresource do not."""
    if "status" not in entry.resource.subresources and body != entry.body:
        return True
    if _wished(obj) != _wished(entry.object):
        return True
    return any(_wishes(obj["metadata"], field) != _wishes(entry.meta, field) for field in entry.resource.counted)


def _wished(obj: Json) -> Json:
    """An object without what others say about it: its status, and the node that a scheduler gives it."""
    kept = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    if isinstance(kept.get("spec"), dict) and "nodeName" in kept["spec"]:
        kept["spec"] = {key: value for key, value in kept["spec"].items() if key != "nodeName"}
    return kept


def _wishes(meta: Json, field: str) -> Json:
    """Labels or annotations, without those that a controller marks its own object with."""
    found = meta.get(field) or {}
    return {key: value for key, value in found.items() if not key.startswith("deployment.kubernetes.io/")}


def _storage_key(entry: Entry) -> str:
    """Where etcd has it in a cluster: the API server's message says so."""
    resource = entry.resource
    kind = f"{resource.group}/{resource.plural}" if resource.custom else resource.plural
    return "/".join(["/registry", kind, *(part for part in entry.key if part)])


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # it holds Secrets; its journals take its mode
    database = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS objects (resource TEXT, namespace TEXT, name TEXT, version INTEGER, "
        "body BLOB, PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID"
    )
    database.execute("CREATE TABLE IF NOT EXISTS version (value INTEGER)")
    database.execute("INSERT INTO version SELECT 1 WHERE NOT EXISTS (SELECT * FROM version)")
    return database
