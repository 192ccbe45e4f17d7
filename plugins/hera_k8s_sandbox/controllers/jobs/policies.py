"""Policies of jobs: what a failed pod means for its job, and which successes are enough."""

from __future__ import annotations

from typing import Final, NamedTuple

from hera_k8s_sandbox.admission import job_indexes
from hera_k8s_utils._types import Json

FAIL_JOB: Final = "FailJob"
FAIL_INDEX: Final = "FailIndex"
_IGNORE: Final = "Ignore"


class PolicyDecision(NamedTuple):
    """The decision of a podFailurePolicy.

    action: empty when no rule matches.
    message: why the job fails.
    """

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether the failure counts towards the back-off limits."""
        return self.action != _IGNORE


def apply_failure_policy(job: Json, pod: Json) -> PolicyDecision:
    """Apply the job's podFailurePolicy to a failed pod: the first matching rule decides."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        message = _why(rule, pod)
        if message:
            return PolicyDecision(rule["action"], f"{message} matching {rule['action']} rule at index {number}")
    return PolicyDecision()


def _why(rule: Json, pod: Json) -> str:
    """In what a pod matches a rule; empty when it does not."""
    meta, status = pod["metadata"], pod.get("status") or {}
    name = f"{meta['namespace']}/{meta['name']}"
    codes = rule.get("onExitCodes")
    if codes is not None:
        for one in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
            code = ((one.get("state") or {}).get("terminated") or {}).get("exitCode")
            if code and codes.get("containerName") in (None, one["name"]) and _covers(codes, code):
                return f"Container {one['name']} for pod {name} failed with exit code {code}"
        return ""
    for condition in status.get("conditions") or ():
        for pattern in rule.get("onPodConditions") or ():
            if condition["type"] == pattern.get("type") and condition["status"] == pattern.get("status", "True"):
                return f"Pod {name} has condition {condition['type']}"
    return ""


def _covers(codes: Json, code: int) -> bool:
    return (code in (codes.get("values") or ())) == (codes.get("operator") == "In")


def success_policy_message(job: Json, succeeded: set[int]) -> str:
    """Which rule of the job's successPolicy is met by the indexes that have succeeded; empty when none is."""
    completions = job["spec"].get("completions") or 0
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        if succeeded and _is_met(rule, succeeded, completions):
            return f"Matched rules at index {number}"
    return ""


def _is_met(rule: Json, succeeded: set[int], completions: int) -> bool:
    count = rule.get("succeededCount")
    if rule.get("succeededIndexes") is None:
        return count is not None and len(succeeded) >= count
    wanted = job_indexes.parse_indexes(rule["succeededIndexes"], completions)
    there = len(wanted & succeeded)
    return bool(wanted) and (there == len(wanted) or (count is not None and there >= count))
