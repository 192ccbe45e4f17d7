"""The small languages inside a workflow: when, depends, items, tags, names and fields."""

from __future__ import annotations

import pytest

from hera_k8s_sandbox.fields import FieldFilter
from hera_k8s_sandbox.workflows.conditions import ConditionError, holds
from hera_k8s_sandbox.workflows.depends import DependsError, depends_of
from hera_k8s_sandbox.workflows.expansion import ExpansionError, expand
from hera_k8s_sandbox.workflows.naming import fnv1a, node_id, pod_name
from hera_k8s_sandbox.workflows.retries import duration_of
from hera_k8s_sandbox.workflows.substitution import substitute, tags
from hera_k8s_sandbox.workflows.values import go_json, text_of

# when


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("", True),
        ("heads == heads", True),
        ("heads == tails", False),
        ("heads != tails", True),
        ("\"two words\" == 'two words'", True),
        ("1 < 2", True),
        ("2.5 >= 2.5", True),
        ("1 == '1'", False),
        ("-1 < 0", True),
        ("2 * 3 == 10 - 4", True),
        ("true", True),
        ("!(a == b)", True),
        ("a == a && b == c || d == d", True),
        ("a == b || a == b && true", False),
        ("b in (a, b)", True),
        ("c in (a, b)", False),
        ("results =~ '^res'", True),
        ("results !~ 'x'", True),
    ],
)
def test_conditions_are_read_as_argo_reads_them(condition: str, expected: bool) -> None:
    assert holds(condition) is expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("{{item}} == 1", "Invalid 'when' expression '{{item}} == 1'.*hint: try wrapping"),
        ("(a == b", "Unbalanced parenthesis"),
        ("a ==", "Unexpected end of expression"),
        ("a", "Expected boolean evaluation for 'a'. Got a"),
        ("a < 1", "cannot be used with the comparator '<', it is not a number"),
        ("a b", "Cannot transition token types"),
        ("a && true", "it is not a bool"),
        ("a =~ '('", "Unable to compile regexp"),
    ],
)
def test_a_condition_that_makes_no_sense_is_told(condition: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        holds(condition)


# depends


def run(depends: str, results: set[str], tasks: dict | None = None) -> bool:
    wanted = depends_of({"depends": depends}, tasks or {})
    return wanted.holds(lambda task, result: f"{task}.{result}" in results)


@pytest.mark.parametrize(
    ("depends", "results", "expected"),
    [
        ("A", {"A.Succeeded"}, True),
        ("A", {"A.Skipped"}, True),
        ("A", {"A.Failed"}, False),
        ("A.Failed", {"A.Failed"}, True),
        ("A && B", {"A.Succeeded"}, False),
        ("A || B", {"B.Succeeded"}, True),
        ("!A.Succeeded && (B || C.Errored)", {"C.Errored"}, True),
        ("a-b.AnySucceeded || c.AllFailed", {"a-b.AnySucceeded"}, True),
        ("A || B && C", {"A.Succeeded"}, True),
    ],
)
def test_depends_decides_by_the_results_of_tasks(depends: str, results: set[str], expected: bool) -> None:
    assert run(depends, results) is expected


def test_tasks_are_named_once_and_in_order() -> None:
    assert depends_of({"depends": "b && (a-1.Failed || b.Skipped)"}, {}).tasks == ("b", "a-1")
    assert depends_of({"dependencies": ["x", "y"]}, {}).tasks == ("x", "y")
    assert depends_of({}, {}).tasks == ()


def test_continue_on_widens_what_a_bare_name_means() -> None:
    tasks = {"A": {"continueOn": {"failed": True}}}
    assert run("A", {"A.Failed"}, tasks)
    assert not run("A", {"A.Errored"}, tasks)


@pytest.mark.parametrize("depends", ["A &&", "(A", "A B", "A.Succeded", "&& A", "A | B"])
def test_a_depends_that_makes_no_sense_is_told(depends: str) -> None:
    with pytest.raises(DependsError):
        depends_of({"depends": depends}, {})


# Items


def named(task: dict) -> list[str]:
    return [one["name"] for one in expand({"name": "t", **task})]


def test_items_become_tasks_with_their_values_in_place() -> None:
    step = {"name": "t", "arguments": {"v": "{{item.b}} of {{item}}"}, "withItems": [{"b": 4.0, "a": "x"}]}
    assert expand(step) == [{"name": "t(0:a:x,b:4)", "arguments": {"v": '4 of {"a":"x","b":4}'}}]


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ({"withItems": [1, "two", True, 2.5]}, ["t(0:1)", "t(1:two)", "t(2:true)", "t(3:2.5)"]),
        ({"withItems": [[1, "b"]]}, ['t(0:[1,"b"])']),
        ({"withItems": ["a(b)"]}, ["t(0:ab)"]),
        ({"withParam": '["a", "b"]'}, ["t(0:a)", "t(1:b)"]),
        ({"withParam": "[]"}, []),
        ({"withSequence": {"count": "3"}}, ["t(0:0)", "t(1:1)", "t(2:2)"]),
        ({"withSequence": {"count": 2, "start": "5", "format": "p%02d"}}, ["t(0:p05)", "t(1:p06)"]),
        ({"withSequence": {"start": 3, "end": 1}}, ["t(0:3)", "t(1:2)", "t(2:1)"]),
        ({"withSequence": {"count": 0}}, []),
        ({}, ["t"]),
    ],
)
def test_each_kind_of_items_expands(task: dict, names: list[str]) -> None:
    assert named(task) == names


