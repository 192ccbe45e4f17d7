"""What became of the points of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hera_k8s_utils import LogLine, NodeState, PlannedTasks, RunUpdate
from hera_k8s_utils.engines.pod_logs import last_words
from hera_k8s_utils.runs.outcome import Outcome, PointState, Sweep, outcome_from_json, summarize


def node(number: int, phase: str, *, template: str = "simulate", **more: Any) -> NodeState:
    inputs = {"seed": str(number), "output": f"/results/{number}"} if template != "draw" else {"expected": "3"}
    return NodeState(
        id=f"{template}{number}",
        name=f"w.{template}({number}:seed:{number})",
        display_name=f"{template}({number}:seed:{number})",
        template=template,
        phase=phase,
        **{"inputs": inputs, **more},
    )


def ended(phase: str, *nodes: NodeState, message: str = "", gone: bool = False, **sweep: Any) -> Outcome:
    planned = sweep.pop("planned", [PlannedTasks("simulate", 3), PlannedTasks("draw", 1)])
    known = Sweep(planned=planned, points=3, **{"names": ("seed",), **sweep})
    return summarize("trial-k3f9", RunUpdate(phase=phase, message=message, gone=gone), nodes, known, seconds=74)


def test_success_counts_points_and_retries() -> None:
    nodes = [node(n, "Succeeded", retries=int(n == 0)) for n in range(3)]
    outcome = ended("Succeeded", *nodes, node(9, "Succeeded", template="draw", retries=1))
    assert outcome.sentence() == "succeeded in 1 min 14 s: 3 of 3 points, 1 after a retry"
    assert outcome.exit_code == 0


def test_a_point_that_failed_after_its_retries_is_no_success_after_a_retry() -> None:
    outcome = ended("Failed", node(0, "Succeeded"), node(1, "Failed", retries=3), node(2, "Succeeded", retries=1))
    assert outcome.sentence() == "trial-k3f9 failed after 1 min 14 s: 2 of 3 points, 1 after a retry, 1 failed"
    assert outcome.exit_code == 8


def test_a_failed_point_is_known_by_its_parameters() -> None:
    (point,) = ended("Failed", node(1, "Failed", message="exit code 3", exit_code=3, pod="p", retries=1)).failed
    assert (point.parameters, point.cause, point.exit_code, point.attempts) == ({"seed": "1"}, "exit code 3", 3, 2)


def test_points_that_a_stop_kept_from_running_did_not_fail() -> None:
    outcome = ended("Failed", node(0, "Succeeded"), node(1, "Stopped"), message="stopped by hand")
    assert outcome.sentence() == "trial-k3f9 was stopped after 1 min 14 s: 1 of 3 points, 1 stopped, 1 not run"
    assert outcome.failed == []


def test_a_point_needs_all_of_its_tasks() -> None:
    """Two tasks a point: one failed in the first, one in the second, one did both."""
    planned = [PlannedTasks("simulate", 3), PlannedTasks("analyse", 3)]
    nodes = [
        *(node(n, phase) for n, phase in enumerate(("Succeeded", "Failed", "Succeeded"))),
        *(node(n, phase, template="analyse") for n, phase in enumerate(("Failed", "Omitted", "Succeeded"))),
    ]
    outcome = ended("Failed", *nodes, planned=planned)
    assert (outcome.done, outcome.total, outcome.counts[PointState.FAILED]) == (1, 3, 2)
    assert {(each.task, each.title) for each in outcome.failed} == {("simulate", "seed=1"), ("analyse", "seed=0")}


STAGES = [PlannedTasks("simulate", 3), PlannedTasks("plot", 3)]


@pytest.mark.parametrize("names", [("seed",), ("known to no task",)])
def test_a_retry_of_any_stage_of_a_point_counts(names: tuple[str, ...]) -> None:
    plots = [node(n, "Succeeded", template="plot", retries=n) for n in range(3)]
    outcome = ended("Succeeded", *(node(n, "Succeeded") for n in range(3)), *plots, planned=STAGES, names=names)
    assert outcome.sentence() == "succeeded in 1 min 14 s: 3 of 3 points, 2 after a retry"


def test_the_attempts_of_a_failed_point_are_the_most_of_its_tasks() -> None:
    stages = [node(0, "Succeeded", retries=2), node(0, "Failed", template="plot", retries=1)]
    (point,) = ended("Failed", *stages, planned=STAGES).failed
    assert (point.task, point.attempts) == ("plot", 3)


def test_a_point_that_did_not_get_to_its_end_is_no_success_after_a_retry() -> None:
    outcome = ended("Failed", node(0, "Succeeded", retries=1), planned=STAGES)
    assert outcome.sentence() == "trial-k3f9 failed after 1 min 14 s: 0 of 3 points, 3 not run"


@pytest.mark.parametrize("names", [("seed",), ("known to no task",)])
@pytest.mark.parametrize("order", [1, -1])
def test_an_optional_task_that_is_skipped_does_not_skip_its_point(names: tuple[str, ...], order: int) -> None:
    plots = [node(n, "Succeeded" if n == 2 else "Skipped", template="plot") for n in range(3)]
    nodes = [*(node(n, "Succeeded") for n in range(3)), *plots][::order]
    outcome = ended("Succeeded", *nodes, planned=STAGES, names=names)
    assert outcome.sentence() == "succeeded in 1 min 14 s: 3 of 3 points"


def test_a_point_all_of_whose_tasks_were_skipped_was_skipped() -> None:
    skipped = [node(2, "Skipped"), node(2, "Skipped", template="plot")]
    ran = [node(n, "Succeeded", template=template) for n in range(2) for template in ("simulate", "plot")]
    outcome = ended("Succeeded", *ran, *skipped, planned=STAGES)
    assert outcome.sentence() == "succeeded in 1 min 14 s: 2 of 3 points, 1 skipped"


def test_points_under_other_names_are_counted_and_shown_by_what_their_tasks_were_given() -> None:
    nodes = [node(n, "Failed" if n else "Succeeded", inputs={"r": str(n)}) for n in range(3)]
    outcome = ended("Failed", *nodes)
    assert (outcome.done, outcome.total, outcome.unit) == (1, 3, "point")
    assert [each.title for each in outcome.failed] == ["r=1", "r=2"]


def test_without_a_sweep_tasks_are_counted() -> None:
    tasks = [NodeState(id=n, name=f"w.{n}", display_name=n, template=n, phase=p) for n, p in (("a", "Succeeded"),)]
    outcome = summarize("w", RunUpdate(phase="Failed"), tasks, Sweep(planned=[PlannedTasks("a", 1)]))
    assert outcome.sentence() == "w failed after under 1 s: 1 of 1 task"


def test_a_task_whose_condition_does_not_hold_is_no_task_that_is_missing() -> None:
    tasks = [node(0, "Succeeded", template="flip"), node(0, "Skipped", template="tails")]
    outcome = summarize("w", RunUpdate(phase="Succeeded"), tasks, Sweep())
    assert outcome.sentence() == "succeeded in under 1 s: 1 of 1 task, 1 skipped"


def test_an_error_is_not_called_a_failure() -> None:
    assert "ended in an error after" in ended("Error").sentence()


def test_a_run_that_was_deleted_is_not_called_failed() -> None:
    said = ended("Running", node(0, "Running"), gone=True).sentence()
    assert said == "trial-k3f9 was deleted while it was running: 0 of 3 points, 1 unfinished, 2 not run"
    assert ended("", gone=True).exit_code == 8


def test_an_outcome_reads_back_from_its_record() -> None:
    outcome = ended("Failed", node(1, "Failed", message="why", retries=1), node(2, "Stopped"))
    again = outcome_from_json(json.loads(json.dumps(outcome.to_json())), "trial-k3f9")
    assert again.to_json() == outcome.to_json()
    assert again.sentence() == outcome.sentence()


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"phase": 3, "counts": [], "failed": {"a": 1}, "causes": [1, {"examples": "x", "count": "many"}]},
        {"failed": [{"state": "exploded", "parameters": 7, "surprise": 1}], "done": "all", "seconds": None},
        {"phase": "Failed", "failed": [{"state": []}, {"state": {}, "attempts": "x", "exit_code": "y", "log": 1}]},
        {"phase": None, "seconds": float("inf"), "total": 10**400, "retried": float("nan"), "unit": []},
        {"failed": [{"cause": ["a"], "name": {"b": 1}, "parameters": {"seed": [1]}}], "message": {"c": 1}},
    ],
)
def test_a_damaged_outcome_is_read_as_far_as_it_goes(damaged: dict[str, Any]) -> None:
    outcome = outcome_from_json(damaged, "trial-k3f9")
    assert outcome.exit_code == 8
    assert outcome.sentence().startswith("trial-k3f9 ")
    json.dumps(outcome.to_json(), allow_nan=False)


def test_very_many_failures_are_counted_and_not_all_listed() -> None:
    nodes = [node(n, "Failed", message="exit code 1") for n in range(12_000)]
    planned = [PlannedTasks("simulate", 12_000)]
    outcome = summarize("w", RunUpdate(phase="Failed"), nodes, Sweep(planned=planned, points=12_000, names=("seed",)))
    said = outcome.to_json()
    assert (said["counts"]["failed"], said["causes"][0]["count"]) == (12_000, 12_000)
    assert (len(said["failed"]), said["failed_not_listed"], len(said["causes"][0]["examples"])) == (10_000, 2_000, 3)


def test_a_cause_that_names_a_pod_is_one_cause() -> None:
    nodes = [node(n, "Failed", pod=f"w-{n}x", message=f'pod "w-{n}x" was evicted') for n in range(3)]
    assert [each.count for each in ended("Failed", *nodes).causes] == [3]


@pytest.mark.parametrize(
    ("message", "code", "cause"),
    [
        ("exit code 139", 139, "exit code 139 (SIGSEGV)"),
        ("", 134, "exit code 134 (SIGABRT)"),
        ("exit code 137", 137, "exit code 137 (SIGKILL)"),
        ("exit code 143: no time left", 143, "exit code 143 (SIGTERM): no time left"),
        ("sidecar: exit code 139", 139, "sidecar: exit code 139 (SIGSEGV)"),
        ("OOMKilled, exit code 137", 137, "OOMKilled, exit code 137"),
        ("exit code 1", 1, "exit code 1"),
        ("exit code 128", 128, "exit code 128"),
        ("exit code 255", 255, "exit code 255"),
        ("Evicted: the node was low on memory", 137, "Evicted: the node was low on memory"),
    ],
)
def test_the_signal_that_ended_a_program_is_named(message: str, code: int, cause: str) -> None:
    (point,) = ended("Failed", node(1, "Failed", message=message, exit_code=code)).failed
    assert point.cause == cause


def test_every_failed_point_whose_log_is_read_has_its_line() -> None:
    """Examples of rare causes come before more points of a common one; so many logs are read, and no more."""
    nodes = [node(n, "Failed", message="exit code 1", pod=f"pod-{n}", finished_at=f"{n:02}") for n in range(30)]
    nodes += [node(n, "Failed", message="exit code 2", pod=f"pod-{n}", finished_at=f"{n:02}") for n in range(30, 32)]
    read: list[str] = []

    def read_log(pod: str) -> str:
        read.append(pod)
        return f"ValueError: in {pod}"

    sweep = Sweep(planned=[PlannedTasks("simulate", 32)], points=32, names=("seed",))
    said = summarize("w", RunUpdate(phase="Failed"), nodes, sweep, read_log=read_log).to_json()
    lines = {each["pod"]: each["log"] for each in said["failed"] if "log" in each}
    assert lines == {f"pod-{n}": f"ValueError: in pod-{n}" for n in (*range(22), 30, 31)}
    assert sorted(read) == sorted(lines)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["step 1", "Traceback (most recent call last):", "  x = 1", "ValueError: no", "flushed late"],
            "ValueError: no",
        ),
        (["loading", "killed soon", ""], "killed soon"),
        (
            ["numpy.linalg.LinAlgError: Singular matrix", "Error: exit status 1"],
            "numpy.linalg.LinAlgError: Singular matrix",
        ),
        (["bad input", 'time="2026" level=info msg="sub-process exited" argo=true'], "bad input"),
        (["", "-----"], ""),
        ([], ""),
    ],
)
def test_the_line_that_says_why_is_found_at_the_end_of_a_log(lines: list[str], expected: str) -> None:
    assert last_words(LogLine("p", line) for line in lines) == expected


@pytest.mark.parametrize(("line", "lines"), [("x", 200_000), ("x" * 1_000_000, 100)], ids=["lines", "bytes"])
def test_a_log_that_is_too_long_is_not_read_to_its_end(line: str, lines: int) -> None:
    left = iter([LogLine("p", line)] * lines)
    assert last_words(left) == ""
    assert next(left, None) is not None


def test_a_long_line_is_kept_in_part() -> None:
    assert last_words([LogLine("p", "ValueError: " + "x" * 1_000_000)]).startswith("ValueError: xxx")
    assert len(last_words([LogLine("p", "x" * 1_000_000)])) < 10_000
