"""Constants, products of parameters, explicit points, overrides, linspace."""

from __future__ import annotations

import copy
import pickle
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_k8s_utils.errors import BuildError, OptionsError
from hera_k8s_utils.sweep.inputs import Inputs, Point, linspace, parse_overrides


@pytest.fixture
def sweep() -> Inputs:
    return Inputs(parameters={"growth_rate": linspace(2.5, 4.0, 76), "seed": [1, 2]}, constants={"tile": "Lyon, 3"})


# --- the sweep -------------------------------------------------------------------------------------------------


def test_parameters_are_swept_as_a_product_the_last_one_fastest() -> None:
    points = list(Inputs(parameters={"a": [1, 2], "b": ["x", "y"]}))
    assert [(point.a, point["b"]) for point in points] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_a_sweep_says_what_it_is(sweep: Inputs) -> None:
    assert sweep.describe() == "152 points: 76 growth_rate x 2 seed"
    assert len(sweep) == 152
    assert sweep.names == ("growth_rate", "seed")
    assert sweep.parameters.seed == sweep.parameters["seed"] == (1, 2)
    assert sweep.constants.tile == sweep.constants["tile"] == "Lyon, 3"


def test_any_position_of_a_sweep_can_be_asked_for(sweep: Inputs) -> None:
    assert [sweep[position] for position in range(len(sweep))] == list(sweep)
    assert sweep[-1] == list(sweep)[-1]
    assert list(sweep[3:6]) == list(sweep)[3:6]
    with pytest.raises(IndexError):
        sweep[152]


def test_points_can_be_listed_one_by_one() -> None:
    inputs = Inputs(points=[{"a": 1, "b": "x"}, {"b": "y", "a": 3}])
    assert [dict(point) for point in inputs] == [{"a": 1, "b": "x"}, {"a": 3, "b": "y"}]
    assert inputs.axes is None
    assert inputs.parameters.a == (1, 3)
    assert inputs.describe() == "2 points of a, b"


def test_without_parameters_there_is_one_empty_point() -> None:
    assert [dict(point) for point in Inputs(constants={"a": 1})] == [{}]
    assert Inputs().describe() == "1 point, no parameters"


def test_a_million_points_are_not_kept() -> None:
    inputs = Inputs(parameters={"a": range(1_000_000), "b": range(1_000_000)})
    assert len(inputs) == 10**12
    assert inputs[-1] == Point.of({"a": 999_999, "b": 999_999})
    assert next(iter(Inputs(parameters={"a": range(1_000_000)}))).a == 0


