"""Points from CSV and JSON files."""

from __future__ import annotations

import csv
import io
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
    for name, says in (("none.csv", "No such file"), ("binary.csv", "not text in UTF-16"), (".", "directory")):
        with pytest.raises(BuildError, match=says):
            Inputs.from_file(tmp_path / name)


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_a_row_of_csv_is_one_point_whatever_its_cells_hold(tmp_path: Path, odd: str) -> None:
    file = write(tmp_path, "p.csv", f"seed,label\n1,one{odd}two\n2,x\n")
    with open(file, encoding="utf-8", newline="") as lines:
        expected = [{"seed": int(row["seed"]), "label": row["label"]} for row in csv.DictReader(lines)]
    assert [dict(point) for point in Inputs.from_file(file)] == expected
    assert len(expected) == 2


@pytest.mark.parametrize("text", ['a,b\n1,"x\ny"\n2,z\n', 'a,b\r\n1,"x\r\ny"\r\n2,z\r\n', 'a,b\r1,"x\ry"\r2,z\r'])
def test_a_line_break_in_quotes_stays_as_the_csv_module_reads_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(text.encode("utf-16"))
    expected = [row["b"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert [point.b for point in Inputs.from_file(file)] == expected


def test_a_sign_is_part_of_a_number(tmp_path: Path) -> None:
    found = Inputs.from_file(write(tmp_path, "p.csv", "x,n\n+1.5,+3\n-2,4\n+.5e+3,-0\n"))
    assert [(point.x, point.n) for point in found] == [(1.5, 3), (-2.0, 4), (500.0, 0)]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["2.5", "1,5"], "line 3, x: '1,5' has a decimal comma"),
        (["1.234,5"], "a decimal comma"),
        (["1.5D-3", "2.0D+00"], "line 2, x: '1.5D-3' has Fortran's exponent"),
        (["1d0", "1.5d-3"], "line 3, x: '1.5d-3' has Fortran's exponent"),
        (["1,000"], "line 2, x: '1,000' is ambiguous: 1.0 or 1000"),
        (["1,000", "2,5"], "line 3, x: '2,5' has a decimal comma"),
        (["1", "7" * 5000], "is a number beyond 1.8e308"),
        (["1e400"], "'1e400' is a number beyond 1.8e308"),
        (["12'500"], "a separator of thousands"),
        (["\u22121.5"], "U+2212"),
        (["n/a", "1,5"], "line 3, x: '1,5' has a decimal comma"),
    ],
)
def test_numbers_in_another_notation_do_not_become_texts(tmp_path: Path, cells: list[str], says: str) -> None:
    text = "\n".join(["seed;x", *(f"1;{cell}" for cell in cells)])
    with pytest.raises(BuildError) as caught:
        Inputs.from_file(write(tmp_path, "p.csv", text))
    assert says in str(caught.value)
    assert "types={'x': str}" in caught.value.hint
    assert "for --points, declare x as text in the experiment's Inputs" in caught.value.hint
    typed = Inputs(parameters={"seed": [1], "x": ["text"]}).with_points(write(tmp_path, "p.csv", text))
    assert [point.x for point in typed] == cells
    declared = Inputs.from_file(write(tmp_path, "p.csv", text), types={"x": str})
    assert [point.x for point in declared] == cells


def test_a_column_of_words_may_hold_what_looks_like_a_number(tmp_path: Path) -> None:
    found = Inputs.from_file(write(tmp_path, "p.csv", 'address\n"Main St 1,5"\n"1,5"\nplate 1D2\n'))
    assert [point.address for point in found] == ["Main St 1,5", "1,5", "plate 1D2"]


@pytest.mark.parametrize("cells", [["2023_01", "2023_02"], ["1D3", "4D2"], ["1_000", "20"], ["3Q20"]])
def test_names_that_consist_of_digits_and_one_letter_or_underscore_are_texts(tmp_path: Path, cells: list[str]) -> None:
    found = Inputs.from_file(write(tmp_path, "p.csv", "\n".join(["sample", *cells])))
    assert [point.sample for point in found] == cells


