"""Workflows on Argo itself and on the sandbox: what users read of them is the same.

On a real cluster the controller, the server and the executor are Argo's; there its own command line is asked, too.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from cluster_access import wait_until
from command_line import Told, record

from clusters import ClusterSpace

Json = dict[str, Any]
Hera = Callable[..., Told]

OUTPUTS = """
from hera.workflows import DAG, Parameter, Workflow, script
from hera.workflows.models import ValueFrom
from hera_k8s_utils import Experiment


def workflow(environment, inputs, layout):
    @script(
        outputs=[Parameter(name="rate", value_from=ValueFrom(path="/tmp/rate"))], **environment.task
    )
    def measure():
        with open("/tmp/rate", "w") as file:
            file.write("0.25")
        print("measured")

    @script(**environment.task)
    def refuse():
        raise SystemExit(3)

    @script(**environment.task)
    def report(rate: float, said: str, code: str):
        print(f"rate {rate}, said {said}, code {code}")

    with Workflow(entrypoint="main") as w:
        with DAG(name="main"):
            first = measure()
            second = refuse()
            values = {"rate": first.get_parameter("rate"), "said": first.result, "code": second.exit_code}
            last = report(arguments=values)
            last.depends = "measure && refuse.Failed"
    return w


experiment = Experiment(name="outputs", image="python:3.12-slim", workflow=workflow)
"""

SLEEPER = """
from hera.workflows import Container, Workflow
from hera_k8s_utils import Experiment


def workflow(environment, inputs, layout):
    with Workflow(entrypoint="main") as w:
        Container(
            name="main",
            image="busybox",
            command=["sh", "-c", "trap 'echo asked to end; exit 143' TERM; echo sleeping; sleep 300 & wait"],
        )
    return w


experiment = Experiment(name="sleeper", image="busybox", workflow=workflow)
"""

ARTIFACT: Json = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "artifact"},
    "spec": {
        "entrypoint": "main",
        "templates": [
            {
                "name": "main",
                "steps": [
                    [{"name": "write", "template": "write"}],
                    [
                        {
                            "name": "read",
                            "template": "read",
                            "arguments": {
                                "artifacts": [{"name": "data", "from": "{{steps.write.outputs.artifacts.data}}"}]
                            },
                        }
                    ],
                ],
            },
            {
                "name": "write",
                "container": {"image": "busybox", "command": ["sh", "-c", "mkdir /tmp/d; echo seven > /tmp/d/n"]},
                "outputs": {"artifacts": [{"name": "data", "path": "/tmp/d"}]},
            },
            {
                "name": "read",
                "inputs": {"artifacts": [{"name": "data", "path": "/tmp/got"}]},
                "container": {"image": "busybox", "command": ["cat", "/tmp/got/n"]},
            },
        ],
    },
}

RESOURCE: Json = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "resource"},
    "spec": {
        "entrypoint": "main",
        "templates": [
            {
                "name": "main",
                "resource": {
                    "action": "create",
                    "manifest": json.dumps(
                        {
                            "apiVersion": "v1",
                            "kind": "ConfigMap",
                            "metadata": {"name": "made"},
                            "data": {"rate": "0.5"},
                        }
                    ),
                },
                "outputs": {"parameters": [{"name": "rate", "valueFrom": {"jsonPath": "{.data.rate}"}}]},
            }
        ],
    },
}


@pytest.fixture
def space(each_cluster: ClusterSpace) -> ClusterSpace:
    """A namespace where workflows run."""
    each_cluster.require_controller()
    return each_cluster


def path_of(space: ClusterSpace, name: str = "") -> str:
    return f"/apis/argoproj.io/v1alpha1/namespaces/{space.namespace}/workflows" + (f"/{name}" if name else "")


def ended(space: ClusterSpace, name: str) -> Json:
    """The status of a workflow at its end."""
    final = ("Succeeded", "Failed", "Error")
    over = space.kube.until(
        path_of(space, name), lambda found: (found.get("status") or {}).get("phase") in final, seconds=90
    )
    return dict(over["status"])


def by_display_name(status: Json) -> dict[str, Json]:
    return {node["displayName"]: node for node in status["nodes"].values()}


def pods_of_tasks(space: ClusterSpace, name: str) -> dict[str, str]:
    """The uid of each task's pod."""
    pods = space.kube.get(f"{{ns}}/pods?labelSelector=workflows.argoproj.io%2Fworkflow%3D{name}")["items"]
    label = "workflows.argoproj.io/node-name"
    return {pod["metadata"]["annotations"][label].rpartition(".")[2]: pod["metadata"]["uid"] for pod in pods}


