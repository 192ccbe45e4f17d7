"""The engine `jobs`: Jobs of the real controllers, run by a node, submitted and followed as users do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from command_line import Told, record

from clusters import ClusterSpace, provision

pytestmark = pytest.mark.usefixtures("work")  # runs are recorded in the working directory

Json = dict[str, Any]
Hera = Callable[..., Told]
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "jobs" / "experiment.py"


@pytest.mark.timeout(400)
def test_the_example_of_jobs_runs_to_its_end(each_cluster: ClusterSpace, hera: Callable[..., Hera], work: Path) -> None:
    at = hera(each_cluster)
    told = at("run", str(EXAMPLE), "--provision", "--run-id", "points", "--timeout", "300")  # a claim takes its time
    assert told.code == 0, told.text
    outcome = record("points")["outcome"]
    assert (outcome["phase"], outcome["done"], outcome["total"]) == ("Succeeded", 25, 25), outcome
    lines = at("logs", "points").out.splitlines()
    assert len([line for line in lines if "r = " in line]) == 25
    if each_cluster.server.claims is not None:
        written = list(each_cluster.claim_directory("results").rglob("exponent.txt"))
        assert len(written) == 25


def test_a_part_of_the_points_is_submitted_once_and_stopped(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], work: Path
) -> None:
    at = hera(each_cluster)
    some = ("--set", "growth_rate=3.5,3.9", "--set", "steps=2000000000", "--run-id", "stopped")
    provision(each_cluster, at, str(EXAMPLE))
    told = at("run", str(EXAMPLE), "--detach", *some)
    assert told.code == 0, told.text
    again = at("run", str(EXAMPLE), "--detach", *some)
    assert again.code == 0, again.text
    assert "was submitted before" in again.text
    jobs = f"/apis/batch/v1/namespaces/{each_cluster.namespace}/jobs"
    (only,) = each_cluster.kube.get(jobs)["items"]
    each_cluster.kube.until(f"{jobs}/{only['metadata']['name']}", lambda found: found["status"].get("active"))
    stopped = at("stop", "stopped")
    assert stopped.code == 0, stopped.text


def test_many_at_once_make_one_job(each_cluster: ClusterSpace, hera: Callable[..., Hera], work: Path) -> None:
    from hera_k8s_utils import build_container

    provision(each_cluster, hera(each_cluster), str(EXAMPLE))
    settings: Json = {"k8s_config_file": str(each_cluster.kubeconfig), "run_id": "race"}
    with ExitStack() as stack:
        containers = [stack.enter_context(build_container(EXAMPLE, environ={}, **settings)) for _ in range(6)]
        ready = [(container.engine(), container.experiment()) for container in containers]
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda pair: pair[0].submit(pair[1]), ready))
    assert sorted(one.existed for one in found) == [False] + [True] * 5
    jobs = each_cluster.kube.get(f"/apis/batch/v1/namespaces/{each_cluster.namespace}/jobs")["items"]
    assert len(jobs) == 1
