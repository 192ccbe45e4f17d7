"""Layouts: paths there and back, and the proof that no two points share one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_k8s_layouts import plugin
from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.sweep.inputs import Inputs, Point, linspace
from hera_k8s_utils.sweep.layout import Layout, LayoutVerification, open_layout
from hera_k8s_utils.sweep.path_encoder import LayoutStrategy
from hera_k8s_utils.sweep.values import Value, value_key

STRATEGIES = {strategy.name: strategy for strategy in plugin.layout_strategies()}
ROOT = "/results/logistic-map/20261120-1042-k3f9"
EVERY = [("hive", ""), ("flat", ""), ("hashed", ""), ("template", "p{b}/x-{a}"), ("template", "{a}{b}")]
TROUBLE: list[Value] = [
    "",
    ".",
    "..",
    ".a",
    "a/b",
    "a=1,b=2",
    "%2F",
    "ü",
    "u\u0308",
    " ",
    "A",
    "a",
    "-",
    "{b}",
    "\n",
    None,
]


def layout_of(inputs: Inputs, name: str = "hive", argument: str = "", root: str | None = ROOT) -> Layout:
    return open_layout(STRATEGIES[name], None, inputs, argument, root)


def sweep(**parameters: Any) -> Inputs:
    return Inputs(parameters=parameters)


# --- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "argument", "path"),
    [
        ("hive", "", "growth_rate=3.82/seed=1"),
        ("flat", "", "growth_rate=3.82,seed=1"),
        ("template", "run-{seed}/r{growth_rate}", "run-1/r3.82"),
    ],
)
def test_strategies_name_a_point(name: str, argument: str, path: str) -> None:
    layout = layout_of(sweep(growth_rate=linspace(2.5, 4.0, 76), seed=[1, 2]), name, argument)
    point = {"growth_rate": 3.82, "seed": 1}
    assert layout.relative(point) == path
    assert layout.path(point) == f"{ROOT}/{path}"
    assert layout.point(path) == layout.point(f"{ROOT}/{path}/") == point


def test_hashed_names_depend_on_the_point_alone() -> None:
    small, wide = (layout_of(sweep(a=values, b=[1]), "hashed") for values in ([1], [3, 2, 1]))
    path = small.relative({"a": 1, "b": 1})
    assert re.fullmatch(r"([a-z2-7]{2})/\1[a-z2-7]{18}", path)
    assert wide.relative({"b": 1, "a": 1}) == path
    assert wide.point(path) == {"a": 1, "b": 1}


def test_a_sidecar_gives_the_point_back(tmp_path: Any) -> None:
    inputs = sweep(a=["ü", "1"], b=[1.0, float("inf")], c=[date(2012, 7, 1), None])
    layout = layout_of(inputs, "hashed")
    assert layout.sidecar
    for point in inputs:
        (tmp_path / "point.json").write_text(layout.sidecar_text(point), encoding="utf-8")
        assert layout.read_sidecar(tmp_path) == point


def test_a_directory_without_a_sidecar_is_named(tmp_path: Any) -> None:
    with pytest.raises(BuildError, match=r"point\.json"):
        layout_of(sweep(a=[1]), "hashed").read_sidecar(tmp_path)


def test_names_and_labels_are_the_codec_s() -> None:
    layout = layout_of(sweep(vintage=[2012], borough=[3]))
    assert layout.dns_name({"vintage": 2012, "borough": 3}) == "vintage-2012-borough-3"
    assert layout.label_value({"vintage": 2012, "borough": 3}) == "vintage_2012_borough_3"


def test_without_parameters_the_point_s_place_is_the_root() -> None:
    layout = layout_of(Inputs())
    assert layout.path({}) == layout.root == ROOT
    assert layout.point(ROOT) == {}
    assert layout.verify().points == 1


def test_a_root_is_needed_for_absolute_paths_only() -> None:
    layout = layout_of(sweep(a=[1]), root=None)
    assert layout.relative({"a": 1}) == "a=1"
    assert layout.verify() == LayoutVerification(1, 1, "1 point")
    with pytest.raises(BuildError, match="nothing that the experiment requires is mounted"):
        layout.path({"a": 1})


@pytest.mark.parametrize(
    "path",
    [
        "a=1",
        "a=1/b=x/c=3",
        "a=01/b=x",
        "a=1/b=x%2f",
        "b=x/a=1",
        "a=x/b=1",
        "../a=1/b=x",
        "/elsewhere/a=1/b=x",
        "a=1/b=",
    ],
)
def test_a_path_of_another_layout_is_refused(path: str) -> None:
    with pytest.raises(BuildError):
        layout_of(sweep(a=[1], b=["x"])).point(path)


# --- there and back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "argument"), EVERY)
def test_awkward_values_keep_a_place_of_their_own(name: str, argument: str) -> None:
    inputs = sweep(a=TROUBLE, b=[0.0, -0.0, 1, True, 1e300, float("-inf"), None, date(2012, 7, 1)])
    layout = layout_of(inputs, name, argument)
    assert layout.verify() == LayoutVerification(128, 128, f"128 points, 128 paths below {ROOT}")
    for point in inputs:
        assert layout.path(point).startswith(f"{ROOT}/")
        assert layout.point(layout.path(point)) == point


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
scalars = (
    texts
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none()
    | st.datetimes()
    | st.dates()
)
axes = st.dictionaries(
    st.from_regex(r"[-a-zA-Z0-9_]{1,6}", fullmatch=True),
    st.lists(scalars, min_size=1, max_size=4, unique_by=value_key),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(axes, st.sampled_from(["hive", "flat", "hashed"]))
def test_every_sweep_fits_or_is_refused_by_name(parameters: dict[str, list[Value]], name: str) -> None:
    try:
        inputs = Inputs(parameters=parameters)
        layout = layout_of(inputs, name)
        proof = layout.verify()
    except BuildError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert any(name in refused for name in parameters)
        return
    paths = [layout.path(point) for point in inputs]
    assert proof.paths == len(inputs) == len(set(paths))
    for point, path in zip(inputs, paths, strict=True):
        assert layout.point(path) == point


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "a", "b", "ab", "1", "-", "."]), st.integers(0, 30)), min_size=1, max_size=8
    ),
    st.sampled_from(["{a}{b}", "{a}-{b}", "{b}{a}", "{a}", "{b}", "x{a}.{b}", "{a}/{b}", "{a},{b}"]),
)
def test_a_template_is_refused_exactly_when_two_points_meet(rows: list[tuple[str, int]], pattern: str) -> None:
    inputs = Inputs(points=[{"a": a, "b": b} for a, b in rows])
    layout = layout_of(inputs, "template", pattern)
    paths = [layout.relative(point) for point in inputs]
    if len(set(paths)) < len(paths):
        with pytest.raises(BuildError):
            layout.verify()
        return
    assert layout.verify().paths == len(rows)
    assert [layout.point(path) for path in paths] == list(inputs)


def test_equal_values_of_different_types_do_not_share_a_path() -> None:
    inputs = Inputs(points=[{"a": 1}, {"a": 1.0}, {"a": True}])
    layout = layout_of(inputs)
    assert [layout.relative(point) for point in inputs] == ["a=1", "a=1.0", "a=true"]
    assert [layout.relative({"a": value}) for value in (True, 1.0, 1)] == ["a=true", "a=1.0", "a=1"]
    layout.verify()


# --- the proof -------------------------------------------------------------------------------------------------


def test_two_points_with_one_path_are_both_named() -> None:
    inputs = sweep(a=[1, 11], b=[1, 11, 111])
    with pytest.raises(BuildError, match=r"\(a=1, b=11\) and \(a=11, b=1\) both have '111'"):
        layout_of(inputs, "template", "{a}{b}").verify()


def test_a_parameter_that_is_left_out_is_named() -> None:
    with pytest.raises(BuildError, match=r"\(a=1, b=1\) and \(a=1, b=2\) both have 'r1'\n  -> the points differ in b"):
        layout_of(sweep(a=[1, 2], b=[1, 2]), "template", "r{a}").verify()


def test_a_parameter_of_one_value_may_be_left_out() -> None:
    inputs = sweep(a=[1, 2], b=["only"])
    layout = layout_of(inputs, "template", "r{a}")
    layout.verify()
    assert layout.point("r2") == {"a": 2, "b": "only"}


def test_equal_points_are_named_by_their_positions() -> None:
    with pytest.raises(BuildError, match="points 1 and 3 of the sweep are the same"):
        layout_of(Inputs(points=[{"a": 1}, {"a": 2}, {"a": 1}])).verify()
    with pytest.raises(BuildError, match="points 1 and 2 of the sweep are the same"):
        layout_of(sweep(a=[1.5, 1.5])).verify()


def test_a_collision_is_found_among_many_points() -> None:
    points = [{"a": number} for number in range(50_000)] + [{"a": 31_234}]
    with pytest.raises(BuildError, match="points 31235 and 50001"):
        layout_of(Inputs(points=points)).verify()


def test_a_long_sweep_is_read_back_in_part_and_says_so() -> None:
    proof = layout_of(sweep(a=range(30_000))).verify()
    assert (proof.points, proof.paths) == (30_000, 30_000)
    assert re.search(r"15001 of them, evenly spread, read back", proof.detail)


def test_a_name_longer_than_file_systems_take_is_refused() -> None:
    layout_of(sweep(a=["x" * 253])).verify()
    with pytest.raises(BuildError, match="a name of 256 bytes"):
        layout_of(sweep(a=["x", "x" * 254])).verify()
    with pytest.raises(BuildError, match="a name of 302 bytes"):
        layout_of(sweep(a=["é" * 50])).verify()
    layout_of(sweep(a=["x" * 5000]), "hashed").verify()


def test_a_path_longer_than_systems_take_is_refused() -> None:
    inputs = Inputs(parameters={f"p{number}": ["x" * 240] for number in range(17)})
    with pytest.raises(BuildError, match=r"needs a path of \d+ bytes below the root"):
        layout_of(inputs).verify()
    with pytest.raises(BuildError, match="bytes below the root"):
        layout_of(sweep(a=["x"]), root="/" + "/".join(["r" * 250] * 16) + "/" + "r" * 76).verify()


class Broken:
    """A strategy of someone's that does not keep its promises."""

    def __init__(self, path: Any, values: Any) -> None:
        self.path = path
        self.values = values

    def encode(self, point: Point) -> str:
        return self.path(point)  # type: ignore[no-any-return]

    def decode(self, path: str) -> Mapping[str, Any]:
        return self.values(path)  # type: ignore[no-any-return]


