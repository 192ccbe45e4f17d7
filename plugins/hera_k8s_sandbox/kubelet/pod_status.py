"""Status of pods: phase and conditions as the kubelet derives them from the states of the containers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hera_k8s_sandbox.store.entries import now_text, time_text
from hera_k8s_utils._types import Json

ALWAYS: Final = "Always"
NEVER: Final = "Never"
ENDED: Final = ("Succeeded", "Failed")
_COMPLETED: Final = "PodCompleted"


def is_sidecar(container: Json) -> bool:
    """Whether an init container runs along with the others."""
    return container.get("restartPolicy") == ALWAYS


def policy_of(pod: Json, container: Json, *, init: bool) -> str:
    """When a container is started again; an init container that must succeed is not when it has."""
    policy = str(container.get("restartPolicy") or pod["spec"].get("restartPolicy") or ALWAYS)
    if init and not is_sidecar(container):
        return NEVER if policy == NEVER else "OnFailure"
    return policy


def waiting(container: Json, reason: str, message: str = "") -> Json:
    """The status of a container that has not been started."""
    state: Json = {"reason": reason} | ({"message": message} if message else {})
    return status_of(container, {"waiting": state})


def status_of(container: Json, state: Json, *, ready: bool = False, started: bool = False, restarts: int = 0) -> Json:
    """The status of a container in a state."""
    return {
        "name": container["name"],
        "state": state,
        "lastState": {},
        "ready": ready,
        "restartCount": restarts,
        "image": container["image"],
        "imageID": "",
        "started": started,
    }


def terminated(exit_code: int, *, reason: str, message: str, started: float | None, finished: float, id: str) -> Json:
    """The state of a container that has ended; times in seconds since the epoch."""
    state: Json = {"exitCode": exit_code, "reason": reason}
    if message:
        state["message"] = message
    state["startedAt"] = time_text(finished if started is None else started)
    state["finishedAt"] = time_text(finished)
    return state | ({"containerID": id} if id else {})


def phase_of(pod: Json, init: list[Json], regular: list[Json], *, final: bool) -> str:
    """The phase of a pod by the statuses of its containers; final: nothing of it will be started again."""
    policy = pod["spec"].get("restartPolicy") or ALWAYS
    specs = {one["name"]: one for one in pod["spec"].get("initContainers") or ()}
    waits_for_init = False
    for status in init:
        ended = _ended(status)
        if is_sidecar(specs[status["name"]]):
            waits_for_init |= not status.get("started") and ended is None
        elif ended is None:
            waits_for_init = True
        elif ended["exitCode"] != 0:
            if policy == NEVER or final:
                return "Failed"
            waits_for_init = True
    begun = any("running" in one["state"] or _ended(one) is not None for one in regular)
    if waits_for_init and not begun:
        return "Failed" if final else "Pending"
    ends = [_ended(one) for one in regular]
    if any("running" not in one["state"] and end is None for one, end in zip(regular, ends, strict=True)):
        return "Failed" if final else "Pending"
    if any("running" in one["state"] for one in regular):
        return "Running"
    good = all(end is not None and end["exitCode"] == 0 for end in ends)
    if final:
        return "Succeeded" if good else "Failed"
    if any("waiting" in one["state"] for one in regular) or policy == ALWAYS:
        return "Running"
    return "Succeeded" if good else "Failed" if policy == NEVER else "Running"


def _ended(status: Json) -> Json | None:
    """How a container ended last, also while it waits to be started again; None when it runs or never ran."""
    if "running" in status["state"]:
        return None
    found = status["state"].get("terminated") or (status.get("lastState") or {}).get("terminated")
    return None if found is None else dict(found)


def conditions_of(
    pod: Json, phase: str, init: list[Json], regular: list[Json], before: Iterable[Json], *, begun: bool
) -> list[Json]:
    """The conditions of a pod that has a node; those that have not changed keep their time.

    begun: all that comes before its containers is done.
    """
    old = {one["type"]: one for one in before}
    specs = {one["name"]: one for one in pod["spec"].get("initContainers") or ()}
    sidecars = [one for one in init if is_sidecar(specs[one["name"]])]
    generation = (pod["metadata"].get("generation")) or None
    made = [
        _condition("PodReadyToStartContainers", begun and phase not in ENDED),
        _initialized(phase, specs, init, regular),
        _readiness("Ready", phase, [*sidecars, *regular]),
        _readiness("ContainersReady", phase, [*sidecars, *regular]),
        _condition("PodScheduled", True),
    ]
    now = now_text()
    for one in made:
        known = old.pop(one["type"], None)
        same = known is not None and known.get("status") == one["status"]
        one["lastProbeTime"] = None
        one["lastTransitionTime"] = known.get("lastTransitionTime", now) if same and known is not None else now
        if generation is not None:
            one["observedGeneration"] = generation
    return [*(dict(one) for one in old.values()), *made]  # those that others wrote stay


def _condition(kind: str, holds: bool, reason: str = "", message: str = "") -> Json:
    made: Json = {"type": kind, "status": "True" if holds else "False"}
    return made | {key: value for key, value in (("reason", reason), ("message", message)) if value}


def _initialized(phase: str, specs: dict[str, Json], init: list[Json], regular: list[Json]) -> Json:
    if phase == "Succeeded":
        return _condition("Initialized", True, _COMPLETED)
    if any("waiting" not in one["state"] or one.get("lastState") for one in regular):
        return _condition("Initialized", True)
    missing = [one["name"] for one in init if not _is_through(specs[one["name"]], one)]
    if not missing:
        return _condition("Initialized", True)
    return _condition(
        "Initialized", False, "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(missing)}]"
    )


def _is_through(container: Json, status: Json) -> bool:
    if is_sidecar(container):
        return bool(status.get("started"))
    end = status["state"].get("terminated")
    return end is not None and end["exitCode"] == 0


def _readiness(kind: str, phase: str, statuses: list[Json]) -> Json:
    if phase == "Succeeded":
        return _condition(kind, False, _COMPLETED)
    if phase == "Failed":
        return _condition(kind, False, "PodFailed")
    unready = [one["name"] for one in statuses if not one["ready"]]
    if not unready:
        return _condition(kind, True)
    return _condition(kind, False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
