"""How commands about runs end: points that fail, records that cannot be kept, time that is up, pods that are gone."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, Told
from sandbox_api import Api

from hera_k8s_utils import build_container, provision
from hera_k8s_utils.plugins.manager import PluginManager

SWEEP = """
from hera.workflows import DAG, RetryStrategy, Workflow, script
from hera_k8s_utils import Experiment, Inputs

def simulate(seed: int, method: str) -> None:
    import sys, time
    print("began", flush=True)
    time.sleep(%(seconds)s)
    if seed == 3:
        raise ValueError("no orbit for seed 3")

def workflow(environment, inputs, layout):
    point = script(retry_strategy=RetryStrategy(limit=1), **environment.task)(simulate)
    with Workflow(entrypoint="sweep", parallelism=2%(more)s) as w:
        with DAG(name="sweep", fail_fast=False):
            point(name="simulate", **inputs.fan_out())
    return w

inputs = Inputs(parameters={"seed": [1, 2, 3], "method": ["plain"]})
experiment = Experiment(name="orbits", inputs=inputs, image="python:3", workflow=workflow)
"""
JOBS = """
from hera_k8s_kube.jobs import indexed_job
from hera_k8s_utils import Experiment, Inputs

def simulate(seed: int) -> None:
    print("done")

def workflow(environment, inputs, layout):
    return indexed_job(environment, inputs, simulate)

experiment = Experiment(name="indexed", inputs=Inputs(parameters={"seed": [1, 2]}), image="python:3", workflow=workflow)
"""
STAGES = """
from hera.workflows import DAG, Container, Parameter, RetryStrategy, Workflow, script
from hera_k8s_utils import Experiment, Inputs

def simulate(seed: int) -> None:
    print("done")

def plot(seed: int) -> None:
    print("drawn")

def workflow(environment, inputs, layout):
    first, last = script(**environment.task)(simulate), script(**environment.task)(plot)
    with Workflow(entrypoint="sweep", parallelism=2) as w:
        second = Container(
            name="analyse",
            inputs=[Parameter(name="seed")],
            command=["sh", "-c", "test {{inputs.parameters.seed}} = 1 || test {{retries}} = 1"],
            retry_strategy=RetryStrategy(limit=2),
            **environment.task,
        )
        with DAG(name="sweep"):
            one = first(name="simulate", **inputs.fan_out())
            one >> second(name="analyse", **inputs.fan_out())
            one >> last(name="plot", when="false", **inputs.fan_out())
    return w

