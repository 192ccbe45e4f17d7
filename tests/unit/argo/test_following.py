"""Following a workflow to its end: only what changed, over streams that are cut, silent, or end for no reason."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argo_peer import (
    END_OF_STREAM,
    EVENTS,
    WORKFLOWS,
    ArgoPeer,
    argo_context,
    engine_of,
    event,
    node,
    refusal,
    state,
)
from fault_server import html_login, reply, sse

from hera_k8s_argo.engines.server import ArgoEngine
from hera_k8s_argo.following import FINAL, Source, follow
from hera_k8s_argo.nodes import NodeTree, pod_name
from hera_k8s_utils import ErrorKind, NodeState, PlatformError, RunUpdate
from hera_k8s_utils.network.http import HttpClient
from hera_k8s_utils.network.retry import RetryPolicy

HELLO = f"{WORKFLOWS}/hello"


@pytest.fixture
def peer() -> Iterator[ArgoPeer]:
    with ArgoPeer() as peer:
        peer.on("GET", HELLO, reply(200, state("Pending")))
        yield peer


@pytest.fixture
def engine(peer: ArgoPeer) -> Iterator[ArgoEngine]:
    with argo_context(peer.url) as context:
        yield engine_of(context)


def phases(updates: list[RunUpdate]) -> list[str]:
    return [update.phase for update in updates]


def told(updates: list[RunUpdate]) -> list[tuple[str, str]]:
    return [(n.display_name, n.phase) for update in updates for n in update.nodes]


def test_a_run_is_followed_to_its_final_phase(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", EVENTS, sse([event("Running"), ":", event("Succeeded")], end="silent"))
    updates = list(engine.follow("hello"))
    assert phases(updates) == ["Pending", "Running", "Succeeded"]
    assert [update.finished for update in updates] == [False, False, True]


def test_a_run_that_has_ended_is_told_at_once(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", HELLO, reply(200, state("Failed", {"n1": node("Failed", message="exit code 1")})))
    (update,) = engine.follow("hello")
    assert update.finished
    assert update.nodes[0].message == "exit code 1"
    assert peer.asked("GET", EVENTS) == []


def test_only_the_tasks_that_changed_are_told(peer: ArgoPeer, engine: ArgoEngine) -> None:
    a, b = node("Running", "hello.a"), node("Pending", "hello.b")
    done = node("Succeeded", "hello.a", finishedAt="t")
    frames = [
        event("Running", {"a": a, "b": b}),
        event("Running", {"a": a, "b": b}),
        event("Running", {"a": done, "b": b}),
        event("Succeeded", {"a": done, "b": node("Succeeded", "hello.b")}),
    ]
    peer.on("GET", EVENTS, sse(frames))
    updates = list(engine.follow("hello"))
    assert told(updates) == [("a", "Running"), ("b", "Pending"), ("a", "Succeeded"), ("b", "Succeeded")]
    assert len(updates) == 4  # the one that brought nothing new is not told


def test_only_what_is_needed_is_asked_for(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", EVENTS, sse([event("Succeeded")]))
    list(engine.follow("hello"))
    fields = peer.asked("GET", EVENTS)[0].query["fields"].split(",")
    assert {"error", "result.type", "result.object.status.phase", "result.object.status.nodes"} <= set(fields)
    spec = [field.removeprefix("result.object.spec.") for field in fields if field.startswith("result.object.spec")]
    assert spec == ["suspend", "shutdown"]


def test_the_phase_ends_it_not_the_time_at_which_it_finished(peer: ArgoPeer, engine: ArgoEngine) -> None:
    early = event("Running")
    early["result"]["object"]["status"]["finishedAt"] = "2026-11-20T12:00:00Z"
    peer.on("GET", EVENTS, sse([early, event("Succeeded")]))
    assert phases(list(engine.follow("hello")))[-1] == "Succeeded"


@pytest.mark.parametrize("end", ["clean", "cut"])
def test_a_stream_that_ends_is_taken_up_again(peer: ArgoPeer, engine: ArgoEngine, end: Any) -> None:
    running = {"a": node("Running")}
    peer.on("GET", HELLO, reply(200, state("Pending")), reply(200, state("Running", running)))
    again = sse([event("Running", running), event("Succeeded", {"a": node("Succeeded")})])
    peer.on("GET", EVENTS, sse([event("Running", running)], end=end), again)
    updates = list(engine.follow("hello"))
    assert told(updates) == [("a", "Running"), ("a", "Succeeded")]
    assert phases(updates) == ["Pending", "Running", "Succeeded"]


def test_what_happened_while_nothing_was_heard_is_found_by_reading(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", HELLO, reply(200, state("Pending")), reply(200, state("Succeeded")))
    peer.on("GET", EVENTS, sse([event("Running"), END_OF_STREAM]))
    assert phases(list(engine.follow("hello"))) == ["Pending", "Running", "Succeeded"]


def test_silence_is_taken_for_a_dead_stream(peer: ArgoPeer) -> None:
    """A stream through a proxy that keeps everything to itself: reading now and then shows how things are."""
    peer.on("GET", HELLO, reply(200, state("Running")), reply(200, state("Succeeded")))
    peer.on("GET", EVENTS, sse([], end="silent"))
    client = HttpClient(peer.url)

    def watch(name: str, since: str) -> Iterator[tuple[str, Any]]:
        return (("MODIFIED", json.loads(line)) for line in client.stream(EVENTS, silence=0.2))

    source = Source(read=lambda name: client.get(HELLO).json(), watch=watch)
    updates = list(follow(source, "hello", RetryPolicy(reset_after=0, sleep=lambda seconds: None)))
    assert phases(updates) == ["Running", "Succeeded"]


def test_errors_of_the_server_are_borne_for_a_while(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", EVENTS, refusal(500, "broken", 13), html_login(), sse([event("Succeeded")]))
    assert phases(list(engine.follow("hello")))[-1] == "Succeeded"


def test_too_many_failures_in_a_row_are_told(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", EVENTS, sse([END_OF_STREAM]))
    with pytest.raises(PlatformError, match="4 times in a row") as caught:
        list(engine.follow("hello"))
    assert str(caught.value).count("in a row") == 1
    assert "is still running" in caught.value.hint
    assert "hera-k8s follow hello" in caught.value.hint


def test_an_event_ends_a_row_of_failures(peer: ArgoPeer, engine: ArgoEngine) -> None:
    bad, good = sse([END_OF_STREAM]), sse([event("Running"), END_OF_STREAM])
    peer.on("GET", EVENTS, bad, bad, bad, good, bad, bad, bad, sse([event("Succeeded")]))
    assert phases(list(engine.follow("hello")))[-1] == "Succeeded"


@pytest.mark.parametrize(("status", "trouble"), [(403, ErrorKind.FORBIDDEN), (400, ErrorKind.INVALID)])
def test_what_waiting_does_not_mend_is_told_at_once(
    peer: ArgoPeer, engine: ArgoEngine, status: int, trouble: ErrorKind
) -> None:
    peer.on("GET", EVENTS, refusal(status, "no"))
    with pytest.raises(PlatformError) as caught:
        list(engine.follow("hello"))
    assert caught.value.kind is trouble
    assert len(peer.asked("GET", EVENTS)) == 1


def test_a_workflow_that_is_not_there_is_told(peer: ArgoPeer, engine: ArgoEngine) -> None:
    with pytest.raises(PlatformError) as caught:
        list(engine.follow("other"))
    assert caught.value.kind is ErrorKind.MISSING


def test_a_workflow_that_is_deleted_is_gone(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", EVENTS, sse([event("Running"), event("Running", kind="DELETED")], end="silent"))
    *_, last = engine.follow("hello")
    assert last.gone
    assert last.finished
    assert last.phase == "Running"


def test_a_finished_workflow_that_is_cleaned_away_has_finished(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", EVENTS, sse([event("Running"), event("Succeeded", kind="DELETED")], end="silent"))
    *_, last = engine.follow("hello")
    assert (last.phase, last.gone) == ("Succeeded", False)


def test_a_deletion_while_nothing_was_heard_is_noticed(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", HELLO, reply(200, state("Running")), refusal(404, "not found", 5))
    peer.on("GET", EVENTS, sse([event("Running")], end="cut"))
    *_, last = engine.follow("hello")
    assert last.gone


def test_another_workflow_under_the_same_name_is_not_followed(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", EVENTS, sse([event("Running"), event("Running", uid="u2")], end="silent"))
    *_, last = engine.follow("hello")
    assert last.gone


def test_a_token_that_expires_during_the_run_is_renewed(peer: ArgoPeer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    expired = {"error": {"grpc_code": 16, "http_code": 401, "message": "expired", "http_status": "Unauthorized"}}

    def read(request: Any, handler: Any) -> None:
        if not peer.asked("GET", EVENTS):
            reply(200, state("Running"))(request, handler)
        elif request.headers["authorization"] == "Bearer old":
            file.write_text("new")
            refusal(401, "token not valid", 16)(request, handler)
        else:
            reply(200, state("Running"))(request, handler)

    peer.on("GET", HELLO, read)
    peer.on("GET", EVENTS, sse([event("Running"), expired]), sse([event("Succeeded")]))
    with argo_context(peer.url, argo_token_file=str(file)) as context:
        updates = list(engine_of(context).follow("hello"))
    assert updates[-1].phase == "Succeeded"
    assert [r.headers["authorization"] for r in peer.asked("GET", EVENTS)] == ["Bearer old", "Bearer new"]


def test_a_token_that_stays_refused_ends_the_following(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", HELLO, reply(200, state("Running")), refusal(401, "token not valid", 16))
    peer.on("GET", EVENTS, refusal(401, "token not valid", 16))
    with pytest.raises(PlatformError) as caught:
        list(engine.follow("hello"))
    assert caught.value.kind is ErrorKind.UNAUTHORIZED
    assert "hera-k8s login" in caught.value.hint


def test_a_stream_that_is_refused_for_ever_is_not_asked_for_without_end(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", HELLO, reply(200, state("Running")))
    peer.on("GET", EVENTS, refusal(401, "token not valid", 16))
    with pytest.raises(PlatformError, match="in a row"):
        list(engine.follow("hello"))


def test_a_server_without_streams_is_not_taken_for_a_deleted_workflow(peer: ArgoPeer, engine: ArgoEngine) -> None:
    peer.on("GET", HELLO, reply(200, state("Running")))
    peer.on("GET", EVENTS, refusal(404, "page not found", 5))
    with pytest.raises(PlatformError, match="in a row"):
        list(engine.follow("hello"))


def test_updates_come_while_the_run_goes_on(peer: ArgoPeer, engine: ArgoEngine) -> None:
    go_on = threading.Event()

    def frames() -> Iterator[Any]:
        yield event("Running")
        go_on.wait(30)
        yield event("Succeeded")

    peer.on("GET", EVENTS, sse(frames()))
    updates = engine.follow("hello")
    assert [next(updates).phase, next(updates).phase] == ["Pending", "Running"]
    go_on.set()
    assert next(updates).phase == "Succeeded"


def test_a_task_tells_its_pod_its_inputs_and_its_retries(peer: ArgoPeer, engine: ArgoEngine) -> None:
    inputs = {"parameters": [{"name": "seed", "value": "1"}]}
    nodes = {
        "r": {"name": "hello.a", "type": "Retry", "phase": "Succeeded", "children": ["a0", "a1"]},
        "a1": node("Succeeded", "hello.a(1)", templateName="simulate", inputs=inputs),
    }
    peer.on("GET", EVENTS, sse([event("Succeeded", nodes)]))
    *_, last = engine.follow("hello")
    retry, pod = last.nodes
    assert (retry.retries, retry.pod) == (1, pod.pod), "the pod of the latest attempt"
    assert (retry.role, pod.role) == ("task", "attempt")
    assert pod.inputs == {"seed": "1"}
    assert pod.pod.startswith("hello-simulate-")


def attempts(*phases: str, retry: str = "Running", message: str = "") -> dict[str, Any]:
    """A retried task as the controller (4.1) writes it: a Retry node, and a pod for each attempt."""
    tries = {
        f"a{n}": node(phase, f"hello.a({n})", templateName="simulate", message="main: Error (exit code 3)")
        for n, phase in enumerate(phases)
    }
    holder = {"name": "hello.a", "type": "Retry", "templateName": "simulate", "phase": retry, "message": message}
    return {"r": {**holder, "children": list(tries)}, **tries}


def last_of(peer: ArgoPeer, engine: ArgoEngine, nodes: dict[str, Any], **spec: Any) -> dict[str, NodeState]:
    told = event("Failed", nodes)
    told["result"]["object"]["spec"] = spec
    peer.on("GET", EVENTS, sse([told]))
    *_, last = engine.follow("hello")
    return {each.id: each for each in last.nodes}


@pytest.mark.parametrize(
    ("phases", "expected"),
    [((), "Pending"), (("Pending",), "Pending"), (("Running",), "Running"), (("Failed",), "Pending")],
)
def test_a_retried_task_runs_only_while_an_attempt_of_it_does(
    peer: ArgoPeer, engine: ArgoEngine, phases: tuple[str, ...], expected: str
) -> None:
    assert last_of(peer, engine, attempts(*phases))["r"].phase == expected


def test_a_retried_task_fails_for_what_its_last_attempt_says(peer: ArgoPeer, engine: ArgoEngine) -> None:
    failed = last_of(peer, engine, attempts("Failed", "Failed", retry="Failed", message="No more retries left"))["r"]
    assert (failed.phase, failed.message, failed.exit_code, failed.retries) == ("Failed", "exit code 3", 3, 1)


@pytest.mark.parametrize(
    ("message", "expected", "code"),
    [
        ("main: Error (exit code 3)", "exit code 3", 3),
        ("OOMKilled (exit code 137)", "OOMKilled, exit code 137", 137),
        ("main: Error (exit code 1): no such file: a.csv", "exit code 1: no such file: a.csv", 1),
        ("wait: Error (exit code 64): artifact not found", "wait: exit code 64: artifact not found", 64),
        ("The node was low on resource: memory.", "The node was low on resource: memory.", None),
        ("Pod was active on the node longer than the specified deadline", None, None),
    ],
)
def test_causes_are_worded_as_those_of_other_engines(
    peer: ArgoPeer, engine: ArgoEngine, message: str, expected: str | None, code: int | None
) -> None:
    found = last_of(peer, engine, {"a": node("Failed", "hello.a", message=message)})["a"]
    assert (found.message, found.exit_code) == (message if expected is None else expected, code)


@pytest.mark.parametrize(
    "message",
    ["workflow shutdown with strategy:  Stop", "Stopped with strategy 'Terminate'", "main: Error (exit code 143)"],
)
def test_what_a_stop_ended_did_not_fail(peer: ArgoPeer, engine: ArgoEngine, message: str) -> None:
    nodes = {
        "a": node("Failed", "hello.a", message=message),
        "b": node("Failed", "hello.b", message="main: Error (exit code 3)"),
    }
    found = last_of(peer, engine, nodes, shutdown="Stop")
    assert (found["a"].phase, found["b"].phase) == ("Stopped", "Failed")


def test_tasks_inside_a_dag_that_is_tried_again_are_attempts(peer: ArgoPeer, engine: ArgoEngine) -> None:
    nodes = {
        "r": {"name": "hello.a", "type": "Retry", "phase": "Running", "children": ["d0", "d1"]},
        "d0": {**node("Failed", "hello.a(0)"), "type": "DAG"},
        "d1": {**node("Running", "hello.a(1)"), "type": "DAG"},
        "p0": node("Failed", "hello.a(0).b"),
        "p1": node("Running", "hello.a(1).b"),
    }
    found = last_of(peer, engine, nodes)
    roles = {key: found[key].role for key in nodes}
    assert roles == {"r": "group", "d0": "group", "d1": "group", "p0": "attempt", "p1": "task"}


def test_steps_that_are_tried_again_are_attempts(peer: ArgoPeer, engine: ArgoEngine) -> None:
    nodes = {
        "r": {"name": "hello[0].g", "type": "Retry", "phase": "Succeeded", "children": ["s0", "s1"]},
        "s0": {**node("Failed", "hello[0].g(0)"), "type": "Steps"},
        "s1": {**node("Succeeded", "hello[0].g(1)"), "type": "Steps"},
        "g0": {**node("Failed", "hello[0].g(0)[0]"), "type": "StepGroup"},
        "g1": {**node("Succeeded", "hello[0].g(1)[0]"), "type": "StepGroup"},
        "p0": node("Failed", "hello[0].g(0)[0].a"),
        "p1": node("Succeeded", "hello[0].g(1)[0].a"),
    }
    found = last_of(peer, engine, nodes)
    assert {key: found[key].role for key in ("p0", "p1")} == {"p0": "attempt", "p1": "task"}
    assert {found[key].role for key in ("r", "s0", "s1", "g0", "g1")} == {"group"}


def test_pods_are_named_as_the_controller_names_them() -> None:
    """Argo 4.0.5: workflow, template, and the 32-bit FNV-1a hash of the full name (that of "a" is well known)."""
    workflow = {"metadata": {"name": "hello"}}
    assert pod_name("hello", {"name": "hello", "templateName": "main"}, workflow) == "hello"
    assert pod_name("id", {"name": "a", "templateName": "t"}, workflow) == "hello-t-3826002220"
    old = {"metadata": {"name": "hello", "annotations": {"workflows.argoproj.io/pod-name-format": "v1"}}}
    assert pod_name("hello-123", {"name": "hello.a", "templateName": "t"}, old) == "hello-123"


def test_a_template_without_a_name_is_not_in_the_names_of_pods() -> None:
    """`GeneratePodName("wf", "wf.a", "", ...)` of Argo 4.0.5 gives wf-2962115457."""
    workflow = {"metadata": {"name": "wf"}}
    assert pod_name("id", {"name": "wf.a", "displayName": "a", "type": "Pod"}, workflow) == "wf-2962115457"
    named = {"name": "wf.inline", "displayName": "inline", "templateName": "t"}
    assert pod_name("id", named, workflow) == f"wf-t-{pod_name('id', {'name': 'wf.inline'}, workflow)[3:]}"
    elsewhere = {"name": "wf.a", "templateRef": {"name": "other", "template": "t"}}
    assert pod_name("id", elsewhere, workflow) == "wf-t-2962115457"


def test_nodes_that_the_controller_compressed_are_read() -> None:
    nodes = {"a": node("Succeeded")}
    packed = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    workflow = {"metadata": {"name": "hello"}, "status": {"phase": "Succeeded", "compressedNodes": packed}}
    (update,) = follow(Source(read=lambda name: workflow, watch=lambda name, since: iter(())), "hello")
    assert told([update]) == [("a", "Succeeded")]


def test_a_thousand_tasks_are_followed_in_little_memory() -> None:
    """Every event brings all nodes along, each with outputs and children that nobody asked for."""
    tasks, steps = 1000, 50

    def big(i: int, phase: str) -> dict[str, Any]:
        return node(phase, f"hello.t({i})", outputs={"result": "x" * 200}, children=[f"c{i}"] * 5)

    def events(name: str, since: str) -> Iterator[tuple[str, Any]]:
        for step in range(steps):
            finished = (step + 1) * tasks // steps
            nodes = {f"n{i}": big(i, "Succeeded" if i < finished else "Running") for i in range(tasks)}
            yield "MODIFIED", state("Succeeded" if step == steps - 1 else "Running", nodes)

    tracemalloc.start()
    count = sum(len(u.nodes) for u in follow(Source(read=lambda name: state("Pending"), watch=events), "hello"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2 * tasks - tasks // steps  # each is told as running and as done; the first few only as done
    assert peak < 20 * 1024 * 1024


def test_the_final_phases_are_argos() -> None:
    assert {"Succeeded", "Failed", "Error"} == FINAL


def test_a_node_of_a_template_inside_a_task_has_the_name_of_the_task() -> None:
    named = {"id": "w-1", "name": "w.a(0:x)", "displayName": "a(0:x)", "type": "Pod", "phase": "Running"}
    group = {"id": "w-2", "name": "w[0]", "displayName": "[0]", "type": "StepGroup", "phase": "Running"}
    tree = NodeTree({"metadata": {"name": "w"}, "status": {"nodes": {"w-1": named, "w-2": group}}})
    assert tree.state("w-1").template == "a"
    assert tree.state("w-2").template == ""
