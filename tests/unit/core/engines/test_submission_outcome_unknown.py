"""Submissions whose outcome is unknown: what each command says of them, and how they are found out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argo_peer import EVENTS, NAMESPACE, WORKFLOWS, ArgoPeer, connected, engine_of, hello, refusal, state
from command_line import SECRET, SMALL, CommandLine, Told, record
from fault_server import Answer, Request, bomb, cut, deep_json, html_login, lying_length, refused_port, reply, sse

from hera_k8s_argo.engines.server import ArgoEngine
from hera_k8s_utils import (
    CredentialError,
    ErrorKind,
    HeraK8sError,
    PlatformError,
    SubmissionOutcomeUnknown,
    SubmitError,
)
from hera_k8s_utils.container.recorded_submission import submit
from hera_k8s_utils.engines.submission import SubmissionTarget, submit_once
from hera_k8s_utils.labels import DIGEST_LABEL
from hera_k8s_utils.network.retry import RetryPolicy
from hera_k8s_utils.runs.records import RunStore, Submitted

HELLO = f"{WORKFLOWS}/hello-r1"
PAGE = {"Content-Type": "text/html"}
LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    (work / "experiment.py").write_text(SMALL)
    return CommandLine(capsys)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgoPeer]:
    """An Argo server in good health, until a test says otherwise."""
    with ArgoPeer() as server:
        for name, value in {"ARGO_SERVER": server.url, "ARGO_TOKEN": SECRET, "ARGO_NAMESPACE": NAMESPACE}.items():
            monkeypatch.setenv(name, value)
        yield server


def instead_of_creating(peer: ArgoPeer, answer: Answer) -> None:
    """Dry runs are judged as ever; what would create a workflow is answered otherwise."""

    def create(request: Request, handler: Any) -> None:
        (peer.accept if request.json()["serverDryRun"] else answer)(request, handler)

    peer.on("POST", WORKFLOWS, create)


def left_unknown(hera: CommandLine, peer: ArgoPeer, answer: Answer | None = None) -> tuple[Told, Request]:
    """A run whose submission was answered so, and that could not be read back; the request that may arrive late."""
    came: list[Request] = []

    def fail(request: Request, handler: Any) -> None:
        came.append(request)
        (answer or reply(502, "<html></html>", headers=PAGE))(request, handler)

    instead_of_creating(peer, fail)
    peer.on("GET", HELLO, refusal(403, "no reading", 7))
    told = hera("run", "--run-id", "r1")
    peer.on("GET", HELLO)
    peer.on("POST", WORKFLOWS, peer.accept)
    return told, came[0]


def long_ago() -> None:
    """Let the last attempt of the run be of another day."""
    path = Path("runs/r1/submission_failed.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "at": LONG_AGO}))


AMBIGUOUS = {
    "500 of its own": refusal(500, "etcdserver: request timed out", 13),
    "502": reply(502, "<html></html>", headers=PAGE),
    "503 of its own": refusal(503, "shutting down", 14),
    "504": reply(504, "upstream request timeout"),
    "408": refusal(408, "took too long", 4),
    "redirect": reply(302, "", headers={"Location": "https://login.example/"}),
    "a gateway's 403": reply(403, "<html></html>", headers=PAGE),
    "a gateway's 404": reply(404, "default backend - 404"),
    "a gateway's 401 in JSON": reply(401, {"message": "Unauthorized"}),
    "cut": cut(),
    "login page": html_login(),
    "another object": reply(200, {}),
    "larger than the limit": lying_length(),
    "a gzip bomb": bomb(mebibytes=80),
    "JSON too deep": deep_json(),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_an_answer_that_says_nothing_of_the_request_is_no_refusal(hera: CommandLine, peer: ArgoPeer, case: str) -> None:
    told, _ = left_unknown(hera, peer, AMBIGUOUS[case])
    assert told.code == 10
    assert "it is not known whether hello-r1 was accepted" in told.err
    assert "--run-id r1 finds out, and never makes a second one" in told.lines[-1]
    assert record("r1")["submission_failed"]["known"] is False
    (listed,) = json.loads(hera("runs", "--output", "json").out)
    assert (listed["phase"], listed["submission"]) == ("outcome unknown", "unknown")


def test_programs_are_told_the_same(hera: CommandLine, peer: ArgoPeer) -> None:
    instead_of_creating(peer, refusal(503, "shutting down", 14))
    peer.on("GET", HELLO, refusal(403, "no reading", 7))
    told = hera("run", "--run-id", "r1", "--output", "json")
    error = json.loads(told.lines[-1])["error"]
    assert (error["type"], error["exit_code"]) == ("SubmissionOutcomeUnknown", 10)


# --- coming back to it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["just now", "long ago"])
def test_a_run_that_arrived_late_is_followed(hera: CommandLine, peer: ArgoPeer, when: str) -> None:
    _, request = left_unknown(hera, peer)
    kept = peer.keep(request)
    kept["status"] = state("Succeeded")["status"]
    if when == "long ago":
        long_ago()
    assert hera("follow", "r1").code == 0
    assert record("r1")["submission"]["existed"] is True
    assert record("r1")["outcome"]["phase"] == "Succeeded"
    assert "submission_failed" not in record("r1")


def test_a_run_that_arrives_while_it_is_looked_for_is_followed(hera: CommandLine, peer: ArgoPeer) -> None:
    _, request = left_unknown(hera, peer)

    def arrive(reading: Request, handler: Any) -> None:
        peer.keep(request)["status"] = state("Succeeded")["status"]
        peer.otherwise(reading, handler)

    peer.on("GET", HELLO, refusal(404, "not found", 5), arrive)
    told = hera("follow", "r1")
    assert told.code == 0
    assert "whether hello-r1 was accepted is not known; looking for it for up to" in told.err


@pytest.mark.parametrize("command", ["follow", "logs", "stop"])
def test_a_run_that_never_arrived_was_never_submitted(hera: CommandLine, peer: ArgoPeer, command: str) -> None:
    left_unknown(hera, peer)
    long_ago()
    told = hera(command, "r1")
    assert told.code == 7
    assert "hello-r1 was never submitted: the server knows no hello-r1" in told.err
    assert "`hera-k8s run ...` with --run-id r1" in told.lines[-1]
    assert "not submitted" in hera("runs").out
    assert peer.asked("PUT") == []
    assert hera("run", "--run-id", "r1", "--detach").code == 0


@pytest.mark.parametrize("words", [("logs", "r1"), ("stop", "r1"), ("follow", "r1", "--timeout", "0.1")])
def test_a_run_that_may_arrive_yet_is_unknown(hera: CommandLine, peer: ArgoPeer, words: tuple[str, ...]) -> None:
    left_unknown(hera, peer)
    told = hera(*words)
    assert told.code == 10
    assert "the server knows no hello-r1 so far" in told.err
    assert "outcome unknown" in hera("runs").out


@pytest.mark.parametrize("command", ["follow", "logs", "stop"])
@pytest.mark.parametrize(
    "reading",
    [refusal(503, "out of order", 14), reply(404, "default backend"), refusal(403, "no reading", 7), reply(200, {})],
)
def test_a_run_that_cannot_be_looked_for_stays_unknown(
    hera: CommandLine, peer: ArgoPeer, command: str, reading: Answer
) -> None:
    left_unknown(hera, peer)
    long_ago()
    peer.on("GET", HELLO, reading)
    told = hera(command, "r1")
    assert told.code == 10
    assert "it cannot be looked for" in told.err
    assert "outcome unknown" in hera("runs").out


@pytest.mark.parametrize("command", ["follow", "logs", "stop"])
def test_another_workflow_under_the_name_is_not_taken_for_the_run(
    hera: CommandLine, peer: ArgoPeer, command: str
) -> None:
    _, request = left_unknown(hera, peer)
    peer.keep(request)["metadata"]["labels"]["hera-k8s-utils/digest"] = "another"
    told = hera(command, "r1")
    assert told.code == 7
    assert "the name is taken in vcity by another experiment or other inputs" in told.err
    assert peer.asked("PUT") == []


@pytest.mark.parametrize("command", ["follow", "logs", "stop"])
def test_a_run_that_was_refused_is_told_as_such(hera: CommandLine, peer: ArgoPeer, command: str) -> None:
    instead_of_creating(peer, refusal(403, "exceeded quota", 7))
    assert hera("run", "--run-id", "r1").code == 7
    told = hera(command, "r1")
    assert told.code == 7
    assert "hello-r1 was never submitted: exceeded quota (403)" in told.err


def test_a_program_that_was_killed_before_it_sent_anything_leaves_the_same(hera: CommandLine, peer: ArgoPeer) -> None:
    left_unknown(hera, peer)
    Path("runs/r1/submission_failed.json").unlink()
    assert "outcome unknown" in hera("runs").out
    assert hera("stop", "r1").code == 10


def test_a_refusal_does_not_deny_an_earlier_attempt(hera: CommandLine, peer: ArgoPeer) -> None:
    _, request = left_unknown(hera, peer)
    instead_of_creating(peer, refusal(403, "exceeded quota", 7))
    told = hera("run", "--run-id", "r1")
    assert told.code == 10
    assert "exceeded quota (403); an earlier attempt may be carried out yet" in told.err
    peer.keep(request)
    assert hera("run", "--run-id", "r1", "--detach").code == 0
    assert record("r1")["submission"]["existed"] is True


# --- servers that fail later -------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [reply(404, "default backend - 404"), reply(404, "<html></html>", headers=PAGE)])
def test_a_gateways_404_is_no_end_of_a_run(hera: CommandLine, peer: ArgoPeer, answer: Answer) -> None:
    assert hera("run", "--run-id", "r1", "--detach").code == 0
    peer.on("GET", HELLO, answer, peer.otherwise)
    over = {"result": {"type": "MODIFIED", "object": state("Succeeded", name="hello-r1", uid="uid-hello-r1")}}
    peer.on("GET", EVENTS, sse([over]))
    assert hera("follow", "r1").code == 0
    assert record("r1")["outcome"]["phase"] == "Succeeded"


def test_a_gateways_404_to_a_request_to_stop_is_no_missing_run(hera: CommandLine, peer: ArgoPeer) -> None:
    assert hera("run", "--run-id", "r1", "--detach").code == 0
    peer.on("PUT", f"{HELLO}/stop", reply(404, "default backend - 404"))
    told = hera("stop", "r1")
    assert told.code == 9
    assert "unknown whether hello-r1 is being stopped" in told.err


def test_a_request_to_stop_whose_answer_was_lost_is_read_back(hera: CommandLine, peer: ArgoPeer) -> None:
    assert hera("run", "--run-id", "r1", "--detach").code == 0

    def stop(request: Request, handler: Any) -> None:
        peer.workflows["hello-r1"]["spec"]["shutdown"] = "Stop"
        cut()(request, handler)

    peer.on("PUT", f"{HELLO}/stop", stop)
    assert hera("stop", "r1").code == 0


# --- how long it is looked for -------------------------------------------------------------------------------------


def test_a_workflow_is_looked_for_as_long_as_was_said(peer: ArgoPeer) -> None:
    peer.on("POST", WORKFLOWS, reply(502, ""))
    waited: list[float] = []
    with connected(peer.url, hello(), run_id="r1") as container:
        engine = ArgoEngine(container.context().argo, "", RetryPolicy(sleep=waited.append), confirming=45.0)
        with pytest.raises(SubmissionOutcomeUnknown):
            engine.submit(container.experiment())
    assert sum(waited) == 7.0 + 45.0
    assert len(peer.asked("POST")) == 4


def test_a_workflow_that_arrives_after_the_last_try_is_seen(peer: ArgoPeer) -> None:
    peer.on("POST", WORKFLOWS, reply(502, ""))
    passed: list[float] = []

    def pause(seconds: float) -> None:
        passed.append(seconds)
        if sum(passed) >= 22.0:
            peer.keep(peer.asked("POST")[-1])

    with connected(peer.url, hello(), run_id="r1") as container:
        engine = ArgoEngine(container.context().argo, "", RetryPolicy(sleep=pause))
        assert engine.submit(container.experiment()).existed


def test_what_was_never_sent_is_surely_not_accepted() -> None:
    with connected(f"http://127.0.0.1:{refused_port()}", hello(), run_id="r1") as container:
        engine = engine_of(container.context())
        with pytest.raises(SubmitError, match="refused the connection") as caught:
            engine.submit(container.experiment())
    assert not isinstance(caught.value, SubmissionOutcomeUnknown)


def test_a_token_that_ends_after_a_lost_answer_leaves_the_outcome_unknown() -> None:
    answers: list[HeraK8sError] = [
        PlatformError("POST", found="bad gateway", kind=ErrorKind.SERVER, status=502),
        CredentialError("the token has expired"),
    ]

    def create(wanted: Any) -> Any:
        raise answers.pop(0)

    def read(name: str) -> Any:
        raise PlatformError("GET", kind=ErrorKind.MISSING, status=404)

    wanted = {"metadata": {"name": "hello-r1", "labels": {DIGEST_LABEL: "abc"}}}
    with pytest.raises(SubmissionOutcomeUnknown, match=r"bad gateway.*the token has expired"):
        submit_once(wanted, SubmissionTarget(NAMESPACE, create=create, read=read, sleep=lambda _: None))


def test_an_attempt_without_a_credential_does_not_deny_an_earlier_one(hera: CommandLine, peer: ArgoPeer) -> None:
    left_unknown(hera, peer)
    kept = RunStore(Path("runs")).find("r1")
    with connected(peer.url, hello(), run_id="r1") as container:

        class Refusing(ArgoEngine):
            def submit(self, built: Any) -> Any:
                raise CredentialError("the token has expired")

        container.engine.override(Refusing(container.context().argo))
        with pytest.raises(SubmissionOutcomeUnknown, match="an earlier attempt may be carried out yet"):
            submit(container.experiment(), kept, container)
    assert kept.attempt.state is Submitted.UNKNOWN


def test_a_run_whose_outcome_is_unknown_leads_back_without_flags(
    hera: CommandLine, peer: ArgoPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead_of_creating(peer, reply(502, ""))
    peer.on("GET", HELLO, refusal(403, "no reading", 7))
    for name in ("ARGO_SERVER", "ARGO_NAMESPACE"):
        monkeypatch.delenv(name)
    flags = ("--argo-server", peer.url, "--namespace", NAMESPACE, "--engine", "argo")
    assert hera("run", "--run-id", "r1", *flags).code == 10
    peer.on("GET", HELLO)
    told = hera("follow", "r1", "--timeout", "0.1")
    assert told.code == 10
    assert "the server knows no hello-r1 so far" in told.err
    assert peer.asked("GET", HELLO)


def test_a_deletion_whose_answer_was_lost_has_succeeded(peer: ArgoPeer) -> None:
    peer.on("DELETE", HELLO, cut(), refusal(404, "not found", 5))
    with connected(peer.url, hello(), run_id="r1") as container:
        container.context().argo.delete("hello-r1")
        peer.on("DELETE", HELLO, refusal(404, "not found", 5))
        with pytest.raises(PlatformError) as caught:
            container.context().argo.delete("hello-r1")
    assert caught.value.kind is ErrorKind.MISSING
