"""Commands against the sandbox: a run from its checks to its record, and all that can come in between."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sandbox_api import Api

from hera_k8s_cli.main import main

EXPERIMENT = """
from hera.workflows import DAG, Workflow, script
from hera_k8s_kube import ConfigMap, PersistentVolumeClaim, Secret
from hera_k8s_utils import Experiment, Inputs


def simulate(rate: float, seed: int, mode: str, output: str) -> None:
    import os
    import time

    print(f"rate {rate}, seed {seed}, steps {os.environ['STEPS']}")
    if mode == "fail" and seed == 2:
        raise SystemExit("the orbit escaped")
    gate = os.path.join(os.path.dirname(os.path.dirname(output)), "gate")
    while mode == "wait" and not os.path.exists(gate):
        time.sleep(0.05)
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(output, "out.txt"), "w") as file:
        file.write(f"{rate} {seed}")


def collect(results: str) -> None:
    import os

    print("collected", sum("out.txt" in names for _, _, names in os.walk(results)))


def workflow(environment, inputs, layout):
    run_point = script(**environment.task)(simulate)
    run_collect = script(**environment.task)(collect)
    with Workflow(entrypoint="sweep") as w:
        with DAG(name="sweep", fail_fast=False):
            points = run_point(name="points", **inputs.fan_out(mode=inputs.constants["mode"], output=layout.path))
            points >> run_collect(name="picture", arguments={"results": layout.root})
    return w


experiment = Experiment(
    name="trial",
    inputs=Inputs(parameters={"rate": [0.5, 2.0], "seed": [1, 2]}, constants={"mode": "quick"}),
    image="python:3.12-slim",
    requires=[
        PersistentVolumeClaim("results", mount_path="/results", access_mode="ReadWriteMany", size="1Gi"),
        ConfigMap("settings", data={"STEPS": "3"}),
        Secret("salt", generate=["SALT"]),
    ],
    workflow=workflow,
)
"""

IMAGE_KNOWN_LATE = """
from hera.workflows import Container, Parameter, Steps, Workflow, script


@script(image="python:3.12-slim")
def pick():
    print("unknown.invalid/nothing:1")


with Workflow(name="late", entrypoint="main") as w:
    simulate = Container(
        name="simulate", inputs=[Parameter(name="image")], image="{{inputs.parameters.image}}", command=["true"]
    )
    with Steps(name="main"):
        picked = pick(name="pick")
        simulate(name="simulate", arguments={"image": picked.result})
"""
"""An image that no check can refuse: a task says which, when the run has begun."""


class Cluster(NamedTuple):
    """A cluster as its users see it: the official client, and the namespace that is theirs."""

    core: Any
    namespace: str


@pytest.fixture
def experiment(work: Path) -> Path:
    path = work / "experiment.py"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture
def emptied_sandbox(sandbox: Any) -> Iterator[Any]:
    """The shared sandbox; what the test leaves there is removed, so that no task keeps others waiting for a place."""
    yield sandbox
    api = Api(sandbox.url, sandbox.token)
    for group, resource in (("apis/argoproj.io/v1alpha1", "workflows"), ("apis/batch/v1", "jobs"), ("api/v1", "pods")):
        for each in api.get(f"/{group}/{resource}")["items"]:
            path = f"/{group}/namespaces/{each['metadata']['namespace']}/{resource}/{each['metadata']['name']}"
            answer = api.send("DELETE", f"{path}?propagationPolicy=Background&gracePeriodSeconds=0")
            assert answer.ok or answer.status_code == 404, answer.text


@pytest.fixture
def on_sandbox(experiment: Path, emptied_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the test talks to the shared sandbox, which provisions by itself."""
    monkeypatch.setenv("HERA_K8S_SANDBOX", "true")
    monkeypatch.setenv("HERA_K8S_SANDBOX_DIR", str(emptied_sandbox.directory))


@pytest.fixture
def on_cluster(experiment: Path, emptied_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The same server reached as a cluster is, in a namespace of the test's own."""
    from kubernetes import client, config

    sandbox = emptied_sandbox
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "vcity"}}],
        "clusters": [{"name": "it", "cluster": {"server": sandbox.url}}],
        "users": [{"name": "it", "user": {"token": sandbox.token}}],
    }
    path = experiment.parent / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    path.chmod(0o600)
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    api = config.new_client_from_config_dict(kubeconfig)
    client.CoreV1Api(api).create_namespace({"metadata": {"name": namespace}})
    _let_pods_report(client.RbacAuthorizationV1Api(api), namespace)
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setenv("ARGO_SERVER", sandbox.url)
    monkeypatch.setenv("ARGO_TOKEN", sandbox.token)
    monkeypatch.setenv("ARGO_NAMESPACE", namespace)
    return Cluster(client.CoreV1Api(api), namespace)


