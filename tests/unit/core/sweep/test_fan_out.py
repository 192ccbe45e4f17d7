"""One task definition for every point of a sweep."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hera_k8s_layouts import plugin
from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.sweep.inputs import Inputs, Point
from hera_k8s_utils.sweep.layout import Layout, open_layout

STRATEGIES = {strategy.name: strategy for strategy in plugin.layout_strategies()}


def layout_of(inputs: Inputs, name: str = "hive", argument: str = "") -> Layout:
    return open_layout(STRATEGIES[name], None, inputs, argument, "/results/test/run")


def filled(arguments: dict[str, Any], item: dict[str, str]) -> dict[str, str]:
    """What Argo makes of arguments for one item."""
    found = dict(arguments)
    for name, text in item.items():
        found = {key: value.replace(f"{{{{item.{name}}}}}", text) for key, value in found.items()}
    return found


def test_a_path_becomes_one_text_over_the_items() -> None:
    inputs = Inputs(parameters={"growth_rate": [2.5, 4.0], "seed": [1, 2]})
    found = inputs.fan_out(output=layout_of(inputs).path)
    assert found["arguments"] == {
        "growth_rate": "{{item.growth_rate}}",
        "seed": "{{item.seed}}",
        "output": "/results/test/run/growth_rate={{item.growth_rate}}/seed={{item.seed}}",
    }
    assert found["with_items"][2] == {"growth_rate": "4.0", "seed": "1"}


def test_items_hold_texts_only() -> None:
    inputs = Inputs(parameters={"x": [4.0, 1, True, None, "a"]})
    assert [item["x"] for item in inputs.fan_out()["with_items"]] == ["4.0", "1", "true", "null", "a"]


@pytest.mark.parametrize(("name", "argument"), [("hive", ""), ("flat", ""), ("hashed", ""), ("template", "{b}-{a}")])
@pytest.mark.parametrize("words", [["x", "y"], ["a/b", "ü"], ["", "."]])
def test_every_task_gets_its_point_and_its_own_path(name: str, argument: str, words: list[str]) -> None:
    inputs = Inputs(parameters={"a": words, "b": [1, 2]})
    layout = layout_of(inputs, name, argument)
    found = inputs.fan_out(output=layout.path)
    for point, item in zip(inputs, found["with_items"], strict=True):
        assert filled(found["arguments"], item) == {"a": point.a, "b": str(point.b), "output": layout.path(point)}


@pytest.mark.parametrize(
    "function",
    [
        lambda point: f"{point.rate:.2f}",
        lambda point: str(point.rate * 2),
        lambda point: "high" if point.rate in (3.0, 4.0) else "low",
        lambda point: point.rate + 1,
    ],
)
def test_a_function_that_no_text_stands_for_is_computed_for_each_point(function: Any) -> None:
    inputs = Inputs(parameters={"rate": [1.0, 3.0]})
    found = inputs.fan_out(extra=function)
    assert found["arguments"]["extra"] == "{{item.extra}}"
    assert [item["extra"] for item in found["with_items"]] == [str(function(point)) for point in inputs]


def test_other_arguments_are_passed_as_they_are() -> None:
    marker = {"from": "{{tasks.before.outputs.artifacts.x}}"}
    found = Inputs(parameters={"seed": [1]}).fan_out(run="{{workflow.name}}", count=3, flag=True, given=marker)
    arguments = found["arguments"]
    assert (arguments["run"], arguments["count"], arguments["flag"]) == ("{{workflow.name}}", "3", "true")
    assert arguments["given"] is marker


def test_without_parameters_there_is_one_task() -> None:
    inputs = Inputs()
    found = inputs.fan_out(output=layout_of(inputs).path)
    assert found == {"arguments": {"output": "/results/test/run"}}


@pytest.mark.parametrize(
    ("values", "extra", "says"),
    [
        (["{{workflow.name}}"], {}, "x='{{workflow.name}}' cannot be an argument"),
        ([1], {"x": 3}, "x is a parameter already"),
        ([1, 2], {"out": lambda point: f"{{{{{point.x + 1}}}}}"}, "cannot be an argument"),
    ],
)
def test_arguments_that_argo_would_misread_are_refused(values: list[Any], extra: dict[str, Any], says: str) -> None:
    with pytest.raises(BuildError, match=says):
        Inputs(parameters={"x": values}).fan_out(**extra)


def test_a_failure_at_a_point_is_not_hidden() -> None:
    def broken(point: Point) -> str:
        raise LookupError("no such place")

    with pytest.raises(LookupError, match="no such place"):
        Inputs(parameters={"x": [1]}).fan_out(output=broken)


def test_twenty_thousand_points_stay_below_the_size_of_an_object() -> None:
    inputs = Inputs(parameters={"growth_rate": [number / 64 for number in range(200)], "seed": range(100)})
    found = inputs.fan_out(output=layout_of(inputs).path)
    assert len(found["with_items"]) == 20_000
    assert len(json.dumps(found, separators=(",", ":"))) < 1 << 20
