"""Submitting through a real API server and following by its watch, whoever moves the workflow."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cluster_access import Kube, access_of
from command_line import Told, record

from clusters import ClusterSpace, provision

pytestmark = pytest.mark.usefixtures("work")  # runs are recorded in the working directory

Json = dict[str, Any]
Hera = Callable[..., Told]
KUBERNETES = ("--engine", "kubernetes")
LEAST = [
    {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create", "get", "watch"]},
    {"apiGroups": [""], "resources": ["configmaps", "secrets", "persistentvolumeclaims"], "verbs": ["get"]},
]


def workflows(space: ClusterSpace) -> str:
    return f"/apis/argoproj.io/v1alpha1/namespaces/{space.namespace}/workflows"


@pytest.fixture
def unattended(real_cluster: ClusterSpace) -> Iterator[ClusterSpace]:
    """A real cluster on which nobody but the test moves workflows."""
    argo = real_cluster.server.real_argo
    if argo is not None:
        with argo.paused():
            yield real_cluster
            for workflow in real_cluster.kube.get(workflows(real_cluster))["items"]:
                real_cluster.kube.delete(f"{workflows(real_cluster)}/{workflow['metadata']['name']}")
        return
    if not real_cluster.server.without_controller:
        pytest.skip("an Argo controller is at work on this cluster: the test plays its part")
    yield real_cluster


def submit(space: ClusterSpace, hera: Callable[..., Hera], run_id: str) -> tuple[Hera, str]:
    """Provision, and submit as an account with the least rights; its commands, and the workflow's path."""
    provision(space, hera(space))
    at = hera(space.account("researcher", LEAST))
    told = at("run", "--detach", "--run-id", run_id, *KUBERNETES)
    assert told.code == 0, told.text
    assert f"submitted trial-{run_id}" in told.text
    return at, f"{workflows(space)}/trial-{run_id}"


def test_a_run_is_submitted_once_however_often_it_is_asked_for(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    at, path = submit(each_cluster, hera, "once")
    uid = each_cluster.kube.get(path)["metadata"]["uid"]
    again = at("run", "--detach", "--run-id", "once", *KUBERNETES)
    assert again.code == 0, again.text
    assert "trial-once was submitted before" in again.text
    (only,) = each_cluster.kube.get(workflows(each_cluster))["items"]
    assert only["metadata"]["uid"] == uid


def test_many_at_once_make_one_workflow(each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path) -> None:
    from hera_k8s_utils import build_container

    provision(each_cluster, hera(each_cluster))
    config = str(each_cluster.account("researcher", LEAST))
    settings: Json = {"k8s_config_file": config, "engine": "kubernetes", "run_id": "race"}
    with ExitStack() as stack:
        containers = [stack.enter_context(build_container(trial, environ={}, **settings)) for _ in range(8)]
        ready = [(container.engine(), container.experiment()) for container in containers]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda pair: pair[0].submit(pair[1]), ready))
    assert [one.name for one in found] == ["trial-race"] * 8
    assert sorted(one.existed for one in found) == [False] + [True] * 7
    (only,) = each_cluster.kube.get(workflows(each_cluster))["items"]
    assert only["metadata"]["name"] == "trial-race"


def test_a_name_that_another_workflow_has_is_refused(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    spec = {"entrypoint": "main", "suspend": True}
    spec["templates"] = [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}]
    stranger = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "trial-theirs"}}
    each_cluster.kube.create(workflows(each_cluster), stranger | {"spec": spec})
    provision(each_cluster, hera(each_cluster))
    told = hera(each_cluster)("run", "--detach", "--run-id", "theirs", *KUBERNETES)
    assert told.code == 7, told.text
    assert "taken" in told.text


# --- a workflow whose status the test writes -------------------------------------------------------------------


