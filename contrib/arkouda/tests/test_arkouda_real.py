"""On a real API server with its controllers: objects are admitted, the rights suffice, deletion leaves nothing.

There is neither Argo's controller nor a kubelet: tasks are done here by kubectl as the account of the workflows, in the
order of the graph, and the status of pods is written by hand.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hera_k8s_arkouda import launch
from hera_k8s_arkouda.install import installation
from hera_k8s_arkouda.rights import account_objects, in_namespace
from hera_k8s_arkouda.templates import template_bodies
from hera_k8s_arkouda.workflows import cron_workflow, workflow

from hera_k8s_utils import Manifest

from .conftest import README_VARIABLES, Command
from .contract import VALUES, filled, objects, tasks, waits_for
from .test_arkouda_templates import DEPLOYMENT, SUBJECTS

Json = dict[str, Any]

NAMESPACE = VALUES["arkouda-namespace"]
MONITORS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"kind": "ServiceMonitor", "plural": "servicemonitors", "singular": "servicemonitor"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


class Cluster(NamedTuple):
    """A control plane: where, and kubectl on it."""

    url: str
    ca: Path
    kubeconfig: Path

    def kubectl(
        self, *words: str, body: Any = None, token: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """kubectl in the namespace, as the administrator or with a token."""
        who = ["--server", self.url, "--certificate-authority", str(self.ca), "--token", token] if token else []
        config = "/dev/null" if token else str(self.kubeconfig)
        command = ["kubectl", "--kubeconfig", config, *who, "-n", NAMESPACE, *words]
        given = None if body is None else json.dumps(body)
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 or not check, f"{words}: {done.stderr}"
        return done

    def read(self, *words: str) -> Json:
        """The JSON of `kubectl get`."""
        return dict(json.loads(self.kubectl("get", *words, "-o", "json").stdout))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane of our own, where one was built, with the namespace, the accounts and the secrets."""
    controlplane = pytest.importorskip("controlplane", reason="the support of the project's tests is not in sight")
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    if not controlplane.built():
        pytest.skip("no control plane was built on this machine (pytest tests/conformance --real builds one)")
    directory = tmp_path_factory.mktemp("real")
    users = directory / "users.csv"
    users.write_text('admins-token,admin,1,"system:masters"\n', encoding="ascii")
    with controlplane.running(users) as plane:
        found = Cluster(plane.url, plane.ca, plane.kubeconfig)
        found.kubectl("create", "namespace", NAMESPACE)
        found.kubectl("create", "-f", "-", body=MONITORS)
        found.kubectl("wait", "--for=condition=Established", f"crd/{MONITORS['metadata']['name']}")
        found.kubectl("create", "serviceaccount", VALUES["arkouda-serviceaccount-name"])
        annotations = {"kubernetes.io/service-account.name": VALUES["arkouda-serviceaccount-name"]}
        metadata = {"name": VALUES["arkouda-serviceaccount-token-name"], "annotations": annotations}
        kind = "kubernetes.io/service-account-token"
        found.kubectl(
            "create", "-f", "-", body={"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind}
        )
        found.kubectl("wait", "--for=jsonpath={.data.token}", f"secret/{VALUES['arkouda-serviceaccount-token-name']}")
        keys = ("--from-literal=id_rsa=-----BEGIN KEY", "--from-literal=id_rsa.pub=ssh-rsa AAAA")
        found.kubectl("create", "secret", "generic", VALUES["arkouda-ssh-secret"], *keys)
        for body in account_objects():
            found.kubectl("apply", "-f", "-", body=in_namespace(body, NAMESPACE))
        yield found


@pytest.fixture
def account(cluster: Cluster) -> str:
    """A token of the workflows' account."""
    return cluster.kubectl("create", "token", "arkouda-workflows-service-account").stdout.strip()


@pytest.mark.parametrize("template", ["deploy-arkouda-on-kubernetes", "deploy-prometheus-arkouda-exporter"])
def test_the_server_admits_every_object_as_the_account_of_the_workflows(
    cluster: Cluster, account: str, template: str
) -> None:
    for body in objects(template_bodies()[template]).values():
        who = "" if body["kind"] == "RoleBinding" else account  # whose role must be there for who may not bind any
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", body=body, token=who)


def test_the_server_admits_installation_workflows_and_schedules(cluster: Cluster) -> None:
    made = [Manifest.of(each).body for each in (*map(workflow, SUBJECTS), cron_workflow(DEPLOYMENT))]
    for body in [*(in_namespace(dict(each.body), NAMESPACE) for each in installation()), *made]:
        verb = "create" if "generateName" in body["metadata"] else "apply"
        cluster.kubectl(verb, "--dry-run=server", "-f", "-", body=body)


def test_the_command_checks_everything_and_submits(
    cluster: Cluster, arkouda: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody runs the workflow here: it is submitted and left."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    variables = README_VARIABLES | {
        "ARKOUDA_SERVICEACCOUNT_NAME": VALUES["arkouda-serviceaccount-name"],
        "ARKOUDA_SERVICEACCOUNT_TOKEN_NAME": VALUES["arkouda-serviceaccount-token-name"],
    }
    missing = arkouda("deploy", "--detach", variables=variables)
    assert missing.code == 5
    assert "installed WorkflowTemplate/deploy-arkouda-on-kubernetes" in missing.err
    assert arkouda("install", "--yes", variables=variables).code == 0
    told = arkouda("deploy", "--detach", "--output", "json", variables=variables)
    assert told.code == 0, told.err
    events = [json.loads(line) for line in told.out.splitlines()]
    (checked,) = [event for event in events if event["event"] == "checked"]
    verdicts = {check["title"]: check["verdict"] for check in checked["checks"]}
    for title in ("account arkouda-account", "token secret arkouda-token", "ssh secret arkouda-ssh-keys"):
        assert verdicts[title] == "passed", verdicts
    assert verdicts["definition ServiceMonitor"] == "passed"
    rights = {title: verdict for title, verdict in verdicts.items() if title.startswith("account arkouda-workflows")}
    assert len(rights) > 6
    assert set(rights.values()) == {"passed"}
    (submitted,) = [event["workflow"] for event in events if event["event"] == "submitted"]
    assert cluster.read("workflow", submitted)["spec"]["workflowTemplateRef"]["name"] == "deploy-arkouda-on-kubernetes"
    cluster.kubectl("delete", "workflow", submitted)
    again = arkouda("install", "--yes", variables=variables)
    assert again.out.count("present") == 7, again.out
    assert arkouda("install", "--yes", "--remove", variables=variables).code == 0
    assert arkouda("install", "--yes", variables=variables).code == 0, "the account is needed by the other tests"


def test_a_whole_round_leaves_nothing_behind(cluster: Cluster, account: str, tmp_path: Path) -> None:
    before = everything(cluster)
    template = template_bodies()["deploy-arkouda-on-kubernetes"]
    made, done = objects(template), []
    for task in in_order(waits_for(template)):
        if task == "verify-locale-deployment":
            late = verify(cluster, tmp_path, seconds=2)
            assert late.returncode == 1
            pods = wait_for_pods(cluster, 2)
            assert sorted(named(late.stderr)) == sorted(pod["metadata"]["name"] for pod in pods)
            make_ready(cluster, pods)
            ready = verify(cluster, tmp_path, seconds=60)
            assert ready.returncode == 0, ready.stderr
            assert "2 of 2 locales are ready" in ready.stdout
        else:
            cluster.kubectl("apply", "-f", "-", body=made[task], token=account)
        done.append(task)
    assert set(done) == set(tasks(template))
    for body in made.values():  # once more: nothing is changed
        kind, name = body["kind"], body["metadata"]["name"]
        was = version(cluster.read(kind, name))
        cluster.kubectl("apply", "--force", "-f", "-", body=body, token=account)
        assert version(cluster.read(kind, name)) == was
    changed = objects(template, {"memory": "1Gi"})["deploy-arkouda-server"]
    was = version(cluster.read("pod", "ark-server"))
    cluster.kubectl("apply", "--force", "-f", "-", body=changed, token=account)
    assert version(cluster.read("pod", "ark-server")) != was, "a pod that cannot be changed is made anew"
    deletion = template_bodies()["delete-arkouda-on-kubernetes"]
    by_name = {each["name"]: each for each in deletion["spec"]["templates"]}
    for _ in range(2):  # the second time everything is gone already
        for task in tasks(deletion).values():
            resource = by_name[task["template"]]["resource"]
            manifest = yaml.safe_load(filled(resource["manifest"]))
            cluster.kubectl("delete", *resource["flags"], "--wait=false", "-f", "-", body=manifest, token=account)
    remove_bound_pods(cluster)
    assert everything(cluster) == before


def test_the_account_may_not_do_more_than_its_tasks(cluster: Cluster, account: str) -> None:
    for words in (("create", "secret"), ("get", "secrets"), ("create", "jobs"), ("delete", "serviceaccounts")):
        assert cluster.kubectl("auth", "can-i", *words, token=account, check=False).stdout.strip() == "no"


def test_a_refused_token_ends_the_verification_and_says_so(cluster: Cluster, tmp_path: Path) -> None:
    done = verify(cluster, tmp_path, seconds=1, token="nobodys-token")
    assert done.returncode == 1
    assert "answered 401" in done.stderr


def verify(cluster: Cluster, directory: Path, *, seconds: int, token: str = "") -> subprocess.CompletedProcess[str]:
    """The verification as its pod runs it: with the token and the authority of the mounted secret."""
    data = cluster.read("secret", VALUES["arkouda-serviceaccount-token-name"])["data"]
    for key in ("token", "ca.crt"):
        (directory / key).write_bytes(base64.b64decode(data[key]))
    authority = (directory / "ca.crt").read_text(encoding="ascii")
    (directory / "ca.crt").write_text(authority or cluster.ca.read_text(encoding="ascii"), encoding="ascii")
    if token:
        (directory / "token").write_text(token, encoding="ascii")
    environ = {
        **os.environ,
        "K8S_HOST": cluster.url,
        "NAMESPACE": NAMESPACE,
        "APP_NAME": "ark-locale",
        "LOCALES": "2",
        "TIMEOUT_SECONDS": str(seconds),
        "SA_DIRECTORY": str(directory),
    }
    script = directory / launch.VERIFY
    script.write_text(launch.source(launch.VERIFY), encoding="utf-8")
    return subprocess.run([sys.executable, str(script)], env=environ, capture_output=True, text=True, timeout=100)


def in_order(waits: dict[str, set[str]]) -> list[str]:
    """Tasks, each after those that it waits for."""
    done: list[str] = []
    while len(done) < len(waits):
        done += [task for task, needs in waits.items() if task not in done and needs <= set(done)]
    return done


def wait_for_pods(cluster: Cluster, number: int) -> list[Json]:
    cluster.kubectl("wait", f"--for=jsonpath={{.status.replicas}}={number}", "deployment/ark-locale")
    return list(cluster.read("pods", "-l", "app=ark-locale")["items"])


def make_ready(cluster: Cluster, pods: list[Json]) -> None:
    """What a kubelet would say of pods whose containers run and whose probe passes."""
    now = "2026-01-01T00:00:00Z"
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    status = {"phase": "Running", "podIP": "10.1.0.1", "conditions": conditions}
    for pod in pods:
        name = pod["metadata"]["name"]
        cluster.kubectl(
            "patch", "pod", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
        )
    cluster.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/ark-locale")


def version(body: Json) -> tuple[str, int]:
    """What stays as it is while an object's specification does."""
    return body["metadata"]["uid"], body["metadata"].get("generation", 0)


def remove_bound_pods(cluster: Cluster) -> None:
    """Where no kubelet is, nobody confirms the end of a pod."""
    cluster.kubectl("delete", "pods", "-l", "app in (ark-locale, ark-server)", "--force", "--grace-period=0")
    cluster.kubectl("wait", "--for=delete", "pods", "-l", "app in (ark-locale, ark-server)")
    cluster.kubectl("wait", "--for=delete", "replicasets", "-l", "app=ark-locale")


def everything(cluster: Cluster) -> list[str]:
    """The names of all objects that could be left in the namespace."""
    kinds = "deployments,replicasets,pods,services,endpointslices,configmaps,roles,rolebindings,servicemonitors"
    return sorted(cluster.kubectl("get", kinds, "-o", "name").stdout.split())


def named(text: str) -> list[str]:
    """The pods that the verification names."""
    return [line.split(": ")[1] for line in text.splitlines() if line.startswith("not ready: ")]
