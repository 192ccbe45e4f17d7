"""The records of runs."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hera_k8s_utils import Environment, HeraK8sError, Inputs, Manifest, NodeState, OptionsError, RunUpdate, Submission
from hera_k8s_utils.checks.runner import ACCESS, Report, Row
from hera_k8s_utils.experiment.run_ids import new_run_id, short_id, workflow_name
from hera_k8s_utils.redaction import register_secrets
from hera_k8s_utils.results import ok
from hera_k8s_utils.runs.provenance import git_state
from hera_k8s_utils.runs.records import RunStore

REPORT = Report([Row(ACCESS, "kubernetes", ok("1.36"))])


def built(run_id: str, *, seed: int = 1, source: str = "") -> Any:
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": workflow_name("trial", run_id)},
        "spec": {"arguments": {"parameters": [{"name": "seed", "value": str(seed)}]}},
    }
    return SimpleNamespace(
        name=workflow_name("trial", run_id),
        run_id=run_id,
        experiment=SimpleNamespace(name="trial"),
        inputs=Inputs(parameters={"seed": [seed, seed + 1]}),
        layout=SimpleNamespace(strategy="hive"),
        environment=Environment(),
        manifest=Manifest.of(body),
        source=source,
    )


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def test_a_new_id_sorts_by_time_and_ends_in_four_characters() -> None:
    run_id = new_run_id(datetime(2026, 11, 20, 10, 42))
    assert run_id.startswith("20261120-1042-")
    assert len(short_id(run_id)) == 4
    assert new_run_id() != new_run_id()


def test_a_workflow_is_named_after_experiment_and_run() -> None:
    assert workflow_name("logistic-map", "20261120-1042-k3f9") == "logistic-map-k3f9"
    assert workflow_name("logistic-map", "trial-7") == "logistic-map-trial-7"


@pytest.mark.parametrize("run_id", ["", "Trial", "a/b", "../up", "x" * 60, "-a", "a.b", "two words"])
def test_an_id_that_makes_no_name_is_refused(run_id: str) -> None:
    with pytest.raises(OptionsError, match="cannot be called"):
        workflow_name("logistic-map", run_id)


def test_a_record_holds_what_was_submitted_and_where_it_came_from(runs: RunStore) -> None:
    record = runs.start(built("20261120-1042-k3f9"), REPORT, details={"engine": "argo"})
    assert record.read("manifest") == built("20261120-1042-k3f9").manifest.body
    assert (record.read("inputs") or {})["parameters"] == {"seed": [1, 2]}
    assert (record.read("report") or {})["counts"]["passed"] == 1
    assert record.metadata["workflow"] == "trial-k3f9"
    assert record.metadata["points"] == 2
    assert record.metadata["engine"] == "argo"
    assert "hera" in record.metadata["versions"]
    assert record.outcome is None
    assert sorted(p.name for p in record.path.iterdir()) == ["inputs.json", "manifest.json", "report.json", "run.json"]


def test_the_same_run_is_taken_up_again(runs: RunStore) -> None:
    first = runs.start(built("again"), REPORT)
    first.append(RunUpdate(phase="Running", nodes=[NodeState(id="1", name="w.a", phase="Running")]))
    second = runs.start(built("again"), REPORT)
    assert second.path == first.path
    assert second.nodes["1"].phase == "Running"


def test_another_workflow_does_not_overwrite_a_record(runs: RunStore) -> None:
    record = runs.start(built("taken"), REPORT)
    with pytest.raises(OptionsError, match="already recorded"):
        runs.start(built("taken", seed=5), REPORT)
    assert record.read("manifest") == built("taken").manifest.body


def test_a_record_that_cannot_be_written_stops_before_anything_is_submitted(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in the way")
    with pytest.raises(HeraK8sError, match="cannot be recorded"):
        RunStore(tmp_path / "runs").start(built("lost"), REPORT)


def test_events_are_appended_once_and_read_back(runs: RunStore) -> None:
    record = runs.start(built("one"))
    started = NodeState(id="1", name="w.a", template="simulate", phase="Running", inputs={"seed": "1"})
    record.append(RunUpdate(phase="Running", nodes=[started]))
    record.append(RunUpdate(phase="Running", nodes=[started]))
    record.append(RunUpdate(phase="Succeeded", nodes=[NodeState(id="1", name="w.a", phase="Succeeded")]))
    again = runs.find("one")
    again.append(RunUpdate(phase="Succeeded", nodes=[NodeState(id="1", name="w.a", phase="Succeeded")]))
    assert [event["phase"] for event in again.events()] == ["Running", "Succeeded"]
    assert again.nodes["1"].phase == "Succeeded"


def test_an_event_that_a_crash_cut_short_spoils_no_other(runs: RunStore) -> None:
    record = runs.start(built("crash"))
    record.append(RunUpdate(phase="Running", nodes=[NodeState(id="1", name="w.a", phase="Running")]))
    with open(record.path / "events.jsonl", "a") as file:
        file.write('{"at":"2026","phase":"Succ')
    again = runs.find("crash")
    again.append(RunUpdate(phase="Failed", nodes=[NodeState(id="2", name="w.b", phase="Failed")]))
    assert [event["phase"] for event in again.events()] == ["Running", "Failed"]
    assert set(runs.find("crash").nodes) == {"1", "2"}


def test_runs_are_found_by_the_ends_of_their_names(runs: RunStore) -> None:
    for run_id in ("20261120-1042-k3f9", "20261120-1043-aaaa", "20261121-0900-bbbb"):
        runs.start(built(run_id))
    assert runs.find("k3f9").id == "20261120-1042-k3f9"
    assert runs.find("20261121").id == "20261121-0900-bbbb"
    assert runs.find("trial-aaaa").id == "20261120-1043-aaaa"
    assert runs.find("").id == "20261121-0900-bbbb", "the latest"


def test_an_ambiguous_name_lists_what_it_may_mean(runs: RunStore) -> None:
    for run_id in ("20261120-1042-k3f9", "20261120-1043-aaaa"):
        runs.start(built(run_id))
    with pytest.raises(OptionsError) as refused:
        runs.find("20261120")
    assert "20261120-1042-k3f9" in refused.value.found
    assert "20261120-1043-aaaa" in refused.value.found


def test_an_exact_name_beats_longer_ones(runs: RunStore) -> None:
    runs.start(built("trial"))
    runs.start(built("trial-2"))
    assert runs.find("trial").id == "trial"


@pytest.mark.parametrize("text", ["../../etc", "a/b", "..", ".hidden", "a\x00b", "x" * 300, "$(reboot)"])
def test_an_id_from_outside_cannot_leave_the_directory(runs: RunStore, text: str) -> None:
    with pytest.raises(OptionsError, match="not the name of a run"):
        runs.find(text)


def test_an_unknown_run_is_said_with_the_latest(runs: RunStore) -> None:
    runs.start(built("20261120-1042-k3f9"))
    with pytest.raises(OptionsError) as refused:
        runs.find("zzzz")
    assert "k3f9" in refused.value.found


def test_no_secret_reaches_a_record(tmp_path: Path) -> None:
    runs = RunStore(tmp_path / "runs", secrets=['tok"en-1234', "ab"])
    experiment = built("quiet")
    experiment.manifest = Manifest.of({**experiment.manifest.body, "spec": {"token": 'tok"en-1234', "label": "ab"}})
    record = runs.start(experiment, REPORT, details={"note": 'Bearer tok"en-1234'})
    record.append(RunUpdate(phase="Failed", message='bad tok"en-1234'))
    written = "".join(path.read_text() for path in record.path.iterdir())
    assert "en-1234" not in written
    assert json.loads((record.path / "manifest.json").read_text())["spec"] == {"token": "<redacted>", "label": "ab"}
    assert 'tok"en' not in repr(runs)


def test_the_token_of_a_credential_reaches_no_record(runs: RunStore) -> None:
    record = runs.start(built("token"), REPORT)
    register_secrets(["t0ken-that-a-provider-found"])
    record.append(RunUpdate(phase="Failed", message="refused: t0ken-that-a-provider-found"))
    record.submitted(Submission(name="t0ken-that-a-provider-found", namespace="vcity"), engine="argo")
    assert "t0ken" not in "".join(path.read_text() for path in record.path.iterdir())


def test_a_run_that_was_submitted_is_not_ended_by_its_record(runs: RunStore, caplog: pytest.LogCaptureFixture) -> None:
    record = runs.start(built("full"), REPORT)
    for name in ("submission.json", "events.jsonl", "outcome.json"):
        (record.path / name / "in the way").mkdir(parents=True)
    record.submitted(Submission(name="trial-full", namespace="vcity"), engine="argo")
    record.append(RunUpdate(phase="Running", nodes=[NodeState(id="1", name="a", phase="Running")]))
    record.ended({"phase": "Succeeded"})
    [warning] = [said for said in caplog.messages if "cannot be kept" in said]
    assert str(record.path) in warning
    assert "the run itself goes on" in warning


def test_an_interrupt_leaves_no_half_of_a_record(runs: RunStore) -> None:
    unfinished = built("half")
    unfinished.inputs = SimpleNamespace(to_json=interrupt)
    with pytest.raises(KeyboardInterrupt):
        runs.start(unfinished, REPORT)
    assert list(runs.directory.iterdir()) == []


def interrupt() -> None:
    raise KeyboardInterrupt


def test_what_is_no_record_is_passed_over(runs: RunStore) -> None:
    runs.start(built("good"))
    (runs.directory / "empty").mkdir()
    (runs.directory / "note.txt").write_text("hello")
    damaged = runs.directory / "damaged"
    damaged.mkdir()
    (damaged / "run.json").write_text("{ half")
    assert {record.id for record in runs.all()} == {"good", "damaged"}
    assert runs.find("good").metadata["experiment"] == "trial"


def test_records_that_cannot_be_read_are_told_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(OptionsError) as caught:
        RunStore(tmp_path / ("far" * 100)).all()
    assert "--runs-dir" in caught.value.hint


def test_the_submission_is_kept(runs: RunStore) -> None:
    record = runs.start(built("sent"))
    record.refused(HeraK8sError("submitting", found="no room"))
    assert (record.read("submission_failed") or {})["found"] == "no room"
    record.submitted(Submission(name="trial-sent", namespace="vcity", uid="1-2", existed=True), engine="argo")
    kept = runs.find("sent").submission or {}
    assert (kept["namespace"], kept["engine"], kept["existed"]) == ("vcity", "argo", True)
    assert record.read("submission_failed") is None, "of an earlier try"


def test_the_git_commit_is_recorded_with_a_flag_for_changes(tmp_path: Path, runs: RunStore) -> None:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }

    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-C", str(tmp_path), *words], check=True, capture_output=True, env={**os.environ, **identity}
        )

    source = tmp_path / "experiment.py"
    source.write_text("x = 1\n")
    assert git_state(tmp_path) is None
    git("init", "-q")
    git("add", "experiment.py")
    git("commit", "-q", "-m", "first")
    clean = runs.start(built("clean", source=str(source))).metadata["git"]
    source.write_text("x = 2\n")
    dirty = runs.start(built("dirty", source=str(source))).metadata["git"]
    git("config", "core.quotePath", "false")
    latin = os.fsencode(tmp_path) + b"/r\xe9sum\xe9"
    with open(latin, "wb"):
        git("add", "--all")
    assert git_state(tmp_path) == {"commit": clean["commit"], "dirty": True}
    assert len(clean["commit"]) == 40
    assert (clean["dirty"], dirty["dirty"]) == (False, True)
