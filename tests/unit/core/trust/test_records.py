"""Records of runs that someone else wrote, and those of the user's own: where they lead, and what they write to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer, reply
from other_people import RUNS, Stranger, needs_posix
from sandbox_api import Api

from hera_k8s_cli.main import main

SLOW = """
from hera.workflows import Container, Workflow

with Workflow(name="hello", entrypoint="main") as w:
    Container(name="main", image="busybox", command=["true"])
"""


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    with FaultServer() as server:
        yield Stranger(tmp_path / "theirs", server, Path(os.environ["HOME"]))


# --- of someone else -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["follow", "logs", "stop"])
@pytest.mark.parametrize("kind", ["exec", "file"])
def test_a_record_of_someone_else_leads_nowhere(stranger: Stranger, kind: str, command: str) -> None:
    told = stranger(command, RUNS[kind])
    assert stranger.harm == []
    assert told.code == 2
    assert "it was not written by you on this machine with this version" in told.err
    flags = {
        "exec": "--k8s-config-file kubeconfig.yaml",
        "file": f"--argo-server {stranger.server.url} --argo-token-file {stranger.own_file}",
    }[kind]
    assert f"-> if you want that: hera-k8s {command} {RUNS[kind][-4:]} {flags}" in told.err


def test_the_flags_of_the_message_lead_there(stranger: Stranger) -> None:
    absent = {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404}
    stranger.server.otherwise = reply(404, absent)
    told = stranger("follow", "aaaa", "--k8s-config-file", "kubeconfig.yaml")
    assert told.code == 8, "the server knows no such workflow"
    assert stranger.marker.exists()


def test_a_record_of_someone_else_leads_to_the_users_own_server(stranger: Stranger) -> None:
    own = {"ARGO_SERVER": stranger.server.url, "HERA_K8S_ARGO_TOKEN_FILE": str(stranger.own_file)}
    assert stranger("follow", "bbbb", **own).code == 8, "the server knows no such workflow"
    assert any("/hello-bbbb" in each.path for each in stranger.server.requests)


def test_a_record_of_someone_else_may_not_choose_another_namespace(stranger: Stranger) -> None:
    own = {"ARGO_SERVER": stranger.server.url, "HERA_K8S_ARGO_TOKEN_FILE": str(stranger.own_file)}
    told = stranger("stop", "bbbb", ARGO_NAMESPACE="vcity", **own)
    assert (told.code, stranger.harm) == (2, [])
    assert "--namespace default" in told.err


def test_records_of_someone_else_are_listed(stranger: Stranger) -> None:
    told = stranger("runs")
    assert told.code == 0
    assert set(RUNS.values()) <= set(told.out.split())
    assert stranger.harm == []


@pytest.mark.parametrize("text", ["x; touch pwned", "$(reboot)", "a\x1b[2Jb"])
def test_what_a_record_asks_for_is_quoted_in_one_line(stranger: Stranger, text: str) -> None:
    path = stranger.directory / "runs" / RUNS["exec"] / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "back": {"k8s_config_file": text}}))
    told = stranger("follow", "aaaa")
    assert told.code == 2
    assert "\x1b" not in told.err
    assert len(told.err.splitlines()) == 2
    assert f"'{text}'" in told.err or "\x1b" in text


@pytest.mark.parametrize("value", [[], "text", 7, {"k8s_config_file": {"a": 1}}, {"never_heard_of": 1}])
def test_a_damaged_way_back_is_no_traceback(stranger: Stranger, value: Any) -> None:
    path = stranger.directory / "runs" / RUNS["exec"] / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "back": value, "platforms": 5, "points": "many"}))
    assert stranger("follow", "aaaa").code in (2, 4)
    assert stranger.harm == []


def test_names_of_directories_and_workflows_that_a_shell_would_run_are_not_repeated(stranger: Stranger) -> None:
    runs = stranger.directory / "runs"
    (runs / RUNS["exec"]).rename(runs / "$(touch pwned)")
    path = runs / RUNS["file"] / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "workflow": "x; touch pwned"}))
    told = stranger("runs")
    assert "pwned" not in told.text
    assert RUNS["file"] in told.out


# --- what is written -------------------------------------------------------------------------------------------


@needs_posix
@pytest.mark.parametrize("name", ["events.jsonl", "outcome.json", "run.json", "submission.json", "report.json"])
def test_a_link_in_a_record_is_not_followed(stranger: Stranger, name: str) -> None:
    target = stranger.home / ".bashrc"
    target.write_text("alias ll='ls -l'\n")
    file = stranger.directory / "runs" / RUNS["file"] / name
    file.unlink(missing_ok=True)
    file.symlink_to(target)
    workflow = {
        "metadata": {"name": "hello-bbbb"},
        "status": {"phase": "Succeeded", "finishedAt": "2026-11-20T10:50:00Z"},
    }
    stranger.server.otherwise = reply(200, {**workflow, "items": []})
    own = {"ARGO_SERVER": stranger.server.url, "HERA_K8S_ARGO_TOKEN_FILE": str(stranger.own_file)}
    for words in (["follow", "bbbb", "--timeout", "2"], ["run", "--run-id", RUNS["file"], "--detach"], ["runs"]):
        stranger(*words, **own)
    assert target.read_text() == "alias ll='ls -l'\n"


@needs_posix
def test_a_link_in_the_place_of_a_record_is_no_record(stranger: Stranger) -> None:
    elsewhere = stranger.home / "elsewhere"
    record = stranger.directory / "runs" / RUNS["file"]
    shutil.move(record, elsewhere)
    record.symlink_to(elsewhere)
    before = {path.name: path.read_text() for path in elsewhere.iterdir()}
    assert RUNS["file"] not in stranger("runs").out
    told = stranger("run", "--run-id", RUNS["file"], "--sandbox", "--sandbox-dir", str(stranger.home / "box"))
    assert told.code == 2
    assert "is not the record of a run" in told.err
    assert {path.name: path.read_text() for path in elsewhere.iterdir()} == before


@needs_posix
@pytest.mark.parametrize("name", ["run.json", "events.jsonl", "outcome.json"])
def test_a_pipe_in_a_record_does_not_hang(stranger: Stranger, name: str) -> None:
    file = stranger.directory / "runs" / RUNS["file"] / name
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    assert stranger("runs").code == 0
    assert stranger("follow", RUNS["file"]).code in (2, 4), "without its run.json it is no record"
    assert stranger.harm == []


# --- of the user's own -----------------------------------------------------------------------------------------


@pytest.fixture
def submitted(work: Path, sandbox: Any) -> Path:
    """The record of a run that this user submitted with flags."""
    Path("experiment.py").write_text(SLOW)
    where = ["--sandbox", "--sandbox-dir", str(sandbox.directory)]
    assert main(["run", "--run-id", "k3f9", "--detach", *where]) == 0
    return Path("runs", "k3f9")


def test_a_record_of_ones_own_leads_back_without_flags(submitted: Path) -> None:
    assert main(["follow", "k3f9"]) == 0


def test_it_does_so_from_another_directory(submitted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs = submitted.parent.resolve()
    monkeypatch.chdir(tmp_path)
    assert main(["follow", "k3f9", "--runs-dir", str(runs)]) == 0


def test_paths_that_lead_back_are_absolute(submitted: Path, sandbox: Any) -> None:
    relative = os.path.relpath(sandbox.directory)
    where = ["--sandbox", "--sandbox-dir", relative]
    assert main(["run", "--run-id", "near", "--detach", *where]) == 0
    assert json.loads(Path("runs/near/run.json").read_text())["back"]["sandbox_dir"] == os.path.abspath(relative)


def test_logs_and_stop_lead_back_too(submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["follow", "k3f9"]) == 0
    assert main(["logs", "k3f9"]) == 0
    assert main(["stop", "k3f9"]) == 0
    assert "nothing is left to stop" in capsys.readouterr().err


def test_the_key_is_the_users_alone(submitted: Path) -> None:
    [key] = Path(os.environ["HOME"]).rglob("record.key")
    assert key.stat().st_mode & 0o077 == 0
    assert key.read_text().strip() not in (submitted / "run.json").read_text()


@pytest.mark.parametrize("name", ["run.json", "submission.json"])
def test_a_record_that_was_changed_no_longer_leads_back(
    submitted: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = submitted / name
    path.write_text(json.dumps({**json.loads(path.read_text()), "note": "mine"}))
    assert main(["follow", "k3f9"]) == 2
    assert "--sandbox-dir" in capsys.readouterr().err


def test_the_seal_of_one_run_does_not_hold_for_another(submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(submitted, submitted.with_name("other"))
    assert main(["follow", "other"]) == 2


def test_a_record_of_another_machine_does_not_lead_back(submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [key] = Path(os.environ["HOME"]).rglob("record.key")
    key.unlink()
    assert main(["follow", "k3f9"]) == 2


@needs_posix
def test_a_key_that_others_can_read_is_not_used(submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [key] = Path(os.environ["HOME"]).rglob("record.key")
    key.chmod(0o644)
    assert main(["follow", "k3f9"]) == 2
    assert "record.key is not used: others may read it" in capsys.readouterr().err


def test_a_record_without_a_seal_is_followed_by_the_flags_that_it_names(
    submitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = json.loads((submitted / "run.json").read_text())
    about.pop("seal")
    (submitted / "run.json").write_text(json.dumps(about))
    assert main(["follow", "k3f9"]) == 2
    hint = capsys.readouterr().err.partition("hera-k8s follow")[2].split()
    assert main(["follow", *hint]) == 0


def test_where_no_key_can_be_kept_a_run_still_works(
    work: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/dev/null/nowhere")
    Path("experiment.py").write_text(SLOW)
    where = ["--sandbox", "--sandbox-dir", str(sandbox.directory)]
    assert main(["run", "--run-id", "nokey", "--detach", *where]) == 0
    assert capsys.readouterr().err.count("the record gets no seal") == 1
    assert main(["follow", "nokey", *where]) == 0


def test_a_run_that_is_submitted_once_more_makes_a_record_ones_own(submitted: Path, sandbox: Any) -> None:
    about = json.loads((submitted / "run.json").read_text())
    about["back"] = {"argo_server": "http://127.0.0.1:1"}
    (submitted / "run.json").write_text(json.dumps(about))
    where = ["--sandbox", "--sandbox-dir", str(sandbox.directory)]
    assert main(["run", "--run-id", "k3f9", "--detach", *where]) == 0
    assert main(["follow", "k3f9"]) == 0


# --- whose workflow is stopped ---------------------------------------------------------------------------------


def test_stop_leaves_a_workflow_alone_that_is_not_of_the_run(
    submitted: Path, sandbox: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    api = Api(sandbox.url, sandbox.token)
    path = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows"
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "precious"},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]},
    }
    api.create(path, body)
    about = json.loads((submitted / "run.json").read_text())
    (submitted / "run.json").write_text(json.dumps({**about, "workflow": "precious"}))
    where = ["--sandbox", "--sandbox-dir", str(sandbox.directory)]
    assert main(["stop", "k3f9", *where]) == 8
    assert "nothing of that name has the label hera-k8s-utils/run=k3f9" in capsys.readouterr().err
    assert "shutdown" not in api.get(f"{path}/precious")["spec"]
    assert main(["stop", "precious", "--runs-dir", "none", *where]) == 0, "by its own name it is"
