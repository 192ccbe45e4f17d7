"""Why a pod waits, in the words of its status and events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_USUAL: Final = ("", "ContainerCreating", "PodInitializing")


def describe_wait(pod: Mapping[str, Any]) -> str:
    """Why a pod does not start, from its own status: a container's reason for waiting, or an unmet condition."""
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "") not in _USUAL:
            return ": ".join(part for part in (waiting["reason"], waiting.get("message")) if part)
    for condition in status.get("conditions") or ():
        if condition.get("status") == "False" and condition.get("message"):
            return f"{condition.get('reason') or condition.get('type')}: {condition['message']}"
    return ""