def _let_pods_report(rbac: Any, namespace: str) -> None:
    """What a platform team does in each namespace where workflows run."""
    rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    rbac.create_namespaced_role(namespace, {"metadata": {"name": "executor"}, "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "executor"}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    binding = {"metadata": {"name": "executor"}, "roleRef": role, "subjects": [subject]}
    rbac.create_namespaced_role_binding(namespace, binding)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `hera-k8s` as a program of its own; what is left of them is killed at the end."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*words: str, **settings: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "hera_k8s_utils", *words]
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
        processes.append(subprocess.Popen(command, text=True, **settings))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def wait_for_line(process: subprocess.Popen[str], words: str) -> list[str]:
    """The lines of stderr up to the first that holds these words."""
    lines = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"{words!r} was never said: {''.join(lines)}")


def record_of(run_id: str) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in Path("runs", run_id).glob("*.json")}


# --- a run that succeeds ---------------------------------------------------------------------------------------


def test_a_run_is_provisioned_checked_submitted_followed_and_recorded(
    on_sandbox: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--run-id", "whole"]) == 0
    told = capsys.readouterr()
    assert "created claim results, config map settings, secret salt in default" in told.err
    assert "submitted trial-whole" in told.err
    assert "`hera-k8s follow whole` comes back" in told.err
    assert "succeeded in" in told.out
    assert "4 of 4 points" in told.out
    assert "results  claim results: /results/trial/whole" in told.out
    record = record_of("whole")
    assert record["outcome"]["phase"] == "Succeeded"
    assert record["submission"]["name"] == "trial-whole"
    assert record["report"]["counts"]["failed"] == 0
    local = Path(record["run"]["results"]["local"])
    assert f"on this disk: {local}" in told.out
    assert (local / "rate=0.5" / "seed=2" / "out.txt").read_text() == "0.5 2"


def test_events_for_programs_are_one_object_a_line(on_sandbox: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--run-id", "lines", "--output", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [event["event"] for event in events]
    assert [name for name in names if name not in ("updated", "provisioned")] == ["checked", "submitted", "finished"]
    assert events[-1]["phase"] == "Succeeded"
    assert events[-1]["done"] == events[-1]["total"] == 4


def test_the_same_run_is_never_submitted_twice(on_sandbox: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--run-id", "once"]) == 0
    capsys.readouterr()
    assert main(["run", "--run-id", "once"]) == 0
    assert "trial-once was submitted before" in capsys.readouterr().err


def test_another_workflow_under_the_same_run_id_is_refused(
    on_sandbox: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--run-id", "mine"]) == 0
    assert main(["run", "--run-id", "mine", "--set", "seed=5"]) == 2
    assert "already recorded" in capsys.readouterr().err


def test_a_detached_run_is_come_back_to(on_sandbox: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--run-id", "away", "--detach"]) == 0
    told = capsys.readouterr()
    assert "submitted trial-away" in told.out
    assert "hera-k8s follow away" in told.err
    assert main(["follow"]) == 0
    assert "4 of 4 points" in capsys.readouterr().out
    assert main(["follow", "awa"]) == 0
    assert "4 of 4 points" in capsys.readouterr().out, "told from the record"


def test_a_record_leads_back_to_its_server(
    experiment: Path, emptied_sandbox: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--sandbox", "--sandbox-dir", str(emptied_sandbox.directory)]
    assert main(["run", "--run-id", "back", "--detach", *where]) == 0
    assert main(["follow", "back"]) == 0
    assert "4 of 4 points" in capsys.readouterr().out


def test_runs_are_listed_from_records_and_from_the_server(on_sandbox: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--run-id", "listed"]) == 0
    capsys.readouterr()
    assert main(["runs"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["RUN", "EXPERIMENT", "PHASE", "DONE", "WHEN", "TOOK"]
    assert table[1].split()[:4] == ["listed", "trial", "Succeeded", "4/4"]
    assert main(["runs", "--server", "--output", "json"]) == 0
    rows = {row["run"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["listed"]["phase"] == "Succeeded"
    assert rows["listed"]["workflow"] == "trial-listed"


def test_logs_are_those_of_the_task_that_is_named(on_sandbox: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--run-id", "heard"]) == 0
    capsys.readouterr()
    assert main(["logs", "heard", "picture"]) == 0
    assert capsys.readouterr().out == "collected 4\n"
    assert main(["logs", "heard", "rate=0.5 seed=2"]) == 0
    assert capsys.readouterr().out == "rate 0.5, seed 2, steps 3\n"
    assert main(["logs", "rate=2.0 seed=1"]) == 0
    assert capsys.readouterr().out == "rate 2.0, seed 1, steps 3\n", "of the latest run"
    assert main(["logs", "heard", "nothing-of-it"]) == 2


@pytest.mark.parametrize("command", ["follow", "logs", "stop"])
def test_a_run_that_nobody_knows_is_said_so(command: str, on_sandbox: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "nosuch"]) == 2
    assert "neither recorded here nor on the server" in capsys.readouterr().err


# --- a run that does not ---------------------------------------------------------------------------------------


def test_failed_tasks_are_named_with_the_way_to_their_logs(
    on_sandbox: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--run-id", "bad", "--set", "mode=fail"]) == 8
    told = capsys.readouterr()
    assert "trial-bad failed after" in told.out
    assert "2 of 4 points" in told.out
    assert told.out.count("seed=2") == 2
    assert "hera-k8s logs bad --failed" in told.err
    assert len(record_of("bad")["outcome"]["failed"]) == 2
    assert main(["logs", "bad", "--failed"]) == 0
    assert capsys.readouterr().out.count("the orbit escaped") == 2
    assert main(["follow", "bad"]) == 8


def test_failed_tasks_that_printed_nothing_are_said_to_have(
    on_sandbox: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("experiment.py").write_text(
        EXPERIMENT.replace('    print(f"rate', '    str(f"rate').replace('"the orbit escaped"', "3")
    )
    assert main(["run", "--run-id", "mute", "--set", "mode=fail"]) == 8
    capsys.readouterr()
    assert main(["logs", "mute", "--failed"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    first, *rest = told.err.splitlines()
    assert first.endswith("printed nothing")
    assert len(rest) == 2
    assert all("exit code 3" in line for line in rest)


def test_patience_ends_with_its_own_words(on_sandbox: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--run-id", "slow", "--set", "mode=wait", "--timeout", "0.5s"]) == 12
    told = capsys.readouterr()
    assert "no longer following trial-slow" in told.err
    assert "it goes on" in told.err
    assert main(["stop", "slow", "--terminate"]) == 0
    assert main(["follow", "slow"]) == 8
    assert "Terminate" in capsys.readouterr().out


@pytest.mark.parametrize("engine", ["argo", "kubernetes"])
def test_a_run_that_is_over_leaves_nothing_to_stop(
    engine: str, on_sandbox: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = f"over-{engine}"
    assert main(["run", "--run-id", run, "--engine", engine]) == 0
    capsys.readouterr()
    assert main(["stop", run]) == 0
    assert f"trial-{run} is over, it succeeded: nothing is left to stop" in capsys.readouterr().err
    assert main(["stop", run, "--terminate", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"workflow": f"trial-{run}", "asked": "", "phase": "Succeeded"}


def test_ctrl_c_leaves_the_workflow_and_says_so(
    on_sandbox: None, start: Callable[..., subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    process = start("run", "--run-id", "left", "--set", "mode=wait")
    wait_for_line(process, "4 running")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "trial-left goes on" in said
    assert "hera-k8s follow left comes back, hera-k8s stop left ends it" in said
    assert "outcome" not in record_of("left")
    local = Path(record_of("left")["run"]["results"]["local"])
    local.mkdir(parents=True, exist_ok=True)
    (local / "gate").touch()
    assert main(["follow", "left"]) == 0
    assert "4 of 4 points" in capsys.readouterr().out


def test_ctrl_c_during_the_checks_says_that_nothing_was_submitted(
    experiment: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{silent.getsockname()[1]}"
    process = start("run", env={**os.environ, "ARGO_SERVER": address, "ARGO_TOKEN": "t", "KUBECONFIG": "/dev/null"})
    with silent:
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "nothing was submitted" in said
    assert not Path("runs").exists()


def test_a_task_that_cannot_start_is_explained(on_sandbox: None, start: Callable[..., subprocess.Popen[str]]) -> None:
    Path("experiment.py").write_text(IMAGE_KNOWN_LATE)
    process = start("run", "--run-id", "stuck")
    lines = wait_for_line(process, "wait")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert "simulate" in lines[-1]
    assert "ImagePull" in lines[-1]
    assert main(["stop", "stuck", "--terminate"]) == 0


def test_progress_is_live_on_a_terminal(on_sandbox: None, start: Callable[..., subprocess.Popen[str]]) -> None:
    ours, theirs = pty.openpty()
    process = start("run", "--run-id", "live", stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"})
    os.close(theirs)
    seen = bytearray()

    def read() -> None:
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # how Linux ends a terminal whose other side is closed
                return
            if not chunk:
                return
            seen.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    process.communicate(timeout=100)
    reader.join(10)
    os.close(ours)
    text = seen.decode()
    assert process.returncode == 0, text
    assert "4 of 4" in text
    assert "\x1b[" in text
    assert "waits for simulate" in text or "1 of 1" in text


# --- a cluster that lacks things -------------------------------------------------------------------------------


def test_three_missing_things_are_named_together(on_cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 5
    said = capsys.readouterr().err
    for missing in ("claim results", "config map settings", "secret salt"):
        assert f"✘ {missing}" in said
    assert "3 failed. Nothing was submitted." in said
    assert not Path("runs").exists()


def test_a_refused_run_tells_programs_why(on_cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--output", "json"]) == 5
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(event["event"], event["passed"]) for event in told] == [("checked", False)]


def test_check_tells_programs_what_is_missing(on_cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--output", "json"]) == 5
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is False
    failed = {check["title"] for check in told["checks"] if check["verdict"] == "failed"}
    assert failed == {"claim results", "config map settings", "secret salt"}


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_hint_can_be_typed_as_it_stands(
    on_cluster: Cluster, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    named = on_cluster.namespace  # flags and file as typed, and no secret
    typed = ["./experiment.py", "--bind", "settings=my settings", "--set", "seed=1", "--namespace", named]
    assert main([command, *typed, "--argo-token", "s3cret", "--output", "json"]) == 5
    told = capsys.readouterr().out
    hints = {check["title"]: check["hint"] for check in json.loads(told)["checks"]}
    words = shlex.split(hints["claim results"].partition("    or  ")[0])
    assert words[:3] == ["hera-k8s", "provision", "./experiment.py"]
    flags = sorted(zip(words[3::2], words[4::2], strict=True))
    assert flags == [("--bind", "settings=my settings"), ("--namespace", named), ("--set", "seed=1")]
    assert "s3cret" not in told


def test_provision_does_not_create_without_a_yes(on_cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provision"]) == 2
    told = capsys.readouterr()
    assert "create ConfigMap settings (STEPS)" in told.out
    assert "--yes" in told.err
    core, namespace = on_cluster
    assert "settings" not in [m.metadata.name for m in core.list_namespaced_config_map(namespace).items]


def test_provision_creates_what_is_missing_and_nothing_twice(
    on_cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["provision", "--yes"]) == 0
    core, namespace = on_cluster
    made = core.read_namespaced_config_map("settings", namespace)
    assert made.data == {"STEPS": "3"}
    assert made.metadata.labels["app.kubernetes.io/managed-by"] == "hera-k8s-utils"
    assert made.metadata.labels["hera-k8s-utils/experiment"] == "trial"
    salt = core.read_namespaced_secret("salt", namespace).data["SALT"]
    assert salt not in "".join(capsys.readouterr())
    assert main(["check"]) == 0
    capsys.readouterr()
    assert main(["provision", "--yes"]) == 0
    assert "nothing to create" in capsys.readouterr().err
    assert core.read_namespaced_secret("salt", namespace).data["SALT"] == salt


def test_an_object_of_somebody_else_is_not_changed(on_cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    core, namespace = on_cluster
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "settings"}, "data": {"OTHER": "1"}})
    assert main(["provision", "--yes"]) == 5
    assert "is not ours to change" in capsys.readouterr().out
    assert core.read_namespaced_config_map("settings", namespace).data == {"OTHER": "1"}


def test_an_object_of_ours_gets_the_keys_that_it_lacks(on_cluster: Cluster) -> None:
    core, namespace = on_cluster
    labels = {"app.kubernetes.io/managed-by": "hera-k8s-utils"}
    core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "settings", "labels": labels}, "data": {"OTHER": "1"}}
    )
    assert main(["provision", "--yes"]) == 0
    assert core.read_namespaced_config_map("settings", namespace).data == {"OTHER": "1", "STEPS": "3"}


def test_check_waits_until_all_is_there(on_cluster: Cluster, start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("check", "--wait", "60")
    wait_for_line(process, "waiting for claim results")
    assert main(["provision", "--yes"]) == 0
    out, said = process.communicate(timeout=90)
    assert process.returncode == 0, said
    assert "✔ claim results" in out


def test_a_run_can_provision_on_a_cluster_when_asked(on_cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--provision"]) == 0
    assert "4 of 4 points" in capsys.readouterr().out
