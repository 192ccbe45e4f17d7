"""How long a task may be pending, and what is said of tasks that end without an outcome."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("covalent", reason="needs Covalent: nox -s 'contrib(covalent)'")
pytest.importorskip("covalent_kubernetes_plugin", reason="needs hera-k8s-covalent: nox -s 'contrib(covalent)'")

from covalent_kubernetes_plugin.errors import TaskPending, TaskTimeout
from covalent_kubernetes_plugin.failures import PendingLimit, exit_code, of_job

from hera_k8s_kube.jobs import Job

PULL = "ImagePullBackOff: Back-off pulling image"
FULL = "Unschedulable: 0/3 nodes are available"


def patience() -> PendingLimit:
    return PendingLimit("job", "python:3", limit=900, soon=30)


def pod(**status: Any) -> list[Any]:
    return [{"metadata": {"name": "p"}, "status": status}]


def terminated(**state: Any) -> list[Any]:
    return pod(containerStatuses=[{"state": {"terminated": state}}])


def test_without_a_reason_a_task_may_wait_for_ever() -> None:
    waiting = patience()
    for now in range(0, 100_000, 1000):
        waiting.consider("", now)


def test_a_full_cluster_is_waited_for_until_the_limit() -> None:
    waiting = patience()
    waiting.consider(FULL, 100)
    waiting.consider(FULL, 999)
    with pytest.raises(TaskPending, match="pending for 900 s") as told:
        waiting.consider(FULL, 1000)
    assert told.value.found == FULL


def test_a_reason_that_passed_does_not_count() -> None:
    waiting = patience()
    waiting.consider(FULL, 0)
    waiting.consider("", 800)
    waiting.consider(FULL, 1000)


def test_an_image_has_its_own_time_from_when_it_is_pulled() -> None:
    waiting = patience()
    waiting.consider(FULL, 0)
    waiting.consider("ErrImagePull: timeout", 500)
    waiting.consider(PULL, 529)
    with pytest.raises(TaskPending, match="cannot start"):
        waiting.consider(PULL, 530)


def test_a_name_that_is_no_image_is_not_waited_for() -> None:
    with pytest.raises(TaskPending, match="InvalidImageName"):
        patience().consider("InvalidImageName: Failed to apply default image tag", 0)


@pytest.mark.parametrize(
    ("pods", "found", "hint"),
    [
        (terminated(exitCode=137, reason="OOMKilled"), "OOMKilled, status 137", "more memory"),
        (
            terminated(exitCode=128, reason="StartError", message='exec: "python3": not found'),
            'StartError, status 128: exec: "python3": not found',
            "base_image must have python3",
        ),
        (pod(reason="Evicted", message="The node was low on resource: memory."), "Evicted: The node was low", ""),
        ([], "BackoffLimitExceeded: Job has reached the specified backoff limit", ""),
        (terminated(exitCode=3, reason="Error"), "Error, status 3", "data_store"),
        (terminated(exitCode=0, reason="Completed"), "which is not seen here", "data_store"),
    ],
)
def test_the_cause_of_a_failure_is_what_the_cluster_says(pods: Any, found: str, hint: str) -> None:
    job = Job("job", reason="BackoffLimitExceeded", message="Job has reached the specified backoff limit")
    error = of_job("job", job, pods, ["its", "last line"], limit=-1, pending="")
    assert found in error.found
    assert error.found.endswith("\n  | its\n  | last line")
    assert hint in error.hint
    assert bool(hint) == bool(error.hint)


def test_a_deadline_that_passed_while_a_task_was_pending_says_why_it_was() -> None:
    error = of_job("job", Job("job", reason="DeadlineExceeded"), [], [], limit=60, pending=FULL)
    assert isinstance(error, TaskTimeout)
    assert error.found == f"its time_limit of 60 s is over; it never started: {FULL}"


def test_the_status_of_a_pod_that_has_not_ended_is_not_known() -> None:
    assert exit_code(pod(containerStatuses=[{"state": {"running": {}}}])) is None
    assert exit_code([]) is None
    assert exit_code(terminated(exitCode=0)) == 0
