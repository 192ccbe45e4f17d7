"""Cron status: the account that a CronWorkflow's status keeps of its workflows."""

from __future__ import annotations

from hera_k8s_sandbox.foundation.labels import CRON_COMPLETED
from hera_k8s_sandbox.workflows.cron.conditions import is_to_stop
from hera_k8s_sandbox.workflows.model.nodes import FULFILLED
from hera_k8s_utils._types import Json


def status_of(cron: Json) -> Json:
    """The status, with all its fields."""
    status = cron.get("status")
    if not isinstance(status, dict):
        status = cron["status"] = {}
    for field in ("active", "conditions"):
        status[field] = status.get(field) or []
    for field in ("succeeded", "failed"):
        status[field] = int(status.get(field) or 0)
    status.setdefault("lastScheduledTime", None)
    status["phase"] = status.get("phase") or ""
    return status


def schedule_text(spec: Json) -> str:
    """All schedules with their zone as one text: by it a changed schedule is noticed."""
    zone = spec.get("timezone")
    return ",".join(f"CRON_TZ={zone} {text}" if zone else text for text in spec.get("schedules") or ())


def set_condition(status: Json, kind: str, message: str) -> None:
    """Say that something is wrong."""
    drop_condition(status, kind)
    status["conditions"].append({"type": kind, "status": "True", "message": message})


def drop_condition(status: Json, kind: str) -> None:
    """Say it no more."""
    status["conditions"] = [one for one in status["conditions"] if one["type"] != kind]


def add_active(status: Json, workflow: Json) -> None:
    """Note that a workflow runs."""
    meta = workflow["metadata"]
    status["active"].append(
        {
            "kind": "Workflow",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "apiVersion": "argoproj.io/v1alpha1",
            "resourceVersion": meta["resourceVersion"],
        }
    )


def stop_if_due(cron: Json) -> None:
    """Stop further runs when the stop strategy is met. Raises CronConditionError."""
    if is_to_stop(cron):
        status_of(cron)["phase"] = "Stopped"
        cron["metadata"].setdefault("labels", {})[CRON_COMPLETED] = "true"


def reconcile_active(cron: Json, children: list[Json]) -> None:
    """Bring the list of what is active up to date and count what has ended. Raises CronConditionError."""
    status = status_of(cron)
    phases = {one["metadata"]["uid"]: (one.get("status") or {}).get("phase", "") for one in children}
    listed = {one["uid"] for one in status["active"]}
    for one in children:
        uid = one["metadata"]["uid"]
        if uid not in listed and phases[uid] not in FULFILLED:
            add_active(status, one)
    ended = [phases[one["uid"]] for one in status["active"] if phases.get(one["uid"]) in FULFILLED]
    status["active"] = [one for one in status["active"] if one["uid"] in phases and phases[one["uid"]] not in FULFILLED]
    status["succeeded"] += sum(phase == "Succeeded" for phase in ended)
    status["failed"] += sum(phase in ("Failed", "Error") for phase in ended)
    if ended:
        stop_if_due(cron)
