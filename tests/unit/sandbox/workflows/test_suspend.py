"""Workflows in the sandbox that wait: suspend templates, suspended workflows, and who resumes or answers them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from sandbox_api import Api, make_namespace
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

Json = dict[str, Any]

GATE: Json = {"name": "gate", "suspend": {}}
SAY = container("say", "echo", "{{inputs.parameters.x}}", inputs={"parameters": [{"name": "x"}]})
ASK: Json = {
    "name": "ask",
    "suspend": {},
    "outputs": {
        "parameters": [
            {"name": "answer", "valueFrom": {"supplied": {}}},
            {"name": "reason", "valueFrom": {"supplied": {}, "default": "none given"}},
        ]
    },
}


@pytest.fixture(scope="module")
def api(sandbox) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def flows(api: Api) -> Workflows:
    """The Argo API in a namespace of the test's own."""
    return Workflows(api, make_namespace(api, f"t-{uuid.uuid4().hex[:12]}").rpartition("/")[2])


def put(flows: Workflows, name: str, verb: str, **body: Any) -> Any:
    return flows.api.send("PUT", f"{flows.base}/{name}/{verb}", {"name": name, **body})


def done(answer: Any) -> Json:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refused(answer: Any, http: int, grpc: int) -> str:
    assert (answer.status_code, answer.json()["code"]) == (http, grpc), answer.text
    return str(answer.json()["message"])


def waiting(flows: Workflows, name: str, *tasks: str) -> Json:
    """The workflow once these nodes of it wait."""
    return flows.until(
        name,
        lambda found: (
            found.get("status", {}).get("nodes") and all(phases(found).get(each) == "Running" for each in tasks)
        ),
    )


def gated(**gate: Any) -> Json:
    """Two tasks, a gate between them."""
    before, after = task("before", "say", {"x": "before"}), task("after", "say", {"x": "after"}, depends="gate")
    return workflow(dag(before, task("gate", "gate", depends="before"), after), GATE | {"suspend": gate}, SAY)


# Suspend templates


def test_a_gate_waits_until_it_is_resumed(flows: Workflows) -> None:
    name = flows.submit(gated())
    found = waiting(flows, name, "gate")
    assert nodes(found)["gate"]["type"] == "Suspend"
    assert "after" not in nodes(found)
    assert found["status"]["phase"] == "Running"
    resumed = done(put(flows, name, "resume"))
    assert nodes(resumed)["gate"]["phase"] == "Succeeded"
    assert nodes(resumed)["gate"]["message"] == "Resumed by: map[User:sandbox-admin]"
    assert resumed["metadata"]["labels"]["workflows.argoproj.io/action"] == "Resume"
    found = flows.finish(name)
    assert found["status"]["phase"] == "Succeeded"
    assert flows.log(name) == ["before", "after"]


def test_a_gate_with_a_duration_opens_by_itself(flows: Workflows) -> None:
    found = flows.run(gated(duration="1"))
    assert found["status"]["phase"] == "Succeeded"
    assert nodes(found)["gate"].get("message") is None


def test_a_duration_may_come_from_a_parameter(flows: Workflows) -> None:
    gate = {"name": "gate", "suspend": {"duration": "{{inputs.parameters.x}}"}, "inputs": SAY["inputs"]}
    found = flows.run(workflow(dag(task("a", "gate", {"x": "1s"})), gate))
    assert nodes(found)["a"]["inputs"]["parameters"] == [{"name": "x", "value": "1s"}]
    assert found["status"]["phase"] == "Succeeded"


def test_a_duration_that_is_none_is_an_error(flows: Workflows) -> None:
    found = flows.run(gated(duration="soon"))
    assert (found["status"]["phase"], phases(found)["gate"]) == ("Error", "Error")
    assert 'unable to parse "soon"' in nodes(found)["gate"]["message"]


def test_a_gate_waits_in_steps_and_takes_no_place_of_parallel_pods(flows: Workflows) -> None:
    steps = {
        "name": "main",
        "steps": [[task("gate", "gate"), task("one", "say", {"x": "1"})], [task("two", "say", {"x": "2"})]],
    }
    name = flows.submit(workflow(steps, GATE, SAY, parallelism=1))
    found = flows.until(name, lambda one: one.get("status", {}).get("nodes") and phases(one).get("one") == "Succeeded")
    assert phases(found)["gate"] == "Running"
    done(put(flows, name, "resume"))
    assert flows.finish(name)["status"]["phase"] == "Succeeded"