inputs = Inputs(parameters={"seed": [1, 2]})
experiment = Experiment(name="stages", inputs=inputs, image="python:3", workflow=workflow)
"""
Hera = Callable[..., Told]


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str], sandbox: Any) -> Hera:
    flags = ("--sandbox", "--sandbox-dir", str(sandbox.directory))
    command_line = CommandLine(capsys)
    return lambda *words: command_line(*words, *flags)


def sweep(work: Path, *, seconds: float = 0, more: str = "") -> None:
    (work / "experiment.py").write_text(SWEEP % {"seconds": seconds, "more": more})


@pytest.mark.parametrize("engine", ["argo", "kubernetes"])
def test_a_failed_point_is_told_by_its_parameters_with_the_reason(hera: Hera, work: Path, engine: str) -> None:
    sweep(work)
    done = hera("run", "--run-id", f"{engine}-points", "--engine", engine)
    assert done.code == 8, done.text
    assert "2 of 3 points, 1 failed" in done.out
    assert "after a retry" not in done.out
    lines = [line.strip() for line in done.out.splitlines()]
    at = lines.index("1 point of simulate: exit code 1 (2 attempts)")
    assert lines[at + 1 : at + 3] == ["seed=3 method=plain", "| ValueError: no orbit for seed 3"]
    (failed,) = json.loads((work / "runs" / f"{engine}-points" / "outcome.json").read_text())["failed"]
    assert (failed["parameters"], failed["exit_code"]) == ({"seed": "3", "method": "plain"}, 1)


def test_a_later_stage_that_was_retried_and_an_optional_one_that_was_skipped(hera: Hera, work: Path) -> None:
    (work / "experiment.py").write_text(STAGES)
    done = hera("run", "--run-id", "stages")
    assert done.code == 0, done.text
    assert ": 2 of 2 points, 1 after a retry\n" in done.out


@pytest.mark.parametrize(
    "damaged",
    [
        '{"phase": "Failed", "failed": [{"state": []}], "causes": [{"count": {}, "examples": [{"attempts": "x"}]}]}',
        '{"phase": "Succeeded", "seconds": 1e999, "total": 1e999, "counts": {"succeeded": NaN}}',
        '{"phase": ["Failed"], "seconds": "x", "done": [], "total": {}, "unit": 3}',
        '{"phase": "Failed", "seconds": 1%s, "retried": -1e999}' % ("0" * 400),
    ],
    ids=["failed", "infinite", "words", "huge"],
)
def test_a_damaged_outcome_hides_neither_its_run_nor_others(hera: Hera, work: Path, damaged: str) -> None:
    sound = '{"phase": "Succeeded", "seconds": 3.0, "total": 2, "unit": "point", "counts": {"succeeded": 2}}'
    for run, outcome in (("sound", sound), ("harmed", damaged)):
        (work / "runs" / run).mkdir(parents=True)
        about = {"workflow": f"trial-{run}", "created_at": "2026-01-01T00:00:00Z", "results": [run], "points": 2}
        (work / "runs" / run / "run.json").write_text(json.dumps(about))
        (work / "runs" / run / "submission.json").write_text("{}")
        (work / "runs" / run / "outcome.json").write_text(outcome)
    followed, listed = hera("follow", "harmed"), hera("runs")
    assert followed.code in (0, 8), followed.text
    assert "unexpected" not in followed.text
    assert sorted(line.split()[0] for line in listed.out.splitlines()) == ["RUN", "harmed", "sound"], listed.text
    assert next(line for line in listed.out.splitlines() if line.startswith("sound")).endswith("3 s")
    rows = json.loads(hera("runs", "--output", "json").out)
    assert {(row["run"], row["total"]) for row in rows} == {("harmed", 2), ("sound", 2)}


def test_the_signal_that_ended_a_point_is_named(hera: Hera, work: Path) -> None:
    sweep(work)
    text = (work / "experiment.py").read_text()
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    (work / "experiment.py").write_text(text.replace('raise ValueError("no orbit for seed 3")', crash))
    done = hera("run", "--run-id", "crash")
    assert "1 point of simulate: exit code 139 (SIGSEGV) (2 attempts)" in done.out, done.text
    (failed,) = json.loads((work / "runs/crash/outcome.json").read_text())["failed"]
    assert (failed["cause"], failed["exit_code"], failed["log"]) == ("exit code 139 (SIGSEGV)", 139, "began")


def test_points_of_a_stopped_run_did_not_fail(hera: Hera, work: Path) -> None:
    sweep(work, seconds=60)
    assert hera("run", "--run-id", "halted", "--detach").code == 0
    assert hera("stop", "halted").code == 0
    ended = hera("follow", "halted")
    assert ended.code == 8
    assert "orbits-halted was stopped after" in ended.out
    counts = json.loads((work / "runs/halted/outcome.json").read_text())["counts"]
    assert counts["failed"] == 0
    assert counts["stopped"] + counts["not run"] == 3


def test_a_time_that_is_up_is_no_failure_of_the_workflow(hera: Hera, work: Path) -> None:
    sweep(work, seconds=60)
    assert hera("run", "--run-id", "long", "--timeout", "1").code == 12
    assert hera("stop", "long", "--terminate").code == 0


@pytest.mark.parametrize("kind", ["a file", "a full disk"])
def test_a_run_that_cannot_be_recorded_is_an_error_of_its_own(work: Path, sandbox: Any, kind: str) -> None:
    """As a program of its own, whose files may not grow where the disk is to be full."""
    sweep(work)
    (work / "taken").write_text("")

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))

    done = subprocess.run(
        [sys.executable, "-B", "-m", "hera_k8s_utils", "run", "--sandbox", "--sandbox-dir", str(sandbox.directory)]
        + (["--runs-dir", "taken"] if kind == "a file" else []),
        cwd=work,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=no_room if kind == "a full disk" else None,
    )
    assert done.returncode == 13, done.stderr
    assert "cannot be recorded" in done.stderr
    assert "--runs-dir" in done.stderr
    assert "unexpected" not in done.stderr


@pytest.mark.parametrize("engine", ["argo", "kubernetes"])
@pytest.mark.parametrize("words", [(), ("--failed",), ("simulate",)])
def test_logs_of_pods_that_are_gone_are_missed(hera: Hera, work: Path, sandbox: Any, engine: str, words: Any) -> None:
    sweep(work, more=', pod_gc={"strategy": "OnWorkflowCompletion"}')
    run = "-".join([engine, "gone", *words]).replace("---", "-")
    hera("run", "--run-id", run, "--engine", engine)
    api = Api(sandbox.url, sandbox.token)
    pods = "/api/v1/namespaces/default/pods"
    for pod in api.get(pods)["items"]:
        if pod["metadata"]["labels"].get("workflows.argoproj.io/workflow") == f"orbits-{run}":
            api.delete(f"{pods}/{pod['metadata']['name']}")
    told = hera("logs", run, *words)
    assert told.code == 9, told.text
    assert "gone: simulate(" in told.err
    assert "podGC: OnWorkflowCompletion" in told.err
    assert "archived" in told.err


def test_runs_of_every_engine_are_listed(hera: Hera, work: Path) -> None:
    sweep(work)
    assert hera("run", "--run-id", "one", "--set", "seed=1").code == 0
    (work / "experiment.py").write_text(JOBS)
    assert hera("run", "--run-id", "two").code == 0
    listed = hera("runs", "--server")
    assert {"one", "two"} <= {line.split()[0] for line in listed.out.splitlines()}
    assert "hera-k8s follow indexed-two --engine jobs" in listed.text
    only = hera("runs", "--server", "--engine", "argo", "--output", "json")
    assert "two" not in {row["run"] for row in json.loads(only.out)}


def test_no_run_on_the_server_is_no_reason_to_start_one(hera: Hera) -> None:
    told = hera("runs", "--server", "--experiment", "never-heard-of")
    assert "no run on the server" in told.text
    assert "-> hera-k8s run\n" not in told.text


def test_a_run_of_a_script_is_recorded_as_one_of_the_command(hera: Hera, work: Path, sandbox: Any) -> None:
    sweep(work)
    given: dict[str, Any] = {"sandbox": True, "sandbox_dir": str(sandbox.directory), "run_id": "by-hand"}
    with build_container("experiment.py", plugins=PluginManager.load(), **given) as container:
        provision(container)
        engine: Any = container.engine()
        submission = engine.submit(container.experiment())
        assert list(engine.follow(submission.name))[-1].phase == "Failed"
        assert engine.outcome(submission.name).failed[0].title == "seed=3 method=plain"
    assert hera("run", "--run-id", "by-command").code == 8
    by_hand, by_command = (sorted(p.name for p in (work / "runs" / run).iterdir()) for run in ("by-hand", "by-command"))
    assert by_hand == [name for name in by_command if name != "report.json"]
    assert "2 of 3 points, 1 failed" in hera("follow", "by-hand").out
    assert {row["run"] for row in json.loads(hera("runs", "--output", "json").out)} == {"by-hand", "by-command"}


def test_a_missing_kubeconfig_is_explained_once(
    hera: Hera, work: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An Argo token alone: nothing that Kubernetes holds can be checked, for one reason."""
    sweep(work)
    text = (work / "experiment.py").read_text()
    needs = 'requires=[ConfigMap("a"), Secret("b")], workflow=workflow)'
    text = text.replace("workflow=workflow)", needs)
    (work / "experiment.py").write_text(f"from hera_k8s_kube import ConfigMap, Secret\n{text}")
    monkeypatch.setenv("ARGO_SERVER", sandbox.url)
    monkeypatch.setenv("ARGO_TOKEN", f"Bearer {sandbox.token}")
    said = CommandLine(capsys)("check").text
    assert said.count("not looked at: no credential for Kubernetes") >= 3
    assert said.count("set KUBECONFIG") == 1
