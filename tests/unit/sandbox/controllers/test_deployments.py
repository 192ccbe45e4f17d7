"""Deployments and services of the sandbox, by kubectl and with pods that run."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_api import Api
from sandbox_pods import LOOP, Pods, container, status_of

from hera_k8s_sandbox.server import launch

pytestmark = pytest.mark.needs("kubectl")

Json = dict[str, Any]
Kubectl = Callable[..., str]
LABELS = {"app": "web"}


@pytest.fixture
def pods(sandbox: Any) -> Iterator[Pods]:
    found = Pods(Api(sandbox.url, sandbox.token))
    yield found
    found.api.send("DELETE", f"/apis/apps/v1/namespaces/{found.namespace}/deployments")
    found.api.send("DELETE", f"/apis/apps/v1/namespaces/{found.namespace}/replicasets")
    found.remove()


@pytest.fixture
def kubectl(sandbox: Any, pods: Pods, tmp_path: Path) -> Kubectl:
    """Runs kubectl in the test's namespace; `fails=True` expects a failure and returns what it said."""
    config = tmp_path / "kubeconfig"
    config.write_text(launch.kubeconfig(sandbox, namespace=pods.namespace))
    environment = os.environ | {"KUBECONFIG": str(config), "KUBECACHEDIR": str(tmp_path / "cache")}

    def run(*words: str, stdin: Json | None = None, fails: bool = False) -> str:
        given = "" if stdin is None else json.dumps(stdin)
        done = subprocess.run(
            ["kubectl", *words], env=environment, input=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    return run


def deployment(command: str = LOOP, replicas: int = 2, **spec: Any) -> Json:
    probe = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1, "timeoutSeconds": 10}
    main = container(f"touch /tmp/up; {command}", readinessProbe=probe, ports=[{"containerPort": 8080, "name": "http"}])
    pod = {"containers": [main], "terminationGracePeriodSeconds": 0}
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    body = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": body}


def images(kubectl: Kubectl) -> list[str]:
    return sorted(set(kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}").split()))


def test_a_deployment_is_rolled_out_scaled_and_taken_back(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment())
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    ready = kubectl("get", "deployment", "web", "--no-headers").split()
    assert ready[:4] == ["web", "3/3", "3", "3"]
    kubectl("set", "image", "deployment/web", "main=busybox:1.37")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    assert kubectl("rollout", "history", "deployment/web").count("<none>") == 2
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    kubectl("wait", "--for=jsonpath={.status.terminatingReplicas}=0", "deployment/web", "--timeout=20s")
    assert images(kubectl) == ["busybox"]
    sizes = kubectl("get", "replicasets", "-o", "jsonpath={.items[*].spec.replicas}").split()
    assert sorted(sizes) == ["0", "3"]  # the template that was taken back has its ReplicaSet still


def test_a_rollout_of_what_never_gets_ready_leaves_the_old_pods(kubectl: Kubectl) -> None:
    rolling = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    kubectl("apply", "-f", "-", stdin=deployment(strategy=rolling))
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    broken = deployment(strategy=rolling, progressDeadlineSeconds=2)
    broken["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["exec"]["command"] = ["false"]
    kubectl("apply", "-f", "-", stdin=broken)
    told = kubectl("rollout", "status", "deployment/web", "--timeout=40s", fails=True)
    assert 'deployment "web" exceeded its progress deadline' in told
    status = json.loads(kubectl("get", "deployment", "web", "-o", "json"))["status"]
    assert (status["availableReplicas"], status["updatedReplicas"]) == (2, 1)


def test_all_pods_are_replaced_at_once(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(strategy={"type": "Recreate"}))
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    kubectl("set", "env", "deployment/web", "A=1")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    events = kubectl("get", "events", "-o", "jsonpath={.items[?(@.reason=='ScalingReplicaSet')].message}")
    assert "from 2 to 0" in events
    assert "from 2 to 1" not in events


def test_a_pod_that_is_deleted_comes_again(kubectl: Kubectl, pods: Pods) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=1))
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    name = kubectl("get", "pods", "-o", "name").strip()
    kubectl("delete", name, "--wait=false")
    kubectl("wait", "--for=delete", name, "--timeout=20s")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    (other,) = pods.api.get(pods.path)["items"]
    assert f"pod/{other['metadata']['name']}" != name


@pytest.mark.parametrize("policy", ["background", "foreground"])
def test_what_a_deployment_made_goes_with_it(kubectl: Kubectl, policy: str) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=1))
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    kubectl("delete", "deployment", "web", f"--cascade={policy}", "--timeout=30s")
    kubectl("wait", "--for=delete", "pods", "-l", "app=web", "--timeout=20s")
    assert kubectl("get", "deployments,replicasets,pods", "-o", "name") == ""


def test_endpoints_are_the_pods_that_are_ready(kubectl: Kubectl, pods: Pods) -> None:
    port = {"port": 80, "targetPort": "http"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": LABELS}}
    service["spec"] |= {"ports": [port]}
    kubectl("apply", "-f", "-", stdin=service)
    kubectl("apply", "-f", "-", stdin=deployment())
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{pods.namespace}/endpointslices?watch=true&timeoutSeconds=20"
    for event in pods.api.watch(slices):
        found = event["object"]
        if [one["conditions"]["ready"] for one in found["endpoints"]] == [True, True]:
            break
    assert [one["addresses"] for one in found["endpoints"]] == [["127.0.0.1"], ["127.0.0.1"]]
    assert found["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    assert "127.0.0.1:8080,127.0.0.1:8080" in kubectl("describe", "service", "web")


def test_after_a_restart_of_the_server_the_pods_of_a_deployment_run_again(tmp_path: Path) -> None:
    from hera_k8s_sandbox.server.launch import running

    names: list[set[str]] = []
    for restarts in range(2):
        with running(tmp_path / "state", lifetime=90) as address:
            api = Api(address.url, address.token)
            if restarts == 0:
                api.create("/apis/apps/v1/namespaces/default/deployments", deployment())
            up: set[str] = set()
            for event in api.watch("/api/v1/namespaces/default/pods?watch=true&timeoutSeconds=40"):
                status = status_of(event["object"])
                if status.get("ready") and status["restartCount"] == restarts:
                    up.add(event["object"]["metadata"]["name"])
                if len(up) == 2:
                    break
            names.append(up)
    assert names[0] == names[1]
    assert len(names[0]) == 2
