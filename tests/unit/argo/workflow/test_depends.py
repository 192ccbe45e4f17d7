"""The order of a dag's tasks, and the cycle that has none."""

from __future__ import annotations

from hera_k8s_argo.workflow.depends import sort_tasks


def test_tasks_come_after_all_that_they_wait_for_in_the_order_of_the_text() -> None:
    graph = {"draw": ["b", "a"], "a": [], "b": ["a"], "c": ["unknown"]}
    assert sort_tasks(graph) == (["a", "c", "b", "draw"], [])


def test_a_task_that_is_named_twice_is_waited_for_once() -> None:
    assert sort_tasks({"b": ["a", "a"], "a": []}) == (["a", "b"], [])


def test_a_cycle_follows_what_each_task_waits_for_and_the_rest_is_sorted() -> None:
    graph = {"behind": ["x"], "x": ["y"], "y": ["z"], "z": ["x"], "free": []}
    assert sort_tasks(graph) == (["free"], ["x", "y", "z", "x"])


def test_a_task_that_waits_for_itself_is_a_cycle() -> None:
    assert sort_tasks({"a": ["a"]}) == ([], ["a", "a"])
