"""Submitting exactly once: whatever happens to the answer, there is one workflow, and it is this one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from argo_peer import WORKFLOWS, ArgoPeer, connected, engine_of, hello, refusal
from fault_server import cut, hang, html_login, reply

from hera_k8s_utils import ErrorKind, PlatformError, SubmitError, Verdict

pytestmark = pytest.mark.usefixtures("work")  # runs are recorded in the working directory


@pytest.fixture
def peer() -> Iterator[ArgoPeer]:
    with ArgoPeer() as peer:
        yield peer


class Run:
    """One run of an experiment, on the peer. Another `seed` makes another experiment under the same name."""

    def __init__(self, container: Any) -> None:
        self.built = container.experiment()
        self.engine = engine_of(container.context())

    def submit(self) -> Any:
        return self.engine.submit(self.built)


@pytest.fixture
def run(peer: ArgoPeer) -> Iterator[Run]:
    with connected(peer.url, hello(), run_id="r1") as container:
        yield Run(container)


@pytest.fixture
def other(peer: ArgoPeer) -> Iterator[Run]:
    with connected(peer.url, hello(parallelism=3), run_id="r1") as container:
        yield Run(container)


def test_a_workflow_is_created_under_its_name_with_its_digest(peer: ArgoPeer, run: Run) -> None:
    submission = run.submit()
    assert (submission.name, submission.existed) == ("hello-r1", False)
    assert submission.uid == "uid-hello-r1"
    assert submission.url == f"{peer.url}/workflows/vcity/hello-r1"
    labels = peer.workflows["hello-r1"]["metadata"]["labels"]
    assert labels["hera-k8s-utils/digest"] == run.built.manifest.digest[:40]
    assert len(peer.asked("POST")) == 1


def test_an_answer_that_was_lost_makes_no_second_workflow(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, peer.accept_and_cut())
    submission = run.submit()
    assert submission.existed
    assert list(peer.workflows) == ["hello-r1"]
    assert len(peer.asked("POST")) == 1


def test_an_answer_that_never_comes_makes_no_second_workflow(peer: ArgoPeer) -> None:
    def keep_and_wait(request: Any, handler: Any) -> None:
        peer.keep(request)
        hang()(request, handler)

    peer.on("POST", WORKFLOWS, keep_and_wait)
    with connected(peer.url, hello(), run_id="r1", http_timeout=1.0) as container:
        assert Run(container).submit().existed
    assert len(peer.asked("POST")) == 1


def test_a_request_that_was_lost_is_sent_again(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, cut(), peer.accept)
    assert not run.submit().existed
    assert list(peer.workflows) == ["hello-r1"]


def test_a_workflow_that_arrives_late_is_recognised(peer: ArgoPeer, run: Run) -> None:
    """The first request is lost to the client, and is carried out only after it has been looked for."""
    first: list[Any] = []

    def late(request: Any, handler: Any) -> None:
        peer.keep(first[0])
        peer.accept(request, handler)

    peer.on("POST", WORKFLOWS, cut(after=first.append), late)
    assert run.submit().existed
    assert list(peer.workflows) == ["hello-r1"]


@pytest.mark.parametrize(("status", "code"), [(403, 7), (400, 3), (429, 8)])
def test_a_second_try_that_is_refused_does_not_deny_the_first(peer: ArgoPeer, run: Run, status: int, code: int) -> None:
    """The first request is carried out late, and takes the last of a quota: the second one is refused for it."""
    first: list[Any] = []

    def full(request: Any, handler: Any) -> None:
        peer.keep(first[0])
        refusal(status, "exceeded quota: count/workflows.argoproj.io=1", code)(request, handler)

    peer.on("POST", WORKFLOWS, cut(after=first.append), full)
    assert run.submit().existed
    assert list(peer.workflows) == ["hello-r1"]


def test_a_second_try_that_is_refused_for_itself_is_told(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, cut(), refusal(403, "workflows.argoproj.io is forbidden", 7))
    with pytest.raises(SubmitError, match="is forbidden"):
        run.submit()


def test_requests_that_all_were_lost_may_arrive_yet(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, cut())
    with pytest.raises(SubmitError, match="not known whether") as refused:
        run.submit()
    assert "--run-id r1" in refused.value.hint


def test_the_same_run_submitted_again_is_the_same_workflow(peer: ArgoPeer, run: Run) -> None:
    first, second = run.submit(), run.submit()
    assert (first.existed, second.existed) == (False, True)
    assert first.uid == second.uid


def test_another_experiment_under_the_same_name_is_refused(run: Run, other: Run) -> None:
    run.submit()
    with pytest.raises(SubmitError, match="taken") as refused:
        other.submit()
    assert "--run-id" in refused.value.hint


def test_a_workflow_of_somebody_else_under_the_same_name_is_refused(peer: ArgoPeer, run: Run) -> None:
    peer.workflows["hello-r1"] = {"metadata": {"name": "hello-r1"}}
    with pytest.raises(SubmitError, match="did not submit"):
        run.submit()


def test_a_quotas_conflict_is_not_taken_for_our_workflow(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, refusal(409, "Operation cannot be fulfilled on resourcequotas", 6))
    with pytest.raises(SubmitError, match="resourcequotas") as refused:
        run.submit()
    assert "quota" in refused.value.hint
    assert len(peer.asked("POST")) == 1


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, 3, "templates.main: unknown"),
        (403, 7, "workflows.argoproj.io is forbidden"),
        (404, 5, 'namespaces "vcity" not found'),
        (429, 8, "too many requests"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(peer: ArgoPeer, run: Run, status: int, code: int, words: str) -> None:
    peer.on("POST", WORKFLOWS, refusal(status, words, code, headers={"Retry-After": "0"}))
    with pytest.raises(SubmitError, match=words) as refused:
        run.submit()
    assert refused.value.hint
    assert peer.workflows == {}


def test_a_server_that_fails_now_and_then_is_asked_again(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, refusal(500, "etcdserver: leader changed", 13), peer.accept)
    assert run.submit().name == "hello-r1"


def test_a_server_that_always_fails_is_given_up(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, refusal(500, "broken", 13))
    with pytest.raises(SubmitError, match="broken"):
        run.submit()


def test_what_cannot_be_known_is_said_to_be_unknown(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, cut())
    peer.on("GET", f"{WORKFLOWS}/hello-r1", refusal(500, "broken", 13))
    with pytest.raises(SubmitError, match="not known whether") as refused:
        run.submit()
    assert "--run-id" in refused.value.hint


def test_a_login_page_is_no_acceptance(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, html_login())
    peer.on("GET", f"{WORKFLOWS}/hello-r1", html_login())
    with pytest.raises(SubmitError, match="web page"):
        run.submit()


def test_a_workflow_that_names_another_namespace_is_refused(peer: ArgoPeer) -> None:
    workflow = hello()
    workflow["metadata"]["namespace"] = "elsewhere"
    with connected(peer.url, workflow, run_id="r1") as container, pytest.raises(SubmitError, match="elsewhere"):
        Run(container).submit()


def test_the_instance_of_the_controller_is_a_label(peer: ArgoPeer) -> None:
    with connected(peer.url, hello(), run_id="r1", argo_instanceid="mine") as container:
        container.engine().submit(container.experiment())
    labels = peer.workflows["hello-r1"]["metadata"]["labels"]
    assert labels["workflows.argoproj.io/controller-instanceid"] == "mine"


# --- what the server says beforehand ---


def test_a_dry_run_says_that_it_would_be_accepted(peer: ArgoPeer, run: Run) -> None:
    (finding,) = run.engine.preflight(run.built)
    assert finding.result.verdict is Verdict.PASSED
    assert peer.asked("POST")[0].json()["serverDryRun"] is True
    assert peer.workflows == {}


@pytest.mark.parametrize(("status", "verdict"), [(400, Verdict.FAILED), (403, Verdict.FAILED), (409, Verdict.WARNING)])
def test_a_dry_run_tells_why_it_would_not(peer: ArgoPeer, run: Run, status: int, verdict: Verdict) -> None:
    peer.on("POST", WORKFLOWS, refusal(status, "the reason"))
    (finding,) = run.engine.preflight(run.built)
    assert finding.result.verdict is verdict
    assert "the reason" in finding.result.detail


def test_trouble_of_the_server_is_not_blamed_on_the_workflow(peer: ArgoPeer, run: Run) -> None:
    peer.on("POST", WORKFLOWS, reply(500, {"message": "broken"}))
    with pytest.raises(PlatformError) as caught:
        list(run.engine.preflight(run.built))
    assert caught.value.kind is ErrorKind.SERVER
