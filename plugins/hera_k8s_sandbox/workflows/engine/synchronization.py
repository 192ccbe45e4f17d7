"""Synchronization: which locks a spec or a template wants, and what the workflow's status says of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hera_k8s_sandbox.workflows.model.cluster import Objects

if TYPE_CHECKING:
    from hera_k8s_sandbox.workflows.engine.operation import Operation

Json = dict[str, Any]


class LockError(ValueError):
    """A lock cannot be had at all; the message is Argo's."""


def references(wanted: Json) -> Iterator[tuple[str, Json]]:
    """The locks of a `synchronization`: `mutex` or `semaphore`, and what it says; also as Argo 3 wrote them."""
    for kind, many in (("mutex", "mutexes"), ("semaphore", "semaphores")):
        for one in (*(wanted.get(many) or ()), *((wanted[kind],) if wanted.get(kind) else ())):
            yield kind, one


def locks_of(wanted: Json, namespace: str, objects: Objects) -> dict[str, int]:
    """The names of the locks, and how many may hold each. Raises LockError."""
    found = {}
    for kind, one in references(wanted):
        where = one.get("namespace") or namespace
        if kind == "mutex":
            found[f"{where}/Mutex/{one.get('name', '')}"] = 1
        else:
            reference = one.get("configMapKeyRef") or {}
            name, key = reference.get("name", ""), reference.get("key", "")
            found[f"{where}/ConfigMap/{name}/{key}"] = _limit(objects, where, name, key)
    return found


def acquire(operation: Operation, wanted: Json, node: str = "") -> tuple[str, str] | None:
    """Take locks for a node, or for the workflow; else the name of one that is not free, and a message.

    Raises LockError.
    """
    meta = operation.workflow["metadata"]
    locks = locks_of(wanted, meta["namespace"], operation.objects)
    waits = operation.objects.acquire(node, locks, int(operation.spec.get("priority") or 0))
    holder = "/".join(part for part in (meta["namespace"], meta["name"], node) if part)
    for name in locks:
        _forget(operation, holder, name)
    if waits is not None:
        _note(operation, "waiting", waits[0], holder)
        return waits
    for name in locks:
        _note(operation, "holding", name, holder)
    return None


def release(operation: Operation, node: str = "") -> None:
    """Give back what a node holds, or all that the workflow and its nodes do."""
    operation.objects.release(node)
    if not node:
        operation.status.pop("synchronization", None)
        return
    meta = operation.workflow["metadata"]
    _forget(operation, f"{meta['namespace']}/{meta['name']}/{node}")


def held(status: Json) -> Iterator[tuple[str, str]]:
    """What a workflow's status says that it holds: the node, empty for the whole workflow, and the lock's name."""
    found = status.get("synchronization") or {}
    for one in (found.get("mutex") or {}).get("holding") or ():
        yield _node_of(one["holder"]), one["mutex"]
    for one in (found.get("semaphore") or {}).get("holding") or ():
        for holder in one["holders"]:
            yield _node_of(holder), one["semaphore"]


def _node_of(holder: str) -> str:
    return holder.split("/", 2)[2] if holder.count("/") > 1 else ""


def _limit(objects: Objects, namespace: str, name: str, key: str) -> int:
    found = objects.config_map(name, namespace)
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


def _note(operation: Operation, state: str, name: str, holder: str) -> None:
    kind = _kind(name)
    listed = operation.status.setdefault("synchronization", {}).setdefault(kind, {}).setdefault(state, [])
    if kind == "mutex":
        listed.append({"mutex": name, "holder": holder})
        return
    for one in listed:
        if one["semaphore"] == name:
            one["holders"].append(holder)
            return
    listed.append({"semaphore": name, "holders": [holder]})


def _forget(operation: Operation, holder: str, name: str = "") -> None:
    """Take a holder out of the status, of one lock or of all; what is left empty goes."""
    found = operation.status.get("synchronization") or {}
    for kind in list(found):
        for state in list(found[kind]):
            kept = [one for one in (_without(each, holder, name) for each in found[kind][state]) if one is not None]
            found[kind][state] = kept
            if not kept:
                del found[kind][state]
        if not found[kind]:
            del found[kind]
    if not found:
        operation.status.pop("synchronization", None)


def _without(entry: Json, holder: str, name: str) -> Json | None:
    if name and name not in (entry.get("mutex"), entry.get("semaphore")):
        return entry
    if "mutex" in entry:
        return None if entry["holder"] == holder else entry
    left = [each for each in entry["holders"] if each != holder]
    return entry | {"holders": left} if left else None
