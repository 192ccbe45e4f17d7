"""The engine `jobs` over a bad line: a run of several Jobs is completed, not repeated, and followed to its one end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from argo_peer import loaded
from fault_server import reply, stream
from jobs_peer import HURRIED, JOBS, PODS, JobsPeer, ended, event, job, status

from hera_k8s_kube.jobs.engine import JobsEngine
from hera_k8s_utils import (
    Experiment,
    PlatformError,
    RunAlreadyFinished,
    RunUpdate,
    SubmissionOutcomeUnknown,
    SubmitError,
    SubmittedInPart,
    build_container,
)

Json = dict[str, Any]
NAMES = ("sweep-r1-a", "sweep-r1-b")
MAPS = "/api/v1/namespaces/vcity/configmaps"


@pytest.fixture
def peer() -> Iterator[JobsPeer]:
    with JobsPeer() as peer:
        peer.on("GET", PODS, reply(403, status(403, "Forbidden", "cannot list pods")))
        yield peer


@contextmanager
def opened(peer: JobsPeer, directory: Path, *returned: Json) -> Iterator[tuple[JobsEngine, Any]]:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "peer",
        "contexts": [{"name": "peer", "context": {"cluster": "peer", "user": "me", "namespace": "vcity"}}],
        "clusters": [{"name": "peer", "cluster": {"server": peer.url}}],
        "users": [{"name": "me", "user": {"token": "abc"}}],
    }
    file = directory / "kubeconfig"
    file.write_text(json.dumps(config))
    experiment = Experiment(name="sweep", workflow=lambda *_: list(returned or (job("a"), job("b"))))
    given = {"run_id": "r1", "k8s_config_file": str(file)}
    with build_container(experiment, environ={}, plugins=loaded(), **given) as container:
        engine = container.running().engine
        assert isinstance(engine, JobsEngine)
        yield JobsEngine(replace(engine.jobs, patience=HURRIED)), container.experiment()


def test_a_run_that_was_handed_in_by_halves_is_completed(peer: JobsPeer, tmp_path: Path) -> None:
    def only_a(request: Any, handler: Any) -> None:
        if request.json()["metadata"]["name"].endswith("-a"):
            peer.accept(request, handler)
        else:
            reply(403, status(403, "Forbidden", "exceeded quota"))(request, handler)

    with opened(peer, tmp_path) as (engine, built):
        peer.on("POST", JOBS, only_a)
        with pytest.raises(SubmittedInPart, match="exceeded quota") as caught:
            engine.submit(built)
        assert "1 of 2 Jobs are known to be accepted" in caught.value.found
        assert "or stop it: hera-k8s stop r1" in caught.value.hint
        assert engine.find("sweep-r1").missing == 1
        first = peer.kept["sweep-r1-a"]["metadata"]["uid"]
        peer.on("POST", JOBS, peer.accept)
        submission = engine.submit(built)
        assert (submission.name, submission.existed) == ("sweep-r1", False)
        assert peer.kept["sweep-r1-a"]["metadata"]["uid"] == first
        assert sorted(peer.kept) == sorted(NAMES)
        assert engine.submit(built).existed


@pytest.mark.parametrize("of_a", ["accepted", "refused"])
def test_a_run_of_which_one_job_is_unknown_is_unknown(peer: JobsPeer, tmp_path: Path, of_a: str) -> None:
    def lost_b(request: Any, handler: Any) -> None:
        if request.json()["metadata"]["name"].endswith("-b"):
            reply(502, "")(request, handler)
        elif of_a == "accepted":
            peer.accept(request, handler)
        else:
            reply(403, status(403, "Forbidden", "exceeded quota"))(request, handler)

    with opened(peer, tmp_path) as (engine, built):
        peer.on("POST", JOBS, lost_b)
        with pytest.raises(SubmissionOutcomeUnknown, match="it is not known whether sweep-r1 was accepted") as caught:
            engine.submit(built)
    assert "sweep-r1-b" in caught.value.found
    assert "--run-id r1" in caught.value.hint
    assert caught.value.exit_code == 10


def test_a_run_of_which_no_job_was_accepted_is_refused(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path) as (engine, built):
        peer.on("POST", JOBS, reply(403, status(403, "Forbidden", "exceeded quota")))
        with pytest.raises(SubmitError, match="was not accepted: exceeded quota") as caught:
            engine.submit(built)
    assert not isinstance(caught.value, (SubmittedInPart, SubmissionOutcomeUnknown))


def test_an_answer_that_is_no_config_map_is_none(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path, MAP, job("a")) as (engine, built):
        peer.on("POST", MAPS, reply(502, ""))
        peer.on("GET", f"{MAPS}/sweep-r1-mine", reply(200, {}))
        with pytest.raises(SubmissionOutcomeUnknown):
            engine.submit(built)


def test_another_run_under_the_name_is_refused(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path) as (engine, built):
        engine.submit(built)
    with opened(peer, tmp_path, job("a"), job("b", "false")) as (engine, built), pytest.raises(SubmitError) as caught:
        engine.submit(built)
    assert "taken in vcity by another experiment or other inputs" in str(caught.value)
    assert "--run-id" in caught.value.hint


# --- the config maps of a run -----------------------------------------------------------------------------------------


MAP: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}, "data": {"a": "1"}}


def owned_by(*owners: Json) -> list[Json]:
    """References to Jobs, each of a name and a uid."""
    return [{"apiVersion": "batch/v1", "kind": "Job", **owner} for owner in owners]


def keeps_map(peer: JobsPeer, found: Json | None = None) -> list[Json]:
    """Let the peer take a config map, or say that this one is there; gives what it is patched with, as it comes."""
    patches: list[Json] = []

    def patched(request: Any, handler: Any) -> None:
        patches.append({**request.json()["metadata"], "jobs": len(peer.asked("POST", JOBS))})
        reply(200, {})(request, handler)

    taken = status(409, "AlreadyExists", 'configmaps "sweep-r1-mine" already exists')
    peer.on("POST", MAPS, reply(409, taken) if found else reply(201, {"metadata": {"name": "sweep-r1-mine"}}))
    peer.on("GET", f"{MAPS}/sweep-r1-mine", reply(200, found or {}))
    peer.on("PATCH", f"{MAPS}/sweep-r1-mine", patched)
    return patches


def map_of(built: Any, **metadata: Any) -> Json:
    """The config map as the run made it, with further metadata."""
    (own,) = (each for each in built.manifest.objects if each["kind"] == "ConfigMap")
    labels = {**own["metadata"]["labels"], "hera-k8s-utils/digest": built.manifest.digest[:40]}
    return {**own, "metadata": {**own["metadata"], "labels": labels, **metadata}}


def test_a_config_map_goes_with_the_jobs_that_were_handed_in_whatever_became_of_them(
    peer: JobsPeer, tmp_path: Path
) -> None:
    patches = keeps_map(peer)
    peer.on("GET", f"{JOBS}/{NAMES[1]}", reply(404, status(404, "NotFound")))
    with opened(peer, tmp_path, MAP, job("a"), job("b")) as (engine, built):
        engine.submit(built)
    owners = owned_by(*({"name": name, "uid": f"uid-{name}"} for name in NAMES))
    assert patches == [{"ownerReferences": owners, "jobs": 2}]


def test_a_config_map_that_is_being_deleted_is_not_taken_for_the_new_one(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path, MAP, job("a"), job("b")) as (engine, built):
        keeps_map(peer, map_of(built, deletionTimestamp="2026-01-01T00:00:00Z"))
        with pytest.raises(SubmitError, match="a config map of this name is being deleted") as caught:
            engine.submit(built)
    assert caught.value.hint == "try again in a moment"
    assert peer.kept == {}


def test_a_config_map_of_deleted_jobs_waits_for_the_new_ones_without_owners(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path, MAP, job("a"), job("b")) as (engine, built):
        gone = owned_by({"name": NAMES[0], "uid": "deleted"})
        patches = keeps_map(peer, map_of(built, ownerReferences=gone))
        engine.submit(built)
        owners = owned_by(*({"name": name, "uid": f"uid-{name}"} for name in NAMES))
        assert patches == [{"ownerReferences": None, "jobs": 0}, {"ownerReferences": owners, "jobs": 2}]

        patches = keeps_map(peer, map_of(built, ownerReferences=owners))
        assert engine.submit(built).existed
        assert [each["ownerReferences"] for each in patches] == [owners]


# --- followed ---------------------------------------------------------------------------------------------------------


def followed(peer: JobsPeer, directory: Path, *events: tuple[str, str, Json | None]) -> list[RunUpdate]:
    """What is told of a run, of whose Jobs these events are heard: (type, name, status)."""
    with opened(peer, directory) as (engine, built):
        engine.submit(built)
        lines = []
        for number, (kind, name, told) in enumerate(events):
            kept = peer.kept[name]
            metadata = {**kept["metadata"], "resourceVersion": str(500 + number)}
            lines.append(event(kind, {**kept, "metadata": metadata, "status": told or {}}))
        peer.watched(stream(lines, end="silent"))
        return list(engine.follow("sweep-r1"))


def test_a_run_ends_when_all_its_jobs_have(peer: JobsPeer, tmp_path: Path) -> None:
    updates = followed(
        peer,
        tmp_path,
        ("MODIFIED", NAMES[0], {"active": 1, "ready": 1}),
        ("MODIFIED", NAMES[0], ended(lastTransitionTime="2026-01-01T00:00:05Z")),
        ("MODIFIED", NAMES[1], {"failed": 1, **ended("Failed", reason="BackoffLimitExceeded", message="too often")}),
    )
    last = updates[-1]
    assert [update.phase for update in updates if not update.finished][-1] == "Running"
    assert (last.phase, last.message, last.progress) == ("Failed", "1 failed (of 2 Jobs)", "1/2")
    nodes = {node.name: (node.phase, node.message) for update in updates for node in update.nodes}
    assert nodes == {
        NAMES[0]: ("Succeeded", ""),
        NAMES[1]: ("Failed", "BackoffLimitExceeded: too often"),
    }


def test_a_job_that_was_deleted_is_an_error_of_the_run(peer: JobsPeer, tmp_path: Path) -> None:
    updates = followed(peer, tmp_path, ("MODIFIED", NAMES[0], ended()), ("DELETED", NAMES[1], None))
    assert (updates[-1].phase, updates[-1].message) == ("Failed", "1 deleted (of 2 Jobs)")
    assert updates[-1].nodes[-1].phase == "Error"


def test_a_run_of_which_nothing_is_left_is_gone(peer: JobsPeer, tmp_path: Path) -> None:
    updates = followed(peer, tmp_path, ("DELETED", NAMES[0], None), ("DELETED", NAMES[1], None))
    assert updates[-1].gone


def test_what_ended_before_it_was_deleted_keeps_its_end(peer: JobsPeer, tmp_path: Path) -> None:
    updates = followed(
        peer,
        tmp_path,
        ("MODIFIED", NAMES[0], ended()),
        ("DELETED", NAMES[0], ended()),
        ("MODIFIED", NAMES[1], ended()),
    )
    assert updates[-1].phase == "Succeeded"


def test_a_run_that_is_not_all_there_yet_does_not_end(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path) as (engine, built):
        engine.submit(built)
        late = peer.kept.pop(NAMES[1])
        peer.keep({**peer.kept[NAMES[0]], "status": ended()})
        over = {**late, "metadata": {**late["metadata"], "resourceVersion": "700"}, "status": ended()}
        peer.watched(stream([event("ADDED", late), event("MODIFIED", over)], end="silent"))
        updates = list(engine.follow("sweep-r1"))
    assert [update.finished for update in updates] == [False] * (len(updates) - 1) + [True]
    assert updates[-1].progress == "2/2"


def test_an_old_run_of_which_a_job_was_deleted_ends_with_those_that_are_there(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path, job("a"), job("b"), job("c")) as (engine, built):
        engine.submit(built)
        peer.kept.pop("sweep-r1-c")
        for name in NAMES:
            metadata = {**peer.kept[name]["metadata"], "creationTimestamp": "2026-01-01T00:00:00Z"}
            peer.keep({**peer.kept[name], "metadata": metadata, "status": ended()})
        peer.watched(stream([], end="silent"))
        updates = list(engine.follow("sweep-r1"))
        (listed,) = engine.runs()
    assert (updates[-1].phase, updates[-1].progress) == ("Succeeded", "2/2")
    assert {node.name for update in updates for node in update.nodes} == set(NAMES)
    assert (listed.phase, listed.progress) == ("Succeeded", "2/2")


def test_no_run_of_the_name_is_404(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path) as (engine, _):
        for ask in (lambda: next(engine.follow("nobody")), lambda: engine.stop("nobody")):
            with pytest.raises(PlatformError) as caught:
                ask()
            assert caught.value.status == 404


def test_a_run_that_is_over_cannot_be_stopped(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path) as (engine, built):
        engine.submit(built)
        for name in NAMES:
            peer.keep({**peer.kept[name], "status": ended("Failed" if name == NAMES[1] else "Complete")})
        with pytest.raises(RunAlreadyFinished) as caught:
            engine.stop("sweep-r1")
    assert caught.value.phase == "Failed"
    assert peer.asked("PATCH") == []
