"""Jobs over a bad line: each is created once, and what happens to them is heard once, whatever is lost between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fault_server import cut, hang, reply, stream
from jobs_peer import JOBS, PODS, JobsPeer, ended, event, job, jobs_on, status

from hera_k8s_kube.jobs import Jobs, JobTimeout
from hera_k8s_utils import Credential, ErrorKind, HeraK8sError, PlatformError, SubmissionOutcomeUnknown, SubmitError

DIGEST = "hera-k8s-utils/digest"
NO_PODS = {"kind": "PodList", "apiVersion": "v1", "items": []}


@pytest.fixture
def peer() -> Iterator[JobsPeer]:
    with JobsPeer() as peer:
        yield peer


@pytest.fixture
def jobs(peer: JobsPeer) -> Jobs:
    return jobs_on(peer)


# --- exactly once ------------------------------------------------------------------------------------------------


def test_a_job_is_created_under_its_name_with_its_digest(peer: JobsPeer, jobs: Jobs) -> None:
    found = jobs.submit(job())
    assert (found.name, found.uid, found.phase) == ("hello", "uid-hello", "Pending")
    assert len(peer.kept["hello"]["metadata"]["labels"][DIGEST]) == 40
    assert len(peer.asked("POST")) == 1


def test_an_answer_that_was_lost_makes_no_second_job(peer: JobsPeer, jobs: Jobs) -> None:
    peer.on("POST", JOBS, peer.accept_and_cut())
    assert jobs.submit(job()).name == "hello"
    assert len(peer.asked("POST")) == 1


def test_an_answer_that_never_comes_makes_no_second_job(peer: JobsPeer) -> None:
    def keep_and_wait(request: Any, handler: Any) -> None:
        peer.keep(request.json())
        hang()(request, handler)

    peer.on("POST", JOBS, keep_and_wait)
    assert jobs_on(peer, timeout=0.5).submit(job()).name == "hello"
    assert list(peer.kept) == ["hello"]


def test_a_request_that_was_lost_is_sent_again(peer: JobsPeer, jobs: Jobs) -> None:
    peer.on("POST", JOBS, cut(), peer.accept)
    jobs.submit(job())
    assert list(peer.kept) == ["hello"]


@pytest.mark.parametrize("code", [500, 503])
def test_a_server_that_fails_is_asked_again(peer: JobsPeer, jobs: Jobs, code: int) -> None:
    peer.on("POST", JOBS, reply(code, status(code, "InternalError")), peer.accept)
    jobs.submit(job())
    assert list(peer.kept) == ["hello"]


def test_the_same_job_again_is_the_one_that_is_there(peer: JobsPeer, jobs: Jobs) -> None:
    jobs.submit(job())
    peer.keep({**peer.kept["hello"], "status": {"active": 1, "ready": 1}})
    assert jobs.submit(job()).phase == "Running"


def test_another_job_under_the_name_is_refused(jobs: Jobs) -> None:
    jobs.submit(job())
    with pytest.raises(SubmitError, match="taken in vcity by another experiment or other inputs"):
        jobs.submit(job(command="false"))


def test_a_job_of_somebody_elses_is_refused(peer: JobsPeer, jobs: Jobs) -> None:
    peer.keep(job())
    with pytest.raises(SubmitError, match="a Job that hera-k8s did not submit"):
        jobs.submit(job())


def test_a_job_that_is_being_deleted_is_not_taken_for_the_new_one(peer: JobsPeer, jobs: Jobs) -> None:
    jobs.submit(job())
    kept = peer.kept["hello"]
    peer.keep({**kept, "metadata": {**kept["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    with pytest.raises(SubmitError, match="is being deleted"):
        jobs.submit(job())


def test_what_is_refused_is_refused_at_once(peer: JobsPeer, jobs: Jobs) -> None:
    peer.on("POST", JOBS, reply(403, status(403, "Forbidden", "exceeded quota: jobs, used: count/jobs.batch=10")))
    with pytest.raises(SubmitError, match="exceeded quota"):
        jobs.submit(job())
    assert len(peer.asked("POST")) == 1


def test_what_cannot_be_found_out_is_said_to_be_unknown(peer: JobsPeer, jobs: Jobs) -> None:
    peer.on("POST", JOBS, cut())
    peer.on("GET", f"{JOBS}/hello", cut())
    with pytest.raises(SubmissionOutcomeUnknown, match="submitting it again under the same name finds out"):
        jobs.submit(job())


@pytest.mark.parametrize("manifest", [{**job(), "metadata": {}}, {**job(), "kind": "CronJob"}])
def test_only_a_job_with_a_name_is_submitted(peer: JobsPeer, jobs: Jobs, manifest: Any) -> None:
    with pytest.raises(SubmitError, match="only a named Job"):
        jobs.submit(manifest)
    assert peer.requests == []


def test_a_job_of_another_namespace_is_refused(peer: JobsPeer, jobs: Jobs) -> None:
    with pytest.raises(SubmitError, match="its namespace is lyon"):
        jobs.submit({**job(), "metadata": {"name": "hello", "namespace": "lyon"}})
    assert peer.requests == []


# --- following -----------------------------------------------------------------------------------------------------


def told(jobs: Jobs, *, name: str = "", most: int = 0) -> list[tuple[str, str, str]]:
    heard = []
    for update in jobs.follow("app=try" if not name else "", name=name):
        heard.append((update.kind, update.job.name, update.job.phase))
        if len(heard) == most:
            break
    return heard


def test_following_begins_with_what_is_there_and_ends_with_the_job(peer: JobsPeer, jobs: Jobs) -> None:
    first = peer.keep(job())
    last = {**peer.keep({**first, "status": ended()})}
    peer.keep(first)
    peer.watched(stream([event("MODIFIED", {**last, "metadata": {**last["metadata"], "resourceVersion": "200"}})]))
    assert told(jobs, name="hello") == [("added", "hello", "Pending"), ("modified", "hello", "Succeeded")]


def test_a_job_that_is_not_there_cannot_be_followed(jobs: Jobs) -> None:
    with pytest.raises(PlatformError) as caught:
        told(jobs, name="hello")
    assert caught.value.status == 404


def test_a_job_that_is_deleted_while_it_is_followed_ends_the_following(peer: JobsPeer, jobs: Jobs) -> None:
    first = peer.keep(job())
    peer.watched(stream([event("DELETED", {**first, "metadata": {**first["metadata"], "resourceVersion": "200"}})]))
    assert told(jobs, name="hello")[-1] == ("deleted", "hello", "Pending")


def test_a_cut_stream_is_taken_up_and_nothing_is_told_twice(peer: JobsPeer, jobs: Jobs) -> None:
    first, other = peer.keep(job("a")), peer.keep(job("b"))
    running = {
        **first,
        "metadata": {**first["metadata"], "resourceVersion": "200"},
        "status": {"active": 1, "ready": 1},
    }
    over = {**other, "metadata": {**other["metadata"], "resourceVersion": "201"}, "status": ended("Failed")}

    def keep_all(*changed: Any) -> None:
        for each in changed:
            peer.kept[each["metadata"]["name"]] = each

    def cut_stream(request: Any, handler: Any) -> None:
        keep_all(running)
        stream([event("MODIFIED", running)], end="cut")(request, handler)

    peer.watched(cut_stream, stream([event("MODIFIED", running), event("MODIFIED", over)]))
    assert told(jobs, most=4) == [
        ("added", "a", "Pending"),
        ("added", "b", "Pending"),
        ("modified", "a", "Running"),
        ("modified", "b", "Failed"),
    ]


def test_what_streams_that_end_at_once_do_not_tell_is_listed(peer: JobsPeer, jobs: Jobs) -> None:
    first = peer.keep(job())

    def end_unheard(request: Any, handler: Any) -> None:
        peer.keep({**first, "status": ended()})
        stream([])(request, handler)

    peer.watched(end_unheard)
    assert told(jobs, name="hello") == [("added", "hello", "Pending"), ("modified", "hello", "Succeeded")]
    assert len(peer.watches) == 1


def test_a_place_that_the_server_forgot_is_found_again_by_listing(peer: JobsPeer, jobs: Jobs) -> None:
    """410 as it is met: an ERROR event in a stream that was answered with 200."""
    gone, stays = peer.keep(job("gone")), peer.keep(job("stays"))
    expired = {"type": "ERROR", "object": status(410, "Expired", "too old resource version")}

    def forget(request: Any, handler: Any) -> None:
        peer.kept.pop("gone", None)
        peer.keep({**stays, "status": {"active": 1, "ready": 1}})
        stream([json.dumps(expired)])(request, handler)

    peer.watched(forget, stream([], end="silent"))
    assert gone["metadata"]["name"] == "gone"
    assert told(jobs, most=4) == [
        ("added", "gone", "Pending"),
        ("added", "stays", "Pending"),
        ("deleted", "gone", "Pending"),
        ("modified", "stays", "Running"),
    ]
    assert peer.watches[0].query["resourceVersion"] == "102"


def test_a_version_that_is_too_old_to_begin_with_is_not_asked_for_again(peer: JobsPeer, jobs: Jobs) -> None:
    kept = peer.keep(job())
    expired = event("ERROR", status(410, "Expired"))
    over = {**kept, "metadata": {**kept["metadata"], "resourceVersion": "300"}, "status": ended()}
    peer.watched(stream([expired]), stream([event("ADDED", kept), event("MODIFIED", over)]))
    assert told(jobs, name="hello")[-1] == ("modified", "hello", "Succeeded")
    assert "resourceVersion" not in peer.watches[1].query


def test_another_job_under_the_name_is_another(peer: JobsPeer, jobs: Jobs) -> None:
    first = peer.keep(job())
    metadata = {**first["metadata"], "uid": "another", "resourceVersion": "300"}
    peer.watched(stream([event("ADDED", {**first, "metadata": metadata})], end="silent"))
    assert told(jobs, most=3) == [
        ("added", "hello", "Pending"),
        ("deleted", "hello", "Pending"),
        ("added", "hello", "Pending"),
    ]


def test_a_refused_token_is_renewed_in_the_middle(peer: JobsPeer) -> None:
    kept = peer.keep(job())
    over = {**kept, "metadata": {**kept["metadata"], "resourceVersion": "300"}, "status": ended()}

    def guarded(request: Any, handler: Any) -> None:
        if request.headers["authorization"] != "Bearer fresh":
            reply(401, status(401, "Unauthorized"))(request, handler)
        else:
            stream([event("MODIFIED", over)])(request, handler)

    peer.watched(guarded)
    renewed = Credential(server=peer.url, secret="fresh", source="test")
    jobs = jobs_on(peer, renew=lambda refused: renewed)
    assert told(jobs, name="hello")[-1] == ("modified", "hello", "Succeeded")


def test_streams_that_break_for_too_long_end_in_an_error(peer: JobsPeer, jobs: Jobs) -> None:
    peer.keep(job())
    peer.watched(cut())
    with pytest.raises(PlatformError, match="following Jobs failed 4 times in a row"):
        told(jobs)


def test_what_is_not_ours_to_watch_is_said_at_once(peer: JobsPeer, jobs: Jobs) -> None:
    peer.on("GET", JOBS, reply(403, status(403, "Forbidden", "cannot list resource")))
    with pytest.raises(PlatformError) as caught:
        told(jobs)
    assert caught.value.kind is ErrorKind.FORBIDDEN


def test_waiting_has_an_end(peer: JobsPeer, jobs: Jobs) -> None:
    peer.keep(job())
    peer.on("GET", PODS, reply(200, NO_PODS))
    with pytest.raises(JobTimeout, match=r"did not end within 0\.1 s") as caught:
        jobs.wait("hello", timeout=0.1)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, HeraK8sError)


def test_waiting_has_an_end_where_the_reason_is_not_ours_to_read(peer: JobsPeer, jobs: Jobs) -> None:
    peer.keep(job())
    peer.on("GET", PODS, reply(403, status(403, "Forbidden")))
    with pytest.raises(JobTimeout, match=r"did not end within 0\.1 s"):
        jobs.wait("hello", timeout=0.1)


def test_waiting_for_a_deleted_job_does_not_last(peer: JobsPeer, jobs: Jobs) -> None:
    kept = peer.keep(job())
    peer.watched(stream([event("DELETED", {**kept, "metadata": {**kept["metadata"], "resourceVersion": "300"}})]))
    with pytest.raises(PlatformError, match="the Job was deleted"):
        jobs.wait("hello", timeout=30)


# --- the rest ------------------------------------------------------------------------------------------------------


def test_what_is_gone_is_cancelled_without_a_word(jobs: Jobs) -> None:
    jobs.cancel("never-there")


def test_not_every_job_of_a_namespace_is_deleted_at_once(peer: JobsPeer, jobs: Jobs) -> None:
    with pytest.raises(HeraK8sError, match="pass a label"):
        jobs.delete_all(" ")
    assert peer.requests == []


def test_a_warning_about_the_job_says_why_it_has_no_pod(peer: JobsPeer, jobs: Jobs) -> None:
    peer.keep(job())
    peer.on("GET", PODS, reply(200, NO_PODS))
    quota = {
        "type": "Warning",
        "reason": "FailedCreate",
        "message": 'pods "hello-x" is forbidden: exceeded quota',
        "lastTimestamp": "2026-01-01T00:00:02Z",
    }
    older = {**quota, "message": "older", "lastTimestamp": "2026-01-01T00:00:01Z"}
    events = {"kind": "EventList", "apiVersion": "v1", "items": [quota, older]}
    peer.on("GET", "/api/v1/namespaces/vcity/events", reply(200, events))
    assert jobs.why_pending("hello") == 'FailedCreate: pods "hello-x" is forbidden: exceeded quota'


def test_events_that_are_not_ours_to_read_are_no_reason(peer: JobsPeer, jobs: Jobs) -> None:
    peer.keep(job())
    peer.on("GET", PODS, reply(200, NO_PODS))
    peer.on("GET", "/api/v1/namespaces/vcity/events", reply(403, status(403, "Forbidden")))
    assert jobs.why_pending("hello") == ""
