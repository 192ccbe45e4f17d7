"""What a run may ask for at one time: from requests, items, order and parallelism; quantities are exact."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100m", Fraction(1, 10)),
        ("64Mi", 64 * 1024**2),
        ("1e3", 1000),
        ("2Gi", 2 * 1024**3),
        ("1.5", Fraction(3, 2)),
        (".5Ki", 512),
        ("2.", 2),
        ("1E", 10**18),
        ("1E2", 100),
        ("12e-1", Fraction(6, 5)),
        ("3u", Fraction(3, 10**6)),
        ("-1k", -1000),
        (4, 4),
        (0.1, Fraction(1, 10)),
        (1e22, 10**22),
    ],
)
def test_quantities_are_exact(text: Any, expected: Any) -> None:
    assert parse_quantity(text) == expected


@pytest.mark.parametrize(
    "text", ["", "1 Gi", "Gi", "1KiB", "1ki", "1e", "1e999999999", "٣", "{{x}}", "1m ", "nan", True]
)
def test_what_is_no_quantity_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        parse_quantity(text)


@given(st.integers(0, 10**18), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_quantities_grow_with_their_number(number: int, suffix: str) -> None:
    assert parse_quantity(f"{number}{suffix}") == number * parse_quantity(f"1{suffix}")


def pod(name: str, cpu: str = "100m", memory: str = "64Mi", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "container": {"image": "x", "resources": {"requests": {"cpu": cpu, "memory": memory}}},
        **more,
    }


def task(name: str, template: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "template": template, **more}


def workflow(*templates: dict[str, Any], **spec: Any) -> Manifest:
    return Manifest.of(
        {
            "kind": "Workflow",
            "metadata": {"name": "w"},
            "spec": {"entrypoint": "main", "templates": [*templates], **spec},
        }
    )


def dag(*tasks: dict[str, Any], name: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "dag": {"tasks": list(tasks)}, **more}


def test_a_fan_out_asks_for_all_its_points_at_once() -> None:
    manifest = workflow(
        dag(task("points", "point", withItems=list(range(152))), task("draw", "draw", depends="points")),
        pod("point"),
        pod("draw", cpu="2"),
    )
    demand = manifest.demand()
    assert (demand.pods, demand.fan_out, manifest.max_parallel_pods) == (152, 152, 152)
    assert demand.cpu == 15.2
    assert demand.memory == 152 * 64 * 1024**2


def test_parallelism_of_the_workflow_bounds_it() -> None:
    manifest = workflow(dag(task("p", "point", withItems=list(range(100)))), pod("point"), parallelism=20)
    assert (manifest.demand().pods, manifest.demand().cpu, manifest.max_parallel_pods) == (20, 2.0, 20)


def test_parallelism_of_a_template_bounds_what_it_calls() -> None:
    manifest = workflow(
        dag(task("many", "inner"), task("one", "point")),
        dag(task("p", "point", withItems=list(range(100))), name="inner", parallelism=5),
        pod("point"),
    )
    assert (manifest.demand().pods, manifest.max_parallel_pods) == (6, 6)


def test_tasks_in_a_row_do_not_add_up_and_tasks_side_by_side_do() -> None:
    row = dag(task("a", "point"), task("b", "point", depends="a"), task("c", "point", dependencies=["b"]))
    side = dag(task("a", "point"), task("b", "point"), task("c", "big", depends="a && b"))
    assert workflow(row, pod("point")).demand().pods == 1
    assert workflow(side, pod("point"), pod("big", cpu="8")).demand().pods == 2


def test_groups_of_steps_run_one_after_another() -> None:
    steps = {"name": "main", "steps": [[task("a", "p"), task("b", "p")], [task("c", "q", withSequence={"count": 3})]]}
    demand = workflow(steps, pod("p"), pod("q", cpu="1")).demand()
    assert (demand.pods, demand.cpu) == (3, 3.0)


def test_what_only_the_run_will_show_is_none_unless_parallelism_bounds_it() -> None:
    open_ended = dag(task("p", "point", withParam="{{inputs.parameters.list}}"))
    free, bound = workflow(open_ended, pod("point")), workflow(open_ended, pod("point"), parallelism=4)
    assert (free.demand().pods, free.demand().cpu, free.max_parallel_pods) == (None, None, 2)
    assert (bound.demand().pods, bound.demand().cpu, bound.max_parallel_pods) == (4, 0.4, 4)


def test_templates_of_the_cluster_are_unknown() -> None:
    elsewhere = {"name": "a", "templateRef": {"name": "t", "template": "x"}}
    assert workflow(dag(elsewhere)).demand().pods is None


def test_a_template_that_calls_itself_is_without_bound() -> None:
    assert workflow(dag(task("again", "main", when="{{x}}"), task("p", "point")), pod("point")).demand().pods is None


def test_limits_stand_for_requests_and_starting_containers_do_not_add_up() -> None:
    template = {
        "name": "main",
        "script": {"image": "x", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
        "sidecars": [{"name": "s", "resources": {"requests": {"cpu": "500m"}}}],
        "initContainers": [{"name": "i", "resources": {"requests": {"memory": "4Gi"}}}],
    }
    demand = workflow(template).demand()
    assert (demand.cpu, demand.memory, demand.pods) == (1.5, 4 * 1024**3, 1)


def test_templates_inside_tasks_count_at_any_depth() -> None:
    one = {"name": "c", "inline": pod("", cpu="2")}
    two = {"name": "d", "inline": pod("", cpu="1"), "withItems": [1, 2, 3]}
    demand = workflow(dag({"name": "a", "inline": {"steps": [[one, two]]}})).demand()
    assert (demand.cpu, demand.pods, demand.fan_out) == (5.0, 4, 3)


def test_a_native_sidecar_counts_beside_what_starts_after_it_and_what_runs() -> None:
    template = {
        "name": "main",
        "container": {"image": "x", "resources": {"requests": {"cpu": "1"}}},
        "initContainers": [
            {"name": "before", "resources": {"requests": {"memory": "2Gi"}}},
            {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}},
            {"name": "after", "resources": {"requests": {"memory": "4Gi"}}},
        ],
    }
    demand = workflow(template).demand()
    assert (demand.cpu, demand.memory, demand.pods) == (1.5, 5 * 1024**3, 1)


def test_requests_are_followed_through_parameters() -> None:
    template = pod("point", cpu="{{inputs.parameters.cpu}}", inputs={"parameters": [{"name": "cpu", "default": "1"}]})
    big = task("big", "point", arguments={"parameters": [{"name": "cpu", "value": "3"}]})
    assert workflow(dag(task("a", "point"), big), template).demand().cpu == 6.0
    assert workflow(dag(task("a", "p")), pod("p", cpu="{{pod.name}}")).demand().cpu is None


def test_the_exit_handler_runs_after_the_tasks() -> None:
    manifest = workflow(dag(task("a", "p", withItems=[1, 2, 3])), pod("p"), pod("clean", cpu="4"), onExit="clean")
    assert (manifest.demand().pods, manifest.demand().cpu) == (3, 4.0)


def test_no_pods_no_fan_out() -> None:
    manifest = workflow({"name": "main", "suspend": {}})
    assert (manifest.demand().pods, manifest.max_parallel_pods) == (0, 1)
    assert Manifest.of({"kind": "ConfigMap", "metadata": {"name": "c"}}).max_parallel_pods == 1
