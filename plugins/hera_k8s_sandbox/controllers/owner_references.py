"""Ownership: what a controller owns by reference, takes up by its selector, and lets go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.foundation.selectors import labels_of
from hera_k8s_sandbox.store.store import Entry, Store
from hera_k8s_utils._types import Json


def reference_to(resource: Resource, owner: Json) -> Json:
    """The reference to the controller that is written into what it makes."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Json) -> Json | None:
    """The reference to the controller that an object belongs to."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def concerned(store: Store, resource: Resource, changed: Entry) -> Iterator[tuple[str, str]]:
    """The controllers of a kind that a changed object concerns, by namespace and name.

    That is the one that it belongs to, or for an orphan those that may take it up.
    """
    namespace, owner = changed.meta["namespace"], controller_of({"metadata": changed.meta})
    if owner is not None:
        if owner.get("kind") == resource.kind:
            yield namespace, owner["name"]
        return
    for entry in store.entries(resource, namespace):
        selector = labels_of(entry.object["spec"]["selector"])
        if selector is not None and selector.matches(changed.label):
            yield entry.key


def claim(store: Store, resource: Resource, owner: Json, owned: Resource) -> list[Json]:
    """The objects that belong to a controller: its own, as long as its selector fits them, and orphans that it fits.

    Those that it does not fit any more are let go.
    """
    meta, selector = owner["metadata"], labels_of(owner["spec"]["selector"])
    found = []
    for entry in store.entries(owned, meta["namespace"]):
        fits = selector is not None and selector.matches(entry.label)
        reference = controller_of({"metadata": entry.meta})
        if reference is None and not fits:
            continue
        with contextlib.suppress(ApiError):  # deleted meanwhile
            if reference is None and "deletionTimestamp" not in {**meta, **entry.meta}:
                found.append(_adopt(store, owned, entry.object, reference_to(resource, owner)))
            elif reference is not None and reference["uid"] == meta["uid"]:
                if fits:
                    found.append(entry.object)
                elif "deletionTimestamp" not in meta:
                    _release(store, owned, entry.object, meta["uid"])
    return found


def _adopt(store: Store, resource: Resource, obj: Json, reference: Json) -> Json:
    def adopt(found: Json) -> None:
        found["metadata"]["ownerReferences"] = [*(found["metadata"].get("ownerReferences") or ()), reference]

    return store.change(resource, obj["metadata"]["namespace"], obj["metadata"]["name"], adopt)


def _release(store: Store, resource: Resource, obj: Json, uid: str) -> None:
    def release(found: Json) -> None:
        left = [one for one in found["metadata"].pop("ownerReferences") if one["uid"] != uid]
        found["metadata"] |= {"ownerReferences": left} if left else {}

    store.change(resource, obj["metadata"]["namespace"], obj["metadata"]["name"], release)