def test_ten_thousand_listed_points_work() -> None:
    inputs = Inputs(points=[{"a": number, "b": number / 8} for number in range(10_000)])
    assert len(list(inputs)) == 10_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"parameters": {"seed": []}}, "parameter seed has no values"),
        ({"parameters": {"seed": range(0)}}, "parameter seed has no values"),
        ({"points": []}, "the sweep has no points"),
        ({"parameters": {"seed": 3}}, "parameter seed needs a list of values: 3"),
        ({"parameters": {"city": "Lyon"}}, r"parameter city needs a list of values: 'Lyon'\n  -> .*\['Lyon'\]"),
        ({"parameters": {"seed": {1, 2}}}, "parameter seed needs a list of values: a set"),
        ({"parameters": {"seed": [[1]]}}, "parameter seed cannot be of type list"),
        ({"parameters": {"growth rate": [1]}}, "a parameter cannot be called 'growth rate'"),
        ({"parameters": {"": [1]}}, "a parameter cannot be called ''"),
        ({"parameters": {3: [1]}}, "a parameter cannot be called 3"),
        ({"parameters": {"a": [1]}, "constants": {"a": 1}}, "a is both a parameter and a constant"),
        ({"parameters": {"a": [1]}, "points": [{"a": 1}]}, "not both"),
        ({"parameters": [1]}, "need a mapping of names"),
        ({"points": [{"a": 1}, {"b": 1}]}, "point 2 has other names than the first: it lacks a, it adds b"),
        ({"points": [{"a": 1}, 3]}, "point 2 is no mapping"),
        ({"points": [{"a": 1}, {"a": b"x"}]}, "point 2, a, cannot be of type bytes"),
        ({"parameters": {"a": ["1", 2]}}, "parameter a: the text '1' would be read back as 1"),
        ({"points": [{"a": "true"}, {"a": True}]}, "parameter a: the text 'true' would be read back as True"),
    ],
)
def test_inputs_that_cannot_be_swept_are_refused_by_name(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(BuildError, match=says):
        Inputs(**arguments)


# --- points ----------------------------------------------------------------------------------------------------


def test_a_point_is_a_mapping_with_attributes(sweep: Inputs) -> None:
    point = sweep[1]
    assert dict(point) == {"growth_rate": 2.5, "seed": 2}
    assert (point.growth_rate, point["seed"], point.get("none")) == (2.5, 2, None)
    assert repr(point) == "Point(growth_rate=2.5, seed=2)"
    with pytest.raises(AttributeError, match="it has growth_rate, seed"):
        point.rate  # noqa: B018


def test_a_point_cannot_be_changed(sweep: Inputs) -> None:
    for name in ("seed", "names", "other"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(sweep[0], name, 3)


def test_points_are_equal_when_values_and_their_types_are() -> None:
    assert Point.of({"a": 1, "b": 2}) == Point.of({"b": 2, "a": 1})
    assert len({Point.of({"a": 1, "b": 2}), Point.of({"b": 2, "a": 1})}) == 1
    assert Point.of({"a": 1}) == {"a": 1}
    assert len({Point.of({"a": value}) for value in (1, 1.0, True, 0.0, -0.0, None)}) == 6


def test_points_and_inputs_can_be_copied_and_pickled(sweep: Inputs) -> None:
    assert pickle.loads(pickle.dumps(sweep[3])) == copy.deepcopy(sweep[3]) == sweep[3]
    assert pickle.loads(pickle.dumps(sweep)) == sweep


def test_a_mapping_becomes_a_point_of_the_sweep(sweep: Inputs) -> None:
    assert sweep.point({"seed": 7, "growth_rate": 3}) == Point.of({"growth_rate": 3.0, "seed": 7})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"seed": 1}, "growth_rate is missing"),
        ({"seed": 1, "growth_rate": 1.0, "sed": 1}, "sed is not a parameter"),
        ({"seed": "1", "growth_rate": 1.0}, "parameter seed cannot be '1': its values are an integer"),
        ({"seed": True, "growth_rate": 1.0}, "parameter seed cannot be True"),
    ],
)
def test_a_mapping_that_is_no_point_of_the_sweep_is_refused(sweep: Inputs, values: dict[str, Any], says: str) -> None:
    with pytest.raises(BuildError, match=says):
        sweep.point(values)


# --- overrides -------------------------------------------------------------------------------------------------


def test_set_values_take_the_declared_types(sweep: Inputs) -> None:
    changed = sweep.override({"growth_rate": "3, 3.5", "tile": "a,b", "seed": [4]})
    assert changed.parameters.growth_rate == (3.0, 3.5)
    assert type(changed.parameters.growth_rate[0]) is float
    assert changed.parameters.seed == (4,)
    assert changed.constants.tile == "a,b"
    assert len(sweep) == 152


def test_set_texts_that_hold_commas_are_quoted() -> None:
    inputs = Inputs(parameters={"city": ["x"]})
    assert inputs.override({"city": '"Lyon, 3", Bron'}).parameters.city == ("Lyon, 3", "Bron")
    assert inputs.override({"city": ""}).parameters.city == ("",)


