"""Whole runs under an Argo controller, by both engines: the README's main job, and every example.

A real controller is needed for them on a real cluster; the sandbox has one of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Told, record

from clusters import ClusterSpace, provision

Json = dict[str, Any]
Hera = Callable[..., Told]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROVISIONED = ("boroughs", "coin_flip", "hello_world_container", "simple", "volumes")
ENGINES = ("argo", "kubernetes")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def through(engine: str, hera: Callable[..., Hera], hera_argo: Callable[..., Hera]) -> Callable[[ClusterSpace], Hera]:
    """Commands by one of the two engines; skips the test where no controller would run what it submits."""

    def at(space: ClusterSpace) -> Hera:
        space.require_controller()
        run = (hera_argo if engine == "argo" else hera)(space)
        return lambda command, *words: run(command, *words, "--engine", engine)

    return at


def run(space: ClusterSpace, at: Hera, example: str, run_id: str, *words: str) -> list[str]:
    """Provision and run an example to its end, which must be a good one; the lines of its log."""
    file = str(EXAMPLES / example / "experiment.py")
    provision(space, at, file)
    done = at("run", file, "--run-id", run_id, *words)
    assert done.code == 0, done.text
    assert record(run_id)["outcome"]["phase"] == "Succeeded"
    told = at("logs", run_id)
    assert told.code == 0, told.text
    return told.out.splitlines()


@pytest.mark.timeout(1200)  # a cluster of one node takes some seconds for each of its pods
def test_the_main_job_draws_its_picture(each_cluster: ClusterSpace, through: Callable[..., Hera], work: Path) -> None:
    at = through(each_cluster)
    lines = run(each_cluster, at, "logistic_map", "main", "--timeout", "1000")
    outcome = record("main")["outcome"]
    assert (outcome["done"], outcome["total"], outcome["failed"]) == (152, 152, []), outcome
    assert len([line for line in lines if "distinct values" in line]) == 152
    if each_cluster.server.claims is not None:
        results = each_cluster.claim_directory("results") / "logistic-map" / "main"
        assert (results / "bifurcation.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert (results / "bifurcation.png").stat().st_size > 10_000


@pytest.mark.timeout(600)
@pytest.mark.parametrize("example", PROVISIONED)
def test_an_example_runs_to_its_end(
    each_cluster: ClusterSpace, through: Callable[..., Hera], work: Path, example: str
) -> None:
    lines = run(each_cluster, through(each_cluster), example, f"e2e-{example.replace('_', '-')}")
    assert lines
    if example == "hello_world_container":
        assert [line.partition(": ")[2] for line in lines] == ["hello world"]
    if example == "coin_flip":
        side = next(line.partition(": ")[2] for line in lines if line.startswith("flip"))
        assert [line.partition(": ")[2] for line in lines if not line.startswith("flip")] == [f"it was {side}"]
    if example == "volumes":
        assert "read: note.txt: written by one task" in lines


def test_the_example_that_needs_a_proxy_says_so_before_it_submits(
    each_cluster: ClusterSpace, through: Callable[..., Hera], work: Path
) -> None:
    file = str(EXAMPLES / "configmap_for_pip_proxy" / "experiment.py")
    told = through(each_cluster)("run", file, "--run-id", "proxy")
    assert told.code == 5, told.text
    assert "Nothing was submitted" in told.text


FAILING = """
from hera.workflows import DAG, Workflow, script
from hera_k8s_utils import Experiment, Inputs


def simulate(seed: int) -> None:
    print(f"seed {seed}")
    if seed == 2:
        raise SystemExit("the orbit escaped")


def workflow(environment, inputs, layout):
    run_point = script(**environment.task)(simulate)
    with Workflow(entrypoint="sweep") as w:
        with DAG(name="sweep", fail_fast=False):
            run_point(name="points", **inputs.fan_out())
    return w


experiment = Experiment(
    name="failing", inputs=Inputs(parameters={"seed": [1, 2, 3]}), image="python:3.12-slim", workflow=workflow
)
"""


def test_one_bad_point_is_named_and_the_others_are_done(
    each_cluster: ClusterSpace, through: Callable[..., Hera], work: Path
) -> None:
    (work / "experiment.py").write_text(FAILING)
    at = through(each_cluster)
    told = at("run", "--run-id", "bad", "--output", "json")
    assert told.code == 8, told.text
    last = json.loads(told.out.splitlines()[-1])
    assert (last["phase"], last["done"], last["total"]) == ("Failed", 2, 3), last
    assert re.search(r"seed=2\b|seed: ?2\b|\(1:2\)", json.dumps(last)), last
    assert at("logs", "bad", "seed=2").out == "seed 2\n" or "the orbit escaped" in at("logs", "bad", "seed=2").out
