"""Servers that are down, slow, misread or refuse: what a run says of them, and that nothing is lost or made twice."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from argo_peer import EVENTS, NAMESPACE, WORKFLOWS, ArgoPeer, node, refusal, state
from command_line import SECRET, SMALL, CommandLine, kubeconfig, record, records, write_kubeconfig
from fault_server import (
    Answer,
    FaultServer,
    Request,
    cut,
    drip,
    hang,
    html_login,
    refused_port,
    reply,
    slow_headers,
    sse,
    stream,
    tls_context,
)


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    (work / "experiment.py").write_text(SMALL)
    monkeypatch.setenv("HERA_K8S_HTTP_TIMEOUT", "0.5")
    monkeypatch.setenv("HERA_K8S_HTTP_RETRIES", "1")
    return CommandLine(capsys)


def use_kubernetes(url: str) -> None:
    os.environ["KUBECONFIG"] = write_kubeconfig(Path("config"), kubeconfig(url))


def use_argo(url: str) -> None:
    os.environ.update(ARGO_SERVER=url, ARGO_TOKEN=SECRET, ARGO_NAMESPACE=NAMESPACE)


@pytest.fixture(params=[use_kubernetes, use_argo], ids=["kubernetes", "argo"])
def use(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes commands talk to a server of one kind or the other."""
    for name in ("KUBECONFIG", "ARGO_SERVER", "ARGO_TOKEN", "ARGO_NAMESPACE"):
        monkeypatch.setenv(name, "")  # so that it is as before at the end
        monkeypatch.delenv(name)
    kind: Callable[[str], None] = request.param
    return kind


# --- servers that give no answer that can be used --------------------------------------------------------------


@contextmanager
def down() -> Iterator[str]:
    yield f"http://127.0.0.1:{refused_port()}"


@contextmanager
def slow() -> Iterator[str]:
    with FaultServer() as server:
        server.otherwise = hang()
        yield server.url


@contextmanager
def without_tls() -> Iterator[str]:
    with FaultServer() as server:
        yield server.url.replace("http:", "https:")
        assert server.requests == []


@contextmanager
def untrusted() -> Iterator[str]:
    with FaultServer(tls=tls_context(trustme.CA())) as server:
        yield server.url
        assert server.requests == [], "no token goes to a server that is not trusted"


@contextmanager
def login_page() -> Iterator[str]:
    with FaultServer() as server:
        server.otherwise = html_login()
        yield server.url


