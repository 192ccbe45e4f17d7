"""Values become text, segments, names and labels, and come back."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from datetime import date, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.names import is_dns_label
from hera_k8s_utils.sweep.values import (
    ParameterType,
    Value,
    coerce,
    dns_name,
    escape,
    fingerprint,
    label_value,
    to_text,
    unescape,
    value_key,
)

offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = st.one_of(
    texts,
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.dates(),
    st.datetimes(timezones=st.none() | offsets),
)
awkward = [
    "",
    ".",
    "..",
    ".hidden",
    "a/b",
    "/",
    "a=b,c",
    "%41",
    "%",
    "ü",
    "e\u0301",
    "日本",
    "null",
    "1",
    "x" * 300,
    " ",
    "\n",
]


def same(one: Value, other: Value) -> bool:
    return value_key(one) == value_key(other)


def mistakable(text: str, others: list[Value]) -> bool:
    """Whether a text is that of a value of one of the others' types."""
    if not others:
        return False
    try:
        ParameterType.of("x", others).parse(text)
    except ValueError:
        return False
    return True


@given(values)
def test_a_value_comes_back_from_its_segment(value: Value) -> None:
    column = ParameterType.of("x", [value])
    assert same(column.decode(column.encode(value)), value)


@given(values)
def test_a_value_comes_back_from_its_text(value: Value) -> None:
    assert same(ParameterType.of("x", [value]).parse(to_text(value)), value)


@given(st.lists(values | values.filter(lambda value: not isinstance(value, str)).map(to_text), min_size=1, max_size=6))
def test_values_of_mixed_types_come_back_or_are_refused_by_name(mixed: list[Value]) -> None:
    others = [value for value in mixed if not isinstance(value, str)]
    if any(mistakable(value, others) for value in mixed if isinstance(value, str)):
        with pytest.raises(BuildError, match="parameter x: the text"):
            ParameterType.of("x", mixed)
        return
    column = ParameterType.of("x", mixed)
    for value in mixed:
        assert same(column.decode(column.encode(value)), value)
    assert len({column.encode(value) for value in mixed}) == len({value_key(value) for value in mixed})


@given(values)
def test_a_segment_is_one_plain_name_on_any_file_system(value: Value) -> None:
    segment = ParameterType.of("x", [value]).encode(value)
    assert set(segment) <= set(string.ascii_letters + string.digits + "_.+-%")
    assert segment not in ("", ".", "..")
    assert unicodedata.normalize("NFC", segment) == unicodedata.normalize("NFD", segment) == segment


@pytest.mark.parametrize("text", awkward)
def test_awkward_texts_come_back(text: str) -> None:
    assert unescape(escape(text)) == text


@given(st.text(string.ascii_letters + string.digits + "%._-+", max_size=12))
def test_what_escape_never_returns_is_refused(segment: str) -> None:
    try:
        text = unescape(segment)
    except ValueError:
        return
    assert escape(text) == segment


def test_equivalent_forms_of_one_letter_stay_two_values() -> None:
    assert escape("\u00e9") != escape("e\u0301")


def test_values_that_python_takes_for_equal_have_texts_of_their_own() -> None:
    alike: list[Value] = [1, 1.0, True]
    assert [to_text(value) for value in alike] == ["1", "1.0", "true"]
    assert [to_text(0.0), to_text(-0.0)] == ["0.0", "-0.0"]
    column = ParameterType.of("x", alike)
    assert [type(column.decode(column.encode(value))) for value in alike] == [int, float, bool]
    assert math.copysign(1, ParameterType.of("x", [-0.0, 0.0]).parse("-0.0")) == -1  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "other"), [("1", 2), ("true", False), ("null", None), ("2012-07-01", date.min)])
def test_a_text_that_looks_like_another_type_of_its_column_is_refused(text: str, other: Value) -> None:
    with pytest.raises(BuildError, match=re.escape(f"parameter x: the text {text!r} would be read back as")):
        ParameterType.of("x", [text, other])


def test_a_text_that_looks_like_a_number_is_fine_among_texts() -> None:
    assert ParameterType.of("x", ["1", "true", "None"]).parse("1") == "1"


@pytest.mark.parametrize("segment", ["01", "+1", "1.0", "one", "", "%31", "١"])
def test_only_the_canonical_form_of_an_integer_is_read_from_a_path(segment: str) -> None:
    with pytest.raises(BuildError, match="no value of seed"):
        ParameterType.of("seed", [1]).decode(segment)


