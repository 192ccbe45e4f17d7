"""Assessment: what the state of a pod means for its node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NamedTuple

from hera_k8s_sandbox.foundation.labels import OUTPUTS_ANNOTATION, TEMPLATE_ANNOTATION
from hera_k8s_sandbox.workflows.model.pod_spec import MAIN
from hera_k8s_utils._types import Json

_KILLED: Final = (137, 143)  # ended by SIGKILL, by SIGTERM
_EMISSARY: Final = 64  # what Argo's own process in a container exits with


class PodAssessment(NamedTuple):
    """The phase of a node and why.

    outputs: None while the pod has not ended.
    """

    phase: str
    message: str
    outputs: Json | None = None
    finished_at: str | None = None


def assess(pod: Json) -> PodAssessment:
    """Read a pod as Argo's controller does."""
    status = pod.get("status") or {}
    phase = status.get("phase", "Pending")
    if phase == "Pending":
        return PodAssessment("Pending", _pending_reason(status))
    if phase == "Running":
        return PodAssessment("Running", "")
    if phase not in ("Succeeded", "Failed"):
        return PodAssessment("Error", f"Unexpected pod phase for {pod['metadata']['name']}: {phase}")
    outcome, message = ("Succeeded", "")
    if phase == "Failed" and not is_daemon(pod):
        outcome, message = _failure(pod)
    return PodAssessment(outcome, message, _outputs(pod), _finished_at(status))


def is_daemon(pod: Json) -> bool:
    """Whether a pod is to run beside what comes after it."""
    return '"daemon":true' in ((pod["metadata"].get("annotations") or {}).get(TEMPLATE_ANNOTATION) or "")


def is_ready(pod: Json) -> bool:
    """Whether all containers of a running pod are ready."""
    status = pod.get("status") or {}
    containers = status.get("containerStatuses") or ()
    return bool(status.get("phase") == "Running" and containers and all(one.get("ready") for one in containers))


def container_phases(pod: Json) -> Iterator[tuple[str, str, str]]:
    """The names of a pod's containers, with the phases of their nodes and messages, as in a container set."""
    for one in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = one["state"].get("terminated")
        if ended is None:
            yield one["name"], "Running" if "running" in one["state"] else "Pending", ""
        elif ended["exitCode"] == 0:
            yield one["name"], "Succeeded", ""
        else:
            phase = "Error" if ended["exitCode"] == _EMISSARY else "Failed"
            message = f"{one['name']}: {ended.get('reason', 'Error')} (exit code {ended['exitCode']})"
            yield one["name"], phase, _with(message, ended)


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
    beside = {one["name"] for one in pod["spec"]["containers"]} - _mains(pod)
    init = [one | {"init": True} for one in status.get("initContainerStatuses") or ()]
    containers = [*init, *sorted(status.get("containerStatuses") or (), key=lambda one: one["name"] in beside)]
    if not containers:
        return "Failed", f"can't find failed message for pod {meta['name']} namespace {meta['namespace']}"
    ignored = False
    for container in containers:
        ended = container["state"].get("terminated")
        if ended is None or ended["exitCode"] == 0:
            continue
        name, code = container["name"], ended["exitCode"]
        if name in beside and code in _KILLED:  # it was ended when the others had
            ignored = True
            continue
        message = _with(f"{name}: {ended.get('reason', 'Error')} (exit code {code})", ended)
        known = name in beside or name in _mains(pod) or container.get("init")
        return ("Failed" if known else "Error"), message
    if ignored:
        return "Succeeded", ""
    return "Failed", "pod failed: main container did not complete successfully"


def _mains(pod: Json) -> set[str]:
    """The containers that are the template's own; the others are sidecars."""
    text = (pod["metadata"].get("annotations") or {}).get(TEMPLATE_ANNOTATION) or "{}"
    return set(json.loads(text).get("graph") or ()) or {MAIN}


def _with(message: str, ended: Json) -> str:
    return f"{message}: {ended['message']}" if ended.get("message") else message


def _outputs(pod: Json) -> Json:
    outputs: Json = json.loads((pod["metadata"].get("annotations") or {}).get(OUTPUTS_ANNOTATION) or "{}")
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
