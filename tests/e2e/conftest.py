"""End to end: `hera-k8s` as users type it, on the sandbox, and with `--real` or `--kubeconfig` on a real cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import CommandLine, Told

from clusters import ClusterSpace

TRIAL = """
from hera.workflows import DAG, Workflow, script
from hera_k8s_kube import ConfigMap, PersistentVolumeClaim, Secret
from hera_k8s_utils import Experiment, Inputs


def simulate(rate: float, seed: int, output: str) -> None:
    import os

    print(f"rate {rate}, seed {seed}, steps {os.environ['STEPS']}")
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(output, "out.txt"), "w") as file:
        file.write(f"{rate} {seed}")


def workflow(environment, inputs, layout):
    run_point = script(**environment.task)(simulate)
    with Workflow(entrypoint="sweep") as w:
        with DAG(name="sweep", fail_fast=False):
            run_point(name="points", **inputs.fan_out(output=layout.path))
    return w


experiment = Experiment(
    name="trial",
    inputs=Inputs(parameters={"rate": [0.5, 2.0], "seed": [1, 2]}),
    image="python:3.12-slim",
    requires=[
        PersistentVolumeClaim("results", mount_path="/results", access_mode="ReadWriteMany", size="1Mi"),
        ConfigMap("settings", data={"STEPS": "3"}),
        Secret("salt", generate=["SALT"]),
    ],
    workflow=workflow,
)
"""

Hera = Callable[..., Told]


@pytest.fixture
def trial(work: Path) -> Path:
    """An experiment of four points, in the working directory."""
    path = work / "experiment.py"
    path.write_text(TRIAL)
    return path


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Path | ClusterSpace], Hera]:
    """`hera(space)("check", ...)` runs a command as the administrator; `hera(kubeconfig)` as the file's user."""

    def at(where: Path | ClusterSpace) -> Hera:
        config = where if isinstance(where, Path) else where.kubeconfig
        line = CommandLine(capsys)

        def run(command: str, *words: str) -> Told:
            return line(command, *words, "--k8s-config-file", str(config))

        return run

    return at


@pytest.fixture
def hera_argo(work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hera]:
    """`hera_argo(space)` is `hera(space)` through the Argo server; skips the test where there is none."""

    def at(space: ClusterSpace) -> Hera:
        argo = space.argo
        monkeypatch.setenv("ARGO_TOKEN", argo.token)
        monkeypatch.setenv("ARGO_NAMESPACE", space.namespace)
        line = CommandLine(capsys, argo.token)

        def run(command: str, *words: str) -> Told:
            return line(command, *words, "--k8s-config-file", str(space.kubeconfig), "--argo-server", argo.url)

        return run

    return at
