"""What the variables of Argo's documentation stand for; read in the sources of Argo 4.0.5 where the two differ."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

import pytest
from sandbox_api import Api
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

SAY = container("say", "echo", "{{inputs.parameters.x}}", inputs={"parameters": [{"name": "x"}]})
FAIL = container("fail", "exit 7;")
FILE = {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]}


@pytest.fixture(scope="module")
def flows(sandbox) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def steps(*groups: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"name": "main", "steps": list(groups), **more}


def said(found: dict[str, Any], name: str) -> str:
    """The parameter `x` that a task was given."""
    return str(nodes(found)[name]["inputs"]["parameters"][0]["value"])


# Tasks and steps


def test_a_task_learns_how_another_ended(flows: Workflows) -> None:
    text = "{{tasks.a.exitCode}} {{tasks.a.status}} {{tasks.a.hostNodeName}} {{tasks.a.startedAt}} {{tasks.a.id}}"
    found = flows.run(workflow(dag(task("a", "fail"), task("b", "say", {"x": text}, depends="a.Failed")), FAIL, SAY))
    ended = nodes(found)["a"]
    assert said(found, "b") == f"7 Failed sandbox {ended['startedAt']} {ended['id']}"


def test_a_step_learns_how_another_ended(flows: Workflows) -> None:
    failing = task("a", "fail", continueOn={"failed": True})
    found = flows.run(
        workflow(
            steps([failing], [task("b", "say", {"x": "{{=asInt(steps.a.exitCode) + 1}} {{steps.a.finishedAt}}"})]),
            FAIL,
            SAY,
        )
    )
    assert said(found, "b") == f"8 {nodes(found)['a']['finishedAt']}"


def test_the_values_of_a_retried_task_are_those_of_its_last_attempt(flows: Workflows) -> None:
    retried = container(
        "retried", "exit $((1 - {{retries}}));", retryStrategy={"limit": 2, "expression": "retries == '0'"}
    )
    wanted = {"x": "{{tasks.a.exitCode}} {{tasks.a.id}}"}
    found = flows.run(
        workflow(dag(task("a", "retried"), task("b", "say", wanted, depends="a || a.Failed")), retried, SAY)
    )
    assert said(found, "b") == f"0 {nodes(found)['a(1)']['id']}"


@pytest.mark.parametrize("ending", [{"when": "1 == 2"}, {"depends": "f"}], ids=["skipped", "omitted"])
def test_the_outputs_of_a_task_that_did_not_run_are_empty(flows: Workflows, ending: dict[str, Any]) -> None:
    wanted = {"x": "[{{tasks.s.outputs.parameters.p}}|{{tasks.s.outputs.result}}|{{tasks.s.status}}]"}
    found = flows.run(
        workflow(
            dag(
                task("f", "fail"),
                task("s", "outs", **ending),
                task("t", "say", wanted, depends="s.Skipped || s.Omitted"),
            ),
            FAIL,
            SAY,
            container("outs", "true", outputs=FILE),
        )
    )
    assert said(found, "t") == f"[||{phases(found)['s']}]"


def test_the_outputs_of_a_step_that_did_not_run_are_empty(flows: Workflows) -> None:
    wanted = {"x": "[{{steps.s.outputs.parameters.p}}{{steps.s.outputs.result}}]"}
    found = flows.run(
        workflow(
            steps([task("s", "outs", when="1 == 2")], [task("t", "say", wanted)]),
            SAY,
            container("outs", "true", outputs=FILE),
        )
    )
    assert said(found, "t") == "[]"


def test_a_default_stands_for_the_output_of_a_task_that_did_not_run(flows: Workflows) -> None:
    source = {"parameter": "{{tasks.s.outputs.parameters.p}}", "default": "none"}
    main = dag(task("s", "outs", when="1 == 2"), outputs={"parameters": [{"name": "out", "valueFrom": source}]})
    found = flows.run(workflow(main, container("outs", "true", outputs=FILE)))
    (out,) = nodes(found)[found["metadata"]["name"]]["outputs"]["parameters"]
    assert out["value"] == "none"


def test_an_output_that_is_not_there_is_an_error(flows: Workflows) -> None:
    """Argo 4.0 tries again for ever."""
    wanted = {"x": "{{tasks.a.outputs.parameters.p}}"}
    fail = container("fail", "exit 7;", outputs=FILE)
    found = flows.run(workflow(dag(task("a", "fail"), task("b", "say", wanted, depends="a.Failed")), fail, SAY))
    assert nodes(found)["b"]["phase"] == "Error"
    assert nodes(found)["b"]["message"] == "failed to resolve {{tasks.a.outputs.parameters.p}}"


def test_a_condition_is_read_before_the_arguments(flows: Workflows) -> None:
    wanted = {"x": "{{tasks.a.outputs.parameters.p}}"}
    fail = container("fail", "exit 7;", outputs=FILE)
    last = task("b", "say", wanted, depends="a.Failed", when="{{tasks.a.exitCode}} == 0")
    found = flows.run(workflow(dag(task("a", "fail"), last), fail, SAY))
    assert phases(found)["b"] == "Skipped"


# Fan-outs


def test_results_of_items_keep_their_form(flows: Workflows) -> None:
    listed = [task("a", "say", {"x": "{{item}}"}, withItems=['{"z": 1.0,  "a": [1, 2]}', "3.50", '"a b"'])]
    found = flows.run(workflow(steps(listed, [task("b", "say", {"x": "{{steps.a.outputs.result}}"})]), SAY))
    assert said(found, "b") == '[{"z":1.0,"a":[1,2]},3.50,"a b"]'


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("hello", "invalid character 'h' looking for beginning of value"),
        ("1 2", "invalid character '2' after top-level value"),
        ("", "unexpected end of JSON input"),
    ],
)
def test_results_of_items_must_be_json(flows: Workflows, result: str, message: str) -> None:
    fanned = task("a", "say", {"x": "{{item}}"}, withItems=[result, result])
    found = flows.run(workflow(dag(fanned, task("b", "say", {"x": "{{tasks.a.outputs.result}}"}, depends="a")), SAY))
    assert (found["status"]["phase"], found["status"]["message"]) == ("Error", message)


def test_results_beside_a_failed_item_are_read_too(flows: Workflows) -> None:
    run = container("run", "echo ok; exit {{inputs.parameters.x}};", inputs=SAY["inputs"])
    fanned = task("a", "run", {"x": "{{item}}"}, withItems=[0, 1])
    found = flows.run(
        workflow(dag(fanned, task("b", "say", {"x": "{{tasks.a.outputs.result}}"}, depends="a")), run, SAY)
    )
    assert found["status"]["phase"] == "Error"
    assert found["status"]["message"] == "invalid character 'o' looking for beginning of value"


def test_output_parameters_of_items_that_are_json_are_not_quoted(flows: Workflows) -> None:
    write = container("write", "echo '{{inputs.parameters.x}}' > /tmp/p;", inputs=SAY["inputs"], outputs=FILE)
    wanted = {"x": "{{tasks.a.outputs.parameters.p}}"}
    texts = {}
    for items in (["[1]", '{"k":2}'], ["1", "2"]):
        fanned = task("a", "write", {"x": "{{item}}"}, withItems=items)
        found = flows.run(workflow(dag(fanned, task("b", "say", wanted, depends="a")), write, SAY))
        texts[items[0]] = said(found, "b")
    assert texts == {"[1]": '[[1],{"k":2}]', "1": '["1","2"]'}


def test_the_group_of_a_fanned_out_step_has_a_status(flows: Workflows) -> None:
    listed = [task("a", "say", {"x": "{{item}}"}, withItems=[1])]
    found = flows.run(workflow(steps(listed, [task("b", "say", {"x": "{{steps.a.status}}"})]), SAY))
    assert said(found, "b") == "Succeeded"


# The workflow


def test_the_variables_of_a_workflow(flows: Workflows) -> None:
    names = ["duration", "labels", "labels.json", "labels.team", "annotations", "annotations.json", "priority"]
    names += ["serviceAccountName", "mainEntrypoint", "uid", "namespace", "parameters.json", "status"]
    manifest = workflow(
        {
            "name": "main",
            "inputs": {"parameters": [{"name": "x", "value": "1"}]},
            "script": {
                "image": "python",
                "command": ["python"],
                "source": "\n".join(f"print(r'''{name}={{{{workflow.{name}}}}}''')" for name in names),
            },
        },
        priority=3,
        serviceAccountName="default",
        arguments={"parameters": [{"name": "p", "value": 2, "description": "a number"}]},
    )
    manifest["metadata"] |= {"labels": {"team": "vcity"}, "annotations": {"note": "x & y"}}
    found = flows.run(manifest)
    values = dict(line.split("=", 1) for line in flows.log(found["metadata"]["name"]))
    assert re.fullmatch(r"\d+\.\d{6}", values.pop("duration"))
    assert json.loads(values["labels"])["team"] == "vcity"
    assert values.pop("labels") == values.pop("labels.json")
    assert values == {
        "labels.team": "vcity",
        "annotations": '{"note":"x & y"}',
        "annotations.json": '{"note":"x & y"}',
        "priority": "3",
        "serviceAccountName": "default",
        "mainEntrypoint": "main",
        "uid": found["metadata"]["uid"],
        "namespace": "default",
        "parameters.json": '[{"name":"p","value":"2","description":"a number"}]',
        "status": "Running",
    }


def test_the_creation_time_has_all_formats_of_argo(flows: Workflows) -> None:
    letters = "BbmAadHIMSYypZzLs"
    text = "|".join(f"{{{{workflow.creationTimestamp.{letter}}}}}" for letter in letters)
    found = flows.run(workflow(container("main", "echo", text)))
    created = datetime.strptime(found["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=timezone.utc
    )
    fixed = {"L": ".000", "s": str(int(created.timestamp())), "z": "+0000"}
    wanted = "|".join(fixed.get(letter) or created.strftime(f"%{letter}") for letter in letters)
    assert flows.log(found["metadata"]["name"]) == [wanted]


def test_tags_in_what_a_workflow_gives_to_its_pods(flows: Workflows) -> None:
    manifest = workflow(
        container("main", "true"),
        podMetadata={"labels": {"who": "{{workflow.name}}"}, "annotations": {"p": "{{workflow.parameters.p}}"}},
        serviceAccountName="{{workflow.parameters.account}}",
        nodeSelector={"disk": "{{workflow.parameters.p}}"},
        arguments={"parameters": [{"name": "p", "value": "ssd"}, {"name": "account", "value": "default"}]},
    )
    name = flows.run(manifest)["metadata"]["name"]
    pod = flows.api.get(f"/api/v1/namespaces/default/pods/{name}")
    assert pod["metadata"]["labels"]["who"] == name
    assert pod["metadata"]["annotations"]["p"] == "ssd"
    assert (pod["spec"]["serviceAccountName"], pod["spec"]["nodeSelector"]) == ("default", {"disk": "ssd"})


# Where tags may stand


def test_tags_in_a_retry_strategy(flows: Workflows) -> None:
    strategy = {
        "limit": "{{inputs.parameters.n}}",
        "expression": "lastRetry.exitCode == '{{inputs.parameters.code}}' && asInt(retries) < 5",
        "backoff": {"duration": "{{inputs.parameters.n}}ms"},
    }
    given = {"parameters": [{"name": "n", "value": "1"}, {"name": "code", "value": "3"}]}
    again = flows.run(workflow(container("main", "exit 3;", inputs=given, retryStrategy=strategy)))
    assert (len(nodes(again)), again["status"]["message"]) == (3, "No more retries left")
    once = flows.run(workflow(container("main", "exit 4;", inputs=given, retryStrategy=strategy)))
    assert (len(nodes(once)), once["status"]["message"]) == (2, "retryStrategy.expression evaluated to false")


def test_a_limit_that_is_no_number_is_an_error(flows: Workflows) -> None:
    given = {"parameters": [{"name": "n", "value": "many"}]}
    strategy = {"limit": "{{inputs.parameters.n}}"}
    found = flows.run(workflow(container("main", "exit 3;", inputs=given, retryStrategy=strategy)))
    assert (found["status"]["phase"], found["status"]["message"]) == (
        "Error",
        'strconv.ParseInt: parsing "many": invalid syntax',
    )


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("data", ("Succeeded", None)), ("gone", ("Error", "volume 'gone' not found in workflow spec"))],
)
def test_a_parameter_names_a_volume(flows: Workflows, name: str, outcome: tuple[str, str | None]) -> None:
    mount = {"volumeMounts": [{"name": "{{inputs.parameters.v}}", "mountPath": "/data"}]}
    given = {"parameters": [{"name": "v", "value": name}]}
    volumes = [{"name": "data", "emptyDir": {}}]
    found = flows.run(workflow(container("main", "touch /data/x;", inputs=given, container=mount), volumes=volumes))
    assert (found["status"]["phase"], found["status"].get("message")) == outcome


def test_a_patch_gives_a_sidecar_its_image(flows: Workflows) -> None:
    beside = {"name": "beside", "command": ["sleep", "60"]}
    patch = "containers: [{name: beside, image: busybox}]"
    found = flows.run(workflow(container("main", "true", sidecars=[beside], podSpecPatch=patch)))
    assert found["status"]["phase"] == "Succeeded"
    without = flows.run(workflow(container("main", "true", sidecars=[beside])))
    assert without["status"]["phase"] == "Error"
    assert "spec.containers[1].image: Required value" in without["status"]["message"]
