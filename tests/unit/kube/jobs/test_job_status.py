"""What a Job says of itself, whatever parts of its status are missing."""

from __future__ import annotations

from typing import Any

import pytest

from hera_k8s_kube.jobs import Job

Json = dict[str, Any]


def job(status: Json | None = None, spec: Json | None = None, **metadata: Any) -> Job:
    return Job.of({"metadata": {"name": "a", **metadata}, "spec": spec or {}, "status": status})


def condition(kind: str, status: str = "True", **more: str) -> Json:
    return {"type": kind, "status": status, **more}


@pytest.mark.parametrize("status", [None, {}, {"conditions": None}, {"active": 1, "ready": 0}])
def test_a_job_of_which_no_pod_has_started_is_pending(status: Json | None) -> None:
    found = job(status, labels=None, annotations=None)
    assert (found.phase, found.over) == ("Pending", False)
    assert (dict(found.labels), found.reason, found.message) == ({}, "", "")


@pytest.mark.parametrize(
    "status",
    [
        {"active": 1, "ready": 1},
        {"active": 1, "ready": 0, "failed": 2},
        {"failed": 1, "ready": 0},
        {"active": 1, "failed": 1, "conditions": [condition("Failed", "False")]},
        {"active": 1},
    ],
)
def test_a_job_whose_pods_run_or_are_tried_again_is_running(status: Json) -> None:
    found = job(status)
    assert (found.phase, found.over) == ("Running", False)


def test_a_failed_job_says_why_and_when() -> None:
    ended = condition(
        "Failed", reason="BackoffLimitExceeded", message="too often", lastTransitionTime="2026-01-01T00:00:00Z"
    )
    found = job({"failed": 4, "conditions": [condition("FailureTarget", reason="BackoffLimitExceeded"), ended]})
    assert (found.phase, found.over, found.failed) == ("Failed", True, 4)
    assert (found.reason, found.message, found.finished_at) == (
        "BackoffLimitExceeded",
        "too often",
        "2026-01-01T00:00:00Z",
    )


@pytest.mark.parametrize(("kind", "phase"), [("FailureTarget", "Failed"), ("SuccessCriteriaMet", "Succeeded")])
def test_an_end_that_is_decided_is_not_over_while_pods_still_end(kind: str, phase: str) -> None:
    found = job({"active": 1, "conditions": [condition(kind)]})
    assert (found.phase, found.over) == (phase, False)


def test_a_completed_job_has_no_reason() -> None:
    ended = condition("Complete", reason="CompletionsReached", message="Reached expected number")
    found = job({"succeeded": 1, "completionTime": "2026-01-01T00:00:00Z", "conditions": [ended]})
    assert (found.phase, found.over, found.reason, found.message) == ("Succeeded", True, "", "")
    assert found.finished_at == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("status", "spec"),
    [({"conditions": [condition("Suspended")]}, {}), ({}, {"suspend": True}), (None, {"suspend": 1})],
)
def test_a_suspended_job_is_said_to_be(status: Json | None, spec: Json) -> None:
    assert job(status, spec).phase == "Suspended"


def test_the_indexes_are_numbers() -> None:
    found = job(
        {"completedIndexes": "0,3-5,7", "failedIndexes": "1-2", "active": 1, "ready": 1},
        {"completionMode": "Indexed", "completions": 8, "parallelism": 0},
    )
    assert found.completed_indexes == {0, 3, 4, 5, 7}
    assert found.failed_indexes == {1, 2}
    assert (found.indexed, found.completions, found.parallelism, found.phase) == (True, 8, 0, "Running")
