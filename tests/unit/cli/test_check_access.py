"""What `check` says of the namespace, and of the right to read logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from hera_k8s_cli.main import main
from hera_k8s_sandbox.server.launch import kubeconfig, running

WORKFLOW = """
from hera.workflows import Container, Workflow
with Workflow(name='hello', entrypoint='main', service_account_name='default') as w:
    Container(name='main', image='busybox', command=['true'])
"""
JOB = """
from hera_k8s_utils import Experiment
def jobs(environment, inputs, layout):
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "hello"},
            "spec": {"template": {"spec": environment.pod(command=["true"])}}}
experiment = Experiment(name="hello", image="busybox", workflow=jobs)
"""
ENGINES = {"kubernetes": WORKFLOW, "jobs": JOB}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A sandbox whose user has one right: to create runs in the namespace `lab`."""
    directory = tmp_path_factory.mktemp("sandbox")
    users = directory / "users.csv"
    users.write_text('token-of-jane,jane,1,"people"\n')
    users.chmod(0o600)
    with running(directory / "state", users=users) as address:
        file = directory / "admin"
        file.write_text(kubeconfig(address))
        api = config.new_client_from_config(str(file))
        client.CoreV1Api(api).create_namespace({"metadata": {"name": "lab"}})
        rules = [
            {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create", "get", "watch"]},
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"]},
        ]
        rbac = client.RbacAuthorizationV1Api(api)
        for name, more in (("runs", rules), ("logs", [])):
            rbac.create_namespaced_role("lab", {"metadata": {"name": name}, "rules": more})
            subject = {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}
            role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
            rbac.create_namespaced_role_binding(
                "lab", {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
            )
        yield address, rbac


def checks(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    main(["check", "run.py", *words, "--output", "json"])
    return {each["title"]: each for each in json.loads(capsys.readouterr().out)["checks"]}


def become(address: Any, monkeypatch: pytest.MonkeyPatch, namespace: str) -> None:
    Path("kubeconfig").write_text(kubeconfig(address, namespace=namespace))
    Path("kubeconfig").chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(Path("kubeconfig").resolve()))


@pytest.mark.parametrize("engine", ENGINES)
def test_who_may_not_read_logs_is_warned(
    server: Any, work: Path, engine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address, rbac = server
    Path("run.py").write_text(ENGINES[engine])
    become(replace(address, token="token-of-jane"), monkeypatch, "lab")
    rbac.patch_namespaced_role("logs", "lab", {"rules": []})
    found = checks(capsys, "--engine", engine)["logs"]
    assert found["verdict"] == "warning"
    assert "may not list pods and get pods/log" in found["detail"]
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    rbac.patch_namespaced_role("logs", "lab", {"rules": [pods]})
    assert "may not get pods/log" in checks(capsys, "--engine", engine)["logs"]["detail"]
    logs = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}
    rbac.patch_namespaced_role("logs", "lab", {"rules": [pods, logs]})
    assert "logs" not in checks(capsys, "--engine", engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_namespace_that_does_not_exist_is_named(
    server: Any, work: Path, engine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("run.py").write_text(ENGINES[engine])
    become(server[0], monkeypatch, "nowhere")
    found = checks(capsys, "--engine", engine)
    assert (found["namespace nowhere"]["verdict"], found["namespace nowhere"]["detail"]) == ("failed", "not found")
    assert found["namespace nowhere"]["hint"] == "kubectl create namespace nowhere    or  -n NAME"
    assert found[f"{engine} accepts it"]["verdict"] == "failed"
    assert found[f"{engine} accepts it"]["detail"] == "namespace nowhere does not exist"


def test_a_namespace_that_may_not_be_read_is_no_matter(
    server: Any, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("run.py").write_text(WORKFLOW)
    become(replace(server[0], token="token-of-jane"), monkeypatch, "lab")
    assert not [title for title in checks(capsys, "--engine", "kubernetes") if title.startswith("namespace")]
