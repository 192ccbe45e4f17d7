"""Synchronization: the locks of a spec or a template, and their state in the workflow's status."""

from __future__ import annotations

from collections.abc import Iterator

from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.model.cluster import Cluster
from hera_k8s_sandbox.workflows.model.spec_fields import lock_references
from hera_k8s_utils._types import Json


class LockError(ValueError):
    """A lock cannot be had at all; the message is Argo's."""


def locks_of(wanted: Json, namespace: str, cluster: Cluster) -> dict[str, int]:
    """The names of the locks, and how many may hold each. Raises LockError."""
    found = {}
    for kind, one in lock_references(wanted):
        where = one.get("namespace") or namespace
        if kind == "mutex":
            found[f"{where}/Mutex/{one.get('name', '')}"] = 1
        else:
            reference = one.get("configMapKeyRef") or {}
            name, key = reference.get("name", ""), reference.get("key", "")
            found[f"{where}/ConfigMap/{name}/{key}"] = _limit(cluster, where, name, key)
    return found


def acquire(run: RunContext, wanted: Json, node: str = "") -> tuple[str, str] | None:
    """Take locks for a node, or for the workflow; else the name of one that is not free, and a message.

    Raises LockError.
    """
    meta = run.workflow["metadata"]
    locks = locks_of(wanted, meta["namespace"], run.cluster)
    waits = run.cluster.acquire(node, locks, int(run.spec.get("priority") or 0))
    holder = "/".join(part for part in (meta["namespace"], meta["name"], node) if part)
    for name in locks:
        _forget(run, holder, name)
    if waits is not None:
        _note(run, "waiting", waits[0], holder)
        return waits
    for name in locks:
        _note(run, "holding", name, holder)
    return None


def release(run: RunContext, node: str = "") -> None:
    """Give back what a node holds, or all that the workflow and its nodes do."""
    run.cluster.release(node)
    if not node:
        run.status.pop("synchronization", None)
        return
    meta = run.workflow["metadata"]
    _forget(run, f"{meta['namespace']}/{meta['name']}/{node}")


def held(status: Json) -> Iterator[tuple[str, str]]:
    """The locks that a workflow holds by its status: the node, empty for the whole workflow, and the lock's name."""
    found = status.get("synchronization") or {}
    for one in (found.get("mutex") or {}).get("holding") or ():
        yield _node_of(one["holder"]), one["mutex"]
    for one in (found.get("semaphore") or {}).get("holding") or ():
        for holder in one["holders"]:
            yield _node_of(holder), one["semaphore"]


def _node_of(holder: str) -> str:
    return holder.split("/", 2)[2] if holder.count("/") > 1 else ""


def _limit(cluster: Cluster, namespace: str, name: str, key: str) -> int:
    found = cluster.config_map(name, namespace)
    if found is None:
        raise LockError(f'configmaps "{name}" not found')
    value = (found.get("data") or {}).get(key)
    if value is None:
        raise LockError(f"semaphore config '{namespace}/ConfigMap/{name}/{key}' has no key '{key}'")
    try:
        return int(value)
    except ValueError:
        raise LockError(f'strconv.Atoi: parsing "{value}": invalid syntax') from None


def _kind(name: str) -> str:
    return "mutex" if "/Mutex/" in name else "semaphore"


def _note(run: RunContext, state: str, name: str, holder: str) -> None:
    kind = _kind(name)
    listed = run.status.setdefault("synchronization", {}).setdefault(kind, {}).setdefault(state, [])
    if kind == "mutex":
        listed.append({"mutex": name, "holder": holder})
        return
    for one in listed:
        if one["semaphore"] == name:
            one["holders"].append(holder)
            return
    listed.append({"semaphore": name, "holders": [holder]})


def _forget(run: RunContext, holder: str, name: str = "") -> None:
    """Take a holder out of the status, of one lock or of all; what is left empty goes."""
    found = run.status.get("synchronization") or {}
    for kind in list(found):
        for state in list(found[kind]):
            kept = [one for one in (_without(each, holder, name) for each in found[kind][state]) if one is not None]
            found[kind][state] = kept
            if not kept:
                del found[kind][state]
        if not found[kind]:
            del found[kind]
    if not found:
        run.status.pop("synchronization", None)


def _without(entry: Json, holder: str, name: str) -> Json | None:
    if name and name not in (entry.get("mutex"), entry.get("semaphore")):
        return entry
    if "mutex" in entry:
        return None if entry["holder"] == holder else entry
    left = [each for each in entry["holders"] if each != holder]
    return entry | {"holders": left} if left else None
