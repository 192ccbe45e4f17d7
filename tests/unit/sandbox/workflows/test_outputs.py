"""Output parameters of every kind of template, of those that succeed and of those that fail."""

from __future__ import annotations

import pytest
from sandbox_api import Api
from sandbox_workflows import Workflows, container, dag, nodes, task, workflow

SAY = container("say", "echo", "{{inputs.parameters.x}}", inputs={"parameters": [{"name": "x"}]})
VERSION = {"name": "version", "value": 42, "globalName": "version"}


@pytest.fixture(scope="module")
def flows(sandbox) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def test_an_output_may_be_a_plain_value(flows: Workflows) -> None:
    makes = container("makes", "true", outputs={"parameters": [VERSION]})
    text = "{{tasks.a.outputs.parameters.version}} {{workflow.outputs.parameters.version}}"
    found = flows.run(workflow(dag(task("a", "makes"), task("b", "say", {"x": text}, depends="a")), makes, SAY))
    assert flows.log(found["metadata"]["name"]) == ["42 42"]
    assert nodes(found)["a"]["outputs"]["parameters"] == [VERSION | {"value": "42"}]


def test_an_output_of_a_script_may_be_a_value_with_tags(flows: Workflows) -> None:
    main = {
        "name": "main",
        "inputs": {"parameters": [{"name": "x", "value": "7"}]},
        "script": {"image": "busybox", "command": ["sh"], "source": "true"},
        "outputs": {"parameters": [{"name": "same", "value": "{{inputs.parameters.x}} of {{workflow.name}}"}]},
    }
    name = flows.submit(workflow(main))
    (made,) = nodes(flows.finish(name))[name]["outputs"]["parameters"]
    assert made["value"] == f"7 of {name}"


def test_a_dag_takes_its_outputs_from_its_tasks(flows: Workflows) -> None:
    found = flows.run(workflow(dag(task("a", "easy"), outputs={"parameters": [VERSION]}), container("easy")))
    assert found["status"]["phase"] == "Error"
    assert found["status"]["message"] == "output parameters must have a valueFrom specified"


def test_what_a_failed_container_has_left_is_kept(flows: Workflows) -> None:
    outputs = [
        VERSION,
        {"name": "why", "valueFrom": {"path": "/tmp/why"}},
        {"name": "never", "valueFrom": {"path": "/tmp/never", "default": "none"}},
    ]
    fails = container("fails", "echo diverged > /tmp/why; exit 3;", outputs={"parameters": outputs})
    text = "{{tasks.a.outputs.parameters.why}} {{tasks.a.outputs.parameters.never}} {{tasks.a.exitCode}}"
    found = flows.run(workflow(dag(task("a", "fails"), task("b", "say", {"x": text}, depends="a.Failed")), fails, SAY))
    assert flows.log(found["metadata"]["name"]) == ["diverged none 3"]
    assert nodes(found)["a"]["message"] == "main: Error (exit code 3)"
