"""Status of Deployments: how far a rollout is, as its conditions say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hera_k8s_sandbox.controllers import rollouts
from hera_k8s_sandbox.controllers.rollouts import replicas_of, told_of
from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.store.store import now_text
from hera_k8s_utils._types import Json

AVAILABLE: Final = "Available"
PROGRESSING: Final = "Progressing"
FAILURE: Final = "ReplicaFailure"
_OVERDUE: Final = "ProgressDeadlineExceeded"
_DONE: Final = "NewReplicaSetAvailable"


@dataclass
class RolloutProgress:
    """What happened in one sync: names of ReplicaSets, why one was refused, whether a name was taken."""

    created: str = ""
    found: str = ""
    refused: str = ""
    collided: bool = False


def status_of(
    deployment: Json, new: Json | None, sets: list[Json], rollout: RolloutProgress
) -> tuple[Json, float | None]:
    """The status of a Deployment, and the seconds until its deadline when it may pass."""
    before: Json = deployment.get("status") or {}
    total = sum(told_of(one, "replicas") for one in sets)
    available = sum(told_of(one, "availableReplicas") for one in sets)
    status: Json = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": total,
        "updatedReplicas": 0 if new is None else told_of(new, "replicas"),
        "readyReplicas": sum(told_of(one, "readyReplicas") for one in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(map(replicas_of, sets)) - available),
    }
    status = {key: value for key, value in status.items() if value}
    status["terminatingReplicas"] = sum(told_of(one, "terminatingReplicas") for one in sets)
    collisions = int(before.get("collisionCount") or 0) + rollout.collided
    if collisions:
        status["collisionCount"] = collisions
    conditions = _Conditions(list(before.get("conditions") or ()))
    _, missing = rollouts.bounds(deployment)
    if available >= replicas_of(deployment) - missing:
        conditions.set(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        told_why = "Deployment does not have minimum availability."
        conditions.set(AVAILABLE, "False", "MinimumReplicasUnavailable", told_why)
    wait = _progress(deployment, new, sets, rollout, status, conditions)
    _failures(sets, rollout, conditions)
    status["conditions"] = conditions.listed
    return status, wait


def _progress(
    deployment: Json,
    new: Json | None,
    sets: list[Json],
    rollout: RolloutProgress,
    status: Json,
    conditions: _Conditions,
) -> float | None:
    """Set the condition Progressing; the seconds until the deadline."""
    before: Json = deployment.get("status") or {}
    known = conditions.find(PROGRESSING)
    if deployment["spec"].get("paused"):
        if known is None or known["reason"] != _OVERDUE:
            conditions.set(PROGRESSING, "Unknown", "DeploymentPaused", "Deployment is paused")
        return None
    if known is not None and known["reason"] == "DeploymentPaused":
        conditions.set(PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed")
    if rollout.refused:
        conditions.set(PROGRESSING, "False", "ReplicaSetCreateError", rollout.refused)
        return None
    if rollout.created:
        conditions.set(PROGRESSING, "True", "NewReplicaSetCreated", f'Created new replica set "{rollout.created}"')
    elif known is None and rollout.found:
        conditions.set(PROGRESSING, "True", "FoundNewReplicaSet", f'Found new replica set "{rollout.found}"')
    if new is None:
        return None
    which = f'ReplicaSet "{new["metadata"]["name"]}"'
    wanted = replicas_of(deployment)
    if all(status.get(field, 0) == wanted for field in ("updatedReplicas", "replicas", "availableReplicas")) and (
        status["observedGeneration"] >= deployment["metadata"]["generation"]
    ):
        conditions.set(PROGRESSING, "True", _DONE, f"{which} has successfully progressed.")
        return None
    known = conditions.find(PROGRESSING)
    if known is not None and known["reason"] == _DONE and status.get("replicas") == status.get("updatedReplicas"):
        return None
    if _has_progressed(before, status):
        conditions.set(PROGRESSING, "True", "ReplicaSetUpdated", f"{which} is progressing.", renew=True)
    elif known is not None:
        left = seconds_of(known["lastUpdateTime"]) + deployment["spec"]["progressDeadlineSeconds"] - CLOCK.now()
        if known["reason"] == _OVERDUE:
            return None
        if left > 0:
            return float(left)
        conditions.set(PROGRESSING, "False", _OVERDUE, f"{which} has timed out progressing.")
    return None


def _has_progressed(before: Json, status: Json) -> bool:
    old_before = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    old_now = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    return bool(
        status.get("updatedReplicas", 0) > before.get("updatedReplicas", 0)
        or old_now < old_before
        or status.get("readyReplicas", 0) > before.get("readyReplicas", 0)
        or status.get("availableReplicas", 0) > before.get("availableReplicas", 0)
    )


def _failures(sets: list[Json], rollout: RolloutProgress, conditions: _Conditions) -> None:
    """Hand on why a ReplicaSet cannot make its pods."""
    found = [
        one
        for each in sets
        for one in (each.get("status") or {}).get("conditions") or ()
        if one["type"] == FAILURE and one["status"] == "True"
    ]
    if found and not rollout.refused:
        conditions.set(FAILURE, "True", found[-1]["reason"], found[-1]["message"])
    else:
        conditions.drop(FAILURE)


class _Conditions:
    """The conditions of a Deployment, in the order in which they came."""

    def __init__(self, listed: list[Json]) -> None:
        self.listed = listed

    def find(self, kind: str) -> Json | None:
        """The condition of a type."""
        return next((one for one in self.listed if one["type"] == kind), None)

    def drop(self, kind: str) -> None:
        """Take a condition away."""
        self.listed = [one for one in self.listed if one["type"] != kind]

    def set(self, kind: str, status: str, reason: str, message: str, *, renew: bool = False) -> None:
        """Let a condition be so; one that is so for the same reason stays as it was, unless it is to be renewed."""
        known = self.find(kind)
        if known is not None and (known["status"], known["reason"]) == (status, reason) and not renew:
            return
        now = now_text()
        same = known is not None and known["status"] == status
        made = {
            "type": kind,
            "status": status,
            "lastUpdateTime": now,
            "lastTransitionTime": known["lastTransitionTime"] if same and known is not None else now,
            "reason": reason,
            "message": message,
        }
        self.drop(kind)
        self.listed = [*self.listed, made]
