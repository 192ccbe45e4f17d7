"""Actions: create, apply, replace, patch, delete and get, as kubectl does them."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Final

from hera_k8s_sandbox.foundation.labels import LAST_APPLIED
from hera_k8s_sandbox.workflows.executor.kubectl.client import Client, Refused
from hera_k8s_sandbox.workflows.executor.kubectl.flags import Flags
from hera_k8s_utils._types import Json

_MANIFEST: Final = "/tmp/manifest.yaml"  # noqa: S108  where Argo has the manifest, and messages name it
_PATCHES: Final = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}
_MADE_ANEW: Final = ("Invalid", "Conflict")
"""Refusals of a patch after which `apply --force` deletes the object and creates it anew."""
_PAUSE: Final = 0.2  # seconds between two checks of objects that are being deleted


class ActionFailed(Exception):
    """An action fails; the message is kubectl's."""


def perform(client: Client, action: str, documents: list[Any], flags: Flags, strategy: str) -> list[Json]:
    """Perform a template's action on its objects; the objects afterwards, none after a deletion.

    documents: those of the manifest, each an object. strategy: `strategic`, `merge` or `json`, for a patch.
    Raises ActionFailed.
    """
    if flags.values.get("namespace"):
        client.namespace = flags.values["namespace"]
    try:
        if action == "patch":
            return [_patch(client, documents, flags, strategy)]
        if flags.words:
            return _named(client, action, flags)
        return [found for one in documents if (found := _ACTIONS[action](client, _checked(one), flags)) is not None]
    except ValueError as error:
        raise ActionFailed(f'error: unable to recognize "{_MANIFEST}": {error}') from None


def _checked(obj: Any) -> Json:
    if not isinstance(obj, dict) or not obj.get("kind"):
        raise ActionFailed(f"error: unable to decode \"{_MANIFEST}\": Object 'Kind' is missing in '{json.dumps(obj)}'")
    return obj


def _create(client: Client, obj: Json, flags: Flags) -> Json:
    return _send(client, "creating", "POST", client.place_of(obj), obj)


def _apply(client: Client, obj: Json, flags: Flags) -> Json:
    where = _where(client, obj)
    if flags.has("server_side"):
        query = {"fieldManager": flags.values.get("field_manager", "kubectl")}
        query |= {"force": "true"} if flags.has("force_conflicts") else {}
        path = f"{where}?{urllib.parse.urlencode(query)}"
        return _send(client, "applying", "PATCH", path, obj, "application/apply-patch+yaml")
    declared = _without_note(obj)
    note = json.dumps(declared, separators=(",", ":")) + "\n"
    noted = declared | {
        "metadata": declared["metadata"] | {"annotations": _annotations(declared) | {LAST_APPLIED: note}}
    }
    try:
        live = client.send("GET", where)
    except Refused as refused:
        if refused.reason != "NotFound":
            raise ActionFailed(_told(refused, "retrieving current configuration of")) from None
        return _send(client, "creating", "POST", client.place_of(obj), noted)
    before = json.loads(_annotations(live).get(LAST_APPLIED) or "{}")
    kind = "strategic" if client.is_own(obj) else "merge"
    try:
        return client.send("PATCH", where, _difference(before, noted), _PATCHES[kind])
    except Refused as refused:
        if not flags.has("force") or refused.reason not in _MADE_ANEW:
            raise ActionFailed(_told(refused, "applying patch to")) from None
    _delete(client, obj, flags)
    return _send(client, "creating", "POST", client.place_of(obj), noted)


def _replace(client: Client, obj: Json, flags: Flags) -> Json:
    where = _where(client, obj)
    try:
        live = client.send("GET", where)
    except Refused as refused:
        if refused.reason == "NotFound" and flags.has("force"):
            return _create(client, obj, flags)
        raise ActionFailed(_told(refused, "replacing")) from None
    if flags.has("force"):
        _delete(client, obj, flags)
        return _create(client, obj, flags)
    version = {"resourceVersion": live["metadata"]["resourceVersion"]}
    return _send(client, "replacing", "PUT", where, obj | {"metadata": version | obj["metadata"]})


def _patch(client: Client, documents: list[Any], flags: Flags, strategy: str) -> Json:
    if strategy not in _PATCHES:
        raise ActionFailed(f"error: --type must be one of [json merge strategic], not {strategy!r}")
    patch = documents[0] if documents else {}
    if flags.words:
        (where, _), *_ = _places(client, flags)
    else:
        where = _where(client, _checked(patch))
    return _send(client, "patching", "PATCH", where, patch, _PATCHES[strategy])


def _delete(client: Client, obj: Json, flags: Flags) -> None:
    _delete_at(client, _where(client, obj), flags)


