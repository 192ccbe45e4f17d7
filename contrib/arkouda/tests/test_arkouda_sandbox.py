"""Deploy, status, redeploy, delete on the sandbox, with stand-ins for Arkouda's programs; nothing is left behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from arkouda_cluster import (
    INSTANCE,
    NAMESPACE,
    ArkoudaSandbox,
    arkouda_sandbox,
    context_of,
    definition_of,
    kubeconfig_of,
    needs_mounts,
)
from arkouda_support import Command, Told
from page_blocks import the_block

from hera_k8s_utils import Kubernetes, PlatformError

pytestmark = [needs_mounts, pytest.mark.timeout(300)]  # the launch scripts name absolute paths

Json = dict[str, Any]

KINDS = {
    "v1": ["pods", "services", "configmaps"],
    "apps/v1": ["deployments", "replicasets"],
    "rbac.authorization.k8s.io/v1": ["roles", "rolebindings"],
    "monitoring.coreos.com/v1": ["servicemonitors"],
}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArkoudaSandbox]:
    with arkouda_sandbox(tmp_path_factory.mktemp("arkouda")) as found:
        yield found


@pytest.fixture
def kubernetes(box: ArkoudaSandbox) -> Iterator[Kubernetes]:
    with context_of(box) as context:
        yield context.kubernetes


@pytest.fixture
def run(arkouda: Command, box: ArkoudaSandbox, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command, on the sandbox, with the variables of a deployment."""
    for name, value in box.variables.items():
        monkeypatch.setenv(name, value)
    return arkouda


@pytest.fixture
def clean(run: Command, box: ArkoudaSandbox) -> Iterator[None]:
    """Whatever a test deploys is deleted after it."""
    yield
    box.broken.unlink(missing_ok=True)
    assert run("delete", "--yes").code == 0


def left(kubernetes: Kubernetes) -> set[str]:
    """All objects of the kinds that a deployment makes, but for what the installation made and workflows ran in."""
    found = set()
    for api_version, resources in KINDS.items():
        for resource in resources:
            for body in kubernetes.list(api_version, resource):
                labels = body["metadata"].get("labels") or {}
                if "workflows.argoproj.io/workflow" not in labels and body["metadata"]["name"] != "arkouda-workflows":
                    found.add(f"{body['kind']} {body['metadata']['name']}")
    return found


def pod(kubernetes: Kubernetes, name: str = f"{INSTANCE}-server") -> Json:
    return kubernetes.get("v1", "pods", name)


def when(text: str, do: Callable[[subprocess.Popen[str]], None], directory: Path, *words: str) -> Told:
    """The command, with something done as soon as it has said a text."""
    command = [sys.executable, "-m", "hera_k8s_utils", "arkouda", *words]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=directory
    ) as child:
        assert child.stderr is not None
        said = ""
        while text not in said:
            line = child.stderr.readline()
            assert line, said
            said += line
        do(child)
        said += child.stderr.read()
        return Told(child.wait(60), "", said)


def living_pods(kubernetes: Kubernetes) -> list[str]:
    """The names of the locale's pods that are not being deleted."""
    pods = [each["metadata"] for each in kubernetes.list("v1", "pods", label_selector=f"app={INSTANCE}-locale")]
    return [each["name"] for each in pods if "deletionTimestamp" not in each]


def events(told: Told, kind: str) -> list[Json]:
    return [event for line in told.out.splitlines() if (event := json.loads(line))["event"] == kind]


def test_a_whole_life_of_an_instance(run: Command, kubernetes: Kubernetes) -> None:
    before = left(kubernetes)
    told = run("deploy")
    assert told.code == 0, told.err
    assert "namespace arkouda, as sandbox-admin" in told.err, "as whom and where"
    assert "create         Deployment arkouda-on-k8s-locale" in told.out
    assert "✔ create-servicemonitor   17 of 17" in told.err
    for name in (INSTANCE, f"{INSTANCE}-metrics"):
        assert kubernetes.get("v1", "services", name), "the server registers it, by the rights of its account"
    assert "arkouda_server -nl 2" in "\n".join(kubernetes.logs(f"{INSTANCE}-server", container="arkouda-udp-server"))
    monitor = kubernetes.get("monitoring.coreos.com/v1", "servicemonitors", f"{INSTANCE}-servicemonitor")
    assert monitor["metadata"]["labels"]["release"] == "kube-stack"

    status = run("status", "--output", "json")
    assert status.code == 0, status.err
    assert json.loads(status.out)["ready"]

    first = pod(kubernetes)["metadata"]["uid"]
    again = run("deploy")
    assert again.code == 0, again.err
    assert "apply again    Pod arkouda-on-k8s-server" in again.out
    assert pod(kubernetes)["metadata"]["uid"] == first, "what is unchanged is left alone"
    changed = run("deploy", "--arkouda-memory", "48Mi")
    assert changed.code == 0, changed.err
    assert pod(kubernetes)["metadata"]["uid"] != first, "a pod is made anew where it cannot be changed"

    asked = run("delete")
    assert asked.code == 2, "it asks, and there is nobody to ask"
    assert "--yes" in asked.err
    assert pod(kubernetes)
    deleted = run("delete", "--yes", "--output", "json")
    assert deleted.code == 0, deleted.err
    (report,) = events(deleted, "deleted")
    assert len(report["removed"]) == 18
    assert report["gone_before"] == []
    assert left(kubernetes) == before
    once_more = run("delete", "--yes")
    assert once_more.code == 0
    assert f"nothing of {INSTANCE} in {NAMESPACE} exists" in once_more.out
    assert run("status").code == 5


