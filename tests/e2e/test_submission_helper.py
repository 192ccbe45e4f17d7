"""`hera-k8s jobs` on each cluster: waves, retries, a batch that is cancelled and submitted again, kubectl's words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Told
from sandbox_api import claim
from strangers import Site

from clusters import ClusterSpace

Hera = Callable[..., Told]
PROJECT = Path(__file__).resolve().parents[2] / "contrib" / "submission_helper"


@pytest.fixture
def helper(
    each_cluster: ClusterSpace,
    hera: Callable[..., Hera],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Hera:
    """`hera-k8s` with the distribution in sight, on a cluster."""
    directory = tmp_path_factory.mktemp("submission_helper")
    site = Site(directory / "packages")
    site.install(shutil.copytree(PROJECT, directory / "project"))
    monkeypatch.syspath_prepend(str(site.packages))
    return hera(each_cluster)


def test_a_batch_runs_in_waves_and_again_only_where_it_has_not_ended(
    each_cluster: ClusterSpace, helper: Hera, work: Path
) -> None:
    lines = [f"test {n} -lt 2 || sleep 0.3; exit {n % 2}" for n in range(8)]
    Path("lines.txt").write_text("\n".join(lines) + "\n")
    flags = ("lines.txt", "--k8s-image", "bash:5", "--k8s-volume-claim=", "--ncores", "1", "--memory", "20")
    batch = ("jobs", *("submit", *flags, "--retries", "1", "--maxConcurrent", "2"))
    first = helper(*batch)
    assert first.code == 0, first.text
    assert "every job was started" in first.text
    cancelled = helper("jobs", "cancel", "--output", "json")
    told = json.loads(cancelled.out)
    assert told["cancelled"] + told["kept"] == 8
    _until_gone(each_cluster, told["kept"])
    again = helper(*batch, "--wait")
    assert again.code == 8, again.text
    assert "8 jobs: 4 succeeded, 4 failed; 4 were retried" in again.out
    assert len(list(Path("logs").glob("*.log"))) == 8
    found = each_cluster.kube.get("{ns}/pods?labelSelector=app%3Dsubmission-helper")["items"]
    assert {pod["metadata"]["labels"]["identifier"] for pod in found} == {"lines"}


def test_only_missing_outputs_are_made_again(each_cluster: ClusterSpace, helper: Hera, work: Path) -> None:
    Path("lines.txt").write_text("true\ntest -e /ntuples/batchOutput/lines/00000/.complete && sleep 0.1; exit 1\n")
    words = ("jobs", "submit", "lines.txt", "--k8s-image", "bash:5", "--memory", "20", "--retries", "0")
    path = "{ns}/persistentvolumeclaims"
    each_cluster.kube.create(path, claim("ntuples-claim"))
    each_cluster.kube.until(f"{path}/ntuples-claim", lambda found: found["status"].get("phase") == "Bound")
    first = helper(*words, "--wait")
    assert first.code == 8, first.text
    again = helper(*words, "--checkmissing", "--wait")
    assert again.code == 8, again.text
    assert "1 of 2 outputs exist (50 %), 1 is missing" in again.text
    assert "1 of 1 jobs submitted" in again.text


def _until_gone(cluster: ClusterSpace, kept: int) -> None:
    from cluster_access import wait_until

    path = f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs"

    def holds() -> Any:
        return len(cluster.kube.get(path)["items"]) == kept

    wait_until(holds, "the cancelled jobs are gone")
