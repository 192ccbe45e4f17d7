"""Tasks that cannot run, take too long or are cancelled: each with its cause, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("covalent", reason="needs Covalent: nox -s 'contrib(covalent)'")
pytest.importorskip("covalent_kubernetes_plugin", reason="needs hera-k8s-covalent: nox -s 'contrib(covalent)'")

from cluster_access import wait_until

from hera_k8s_utils import CredentialError, SubmitError

JOBS = "/apis/batch/v1/namespaces/{}/jobs"


@pytest.fixture
def endless() -> Callable[[], None]:
    """A task that is pickled with its code, as those of a script are."""
    return lambda: __import__("time").sleep(300)


@pytest.fixture
def job(each_cluster: Any, dispatcher: Any) -> Callable[..., Any]:
    """The Job of the dispatcher's first task, once it fits."""
    path = f"{JOBS.format(each_cluster.namespace)}/job-{dispatcher.dispatch_id}-0"

    async def until(fits: Callable[[Any], bool]) -> Any:
        return await asyncio.to_thread(each_cluster.kube.until, path, fits)

    return until


def runs(job: Any) -> bool:
    return bool((job.get("status") or {}).get("ready"))


def test_an_image_that_cannot_be_pulled_is_said(dispatcher: Any, executor: Any, nothing_left: Any) -> None:
    from covalent_kubernetes_plugin.errors import TaskPending

    with pytest.raises(TaskPending) as told:
        asyncio.run(dispatcher.run(executor(base_image="unknown.invalid/task:1"), pow, 2, 2))
    assert told.value.found.startswith(("ErrImagePull", "ImagePullBackOff"))
    assert "unknown.invalid/task:1" in str(told.value)


def test_what_keeps_a_task_pending_is_said_when_its_time_is_over(
    dispatcher: Any, executor: Any, nothing_left: Any, tmp_path: Any
) -> None:
    from covalent_kubernetes_plugin.errors import TaskPending

    waits = executor(data_store=f"claim:absent@{tmp_path}", pending_limit=0)
    with pytest.raises(TaskPending, match='persistentvolumeclaim "absent" not found'):
        asyncio.run(dispatcher.run(waits, pow, 2, 2))


def test_a_task_that_takes_too_long_is_ended(dispatcher: Any, executor: Any, endless: Any, nothing_left: Any) -> None:
    from covalent_kubernetes_plugin.errors import TaskTimeout

    with pytest.raises(TaskTimeout, match="its time_limit of 2 s is over"):
        asyncio.run(dispatcher.run(executor(time_limit=2), endless))


def test_a_task_is_cancelled_by_its_handle(
    dispatcher: Any, executor: Any, endless: Any, job: Any, nothing_left: Any
) -> None:
    async def cancelled() -> Any:
        running = asyncio.create_task(dispatcher.run(executor(), endless))
        await job(runs)
        handle = json.loads(dispatcher.handles[0])
        assert await executor()._cancel({"dispatch_id": dispatcher.dispatch_id, "node_id": 0}, handle) is True
        return await running

    result, _, _, status = asyncio.run(cancelled())
    assert (result, status) == (None, "CANCELLED")


def test_a_task_of_another_process_is_cancelled_in_the_namespace_of_its_handle(
    executor: Any, each_cluster: Any, nothing_left: Any
) -> None:
    name = "job-of-another-process"
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "unknown.invalid/x:1"}]}
    body = {"metadata": {"name": name}, "spec": {"template": {"spec": pod}}}
    each_cluster.kube.create(JOBS.format(each_cluster.namespace), body)
    handle = {"job": name, "namespace": each_cluster.namespace}
    assert asyncio.run(executor(namespace="elsewhere")._cancel({"dispatch_id": "d", "node_id": 0}, handle)) is True
    path = f"{JOBS.format(each_cluster.namespace)}/{name}"
    wait_until(lambda: each_cluster.kube.find(path) is None, "the Job to be deleted")


def test_a_task_without_a_handle_is_not_said_to_be_cancelled(executor: Any) -> None:
    assert asyncio.run(executor()._cancel({"dispatch_id": "d", "node_id": 0}, None)) is False


def test_a_job_that_somebody_deletes_is_a_cancelled_task(
    dispatcher: Any, executor: Any, endless: Any, job: Any, each_cluster: Any, nothing_left: Any
) -> None:
    async def deleted() -> Any:
        running = asyncio.create_task(dispatcher.run(executor(), endless))
        found = await job(runs)
        name = f"{JOBS.format(each_cluster.namespace)}/{found['metadata']['name']}"
        await asyncio.to_thread(each_cluster.kube.delete, name, {"propagationPolicy": "Background"})
        return await running

    *_, status = asyncio.run(deleted())
    assert status == "CANCELLED"


