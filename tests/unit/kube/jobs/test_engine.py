"""Experiments by Jobs on the sandbox, as a user meets them: run, points, logs, stop, runs, the same run again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, Told, record
from jobs_peer import job
from machine import PRIVATE_ROOTS
from sandbox_api import Api

HEAD = """
from hera_k8s_kube import PersistentVolumeClaim
from hera_k8s_kube.jobs import indexed_job, plain_job
from hera_k8s_utils import Experiment, Inputs

CLAIM = PersistentVolumeClaim("results", mount_path="/results", access_mode="ReadWriteMany", size="1Gi")


def halve(number: int, name: str, output: str) -> None:
    import os, sys

    if number == 3:
        sys.exit("three cannot be halved")
    os.makedirs(output)
    with open(output + "/half", "w") as file:
        file.write(repr((number / 2, name)))
    print("half of", number, "is", number / 2)


def made(build, numbers=(1, 2, 3, 4), image="python:3.12-slim"):
    inputs = Inputs(parameters={"number": list(numbers), "name": ["1", "it's"]})
    return Experiment(name="halves", inputs=inputs, image=image, requires=[CLAIM], workflow=build)
"""
INDEXED = """
experiment = made(lambda e, i, y: indexed_job(e, i, halve, arguments={"output": y.path}, parallelism=4))
"""
SHELL = """
TEXT = 'mkdir -p "$output"; test $$ -gt 1; printf %s "$number $name" > "$output/half"'
experiment = made(lambda e, i, y: indexed_job(e, i, TEXT, arguments={"output": y.path}), image="busybox")
"""
SEVERAL = """
def each(environment, inputs, layout):
    for point in inputs:
        yield plain_job(environment, halve, point=point, arguments={"output": layout.path})


