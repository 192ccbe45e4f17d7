"""On a real API server with its controllers: objects are admitted, the rights suffice, deletion leaves nothing.

There is no controller of Argo's: tasks are done here by kubectl as the account of the workflows, in the order of the
graph. Pods run by the kubelet of the tests, which has none of Arkouda's programs: short scripts take the place of the
launch scripts. `pytest --real` builds the control plane.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from arkouda_contract import DEPLOYMENT, SUBJECTS, VALUES, filled, objects, tasks, waits_for
from arkouda_support import README_VARIABLES, Command
from hera_k8s_arkouda import launch
from hera_k8s_arkouda.install import installation
from hera_k8s_arkouda.permissions import account_objects, in_namespace
from hera_k8s_arkouda.templates import template_bodies
from hera_k8s_arkouda.workflows import cron_workflow, workflow
from machine import require

from hera_k8s_utils import Manifest

Json = dict[str, Any]

pytestmark = pytest.mark.timeout(300)

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


READY = 'touch "${TMPDIR:-/tmp}/arkouda-locale-ready"\ntrap "exit 0" TERM\nsleep 600 & wait\n'
"""In place of a launch script."""


@dataclass(frozen=True)
class Cluster:
    """A namespace of the real cluster, and kubectl in it. values: of the templates' parameters."""

    space: Any
    values: dict[str, str]

    def kubectl(
        self, *words: str, body: Any = None, token: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """kubectl in the namespace, as the administrator or with a token."""
        access = self.space.server.access
        who = ["--server", access.url, "--certificate-authority", str(access.verify), "--token", token] if token else []
        config = "/dev/null" if token else str(self.space.kubeconfig)
        command = ["kubectl", "--kubeconfig", config, *who, "-n", self.space.namespace, *words]
        given = None if body is None else json.dumps(body)
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 or not check, f"{words}: {done.stderr}"
        return done

    def read(self, *words: str) -> Json:
        """The JSON of `kubectl get`."""
        return dict(json.loads(self.kubectl("get", *words, "-o", "json").stdout))

    def token(self) -> str:
        """A token of the workflows' account."""
        return self.kubectl("create", "token", "arkouda-workflows-service-account").stdout.strip()

    def objects(self, template: str, **values: str) -> dict[str, Json]:
        """The objects of a template, by their tasks."""
        return objects(template_bodies()[template], {**self.values, **values})


@pytest.fixture
def cluster(request: pytest.FixtureRequest, real_cluster: Any) -> Cluster:
    """With the accounts, the secrets and the kind ServiceMonitor."""
    require("kubectl", request.config)
    if not real_cluster.server.own:
        pytest.skip("only on the control plane of the tests: a cluster would pull the images of Arkouda")
    found = Cluster(real_cluster, {**VALUES, "arkouda-namespace": real_cluster.namespace})
    found.kubectl("apply", "-f", "-", body=MONITORS)
    found.kubectl("wait", "--for=condition=Established", f"crd/{MONITORS['metadata']['name']}")
    account, token = VALUES["arkouda-serviceaccount-name"], VALUES["arkouda-serviceaccount-token-name"]
    found.kubectl("create", "serviceaccount", account)
    metadata = {"name": token, "annotations": {"kubernetes.io/service-account.name": account}}
    kind = "kubernetes.io/service-account-token"
    found.kubectl("create", "-f", "-", body={"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind})
    found.kubectl("wait", "--for=jsonpath={.data.token}", f"secret/{token}")
    keys = ("--from-literal=id_rsa=-----BEGIN KEY", "--from-literal=id_rsa.pub=ssh-rsa AAAA")
    found.kubectl("create", "secret", "generic", VALUES["arkouda-ssh-secret"], *keys)
    for body in account_objects():
        found.kubectl("apply", "-f", "-", body=in_namespace(body, real_cluster.namespace))
    return found


@pytest.mark.parametrize("template", ["deploy-arkouda-on-kubernetes", "deploy-prometheus-arkouda-exporter"])
def test_the_server_admits_every_object_as_the_account_of_the_workflows(cluster: Cluster, template: str) -> None:
    account = cluster.token()
    for body in cluster.objects(template).values():
        who = "" if body["kind"] == "RoleBinding" else account  # whose role must be there for who may not bind any
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", body=body, token=who)


def test_the_server_admits_installation_workflows_and_schedules(cluster: Cluster) -> None:
    made = [Manifest.of(each).body for each in (*map(workflow, SUBJECTS), cron_workflow(DEPLOYMENT))]
    placed = [in_namespace(dict(each.body), cluster.space.namespace) for each in installation()]
    for body in [*placed, *made]:
        verb = "create" if "generateName" in body["metadata"] else "apply"
        cluster.kubectl(verb, "--dry-run=server", "-f", "-", body=body)


def test_the_command_checks_everything_and_submits(
    cluster: Cluster, arkouda: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody runs the workflow here: it is submitted and left."""
    cluster.kubectl("delete", "role", "arkouda-workflows")
    monkeypatch.setenv("KUBECONFIG", str(cluster.space.kubeconfig))
    variables = README_VARIABLES | {
        "ARKOUDA_NAMESPACE": cluster.space.namespace,
        "ARKOUDA_SERVICEACCOUNT_NAME": VALUES["arkouda-serviceaccount-name"],
        "ARKOUDA_SERVICEACCOUNT_TOKEN_NAME": VALUES["arkouda-serviceaccount-token-name"],
    }
    missing = arkouda("deploy", "--detach", variables=variables)
    assert missing.code == 5
    assert "installed WorkflowTemplate/deploy-arkouda-on-kubernetes" in missing.err
    assert "may not create, delete, get, list, patch, watch configmaps" in missing.err
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
    again = arkouda("install", "--yes", variables=variables)
    assert again.out.count("present") == 7, again.out
    assert arkouda("install", "--yes", "--remove", variables=variables).out.count("remove ") == 7


def test_a_whole_round_leaves_nothing_behind(cluster: Cluster, tmp_path: Path) -> None:
    before, account = everything(cluster), cluster.token()
    template = template_bodies()["deploy-arkouda-on-kubernetes"]
    made, done = cluster.objects("deploy-arkouda-on-kubernetes"), []
    flags = {
        each["name"]: each["resource"].get("flags", ()) for each in template["spec"]["templates"] if "resource" in each
    }

    def apply(task: str, body: Json) -> None:
        cluster.kubectl(
            "apply", *flags[tasks(template)[task]["template"]], "-f", "-", body=runnable(body), token=account
        )

    for task in in_order(waits_for(template)):
        if task == "verify-locale-deployment":
            ready = verify(cluster, tmp_path, seconds=60)
            assert ready.returncode == 0, ready.stderr
            assert "2 of 2 locales are ready" in ready.stdout
        else:
            apply(task, made[task])
        done.append(task)
    assert set(done) == set(tasks(template))
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/ark-server")  # what the task waits for
    for task, body in made.items():  # once more: nothing is changed
        kind, name = body["kind"], body["metadata"]["name"]
        was = version(cluster.read(kind, name))
        apply(task, body)
        assert version(cluster.read(kind, name)) == was
    changed = cluster.objects("deploy-arkouda-on-kubernetes", memory="64Mi")["deploy-arkouda-server"]
    was = version(cluster.read("pod", "ark-server"))
    apply("deploy-arkouda-server", changed)
    assert version(cluster.read("pod", "ark-server")) != was, "a pod that cannot be changed is made anew"
    deletion = template_bodies()["delete-arkouda-on-kubernetes"]
    by_name = {each["name"]: each for each in deletion["spec"]["templates"]}
    for _ in range(2):  # the second time everything is gone already
        for task in tasks(deletion).values():
            resource = by_name[task["template"]]["resource"]
            manifest = yaml.safe_load(filled(resource["manifest"], cluster.values))
            cluster.kubectl("delete", *resource["flags"], "-f", "-", body=manifest, token=account)
    cluster.kubectl("wait", "--for=delete", "pods,replicasets", "-l", "app=ark-locale")
    assert everything(cluster) == before


def test_locales_that_are_not_ready_are_named(cluster: Cluster, tmp_path: Path) -> None:
    made = cluster.objects("deploy-arkouda-on-kubernetes")
    for task in ("create-pod-role", "create-pod-role-binding", "deploy-arkouda-locale"):  # no launch script
        cluster.kubectl("apply", "-f", "-", body=made[task])
    late = verify(cluster, tmp_path, seconds=4)
    assert late.returncode == 1
    pods = cluster.read("pods", "-l", "app=ark-locale")["items"]
    assert sorted(named(late.stderr)) == sorted(pod["metadata"]["name"] for pod in pods)
    assert len(pods) == 2


def test_the_account_may_not_do_more_than_its_tasks(cluster: Cluster) -> None:
    account = cluster.token()
    for words in (("create", "secret"), ("get", "secrets"), ("create", "jobs"), ("delete", "serviceaccounts")):
        assert cluster.kubectl("auth", "can-i", *words, token=account, check=False).stdout.strip() == "no"


def test_a_refused_token_ends_the_verification_and_says_so(cluster: Cluster, tmp_path: Path) -> None:
    done = verify(cluster, tmp_path, seconds=1, token="nobodys-token")
    assert done.returncode == 1
    assert "answered 401" in done.stderr


def runnable(body: Json) -> Json:
    """The object with what a node can run that has none of Arkouda's programs, and little memory."""
    if body["kind"] == "ConfigMap":
        return {**body, "data": {"script": READY}}
    if body["kind"] == "Pod":
        exporter, server = body["spec"]["containers"]
        containers = [{**exporter, "command": ["sleep", "600"]}, server]
        return {**body, "spec": {**body["spec"], "containers": containers, "terminationGracePeriodSeconds": 1}}
    return body


def verify(cluster: Cluster, directory: Path, *, seconds: int, token: str = "") -> subprocess.CompletedProcess[str]:
    """The verification as its pod runs it: with the token and the authority of the mounted secret."""
    data = cluster.read("secret", VALUES["arkouda-serviceaccount-token-name"])["data"]
    (directory / "token").write_bytes(token.encode() if token else base64.b64decode(data["token"]))
    authority = base64.b64decode(data.get("ca.crt", "")) or Path(cluster.space.server.access.verify).read_bytes()
    (directory / "ca.crt").write_bytes(authority)
    environ = {
        **os.environ,
        "K8S_HOST": cluster.space.server.access.url,
        "NAMESPACE": cluster.space.namespace,
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


def version(body: Json) -> tuple[str, int]:
    """What stays as it is while an object's specification does."""
    return body["metadata"]["uid"], body["metadata"].get("generation", 0)


def everything(cluster: Cluster) -> list[str]:
    """The names of all objects that could be left in the namespace."""
    kinds = "deployments,replicasets,pods,services,configmaps,roles,rolebindings,servicemonitors"
    return sorted(cluster.kubectl("get", kinds, "-o", "name").stdout.split())


def named(text: str) -> list[str]:
    """The pods that the verification names."""
    return [line.split(": ")[1] for line in text.splitlines() if line.startswith("not ready: ")]
