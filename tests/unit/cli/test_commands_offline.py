"""Commands that need no server: render, layout, run --dry-run, runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hera_k8s_cli.main import main

EXPERIMENT = """
from dataclasses import dataclass
from typing import ClassVar

from hera_k8s_kube import ConfigMap, PersistentVolumeClaim
from hera_k8s_utils import Experiment, Inputs


def workflow(environment, inputs, layout):
    call = inputs.fan_out(output=layout.path)
    passed = [{"name": name, "value": value} for name, value in call["arguments"].items()]
    sweep = {"name": "points", "template": "simulate", "withItems": call["with_items"]}
    sweep["arguments"] = {"parameters": passed}
    simulate = {
        "name": "simulate",
        "inputs": {"parameters": [{"name": name} for name in call["arguments"]]},
        "container": {"image": environment.image, "command": ["echo", "{{inputs.parameters.output}}"]},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "trial-"},
        "spec": {"entrypoint": "sweep", "templates": [{"name": "sweep", "dag": {"tasks": [sweep]}}, simulate]},
    }


experiment = Experiment(
    name="trial",
    inputs=Inputs(
        parameters={"rate": [0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "seed": [1, 2]}, constants={"steps": 3}
    ),
    image="busybox",
    requires=[PersistentVolumeClaim("results", mount_path="/results"), ConfigMap("settings", keys=["STEPS"])],
    workflow=workflow,
)
"""


@pytest.fixture
def experiment(work: Path) -> Path:
    path = work / "experiment.py"
    path.write_text(EXPERIMENT)
    return path


def test_render_writes_no_manifest_whose_points_share_a_path(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "--layout", "template:{seed}"]) == 6
    said = capsys.readouterr()
    assert said.out == ""
    assert "two points" in said.err


def test_render_writes_the_manifest_as_yaml(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--run-id", "first", "--registry", "harbor.acme.example/library"]) == 0
    body = yaml.safe_load(capsys.readouterr().out)
    assert body["metadata"]["name"] == "trial-first"
    assert body["spec"]["templates"][1]["container"]["image"] == "harbor.acme.example/library/busybox"


@pytest.mark.parametrize("words", [["--format", "json"], ["--output", "json"]])
def test_render_writes_json_too(experiment: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["render", "--run-id", "first", *words]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["labels"]["hera-k8s-utils/run"] == "first"


def test_the_same_run_renders_the_same(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for _ in range(2):
        assert main(["render", "--run-id", "first"]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_layout_shows_inputs_tree_and_proof(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layout"]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith("trial          16 points: 8 rate x 2 seed   experiment.py")
    assert "Layout hive   /results/trial/<run>" in lines
    assert "  ├─ rate=0.5" in lines
    assert "  ├─ … 3 more" in lines
    assert "  └─ rate=7.0" in lines
    assert "     └─ seed=2" in lines
    assert lines[-1] == "✔ 16 points, 16 paths below /results/trial/<run>"


def test_layout_shows_values_that_would_not_be_seen(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = (
        experiment.read_text().replace('"seed": [1, 2]', '"seed": ["", " x", "y"]').replace('"steps": 3', '"mark": ""')
    )
    experiment.write_text(named)
    assert main(["layout"]) == 0
    out = capsys.readouterr().out
    assert "  seed               '', ' x', y\n" in out
    assert "  mark               ''  (constant)\n" in out


def test_layout_for_programs_holds_every_path(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layout", "--set", "seed=7", "--run-id", "first", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["root"] == "/results/trial/first"
    assert told["proof"]["points"] == 8
    assert told["paths"][0] == "rate=0.5/seed=7"
    assert [each["role"] for each in told["requirements"]] == ["results", "settings"]


def test_layout_can_list_every_path(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layout", "--all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 16


def test_a_layout_that_collides_is_a_build_error(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layout", "--layout", "template:{seed}"]) == 6
    assert "rate" in capsys.readouterr().err


def test_a_dry_run_asks_no_server_and_leaves_no_record(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dry-run", "--bind", "results=vcity-rwx"]) == 0
    out = capsys.readouterr().out
    assert "No server was asked, nothing was submitted." in out
    assert "claim results (vcity-rwx), at /results" in out
    assert "config map settings" in out
    assert not Path("runs").exists()


def test_a_dry_run_for_programs_holds_the_manifest(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dry-run", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is True
    assert told["manifest"]["kind"] == "Workflow"


def test_a_dry_run_fails_on_a_workflow_that_cannot_work(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment.write_text(EXPERIMENT.replace('"template": "simulate"', '"template": "simulat"'))
    assert main(["run", "--dry-run"]) == 5
    assert "simulat" in capsys.readouterr().out


def test_a_run_without_any_cluster_says_how_to_get_one(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 4
    said = capsys.readouterr().err
    assert "--sandbox" in said
    assert not Path("runs").exists()


def test_no_run_yet_is_said(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    assert "no run is recorded here" in capsys.readouterr().err
    assert main(["runs", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("command", ["follow", "logs", "stop"])
def test_without_a_cluster_a_run_that_is_not_recorded_is_said_first(
    command: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "zzz"]) == 4
    told = capsys.readouterr().err
    assert told.startswith("no run is called zzz here, and no cluster is configured\n")
    assert "KUBECONFIG is not set" in told


@pytest.mark.parametrize("command", ["follow", "logs", "stop"])
def test_an_id_that_would_leave_the_directory_is_refused(
    command: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "../../etc/passwd"]) == 2
    assert "not the name of a run" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["follow", "run"])
def test_a_timeout_that_is_no_time_is_refused(
    command: str, experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--timeout", "soon"]) == 2
    assert "duration" in capsys.readouterr().err


def test_modules_of_commands_import_nothing_heavy() -> None:
    code = (
        "import sys, hera_k8s_cli.plugin as c; list(c.commands());"
        "heavy = {'rich', 'hera', 'kubernetes', 'requests', 'aiohttp', 'yaml', 'subprocess'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_render_masks_a_secret_in_the_manifest_and_warns_of_it(
    experiment: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment.write_text(EXPERIMENT.replace('"echo"', '"--token", "tok-5kQ2vX9mLr7WcN4bYh"'))
    monkeypatch.setenv("ARGO_TOKEN", "tok-5kQ2vX9mLr7WcN4bYh")
    assert main(["render"]) == 0
    said = capsys.readouterr()
    assert yaml.safe_load(said.out)["spec"]["templates"][1]["container"]["command"][:2] == ["--token", "<redacted>"]
    assert "the manifest holds a secret" in said.err
    assert "tok-5kQ2" not in said.out + said.err
