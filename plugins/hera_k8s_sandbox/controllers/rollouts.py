"""Rollouts: how many pods of a Deployment each of its ReplicaSets is to have, step by step."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Final

from hera_k8s_sandbox.foundation.labels import (
    DESIRED_REPLICAS,
    LAST_APPLIED,
    MAX_REPLICAS,
    POD_TEMPLATE_HASH,
    REVISION,
    REVISION_HISTORY,
    ROLLED_BACK_TO,
)
from hera_k8s_utils._types import Json

_OWN: Final = frozenset(
    {LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, ROLLED_BACK_TO}
)  # not copied to ReplicaSets
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"  # which make no words


def hash_of(template: Json, collisions: int) -> str:
    """The label by which the pods of a template are distinguished from those of others."""
    text = json.dumps([template, collisions], sort_keys=True).encode()
    number = int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
    return "".join(_LETTERS[ord(digit) % len(_LETTERS)] for digit in str(number))


def is_same_template(one: Json, other: Json) -> bool:
    """Whether two templates are alike but for the hash that a Deployment adds."""
    return _without_hash(one) == _without_hash(other)


def _without_hash(template: Json) -> Json:
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {key: value for key, value in (meta.get("labels") or {}).items() if key != POD_TEMPLATE_HASH}
    return {**template, "metadata": meta}


def with_hash(template: Json, value: str) -> Json:
    """A template whose pods carry the hash."""
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {**(meta.get("labels") or {}), POD_TEMPLATE_HASH: value}
    return {**template, "metadata": meta}


def copied_annotations(deployment: Json) -> Json:
    """The annotations of a Deployment that its ReplicaSets have, too."""
    found = deployment["metadata"].get("annotations") or {}
    return {key: value for key, value in found.items() if key not in _OWN}


def revision_of(obj: Json) -> int:
    """The revision that an object is marked with; 0 for none."""
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def replicas_of(obj: Json) -> int:
    """How many pods are wanted."""
    return int(obj["spec"].get("replicas") or 0)


def told_of(obj: Json, field: str) -> int:
    """A number of an object's status."""
    return int((obj.get("status") or {}).get(field) or 0)


def is_rolling(deployment: Json) -> bool:
    """Whether pods are replaced a few at a time."""
    return bool(deployment["spec"]["strategy"]["type"] == "RollingUpdate")


def bounds(deployment: Json) -> tuple[int, int]:
    """How many pods there may be beyond the wanted number, and how many may be missing."""
    if not is_rolling(deployment):
        return 0, 0
    wanted, rolling = replicas_of(deployment), deployment["spec"]["strategy"]["rollingUpdate"]
    surge = _amount(rolling["maxSurge"], wanted, up=True)
    missing = _amount(rolling["maxUnavailable"], wanted, up=False)
    if surge == 0 and missing == 0:
        missing = 1
    return surge, min(missing, wanted)


def _amount(value: int | str, total: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    share = int(value.rstrip("%")) * total / 100
    return math.ceil(share) if up else math.floor(share)


def new_size(deployment: Json, new: Json | None, sets: list[Json]) -> int:
    """How many pods the newest ReplicaSet is to have now."""
    wanted = replicas_of(deployment)
    if not is_rolling(deployment):
        return wanted
    own = 0 if new is None else replicas_of(new)
    surge, _ = bounds(deployment)
    present = sum(map(replicas_of, sets))
    room = wanted + surge - present
    return own if room <= 0 else own + min(room, wanted - own)


def old_sizes(deployment: Json, new: Json | None, old: list[Json]) -> dict[str, int]:
    """How many pods the older ReplicaSets are to have now, by their names; those that change."""
    _, missing = bounds(deployment)
    present = sum(map(replicas_of, old))
    if present == 0:
        return {}
    total = present + (0 if new is None else replicas_of(new))
    least = replicas_of(deployment) - missing
    new_unavailable = 0 if new is None else replicas_of(new) - told_of(new, "availableReplicas")
    room = total - least - new_unavailable
    if room <= 0:
        return {}
    sizes = {one["metadata"]["name"]: replicas_of(one) for one in old}
    in_order = sorted(old, key=lambda one: str(one["metadata"]["creationTimestamp"]))
    for one in in_order:  # first those that do not work
        name = one["metadata"]["name"]
        healthy = told_of(one, "availableReplicas")
        drop = min(room, max(0, sizes[name] - healthy))
        sizes[name] -= drop
        room -= drop
    available = sum(told_of(one, "availableReplicas") for one in [*old, *([new] if new else [])])
    spare = available - least
    for one in in_order:
        name = one["metadata"]["name"]
        drop = max(0, min(spare, sizes[name]))
        sizes[name] -= drop
        spare -= drop
    return {
        one["metadata"]["name"]: sizes[one["metadata"]["name"]]
        for one in old
        if sizes[one["metadata"]["name"]] != replicas_of(one)
    }


def scaled_sizes(deployment: Json, new: Json | None, old: list[Json]) -> dict[str, int]:
    """The sizes after the wanted number has changed in the midst of a rollout: each in proportion."""
    sets = [one for one in [*old, *([new] if new else [])] if replicas_of(one) > 0]
    wanted = replicas_of(deployment)
    latest = new if new is not None else (old[-1] if old else None)
    if len(sets) <= 1:
        one = sets[0] if sets else latest
        return {} if one is None or replicas_of(one) == wanted else {one["metadata"]["name"]: wanted}
    if new is not None and replicas_of(new) == wanted == told_of(new, "availableReplicas"):
        return {one["metadata"]["name"]: 0 for one in old if replicas_of(one)}
    if not is_rolling(deployment):
        return {}
    surge, _ = bounds(deployment)
    allowed = wanted + surge if wanted > 0 else 0
    present = sum(map(replicas_of, sets))
    left = allowed - present
    sizes: dict[str, int] = {}
    for one in sorted(sets, key=lambda one: (-replicas_of(one), one["metadata"]["creationTimestamp"])):
        own = replicas_of(one)
        before = int((one["metadata"].get("annotations") or {}).get(MAX_REPLICAS) or present)
        share = round(own * allowed / before) - own if before else 0
        share = max(min(share, left), 0) if left > 0 else min(max(share, left), 0)
        sizes[one["metadata"]["name"]] = own + share
        left -= share
    first = next(iter(sizes))
    sizes[first] = max(0, sizes[first] + left)
    return {one["metadata"]["name"]: sizes[one["metadata"]["name"]] for one in sets}