BROKEN: dict[str, tuple[Callable[[], AbstractContextManager[str]], str, str]] = {
    "down": (down, "refused the connection", "is the server up?"),
    "slow": (slow, "no answer within 0.5 s", "--http-timeout"),
    "not TLS": (without_tls, "does not speak TLS", "http://localhost"),
    "untrusted": (untrusted, "certificate is not trusted", "--ca-file"),
    "HTML": (login_page, "a web page titled 'Sign in'", "login proxy"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_run_says_what_is_wrong_with_the_server_and_submits_nothing(
    hera: CommandLine, use: Callable[[str], None], case: str
) -> None:
    server, words, hint = BROKEN[case]
    with server() as url:
        use(url)
        told = hera("run")
    assert told.code == 5
    assert told.err.count(words) == 1, "said once, not by everything that could not be looked at"
    assert hint in told.err
    assert "Nothing was submitted" in told.lines[-1]
    assert records() == []


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("words", [["runs", "--server"], ["stop", "x"], ["logs", "x"]], ids=lambda words: words[0])
def test_outside_of_checks_a_server_that_fails_has_its_own_code(
    hera: CommandLine, use: Callable[[str], None], case: str, words: list[str]
) -> None:
    server, found, hint = BROKEN[case]
    with server() as url:
        use(url)
        told = hera(*words)
    assert told.code == 9
    assert told.out == ""
    assert found in told.err
    assert hint in told.lines[-1]


# --- servers that refuse ---------------------------------------------------------------------------------------

STATUSES = {
    401: "token is no good",
    403: "not for you",
    404: "nothing here",
    409: "it is there already",
    422: "it is misshapen",
    429: "slow down",
    500: "out of order",
}


def refusing(status: int) -> Answer:
    """An error as either server writes it, which even repeats the token."""
    body = {"kind": "Status", "code": status, "reason": "Because", "message": f"{STATUSES[status]} ({SECRET})"}
    return reply(status, body, headers={"Retry-After": "0"})


@pytest.mark.parametrize("status", STATUSES)
def test_a_run_that_is_refused_tells_the_servers_words_without_the_token(
    hera: CommandLine, use: Callable[[str], None], status: int
) -> None:
    with FaultServer() as server:
        server.otherwise = refusing(status)
        use(server.url)
        told = hera("run")
        created = [r for r in server.asked("POST") if r.path.endswith(("/workflows", WORKFLOWS)) and not tried_only(r)]
    assert told.code == 5
    assert STATUSES[status] in told.err
    assert f"({status})" in told.err
    assert "Nothing was submitted" in told.lines[-1]
    assert created == []
    assert records() == []


def tried_only(request: Request) -> bool:
    """Whether a request to create a workflow was a dry run."""
    return request.query.get("dryRun") == "All" or bool(request.json().get("serverDryRun"))


@pytest.mark.parametrize("status", [status for status in STATUSES if status != 404])
def test_a_listing_that_is_refused_tells_the_servers_words_without_the_token(
    hera: CommandLine, use: Callable[[str], None], status: int
) -> None:
    with FaultServer() as server:
        server.otherwise = refusing(status)
        use(server.url)
        told = hera("runs", "--server")
    assert told.code == 9
    assert STATUSES[status] in told.err
    assert "<redacted>" in told.err


# --- submission ------------------------------------------------------------------------------------------------


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
        (peer.accept if tried_only(request) else answer)(request, handler)

    peer.on("POST", WORKFLOWS, create)


SUBMISSIONS = {
    400: "hera-k8s render",
    401: "hera-k8s login",
    403: "right namespace",
    404: "right namespace",
    409: "a quota, or an admission rule",
    422: "hera-k8s render",
    429: "try again later",
}


@pytest.mark.parametrize("status", SUBMISSIONS)
def test_a_refused_submission_is_recorded_and_may_be_tried_again(
    hera: CommandLine, peer: ArgoPeer, status: int
) -> None:
    instead_of_creating(peer, refusal(status, f"so not ({SECRET})", headers={"Retry-After": "0"}))
    told = hera("run", "--run-id", "r1")
    assert told.code == 7
    assert f"hello-r1 was not accepted: so not (<redacted>) ({status})" in told.err
    assert SUBMISSIONS[status] in told.lines[-1]
    assert peer.workflows == {}
    assert "submission" not in record("r1")
    assert "so not" in record("r1")["submission_failed"]["found"]
    assert record("r1")["manifest"]["kind"] == "Workflow"
    assert "not submitted" in hera("runs").out

    instead_of_creating(peer, peer.accept)
    assert hera("run", "--run-id", "r1", "--detach").code == 0
    assert list(peer.workflows) == ["hello-r1"]
    assert record("r1")["submission"]["name"] == "hello-r1"


def test_a_server_that_fails_now_and_then_gets_one_workflow(hera: CommandLine, peer: ArgoPeer) -> None:
    answers = iter([refusal(500, "out of order"), peer.accept])
    instead_of_creating(peer, lambda request, handler: next(answers)(request, handler))
    assert hera("run", "--run-id", "r1", "--detach").code == 0
    assert list(peer.workflows) == ["hello-r1"]


def test_a_lost_answer_is_read_back(hera: CommandLine, peer: ArgoPeer) -> None:
    instead_of_creating(peer, peer.accept_and_cut())
    told = hera("run", "--run-id", "r1", "--detach")
    assert told.code == 0
    assert "hello-r1" in told.out
    assert list(peer.workflows) == ["hello-r1"]
    assert record("r1")["submission"]["name"] == "hello-r1"


def test_what_cannot_be_known_is_said_and_found_out_by_the_same_run(hera: CommandLine, peer: ArgoPeer) -> None:
    def arrive_and_say_no_more(request: Request, handler: Any) -> None:
        peer.on("GET", f"{WORKFLOWS}/hello-r1", refusal(403, "no reading"))
        peer.accept_and_cut()(request, handler)

    instead_of_creating(peer, arrive_and_say_no_more)
    told = hera("run", "--run-id", "r1")
    assert told.code == 10
    assert "it is not known whether hello-r1 was accepted" in told.err
    assert "--run-id r1 finds out, and never makes a second one" in told.lines[-1]
    assert "outcome unknown" in hera("runs").out

    peer.on("GET", f"{WORKFLOWS}/hello-r1")
    instead_of_creating(peer, peer.accept)
    told = hera("run", "--run-id", "r1", "--detach")
    assert told.code == 0
    assert "was submitted before" in told.text
    assert list(peer.workflows) == ["hello-r1"]


# --- following -------------------------------------------------------------------------------------------------


def test_a_stream_that_is_cut_is_taken_up_again(hera: CommandLine, peer: ArgoPeer) -> None:
    def news(phase: str) -> Any:
        return {"result": {"type": "MODIFIED", "object": state(phase, name="hello-r1", uid="uid-hello-r1")}}

    peer.on("GET", EVENTS, sse([news("Running")], end="cut"), cut(), sse([news("Succeeded")]))
    told = hera("run", "--run-id", "r1")
    assert told.code == 0
    assert record("r1")["outcome"]["phase"] == "Succeeded"


def test_a_server_that_went_away_while_following_takes_nothing_with_it(hera: CommandLine, peer: ArgoPeer) -> None:
    def gone(request: Request, handler: Any) -> None:
        peer.otherwise = refusal(500, "out of order")
        cut()(request, handler)

    well = peer.otherwise
    peer.on("GET", EVENTS, gone)
    told = hera("run", "--run-id", "r1", "--timeout", "1s")
    assert told.code == 12
    assert "no longer following hello-r1" in told.err
    assert "it goes on" in told.err
    assert "hera-k8s follow r1 comes back" in told.lines[-1]
    assert "outcome" not in record("r1")

    peer.otherwise = well
    peer.workflows["hello-r1"]["status"] = state("Succeeded")["status"]
    assert hera("follow", "r1").code == 0
    assert record("r1")["outcome"]["phase"] == "Succeeded"


def lines_without_an_end() -> Answer:
    return stream(itertools.repeat(json.dumps({"result": {"content": "x", "podName": "hello-r1-main-1"}})))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("log", [hang, slow_headers, drip, lines_without_an_end])
def test_a_run_that_failed_has_an_outcome_although_its_log_has_no_end(
    hera: CommandLine, peer: ArgoPeer, monkeypatch: pytest.MonkeyPatch, log: Callable[[], Answer]
) -> None:
    monkeypatch.setenv("HERA_K8S_HTTP_TIMEOUT", "3600")
    monkeypatch.setattr("hera_k8s_utils.container.recording._LOOKING", 1.0)
    failed = node("Failed", "hello-r1", id="hello-r1", templateName="main", message="Error (exit code 3)")
    news = state("Failed", {"hello-r1": failed}, name="hello-r1", uid="uid-hello-r1")
    peer.on("GET", EVENTS, sse([{"result": {"type": "MODIFIED", "object": news}}]))
    peer.on("GET", f"{WORKFLOWS}/hello-r1/log", log())
    told = hera("run", "--run-id", "r1")
    assert told.code == 8
    assert "exit code 3" in told.text
    assert record("r1")["outcome"]["counts"]["failed"] == 1
    assert [request.path for request in peer.requests if request.path.endswith("/log")]


def test_a_workflow_that_somebody_deleted_is_told_as_such(hera: CommandLine, peer: ArgoPeer) -> None:
    assert hera("run", "--run-id", "r1", "--detach").code == 0
    del peer.workflows["hello-r1"]
    told = hera("follow", "r1")
    assert told.code == 8
    assert "hello-r1" in told.text
    assert "not on the server, or no longer" in told.text
    assert "outcome" not in record("r1")
