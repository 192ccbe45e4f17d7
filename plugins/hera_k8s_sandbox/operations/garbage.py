"""Garbage: what becomes of objects whose owners are deleted: they go too, first, or stay as orphans."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.store.store import Entry, Store
from hera_k8s_utils._types import Json

Delete = Callable[[Entry, str], object]  # the object, and what is to become of what it owns
Release = Callable[[Entry, str], object]  # the object, and the finalizer that it is to lose

BACKGROUND: Final = "Background"
FOREGROUND: Final = "Foreground"
ORPHAN: Final = "Orphan"
POLICIES: Final = (FOREGROUND, BACKGROUND, ORPHAN)
_FINALIZERS: Final = {FOREGROUND: "foregroundDeletion", ORPHAN: "orphan"}


def finalizers_for(policy: str, found: list[str]) -> list[str]:
    """The finalizers that an object has after it was asked to go; only one of the two ways is taken."""
    kept = [name for name in found if name not in _FINALIZERS.values()]
    return [*kept, _FINALIZERS[policy]] if policy in _FINALIZERS else kept


def settle(store: Store, entry: Entry, delete: Delete, release: Release) -> None:
    """Do for an object that is being deleted what its finalizers ask about what it owns."""
    finalizers = entry.meta.get("finalizers") or ()
    if "deletionTimestamp" not in entry.meta:
        return
    if _FINALIZERS[ORPHAN] in finalizers:
        for dependent in store.dependents(entry.meta["uid"]):
            _let_go(store, dependent, entry.meta["uid"])
        release(entry, _FINALIZERS[ORPHAN])
    elif _FINALIZERS[FOREGROUND] in finalizers:
        for dependent in store.dependents(entry.meta["uid"]):
            if "deletionTimestamp" not in dependent.meta:
                further = FOREGROUND if store.dependents(dependent.meta["uid"]) else BACKGROUND
                _collect(store, dependent, entry.meta["uid"], delete, further)
        if not any(_blocks(each, entry.meta["uid"]) for each in store.dependents(entry.meta["uid"])):
            release(entry, _FINALIZERS[FOREGROUND])


def follow(store: Store, gone: Json, delete: Delete, release: Release) -> None:
    """After an object is gone: what it owned goes, and an owner that waited for it may go."""
    uid = gone["metadata"]["uid"]
    for dependent in store.dependents(uid):
        _collect(store, dependent, uid, delete, BACKGROUND)
    for reference in gone["metadata"].get("ownerReferences") or ():
        owner = _owner(store, gone, reference)
        if owner is not None:
            settle(store, owner, delete, release)


def _collect(store: Store, dependent: Entry, uid: str, delete: Delete, policy: str) -> None:
    """Delete an object's dependent unless it has another owner."""
    others = [one for one in dependent.meta.get("ownerReferences") or () if one.get("uid") != uid]
    with contextlib.suppress(ApiError):  # gone already
        if any(_stays(_owner(store, dependent.object, one)) for one in others):
            _let_go(store, dependent, uid)
        else:
            delete(dependent, policy)


def _stays(owner: Entry | None) -> bool:
    return owner is not None and _FINALIZERS[FOREGROUND] not in (owner.meta.get("finalizers") or ())


def _blocks(dependent: Entry, uid: str) -> bool:
    owners = dependent.meta.get("ownerReferences") or ()
    return any(one.get("uid") == uid and one.get("blockOwnerDeletion") for one in owners)


def _let_go(store: Store, dependent: Entry, uid: str) -> None:
    def drop(obj: Json) -> None:
        meta = obj["metadata"]
        left = [one for one in meta.pop("ownerReferences", None) or () if one.get("uid") != uid]
        meta |= {"ownerReferences": left} if left else {}

    store.change(dependent.resource, *dependent.key, drop)


def _owner(store: Store, obj: Json, reference: Json) -> Entry | None:
    """The object that a reference means, if it is there."""
    resource = store.kinds.of_kind(str(reference.get("apiVersion")), str(reference.get("kind")))
    if resource is None:
        return None
    namespace = obj["metadata"].get("namespace", "") if resource.namespaced else ""
    if store.find(resource, namespace, str(reference.get("name"))) is None:
        return None
    entry = store.entry(resource, namespace, reference["name"])
    return entry if entry.meta["uid"] == reference.get("uid") else None
