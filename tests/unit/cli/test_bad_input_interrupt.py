"""Ctrl-C at every stage of a run: the code is 130, what goes on and what does not is said, and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argo_peer import EVENTS, NAMESPACE, WORKFLOWS, ArgoPeer, refusal, state
from command_line import (
    SECRET,
    SMALL,
    CommandLine,
    Told,
    ended,
    kubeconfig,
    program,
    record,
    records,
    wait_until,
    write_kubeconfig,
)
from fault_server import Request, cut, hang, sse


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    (work / "experiment.py").write_text(SMALL)
    return CommandLine(capsys)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgoPeer]:
    with ArgoPeer() as server:
        for name, value in {"ARGO_SERVER": server.url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": NAMESPACE}.items():
            monkeypatch.setenv(name, value)
        yield server


def interrupted(process: subprocess.Popen[str]) -> Told:
    """Press Ctrl-C, and wait for the end."""
    process.send_signal(signal.SIGINT)
    told = ended(process)
    assert told.code == 130, told.text
    return told


def under_way(phase: str = "Running") -> dict[str, Any]:
    return {"result": {"type": "MODIFIED", "object": state(phase, name="hello-r1", uid="uid-hello-r1")}}


# --- before anything was submitted -----------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["importing", "building"])
def test_while_the_file_is_read_nothing_was_submitted(hera: CommandLine, peer: ArgoPeer, stage: str) -> None:
    wait = "import time\n\ndef wait(*parts):\n    open('there', 'w').close()\n    time.sleep(60)\n\n"
    rest = {
        "importing": "wait()\n",
        "building": "from hera_k8s_utils import Experiment\nexperiment = Experiment(name='slow', workflow=wait)\n",
    }
    Path("experiment.py").write_text(wait + rest[stage])
    with program("run") as process:
        wait_until(Path("there").exists, process)
        interrupted(process)
    assert peer.requests == []
    assert records() == []


def test_while_a_login_waits_nothing_was_submitted(hera: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    login = "import time; open('there', 'w').close(); time.sleep(60)"
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", login],
        "interactiveMode": "Never",
    }
    body = kubeconfig("https://127.0.0.1:1", {"exec": plugin})
    monkeypatch.setenv("KUBECONFIG", write_kubeconfig(Path("config"), body))
    with program("run") as process:
        wait_until(Path("there").exists, process)
        interrupted(process)
    assert records() == []


def test_while_checks_hang_nothing_was_submitted(hera: CommandLine, peer: ArgoPeer) -> None:
    peer.on("GET", "/api/v1/version", hang())
    with program("run") as process:
        wait_until(lambda: peer.asked("GET", "/api/v1/version"), process)
        told = interrupted(process)
    assert "stopped; nothing was submitted" in told.out
    assert peer.workflows == {}
    assert records() == []


def test_waiting_for_checks_can_be_ended(hera: CommandLine, peer: ArgoPeer) -> None:
    peer.on("GET", "/api/v1/version", refusal(403, "not for you"))
    peer.on("POST", WORKFLOWS, refusal(403, "not for you"))
    with program("check", "--wait", "10m") as process:
        wait_until(lambda: len(peer.asked("GET", "/api/v1/version")) > 1, process)
        told = interrupted(process)
    assert "waiting for" in told.out


# --- while it is submitted ---------------------------------------------------------------------------------------


def test_while_submitting_the_same_run_finds_out_what_became_of_it(hera: CommandLine, peer: ArgoPeer) -> None:
    def arrive_and_hang(request: Request, handler: Any) -> None:
        if request.json()["serverDryRun"]:
            peer.accept(request, handler)
        else:
            peer.keep(request)
            hang()(request, handler)

    peer.on("POST", WORKFLOWS, arrive_and_hang)
    with program("run", "--run-id", "r1") as process:
        wait_until(lambda: peer.workflows, process)
        told = interrupted(process)
    assert "stopped while submitting hello-r1; whether it arrived is not known" in told.out
    assert "--run-id r1 finds out, and never makes a second one" in told.out
    assert "submission" not in record("r1")
    assert record("r1")["manifest"]["metadata"]["name"] == "hello-r1"
    assert "outcome unknown" in hera("runs").out

    peer.on("POST", WORKFLOWS, peer.accept)
    assert hera("run", "--run-id", "r1", "--detach").code == 0
    assert list(peer.workflows) == ["hello-r1"]
    assert record("r1")["submission"]["name"] == "hello-r1"


# --- while it is followed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("silence", ["a silent stream", "a server that is gone"])
@pytest.mark.parametrize("command", ["run", "follow"])
def test_while_following_the_run_goes_on_and_can_be_come_back_to(
    hera: CommandLine, peer: ArgoPeer, silence: str, command: str
) -> None:
    words = ["run", "--run-id", "r1"]
    if command == "follow":
        assert hera(*words, "--detach").code == 0
        words = ["follow", "r1"]
    peer.on("GET", EVENTS, sse([under_way()], end="silent") if silence == "a silent stream" else cut())
    with program(*words) as process:
        wait_until(lambda: peer.asked("GET", EVENTS), process)
        told = interrupted(process)
    assert "stopped following; hello-r1 goes on" in told.out
    assert "hera-k8s follow r1 comes back, hera-k8s stop r1 ends it" in told.out
    assert list(peer.workflows) == ["hello-r1"]
    assert not [request for request in peer.requests if request.method in ("PUT", "DELETE")], "it was not stopped"
    assert "outcome" not in record("r1")

    peer.on("GET", EVENTS, sse([under_way(), under_way("Succeeded")]))
    assert hera("follow", "r1").code == 0
    assert record("r1")["outcome"]["phase"] == "Succeeded"


def test_who_calls_main_from_python_gets_ctrl_c_back_as_it_was(hera: CommandLine, peer: ArgoPeer) -> None:
    """As in a notebook, which lives on after a run that is no longer followed."""
    notebook = (
        "import signal; from hera_k8s_cli.main import main; before = signal.getsignal(signal.SIGINT); "
        "code = main(['run', '--run-id', 'r1']); print(code, signal.getsignal(signal.SIGINT) is before)"
    )
    peer.on("GET", EVENTS, sse([under_way()], end="silent"))
    with subprocess.Popen([sys.executable, "-c", notebook], stdout=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: peer.asked("GET", EVENTS), process)
            process.send_signal(signal.SIGINT)
            told = ended(process)
        finally:
            process.kill()
    assert told.out.splitlines()[-1] == "130 True"
    assert told.code == 0


def test_ctrl_c_twice_ends_it_as_well(hera: CommandLine, peer: ArgoPeer) -> None:
    peer.on("GET", EVENTS, sse([under_way()], end="silent"))
    with program("run", "--run-id", "r1") as process:
        wait_until(lambda: peer.asked("GET", EVENTS), process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        told = ended(process)
    assert told.code in (130, -signal.SIGINT), "a shell reports 130 for either"
    assert record("r1")["submission"]["name"] == "hello-r1"


def test_programs_are_told_of_the_interrupt_in_json(hera: CommandLine, peer: ArgoPeer) -> None:
    peer.on("GET", EVENTS, sse([under_way()], end="silent"))
    with program("run", "--run-id", "r1", "--output", "json") as process:
        wait_until(lambda: peer.asked("GET", EVENTS), process)
        told = interrupted(process)
    assert '"exit_code": 130' in told.out.splitlines()[-1]
    assert "hera-k8s follow r1" in told.out.splitlines()[-1]


def test_logs_that_are_followed_can_be_left(hera: CommandLine, peer: ArgoPeer) -> None:
    assert hera("run", "--run-id", "r1", "--detach").code == 0
    peer.on("GET", f"{WORKFLOWS}/hello-r1/log", hang())
    with program("logs", "r1", "--follow") as process:
        wait_until(lambda: peer.asked("GET", f"{WORKFLOWS}/hello-r1/log"), process)
        interrupted(process)
