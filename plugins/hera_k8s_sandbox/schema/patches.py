"""Patches: JSON patch (RFC 6902), merge patch (RFC 7386), and the strategic merge of built-in kinds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

from hera_k8s_sandbox.foundation.errors import ApiError, bad_request, too_large
from hera_k8s_sandbox.foundation.reading import LARGEST_BODY
from hera_k8s_sandbox.store.entries import dumps
from hera_k8s_utils._types import Json

# Lists of objects that are merged by a key, wherever the field occurs in the kinds that are served. Not the
# imagePullSecrets: a service account's are replaced as a whole, and a pod's cannot be changed.
MERGE_KEYS: Final = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "initContainers": "name",
    "ownerReferences": "uid",
    "ports": "containerPort",
    "secrets": "name",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
SET_FIELDS: Final = frozenset({"finalizers"})  # lists of plain values that are merged as sets
_DIRECTIVE: Final = "$patch"
_MOST_OPERATIONS: Final = 10_000  # of a JSON patch


def json_patch(obj: Json, operations: object) -> Json:
    """The object after a JSON patch. Raises ApiError 400 for a bad patch, 422 for one that does not fit."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    if len(operations) > _MOST_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {_MOST_OPERATIONS}, got {len(operations)}"
        raise too_large(message)
    copied = 0
    for operation in operations:
        if not isinstance(operation, dict) or "op" not in operation or "path" not in operation:
            raise bad_request("error decoding patch: an operation needs op and path")
        if operation["op"] == "copy":
            copied += len(dumps(_read(obj, _pointer(operation.get("from", "")))))
            _require_copyable(copied)
        obj = _apply_operation(obj, operation)
    return obj


def _require_copyable(size: int) -> None:
    if size > LARGEST_BODY:
        message = "Unable to complete the copy, the accumulated size increase of copy is"
        raise _unfit(f"{message} {size}, exceeding the limit {LARGEST_BODY}")


def merge_patch(obj: Any, patch: Any) -> Any:
    """The value after a merge patch: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(obj) if isinstance(obj, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic_merge(obj: Json, patch: Json) -> Json:
    """The object after a strategic merge patch: as a merge patch, but known lists merge by key."""
    if patch.get(_DIRECTIVE) == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    result = dict(obj)
    kept = patch.get("$retainKeys")
    if kept is not None:
        result = {key: value for key, value in result.items() if key in kept}
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(result, key, value)
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            result[name] = [one for one in result.get(name) or () if one not in value]
    return result


def _merge_field(result: Json, key: str, value: Any) -> None:
    if value is None:
        result.pop(key, None)
    elif isinstance(value, dict):
        found = result.get(key)
        result[key] = strategic_merge(found if isinstance(found, dict) else {}, value)
    elif key in SET_FIELDS:
        result[key] = _ordered(result.get(key) or [], value, lambda one: one)
    elif isinstance(value, list) and is_keyed_list(key, value):
        result[key] = _merge_list(result.get(key) or [], value, MERGE_KEYS[key])
    else:
        result[key] = value


def is_keyed_list(field: str, value: list[Any]) -> bool:
    """Whether a list merges by key: its field does, and all items are objects with that key or directives."""
    key = MERGE_KEYS.get(field)
    return key is not None and all(isinstance(item, dict) and (key in item or _DIRECTIVE in item) for item in value)


def _merge_list(found: list[Json], patch: list[Json], key: str) -> list[Json]:
    if any(item.get(_DIRECTIVE) == "replace" for item in patch):
        return [item for item in patch if _DIRECTIVE not in item]
    merged = {item.get(key): item for item in found}
    for item in patch:
        if item.get(_DIRECTIVE) == "delete":
            merged.pop(item.get(key), None)
        else:
            merged[item[key]] = strategic_merge(merged.get(item[key], {}), item)
    named = [merged[item[key]] for item in patch if _DIRECTIVE not in item]
    left = [item for item in found if item.get(key) in merged]
    return [merged[item[key]] for item in _ordered(left, named, lambda one: one[key])]


def _ordered(found: list[Any], patch: list[Any], name: Callable[[Any], Any]) -> list[Any]:
    """Both lists without repetition: what the patch names in its order, the rest where it was; new ones come first."""
    places = {name(one): place for place, one in enumerate(found)}
    rest = [one for one in found if name(one) not in {name(new) for new in patch}]
    result: list[Any] = []
    for new in patch:
        place = places.get(name(new), -1)
        while rest and places[name(rest[0])] < place:
            result.append(rest.pop(0))
        result.append(new)
    return [*result, *rest]


# RFC 6902


def _apply_operation(obj: Json, operation: Json) -> Json:
    kind, path = operation["op"], _pointer(operation["path"])
    if kind == "test":
        if _read(obj, path) != operation.get("value"):
            raise _unfit(f"testing path {operation['path']} failed")
        return obj
    if kind in ("add", "replace"):
        return _written(obj, path, copy.deepcopy(operation.get("value")), insert=kind == "add")
    if kind == "remove":
        return _removed(obj, path)
    if kind in ("move", "copy"):
        source = _pointer(operation.get("from", ""))
        value = copy.deepcopy(_read(obj, source))
        return _written(_removed(obj, source) if kind == "move" else obj, path, value, insert=True)
    raise _unfit(f"unexpected kind of operation: {kind}")


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _unfit(why: str) -> ApiError:
    message = f"the server rejected our request due to an error in our request: {why}"
    return ApiError(422, "Invalid", message, details={})


def _index(items: list[Any], part: str, *, end: bool = False) -> int:
    if part == "-" and end:
        return len(items)
    if not part.isdigit() or int(part) >= len(items) + end:
        raise _unfit(f"no element {part} in a list of {len(items)}")
    return int(part)


def _read(value: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(value, list):
            value = value[_index(value, part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            raise _unfit(f"missing path: /{'/'.join(path)}")
    return value


def _written(obj: Json, path: list[str], value: Any, *, insert: bool) -> Json:
    if not path:
        if not isinstance(value, dict):
            raise _unfit("the document must stay an object")
        return value
    parent = _read(obj, path[:-1])
    if isinstance(parent, list):
        place = _index(parent, path[-1], end=insert)
        parent[place : place + (not insert)] = [value]
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise _unfit(f"missing path: /{'/'.join(path)}")
    return obj


def _removed(obj: Json, path: list[str]) -> Json:
    _read(obj, path)
    parent = _read(obj, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
    return obj
