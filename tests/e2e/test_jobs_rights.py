"""Jobs as users who may do little: what is a courtesy is left out without a word, what is needed is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from command_line import Told, record

from clusters import ClusterSpace

Hera = Callable[..., Told]
POINTS = """
from hera_k8s_kube.jobs import indexed_job
from hera_k8s_utils import Experiment, Inputs

experiment = Experiment(
    name="little",
    inputs=Inputs(parameters={"number": [1, 2, 3]}),
    image="busybox",
    workflow=lambda environment, inputs, layout: indexed_job(environment, inputs, "test $number != 2", name="odd"),
)
"""
JOBS = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "watch"]}
MAPS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "get"]}


def run(cluster: ClusterSpace, hera: Callable[..., Hera], work: Path, *rules: Any) -> Told:
    (work / "experiment.py").write_text(POINTS)
    return hera(cluster.account("little", list(rules)))("run", "--run-id", "r1", "--timeout", "60")


def test_who_may_see_no_pods_still_learns_which_points_failed(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], work: Path
) -> None:
    told = run(each_cluster, hera, work, JOBS, MAPS)
    assert told.code == 8, told.text
    outcome = record("r1")["outcome"]
    assert (outcome["done"], outcome["total"]) == (2, 3), outcome
    assert [each["name"] for each in outcome["failed"]] == ["little-r1-1"]


def test_who_may_list_config_maps_sees_points(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], work: Path
) -> None:
    told = run(each_cluster, hera, work, JOBS, {**MAPS, "verbs": ["create", "get", "list"]})
    assert told.code == 8, told.text
    assert [each["name"] for each in record("r1")["outcome"]["failed"]] == ["odd(number=2)"]


def test_who_may_create_no_jobs_is_told_before(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], work: Path
) -> None:
    told = run(each_cluster, hera, work, {**JOBS, "verbs": ["get", "list", "watch"]}, MAPS)
    assert told.code == 5, told.text
    assert "cannot create resource" in told.text
    assert "kubectl auth can-i create jobs.batch" in told.text
