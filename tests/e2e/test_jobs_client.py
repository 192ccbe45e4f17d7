"""Jobs by the client for programs: run, tried again, waited for, read, suspended, stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argo_peer import loaded
from cluster_access import wait_until
from jobs_peer import job

from clusters import ClusterSpace
from hera_k8s_kube.jobs import Jobs, open_jobs
from hera_k8s_utils import RunAlreadyFinished, build_container

PATIENCE = 60.0
pytestmark = pytest.mark.usefixtures("work")  # runs are recorded in the working directory

WAITING = """
from hera_k8s_kube.jobs import plain_job
from hera_k8s_utils import Experiment

experiment = Experiment(name="waiting", image="busybox", workflow=lambda e, i, y: plain_job(e, "true"))
"""


@pytest.fixture
def jobs(each_cluster: ClusterSpace) -> Iterator[Jobs]:
    config = str(each_cluster.kubeconfig)
    with build_container(None, environ={}, plugins=loaded(), k8s_config_file=config) as container:
        yield open_jobs(container.context())


def lines(jobs: Jobs, name: str) -> list[str]:
    return [line.text for line in jobs.logs(name)]


def test_a_job_runs_to_its_end_and_tells_what_it_printed(jobs: Jobs) -> None:
    jobs.submit(job("good", "echo hello"))
    found = jobs.wait("good", timeout=PATIENCE)
    assert (found.phase, found.succeeded, found.failed, found.reason) == ("Succeeded", 1, 0, "")
    assert lines(jobs, "good") == ["hello"]


def test_a_job_that_is_tried_again_is_running_until_it_is_over(jobs: Jobs) -> None:
    jobs.submit(job("bad", "echo trying; exit 3", backoffLimit=1))
    phases = [update.job.phase for update in jobs.follow(name="bad")]
    found = jobs.get("bad")
    assert "Failed" not in phases[:-2]
    assert "Running" in phases
    assert (found.phase, found.over, found.failed, found.reason) == ("Failed", True, 2, "BackoffLimitExceeded")
    assert lines(jobs, "bad") == ["trying"] * 2


def test_one_watch_follows_many_jobs(jobs: Jobs) -> None:
    for number in range(4):
        jobs.submit(job(f"many-{number}", f"exit {number % 2}", backoffLimit=0))
    ends: dict[str, str] = {}
    for update in jobs.follow("app=try"):
        if update.job.over:
            ends[update.job.name] = update.job.phase
        if len(ends) == 4:
            break
    assert ends == {"many-0": "Succeeded", "many-1": "Failed", "many-2": "Succeeded", "many-3": "Failed"}


def test_an_index_that_fails_is_told_from_the_others(jobs: Jobs) -> None:
    indexed = {"completionMode": "Indexed", "completions": 4, "parallelism": 2, "backoffLimitPerIndex": 0}
    jobs.submit(job("indexed", "test $JOB_COMPLETION_INDEX != 2", **indexed))
    found = jobs.wait("indexed", timeout=PATIENCE)
    assert (found.phase, found.completed_indexes, found.failed_indexes) == ("Failed", {0, 1, 3}, {2})


def test_a_deadline_is_the_reason(jobs: Jobs) -> None:
    jobs.submit(job("late", "sleep 60", activeDeadlineSeconds=1))
    found = jobs.wait("late", timeout=PATIENCE)
    assert (found.phase, found.reason) == ("Failed", "DeadlineExceeded")


def test_an_image_that_cannot_be_had_is_why_it_is_pending(jobs: Jobs) -> None:
    wanted = job("no-image")
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "nowhere.example/busybox:does-not-exist"
    jobs.submit(wanted)
    wait_until(lambda: jobs.why_pending("no-image"), "what keeps it pending")
    said = jobs.why_pending("no-image")
    assert said.startswith(("ErrImagePull", "ImagePullBackOff"))
    assert jobs.get("no-image").phase == "Pending"


def test_a_quota_is_why_it_has_no_pod(real_cluster: ClusterSpace, hera: Any, work: Path) -> None:
    """Of a real cluster: the sandbox knows no quotas."""
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    real_cluster.kube.create("{ns}/resourcequotas", quota)
    path = "{ns}/resourcequotas/none"
    real_cluster.kube.until(path, lambda found: (found.get("status") or {}).get("hard"))
    Path("experiment.py").write_text(WAITING)
    told = hera(real_cluster)("run", "--run-id", "r1", "--timeout", "20")
    assert told.code == 12, told.text
    assert "exceeded quota: none" in told.text
    config = str(real_cluster.kubeconfig)
    with build_container(None, environ={}, plugins=loaded(), k8s_config_file=config) as container:
        assert open_jobs(container.context()).why_pending("waiting-r1").startswith("FailedCreate: ")


def test_a_suspended_job_waits_for_being_resumed(jobs: Jobs) -> None:
    jobs.submit(job("later", "echo late", suspend=True))
    reasons: list[str] = []
    for update in jobs.follow(name="later"):
        if update.job.phase == "Suspended" and not reasons:  # its status may change once more before it is resumed
            reasons.append(jobs.why_pending("later"))
            jobs.resume("later")
    assert len(reasons) == 1
    assert reasons[0].startswith("Suspended")
    assert jobs.get("later").phase == "Succeeded"


def test_followed_logs_end_with_the_job(jobs: Jobs) -> None:
    jobs.submit(job("talks", "for n in 1 2 3; do echo $n; sleep 0.2; done"))
    assert [line.text for line in jobs.logs("talks", follow=True)] == ["1", "2", "3"]


def test_a_stopped_job_stays_and_says_so(jobs: Jobs) -> None:
    jobs.submit(job("endless", "sleep 60"))
    for update in jobs.follow(name="endless"):
        if update.job.phase == "Running" and update.job.annotations.get("hera-k8s-utils/stopped") is None:
            jobs.stop("endless")
    found = jobs.get("endless")
    assert (found.phase, found.reason) == ("Failed", "DeadlineExceeded")
    with pytest.raises(RunAlreadyFinished):
        jobs.stop("endless")


def test_a_cancelled_job_is_gone_with_its_pods(jobs: Jobs) -> None:
    jobs.submit(job("cancelled", "sleep 60"))
    kinds = []
    for update in jobs.follow(name="cancelled"):
        kinds.append(update.kind)
        if update.job.phase == "Running":
            jobs.cancel("cancelled")
    assert kinds[-1] == "deleted"
    assert jobs.delete_all("app=try") == 0


def test_jobs_are_shared_between_threads(jobs: Jobs) -> None:
    found: list[Any] = []

    def submit() -> None:
        found.append(jobs.submit(job("shared")))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len({each.uid for each in found}) == 1
    assert len(found) == 8
