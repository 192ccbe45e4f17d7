"""Objects that are created and not run: `check` and `render` take them, and `run` says what to type."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from hera_k8s_cli.main import main
from hera_k8s_sandbox.server.launch import kubeconfig

KINDS = {
    "CronWorkflow": ("cronworkflows", "cronwf"),
    "WorkflowTemplate": ("workflowtemplates", "workflowtemplate"),
    "ClusterWorkflowTemplate": ("clusterworkflowtemplates", "clusterworkflowtemplate"),
}


@pytest.fixture(autouse=True)
def on_sandbox(work: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("kubeconfig").write_text(kubeconfig(sandbox))
    Path("kubeconfig").chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(work / "kubeconfig"))
    monkeypatch.setenv("ARGO_SERVER", sandbox.url)
    monkeypatch.setenv("ARGO_TOKEN", sandbox.token)


def write(kind: str, *, schedule: str = "0 3 * * *", volumes: str = "") -> None:
    schedules = f", schedules=[{schedule!r}]" if kind == "CronWorkflow" else ""
    Path("nightly.py").write_text(
        f"from hera.workflows import Container, ExistingVolume, {kind}\n"
        f"with {kind}(name='nightly', entrypoint='main'{schedules}) as w:\n"
        f"    Container(name='main', image='busybox', command=['true']{volumes})\n"
    )


@pytest.mark.parametrize("engine", ["argo", "kubernetes"])
@pytest.mark.parametrize("kind", KINDS)
def test_check_takes_it(kind: str, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(kind)
    assert main(["check", "nightly.py", "--engine", engine]) == 0
    told = capsys.readouterr().out
    assert f"{engine} accepts it" in told
    assert "1 template" in told


@pytest.mark.parametrize("engine", ["argo", "kubernetes"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_its_pods_need_is_checked(kind: str, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(kind, volumes=", volumes=[ExistingVolume(name='in', claim_name='inputs', mount_path='/in')]")
    assert main(["check", "nightly.py", "--engine", engine]) == 5
    told = capsys.readouterr().out
    assert "✘ claim inputs" in told
    assert "not found in default; wanted by" in told


def test_argo_judges_its_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    write("CronWorkflow", schedule="every night")
    assert main(["check", "nightly.py", "--engine", "argo"]) == 5
    assert "✘ argo accepts it" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["run"], ["run", "--dry-run"], ["run", "--engine", "kubernetes"]])
@pytest.mark.parametrize("kind", KINDS)
def test_run_says_what_to_type(kind: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write(kind)
    assert main([*words, "nightly.py", "-n", "default"]) == 2
    told = capsys.readouterr().err
    assert f"nightly.py is a {kind}, which is created and not run" in told
    assert "-> hera-k8s render nightly.py | kubectl apply" in told
    assert f"-> argo submit -n default --from {KINDS[kind][1]}/nightly" in told
    assert not Path("runs").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_what_render_prints_can_be_created(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(kind)
    main(["run", "nightly.py"])
    hint = next(line for line in capsys.readouterr().err.splitlines() if "render" in line)
    assert main(shlex.split(hint.partition("-> hera-k8s ")[2].partition(" | ")[0])) == 0
    body = yaml.safe_load(capsys.readouterr().out)
    assert (body["kind"], body["metadata"]["name"]) == (kind, "nightly")
    api = client.CustomObjectsApi(config.new_client_from_config("kubeconfig"))
    plural = KINDS[kind][0]
    if kind == "ClusterWorkflowTemplate":
        made = api.create_cluster_custom_object("argoproj.io", "v1alpha1", plural, body)
    else:
        made = api.create_namespaced_custom_object("argoproj.io", "v1alpha1", "default", plural, body)
    assert made["metadata"]["uid"]
