"""Memoization: outputs of a template that are kept in a config map under a key, and taken from there the next time."""

from __future__ import annotations

import json
import re
from typing import Final

from hera_k8s_sandbox.foundation.durations import duration_of
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.store.entries import now_text
from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.model.spec_fields import memoization_config_map
from hera_k8s_utils._types import Json

_KEY: Final = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")


class CacheError(ValueError):
    """A cache cannot be asked; the message is Argo's."""


def look_up(run: RunContext, memoize: Json) -> tuple[Json, Json | None]:
    """The memoization status of a node, and the cached outputs; None when there are none, or too old.

    Raises CacheError.
    """
    key, name = str(memoize.get("key") or ""), memoization_config_map(memoize)
    if not _KEY.fullmatch(key):
        raise CacheError(f"invalid cache key {key}")
    status = {"hit": False, "key": key, "cacheName": name}
    found = run.cluster.config_map(name)
    text = ((found or {}).get("data") or {}).get(key)
    if text is None:
        return status, None
    try:
        entry = json.loads(text)
    except ValueError as error:
        raise CacheError(f"malformed cache entry: could not unmarshal JSON; unable to parse: {error}") from None
    oldest = memoize.get("maxAge")
    if oldest and run.now() - seconds_of(entry["creationTimestamp"]) > duration_of(oldest):
        return status, None
    run.cluster.keep(name, key, json.dumps(entry | {"lastHitTimestamp": now_text()}))
    return status | {"hit": True}, entry.get("outputs") or {}


def keep(run: RunContext, node: Json) -> None:
    """Keep the outputs of a node that has succeeded. Raises ApiError."""
    status = node["memoizationStatus"]
    now = now_text()
    entry = {"nodeID": node["id"], "outputs": node.get("outputs"), "creationTimestamp": now, "lastHitTimestamp": now}
    run.cluster.keep(status["cacheName"], status["key"], json.dumps(entry, ensure_ascii=False))
