"""How a run ended, on the screen."""

from __future__ import annotations

import pytest

from hera_k8s_cli.runs.outcome import cause_lines
from hera_k8s_utils import NodeState, PlannedTasks, RunUpdate
from hera_k8s_utils.checks.provisioning import plural
from hera_k8s_utils.runs.outcome import Sweep, summarize


def shown(*nodes: NodeState, logs: str = "", width: int | None = None, points: int = 30) -> list[str]:
    sweep = Sweep(planned=[PlannedTasks("simulate", points), PlannedTasks("draw", 1)], points=points, names=("seed",))
    read_log = (lambda _pod: logs) if logs else None
    outcome = summarize("trial-k3f9", RunUpdate(phase="Failed"), nodes, sweep, read_log=read_log)
    return list(cause_lines(outcome, width))


def failed(seed: int, message: str, **more: int) -> NodeState:
    return NodeState(
        id=f"n{seed}",
        name=f"w.simulate({seed}:seed:{seed})",
        display_name=f"simulate({seed}:seed:{seed})",
        template="simulate",
        phase="Failed",
        message=message,
        pod=f"pod-{seed}",
        finished_at=f"2026-01-01T00:00:{seed:02d}Z",
        inputs={"seed": str(seed), "output": f"/results/{seed}"},
        retries=more.get("retries", 0),
    )


def test_points_that_failed_for_one_cause_share_their_lines() -> None:
    nodes = [*(failed(n, "OOMKilled, exit code 137") for n in range(20)), failed(25, "exit code 1")]
    assert shown(*nodes) == [
        "  20 points of simulate: OOMKilled, exit code 137",
        "    seed=0",
        "    seed=1",
        "    seed=2",
        "    and 17 more",
        "  1 point of simulate: exit code 1",
        "    seed=25",
    ]


def test_what_a_failed_point_printed_last_is_below_it() -> None:
    assert shown(failed(7, "exit code 1", retries=2), logs="ValueError: negative radius") == [
        "  1 point of simulate: exit code 1 (3 attempts)",
        "    seed=7",
        "      | ValueError: negative radius",
    ]


def test_a_failed_task_of_no_point_goes_by_its_name() -> None:
    draw = NodeState(id="d", name="w.draw", display_name="draw", template="draw", phase="Error", inputs={"n": "3"})
    assert shown(draw) == ["  draw  error"]


def test_lines_fit_the_terminal_and_do_not_act_on_it() -> None:
    lines = shown(failed(7, "exit code 1: " + "x" * 300), logs="\x1b[31m" + "y" * 300, width=80)
    assert max(map(len, lines)) == 80
    assert "\x1b" not in "".join(lines)


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