@pytest.mark.usefixtures("clean")
def test_the_readme_s_commands_deploy_and_delete(run: Command) -> None:
    lines = the_block("contrib/arkouda/README.md", "arkouda deploy").hera_k8s
    assert [words[:2] for words in lines] == [["arkouda", each] for each in ("install", "deploy", "status", "delete")]
    for _, *words in lines:
        nobody_answers = ["--yes"] if words[0] == "delete" else []
        told = run(*words, *nobody_answers)
        assert told.code == 0, told.err


@pytest.mark.usefixtures("clean")
def test_locales_that_are_not_ready_are_named_and_a_second_try_goes_on(
    run: Command, box: ArkoudaSandbox, kubernetes: Kubernetes
) -> None:
    box.broken.touch()
    told = run("deploy", "--arkouda-ready-timeout", "4")
    assert told.code == 8
    until = time.monotonic() + 60
    while len(pods := living_pods(kubernetes)) > 1 and time.monotonic() < until:
        time.sleep(0.2)  # an earlier instance's is still to be deleted
    (locale,) = pods
    assert f"not ready: {locale}" in told.err
    assert "0 of 1 locales are ready" in told.err, "what the verification said"
    with pytest.raises(PlatformError):
        pod(kubernetes)
    box.broken.unlink()
    again = run("deploy")
    assert again.code == 0, again.err
    assert "apply again    Deployment arkouda-on-k8s-locale" in again.out
    assert "create         Pod arkouda-on-k8s-server" in again.out

    kubernetes.delete("v1", "services", f"{INSTANCE}-locale-ssh")
    kubernetes.delete("v1", "configmaps", f"{INSTANCE}-server-launch-script")
    deleted = run("delete", "--yes", "--output", "json")
    (report,) = events(deleted, "deleted")
    gone = [f"Service {INSTANCE}-locale-ssh", f"ConfigMap {INSTANCE}-server-launch-script"]
    assert report["gone_before"] == gone
    assert len(report["removed"]) == 16