@pytest.mark.parametrize(
    "task",
    [
        {"withParam": "{"},
        {"withParam": '{"a": 1}'},
        {"withSequence": {"start": 1}},
        {"withSequence": {"count": "many"}},
        {"withSequence": {"count": 1, "format": "%q"}},
    ],
)
def test_items_that_cannot_be_had_are_told(task: dict) -> None:
    with pytest.raises(ExpansionError):
        named(task)


# Tags, values, names


def test_known_tags_are_replaced_and_unknown_ones_stay() -> None:
    value = {"a": ["{{ x }}-{{y}}", 3], "b": {"c": "{{x}}{{x}}"}}
    assert substitute(value, {"x": "1"}) == {"a": ["1-{{y}}", 3], "b": {"c": "11"}}
    assert sorted(tags(value)) == ["x", "x", "x", "y"]


def test_a_value_is_not_looked_at_again() -> None:
    assert substitute("{{x}}", {"x": "{{y}}", "y": "no"}) == "{{y}}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("4.0", "4.0"),
        (4.0, "4"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (1e-7, "1e-07"),
        (12345678.5, "12345678.5"),
        (0.00001, "0.00001"),
        (True, "true"),
        (None, "null"),
        ({"b": 1, "a": [2.0, "ü"]}, '{"a":[2,"ü"],"b":1}'),
    ],
)
def test_values_become_text_as_in_go(value: object, text: str) -> None:
    assert text_of(value) == text
    assert go_json([value]) == (f"[{text}]" if not isinstance(value, str) else f'["{text}"]')


def test_names_are_hashed_with_fnv_1a() -> None:
    assert fnv1a("") == 0x811C9DC5
    assert fnv1a("foobar") == 0xBF9CF968  # from the reference's test vectors
    assert node_id("wf", "wf") == "wf"
    assert node_id("wf", "wf.a") == f"wf-{fnv1a('wf.a')}"
    assert pod_name("wf", "wf.a", "simulate") == f"wf-simulate-{fnv1a('wf.a')}"
    assert pod_name("wf", "wf", "simulate") == "wf"
    assert len(pod_name("w" * 63, "x", "t" * 250)) <= 253


@pytest.mark.parametrize(("text", "seconds"), [("10", 10), (5, 5), ("1m30s", 90), ("2h", 7200), ("500ms", 0.5)])
def test_durations_are_read(text: object, seconds: float) -> None:
    assert duration_of(text) == seconds


def test_a_wrong_duration_is_told() -> None:
    with pytest.raises(ValueError, match="1 day"):
        duration_of("1 day")


# Fields


def test_fields_keep_only_what_is_named() -> None:
    value = {"metadata": {"name": "a", "uid": "u"}, "items": [{"x": {"y": 1, "z": 2}}, {"w": 1}], "v": 1}
    kept = FieldFilter.parse("metadata.name,items.x.y").apply(value)
    assert kept == {"metadata": {"name": "a"}, "items": [{"x": {"y": 1}}, {}]}
    assert FieldFilter.parse("items").apply(value) == {"items": value["items"]}
    assert FieldFilter.parse("").apply(value) is value


def test_fields_with_a_minus_are_left_out() -> None:
    value = {"status": {"nodes": {"a": 1}, "phase": "Running"}, "spec": {}}
    assert FieldFilter.parse("-status.nodes,spec").apply(value) == {"status": {"phase": "Running"}}
