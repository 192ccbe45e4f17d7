"""Workflows are stopped, survive the server's end, and leave nothing running behind."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api, claim, make_namespace
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

SLOW = container("slow", "sleep", "300")


@pytest.fixture(scope="module")
def api(sandbox) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def flows(api: Api) -> Workflows:
    return Workflows(api, make_namespace(api, f"t-{uuid.uuid4().hex[:12]}").rpartition("/")[2])


def running(found: dict[str, Any]) -> bool:
    return any(
        node["type"] == "Pod" and node["phase"] == "Running"
        for node in found.get("status", {}).get("nodes", {}).values()
    )


# Stopping


@pytest.mark.parametrize(("verb", "strategy"), [("stop", "Stop"), ("terminate", "Terminate")])
def test_a_workflow_is_stopped(flows: Workflows, verb: str, strategy: str) -> None:
    name = flows.submit(workflow(dag(task("a", "slow"), task("b", "slow", depends="a")), SLOW))
    flows.until(name, running)
    assert flows.api.send("PUT", f"{flows.base}/{name}/{verb}", {}).json()["spec"]["shutdown"] == strategy
    found = flows.finish(name)
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", f"Stopped with strategy '{strategy}'")
    assert nodes(found)["a"]["message"] == f"workflow shutdown with strategy:  {strategy}"
    assert phases(found)["b"] == "Omitted"
    again = flows.api.send("PUT", f"{flows.base}/{name}/{verb}", {})
    assert again.status_code == 400


def test_the_processes_of_a_stopped_workflow_end(flows: Workflows) -> None:
    name = flows.submit(
        workflow(container("main", "trap 'echo asked; exit 5' TERM; echo up; while :; do sleep 0.02; done"))
    )
    flows.until(name, lambda _: "up" in flows.log(name))
    flows.api.send("PUT", f"{flows.base}/{name}/terminate", {})
    assert flows.log(name, **{"logOptions.follow": "true"})[-1:] in (["asked"], ["up"])
    pods = f"/api/v1/namespaces/{flows.namespace}/pods"
    for event in flows.api.watch(f"{pods}?watch=true&timeoutSeconds=20"):
        if event["object"]["status"]["phase"] == "Failed":
            ended = event["object"]["status"]["containerStatuses"][0]["state"]["terminated"]
            assert ended["exitCode"] == 5
            break
    assert flows.log(name) == ["up", "asked"]


def test_deleting_a_workflow_ends_its_pods(flows: Workflows, sandbox) -> None:
    name = flows.submit(workflow(container("main", "sleep 300 & echo $$; wait")))
    flows.until(name, running)
    flows.api.send("DELETE", f"{flows.base}/{name}")
    directory = sandbox.directory / "pods" / flows.namespace / name
    wait_for(lambda: not directory.exists())


def test_a_deleted_pod_is_an_error(flows: Workflows) -> None:
    name = flows.submit(workflow(SLOW))
    flows.until(name, running)
    flows.api.send("DELETE", f"/api/v1/namespaces/{flows.namespace}/pods/{name}")
    found = flows.finish(name)
    assert (found["status"]["phase"], found["status"]["message"]) == ("Error", "pod deleted")


# The server's end


@pytest.fixture(params=MOUNTS)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    from hera_k8s_sandbox.server import launch

    yield tmp_path / "state", request.param
    launch.stop(tmp_path / "state")


def start(home: tuple[Path, str]) -> tuple[Workflows, int]:
    from hera_k8s_sandbox.server import launch

    address = launch.ensure_running(home[0], runner=home[1], concurrency=2, lifetime=120)
    return Workflows(Api(address.url, address.token)), json.loads((home[0] / "server.json").read_text())["pid"]


def wait_for(condition: Any, seconds: float = 20) -> None:
    import time

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def gate(home: tuple[Path, str], marks: Path) -> list[dict[str, Any]]:
    """Tasks that note each start on a claim, and run until the file `open` is there; the first ends at once.

    marks: a path that is in their commands, by which their processes are found.
    """
    command = (
        f": {marks}; "
        "echo {{inputs.parameters.x}} >> /data/started; test {{inputs.parameters.x}} = 0 && exit 0; "
        "while [ ! -e /data/open ]; do sleep 0.02; done; echo {{inputs.parameters.x}} >> /data/done"
    )
    return [
        dag(
            task("t", "one", {"x": "{{item}}"}, withSequence={"count": 4}), task("end", "one", {"x": "9"}, depends="t")
        ),
        container(
            "one",
            command,
            container={"volumeMounts": [{"name": "v", "mountPath": "/data"}]},
            inputs={"parameters": [{"name": "x"}]},
            retryStrategy={"limit": 3},
        ),
    ]


def test_after_kill_9_a_workflow_goes_on_where_it_was(home: tuple[Path, str]) -> None:
    flows, pid = start(home)
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    flows.api.create("/api/v1/namespaces/default/persistentvolumeclaims", claim)
    data = home[0] / "claims" / "default" / "data"
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
    name = flows.submit(workflow(*gate(home, data), volumes=[volume]))
    flows.until(name, lambda found: phases(found).get("t(0:0)") == "Succeeded" if "status" in found else False)
    wait_for(lambda: {"0", "1", "2"} <= set((data / "started").read_text().split()))
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not processes_below(data))

    (data / "open").touch()
    flows, _ = start(home)
    found = flows.finish(name)
    assert found["status"]["phase"] == "Succeeded"
    assert nodes(found)["t(1:1)(0)"]["message"] == "the sandbox was stopped while this pod ran"
    assert phases(found)["t(1:1)(1)"] == "Succeeded"
    assert (data / "started").read_text().split().count("0") == 1
    assert sorted((data / "done").read_text().split()) == ["1", "2", "3", "9"]


def test_a_clean_end_keeps_what_was_known(home: tuple[Path, str]) -> None:
    from hera_k8s_sandbox.server import launch

    flows, _ = start(home)
    ended = flows.run(workflow(container("main", "echo", "kept")))["metadata"]["name"]
    going = flows.submit(workflow(SLOW))
    flows.until(going, running)
    launch.stop(home[0])
    flows, _ = start(home)
    assert flows.get(ended)["status"]["phase"] == "Succeeded"
    assert flows.log(ended) == ["kept"]
    found = flows.finish(going)
    assert (found["status"]["phase"], found["status"]["message"]) == (
        "Failed",
        "the sandbox was stopped while this pod ran",
    )


def processes_below(directory: Path) -> list[str]:
    """Processes that a task of this claim left: those whose command names it and waits for its file."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode()
            except OSError:
                continue
            if str(directory) in command and "/open" in command:
                found.append(command)
    return found


