"""Jobs in the sandbox: their pods run as processes, are retried, held to deadlines, and cleaned away."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_api import Api, make_namespace

from hera_k8s_sandbox.admission import job_indexes
from hera_k8s_sandbox.apiserver.protobuf import decoder
from hera_k8s_sandbox.foundation import files
from hera_k8s_sandbox.server import launch

Json = dict[str, Any]


@pytest.fixture
def api(sandbox) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def space(api: Api) -> str:
    """A namespace of the test's own."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    make_namespace(api, name)
    return name


def job(command: str, name: str = "one", **spec: Any) -> Json:
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", command]}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    pod |= spec.pop("pod", {})
    return {"metadata": {"name": name}, "spec": {"template": {"spec": pod}, **spec}}


def jobs(space: str) -> str:
    return f"/apis/batch/v1/namespaces/{space}/jobs"


def eventually(condition: Callable[[], bool], what: str = "") -> None:
    ends_at = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends_at, what
        time.sleep(0.02)


def status(api: Api, space: str, name: str = "one") -> Json:
    return dict(api.get(f"{jobs(space)}/{name}")["status"])


def conditions(api: Api, space: str, name: str = "one") -> list[str]:
    return [one["type"] for one in status(api, space, name).get("conditions") or () if one["status"] == "True"]


def run(api: Api, space: str, body: Json) -> Json:
    """Make a job, wait for its end, and return its status."""
    api.create(jobs(space), body)
    name = body["metadata"]["name"]
    eventually(lambda: {"Complete", "Failed"} & set(conditions(api, space, name)) != set(), "the job to end")
    return status(api, space, name)


def pods(api: Api, space: str) -> list[Json]:
    return list(api.get(f"/api/v1/namespaces/{space}/pods")["items"])


def logs(api: Api, space: str) -> list[str]:
    texts = [
        api.send("GET", f"/api/v1/namespaces/{space}/pods/{one['metadata']['name']}/log").text
        for one in pods(api, space)
    ]
    return sorted(text.strip() for text in texts)


def test_a_job_runs_and_its_pod_stays_with_its_log(api: Api, space: str) -> None:
    done = run(api, space, job("echo hello"))
    assert done["succeeded"] == 1
    assert conditions(api, space) == ["SuccessCriteriaMet", "Complete"]
    assert logs(api, space) == ["hello"]


def test_each_index_knows_its_number(api: Api, space: str) -> None:
    done = run(api, space, job("echo $JOB_COMPLETION_INDEX", completionMode="Indexed", completions=5, parallelism=2))
    assert (done["completedIndexes"], done["succeeded"]) == ("0-4", 5)
    assert logs(api, space) == ["0", "1", "2", "3", "4"]