def test_a_task_whose_cancelling_was_asked_for_is_not_submitted(
    dispatcher: Any, executor: Any, nothing_left: Any
) -> None:
    dispatcher.cancels = lambda: True
    *_, status = asyncio.run(dispatcher.run(executor(), pow, 2, 2))
    assert (status, dispatcher.handles) == ("CANCELLED", {})


def test_a_dispatcher_that_ends_leaves_nothing_on_the_cluster(
    dispatcher: Any, executor: Any, endless: Any, job: Any, nothing_left: Any
) -> None:
    async def ended() -> None:
        running = asyncio.create_task(dispatcher.run(executor(), endless))
        await job(runs)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(ended())


def test_what_a_killed_server_leaves_goes_with_the_job(
    dispatcher: Any, executor: Any, each_cluster: Any, nothing_left: Any, repository: Path
) -> None:
    source = (
        "import asyncio, sys, time\n"
        "from pathlib import Path\n"
        "from covalent_kubernetes_plugin.k8s import KubernetesExecutor\n"
        "from covalent_tasks import Dispatcher\n"
        "executor = KubernetesExecutor(k8s_config_file=sys.argv[1], vcpu='50m', memory='64Mi')\n"
        "asyncio.run(Dispatcher(Path('.'), dispatch_id=sys.argv[2]).run(executor, time.sleep, 300))\n"
    )
    program = [sys.executable, "-c", source, executor().k8s_config_file, dispatcher.dispatch_id]
    environ = {**os.environ, "PYTHONPATH": str(repository / "tests" / "support")}
    path = f"{JOBS.format(each_cluster.namespace)}/job-{dispatcher.dispatch_id}-0"
    child = subprocess.Popen(program, cwd=dispatcher.directory, env=environ)
    try:
        job = each_cluster.kube.until(path, runs)
        mounted = next(each["secret"] for each in job["spec"]["template"]["spec"]["volumes"] if each["name"] == "task")
        secret = f"{{ns}}/secrets/{mounted['secretName']}"
        each_cluster.kube.until(secret, lambda found: "ownerReferences" in found["metadata"])
    finally:
        child.kill()
        child.wait()
    assert job["spec"]["ttlSecondsAfterFinished"] == 24 * 3600
    each_cluster.kube.delete(path, {"propagationPolicy": "Background"})  # as kubectl deletes
    wait_until(lambda: each_cluster.kube.find(secret) is None, "the Secret to go with its Job")


def test_a_job_of_somebody_else_under_the_name_stays(
    dispatcher: Any, executor: Any, each_cluster: Any, nothing_left: Any
) -> None:
    name = f"job-{dispatcher.dispatch_id}-0"
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "unknown.invalid/x:1"}]}
    body = {"metadata": {"name": name}, "spec": {"template": {"spec": pod}}}
    each_cluster.kube.create(JOBS.format(each_cluster.namespace), body)
    with pytest.raises(SubmitError, match="the name is taken"):
        asyncio.run(dispatcher.run(executor(), pow, 2, 2))
    assert each_cluster.kube.find(f"{JOBS.format(each_cluster.namespace)}/{name}") is not None


def test_a_context_that_is_not_there_is_named_with_those_that_are(
    dispatcher: Any, executor: Any, nothing_left: Any
) -> None:
    with pytest.raises(CredentialError, match="has no context minikub") as told:
        asyncio.run(dispatcher.run(executor(k8s_context="minikub"), pow, 2, 2))
    assert told.value.found == "available: here"


def test_a_pickle_of_another_python_is_refused_before_it_is_read(
    dispatcher: Any, executor: Any, nothing_left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from covalent_kubernetes_plugin.errors import TaskFailed

    monkeypatch.setattr("platform.python_version", lambda: "3.8.20")  # as Covalent notes it beside each pickle
    with pytest.raises(TaskFailed, match=r"the task was pickled by Python 3\.8\.20") as told:
        asyncio.run(dispatcher.run(executor(), pow, 2, 2))
    assert told.value.hint == 'base_image = "python:3.8-slim"'


def test_a_missing_right_is_told_and_what_was_created_is_removed(
    dispatcher: Any, executor: Any, each_cluster: Any, nothing_left: Any
) -> None:
    from covalent_tasks import RULES

    config = each_cluster.account("jobless", [rule for rule in RULES if rule["apiGroups"] != ["batch"]])
    with pytest.raises(SubmitError, match="jobless"):
        asyncio.run(dispatcher.run(executor(k8s_config_file=str(config)), pow, 2, 2))


def test_without_the_right_to_watch_tasks_are_asked_one_by_one(
    dispatcher: Any, executor: Any, each_cluster: Any, nothing_left: Any
) -> None:
    from covalent_tasks import RULES

    config = each_cluster.account(
        "blind", [{**rule, "verbs": [verb for verb in rule["verbs"] if verb != "watch"]} for rule in RULES]
    )
    result, *_ = asyncio.run(dispatcher.run(executor(k8s_config_file=str(config)), pow, 2, 2))
    assert result == 4