def argo(space: ClusterSpace, *words: str) -> str:
    """What Argo's own command line prints."""
    real = space.server.real_argo
    if real is None:
        pytest.skip("Argo's command line is there with the Argo that the tests start")
    url, token = real.url.removeprefix("http://"), space.argo.token
    env = {"ARGO_SERVER": url, "ARGO_TOKEN": f"Bearer {token}", "ARGO_SECURE": "false", "PATH": "/usr/bin:/bin"}
    env |= {"ARGO_NAMESPACE": space.namespace, "HOME": str(space.directory), "KUBECONFIG": "/dev/null"}
    done = subprocess.run(
        [str(real.programs / "argo"), *words], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_outputs_and_exit_codes_reach_the_next_task(
    space: ClusterSpace, hera_argo: Callable[..., Hera], work: Path
) -> None:
    (work / "experiment.py").write_text(OUTPUTS)
    at = hera_argo(space)
    told = at("run", "--run-id", "one")
    assert record("one")["outcome"]["phase"] == "Succeeded", told.text
    lines = at("logs", "one").out.splitlines()
    assert [line.partition(": ")[2] or line for line in lines if "rate" in line] == ["rate 0.25, said measured, code 3"]
    nodes = by_display_name(ended(space, "outputs-one"))
    assert nodes["measure"]["outputs"]["parameters"][0]["value"] == "0.25"
    assert nodes["measure"]["outputs"]["result"] == "measured"
    assert nodes["refuse"]["outputs"]["exitCode"] == "3"
    assert nodes["refuse"]["phase"] == "Failed"


def test_logs_hold_what_the_task_printed_and_nothing_else(
    space: ClusterSpace, hera_argo: Callable[..., Hera], hera: Callable[..., Hera], work: Path
) -> None:
    (work / "experiment.py").write_text(OUTPUTS)
    hera_argo(space)("run", "--run-id", "two")
    for at, engine in ((hera_argo(space), "argo"), (hera(space), "kubernetes")):
        lines = [line.partition(": ")[2] for line in at("logs", "two", "--engine", engine).out.splitlines()]
        refused = ["Error: exit status 3"] if space.name == "real" else []  # of the executor, as Argo shows it, too
        assert sorted(lines) == [*refused, "measured", "rate 0.25, said measured, code 3"]


def test_a_stopped_run_ends_and_its_task_is_asked_to(
    space: ClusterSpace, hera_argo: Callable[..., Hera], work: Path
) -> None:
    (work / "experiment.py").write_text(SLEEPER)
    at = hera_argo(space)
    assert at("run", "--detach", "--run-id", "long").code == 0
    wait_until(lambda: "sleeping" in at("logs", "long").out, "the task to begin", seconds=60)
    told = at("stop", "long")
    assert told.code == 0, told.text
    status = ended(space, "sleeper-long")
    assert (status["phase"], status["message"]) == ("Failed", "Stopped with strategy 'Stop'")
    assert "asked to end" in at("logs", "long").out


def test_an_artifact_is_handed_on(space: ClusterSpace) -> None:
    space.kube.create(path_of(space), ARTIFACT)
    status = ended(space, "artifact")
    assert status["phase"] == "Succeeded", status
    (read,) = (node for node in status["nodes"].values() if node["displayName"] == "read")
    assert read["outputs"]["exitCode"] == "0"
    pods = space.kube.get("{ns}/pods?labelSelector=workflows.argoproj.io%2Fworkflow%3Dartifact")["items"]
    reader = next(pod for pod in pods if "read" in pod["metadata"]["annotations"]["workflows.argoproj.io/node-name"])
    log = space.kube.send("GET", f"{{ns}}/pods/{reader['metadata']['name']}/log?container=main").text
    assert "seven" in log.splitlines()


def test_an_object_that_a_workflow_creates_is_there(space: ClusterSpace) -> None:
    results = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    space.account("maker", [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "get"]}, results])
    body = json.loads(json.dumps(RESOURCE))
    body["spec"]["serviceAccountName"] = "maker"
    space.kube.create(path_of(space), body)
    status = ended(space, "resource")
    assert status["phase"] == "Succeeded", space.kube.send("GET", "{ns}/pods/resource/log?container=main").text
    assert space.kube.get("{ns}/configmaps/made")["data"] == {"rate": "0.5"}
    (node,) = status["nodes"].values()
    assert node["outputs"]["parameters"][0]["value"] == "0.5"


def test_a_retry_repeats_only_what_failed(space: ClusterSpace, hera_argo: Callable[..., Hera], work: Path) -> None:
    (work / "experiment.py").write_text(OUTPUTS.replace("measure && refuse.Failed", "measure && refuse"))
    at = hera_argo(space)
    assert at("run", "--run-id", "three").code == 8
    nodes = by_display_name(ended(space, "outputs-three"))
    assert [nodes[name]["phase"] for name in ("measure", "refuse", "report")] == ["Succeeded", "Failed", "Omitted"]
    before = pods_of_tasks(space, "outputs-three")
    url = f"{space.argo.url}/api/v1/workflows/{space.namespace}/outputs-three/retry"
    asked = {"namespace": space.namespace, "name": "outputs-three"}
    answer = requests.put(url, json=asked, headers={"Authorization": f"Bearer {space.argo.token}"}, timeout=30)
    assert answer.ok, answer.text
    told = at("follow", "three")
    assert told.code == 8, told.text
    assert ended(space, "outputs-three")["phase"] == "Failed"
    after = pods_of_tasks(space, "outputs-three")
    assert after["measure"] == before["measure"]
    assert after["refuse"] != before["refuse"]


def test_argos_command_line_shows_the_run(space: ClusterSpace, hera_argo: Callable[..., Hera], work: Path) -> None:
    (work / "experiment.py").write_text(OUTPUTS)
    hera_argo(space)("run", "--run-id", "four")
    told = json.loads(argo(space, "get", "outputs-four", "--output", "json"))
    assert told["status"]["phase"] == record("four")["outcome"]["phase"]
    assert "outputs-four" in argo(space, "list", "--output", "name").split()
