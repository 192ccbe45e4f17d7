"""Assessment: what the state of a pod means for its node."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hera_k8s_sandbox.workflows.pods import MAIN, OUTPUTS

Json = dict[str, Any]


class Verdict(NamedTuple):
    """The phase of a node and why; outputs: None while the pod has not ended."""

    phase: str
    message: str
    outputs: Json | None = None
    finished_at: str | None = None


def assess(pod: Json) -> Verdict:
    """Read a pod as Argo's controller does."""
    status = pod.get("status") or {}
    phase = status.get("phase", "Pending")
    if phase == "Pending":
        return Verdict("Pending", _pending_reason(status))
    if phase == "Running":
        return Verdict("Running", "")
    if phase not in ("Succeeded", "Failed"):
        return Verdict("Error", f"Unexpected pod phase for {pod['metadata']['name']}: {phase}")
    outcome, message = ("Succeeded", "") if phase == "Succeeded" else _failure(pod)
    return Verdict(outcome, message, _outputs(pod), _finished_at(status))


def _pending_reason(status: Json) -> str:
    for container in status.get("containerStatuses") or ():
        waiting = container["state"].get("waiting")
        if waiting:
            return _joined(waiting.get("reason", ""), waiting.get("message", ""))
    for condition in status.get("conditions") or ():
        if condition.get("reason") == "Unschedulable":
            return _joined("Unschedulable", condition.get("message", ""))
    return ""


def _joined(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason


def _failure(pod: Json) -> tuple[str, str]:
    status = pod["status"]
    if status.get("message"):
        return "Failed", status["message"]
    meta = pod["metadata"]
    containers = sorted(status.get("containerStatuses") or (), key=lambda one: one["name"] != MAIN)
    if not containers:
        return "Failed", f"can't find failed message for pod {meta['name']} namespace {meta['namespace']}"
    for container in containers:
        ended = container["state"].get("terminated")
        if ended is None or ended["exitCode"] == 0:
            continue
        message = f"{container['name']}: {ended.get('reason', 'Error')} (exit code {ended['exitCode']})"
        if ended.get("message"):
            message = f"{message}: {ended['message']}"
        return ("Failed" if container["name"] == MAIN else "Error"), message
    return "Failed", "pod failed: main container did not complete successfully"


def _outputs(pod: Json) -> Json:
    outputs: Json = json.loads((pod["metadata"].get("annotations") or {}).get(OUTPUTS) or "{}")
    for container in pod["status"].get("containerStatuses") or ():
        ended = container["state"].get("terminated")
        if container["name"] == MAIN and ended is not None:
            outputs["exitCode"] = str(ended["exitCode"])
    return outputs


def _finished_at(status: Json) -> str | None:
    ends = [
        container["state"]["terminated"].get("finishedAt")
        for container in status.get("containerStatuses") or ()
        if "terminated" in container["state"]
    ]
    return max((end for end in ends if end), default=None)