def test_what_fails_is_tried_again_until_the_limit(api: Api, space: str) -> None:
    done = run(api, space, job("exit 3", backoffLimit=1))
    assert done["failed"] == 2
    assert done["conditions"][-1]["reason"] == "BackoffLimitExceeded"
    codes = [one["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for one in pods(api, space)]
    assert codes == [3, 3]


def test_one_lost_index_leaves_the_others_to_end(api: Api, space: str) -> None:
    body = job(
        "test $JOB_COMPLETION_INDEX != 2",
        completionMode="Indexed",
        completions=4,
        parallelism=4,
        backoffLimitPerIndex=0,
    )
    done = run(api, space, body)
    assert (done["completedIndexes"], done["failedIndexes"]) == ("0,1,3", "2")
    assert done["conditions"][-1]["reason"] == "FailedIndexes"


def test_a_deadline_ends_what_runs(api: Api, space: str) -> None:
    done = run(api, space, job("sleep 60", activeDeadlineSeconds=1))
    assert done["conditions"][-1]["reason"] == "DeadlineExceeded"
    assert pods(api, space) == []


def test_a_container_that_fails_may_be_started_again_in_its_pod(api: Api, space: str) -> None:
    done = run(api, space, job("exit 1", pod={"restartPolicy": "OnFailure"}, backoffLimit=1))
    assert done["conditions"][-1]["reason"] == "BackoffLimitExceeded"


def test_suspending_a_job_ends_its_pods_and_resuming_makes_new_ones(api: Api, space: str) -> None:
    api.create(jobs(space), job("sleep 60"))
    eventually(lambda: status(api, space).get("ready") == 1, "the pod to run")
    assert api.patch(f"{jobs(space)}/one", {"spec": {"suspend": True}}).ok
    eventually(lambda: pods(api, space) == [], "the pod to go")
    assert conditions(api, space) == ["Suspended"]
    assert api.patch(f"{jobs(space)}/one", {"spec": {"suspend": False}}).ok
    eventually(lambda: status(api, space).get("ready") == 1, "another pod to run")


def test_a_job_that_has_ended_goes_with_its_pods_after_its_time(api: Api, space: str) -> None:
    api.create(jobs(space), job("true", ttlSecondsAfterFinished=0))
    eventually(lambda: api.send("GET", f"{jobs(space)}/one").status_code == 404, "the job to go")
    eventually(lambda: pods(api, space) == [], "its pod to go")


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_deleting_a_job_ends_its_processes(api: Api, space: str, policy: str, tmp_path: Path) -> None:
    api.create(jobs(space), job("sleep 60"))
    eventually(lambda: status(api, space).get("ready") == 1, "the pod to run")
    assert api.send("DELETE", f"{jobs(space)}/one", {"propagationPolicy": policy}).ok
    eventually(lambda: pods(api, space) == [], "its pod to go")
    assert api.send("GET", f"{jobs(space)}/one").status_code == 404


def test_a_namespace_goes_with_the_jobs_in_it(api: Api, space: str) -> None:
    api.create(jobs(space), job("sleep 60"))
    eventually(lambda: status(api, space).get("ready") == 1, "the pod to run")
    assert api.send("DELETE", f"/api/v1/namespaces/{space}").ok
    eventually(lambda: api.send("GET", f"/api/v1/namespaces/{space}").status_code == 404, "the namespace to go")


def test_jobs_go_on_after_a_restart(tmp_path: Path) -> None:
    with launch.running(tmp_path) as address:
        api = Api(address.url, address.token)
        api.create(jobs("default"), job("sleep 0.3", completions=3))
        eventually(lambda: status(api, "default").get("succeeded", 0) >= 1, "the first success")
    with launch.running(tmp_path) as address:
        api = Api(address.url, address.token)
        eventually(lambda: "Complete" in conditions(api, "default"), "the job to end")
        assert status(api, "default")["succeeded"] == 3


def test_a_running_job_keeps_the_sandbox_up(tmp_path: Path) -> None:
    with launch.running(tmp_path, until_idle=1.0) as address:
        Api(address.url, address.token).create(jobs("default"), job("sleep 1.5; exit 1", backoffLimit=1))
        eventually(lambda: not (tmp_path / files.SERVER).exists(), "the server to end by itself")
    with launch.running(tmp_path) as address:
        api = Api(address.url, address.token)
        assert conditions(api, "default") == ["FailureTarget", "Failed"]
        codes = [
            one["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for one in pods(api, "default")
        ]
        assert codes == [1, 1]


def test_cron_jobs_are_refused_by_name(api: Api) -> None:
    answer = api.send("GET", "/apis/batch/v1/namespaces/default/cronjobs")
    assert answer.status_code == 501
    assert "cronjobs" in answer.json()["message"]


@pytest.mark.needs("kubectl")
def test_kubectl_creates_a_job_and_shows_it(sandbox, api: Api, space: str, tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(launch.kubeconfig(sandbox, namespace=space))
    environment = os.environ | {"KUBECONFIG": str(config), "KUBECACHEDIR": str(tmp_path / "cache")}

    def kubectl(*words: str) -> str:
        done = subprocess.run(
            ["kubectl", *words], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert not done.returncode, done.stderr
        return done.stdout

    assert (
        kubectl("create", "job", "one", "--image=busybox", "--", "sh", "-c", "echo hello") == "job.batch/one created\n"
    )
    kubectl("wait", "--for=condition=complete", "job/one", "--timeout=20s")
    assert kubectl("logs", "job/one").strip() == "hello"
    assert kubectl("get", "jobs").splitlines()[0].split() == ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"]
    assert kubectl("get", "jobs").splitlines()[1].split()[:3] == ["one", "Complete", "1/1"]
    assert "Completed" in kubectl("describe", "job", "one")
    kubectl("delete", "job", "one")
    eventually(lambda: pods(api, space) == [], "its pod to go")


def test_a_field_that_is_not_read_from_protobuf_is_refused() -> None:
    def field(number: int, value: bytes) -> bytes:
        tag = number << 3 | 2
        head = bytes([tag]) if tag < 0x80 else bytes([tag & 0x7F | 0x80, tag >> 7])
        return head + bytes([len(value)]) + value

    def body(pod: bytes) -> bytes:
        raw = field(1, field(1, b"one")) + field(2, field(6, field(2, pod)))
        return b"k8s\x00" + field(1, field(1, b"batch/v1") + field(2, b"Job")) + field(2, raw)

    container = field(2, field(1, b"main") + field(2, b"busybox"))
    read = decoder.decode(body(container))["spec"]["template"]["spec"]
    assert read == {"containers": [{"name": "main", "image": "busybox"}]}
    with pytest.raises(decoder.ProtobufError, match="field 18 of a PodSpec"):
        decoder.decode(body(container + field(18, b"affinity")))


indexes = st.sets(st.integers(min_value=0, max_value=60))


@given(indexes)
def test_indexes_are_written_and_read(wanted: set[int]) -> None:
    assert job_indexes.parse_indexes(job_indexes.format_indexes(wanted), 100) == wanted
    assert job_indexes.count_indexes(job_indexes.format_indexes(wanted), 100) == len(wanted)


@given(indexes, st.integers(min_value=0, max_value=20))
def test_free_indexes_are_the_first_that_are_not_taken(taken: set[int], count: int) -> None:
    free = job_indexes.first_missing(taken, count, 50)
    assert free == [index for index in range(50) if index not in taken][:count]


@pytest.mark.parametrize("text", ["1,0", "3-1", "1-2-3", "a", "100", "0,,1", "-1"])
def test_indexes_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"order|index|fragment"):
        job_indexes.count_indexes(text, 100)