def test_one_of_several_gates_is_resumed(flows: Workflows) -> None:
    name = flows.submit(workflow(dag(task("left", "gate"), task("right", "gate")), GATE))
    waiting(flows, name, "left", "right")
    found = done(put(flows, name, "resume", nodeFieldSelector="displayName=left"))
    assert (phases(found)["left"], phases(found)["right"]) == ("Succeeded", "Running")
    done(put(flows, name, "resume", nodeFieldSelector="templateName=gate,phase=Running"))
    assert flows.finish(name)["status"]["phase"] == "Succeeded"


def test_one_gate_is_made_to_fail_with_a_message(flows: Workflows) -> None:
    name = flows.submit(gated())
    waiting(flows, name, "gate")
    done(put(flows, name, "stop", nodeFieldSelector="displayName=gate", message="not today"))
    found = flows.finish(name)
    assert found["status"]["phase"] == "Failed"
    assert (nodes(found)["gate"]["phase"], nodes(found)["gate"]["message"]) == ("Failed", "not today")
    assert phases(found)["after"] == "Omitted"


@pytest.mark.parametrize(("verb", "strategy"), [("stop", "Stop"), ("terminate", "Terminate")])
def test_a_waiting_workflow_is_stopped(flows: Workflows, verb: str, strategy: str) -> None:
    name = flows.submit(gated())
    waiting(flows, name, "gate")
    done(put(flows, name, verb))
    found = flows.finish(name)
    told = f"Stopped with strategy '{strategy}'"
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", told)
    assert nodes(found)["gate"]["message"] == told


def test_a_deadline_ends_the_waiting(flows: Workflows) -> None:
    found = flows.run(workflow(dag(task("gate", "gate")), GATE, activeDeadlineSeconds=1))
    assert found["status"]["phase"] == "Failed"
    assert nodes(found)["gate"]["message"] == "Step exceeded its deadline"


def test_what_selects_no_waiting_node_is_told(flows: Workflows) -> None:
    name = flows.submit(gated())
    waiting(flows, name, "gate")
    told = refused(put(flows, name, "resume", nodeFieldSelector="displayName=before"), 500, 13)
    assert told == (
        "currently, set only targets suspend nodes: no suspend nodes matching nodeFieldSelector: displayName=before"
    )
    done(put(flows, name, "terminate"))


def test_a_waiting_workflow_goes_on_after_a_restart(tmp_path) -> None:
    from hera_k8s_sandbox.server.launch import running

    with running(tmp_path) as address:
        flows = Workflows(Api(address.url, address.token))
        name = flows.submit(gated())
        waiting(flows, name, "gate")
    with running(tmp_path) as address:
        flows = Workflows(Api(address.url, address.token))
        waiting(flows, name, "gate")
        done(put(flows, name, "resume"))
        assert flows.finish(name)["status"]["phase"] == "Succeeded"


def test_a_waiting_workflow_keeps_no_idle_server_up(tmp_path) -> None:
    from hera_k8s_sandbox.server.launch import running

    with running(tmp_path, until_idle=1) as address:
        flows = Workflows(Api(address.url, address.token))
        waiting(flows, flows.submit(gated()), "gate")
        flows.api.session.close()
        ended, patience = threading.Event(), time.monotonic() + 30
        while (tmp_path / "server.json").exists():  # to ask it would keep it up
            assert time.monotonic() < patience
            ended.wait(0.05)


# Supplied outputs


def asked() -> Json:
    tell = task(
        "tell", "say", {"x": "{{tasks.ask.outputs.parameters.answer}}: {{tasks.ask.outputs.parameters.reason}}"}
    )
    return workflow(dag(task("ask", "ask"), tell | {"depends": "ask"}), ASK, SAY)


def test_outputs_are_supplied_and_reach_other_tasks(flows: Workflows) -> None:
    name = flows.submit(asked())
    found = waiting(flows, name, "ask")
    assert nodes(found)["ask"]["outputs"]["parameters"] == ASK["outputs"]["parameters"]
    supplied = json.dumps({"answer": "yes"})
    found = done(put(flows, name, "set", nodeFieldSelector="displayName=ask", outputParameters=supplied))
    assert nodes(found)["ask"]["outputs"]["parameters"][0] == {"name": "answer", "value": "yes"}
    assert phases(found)["ask"] == "Running"
    done(put(flows, name, "resume"))
    flows.finish(name)
    assert flows.log(name) == ["yes: none given"]


