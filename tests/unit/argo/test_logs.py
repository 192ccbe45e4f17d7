"""Logs through the Argo server: each line once, although the stream is cut and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from argo_peer import WORKFLOWS, ArgoPeer, argo_context, engine_of, node, refusal, state
from fault_server import reply, sse, stream

from hera_k8s_argo.client import split_timestamp
from hera_k8s_argo.engines.server import ArgoEngine
from hera_k8s_utils import ErrorKind, PlatformError

LOG = f"{WORKFLOWS}/hello/log"


@pytest.fixture
def peer() -> Iterator[ArgoPeer]:
    with ArgoPeer() as peer:
        yield peer


@pytest.fixture
def engine(peer: ArgoPeer) -> Iterator[ArgoEngine]:
    with argo_context(peer.url) as context:
        yield engine_of(context)


def line(text: str, moment: str, pod: str = "pod-a") -> dict[str, Any]:
    return {"result": {"content": f"2026-11-20T12:00:{moment}Z {text}", "podName": pod}}


def texts(engine: ArgoEngine, **options: Any) -> list[tuple[str, str]]:
    return [(found.pod, found.text) for found in engine.logs("hello", **options)]


def test_lines_come_without_their_times(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", LOG, sse([line("one", "00.5"), line("two  words", "01")]))
    assert texts(engine) == [("pod-a", "one"), ("pod-a", "two  words")]


@pytest.mark.parametrize("text", ["no time here", "2026 was a year", "", "2026-11-20 12:00:00 begins with a time"])
def test_a_line_without_a_time_is_left_whole(text: str) -> None:
    assert split_timestamp(text) == ("", text)


def test_a_replay_after_a_cut_is_left_out(peer: ArgoPeer, engine: ArgoEngine) -> None:
    seen = [line("a1", "01"), line("b1", "01.25", "pod-b"), line("a2", "01.5"), line("a3", "01.5")]
    more = [line("a4", "01.5"), line("a5", "02"), line("b2", "03", "pod-b")]
    peer.on("GET", LOG, sse(seen, end="cut"), sse(seen + more))
    found = texts(engine, follow=True)
    assert [text for _, text in found] == ["a1", "b1", "a2", "a3", "a4", "a5", "b2"]


def test_lines_that_repeat_are_not_taken_for_a_replay(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", LOG, sse([line("again", "01"), line("again", "01"), line("again", "02")]))
    assert len(texts(engine)) == 3


def test_a_whole_second_comes_before_its_fractions(peer: ArgoPeer, engine: ArgoEngine) -> None:
    seen = [line("one", "01"), line("two", "01.1")]
    peer.on("GET", LOG, sse(seen, end="cut"), sse([*seen, line("three", "01.15")]))
    assert [text for _, text in texts(engine)] == ["one", "two", "three"]


def test_a_log_that_cannot_be_read_is_told(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", LOG, refusal(404, 'pods "x" not found', 5))
    with pytest.raises(PlatformError) as caught:
        texts(engine, pod="x")
    assert caught.value.kind is ErrorKind.MISSING


def test_a_log_that_is_cut_again_and_again_is_given_up(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", LOG, sse([line("one", "01")], end="cut"))
    with pytest.raises(PlatformError):
        texts(engine)
    assert len(peer.asked("GET", LOG)) == 4  # one, and three more that brought nothing new


OUTPUTS = {"artifacts": [{"name": "main-logs"}]}
ENDED = state("Succeeded", {"id-a": node("Succeeded", "hello.a", templateName="t", outputs=OUTPUTS)})
ARCHIVED = "/artifact-files/vcity/workflows/hello/id-a/outputs/main-logs"


@pytest.mark.parametrize("answer", [sse([]), refusal(404, "pods not found", 5)])
def test_logs_of_pods_that_are_gone_come_from_the_archive(peer: ArgoPeer, engine: ArgoEngine, answer: Any) -> None:
    peer.on("GET", LOG, answer)
    peer.on("GET", f"{WORKFLOWS}/hello", reply(200, ENDED))
    peer.on("GET", ARCHIVED, stream(["one", "two"], content_type="text/plain"))
    (update,) = engine.follow("hello")
    pod = update.nodes[0].pod
    assert texts(engine, pod=pod) == [(pod, "one"), (pod, "two")]
    assert texts(engine) == [(pod, "one"), (pod, "two")]


def test_a_task_that_printed_nothing_has_no_lines(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", LOG, sse([]))
    peer.on("GET", f"{WORKFLOWS}/hello", reply(200, state("Succeeded", {"a": node("Succeeded")})))
    assert texts(engine) == []
