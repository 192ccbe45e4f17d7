"""Server-side apply: field managers, so that fields that an applier drops are removed and others' are kept.

Managers are recorded for appliers only: fields that other verbs wrote have no manager, and never conflict.
Fields are sets of paths, a path being the keys of `fieldsV1` from the top: ("f:data", "f:colour").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from hera_k8s_sandbox.foundation.errors import ApiError, bad_request
from hera_k8s_sandbox.foundation.resource_types import Resource
from hera_k8s_sandbox.schema.patches import MERGE_KEYS, SET_FIELDS, is_keyed_list
from hera_k8s_sandbox.store.store import now_text
from hera_k8s_utils._types import Json

Path = tuple[str, ...]

_IDENTITY: Final = frozenset({("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace")})


def apply(resource: Resource, live: Json | None, wanted: Json, *, manager: str, force: bool) -> Json:
    """The object after an applier's declaration; `live` is None when it does not exist yet.

    manager: the applier's name. force: take over fields that other appliers own.
    Raises ApiError 400 (not a declaration), 409 (conflicts).
    """
    if (wanted.get("metadata") or {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    wanted_paths = set(paths_of(wanted)) - _IDENTITY
    if live is None:
        return _owned(dict(wanted), resource, {(manager, ""): wanted_paths}, {})
    owners = _owners(live)
    before = owners.pop((manager, ""), set())
    _settle_conflicts(resource, live, wanted, wanted_paths, owners, force=force)
    others: set[Path] = set().union(*owners.values()) if owners else set()
    result = _merged(live, wanted)
    kept = {path[:length] for path in wanted_paths | others for length in range(1, len(path) + 1)}
    for path in sorted(before - kept, key=len, reverse=True):
        _drop(result, path, kept)
    return _owned(result, resource, {**owners, (manager, ""): wanted_paths}, live)


def paths_of(value: Any, field: str = "") -> Iterator[Path]:
    """The paths of all leaves of a value."""
    for step, child, name in _children(value, field):
        below = list(paths_of(child, name))
        if not below:
            yield (step,)
        for path in below:
            yield (step, *path)


def _children(value: Any, field: str) -> Iterator[tuple[str, Any, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield f"f:{key}", child, key
    elif isinstance(value, list) and value and is_keyed_list(field, value):
        key = MERGE_KEYS[field]
        for item in value:
            yield f"k:{json.dumps({key: item[key]}, separators=(',', ':'))}", item, ""
    elif isinstance(value, list) and field in SET_FIELDS:
        for item in value:
            yield f"v:{json.dumps(item)}", None, ""


def _owners(live: Json) -> dict[tuple[str, str], set[Path]]:
    fields = live["metadata"].get("managedFields") or ()
    return {
        (one["manager"], one.get("subresource", "")): set(_flat(one["fieldsV1"]))
        for one in fields
        if one.get("operation") == "Apply"
    }


def _flat(tree: Json) -> Iterator[Path]:
    for step, below in tree.items():
        if step == ".":
            continue
        paths = list(_flat(below))
        if not paths:
            yield (step,)
        for path in paths:
            yield (step, *path)


def _tree(paths: set[Path]) -> Json:
    tree: Json = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {".": {}} if step.startswith("k:") else {})
    return tree


def _settle_conflicts(
    resource: Resource,
    live: Json,
    wanted: Json,
    paths: set[Path],
    owners: dict[tuple[str, str], set[Path]],
    *,
    force: bool,
) -> None:
    changed = {path for path in paths if _at(live, path) != _at(wanted, path)}
    clashes = {owner: owned & changed for owner, owned in owners.items() if owned & changed}
    if not clashes:
        return
    if not force:
        raise _conflict(resource, clashes)
    for owner, taken in clashes.items():
        owners[owner] -= taken


def _conflict(resource: Resource, clashes: dict[tuple[str, str], set[Path]]) -> ApiError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{owner[0]}"', "field": _shown(path)}
        for owner, paths in clashes.items()
        for path in sorted(paths)
    ]
    if len(causes) == 1:
        message = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        message = f"{len(causes)} conflicts: " + "\n".join(
            "\n- ".join([f'conflicts with "{owner[0]}":', *(_shown(path) for path in sorted(paths))])
            for owner, paths in clashes.items()
        )
    return ApiError(409, "Conflict", f"Apply failed with {message}", details={"causes": causes})


def _shown(path: Path) -> str:
    return "".join(f".{step[2:]}" if step.startswith("f:") else f"[{step[2:]}]" for step in path)


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = _child(value, step)
        if value is None:
            return None
    return value


def _child(value: Any, step: str) -> Any:
    if step.startswith("f:"):
        return value.get(step[2:]) if isinstance(value, dict) else None
    wanted = json.loads(step[2:])
    if not isinstance(value, list):
        return None
    return next((item for item in value if _is_item(item, step, wanted)), None)


def _is_item(item: Any, step: str, wanted: Any) -> bool:
    if step.startswith("v:"):
        return bool(item == wanted)
    return isinstance(item, dict) and all(item.get(key) == value for key, value in wanted.items())


def _merged(live: Any, wanted: Any, field: str = "") -> Any:
    if isinstance(live, dict) and isinstance(wanted, dict):
        return live | {key: _merged(live.get(key), value, key) for key, value in wanted.items()}
    if isinstance(live, list) and isinstance(wanted, list) and wanted and is_keyed_list(field, wanted):
        key = MERGE_KEYS[field]
        found = {item.get(key): item for item in live}
        for item in wanted:
            found[item[key]] = _merged(found.get(item[key], {}), item)
        return list(found.values())
    if isinstance(live, list) and isinstance(wanted, list) and field in SET_FIELDS:
        return [*live, *(item for item in wanted if item not in live)]
    return wanted


def _drop(obj: Json, path: Path, kept: set[Path]) -> None:
    """Remove a field that no applier declares any more, and its parents that become empty."""
    parent, step = _at(obj, path[:-1]), path[-1]
    if isinstance(parent, dict):
        if isinstance(parent.get(step[2:]), dict) and parent[step[2:]]:
            return  # declared empty, filled by others
        parent.pop(step[2:], None)
    elif isinstance(parent, list):
        wanted = json.loads(step[2:])
        parent[:] = [item for item in parent if item and not _is_item(item, step, wanted)]  # {}: its key went first
    if len(path) > 1 and not parent and path[:-1] not in kept and path[:-1] != ("f:metadata",):
        _drop(obj, path[:-1], kept)


def _owned(obj: Json, resource: Resource, owners: dict[tuple[str, str], set[Path]], live: Json) -> Json:
    kept = (live.get("metadata") or {}).get("managedFields") or ()
    times = {(one["manager"], one.get("subresource", "")): one for one in kept}
    entries = [one for one in kept if one.get("operation") != "Apply"]
    for owner, paths in owners.items():
        if not paths:
            continue
        tree = _tree(paths)
        before = times.get(owner)
        same = before is not None and before["fieldsV1"] == tree
        entry = {
            "manager": owner[0],
            "operation": "Apply",
            "apiVersion": resource.api_version,
            "time": before["time"] if same and before is not None else now_text(),
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        }
        entries.append(entry | ({"subresource": owner[1]} if owner[1] else {}))
    obj["metadata"] = obj["metadata"] | {"managedFields": entries}
    return obj
