"""CustomResourceDefinitions: their kinds are served from when they are established until they are gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from hera_k8s_sandbox.admission.crds import CLEANUP
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import CUSTOM_RESOURCE_DEFINITIONS
from hera_k8s_sandbox.operations.garbage import BACKGROUND, Delete, Release
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import Store, now_text
from hera_k8s_utils._types import Json

_ACCEPTED: Final = ("NamesAccepted", "NoConflicts", "no conflicts found")
_ESTABLISHED: Final = ("Established", "InitialNamesAccepted", "the initial names have been accepted")
_REFUSED: Final = ("Established", "NotAccepted", "not all names are accepted")


def settle(state: SandboxState, definition: Json, delete: Delete, release: Release) -> None:
    """Serve what a new or changed definition defines, or report which of its names are taken.

    A definition that is being deleted takes its objects along.
    """
    name = definition["metadata"]["name"]
    if "deletionTimestamp" in definition["metadata"]:
        _clean_up(state, definition, delete, release)
        return
    taken = list(_taken(state.store, definition))
    if not taken or state.store.kinds.defines(name):
        state.store.define(definition)

    def write_status(obj: Json) -> None:
        status = obj.setdefault("status", {})
        stored = next(one["name"] for one in obj["spec"]["versions"] if one.get("storage"))
        status["storedVersions"] = list(dict.fromkeys([*(status.get("storedVersions") or ()), stored]))
        wanted = [_condition(*_ACCEPTED), _condition(*_ESTABLISHED)]
        if taken:
            wanted = [_condition("NamesAccepted", *taken[-1], status="False"), _condition(*_REFUSED, status="False")]
        else:
            status["acceptedNames"] = obj["spec"]["names"]
        status["conditions"] = _merged(status.get("conditions") or [], wanted)

    state.store.change(CUSTOM_RESOURCE_DEFINITIONS, "", name, write_status)


def _condition(kind: str, reason: str, message: str, status: str = "True") -> Json:
    now = now_text()
    return {"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}


def _merged(found: list[Json], wanted: list[Json]) -> list[Json]:
    """The conditions, each kept as it was unless it changes."""
    before = {one["type"]: one for one in found}
    kept = [before.get(one["type"]) for one in wanted]
    return [
        old if old is not None and old["status"] == new["status"] and old["reason"] == new["reason"] else new
        for old, new in zip(kept, wanted, strict=True)
    ]


def _taken(store: Store, definition: Json) -> Iterator[tuple[str, str]]:
    """The reason and the message of each name that another kind of the group has already."""
    spec, names = definition["spec"], definition["spec"]["names"]
    others = [one for one in store.kinds.stored() if one.group == spec["group"] and one.plural != names["plural"]]
    for reason, wanted, found in (
        ("PluralConflict", [names["plural"]], [name for one in others for name in (one.singular, *one.short_names)]),
        ("SingularConflict", [names.get("singular")], [name for one in others for name in (one.singular, one.plural)]),
        ("ShortNamesConflict", names.get("shortNames") or [], [name for one in others for name in one.short_names]),
        ("KindConflict", [names["kind"]], [name for one in others for name in (one.kind, one.list_kind)]),
        ("ListKindConflict", [names["listKind"]], [name for one in others for name in (one.kind, one.list_kind)]),
    ):
        for name in wanted:
            if name in found:
                yield reason, f'"{name}" is already in use'


def _clean_up(state: SandboxState, definition: Json, delete: Delete, release: Release) -> None:
    """Remove the objects of a kind whose definition goes, and then the definition."""
    store, name = state.store, definition["metadata"]["name"]
    rows = store.kinds.define(definition) if store.kinds.defines(name) else ()
    for entry in store.entries(rows[0]) if rows else ():
        with contextlib.suppress(ApiError):  # gone already with its owner
            delete(entry, BACKGROUND)
    if rows and store.count(rows[0]):
        return  # finalizers hold some of them
    store.undefine(name)
    release(store.entry(CUSTOM_RESOURCE_DEFINITIONS, "", name), CLEANUP)


def after_object(state: SandboxState, gone: Json, delete: Delete, release: Release) -> None:
    """After an object is gone: if it was the last that a definition waited for, remove the definition."""
    row = state.store.kinds.of_kind(gone["apiVersion"], gone["kind"])
    definition = None if row is None else state.store.find(CUSTOM_RESOURCE_DEFINITIONS, "", row.qualified)
    if definition is not None and "deletionTimestamp" in definition["metadata"]:
        _clean_up(state, definition, delete, release)
