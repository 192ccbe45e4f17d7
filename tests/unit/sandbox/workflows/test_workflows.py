"""Workflows on the sandbox run as Argo runs them: order, results, items, conditions, retries, and the nodes told."""

from __future__ import annotations

from typing import Any

import pytest
from machine import PRIVATE_ROOTS
from sandbox_api import Api
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

EASY = container("easy")
FAIL = container("fail", "exit 3;")
SAY = container("say", "echo", "{{inputs.parameters.x}}", inputs={"parameters": [{"name": "x"}]})


@pytest.fixture(scope="module")
def flows(sandbox) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def steps(*groups: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"name": "main", "steps": list(groups), **more}


# Single pods and the shape of nodes


def test_a_single_container_is_the_root_node(flows: Workflows) -> None:
    found = flows.run(workflow(container("main", "echo", "{{workflow.name}}")))
    name, status = found["metadata"]["name"], found["status"]
    node = status["nodes"][name]
    assert (status["phase"], status["progress"]) == ("Succeeded", "1/1")
    assert status["startedAt"] <= status["finishedAt"]
    assert found["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"
    assert found["metadata"]["labels"]["workflows.argoproj.io/phase"] == "Succeeded"
    assert {"type": "Completed", "status": "True"} in status["conditions"]
    assert (node["type"], node["phase"], node["templateName"]) == ("Pod", "Succeeded", "main")
    assert (node["progress"], node["outputs"], node["hostNodeName"]) == ("1/1", {"exitCode": "0"}, "sandbox")
    assert flows.log(name) == [name]


def test_a_failing_container_says_how(flows: Workflows) -> None:
    found = flows.run(workflow(container("main", "exit 3;")))
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", "main: Error (exit code 3)")
    assert nodes(found)[found["metadata"]["name"]]["outputs"]["exitCode"] == "3"


def test_the_nodes_of_a_fan_out(flows: Workflows) -> None:
    found = flows.run(
        workflow(
            dag(task("a", "say", {"x": "{{item.v}}"}, withItems=[{"v": 1}, {"v": 2}]), task("b", "easy", depends="a")),
            SAY,
            EASY,
        )
    )
    name, by_name = found["metadata"]["name"], nodes(found)
    root, group, first, second, last = (by_name[each] for each in (name, "a", "a(0:v:1)", "a(1:v:2)", "b"))
    assert [each["type"] for each in (root, group, first, last)] == ["DAG", "TaskGroup", "Pod", "Pod"]
    assert root["children"] == [group["id"]]
    assert group["children"] == [first["id"], second["id"]]
    assert first["children"] == second["children"] == [last["id"]] == root["outboundNodes"]
    assert {each["boundaryID"] for each in (group, first, last)} == {name}
    assert first["name"] == f"{name}.a(0:v:1)"
    assert first["inputs"] == {"parameters": [{"name": "x", "value": "1"}]}
    assert (root["progress"], group["progress"]) == ("3/3", "2/2")


def test_the_nodes_of_steps(flows: Workflows) -> None:
    found = flows.run(workflow(steps([task("a", "easy")], [task("b", "easy"), task("c", "easy")]), EASY))
    name, by_name = found["metadata"]["name"], nodes(found)
    assert {each: by_name[each]["type"] for each in (name, "[0]", "a", "[1]", "b")} == {
        name: "Steps",
        "[0]": "StepGroup",
        "a": "Pod",
        "[1]": "StepGroup",
        "b": "Pod",
    }
    assert by_name["a"]["name"] == f"{name}[0].a"
    assert by_name[name]["children"] == [by_name["[0]"]["id"]]
    assert by_name["a"]["children"] == [by_name["[1]"]["id"]]
    assert by_name[name]["outboundNodes"] == [by_name["b"]["id"], by_name["c"]["id"]]


# Results and parameters


def test_a_coin_is_flipped(flows: Workflows) -> None:
    found = flows.run(
        workflow(
            steps(
                [task("flip", "flip")],
                [
                    task("heads", "easy", when="{{steps.flip.outputs.result}} == heads"),
                    task("tails", "easy", when="{{steps.flip.outputs.result}} == tails"),
                ],
            ),
            container("flip", "echo", "heads"),
            EASY,
        )
    )
    assert found["status"]["phase"] == "Succeeded"
    assert nodes(found)["flip"]["outputs"] == {"result": "heads", "exitCode": "0"}
    skipped = nodes(found)["tails"]
    assert (skipped["type"], skipped["phase"]) == ("Skipped", "Skipped")
    assert skipped["message"] == "when 'heads == tails' evaluated false"
    assert phases(found)["heads"] == "Succeeded"


def test_a_result_becomes_items_and_results_of_items_a_list(flows: Workflows) -> None:
    double = container("double", "echo $(( {{inputs.parameters.x}} * 2 ));", inputs={"parameters": [{"name": "x"}]})
    found = flows.run(
        workflow(
            dag(
                task("list", "list"),
                task(
                    "double", "double", {"x": "{{item.n}}"}, depends="list", withParam="{{tasks.list.outputs.result}}"
                ),
                task("show", "say", {"x": "{{tasks.double.outputs.result}}"}, depends="double"),
            ),
            container("list", 'echo noise >&2; echo \'[{"n": 1}, {"n": 2}]\''),
            double,
            SAY,
        )
    )
    assert found["status"]["phase"] == "Succeeded"
    assert nodes(found)["show"]["inputs"]["parameters"][0]["value"] == "[2,4]"
    assert sorted(flows.log(found["metadata"]["name"])) == ["2", "4", "[2,4]", '[{"n": 1}, {"n": 2}]', "noise"]


def test_an_empty_list_skips_the_task_and_not_what_follows(flows: Workflows) -> None:
    found = flows.run(
        workflow(dag(task("a", "say", {"x": "{{item}}"}, withParam="[]"), task("b", "easy", depends="a")), SAY, EASY)
    )
    assert (phases(found)["a"], phases(found)["b"]) == ("Skipped", "Succeeded")


@pytest.mark.needs(PRIVATE_ROOTS)  # for what lies neither below a mount nor below /tmp
@pytest.mark.parametrize("runner", ["own", "nested"])
def test_outputs_are_read_from_files(flows: Workflows, runner: str) -> None:
    declared = [
        {"name": "p", "valueFrom": {"path": "/tmp/p"}, "globalName": "everywhere"},
        {"name": "q", "valueFrom": {"path": "/made/up/q"}},
        {"name": "r", "valueFrom": {"path": "/none", "default": "fallback"}},
    ]
    write = container("write", "mkdir -p /made/up; printf 'one\\n' > /tmp/p; echo two > /made/up/q")
    write["outputs"] = {"parameters": declared}
    inner = dag(task("w", "write"), name="inner")
    inner["outputs"] = {
        "parameters": [
            {"name": each, "valueFrom": {"parameter": f"{{{{tasks.w.outputs.parameters.{each}}}}}"}} for each in "pqr"
        ]
    }
    told = {"x": " ".join(f"{{{{tasks.a.outputs.parameters.{each}}}}}" for each in "pqr")}
    first = task("a", "write" if runner == "own" else "inner")
    found = flows.run(workflow(dag(first, task("b", "say", told, depends="a")), write, inner, SAY))
    assert nodes(found)["b"]["inputs"]["parameters"][0]["value"] == "one two fallback"
    assert found["status"]["outputs"]["parameters"] == [{"name": "everywhere", "value": "one"}]


def test_a_missing_output_is_an_error(flows: Workflows) -> None:
    main = container("main", "true", outputs={"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]})
    found = flows.run(workflow(main))
    assert found["status"]["phase"] == "Error"
    assert "open /tmp/p: no such file or directory" in found["status"]["message"]


def test_parameters_of_the_workflow_and_their_defaults(flows: Workflows) -> None:
    main = container("main", "echo", "{{inputs.parameters.x}} {{workflow.parameters.y}} {{inputs.parameters.z}}")
    main["inputs"] = {"parameters": [{"name": "x"}, {"name": "z", "default": "last"}]}
    arguments = {"parameters": [{"name": "x", "value": 4.0}, {"name": "y", "value": "{{workflow.namespace}}"}]}
    found = flows.run(workflow(main, arguments=arguments))
    assert flows.log(found["metadata"]["name"]) == ["4 default last"]


# Failing


def test_what_depends_on_a_failure_is_omitted(flows: Workflows) -> None:
    found = flows.run(
        workflow(
            dag(
                task("a", "fail"),
                task("b", "easy", dependencies=["a"]),
                task("c", "easy", depends="a.Failed"),
                dag={"failFast": False},
            ),
            FAIL,
            EASY,
        )
    )
    assert found["status"]["phase"] == "Failed"
    assert (phases(found)["a"], phases(found)["b"], phases(found)["c"]) == ("Failed", "Omitted", "Succeeded")
    assert nodes(found)["b"]["message"] == "omitted: depends condition not met"


def test_one_failed_item_fails_the_group_and_the_others_go_on(flows: Workflows) -> None:
    some = container("some", "test {{inputs.parameters.x}} != 1", inputs={"parameters": [{"name": "x"}]})
    found = flows.run(
        workflow(
            dag(
                task("a", "some", {"x": "{{item}}"}, withSequence={"count": 4}),
                task("any", "easy", depends="a.AnySucceeded"),
                task("none", "easy", depends="a.AllFailed"),
                dag={"failFast": False},
            ),
            some,
            EASY,
        )
    )
    assert phases(found) | {found["metadata"]["name"]: "Failed"} == phases(found)
    assert [phases(found)[f"a({i}:{i})"] for i in range(4)] == ["Succeeded", "Failed", "Succeeded", "Succeeded"]
    assert (phases(found)["a"], phases(found)["any"], phases(found)["none"]) == ("Failed", "Succeeded", "Omitted")


def test_a_step_that_fails_ends_the_steps_unless_it_may(flows: Workflows) -> None:
    found = flows.run(workflow(steps([task("a", "fail")], [task("b", "easy")]), FAIL, EASY))
    failed = nodes(found)["a"]["id"]
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", f"child '{failed}' failed")
    assert "b" not in phases(found)
    found = flows.run(
        workflow(steps([task("a", "fail", continueOn={"failed": True})], [task("b", "easy")]), FAIL, EASY)
    )
    assert (found["status"]["phase"], phases(found)["b"]) == ("Succeeded", "Succeeded")


def test_a_command_that_is_not_there(flows: Workflows) -> None:
    found = flows.run(workflow(container("main", "no-such-program")))
    assert found["status"]["phase"] == "Failed"
    assert found["status"]["message"].startswith("main: StartError (exit code 128): ")
    assert 'exec: "no-such-program": executable file not found in $PATH' in found["status"]["message"]
    assert "the sandbox pulls no images" in found["status"]["message"]
    assert "--sandbox-images" in found["status"]["message"]


# Trying again


def test_a_task_is_tried_again_until_it_succeeds(flows: Workflows) -> None:
    again = container("again", "echo try {{retries}}; test {{retries}} = 2", retryStrategy={"limit": "3"})
    found = flows.run(workflow(dag(task("a", "again"), task("b", "easy", depends="a")), again, EASY))
    by_name = nodes(found)
    assert (found["status"]["phase"], by_name["a"]["type"]) == ("Succeeded", "Retry")
    assert by_name["a"]["children"] == [by_name[f"a({i})"]["id"] for i in range(3)]
    assert [by_name[f"a({i})"]["phase"] for i in range(3)] == ["Failed", "Failed", "Succeeded"]
    assert by_name["a(2)"]["nodeFlag"] == {"retried": True}
    assert by_name["a(2)"]["children"] == [by_name["b"]["id"]]
    assert flows.log(found["metadata"]["name"]) == ["try 0", "try 1", "try 2"]


def test_a_strategy_is_exhausted(flows: Workflows) -> None:
    found = flows.run(workflow(container("main", "exit 1;", retryStrategy={"limit": 1})))
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", "No more retries left")
    assert len(found["status"]["nodes"]) == 3


def test_a_policy_that_does_not_cover_failures(flows: Workflows) -> None:
    strategy = {"limit": 3, "retryPolicy": "OnError"}
    found = flows.run(workflow(container("main", "exit 1;", retryStrategy=strategy)))
    assert (found["status"]["phase"], len(found["status"]["nodes"])) == ("Failed", 2)
    assert found["status"]["message"] == "main: Error (exit code 1)"


def test_backoff_waits_and_gives_up_in_time(flows: Workflows) -> None:
    strategy = {"limit": 9, "backoff": {"duration": "1", "factor": 2, "maxDuration": "2"}}
    found = flows.run(workflow(container("main", "exit 1;", retryStrategy=strategy)))
    assert found["status"]["message"] in ("Backoff would exceed max duration limit", "Max duration limit exceeded")


# Limits


def test_parallelism_limits_what_runs_at_a_time(flows: Workflows) -> None:
    one = container("one", "echo {{inputs.parameters.x}}; sleep 0.02;", inputs={"parameters": [{"name": "x"}]})
    name = flows.submit(
        workflow(dag(task("a", "one", {"x": "{{item}}"}, withSequence={"count": 6})), one, parallelism=2)
    )
    most = 0

    def look(found: dict[str, Any]) -> bool:
        nonlocal most
        pods = [node for node in found.get("status", {}).get("nodes", {}).values() if node["type"] == "Pod"]
        most = max(most, sum(node["phase"] in ("Pending", "Running") for node in pods))
        return found.get("status", {}).get("phase") == "Succeeded"

    found = flows.until(name, look)
    assert found["status"]["progress"] == "6/6"
    assert most <= 2


def test_a_template_that_takes_too_long(flows: Workflows) -> None:
    found = flows.run(workflow(container("main", "sleep", "60", activeDeadlineSeconds=1)))
    told = "Pod was active on the node longer than the specified deadline"
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", told)


def test_a_workflow_that_takes_too_long(flows: Workflows) -> None:
    found = flows.run(workflow(dag(task("a", "slow")), container("slow", "sleep", "60"), activeDeadlineSeconds=1))
    assert found["status"]["phase"] == "Failed"
    assert nodes(found)["a"]["message"] == "Step exceeded its deadline"


def test_pods_are_collected_when_asked(flows: Workflows) -> None:
    pods = "/api/v1/namespaces/default/pods"
    version = flows.api.get(pods)["metadata"]["resourceVersion"]
    name = flows.submit(workflow(container(), podGC={"strategy": "OnPodCompletion"}))
    for event in flows.api.watch(f"{pods}?watch=true&timeoutSeconds=20&resourceVersion={version}"):
        if event["type"] == "DELETED" and event["object"]["metadata"]["name"] == name:
            break
    assert flows.api.send("GET", f"{pods}/{name}").status_code == 404
    assert flows.get(name)["status"]["phase"] == "Succeeded"


# Other ways in


def test_a_workflow_object_is_run_however_it_came(flows: Workflows) -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows"
    name = flows.api.create(path, workflow(container()))["metadata"]["name"]
    assert flows.finish(name)["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("spec", "phase", "message"),
    [
        ({"executor": {"serviceAccountName": "x"}}, "Error", "the sandbox does not support spec.executor"),
        ({"entrypoint": "gone"}, "Failed", "invalid spec: template name 'gone' undefined"),
    ],
)
def test_a_workflow_object_that_cannot_run_ends_before_any_task(
    flows: Workflows, spec: dict[str, Any], phase: str, message: str
) -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows"
    name = flows.api.create(path, workflow(container(), **spec))["metadata"]["name"]
    found = flows.finish(name)
    assert (found["status"]["phase"], found["status"]["message"]) == (phase, message)
    assert "nodes" not in found["status"]


def test_hera_submits_a_sweep_of_152_points(flows: Workflows, sandbox) -> None:
    from hera.workflows import WorkflowsService
    from hera_sweep import sweep

    service = WorkflowsService(host=sandbox.url, token=sandbox.token, namespace="default")
    w = sweep(76, workflows_service=service, namespace="default")
    w.create()
    found = flows.finish(w.name)
    assert (found["status"]["phase"], found["status"]["progress"]) == ("Succeeded", "153/153")
    assert nodes(found)["square(0:seed:1,x:2.5)"]["outputs"]["result"] == "[6.25, 1]"
    pod = f"{w.name}-count-{nodes(found)['count']['id'].rpartition('-')[2]}"
    assert flows.log(w.name, podName=pod) == ["152"]