@pytest.mark.usefixtures("clean")
def test_while_a_deployment_is_under_way_the_same_is_followed_and_others_are_refused(
    run: Command, box: ArkoudaSandbox, kubernetes: Kubernetes, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C the workflow goes on. This one is without metrics: no monitor, no service of metrics."""
    monkeypatch.setenv("ARKOUDA_COLLECT_METRICS", "false")
    box.broken.touch()
    first = when(" of 17", lambda child: child.send_signal(signal.SIGINT), work, "deploy")
    assert first.code == 130
    (submitted,) = re.findall(r"submitted (\S+)", first.err)
    assert f"hera-k8s follow {submitted};" in first.err
    for words in (("delete", "--yes"), ("deploy", "--arkouda-memory", "40Mi")):
        refused = run(*words)
        assert refused.code == 1, refused.err
        assert "another workflow is running" in refused.err
        assert submitted in refused.err
    same = when(f"{submitted} already does the same", lambda _: box.broken.unlink(), work, "deploy")
    assert same.code == 0, same.err
    there = left(kubernetes)
    assert f"Service {INSTANCE}" in there
    assert not there & {f"ServiceMonitor {INSTANCE}-servicemonitor", f"Service {INSTANCE}-metrics"}


@pytest.mark.usefixtures("clean")
def test_whoever_may_only_run_workflows_deploys_and_deletes_all_the_same(
    run: Command, box: ArkoudaSandbox, kubernetes: Kubernetes, tmp_path: Path
) -> None:
    """What may not be seen is said to be unknown, and stops nothing."""
    assert run("install").code == 0
    workflows = {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create", "get", "list", "watch"]}
    path = kubeconfig_of(box, kubernetes, "runner", tmp_path / "kubeconfig", workflows)
    theirs = {"HERA_K8S_SANDBOX": "", "KUBECONFIG": str(path), "KUBERNETES_URL": box.address.url}
    told = run("deploy", variables=theirs)
    assert told.code == 0, told.err
    assert "create or apply Deployment" in told.out
    assert "not ours to look at (403)" in told.err
    status = run("status", variables=theirs)
    assert (status.code, "unknown  Deployment" in status.out) == (5, True)
    gone = run("delete", "--yes", variables=theirs)
    assert gone.code == 0, gone.err
    assert "what existed is unknown" in gone.out
    for name in ("roles", "rolebindings"):
        kubernetes.delete("rbac.authorization.k8s.io/v1", name, "runner")


def test_a_dry_run_shows_everything_and_does_nothing(run: Command, kubernetes: Kubernetes) -> None:
    before = left(kubernetes)
    told = run("deploy", "--dry-run")
    assert told.code == 0
    assert told.out.count("create ") == 16
    assert "locale-ready-timeout-seconds" in told.err
    assert left(kubernetes) == before


def test_on_a_cluster_that_knows_no_monitors_the_rest_is_deleted_unasked(run: Command, kubernetes: Kubernetes) -> None:
    definition = definition_of("ServiceMonitor")
    definitions = ("apiextensions.k8s.io/v1", "customresourcedefinitions")
    service = {"kind": "Service", "metadata": {"name": f"{INSTANCE}-locale-ssh"}, "spec": {"ports": [{"port": 22}]}}
    kubernetes.create("v1", "services", service)
    kubernetes.delete(*definitions, definition["metadata"]["name"], scope="cluster")
    try:
        told = run("delete", "--yes")
    finally:
        kubernetes.create(*definitions, definition, scope="cluster")
    assert told.code == 0, told.err
    assert "the cluster does not have this kind" in told.err
    assert f"removed Service {INSTANCE}-locale-ssh" in told.out
    assert "ServiceMonitor" not in told.out


def test_an_exporter_is_deployed_twice_and_deleted_twice(run: Command, kubernetes: Kubernetes) -> None:
    before = left(kubernetes)
    for _ in range(2):
        told = run("exporter", "deploy", "--arkouda-launcher", "slurm")
        assert told.code == 0, told.err
    monitor = kubernetes.get("monitoring.coreos.com/v1", "servicemonitors", f"{INSTANCE}-exporter-servicemonitor")
    assert monitor["metadata"]["labels"]["launcher"] == "slurm"
    assert monitor["spec"]["endpoints"][0]["interval"] == "15s"
    gone = run("exporter", "delete", "--yes")
    assert gone.code == 0, gone.err
    assert "3 objects" in gone.out
    assert left(kubernetes) == before
    assert "exists" in run("exporter", "delete", "--yes").out


def test_installation_is_repeatable_and_mends_what_was_changed(run: Command, kubernetes: Kubernetes) -> None:
    assert run("install").code == 0
    told = run("install")
    assert told.out.count("present") == 7, told.out
    annotations = {"metadata": {"annotations": {"hera-k8s-arkouda/digest": "another"}}}
    kubernetes.patch("rbac.authorization.k8s.io/v1", "roles", "arkouda-workflows", annotations)
    assert "update Role arkouda-workflows" in run("install", "--dry-run").out
    assert run("install").code == 0
    assert run("install").out.count("present") == 7
    removed = run("install", "--remove")
    assert removed.out.count("remove ") == 7
    assert run("install", "--remove").out.count("absent") == 7


@pytest.mark.usefixtures("clean")
def test_on_a_cluster_of_others_nothing_is_installed_unasked_and_an_argo_server_is_enough(
    run: Command, box: ArkoudaSandbox
) -> None:
    kubeconfig = Path(box.variables["HERA_K8S_SANDBOX_DIR"]) / "kubeconfig"
    theirs = {"HERA_K8S_SANDBOX": "", "KUBECONFIG": str(kubeconfig), "KUBERNETES_URL": box.address.url}
    run("install", "--remove")
    told = run("deploy", variables=theirs)
    assert told.code == 5
    assert "hera-k8s arkouda install" in told.err
    assert run("install", variables=theirs).code == 2, "it asks, and there is nobody to ask"
    assert run("install", "--yes", variables=theirs).code == 0

    token = f"Bearer {box.address.token}"
    argo = theirs | {"KUBECONFIG": "/dev/null", "ARGO_SERVER": box.address.url, "ARGO_TOKEN": token}
    told = run("deploy", variables=argo)
    assert told.code == 0, told.err
    assert "create or apply Deployment" in told.out
    gone = run("delete", "--yes", variables=argo)
    assert gone.code == 0, gone.err
    assert "what existed is unknown" in gone.out
