"""Cron workflows: their schedules, policies, and the workflow that they make."""

from __future__ import annotations

from typing import Final

from hera_k8s_sandbox.workflows.cron.child_workflow import cron_workflow
from hera_k8s_sandbox.workflows.cron.schedule import Schedule, ScheduleError
from hera_k8s_sandbox.workflows.model.templates import Source, no_source
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, fields_of_wrong_type, unsupported
from hera_k8s_sandbox.workflows.validation.specs import validate
from hera_k8s_utils._types import Json

_LONGEST_NAME: Final = 52  # its workflows' names end on a time
_MOST_SCHEDULES: Final = 1_000
_POLICIES: Final = ("Allow", "Forbid", "Replace", "")


def validate_cron(cron: Json, *, source: Source = no_source) -> None:
    """Check a CronWorkflow. Raises WorkflowInvalid and Unsupported."""
    with fields_of_wrong_type():
        _validate(cron, source)


def _validate(cron: Json, source: Source) -> None:
    name, spec = (cron.get("metadata") or {}).get("name") or "", cron.get("spec")
    if not isinstance(spec, dict):
        raise WorkflowInvalid("spec is required")
    if len(name) > _LONGEST_NAME:
        message = f'cron workflow name "{name}" must not be more than {_LONGEST_NAME} characters long'
        raise WorkflowInvalid(f"{message} (currently {len(name)})")
    _check_schedules(spec)
    policy = spec.get("concurrencyPolicy") or ""
    if policy not in _POLICIES:
        raise WorkflowInvalid(f"'{policy}' is not a valid concurrencyPolicy")
    if (spec.get("startingDeadlineSeconds") or 0) < 0:
        raise WorkflowInvalid("startingDeadlineSeconds must be positive")
    try:
        validate(cron_workflow(cron), source=source)
    except WorkflowInvalid as error:
        raise WorkflowInvalid(f"cannot validate Workflow: {error}") from None


def _check_schedules(spec: Json) -> None:
    if spec.get("schedule"):
        message = "spec.schedule is not a field of Argo 4.0 and later"
        raise WorkflowInvalid(f'{message}: write it as a list, spec.schedules: ["{spec["schedule"]}"]')
    if not spec.get("schedules"):
        raise WorkflowInvalid("cron workflow must have at least one schedule")
    if len(spec["schedules"]) > _MOST_SCHEDULES:
        raise unsupported(f"a cron workflow with more than {_MOST_SCHEDULES} schedules")
    for text in spec["schedules"]:
        try:
            Schedule.parse(text, spec.get("timezone") or "")
        except ScheduleError as error:
            raise WorkflowInvalid(f"cron schedule {text} is malformed: {error}") from None