def broken(path: Any, values: Any = lambda path: {"a": int(path)}) -> Layout:
    declared = LayoutStrategy(name="broken", build=lambda settings, inputs, argument: Broken(path, values))
    return open_layout(declared, None, sweep(a=[1, 2]), "", ROOT)


@pytest.mark.parametrize(
    "path", ["/etc/{}", "../{}", "{}/..", "{}/../../x", "./{}", "{}/.", "{}//x", "{}/", "..", "", "a\0{}"]
)
def test_a_strategy_that_leaves_the_root_is_found_out(path: str) -> None:
    with pytest.raises(BuildError, match="broken leads out of its root"):
        broken(lambda point: path.format(point.a)).verify()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (lambda path: {"a": 1}, r"\(a=2\) has '2'"),
        (lambda path: {"a": str(path)}, "cannot read its paths back"),
        (lambda path: {}, "a is missing"),
        (lambda path: {}["x"], "the layout broken failed: KeyError"),
    ],
)
def test_a_strategy_that_misreads_its_paths_is_found_out(values: Any, says: str) -> None:
    with pytest.raises(BuildError, match=says):
        broken(lambda point: str(point.a), values).verify()


@pytest.mark.parametrize(
    ("path", "says"), [(lambda point: 3, "gives no path"), (lambda point: 1 / 0, "ZeroDivisionError")]
)
def test_a_strategy_that_gives_no_path_is_found_out(path: Any, says: str) -> None:
    with pytest.raises(BuildError, match=says):
        broken(path).verify()


