"""Event objects, which `kubectl describe` shows."""

from __future__ import annotations

from hera_k8s_sandbox.foundation.resource_types import EVENTS
from hera_k8s_sandbox.store.store import Store, now_text
from hera_k8s_utils._types import Json


def record_event(store: Store, about: Json, *, reason: str, message: str, component: str, type: str = "Normal") -> None:
    """Record an event about an object; a repeated event is counted up.

    reason: one word in CamelCase. component: the reporter, such as `kubelet`. type: Normal or Warning.
    """
    meta = about["metadata"]
    namespace = meta.get("namespace", "default")
    name = f"{meta['name'][:220]}.{_digest(meta['uid'], reason, message, component)}"
    if store.find(EVENTS, namespace, name) is not None:
        store.change(EVENTS, namespace, name, _count_up)
        return
    store.create(EVENTS, _event(about, name, namespace, reason, message, component, type))


def _event(about: Json, name: str, namespace: str, reason: str, message: str, component: str, type: str) -> Json:
    meta, now = about["metadata"], now_text()
    involved = {
        "kind": about["kind"],
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta["uid"],
        "apiVersion": about["apiVersion"],
        "resourceVersion": meta.get("resourceVersion"),
    }
    return {
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {key: value for key, value in involved.items() if value},
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "type": type,
        "eventTime": None,
        "reportingComponent": component,
        "reportingInstance": "",
    }


def _count_up(event: Json) -> None:
    event["count"] = event.get("count", 1) + 1
    event["lastTimestamp"] = now_text()


def _digest(*parts: str) -> str:
    import hashlib

    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