@pytest.mark.parametrize("name", ["p.dat", "p.input", "p.CSV", "points.2024"])
def test_a_file_of_any_other_suffix_is_csv(tmp_path: Path, declared: Inputs, name: str) -> None:
    file = write(tmp_path, name, "code,rate\na,1\n")
    assert [dict(point) for point in Inputs.from_file(file)] == [{"code": "a", "rate": 1}]
    assert [dict(point) for point in declared.with_points(file)] == [{"code": "a", "rate": 1.0}]


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ('{"code": "a", "rate": "x"}', "line 3: parameter rate cannot be 'x': its values are a number"),
        ('{"rate": 1}', "line 3: code is missing"),
        ("3", "line 3 is no object"),
    ],
)
def test_a_point_of_json_lines_is_named_by_its_line(tmp_path: Path, declared: Inputs, second: str, says: str) -> None:
    file = write(tmp_path, "p.jsonl", '{"code": "a", "rate": 1}\n\n' + second)
    with pytest.raises(BuildError) as caught:
        declared.with_points(file)
    assert str(caught.value).startswith(f"cannot read points from {file}: {says}")


def test_a_point_of_json_is_named_by_its_number(tmp_path: Path, declared: Inputs) -> None:
    file = write(tmp_path, "p.json", '[{"code": "a", "rate": 1}, {"rate": 1}]')
    with pytest.raises(BuildError, match=r"p\.json: point 2: code is missing"):
        declared.with_points(file)
    with pytest.raises(BuildError, match=r"cannot read points from .*q\.json: point 1, a, cannot be of type list"):
        Inputs.from_file(write(tmp_path, "q.json", '[{"a": [1]}]'))


def test_declared_types_are_taken_instead_of_those_that_cells_look_like(tmp_path: Path) -> None:
    types = {"code": str, "rate": float}
    for name, text in (
        ("p.csv", "code,rate\n12,3\n7,\n"),
        ("p.jsonl", '{"code": "12", "rate": 3}\n{"code": "7", "rate": null}'),
    ):
        found = Inputs.from_file(write(tmp_path, name, text), types=types)
        assert [(point.code, point.rate) for point in found] == [("12", 3.0), ("7", None)]
    with pytest.raises(BuildError, match="no column is called cod"):
        Inputs.from_file(write(tmp_path, "p.csv", "code\n1\n"), types={"cod": str})
    with pytest.raises(BuildError, match="types: code cannot be"):
        Inputs.from_file(write(tmp_path, "p.csv", "code\n1\n"), types={"code": list})


@pytest.mark.parametrize("name", ["p.jsonl", "p.ndjson", "P.JSONL"])
def test_json_lines_are_read_as_such(tmp_path: Path, declared: Inputs, name: str) -> None:
    points = [{"code": "a\u2028b", "rate": 1.5}, {"code": "c", "rate": 2}]
    file = write(tmp_path, name, "\n".join(json.dumps(point, ensure_ascii=False) for point in points) + "\n\n")
    assert [dict(point) for point in Inputs.from_file(file)] == points
    assert [dict(point) for point in declared.with_points(file)] == points
    with pytest.raises(BuildError, match="line 2 is not JSON"):
        Inputs.from_file(write(tmp_path, name, '{"a": 1}\n{"a": 2\n'))


def test_tabs_separate_the_cells_of_a_tsv_file(tmp_path: Path) -> None:
    found = Inputs.from_file(write(tmp_path, "p.tsv", "a\tb\n1\t1, 5\n"))
    assert dict(found[0]) == {"a": 1, "b": "1, 5"}


@pytest.mark.parametrize("name", ["p.yaml", "p.yml", "p.xlsx", "p.parquet", "p.csv.gz"])
def test_files_of_other_types_are_refused_by_name(tmp_path: Path, declared: Inputs, name: str) -> None:
    file = write(tmp_path, name, "code,rate\na,1\n")
    for read in (Inputs.from_file, declared.with_points):
        with pytest.raises(BuildError, match=f"files of type {Path(name).suffix} are not read") as caught:
            read(file)
        assert ".jsonl" in caught.value.hint