# --- arguments of strategies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "has no pattern"),
        ("r{sed}", r"no parameter is called 'sed'.*\n  -> did you mean \{seed\}"),
        ("r{}", "no parameter is called ''"),
        ("r{seed:03d}", "no parameter is called 'seed:03d'"),
        ("r{seed", "a brace without its partner"),
        ("r}seed{", "a brace without its partner"),
        ("{{seed}}", "a brace without its partner"),
        ("/r{seed}", "absolute"),
        ("../r{seed}", "out of the run's root"),
        ("a/../../r{seed}", "out of the run's root"),
        ("./r{seed}", "out of the run's root"),
        ("a//r{seed}", "out of the run's root"),
        ("r{seed}/", "out of the run's root"),
        ("a\\{seed}", "backslashes"),
        ("a\n{seed}", "control characters"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(BuildError, match=says):
        layout_of(sweep(seed=[1, 2]), "template", pattern)


@pytest.mark.parametrize("name", ["hive", "flat", "hashed"])
def test_a_pattern_for_a_strategy_that_takes_none_is_refused(name: str) -> None:
    with pytest.raises(BuildError, match="takes no pattern"):
        layout_of(sweep(a=[1]), name, "{a}")


def test_a_pattern_reads_the_same_in_both_forms_of_unicode() -> None:
    layout = layout_of(sweep(a=[1, 2]), "template", "re\u0301sultat-{a}")
    assert layout.relative({"a": 1}) == "r\u00e9sultat-1"
    assert layout.point("re\u0301sultat-2") == {"a": 2}


def test_paths_are_streamed_in_the_order_of_the_sweep() -> None:
    paths: Iterator[str] = layout_of(sweep(a=range(10**7))).paths()
    assert [next(paths), next(paths)] == ["a=0", "a=1"]
