"""Values of other types and libraries: those that have an exact text are taken, others are refused with the way out."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hera_k8s_utils import BuildError, Inputs


class Method(str, enum.Enum):
    EULER = "euler"


class Order(enum.IntEnum):
    SECOND = 2


class Plain(enum.Enum):
    A = "a"


def taken(value: Any) -> Any:
    """What a sweep makes of a value, which it must find again by the value itself and by its text in a path."""
    inputs = Inputs(parameters={"x": [value]})
    assert inputs.point({"x": value}) == inputs[0]
    assert inputs.columns["x"].decode(inputs.columns["x"].encode(inputs[0].x)) == inputs[0].x
    return inputs[0].x


def refused(value: Any) -> BuildError:
    with pytest.raises(BuildError) as caught:
        Inputs(parameters={"x": [value]})
    return caught.value


def test_enums_of_texts_and_numbers_are_their_values() -> None:
    assert (taken(Method.EULER), taken(Order.SECOND)) == ("euler", 2)
    assert type(taken(Method.EULER)) is str
    assert type(taken(Order.SECOND)) is int


@pytest.mark.parametrize(
    ("value", "way"),
    [
        (Plain.A, ".value"),
        (Decimal("1.10"), "str(...) keeps its digits"),
        (Fraction(1, 3), "float(...)"),
        (Path("/data/a"), "str(...)"),
        (timedelta(hours=1), ".total_seconds()"),
        (time(12), ".isoformat()"),
        (1 + 2j, ".real and .imag"),
        (b"a", ".decode()"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_to_write(value: Any, way: str) -> None:
    assert way in refused(value).hint


def test_timestamps_of_pandas_are_times() -> None:
    pandas = pytest.importorskip("pandas")
    moments = pandas.date_range("2012-07-01", periods=2, freq="h", tz="Europe/Paris")
    inputs = Inputs(parameters={"at": moments})
    zone = timezone(timedelta(hours=2))
    assert [point.at for point in inputs] == [datetime(2012, 7, 1, hour, tzinfo=zone) for hour in (0, 1)]
    assert all(type(point.at) is datetime for point in inputs)
    assert taken(pandas.Timestamp("2012-07-01 12:00:00.000001")) == datetime(2012, 7, 1, 12, 0, 0, 1)
    assert [point.at for point in inputs] == [moment.to_pydatetime() for moment in moments]


def test_what_no_time_can_hold_is_refused() -> None:
    pandas = pytest.importorskip("pandas")
    assert "nanoseconds are too fine" in refused(pandas.Timestamp("2012-07-01 12:00:00.000000001")).hint
    for nothing in (pandas.NaT, pandas.NA):
        assert refused(nothing).hint == "None says: no value"
    assert ".total_seconds()" in refused(pandas.Timedelta("1s")).hint
    assert ".start_time" in refused(pandas.Period("2012-07")).hint


def test_times_of_numpy_are_taken_where_microseconds_suffice() -> None:
    numpy = pytest.importorskip("numpy")
    assert taken(numpy.datetime64("2012-07-01T12:00:00.000000000")) == datetime(2012, 7, 1, 12)
    assert taken(numpy.datetime64("2012-07-01")) == date(2012, 7, 1)
    for value in (numpy.datetime64("2012-07-01T12:00:00.000000001"), numpy.datetime64("NaT")):
        assert "None says: no value" in refused(value).hint


def test_scalars_of_numpy_are_exactly_python_s() -> None:
    numpy = pytest.importorskip("numpy")
    for value in (numpy.float64(0.1), numpy.float32(0.1), numpy.int64(-3), numpy.bool_(True), numpy.str_("a")):
        found = taken(value)
        assert type(found) in (float, int, bool, str)
        assert found == value
    assert "float(...)" in refused(numpy.longdouble(1) / 3).hint or numpy.longdouble is numpy.float64


def test_a_table_is_refused_with_what_makes_points_of_it() -> None:
    pandas = pytest.importorskip("pandas")
    days = pandas.date_range("2012-07-01", periods=2)
    table = pandas.DataFrame({"seed": [1, 2], "city": ["Lyon", "Paris"], "at": days})
    for keyword in ("points", "parameters"):
        with pytest.raises(BuildError) as caught:
            Inputs(**{keyword: table})
        assert caught.value.found == "a DataFrame"
        assert caught.value.hint == 'points=table.to_dict("records")'
    expected = [
        {"seed": 1, "city": "Lyon", "at": datetime(2012, 7, 1)},
        {"seed": 2, "city": "Paris", "at": datetime(2012, 7, 2)},
    ]
    assert list(Inputs(points=table.to_dict("records"))) == expected
    with pytest.raises(BuildError) as caught:
        Inputs(points=table.itertuples(index=False))
    assert caught.value.hint == "points=[row._asdict() for row in table]"
    assert list(Inputs(points=[row._asdict() for row in table.itertuples(index=False)])) == expected