def test_the_server_is_idle_when_all_has_ended(home: tuple[Path, str]) -> None:
    from hera_k8s_sandbox.server import launch

    address = launch.ensure_running(home[0], runner=home[1], until_idle=1, lifetime=60)
    flows = Workflows(Api(address.url, address.token))
    name = flows.submit(workflow(container("main", "sleep", "1.5")))
    flows.api.session.close()
    wait_for(lambda: not (home[0] / "server.json").exists(), 30)
    flows, _ = start(home)
    assert flows.get(name)["status"]["phase"] == "Succeeded"


def test_a_workflow_that_waits_for_what_is_missing_keeps_no_server_up_and_goes_on_later(home: tuple[Path, str]) -> None:
    from hera_k8s_sandbox.server import launch

    address = launch.ensure_running(home[0], runner=home[1], until_idle=1, lifetime=60)
    flows = Workflows(Api(address.url, address.token))
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "late"}}
    name = flows.submit(workflow(container("main", "true", container=mounts), volumes=[volume]))
    flows.api.session.close()
    wait_for(lambda: not (home[0] / "server.json").exists(), 30)

    flows, _ = start(home)
    assert flows.get(name)["status"]["phase"] == "Running"
    flows.api.create("/api/v1/namespaces/default/persistentvolumeclaims", claim("late"))
    assert flows.finish(name)["status"]["phase"] == "Succeeded"


# Objects that come by the Kubernetes API, which takes custom objects as they are

OF_KUBERNETES = "/apis/argoproj.io/v1alpha1/namespaces/{}/workflows"
ONE = {"name": "main", "container": {"image": "busybox", "command": ["true"]}}
DONE = {"labels": {"workflows.argoproj.io/completed": "true"}}


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"spec": "of a film"},
        {"spec": {"entrypoint": "main", "templates": [1]}},
        {"spec": {"entrypoint": "main", "templates": [ONE], "parallelism": "x"}},
        {"spec": {"entrypoint": "main", "templates": [ONE]}, "status": {"phase": "Running", "nodes": 5}},
        {"metadata": DONE},
        {
            "metadata": DONE,
            "spec": {"ttlStrategy": {"secondsAfterCompletion": "soon"}},
            "status": {"phase": "Succeeded", "finishedAt": "never"},
        },
    ],
)
def test_one_strange_object_does_not_stop_the_others(flows: Workflows, strange: dict[str, Any]) -> None:
    metadata = {"name": "strange", **strange.get("metadata", {})}
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}
    flows.api.create(OF_KUBERNETES.format(flows.namespace), {**kind, **strange, "metadata": metadata})
    assert flows.run(workflow(container()))["status"]["phase"] == "Succeeded"
    if "metadata" not in strange:
        assert flows.finish("strange")["status"]["phase"] in ("Failed", "Error")


def test_a_pod_that_lost_its_label_is_as_good_as_deleted(flows: Workflows) -> None:
    name = flows.submit(workflow(SLOW))
    flows.until(name, running)
    without = {"metadata": {"labels": {"workflows.argoproj.io/workflow": None}}}
    assert flows.api.patch(f"/api/v1/namespaces/{flows.namespace}/pods/{name}", without).ok
    assert flows.finish(name)["status"]["message"] == "pod deleted"
    assert flows.run(workflow(container()))["status"]["phase"] == "Succeeded"
