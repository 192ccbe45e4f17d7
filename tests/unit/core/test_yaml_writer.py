"""YAML text: read back exactly by both of PyYAML's parsers, and readable where it can be."""

import string

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hera_k8s_utils.yaml_writer import dump_yaml

LOADERS = [yaml.SafeLoader, yaml.CSafeLoader]

awkward = st.text(alphabet=list("ab \t\n\r\"'\\{}[]:#-?|>&*!%@`,~=<.0\x00\x07\x7f\x85\u2028\ufeffé漢😀"))
words = st.one_of(
    st.sampled_from(["on", "No", "y", "null", "~", "1", "01", "0x1f", "1e3", "1_000", "12:30:45", ".5", "2001-01-01"]),
    st.sampled_from(["<<", "=", "---", "...", "{{item}}", "{{", "}}\n{{", "{{a}}\n{{", "a:b", "a:", "a: b", "a #b"]),
    st.sampled_from(["", " ", "- a", "?", "*a", "&a", "!!int 3", "|", ">", "%", "`", "@"]),
)
shaped = st.from_regex(r"\A[A-Za-z/][A-Za-z0-9_./:-]{0,12}\Z")
lines = st.lists(st.one_of(st.text(alphabet=string.printable, max_size=12), words), min_size=2).map("\n".join)
texts = st.one_of(st.text(), awkward, words, shaped, lines)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def same(left: object, right: object) -> bool:
    """Equal with types: 1, 1.0 and True are three values."""
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@pytest.mark.parametrize("loader", LOADERS)
@given(documents)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example({"a": "x\n"})
@example({"a": "x\n\n"})
@example({"a": "\nx"})
@example({"a": "\n"})
@example({"a": " x\n  y"})
@example({"a": "x\n  "})
@example({"a": "x\n \t\n"})
@example({"a": "\tx\n\ty\n"})
@example(["- a\n{{ b\n", [["x\n y\n\n"]], {"k": ["x\ny"]}])
@example({"k" * 2000: ["x"], "l\n" * 900: {"a": 1}, "m" * 1500: "x\ny"})
@example([1e16, 1e-7, 1.5e300, -0.0, 10**30, True, None])
def test_every_document_is_read_back_exactly(loader: type, document: object) -> None:
    assert same(yaml.load(dump_yaml(document), Loader=loader), document)


def test_source_of_a_script_reads_as_it_was_written() -> None:
    source = "import os\n\nif True:\n    print('{{inputs.parameters.a}}')\n"
    assert dump_yaml({"script": {"image": "python:3.12-slim", "source": source}}) == (
        "script:\n"
        "  image: python:3.12-slim\n"
        "  source: |\n"
        "    import os\n"
        "\n"
        "    if True:\n"
        "        print('{{inputs.parameters.a}}')\n"
    )


def test_words_that_yaml_would_read_otherwise_are_quoted() -> None:
    assert dump_yaml({"on": "No", "1": "null", "a": "b-c"}) == '"on": "No"\n"1": "null"\na: b-c\n'


def test_sequences_stand_below_their_key() -> None:
    assert dump_yaml({"items": [{"a": 1, "b": []}, [1, {}]]}) == "items:\n- a: 1\n  b: []\n- - 1\n  - {}\n"


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), {1: 2}, {"a": object()}, {"a": {1, 2}}, "\ud800", {"\ud800\n": 1}, b"bytes"]
)
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        dump_yaml(value)


def test_order_of_keys_is_kept() -> None:
    assert dump_yaml({"b": 1, "a": 2}) == "b: 1\na: 2\n"
