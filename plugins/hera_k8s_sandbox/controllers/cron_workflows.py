"""Cron: makes workflows at the times that CronWorkflows name, and keeps account of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass
from typing import Final

from hera_k8s_sandbox.controllers.cron_status import (
    add_active,
    drop_condition,
    reconcile_active,
    schedule_text,
    set_condition,
    status_of,
    stop_if_due,
)
from hera_k8s_sandbox.controllers.template_lookup import templates_of
from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.foundation.labels import CRON_COMPLETED, CRON_LABEL, LAST_USED_SCHEDULE
from hera_k8s_sandbox.foundation.resource_types import CRON_WORKFLOWS, WORKFLOWS
from hera_k8s_sandbox.foundation.selectors import parse_labels
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.events import record_event
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.informer import reconcile
from hera_k8s_sandbox.store.store import Event, time_text
from hera_k8s_sandbox.workflows.cron.child_workflow import scheduled_workflow
from hera_k8s_sandbox.workflows.cron.conditions import CronConditionError, wants_to_run
from hera_k8s_sandbox.workflows.cron.schedule import Schedule
from hera_k8s_sandbox.workflows.model.nodes import FULFILLED
from hera_k8s_sandbox.workflows.validation import Unsupported, WorkflowInvalid, validate, validate_cron
from hera_k8s_utils._types import Json

log = logging.getLogger(__name__)
Key = tuple[str, str]  # namespace, name

_SPEC_ERROR: Final = "SpecError"
_SUBMISSION_ERROR: Final = "SubmissionError"
_KEPT: Final = (("successfulJobsHistoryLimit", ("Succeeded",), 3), ("failedJobsHistoryLimit", ("Failed", "Error"), 1))


@dataclass
class _Plan:
    """When a CronWorkflow is due next.

    spec: what it was made for.
    due: for each schedule, None for never again.
    """

    spec: str
    schedules: list[Schedule]
    due: list[int | None]

    @property
    def next(self) -> int | None:
        return min((each for each in self.due if each is not None), default=None)

    def take(self, now: float) -> list[int]:
        """The times that have come, each once however many schedules name it; these go on to their next."""
        taken: dict[int, None] = {}
        for index, schedule in enumerate(self.schedules):
            due = self.due[index]
            if due is not None and due <= now:
                taken[due] = None
                self.due[index] = schedule.after(max(due, now))
        return list(taken)


class CronController:
    """Runs the CronWorkflows of a sandbox."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._store = state.store
        self._plans: dict[Key, _Plan] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to watch; runs that were missed meanwhile are made up for within their deadlines."""
        work = (
            reconcile(self._store, CRON_WORKFLOWS, self._take),
            reconcile(self._store, WORKFLOWS, self._take_child, labels=parse_labels(CRON_LABEL)),
        )
        self._tasks = [asyncio.create_task(each) for each in work]

    async def stop(self) -> None:
        """Make no more workflows."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def next_due(self) -> int | None:
        """When something is due next, in seconds since the epoch."""
        return min((due for plan in self._plans.values() if (due := plan.next) is not None), default=None)

    def fire(self) -> int:
        """Run what is due now; how many times were."""
        fired, now = 0, CLOCK.now()
        for key, plan in list(self._plans.items()):
            for due in plan.take(now):
                fired += 1
                try:
                    self._run(key, due)
                except Exception:  # whatever it is about this one, the others run
                    log.exception("cron workflow %s/%s could not be dealt with", *key)
        self._set_timer()
        return fired

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.next_due()
        if due is not None:
            delay = max(0.0, due - CLOCK.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self.fire)

    def _take(self, event: Event) -> None:
        cron, key = event.object, event.entry.key
        if event.type == "DELETED" or (cron["metadata"].get("labels") or {}).get(CRON_COMPLETED) == "true":
            self._plans.pop(key, None)
        else:
            self._plan(key, cron)
        self._set_timer()

    def _plan(self, key: Key, cron: Json) -> None:
        spec = json.dumps(cron.get("spec"), sort_keys=True)
        known = self._plans.get(key)
        if known is not None and known.spec == spec:
            return
        self._plans.pop(key, None)
        if not self._is_valid(key, cron):
            return
        own = cron["spec"]
        schedules = [Schedule.parse(text, own.get("timezone") or "") for text in own["schedules"]]
        missed = _missed(cron, schedules)
        now = CLOCK.now()
        self._plans[key] = _Plan(spec, schedules, [schedule.after(now) for schedule in schedules])
        if missed is not None:
            self._run(key, missed)

    def _is_valid(self, key: Key, cron: Json) -> bool:
        """Whether it can run; otherwise its status says why not."""
        problem = _problem_of(cron, self._state)
        conditions = (cron.get("status") or {}).get("conditions") or ()
        if problem is None and not any(one.get("type") == _SPEC_ERROR for one in conditions):
            return True

        def edit(obj: Json) -> None:
            if problem is None:
                drop_condition(status_of(obj), _SPEC_ERROR)
            else:
                set_condition(status_of(obj), _SPEC_ERROR, problem)

        changed = self._store.change(CRON_WORKFLOWS, *key, edit)
        if problem is not None:
            record_event(
                self._store, changed, reason="Invalid", message=problem, component="workflow-controller", type="Warning"
            )
        return problem is None

    def _run(self, key: Key, due: int) -> None:
        """Make the workflow of one scheduled time, unless something speaks against it."""
        entry = self._store.entry(CRON_WORKFLOWS, *key)
        cron = entry.copy()
        annotations = cron["metadata"].setdefault("annotations", {})
        annotations[LAST_USED_SCHEDULE] = schedule_text(cron["spec"])
        self._submit(cron, due)
        if cron != entry.object:
            self._store.replace(CRON_WORKFLOWS, cron)

    def _submit(self, cron: Json, due: int) -> None:
        meta, status = cron["metadata"], status_of(cron)
        problem = _problem_of(cron, self._state)
        if problem is not None:
            set_condition(status, _SPEC_ERROR, problem)
            return
        drop_condition(status, _SPEC_ERROR)
        try:
            stop_if_due(cron)
        except CronConditionError as error:
            message = f"failed to check CronWorkflow '{meta['name']}' stopping condition: {error}"
            set_condition(status, _SPEC_ERROR, message)
            return
        try:
            if not self._may_run(cron):
                return
        except CronConditionError as error:
            self._fail(status, f"run policy error: {error}")
            return
        scheduled = time_text(due)
        child = scheduled_workflow(cron, due, scheduled)
        try:
            validate(child, source=templates_of(self._store, meta["namespace"]))
            made = operations.create(self._state, WORKFLOWS, meta["namespace"], child).object
        except (ApiError, Unsupported, WorkflowInvalid) as error:
            if not (isinstance(error, ApiError) and error.reason == "AlreadyExists"):
                self._fail(status, f"Failed to submit Workflow: {error}")
            return
        add_active(status, made)
        status |= {"phase": "Active", "lastScheduledTime": scheduled}
        drop_condition(status, _SUBMISSION_ERROR)

    def _fail(self, status: Json, message: str) -> None:
        set_condition(status, _SUBMISSION_ERROR, message)
        status["failed"] += 1

    def _may_run(self, cron: Json) -> bool:
        """Whether neither its state nor `when` nor its concurrency policy forbids a run. Raises CronConditionError."""
        spec, status = cron["spec"], cron["status"]
        if spec.get("suspend") or status["phase"] == "Stopped" or not wants_to_run(cron):
            return False
        policy = spec.get("concurrencyPolicy")
        if policy == "Forbid":
            return not status["active"]
        if policy == "Replace":
            for one in status["active"]:
                self._terminate(one["namespace"], one["name"])
        return True

    def _terminate(self, namespace: str, name: str) -> None:
        def edit(workflow: Json) -> None:
            if (workflow.get("status") or {}).get("phase") not in FULFILLED:
                workflow["spec"]["shutdown"] = "Terminate"

        with contextlib.suppress(ApiError):  # it went meanwhile
            self._store.change(WORKFLOWS, namespace, name, edit)

    def _take_child(self, event: Event) -> None:
        child = event.object
        owners = child["metadata"].get("ownerReferences") or ()
        owner = next((one for one in owners if one.get("controller") and one["kind"] == CRON_WORKFLOWS.kind), None)
        if owner is None:
            return
        key = (event.entry.key[0], owner["name"])
        cron = self._store.find(CRON_WORKFLOWS, *key)
        if cron is None or cron["metadata"]["uid"] != owner["uid"]:
            return
        active = {one["uid"] for one in (cron.get("status") or {}).get("active") or ()}
        has_ended = event.type == "DELETED" or (child.get("status") or {}).get("phase") in FULFILLED
        if has_ended or child["metadata"]["uid"] not in active:
            self._account(key, owner["uid"])

    def _account(self, key: Key, uid: str) -> None:
        """Bring the list of what is active up to date, count what has ended, and remove the oldest of that."""
        children = self._children(key, uid)
        self._enforce_history(key, children)
        entry = self._store.entry(CRON_WORKFLOWS, *key)
        cron = entry.copy()
        try:
            reconcile_active(cron, children)
        except CronConditionError as error:
            log.warning("cron workflow %s/%s: its stopping condition cannot be checked: %s", *key, error)
        if cron != entry.object:
            self._store.replace(CRON_WORKFLOWS, cron)

    def _children(self, key: Key, uid: str) -> list[Json]:
        found = self._store.list(WORKFLOWS, key[0], labels=parse_labels(f"{CRON_LABEL}={key[1]}"))
        return [
            one for one in found if any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences") or ())
        ]

    def _enforce_history(self, key: Key, children: list[Json]) -> None:
        spec = self._store.get(CRON_WORKFLOWS, *key)["spec"]
        for field, phases, otherwise in _KEPT:
            given = spec.get(field)
            kept = int(given) if given is not None and int(given) >= 0 else otherwise
            ended = [one for one in children if (one.get("status") or {}).get("phase") in phases]
            ended.sort(key=lambda one: (one["status"].get("finishedAt") or "", one["metadata"]["name"]), reverse=True)
            for one in ended[kept:]:
                with contextlib.suppress(ApiError):
                    operations.delete(self._state, WORKFLOWS, key[0], one["metadata"]["name"])


def _problem_of(cron: Json, state: SandboxState) -> str | None:
    try:
        validate_cron(cron, source=templates_of(state.store, cron["metadata"]["namespace"]))
    except (Unsupported, WorkflowInvalid) as error:
        return str(error)
    return None


def _missed(cron: Json, schedules: list[Schedule]) -> int | None:
    """The last time that was missed while the controller did not run, if its deadline has not passed."""
    spec, last = cron["spec"], (cron.get("status") or {}).get("lastScheduledTime")
    deadline = spec.get("startingDeadlineSeconds")
    used = (cron["metadata"].get("annotations") or {}).get(LAST_USED_SCHEDULE)
    if last is None or not deadline or used != schedule_text(spec):
        return None
    now = CLOCK.now()
    for schedule in schedules:
        found = schedule.before(now, max(seconds_of(last), now - float(deadline) - 1))
        if found is not None and now < found + float(deadline):
            return found
    return None