def nodes(path: str, **phases: str) -> Json:
    name = path.rpartition("/")[2]
    made = {}
    for number, (point, phase) in enumerate(phases.items()):
        node_id = f"{name}-{number}"
        made[node_id] = {
            "id": node_id,
            "name": f"{name}.points({point})",
            "displayName": f"points({point})",
            "type": "Pod",
            "templateName": "simulate",
            "templateScope": f"local/{name}",
            "phase": phase,
            "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": None if phase == "Running" else "2026-01-01T00:00:01Z",
        }
    return made


@pytest.fixture
def plays(unattended: ClusterSpace) -> Iterator[Callable[..., None]]:
    """`plays(path, status, status, ...)`: writes one status after the other into a workflow, once it is watched."""
    threads = []

    def begin(path: str, *statuses: Json) -> None:
        def write() -> None:
            for status in statuses:
                unattended.kube.patch(path, {"status": status})

        threads.append(threading.Thread(target=write))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join(30)


def test_a_workflow_is_followed_to_the_end_that_its_controller_writes(
    unattended: ClusterSpace, hera: Callable[..., Hera], plays: Callable[..., None], trial: Path
) -> None:
    at, path = submit(unattended, hera, "played")
    states = [{f"{index}": phase for index in range(4)} for phase in ("Running", "Succeeded")]
    running, done = (nodes(path, **{f"{i}:{i}": phase for i, phase in state.items()}) for state in states)
    begun = {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z", "progress": "0/4"}
    ended = {"phase": "Succeeded", "finishedAt": "2026-01-01T00:00:09Z", "progress": "4/4"}
    plays(path, begun | {"nodes": running}, begun | ended | {"nodes": done})
    told = at("follow", "played", "--output", "json")
    assert told.code == 0, told.text
    last = json.loads(told.out.splitlines()[-1])
    assert (last["event"], last["phase"], last["done"], last["total"]) == ("finished", "Succeeded", 4, 4)
    assert record("played")["outcome"]["phase"] == "Succeeded"


def test_a_failure_that_the_controller_writes_is_the_runs(
    unattended: ClusterSpace, hera: Callable[..., Hera], plays: Callable[..., None], trial: Path
) -> None:
    at, path = submit(unattended, hera, "lost")
    failed = nodes(path, **{"0:0": "Succeeded", "1:1": "Failed"})
    ended = {"phase": "Failed", "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z"}
    plays(path, ended | {"nodes": failed, "message": "child failed"})
    told = at("follow", "lost")
    assert told.code == 8, told.text
    assert "points(1:1)" in told.text or "child failed" in told.text, told.text


def test_a_workflow_that_somebody_deletes_is_said_to_be_gone(
    unattended: ClusterSpace, hera: Callable[..., Hera], trial: Path
) -> None:
    at, path = submit(unattended, hera, "deleted")
    unattended.kube.delete(path)
    told = at("follow", "deleted")
    assert told.code == 8, told.text
    assert "trial-deleted is not on the server, or no longer" in told.text


# --- who one is ------------------------------------------------------------------------------------------------


def test_a_service_accounts_token_is_asked_for_and_opens_the_server(
    each_cluster: ClusterSpace, hera: Callable[..., Hera], work: Path
) -> None:
    from hera_k8s_utils import build_container

    each_cluster.kube.create("{ns}/serviceaccounts", {"metadata": {"name": "bot"}})
    rules = [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"], "resourceNames": ["bot"]}]
    config = each_cluster.account("asker", rules)
    settings: Json = {"k8s_config_file": str(config), "argo_server": each_cluster.server.access.url}
    settings |= {"credentials": ("argo=service-account-token",), "argo_token_account": "bot"}
    with build_container(environ={}, **settings) as container:
        found = container.context().platforms.credential("argo")
    assert found.identity == f"system:serviceaccount:{each_cluster.namespace}:bot"
    bot = Kube(dataclasses.replace(access_of(config), token=found.secret), each_cluster.namespace)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    told = bot.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    assert told["status"]["userInfo"]["username"] == found.identity
