"""Points from CSV and JSON files."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest

from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.sweep.inputs import Inputs


@pytest.fixture
def declared() -> Inputs:
    return Inputs(parameters={"rate": [1.0], "code": ["a"]}, constants={"tile": 3})


def write(directory: Path, name: str, text: str) -> Path:
    file = directory / name
    file.write_text(text, encoding="utf-8")
    return file


def test_columns_of_a_csv_file_have_the_types_of_all_their_cells(tmp_path: Path) -> None:
    text = (
        "count,rate,flag,day,at,code,cap,word\n"
        "1,2,true,2012-07-01,2012-07-01T12:00:00,007,,null\n"
        '2,2.5,False,2012-07-02,2012-07-02 13:00:00,010,3,"a, b"\n'
    )
    one, other = Inputs.from_file(write(tmp_path, "points.csv", text))
    assert list(one.values()) == [
        1, 2.0, True, date(2012, 7, 1), datetime(2012, 7, 1, 12), "007", None, "null",
    ]  # fmt: skip
    assert list(other.values()) == [
        2, 2.5, False, date(2012, 7, 2), datetime(2012, 7, 2, 13), "010", 3, "a, b",
    ]  # fmt: skip
    assert [type(one[name]) for name in ("count", "rate")] == [int, float]


def test_a_spreadsheet_s_csv_is_read(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_bytes("\ufeffseed;city\r\n1;Lyon\r\n2;Saint-Étienne\r\n\r\n".encode())
    assert [dict(point) for point in Inputs.from_file(file)] == [
        {"seed": 1, "city": "Lyon"},
        {"seed": 2, "city": "Saint-Étienne"},
    ]


def test_a_json_list_of_objects_is_read(tmp_path: Path) -> None:
    points = [{"a": 1, "b": "1"}, {"a": 2, "b": "x"}]
    assert list(Inputs.from_file(write(tmp_path, "p.json", json.dumps(points)))) == points


def test_a_json_object_of_parameters_and_constants_is_read(tmp_path: Path) -> None:
    found = Inputs.from_file(write(tmp_path, "p.json", '{"parameters": {"a": [1, 2]}, "constants": {"c": 3}}'))
    assert (len(found), found.constants.c) == (2, 3)


def test_what_inputs_write_for_records_is_read_back(tmp_path: Path) -> None:
    inputs = Inputs(parameters={"a": [1, 2.5], "b": ["x", None]}, constants={"c": True})
    assert Inputs.from_file(write(tmp_path, "p.json", json.dumps(inputs.to_json()))) == inputs


def test_points_of_a_file_take_the_declared_types(tmp_path: Path, declared: Inputs) -> None:
    for file in (
        write(tmp_path, "p.csv", "code,rate\n12,3\n"),
        write(tmp_path, "p.json", '[{"code": "12", "rate": 3}]'),
    ):
        found = declared.with_points(file)
        assert list(found) == [{"code": "12", "rate": 3.0}]
        assert found.constants.tile == 3


def test_dates_are_read_from_json_where_they_are_declared(tmp_path: Path) -> None:
    declared = Inputs(parameters={"day": [date(2012, 1, 1)]})
    assert declared.with_points(write(tmp_path, "p.json", '[{"day": "2012-07-01"}]'))[0].day == date(2012, 7, 1)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.csv", "", "it is empty"),
        ("p.csv", "a,b\n", "no points below its first line"),
        ("p.csv", "a,b\n1,2\n\n3\n", "line 4 has 1 cells"),
        ("p.csv", "a,a\n1,2\n", "two columns are called 'a'"),
        ("p.csv", 'a,b\n1,"2\n', "line 2"),
        ("p.csv", "growth rate\n1\n", "cannot be called 'growth rate'"),
        ("p.csv", "a\nnan\n1.5\n", "cannot be NaN"),
        ("p.json", "[", "not JSON"),
        ("p.json", "3", "neither a list nor an object"),
        ("p.json", '{"point": []}', "unknown keys: point"),
        ("p.json", "[]", "the sweep has no points"),
        ("p.json", "[1]", "point 1 is no mapping"),
        ("p.json", '[{"a": [1]}]', "point 1, a, cannot be of type list"),
        ("p.json", '[{"a": NaN}]', "point 1, a, cannot be NaN"),
        ("p.json", '{"parameters": [1]}', "need a mapping of names"),
        ("p.json", '{"points": 3}', "points"),
    ],
)
def test_a_file_that_holds_no_points_is_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(BuildError, match=says):
        Inputs.from_file(write(tmp_path, name, text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rate\n1\n", "code is missing"),
        ("rate,code,sed\n1,a,2\n", "sed is no parameter"),
        ("rate,code\n1,a\nfast,b\n", "line 3, rate: 'fast' cannot be used: not a number"),
    ],
)
def test_a_file_that_does_not_fit_the_parameters_is_refused(
    tmp_path: Path, declared: Inputs, text: str, says: str
) -> None:
    with pytest.raises(BuildError, match=says):
        declared.with_points(write(tmp_path, "p.csv", text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name, says in (("none.csv", "No such file"), ("binary.csv", "not UTF-8"), (".", "directory")):
        with pytest.raises(BuildError, match=says):
            Inputs.from_file(tmp_path / name)
