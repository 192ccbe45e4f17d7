"""How far a run is."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from hera_k8s_argo.workflow.plan import planned_tasks, suspend_templates
from hera_k8s_cli.runs.progress import LiveTable, ProgressLines, TaskProgress
from hera_k8s_utils import NodeState, RunUpdate

SWEEP: dict[str, Any] = {
    "spec": {
        "entrypoint": "sweep",
        "templates": [
            {
                "name": "sweep",
                "dag": {
                    "tasks": [
                        {"name": "points", "template": "simulate", "withItems": [1, 2, 3]},
                        {"name": "picture", "template": "draw", "depends": "points.Succeeded"},
                    ]
                },
            },
            {"name": "simulate", "container": {}},
            {"name": "draw", "container": {}},
        ],
    }
}


def pod(name: str, phase: str, template: str = "simulate", **more: Any) -> NodeState:
    return NodeState(id=name, name=name, type=more.pop("type", "Pod"), template=template, phase=phase, **more)


def tally_of(*nodes: NodeState, phase: str = "Running") -> TaskProgress:
    tally = TaskProgress(planned_tasks(SWEEP))
    tally.apply(RunUpdate(phase=phase, nodes=nodes))
    return tally


def test_the_manifest_tells_what_is_to_come() -> None:
    planned = {each.template: (each.total, each.after) for each in planned_tasks(SWEEP)}
    assert planned == {"simulate": (3, ()), "draw": (1, ("simulate",))}


def test_nested_fan_outs_multiply() -> None:
    nested = {
        "spec": {
            "entrypoint": "outer",
            "templates": [
                {"name": "outer", "steps": [[{"name": "a", "template": "inner", "withSequence": {"count": "4"}}]]},
                {"name": "inner", "dag": {"tasks": [{"name": "b", "template": "work", "withItems": [1, 2]}]}},
                {"name": "work", "script": {}},
            ],
        }
    }
    assert [(each.template, each.total) for each in planned_tasks(nested)] == [("work", 8)]


def test_templates_inside_tasks_have_the_names_of_the_tasks() -> None:
    inner = {"steps": [[{"name": "c", "inline": {"script": {}}, "withItems": [1, 2]}]]}
    body = {
        "spec": {
            "entrypoint": "main",
            "templates": [
                {
                    "name": "main",
                    "dag": {
                        "tasks": [
                            {"name": "a", "inline": {"container": {}}, "withItems": [1, 2, 3]},
                            {"name": "b", "inline": inner, "depends": "a"},
                            {"name": "ask", "inline": {"suspend": {"duration": "5m"}}, "depends": "b"},
                        ]
                    },
                }
            ],
        }
    }
    planned = {each.template: (each.total, each.after) for each in planned_tasks(body)}
    assert planned == {"a": (3, ()), "c": (2, ("a",)), "ask": (1, ("c",))}
    assert suspend_templates(body) == {"ask": "5m"}


@pytest.mark.parametrize("inner", [{"container": {}}, {"steps": [[{"name": "main", "inline": {"container": {}}}]]}])
def test_a_template_inside_a_task_may_be_named_like_one_around_it(inner: dict[str, Any]) -> None:
    tasks = [{"name": "main", "inline": inner}, {"name": "b", "template": "t", "depends": "main"}]
    templates = [{"name": "main", "dag": {"tasks": tasks}}, {"name": "t", "container": {}}]
    body = {"spec": {"entrypoint": "main", "templates": templates}}
    assert [(each.template, each.total, each.after) for each in planned_tasks(body)] == [
        ("main", 1, ()),
        ("t", 1, ("main",)),
    ]


def test_a_template_that_calls_itself_from_inside_a_task_ends_the_count() -> None:
    again = {"steps": [[{"name": "toss", "template": "toss"}], [{"name": "again", "template": "flip"}]]}
    templates = [
        {"name": "flip", "steps": [[{"name": "flip", "inline": again}]]},
        {"name": "toss", "container": {}},
    ]
    assert planned_tasks({"spec": {"entrypoint": "flip", "templates": templates}})[0].total is None


def test_what_only_the_run_knows_has_no_total() -> None:
    for several in ({"withParam": "{{steps.list.outputs.result}}"}, {"withSequence": {"count": "{{n}}"}}):
        body = {
            "spec": {
                "entrypoint": "o",
                "templates": [
                    {"name": "o", "steps": [[{"name": "a", "template": "work", **several}]]},
                    {"name": "work", "container": {}},
                ],
            }
        }
        assert [each.total for each in planned_tasks(body)] == [None]


def test_a_template_that_calls_itself_ends_the_count() -> None:
    body = {
        "spec": {
            "entrypoint": "flip",
            "templates": [
                {
                    "name": "flip",
                    "steps": [[{"name": "toss", "template": "toss"}], [{"name": "again", "template": "flip"}]],
                },
                {"name": "toss", "container": {}},
            ],
        }
    }
    assert [(each.template, each.total) for each in planned_tasks(body)] == [("toss", None)]


def test_tasks_are_counted_by_template_and_phase() -> None:
    tally = tally_of(pod("w.a", "Succeeded"), pod("w.b", "Running"), pod("w.c", "Pending"))
    simulate, draw = tally.rows()
    assert (simulate.describe_amount(), simulate.describe_state()) == ("1 of 3", "1 running, 1 pending, 0 failed")
    assert draw.describe_state() == "waits for simulate"


def test_a_changed_task_is_counted_once() -> None:
    tally = tally_of(pod("w.a", "Running"))
    tally.apply(RunUpdate(phase="Running", nodes=[pod("w.a", "Succeeded")]))
    assert (tally.rows()[0].succeeded, tally.rows()[0].running) == (1, 0)


def test_attempts_count_as_one_task() -> None:
    tally = tally_of(
        pod("w.a(0)", "Failed", role="attempt"),
        pod("w.a(1)", "Succeeded", role="attempt"),
        pod("w.a", "Succeeded", retries=1),
        pod("w.b(0:x)", "Failed"),
    )
    row = tally.rows()[0]
    assert (row.succeeded, row.failed, row.seen) == (1, 1, 2)


def test_tasks_inside_an_attempt_that_is_made_again_are_counted_no_more() -> None:
    tally = tally_of(pod("w.a(0).b", "Failed"))
    tally.apply(RunUpdate(phase="Running", nodes=[pod("w.a(0).b", "Failed", role="attempt"), pod("w.b", "Running")]))
    assert tally.rows()[0].describe_state() == "1 running, 0 failed"


def test_tasks_that_were_stopped_did_not_fail() -> None:
    tally = tally_of(pod("w.a", "Succeeded"), pod("w.b", "Stopped"), pod("w.c", "Stopped"))
    assert tally.rows()[0].describe_state() == "0 failed, 2 stopped"


def test_nodes_that_only_hold_others_are_not_work() -> None:
    tally = tally_of(pod("w", "Running", "sweep", role="group"), pod("w.points", "Running", "simulate", role="group"))
    assert all(row.seen == 0 for row in tally.rows())


def test_without_a_manifest_templates_appear_as_they_come() -> None:
    tally = TaskProgress()
    tally.apply(RunUpdate(phase="Running", nodes=[pod("w.a", "Succeeded", "surprise")]))
    assert [(row.template, row.describe_amount()) for row in tally.rows()] == [("surprise", "1 so far")]


def test_a_finished_template_is_no_longer_waited_for() -> None:
    tally = tally_of(*(pod(f"w.{n}", "Succeeded") for n in "abc"))
    assert tally.rows()[1].describe_state() == "not started"


def test_lines_come_at_changes_of_stage_and_else_rarely() -> None:
    tally = tally_of(pod("w.a", "Running"))
    lines = ProgressLines(tally, soonest=5)
    assert lines.line(100.0) == "  0:00  simulate 0 of 3, 1 running, 0 failed"
    tally.apply(RunUpdate(phase="Running", nodes=[pod("w.b", "Running")]))
    assert lines.line(101.0) is None
    assert lines.line(105.0) == "  0:05  simulate 0 of 3, 2 running, 0 failed"
    tally.apply(RunUpdate(phase="Running", nodes=[pod("w.d", "Running", "draw")]))
    assert lines.line(105.1) is not None
    assert lines.line(200.0) is None, "nothing changed"


@pytest.mark.parametrize(("width", "bars"), [(100, True), (60, False)])
def test_on_a_narrow_terminal_numbers_take_the_room_of_bars(width: int, bars: bool) -> None:
    said = io.StringIO()
    tally = tally_of(pod("a", "Running"), pod("b", "Succeeded"), pod("c", "Pending"))
    Console(file=said, width=width).print(LiveTable(tally))
    first, second = said.getvalue().splitlines()
    assert "1 of 3" in first
    assert "1 running, 1 pending, 0 failed  0:00" in first
    assert "waits for simulate" in second
    assert ("\u2501" in first) is bars
