"""How a run ended, in words and as data."""

from __future__ import annotations

from typing import Any

import pytest

from hera_k8s_cli.runs.outcome import failure_lines, from_json, summarize
from hera_k8s_cli.runs.progress import TaskProgress
from hera_k8s_utils import NodeState, PlannedTasks, RunUpdate
from hera_k8s_utils.checks.provisioning import plural


def node(number: int, phase: str, *, template: str = "simulate", **more: Any) -> NodeState:
    name = f"w.points({number}:seed:{number})"
    shown = f"points({number})"
    return NodeState(id=str(number), name=name, display_name=shown, type="Pod", template=template, phase=phase, **more)


def ended(phase: str, *nodes: NodeState, message: str = "", gone: bool = False) -> Any:
    tally = TaskProgress([PlannedTasks("simulate", 3), PlannedTasks("draw", 1)])
    tally.apply(RunUpdate(phase="Running", nodes=nodes))
    return summarize("trial-k3f9", RunUpdate(phase=phase, message=message, gone=gone), tally, points=3, seconds=74)


def test_success_counts_points_and_retries() -> None:
    nodes = [node(n, "Succeeded", retries=int(n == 0)) for n in range(3)]
    outcome = ended("Succeeded", *nodes, node(9, "Succeeded", template="draw"))
    assert outcome.sentence() == "succeeded in 1 min 14 s: 3 of 3 points, 1 after a retry"
    assert outcome.exit_code == 0


def test_failure_names_its_tasks() -> None:
    outcome = ended(
        "Failed", node(0, "Succeeded"), node(1, "Failed", message="the orbit escaped"), node(2, "Succeeded")
    )
    assert outcome.sentence() == "trial-k3f9 failed after 1 min 14 s: 2 of 3 points"
    assert outcome.exit_code == 8
    assert failure_lines(outcome.failed) == [("points(1)", "the orbit escaped")]


def test_an_error_is_not_called_a_failure() -> None:
    assert "ended in an error after" in ended("Error").sentence()


def test_a_run_that_was_deleted_is_not_called_failed() -> None:
    assert (
        ended("Running", node(0, "Running"), gone=True)
        .sentence()
        .startswith("trial-k3f9 was deleted while it was running")
    )
    assert ended("", gone=True).exit_code == 8


def test_many_tasks_that_failed_for_one_reason_share_a_line() -> None:
    failed = [node(n, "Failed", message="OOMKilled") for n in range(20)] + [node(99, "Failed", message="other")]
    assert failure_lines(failed) == [
        ("20 tasks of simulate, such as points(0)", "OOMKilled"),
        ("points(99)", "other"),
    ]


def test_an_outcome_reads_back_from_its_record() -> None:
    outcome = ended("Failed", node(1, "Failed", message="why"))
    again = from_json(outcome.to_json(), "trial-k3f9")
    assert again.to_json() == outcome.to_json()
    assert again.sentence() == outcome.sentence()


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("ConfigMap", "configmaps"),
        ("PersistentVolumeClaim", "persistentvolumeclaims"),
        ("StorageClass", "storageclasses"),
        ("NetworkPolicy", "networkpolicies"),
    ],
)
def test_resources_are_named_after_their_kind(kind: str, resource: str) -> None:
    assert plural(kind) == resource