def test_outputs_and_the_end_of_the_waiting_are_set_at_once(flows: Workflows) -> None:
    name = flows.submit(asked())
    waiting(flows, name, "ask")
    supplied = json.dumps({"answer": "no", "reason": "rain"})
    wanted = {"nodeFieldSelector": "displayName=ask", "outputParameters": supplied, "message": "by hand"}
    done(put(flows, name, "set", phase="Succeeded", **wanted))
    found = flows.finish(name)
    assert flows.log(name) == ["no: rain"]
    assert nodes(found)["ask"]["message"] == "by hand"


def test_what_is_not_supplied_keeps_a_node_waiting(flows: Workflows) -> None:
    name = flows.submit(asked())
    waiting(flows, name, "ask")
    told = refused(put(flows, name, "resume"), 500, 13)
    assert told == "raw output parameter 'answer' has not been set and does not have a default value"
    assert phases(flows.get(name))["ask"] == "Running"
    done(put(flows, name, "terminate"))


@pytest.mark.parametrize(
    ("body", "http", "grpc", "words"),
    [
        ({"nodeFieldSelector": "displayName=ask", "phase": "Happy"}, 400, 3, "Happy is an invalid phase to set to"),
        ({"outputParameters": "{}"}, 500, 13, "'set' currently only targets suspend nodes"),
        ({"nodeFieldSelector": "displayName=ask", "outputParameters": "{"}, 400, 3, "unable to parse output parameter"),
        (
            {"nodeFieldSelector": "displayName=ask", "outputParameters": '{"other": "1"}'},
            500,
            13,
            "node is not expecting output parameter 'other'",
        ),
    ],
)
def test_what_cannot_be_set_is_told(flows: Workflows, body: Json, http: int, grpc: int, words: str) -> None:
    name = flows.submit(asked())
    waiting(flows, name, "ask")
    assert words in refused(put(flows, name, "set", **body), http, grpc)
    done(put(flows, name, "terminate"))


def test_outputs_of_a_gate_come_from_somebody_only(flows: Workflows) -> None:
    wrong = GATE | {"outputs": {"parameters": [{"name": "x", "valueFrom": {"path": "/x"}}]}}
    answer = flows.api.send("POST", f"{flows.base}/lint", {"workflow": workflow(dag(task("a", "gate")), wrong)})
    assert "valueFrom type unspecified" in refused(answer, 400, 3)


# Suspended workflows


def test_a_workflow_that_is_suspended_from_the_start_starts_no_task(flows: Workflows) -> None:
    name = flows.submit(workflow(container(), suspend=True))
    found = flows.until(name, lambda one: one.get("status", {}).get("phase") == "Running")
    assert not found["status"].get("nodes")
    resumed = done(put(flows, name, "resume"))
    assert "suspend" not in resumed["spec"]
    assert flows.finish(name)["status"]["phase"] == "Succeeded"


def test_a_suspended_workflow_starts_no_further_task(flows: Workflows) -> None:
    name = flows.submit(gated())
    waiting(flows, name, "gate")
    found = done(put(flows, name, "suspend"))
    assert found["spec"]["suspend"] is True
    assert found["metadata"]["labels"]["workflows.argoproj.io/action"] == "Suspend"
    done(put(flows, name, "resume", nodeFieldSelector="displayName=gate"))
    flows.run(workflow(container()))  # what happens to one workflow has happened to the one before
    found = flows.get(name)
    assert (found["status"]["phase"], phases(found)["gate"]) == ("Running", "Succeeded")
    assert "after" not in phases(found)
    done(put(flows, name, "resume"))
    assert flows.finish(name)["status"]["phase"] == "Succeeded"


def test_a_suspended_workflow_is_stopped(flows: Workflows) -> None:
    name = flows.submit(workflow(container(), suspend=True))
    flows.until(name, lambda one: one.get("status", {}).get("phase") == "Running")
    done(put(flows, name, "terminate"))
    assert flows.finish(name)["status"]["phase"] == "Failed"