@pytest.mark.parametrize("raw", [b"x", [1], {"a": 1}, 1j, timedelta(1), object(), range(3)])
def test_a_value_of_another_type_is_refused_by_name(raw: object) -> None:
    with pytest.raises(BuildError, match=f"parameter x cannot be of type .*{type(raw).__name__}"):
        coerce(raw, "parameter x")


@pytest.mark.parametrize(("raw", "why"), [(math.nan, "NaN"), ("a\0b", "NUL"), ("\ud800", "surrogate")])
def test_a_value_that_cannot_be_passed_on_is_refused(raw: object, why: str) -> None:
    with pytest.raises(BuildError, match=why):
        coerce(raw, "parameter x")


def test_infinities_keep_their_sign() -> None:
    column = ParameterType.of("x", [math.inf, -math.inf])
    assert [column.encode(value) for value in (math.inf, -math.inf)] == ["Infinity", "-Infinity"]
    assert column.decode("-Infinity") == -math.inf


class Scalar:
    """Stands for numpy's scalars: `.item()` gives Python's value."""

    def __init__(self, value: object) -> None:
        self.value = value

    def item(self) -> object:
        return self.value


def test_scalars_of_arrays_become_python_values() -> None:
    assert same(coerce(Scalar(2.5), "x"), 2.5)
    assert same(coerce(Scalar(True), "x"), True)


def test_a_scalar_whose_python_value_would_lose_its_meaning_is_refused() -> None:
    kind = type("datetime64", (Scalar,), {})
    with pytest.raises(BuildError, match="datetime64"):
        coerce(kind(1_700_000_000_000_000_000), "parameter start")


def test_a_named_time_zone_becomes_its_offset() -> None:
    class Summer(tzinfo):
        def utcoffset(self, when: datetime | None) -> timedelta:
            return timedelta(hours=2)

    moment = coerce(datetime(2012, 7, 1, 12, tzinfo=Summer()), "x")
    assert to_text(moment) == "2012-07-01T12:00:00+02:00"


@pytest.mark.parametrize(
    ("declared", "text", "meant"),
    [
        (4.0, "3", 3.0),
        (1, " 3 ", 3),
        (True, "False", False),
        ("a", " b", " b"),
        (datetime(2012, 1, 1), "2012-07-01T12:00Z", datetime(2012, 7, 1, 12, tzinfo=timezone.utc)),
        (date(2012, 1, 1), "2012-07-01", date(2012, 7, 1)),
    ],
)
def test_what_a_person_writes_is_read_as_the_declared_type(declared: Value, text: str, meant: Value) -> None:
    assert same(ParameterType.of("x", [declared]).read(text), meant)


names = st.dictionaries(st.from_regex(r"[-a-zA-Z0-9_]{1,8}", fullmatch=True), values, min_size=1, max_size=3)


@given(names)
def test_names_and_labels_keep_to_the_cluster_s_rules(point: dict[str, Value]) -> None:
    assert is_dns_label(dns_name(point))
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", label_value(point))


short = texts | st.text("aAbB-_.1", max_size=4) | st.integers(-20, 20) | st.sampled_from([1.5, -1.5, True, None])


@given(st.data())
def test_names_and_labels_of_two_points_differ(data: st.DataObject) -> None:
    keys = data.draw(
        st.lists(st.sampled_from(["a", "A", "b", "-", "_", "a_b", "a-b"]), min_size=1, max_size=3, unique=True)
    )
    one, other = ({key: data.draw(short) for key in keys} for _ in range(2))
    assume([value_key(value) for value in one.values()] != [value_key(value) for value in other.values()])
    assume(not any(to_text(one[key]) == to_text(other[key]) and one[key] != other[key] for key in keys))
    assume([to_text(value) for value in one.values()] != [to_text(value) for value in other.values()])
    assert dns_name(one).lower() != dns_name(other).lower()
    assert label_value(one).lower() != label_value(other).lower()


def test_names_that_need_no_change_carry_no_suffix() -> None:
    assert dns_name({"vintage": 2012, "borough": 3}) == "vintage-2012-borough-3"
    assert label_value({"growth_rate": 3.82, "seed": 1}) == "growth_rate_3.82_seed_1"


def test_names_that_differ_by_case_alone_differ_by_their_suffix() -> None:
    assert dns_name({"city": "Lyon"}).lower() != dns_name({"city": "lyon"}).lower()
    assert label_value({"city": "Lyon"}).lower() != label_value({"city": "lyon"}).lower()


def test_a_fingerprint_depends_on_types_and_not_on_order() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert len({fingerprint({"a": value}) for value in (1, 1.0, True, "1", None, "null")}) == 6