def test_set_booleans_dates_and_none_are_read() -> None:
    inputs = Inputs(parameters={"flag": [True], "day": [date(2012, 1, 1)], "cap": [1, None]})
    changed = inputs.override({"flag": "false,True", "day": "2012-07-01", "cap": "None,2"})
    assert changed.parameters.flag == (False, True)
    assert changed.parameters.day == (date(2012, 7, 1),)
    assert changed.parameters.cap == (None, 2)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sed": "1"}, "no parameter or constant is called sed: .*\n  -> did you mean seed"),
        ({"seed": "one"}, "--set seed=...: 'one' cannot be used: not an integer"),
        ({"seed": "2.5"}, "not an integer"),
        ({"seed": ""}, "leaves the parameter without values"),
        ({"growth_rate": "nan"}, "cannot be NaN"),
        ({"seed": "1\n2"}, "line break"),
    ],
)
def test_set_values_that_cannot_be_used_are_refused(sweep: Inputs, settings: dict[str, str], says: str) -> None:
    with pytest.raises(OptionsError, match=says):
        sweep.override(settings)


def test_a_parameter_of_listed_points_cannot_be_set() -> None:
    with pytest.raises(OptionsError, match="a list of points"):
        Inputs(points=[{"a": 1}]).override({"a": "2"})


def test_a_constant_without_a_text_cannot_be_set() -> None:
    with pytest.raises(OptionsError, match="the constant is a dict"):
        Inputs(constants={"tiles": {"a": 1}}).override({"tiles": "2"})


def test_texts_of_overrides_are_split_at_the_first_sign() -> None:
    assert parse_overrides(["seed=1,2", "x=a=b"]) == {"seed": "1,2", "x": "a=b"}
    for wrong in (["seed"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(OptionsError):
            parse_overrides(wrong)


def test_inputs_become_plain_data(sweep: Inputs) -> None:
    small = sweep.override({"growth_rate": "3"})
    assert small.to_json() == {"constants": {"tile": "Lyon, 3"}, "parameters": {"growth_rate": [3.0], "seed": [1, 2]}}
    assert Inputs(points=[{"a": date(2012, 1, 1)}]).to_json()["points"] == [{"a": "2012-01-01"}]


# --- linspace --------------------------------------------------------------------------------------------------


def test_linspace_holds_short_numbers() -> None:
    numbers = linspace(2.5, 4.0, 76)
    assert numbers[:4] == [2.5, 2.52, 2.54, 2.56]
    assert max(len(repr(number)) for number in numbers) == 4
    assert [repr(number) for number in linspace(-1, 1, 5)] == ["-1.0", "-0.5", "0.0", "0.5", "1.0"]


@given(
    st.floats(-1e300, 1e300, allow_subnormal=False),
    st.floats(-1e300, 1e300, allow_subnormal=False),
    st.integers(2, 60),
)
def test_linspace_includes_its_ends_and_keeps_its_order(start: float, stop: float, count: int) -> None:
    numbers = linspace(start, stop, count)
    assert (numbers[0], numbers[-1], len(numbers)) == (start, stop, count)
    assert numbers == sorted(numbers, reverse=stop < start)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 500))
def test_linspace_is_as_near_as_its_digits_say(start: float, width: float, count: int) -> None:
    stop = start + width
    step = (stop - start) / (count - 1)
    for position, number in enumerate(linspace(start, stop, count)):
        assert abs(number - (start + step * position)) <= 1e-10 * max(abs(start), abs(stop))


def test_linspace_does_not_round_a_tiny_step_away() -> None:
    numbers = linspace(1.0, 1.0 + 1e-12, 11)
    assert len(set(numbers)) == 11


@pytest.mark.parametrize("arguments", [(0.0, 1.0, 0), (float("nan"), 1.0, 3), (0.0, float("inf"), 3)])
def test_linspace_refuses_what_it_cannot_space(arguments: tuple[float, float, int]) -> None:
    with pytest.raises(BuildError, match="linspace"):
        linspace(*arguments)


def test_linspace_of_one_is_its_start() -> None:
    assert linspace(2, 3, 1) == [2.0]


def test_a_point_says_its_dates_as_they_are_written() -> None:
    inputs = Inputs(parameters={"day": [date(2012, 7, 1)], "hour": [datetime(2012, 7, 1, 6)]})
    assert str(inputs[0]) == "day=2012-07-01, hour=2012-07-01T06:00:00"