def test_a_workflow_that_has_ended_cannot_be_suspended(flows: Workflows) -> None:
    name = flows.run(workflow(container()))["metadata"]["name"]
    assert refused(put(flows, name, "suspend"), 400, 3) == "cannot suspend completed workflows"


def test_verbs_need_the_right_to_update(sandbox, flows: Workflows) -> None:
    name = flows.submit(workflow(container(), suspend=True))
    space = f"/api/v1/namespaces/{flows.namespace}"
    flows.api.create(f"{space}/serviceaccounts", {"metadata": {"name": "nobody"}})
    asked = flows.api.create(f"{space}/serviceaccounts/nobody/token", {"spec": {"expirationSeconds": 600}})
    theirs = Workflows(Api(sandbox.url, asked["status"]["token"]), flows.namespace)
    for verb in ("suspend", "resume", "stop", "terminate", "set", "retry", "resubmit"):
        body = {"nodeFieldSelector": "displayName=x"} if verb == "set" else {}
        refused(put(theirs, name, verb, **body), 403, 7)
    done(put(flows, name, "terminate"))


def test_a_node_is_resumed_by_who_writes_the_object(flows: Workflows) -> None:
    """As the argo command does without a server."""
    name = flows.submit(gated())
    found = waiting(flows, name, "gate")
    key = nodes(found)["gate"]["id"]
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{flows.namespace}/workflows/{name}"
    found = flows.api.get(path)
    found["status"]["nodes"][key] |= {"phase": "Succeeded", "message": "by kubectl"}
    answer = flows.api.send("PUT", path, found)
    assert answer.ok, answer.text
    found = flows.finish(name)
    assert (found["status"]["phase"], nodes(found)["gate"]["message"]) == ("Succeeded", "by kubectl")


def test_hera_builds_gates_and_opens_them(sandbox, flows: Workflows) -> None:
    from hera.workflows import Container, Parameter, Steps, Suspend, Workflow, WorkflowsService
    from hera.workflows.models import WorkflowResumeRequest, WorkflowSetRequest

    service = WorkflowsService(host=sandbox.url, token=sandbox.token, namespace=flows.namespace)
    made = Workflow(generate_name="gate-", entrypoint="s", workflows_service=service, namespace=flows.namespace)
    with made:
        ask = Suspend(name="ask", intermediate_parameters=[Parameter(name="answer", enum=["yes", "no"], default="yes")])
        short = Suspend(name="short", duration=1)
        x = Parameter(name="x")
        tell = Container(name="tell", image="busybox", command=["echo", "{{inputs.parameters.x}}"], inputs=[x])
        with Steps(name="s"):
            short(name="pause")
            one = ask(name="one")
            tell(arguments={"x": one.get_parameter("answer")})
    name = made.create().metadata.name
    waiting(flows, name, "one")
    select = "displayName=one"
    request = WorkflowSetRequest(node_field_selector=select, output_parameters=json.dumps({"answer": "no"}))
    service.set_workflow(name, request)
    service.resume_workflow(name, WorkflowResumeRequest(node_field_selector=select))
    assert flows.finish(name)["status"]["phase"] == "Succeeded"
    assert flows.log(name) == ["no"]


def test_who_follows_a_waiting_run_is_told_what_to_type(sandbox, api: Api, work: Path) -> None:
    """What is to be typed, a command of argo, asks its server for what is asked for here."""
    (work / "gate.py").write_text(
        "from hera.workflows import Steps, Suspend, Workflow\n"
        "with Workflow(name='gate', entrypoint='s') as w:\n"
        "    ask = Suspend(name='ask')\n"
        "    with Steps(name='s'):\n"
        "        ask(name='one')\n"
    )
    where = ["--sandbox", "--sandbox-dir", str(sandbox.directory)]
    command = [sys.executable, "-m", "hera_k8s_utils", "run", "gate.py:w", "--run-id", "held", *where]
    process = subprocess.Popen(command, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stderr is not None
        said = ""
        while "ask waits" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        words = r"ask waits: to be resumed \(argo resume (\S+) -n default\)"
        told = re.search(words, " ".join(said.split()))
        assert told, said
        done(put(Workflows(api), told[1], "resume"))
        _, rest = process.communicate(timeout=60)
        assert process.returncode == 0, said + rest
    finally:
        process.kill()
        process.communicate()