def _delete_at(client: Client, where: str, flags: Flags) -> None:
    cascade = {"orphan": "Orphan", "foreground": "Foreground"}.get(flags.values.get("cascade", ""), "Background")
    try:
        uid = client.send("GET", where)["metadata"]["uid"]
        client.send("DELETE", where, {"propagationPolicy": cascade})
        while flags.has("wait", otherwise=True) and client.send("GET", where)["metadata"]["uid"] == uid:
            time.sleep(_PAUSE)
    except Refused as refused:
        if refused.reason != "NotFound":
            raise ActionFailed(_told(refused, "deleting")) from None


def _get(client: Client, obj: Json, flags: Flags) -> Json | None:
    return _get_at(client, _where(client, obj), flags)


def _get_at(client: Client, where: str, flags: Flags) -> Json | None:
    try:
        return client.send("GET", where)
    except Refused as refused:
        if refused.reason == "NotFound" and flags.has("ignore_not_found"):
            return None
        raise ActionFailed(_told(refused, "retrieving").replace(f'error when retrieving "{_MANIFEST}": ', "")) from None


_ACTIONS: Final[Mapping[str, Callable[[Client, Json, Flags], Json | None]]] = {
    "create": _create,
    "apply": _apply,
    "replace": _replace,
    "delete": _delete,
    "get": _get,
}
ACTIONS: Final = (*_ACTIONS, "patch")


def _named(client: Client, action: str, flags: Flags) -> list[Json]:
    """Get or delete what the flags name instead of a manifest."""
    if action not in ("get", "delete"):
        raise ActionFailed(f"error: Unexpected args: {flags.words}")
    found = []
    for where, _ in _places(client, flags):
        if action == "delete":
            _delete_at(client, where, flags)
        elif (one := _get_at(client, where, flags)) is not None:
            found.append(one)
    return found


def _places(client: Client, flags: Flags) -> list[tuple[str, Json]]:
    """The paths of the objects that words or a selector name, with their kinds."""
    first, *rest = flags.words
    if "/" in first:
        pairs = [word.split("/", 1) for word in flags.words]
        return [_joined(client, kind, name) for kind, name in pairs]
    if rest:
        return [_joined(client, first, name) for name in rest]
    base, kind = client.place_named(first)
    selector = flags.values.get("selector", "")
    if not selector and not flags.has("all"):
        raise ActionFailed("error: resource(s) were provided, but no name was specified")
    listed = client.send("GET", f"{base}?{urllib.parse.urlencode({'labelSelector': selector})}")
    return [(f"{base}/{one['metadata']['name']}", kind) for one in listed.get("items") or ()]


def _joined(client: Client, word: str, name: str) -> tuple[str, Json]:
    base, kind = client.place_named(word)
    return f"{base}/{urllib.parse.quote(name)}", kind


def _where(client: Client, obj: Json) -> str:
    name = (obj.get("metadata") or {}).get("name")
    if not name:
        raise ActionFailed("error: resource name may not be empty")
    return f"{client.place_of(obj)}/{urllib.parse.quote(str(name))}"


def _send(client: Client, doing: str, method: str, path: str, body: Any, kind: str = "application/json") -> Json:
    try:
        return client.send(method, path, body, kind)
    except Refused as refused:
        raise ActionFailed(_told(refused, doing)) from None


def _told(refused: Refused, doing: str) -> str:
    """What kubectl writes about a refusal."""
    status = refused.status
    details = status.get("details") or {}
    if status.get("reason") == "Invalid" and details.get("causes"):
        causes = [f"{one.get('field')}: {one.get('message')}" for one in details["causes"]]
        listed = causes[0] if len(causes) == 1 else "".join(f"\n* {one}" for one in causes)
        return f'The {details.get("kind")} "{details.get("name")}" is invalid: {listed}'
    reason = f" ({status['reason']})" if status.get("reason") else ""
    return f'Error from server{reason}: error when {doing} "{_MANIFEST}": {status.get("message", "")}'


def _without_note(obj: Json) -> Json:
    kept = {key: value for key, value in _annotations(obj).items() if key != LAST_APPLIED}
    meta = {key: value for key, value in obj["metadata"].items() if key != "annotations"}
    return obj | {"metadata": meta | {"annotations": kept}}


def _annotations(obj: Json) -> Json:
    return dict((obj.get("metadata") or {}).get("annotations") or {})


def _difference(before: Any, wanted: Json) -> Json:
    """A patch that sets what is wanted and removes what was declared before and is not any more."""
    patch: Json = {key: None for key in (before if isinstance(before, dict) else {}) if key not in wanted}
    for key, value in wanted.items():
        old = before.get(key) if isinstance(before, dict) else None
        patch[key] = _difference(old, value) if isinstance(value, dict) else value
    return patch
