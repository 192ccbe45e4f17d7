"""Pods as Argo's controller makes them, on the node of the control plane that is built here: their results are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clusters import ClusterSpace

Json = dict[str, Any]
SOURCE = """
import pathlib
pathlib.Path("/tmp/answer").write_text("42")
print("said")
"""


@pytest.fixture
def own(real_cluster: ClusterSpace) -> ClusterSpace:
    """The control plane that is built here, whose kubelet plays the executor's part."""
    if not real_cluster.server.own:
        pytest.skip("needs the control plane that is built here: elsewhere Argo's own executor reports results")
    return real_cluster


def pod_of_argo(template: Json, *command: str, **environment: str) -> Json:
    """A pod of a workflow's node as Argo 4.1 makes it, as far as its executor and the user's command are concerned."""
    told = {"ARGO_TEMPLATE": json.dumps(template), "ARGO_NODE_ID": "hello-1", **environment}
    env = [{"name": name, "value": value} for name, value in told.items()]
    image = "quay.io/argoproj/argoexec:v4.1.2"
    emissary = ["/var/run/argo/argoexec", "emissary", "--loglevel", "info", "--log-format", "text", "--"]
    mounts = [{"name": "var-run-argo", "mountPath": "/var/run/argo"}]
    main = {"name": "main", "image": "python:3.12-slim", "command": [*emissary, *command], "env": env}
    return {
        "metadata": {
            "name": "hello-1",
            "labels": {"workflows.argoproj.io/workflow": "hello", "workflows.argoproj.io/completed": "false"},
            "annotations": {"workflows.argoproj.io/node-id": "hello-1", "workflows.argoproj.io/node-name": "hello"},
        },
        "spec": {
            "restartPolicy": "Never",
            "initContainers": [{"name": "init", "image": image, "command": ["argoexec", "init"], "env": env}],
            "containers": [
                {"name": "wait", "image": image, "command": ["argoexec", "wait"], "env": env, "volumeMounts": mounts},
                main | {"volumeMounts": mounts},
            ],
            "volumes": [{"name": "var-run-argo", "emptyDir": {}}],
        },
    }


def ended(space: ClusterSpace, pod: Json) -> tuple[str, Json]:
    """The phase of a pod at its end, and the result that was told of it."""
    space.kube.create("{ns}/pods", pod)
    found = space.kube.until("{ns}/pods/hello-1", lambda one: one["status"].get("phase") in ("Succeeded", "Failed"))
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{space.namespace}/workflowtaskresults/hello-1"
    return found["status"]["phase"], space.kube.find(path) or {}


def test_a_scripts_outputs_are_a_task_result(own: ClusterSpace) -> None:
    parameter = {"name": "answer", "valueFrom": {"path": "/tmp/answer"}}
    template = {"name": "hello", "outputs": {"parameters": [parameter]}}
    template["script"] = {"image": "python:3.12-slim", "command": ["python"], "source": SOURCE}
    pod = pod_of_argo(template, "python", "/argo/staging/script", ARGO_INCLUDE_SCRIPT_OUTPUT="true")
    phase, result = ended(own, pod)
    assert phase == "Succeeded"
    assert result["metadata"]["labels"]["workflows.argoproj.io/report-outputs-completed"] == "true"
    assert result["metadata"]["labels"]["workflows.argoproj.io/workflow"] == "hello"
    assert result["outputs"]["result"] == "said"
    assert result["outputs"]["exitCode"] == "0"
    assert [(one["name"], one["value"]) for one in result["outputs"]["parameters"]] == [("answer", "42")]


def test_a_failures_code_is_told_too(own: ClusterSpace) -> None:
    template = {"name": "hello", "container": {"image": "python:3.12-slim", "command": ["python"]}}
    phase, result = ended(own, pod_of_argo(template, "python", "-c", "raise SystemExit(7)"))
    assert phase == "Failed"
    assert result["outputs"] == {"exitCode": "7"}


def test_an_account_that_may_not_report_leaves_no_result(own: ClusterSpace) -> None:
    own.account("silent", [])
    template = {"name": "hello", "container": {"image": "python:3.12-slim", "command": ["python"]}}
    pod = pod_of_argo(template, "python", "-c", "pass")
    pod["spec"]["serviceAccountName"] = "silent"
    phase, result = ended(own, pod)
    assert phase == "Succeeded"
    assert result == {}
    events = own.kube.get("{ns}/events?fieldSelector=involvedObject.name%3Dhello-1")["items"]
    assert any(one["reason"] == "FailedResult" and "forbidden" in one["message"] for one in events)
