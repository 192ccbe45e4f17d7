"""The small languages inside a workflow: when, depends, items, tags, names and fields."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_k8s_sandbox.argo_server.field_mask import FieldFilter
from hera_k8s_sandbox.foundation.durations import duration_of
from hera_k8s_sandbox.foundation.json_values import go_json, text_of
from hera_k8s_sandbox.workflows.expressions import ExpressionError, UnknownFunction, evaluate, shown
from hera_k8s_sandbox.workflows.expressions import check as check_expression
from hera_k8s_sandbox.workflows.expressions import holds as expression_holds
from hera_k8s_sandbox.workflows.language.depends import DependsError, depends_of
from hera_k8s_sandbox.workflows.language.substitution import substitute, tags
from hera_k8s_sandbox.workflows.language.when import ConditionError, holds
from hera_k8s_sandbox.workflows.model.expansion import ExpansionError, expand
from hera_k8s_sandbox.workflows.model.naming import fnv1a, node_id, pod_name

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
        (f"'{'a' * 60}!' =~ '^(a+)+$'", "nested quantifiers"),
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


# Expressions, as expr-lang's and Argo's documentation describe them

VALUES = {
    "inputs.parameters": "[]",  # less specific than what follows, and so not seen
    "inputs.parameters.count": "4",
    "inputs.parameters.my-list": '[1, 2, {"a": 3}]',
    "workflow.name": "wf",
    "tasks.flip.outputs.result": "heads",
    "tasks.flip.status": "Succeeded",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 4", 3),
        ("7 % 3", 1),
        ("1 / 2", 0.5),
        ("2 ** 3 ** 2", 512.0),
        ("-2 + 1", -1),
        ("0x1F + 1_000", 1031),
        ("'a' + \"b\" + `c\\n`", "abc\\n"),
        ("1 == 1.0", True),
        ("'1' == 1", False),
        ("1 < 2 && 'b' > 'a' or false", True),
        ("not true || !false", True),
        ("true || nowhere", True),
        ("2 in [1, 2] and 'k' in {k: 1}", True),
        ("3 not in 1..2", True),
        ("'abc' matches '^a.c$'", True),
        ("'abc' contains 'd'", False),
        ("'abc' startsWith 'ab' and 'abc' endsWith 'bc'", True),
        ("1 > 2 ? 'a' : 2 > 1 ? 'b' : 'c'", "b"),
        ("inputs.parameters.none ?? 'default'", "default"),
        ("tasks.never.outputs.result ?? 'default'", "default"),
        ("nil?.a", None),
        ("{a: {b: [1, 2]}}.a.b[-1]", 2),
        ("'hello'[1:3]", "el"),
        ("[1, 2, 3][:2]", [1, 2]),
        ("let x = 2; x * x", 4),
        ("filter([1, 2, 3], # > 1)", [2, 3]),
        ("filter([{n: 1}, {n: 2}], {.n > 1})[0].n", 2),
        ("map([{n: 1}, {n: 2}], .n)", [1, 2]),
        ("[1, 2, 3] | filter(# > 1) | map(# * 2) | len()", 2),
        ("all([1, 2], # > 0) and any([1, 2], # > 1) and none([1], # > 1) and one([1, 2], # > 1)", True),
        ("count([1, 2, 3], # > 1)", 2),
        ("find([1, 2, 3], # > 1)", 2),
        ("findIndex([1, 2], # > 5)", -1),
        ("sum(1..4) + sum([1, 2], # * 10)", 40),
        ("reduce(1..3, #acc + #, 10)", 16),
        ("sortBy([{n: 2}, {n: 1}], .n)[0].n", 1),
        ("groupBy(['a', 'bb', 'c'], len(#))[1]", ["a", "c"]),
        ("map([5, 6], #index)", [0, 1]),
        ("join(split('a,b', ','), '-')", "a-b"),
        ("trim(' a ') + upper('b') + replace('ccc', 'c', 'd')", "aBddd"),
        ("max(1, [5, 3]) + min(2, 4) + abs(-1)", 8),
        ("int('3') + len('abc') + int(floor(2.7))", 8),
        ("fromJSON('{\"a\": [1]}').a[0]", 1),
        ("asInt(inputs.parameters.count) + 1", 5),
        ("asFloat('2.5') * 2", 5.0),
        ("string(5) + 'a'", "5a"),
        ("toJson({b: [1, 'x'], a: true})", '{"a":true,"b":[1,"x"]}'),
        ("jsonpath(inputs.parameters['my-list'], '$[2].a')", 3),
        ("jsonpath(inputs.parameters['my-list'], '$[:2]')", [1, 2]),
        ("sprig.trimSuffix('-x', 'a-x')", "a"),
        ("sprig.fromJson(inputs.parameters['my-list'])[2].a", 3),
        ("sprig.int('12') + sprig.add(1, '2')", 15),
        ("sprig.default('d', '')", "d"),
        ("sprig.substr(1, 3, 'hello') + sprig.repeat(2, 'ab')", "elabab"),
        ("sprig.regexReplaceAll('a(x*)b', '-ab-axxb-', '${1}W')", "-W-xxW-"),
        ("sprig.dig('a', 'b', 'none', {a: {b: 'c'}})", "c"),
        ("sprig.b64dec(sprig.b64enc('hi')) + sprig.title('two words')", "hiTwo Words"),
        ("sprig.round(2.456, 2) + sprig.round(1.5, 1000000000) + sprig.round(1.5, -1000000000)", 3.96),
        ("'v1.20.3' matches '^v?(\\\\d+\\\\.){2}\\\\d+$'", True),
        ("'an error, it was' matches '.*(error|failure).*'", True),
        ("sprig.regexReplaceAllLiteral('(foo|bar)+', 'foobar baz', '\\\\1$1')", "\\1$1 baz"),
        ("uniq([1, [2], 1, [2], 'a'])", [1, [2], "a"]),
        ("sum(1..100000) + len(uniq(1..50000))", 5000100000),
        ("9223372036854775806 + 1", 9223372036854775807),
        ("sprig.sha256sum('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("tasks['flip'].outputs.result == 'heads' // said at the end", True),
    ],
)
def test_expressions_come_to_what_expr_lang_says(text: str, value: object) -> None:
    found = evaluate(text, VALUES)
    assert (type(found), found) == (type(value), value)


ITEMS = {
    "items": [
        {"n": "a", "v": 1, "ok": True},
        {"n": "b", "v": 2.5, "ok": False, "tags": ["x"]},
        {"n": "c d", "v": 3, "ok": True},
        {"n": "3"},
    ],
    "wanted": "b",
    "m": {"x": {"v": 1}, "y": {"v": 9}},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.items[?(@.v>1 && @.ok)].n", ["c d"]),
        ("$.items[?(@.v==1 || @.n=='b')].n", ["a", "b"]),
        ("$.items[?(@.v==1&&@.n=='a')].n", ["a"]),
        ("$.items[?(@.n=='c d' && (@.v<2 || @.v>=3))].n", ["c d"]),
        ("$.items[?(@.n=='a' || @.n=='b' && @.v==99)].n", ["a"]),
        ("$.items[?(!(@.ok))].n", ["b"]),
        ("$.items[?(@.ok)].n", ["a", "c d"]),
        ("$.items[?(@.n=='3' || @.v==1)].n", ["a"]),
        ("$.items[?(@.tags && @.v>2)].n", []),
        ("$.items[?(@.n == $.wanted)].n", ["b"]),
        ("$.items[?(@['v'] == 1)].n", ["a"]),
        ("$.items[?(@.tags[0]=='x')].n", ["b"]),
        ("$.items[?(@.n=='x && y')].n", []),
        ("$.items[?(@.n > 'a')].n", []),
        ("$.items[0,2].n", ["a", "c d"]),
        ("$.m[?(@.v>1)].v", [9]),
    ],
)
def test_filters_of_json_paths(path: str, value: object) -> None:
    """The values are those of evilmonkeyinc/jsonpath 0.8.1, which Argo uses."""
    assert evaluate(f'jsonpath(doc, "{path}")', {"doc": json.dumps(ITEMS)}) == value


@pytest.mark.parametrize("text", ["@.n=~/a/", "@.v+1 == 2", "@.v ==", "(@.v", "@.n in ['a']"])
def test_filters_that_are_not_supported_are_named(text: str) -> None:
    with pytest.raises(ExpressionError, match="filter"):
        evaluate(f'jsonpath(doc, "$.items[?({text})]")', {"doc": json.dumps(ITEMS)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 + 'a'", r"invalid operation: \+ \(mismatched types int and string\)"),
        ("nowhere.x", "unknown name nowhere"),
        ("inputs.parameters.none.x", "cannot fetch x from <nil>"),
        ("'a' ? 1 : 2", "non-bool expression"),
        ("[1][3]", "index out of range: 3"),
        ("1 +", "unexpected end of expression"),
        ("a b", "unexpected token 'b'"),
        ("1 ; 2", "unexpected token ';'"),
        ("7 % 0", "integer divide by zero"),
        ("1..99999999", "memory budget exceeded"),
        ("sprig.repeat(99999999, 'ab')", "memory budget exceeded"),
        ("(" * 300 + "1" + ")" * 300, "nested too deeply"),
        ("asInt('x')", "x"),
        ("'a' matches '('", "."),
        ("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' matches '^(a+)+$'", "nested quantifiers"),
        ("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' matches '^(a|a?b?)+$'", "nested quantifiers"),
        ("sprig.regexFind('^(a+)+$', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')", "nested quantifiers"),
        ("sprig.regexMatch('(a?){90}a{90}', sprig.repeat(90, 'a'))", "too many ways to match"),
        ("sprig.repeat(9000, 'a') matches '^a*a*a*a*b'", "the text is too long for the regular expression"),
        ("'a' matches '(?=a)'", "invalid or unsupported Perl syntax"),
        ("map(1..9, sprig.repeat(9000, 'a') matches 'a*b')", "memory budget exceeded"),
        ("sprig.regexReplaceAll('a', sprig.repeat(9000, 'a'), sprig.repeat(9000, 'a'))", "memory budget exceeded"),
        ("replace(repeat('a', 9000), 'a', repeat('a', 9000))", "memory budget exceeded"),
        ("reduce(1..60, #acc + #acc, 'x')", "memory budget exceeded"),
        ("reduce(1..60, [#acc, #acc], 'x')", "memory budget exceeded"),
        ("sprig.indent(99999999, 'a')", "memory budget exceeded"),
        ("sprig.nindent(99999999, 'a')", "memory budget exceeded"),
        ("join(map(1..9000, repeat('a', 1)), repeat('a', 9000))", "memory budget exceeded"),
        ("map(1..1000000, map(1..1000000, #))", "memory budget exceeded"),
        ("let x = 1..90000; filter(1..90000, # in x)", "memory budget exceeded"),
        ("let x = uniq(map(1..9000, [#])); x", "memory budget exceeded"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("reduce(1..500, #acc * 1000, 1)", "integer overflow"),
        ("sprig.mul(9223372036854775807, 2)", "integer overflow"),
        ("9223372036854775808", "integer literal is too large"),
        ("9" * 5000, "integer literal is too large"),
        ("+".join(["1"] * 1200), "nested too deeply"),
    ],
)
def test_an_expression_that_makes_no_sense_is_told(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        evaluate(text, VALUES)


@given(st.text(alphabet="ab1.5[](){}#?:|&!=<>+-*/%^,;'\"` \nfilter", max_size=40))
@settings(max_examples=300, deadline=None)
def test_whatever_is_written_is_read_or_told(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        check_expression(text)
        evaluate(text, {"a": "1", "b.a": "2"})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=10,
    )
)
@settings(deadline=None)
def test_json_comes_through_an_expression_as_it_is(value: object) -> None:
    text = json.dumps(value)
    assert json.loads(str(evaluate("toJson(sprig.fromJson(x))", {"x": text}))) == value


def test_an_expression_that_is_too_deep_is_told_before_it_is_evaluated() -> None:
    with pytest.raises(ExpressionError, match="nested too deeply"):
        check_expression("+".join(["1"] * 1200))


def test_an_unknown_function_is_named() -> None:
    with pytest.raises(UnknownFunction) as refused:
        check_expression("true ? 1 : sprig.genCA('a', 1)")
    assert refused.value.name == "sprig.genCA"


def test_a_condition_must_come_to_true_or_false() -> None:
    assert expression_holds("workflow.name == 'wf'", VALUES)
    with pytest.raises(ExpressionError, match="unable to cast expression result 'wf' to bool"):
        expression_holds("workflow.name", VALUES)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1 == 1", "true"),
        ("[1, 'a', 2.5]", "[1 a 2.5]"),
        ("{b: 1, a: [2]}", "map[a:[2] b:1]"),
        ("1000000.0", "1e+06"),
        ("123456.0", "123456"),
        ("0.00001", "1e-05"),
        ("0.25", "0.25"),
        ("-0.5 * 3", "-1.5"),
        ("nil", None),
        ("item", None),
    ],
)
def test_values_are_written_as_go_prints_them(text: str, written: str | None) -> None:
    assert shown(text, VALUES) == written


def test_expressions_in_tags_wait_for_what_they_name() -> None:
    text = "{{=asInt(inputs.parameters.count) * 2}} of {{=item + '!'}} in {{workflow.name}}"
    once = substitute(text, VALUES)
    assert once == "8 of {{=item + '!'}} in wf"
    assert substitute(once, {"item": "x"}) == "8 of x! in wf"


# Items


def named(task: dict) -> list[str]:
    return [one["name"] for one in expand({"name": "t", **task})]


def test_items_become_tasks_with_their_values_in_place() -> None:
    step = {"name": "t", "arguments": {"v": "{{item.b}} of {{item}}"}, "withItems": [{"b": 4.0, "a": "x"}]}
    assert list(expand(step)) == [{"name": "t(0:a:x,b:4)", "arguments": {"v": '4 of {"a":"x","b":4}'}}]


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
    assert pod_name("wf", "wf.inline", "t") == f"wf-t-{fnv1a('wf.inline')}"  # as Argo 4.0.5
    assert pod_name("wf", "wf.a", "") == "wf-2962115457"
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
