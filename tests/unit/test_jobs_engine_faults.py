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
from hera_k8s_utils import Experiment, PlatformError, RunOver, RunUpdate, SubmitError, build_container

Json = dict[str, Any]
NAMES = ("sweep-r1-a", "sweep-r1-b")


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
        engine = container.engine()
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
        with pytest.raises(SubmitError, match="exceeded quota"):
            engine.submit(built)
        first = peer.kept["sweep-r1-a"]["metadata"]["uid"]
        peer.on("POST", JOBS, peer.accept)
        submission = engine.submit(built)
        assert (submission.name, submission.existed) == ("sweep-r1", False)
        assert peer.kept["sweep-r1-a"]["metadata"]["uid"] == first
        assert sorted(peer.kept) == sorted(NAMES)
        assert engine.submit(built).existed


def test_another_run_under_the_name_is_refused(peer: JobsPeer, tmp_path: Path) -> None:
    with opened(peer, tmp_path) as (engine, built):
        engine.submit(built)
    with opened(peer, tmp_path, job("a"), job("b", "false")) as (engine, built), pytest.raises(SubmitError) as caught:
        engine.submit(built)
    assert "taken in vcity by another experiment or other inputs" in str(caught.value)
    assert "--run-id" in caught.value.hint


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
    assert (last.phase, last.message, last.progress) == ("Failed", "of 2 Jobs 1 failed", "1/2")
    nodes = {node.name: (node.phase, node.message) for update in updates for node in update.nodes}
    assert nodes == {
        NAMES[0]: ("Succeeded", ""),
        NAMES[1]: ("Failed", "BackoffLimitExceeded: too often"),
    }


def test_a_job_that_was_deleted_is_an_error_of_the_run(peer: JobsPeer, tmp_path: Path) -> None:
    updates = followed(peer, tmp_path, ("MODIFIED", NAMES[0], ended()), ("DELETED", NAMES[1], None))
    assert (updates[-1].phase, updates[-1].message) == ("Failed", "of 2 Jobs 1 were deleted")
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
        with pytest.raises(RunOver) as caught:
            engine.stop("sweep-r1")
    assert caught.value.phase == "Failed"
    assert peer.asked("PATCH") == []