experiment = made(each)
"""
ENDLESS = """
experiment = made(lambda e, i, y: plain_job(e, "echo begun; sleep 600", name="wait"), image="busybox")
"""


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str], sandbox: Any) -> Callable[..., Told]:
    flags = ("--sandbox", "--sandbox-dir", str(sandbox.directory))
    command_line = CommandLine(capsys)

    def call(text: str, command: str, *words: str) -> Told:
        (work / "experiment.py").write_text(HEAD + text)
        return command_line(command, *words, *flags)

    return call


@pytest.fixture
def results(sandbox: Any) -> Path:
    return Path(sandbox.directory) / "claims" / "default" / "results" / "halves"


@pytest.mark.needs(PRIVATE_ROOTS)
@pytest.mark.parametrize(("text", "run"), [(INDEXED, "indexed"), (SEVERAL, "several")])
def test_the_points_that_failed_are_named(hera: Any, results: Path, text: str, run: str) -> None:
    done = hera(text, "run", "--run-id", run)
    assert done.code == 8, done.text
    outcome = record(run)["outcome"]
    assert (outcome["phase"], outcome["done"], outcome["total"], outcome["unit"]) == ("Failed", 6, 8, "point")
    assert sorted((each["name"], each["cause"]) for each in outcome["failed"]) == [
        ("halve(number=3, name=1)", "exit code 1"),
        ("halve(number=3, name=it's)", "exit code 1"),
    ]
    halves = {
        path.parent.relative_to(results / run).as_posix(): path.read_text() for path in results.rglob(f"{run}/**/half")
    }
    assert halves["number=1/name=1"] == "(0.5, '1')"
    assert halves["number=4/name=it%27s"] == '(2.0, "it\'s")'
    assert len(halves) == 6

    failed = hera(text, "logs", run, "--failed")
    assert failed.out.count("three cannot be halved") == 2
    one = hera(text, "logs", run, "number=4", "--output", "json")
    assert [json.loads(line)["text"] for line in one.out.splitlines()] == ["half of 4 is 2.0"] * 2


@pytest.mark.needs(PRIVATE_ROOTS)
def test_a_shell_is_given_its_point_in_variables(hera: Any, results: Path) -> None:
    done = hera(SHELL, "run", "--run-id", "shell")
    assert done.code == 0, done.text
    assert (results / "shell" / "number=3" / "name=it%27s" / "half").read_text() == "3 it's"
    assert record("shell")["outcome"]["done"] == 8


@pytest.mark.needs(PRIVATE_ROOTS)
def test_the_same_run_again_makes_no_second_job(hera: Any) -> None:
    assert hera(SHELL, "run", "--run-id", "again").code == 0
    again = hera(SHELL, "run", "--run-id", "again", "--output", "json")
    events = [json.loads(line) for line in again.out.splitlines()]
    submitted = next(each for each in events if each["event"] == "submitted")
    assert submitted["existed"]
    assert events[-1]["phase"] == "Succeeded"


@pytest.mark.needs(PRIVATE_ROOTS)
def test_other_inputs_under_the_run_are_refused(hera: Any, tmp_path: Path) -> None:
    assert hera(SHELL, "run", "--run-id", "taken").code == 0
    other = hera(SHELL, "run", "--run-id", "taken", "--set", "number=7", "--runs-dir", str(tmp_path / "elsewhere"))
    assert other.code == 7, other.text
    assert "taken in default by another experiment or other inputs" in other.text


def test_a_run_is_stopped_and_then_over(hera: Any) -> None:
    assert hera(ENDLESS, "run", "--run-id", "endless", "--detach").code == 0
    asked = hera(ENDLESS, "stop", "endless")
    assert asked.code == 0, asked.text
    assert "its Jobs end as failed" in asked.out
    followed = hera(ENDLESS, "follow", "endless")
    assert followed.code == 8, followed.text
    assert record("endless")["outcome"]["message"] == "stopped by hand"
    assert "nothing is left to stop" in hera(ENDLESS, "stop", "endless").text


def test_a_run_that_is_terminated_is_deleted(hera: Any) -> None:
    assert hera(ENDLESS, "run", "--run-id", "doomed", "--detach").code == 0
    assert "its Jobs are deleted" in hera(ENDLESS, "stop", "doomed", "--terminate").out
    followed = hera(ENDLESS, "follow", "doomed")
    assert followed.code == 8, followed.text


@pytest.mark.needs(PRIVATE_ROOTS)
def test_runs_are_found_on_the_server_without_a_record(hera: Any, tmp_path: Path) -> None:
    assert hera(SHELL, "run", "--run-id", "found").code == 0
    elsewhere = ("--runs-dir", str(tmp_path / "none"), "--engine", "jobs")
    listed = hera(SHELL, "runs", "--server", "--output", "json", *elsewhere)
    rows = {row["run"]: row for row in json.loads(listed.out)}
    assert (rows["found"]["phase"], rows["found"]["progress"]) == ("Succeeded", "8/8")
    followed = hera(SHELL, "follow", "halves-found", *elsewhere)
    assert followed.code == 0, followed.text


def test_a_job_of_somebody_elses_is_followed_and_read_by_its_name(hera: Any, sandbox: Any) -> None:
    api = Api(sandbox.url, sandbox.token)
    api.create("/apis/batch/v1/namespaces/default/jobs", job("theirs", "echo hello; exit 2", backoffLimit=0))
    followed = hera(SHELL, "follow", "theirs", "--engine", "jobs")
    assert followed.code == 8, followed.text
    assert "theirs  exit code 2" in followed.out
    assert hera(SHELL, "logs", "theirs", "--engine", "jobs").out.endswith(": hello\n")
    assert "nothing is left to stop" in hera(SHELL, "stop", "theirs", "--engine", "jobs").text


@pytest.mark.needs(PRIVATE_ROOTS)
def test_the_config_maps_of_a_run_go_with_its_job(hera: Any, sandbox: Any) -> None:
    assert hera(SHELL, "run", "--run-id", "owned").code == 0
    api = Api(sandbox.url, sandbox.token)
    found = api.get("/api/v1/namespaces/default/configmaps/halves-owned-task-points-0")
    owner = found["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("Job", "halves-owned")


def test_what_kubernetes_refuses_is_said_before_anything_is_submitted(hera: Any) -> None:
    text = """
def wrong(environment, inputs, layout):
    job = plain_job(environment, "true")
    job["spec"]["podReplacementPolicy"] = "Perhaps"
    return job


experiment = made(wrong, image="busybox")
"""
    refused = hera(text, "run", "--run-id", "wrong")
    assert refused.code == 5, refused.text
    assert "podReplacementPolicy" in refused.text
    assert not Path("runs").exists()
