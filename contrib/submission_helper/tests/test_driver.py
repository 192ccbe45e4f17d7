"""Driving a batch over a bad line: requests that fail are made again, and what was lost hides nothing."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import Answer, Request, cut, reply, stream
from jobs_peer import JOBS, PODS, JobsPeer, ended, event, job, jobs_on, status

from hera_k8s_utils import ErrorKind, PlatformError

SOURCES = Path(__file__).resolve().parent.parent / "src"
BUSY = reply(503, status(503, "ServiceUnavailable"))
Json = dict[str, Any]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SOURCES))
    return importlib.import_module("hera_k8s_submission_helper.driver")


@pytest.fixture
def peer() -> Iterator[JobsPeer]:
    """Its watches tell of all Jobs as they are, and end."""
    with JobsPeer() as peer:

        def answer(request: Request, handler: Any) -> None:
            if "watch" not in request.query:
                peer.list(request, handler)
            else:
                stream([event("MODIFIED", each) for each in peer.kept.values()])(request, handler)

        peer.on("GET", JOBS, answer)
        yield peer


def suspended(peer: JobsPeer, *names: str) -> None:
    for name in names:
        peer.keep(job(name, suspend=True))


def run_through(peer: JobsPeer, name: str) -> Answer:
    """Resume a job, which ends at once."""

    def answer(request: Request, handler: Any) -> None:
        found = peer.kept[name]
        reply(200, peer.keep({**found, "spec": {**found["spec"], **request.json()["spec"]}, "status": ended()}))(
            request, handler
        )

    return answer


def patched(peer: JobsPeer) -> list[str]:
    return [request.path.removeprefix(f"{JOBS}/") for request in peer.asked("PATCH")]


# --- resuming --------------------------------------------------------------------------------------------------------


def test_a_job_is_resumed_again_after_a_failure_that_passes(driver: Any, peer: JobsPeer) -> None:
    suspended(peer, "a", "b")
    throttled = reply(429, status(429, "TooManyRequests"), headers={"Retry-After": "0"})
    conflict = reply(409, status(409, "Conflict"))
    peer.on("PATCH", f"{JOBS}/a", BUSY, throttled, cut(), run_through(peer, "a"))
    peer.on("PATCH", f"{JOBS}/b", BUSY, conflict, BUSY, run_through(peer, "b"))
    counts = driver.Driver(jobs_on(peer), "app=try", 1).run()
    assert (counts.total, counts.succeeded) == (2, 2)
    assert patched(peer) == ["a"] * 4 + ["b"] * 4


def test_failures_to_resume_have_an_end(driver: Any, peer: JobsPeer) -> None:
    suspended(peer, "a")
    peer.on("PATCH", f"{JOBS}/a", BUSY)
    with pytest.raises(PlatformError, match="4 times in a row") as caught:
        driver.Driver(jobs_on(peer), "app=try", 1).run()
    assert caught.value.kind is ErrorKind.SERVER
    assert "hera-k8s jobs wait" in caught.value.hint
    assert len(patched(peer)) == 4


def test_what_may_not_be_resumed_is_tried_once(driver: Any, peer: JobsPeer) -> None:
    suspended(peer, "a")
    peer.on("PATCH", f"{JOBS}/a", reply(403, status(403, "Forbidden")))
    with pytest.raises(PlatformError) as caught:
        driver.Driver(jobs_on(peer), "app=try", 1).run()
    assert caught.value.kind is ErrorKind.FORBIDDEN
    assert len(patched(peer)) == 1


@pytest.mark.timeout(30)
def test_a_job_made_anew_has_its_turn_although_its_forerunner_was_resumed(driver: Any, peer: JobsPeer) -> None:
    suspended(peer, "a", "b")
    first = peer.kept["a"]
    peer.on("PATCH", f"{JOBS}/a", reply(200, first), run_through(peer, "a"))
    peer.on("PATCH", f"{JOBS}/b", run_through(peer, "b"))

    def answer(request: Request, handler: Any) -> None:
        if "watch" not in request.query:
            peer.list(request, handler)
        elif peer.kept["a"] is first:
            made_anew = job("a", suspend=True)
            made_anew["metadata"]["uid"] = "another"
            stream([event("DELETED", first), event("ADDED", peer.keep(made_anew))])(request, handler)
        else:
            stream([event("MODIFIED", each) for each in peer.kept.values()])(request, handler)

    peer.on("GET", JOBS, answer)
    counts = driver.Driver(jobs_on(peer), "app=try", 1).run()
    assert (counts.succeeded, counts.cancelled) == (2, 1)
    assert patched(peer) == ["a", "b", "a"]


# --- looking for outputs ---------------------------------------------------------------------------------------------


def test_a_look_that_cannot_be_cleared_away_says_still_why_it_failed(
    peer: JobsPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SOURCES))
    lines, manifests, outputs = (
        importlib.import_module(f"hera_k8s_submission_helper.{name}")
        for name in ("command_lines", "manifests", "outputs")
    )

    def give(request: Request, handler: Any) -> None:
        found = peer.kept[request.path.rpartition("/")[2]]
        given = {**found, "status": ended("Failed")} if request.method == "GET" else status(403, "Forbidden")
        reply(200 if request.method == "GET" else 403, given)(request, handler)

    peer.otherwise = give
    peer.on("GET", PODS, reply(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}))
    pod = job()["spec"]["template"]["spec"]
    factory = manifests.JobFactory(lines.Batch("lines", ["true"]), manifests.JobOptions(root="/ntuples"), pod)
    with pytest.raises(PlatformError, match="it has no pods"):
        outputs.find_existing(jobs_on(peer), factory)
    assert len(peer.asked("DELETE")) == 1
