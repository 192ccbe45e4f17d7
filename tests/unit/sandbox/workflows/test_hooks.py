"""Exit handlers and lifecycle hooks run when Argo 4.1 runs them, and know how what they belong to has ended."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_api import Api
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

from hera_k8s_sandbox.server.launch import running
from hera_k8s_sandbox.workflows.validation import WorkflowInvalid, validate

EASY = container("easy")
FAIL = container("fail", "exit 3;")
SAY = container("say", "echo", "{{inputs.parameters.x}}", inputs={"parameters": [{"name": "x"}]})
TELL = container("tell", "echo", "{{workflow.status}} {{workflow.failures}} {{workflow.duration}}")
HANG = container("hang", "sleep 60;")


@pytest.fixture(scope="module")
def flows(sandbox: Any) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def steps(*groups: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"name": "main", "steps": list(groups), **more}


def hook(template: str, expression: str = "", **arguments: str) -> dict[str, Any]:
    parameters = [{"name": name, "value": value} for name, value in arguments.items()]
    wanted = {"expression": expression} if expression else {}
    return {"template": template, "arguments": {"parameters": parameters}, **wanted}


# Of the workflow


def test_the_exit_handler_runs_after_a_success(flows: Workflows) -> None:
    found = flows.run(workflow(dag(task("a", "easy")), EASY, TELL, onExit="tell"))
    name = found["metadata"]["name"]
    at_exit = nodes(found)[f"{name}.onExit"]
    assert (found["status"]["phase"], at_exit["phase"], at_exit["type"]) == ("Succeeded", "Succeeded", "Pod")
    assert at_exit["nodeFlag"] == {"hooked": True}
    assert "boundaryID" not in at_exit
    assert found["status"]["progress"] == "2/2"
    status, failures, duration = flows.log(name)[0].split()
    assert (status, failures) == ("Succeeded", '"null"')
    assert float(duration) >= 0


def test_the_exit_handler_knows_what_has_failed(flows: Workflows) -> None:
    found = flows.run(workflow(dag(task("a", "fail")), FAIL, TELL, onExit="tell"))
    name = found["metadata"]["name"]
    assert (found["status"]["phase"], nodes(found)[f"{name}.onExit"]["phase"]) == ("Failed", "Succeeded")
    told = flows.log(name)[0]
    assert told.startswith('Failed "[{\\"displayName\\":')
    assert f'\\"podName\\":\\"{name}-fail-' in told
    assert '\\"message\\":\\"main: Error (exit code 3)\\"' in told


def test_a_failing_exit_handler_fails_a_workflow_that_succeeded(flows: Workflows) -> None:
    found = flows.run(workflow(EASY, FAIL, onExit="fail"))
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", "main: Error (exit code 3)")


def test_an_exit_handler_may_be_a_whole_tree(flows: Workflows) -> None:
    tree = {**steps([task("say", "say", {"x": "{{workflow.status}}"}, when="{{workflow.status}} != Succeeded")])}
    found = flows.run(workflow(FAIL, tree | {"name": "bye"}, SAY, onExit="bye"))
    name = found["metadata"]["name"]
    assert nodes(found)[f"{name}.onExit"]["type"] == "Steps"
    assert phases(found)["say"] == "Succeeded"
    assert flows.log(name) == ["Failed"]


def test_the_exit_hook_is_another_way_to_write_it(flows: Workflows) -> None:
    found = flows.run(workflow(EASY, SAY, hooks={"exit": hook("say", x="{{workflow.name}}")}))
    name = found["metadata"]["name"]
    assert nodes(found)[f"{name}.onExit"]["inputs"] == {"parameters": [{"name": "x", "value": name}]}


def test_a_hook_runs_while_the_workflow_runs(flows: Workflows) -> None:
    running = hook("easy", "workflow.status == 'Running'")
    never = hook("easy", "workflow.status == 'Error'")
    found = flows.run(workflow(dag(task("a", "easy")), EASY, hooks={"running": running, "never": never}))
    name, by_name = found["metadata"]["name"], nodes(found)
    assert by_name[f"{name}.hooks.running"]["phase"] == "Succeeded"
    assert by_name[f"{name}.hooks.running"]["id"] in by_name[name]["children"]
    assert f"{name}.hooks.never" not in by_name


def test_a_hook_runs_after_a_failure(flows: Workflows) -> None:
    found = flows.run(workflow(FAIL, EASY, hooks={"failed": hook("easy", "workflow.status == 'Failed'")}))
    assert nodes(found)[f"{found['metadata']['name']}.hooks.failed"]["phase"] == "Succeeded"
    assert found["status"]["phase"] == "Failed"


@pytest.mark.parametrize(("verb", "runs"), [("stop", True), ("terminate", False)])
def test_stop_runs_the_exit_handler_and_terminate_does_not(flows: Workflows, verb: str, runs: bool) -> None:
    name = flows.submit(workflow(dag(task("a", "hang")), HANG, TELL, onExit="tell"))
    flows.until(name, lambda found: any(one["phase"] == "Running" and one["type"] == "Pod" for one in _nodes(found)))
    assert flows.api.send("PUT", f"{flows.base}/{name}/{verb}", {}).ok
    found = flows.finish(name)
    strategy = verb.capitalize()
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", f"Stopped with strategy '{strategy}'")
    assert (f"{name}.onExit" in nodes(found)) is runs
    if runs:
        assert nodes(found)[f"{name}.onExit"]["phase"] == "Succeeded"


def test_the_exit_handler_runs_after_the_deadline(flows: Workflows) -> None:
    found = flows.run(workflow(HANG, EASY, onExit="easy", activeDeadlineSeconds=1))
    name = found["metadata"]["name"]
    assert (found["status"]["phase"], nodes(found)[f"{name}.onExit"]["phase"]) == ("Failed", "Succeeded")


def _nodes(found: dict[str, Any]) -> list[dict[str, Any]]:
    return list((found.get("status", {}).get("nodes") or {}).values())


# Of tasks and steps


def test_an_exit_hook_of_a_task_gets_its_outputs(flows: Workflows) -> None:
    made = container("make", "echo made;")
    ended = hook("say", x="{{tasks.a.outputs.result}} {{tasks.a.status}}")
    found = flows.run(
        workflow(dag(task("a", "make", hooks={"exit": ended}), task("b", "easy", depends="a")), made, SAY, EASY)
    )
    name, by_name = found["metadata"]["name"], nodes(found)
    assert by_name["a.onExit"]["phase"] == "Succeeded"
    assert by_name["a.onExit"]["id"] in by_name["a"]["children"]
    assert by_name["a.onExit"]["boundaryID"] == name
    assert by_name["a.onExit"]["finishedAt"] <= by_name["b"]["startedAt"]
    assert "made Succeeded" in flows.log(name)


def test_hooks_of_a_step_follow_its_state(flows: Workflows) -> None:
    hooks = {
        "exit": hook("easy"),
        "failed": hook("say", "steps.a.status == 'Failed'", x="{{steps.a.status}}"),
        "good": hook("easy", 'steps["a"].status == "Succeeded"'),
    }
    found = flows.run(
        workflow(
            steps([task("a", "fail", hooks=hooks, continueOn={"failed": True})], [task("b", "easy")]), FAIL, EASY, SAY
        )
    )
    assert found["status"]["phase"] == "Succeeded"
    assert {name for name in phases(found) if name.startswith("a.")} == {"a.onExit", "a.hooks.failed"}
    assert flows.log(found["metadata"]["name"]) == ["Failed"]


def test_each_item_has_its_hooks(flows: Workflows) -> None:
    found = flows.run(
        workflow(
            dag(
                task("a", "say", {"x": "{{item}}"}, withItems=[1, 2], hooks={"exit": hook("say", x="after {{item}}")}),
                task("b", "easy", depends="a"),
            ),
            SAY,
            EASY,
        )
    )
    assert {"a(0:1).onExit", "a(1:2).onExit"} <= phases(found).keys()
    assert sorted(flows.log(found["metadata"]["name"])) == ["1", "2", "after 1", "after 2"]


def test_a_failing_hook_of_a_task_changes_nothing_about_the_task(flows: Workflows) -> None:
    found = flows.run(workflow(dag(task("a", "easy", onExit="fail"), task("b", "easy", depends="a")), EASY, FAIL))
    assert (found["status"]["phase"], phases(found)["a.onExit"], phases(found)["b"]) == (
        "Succeeded",
        "Failed",
        "Succeeded",
    )


def test_a_hook_of_a_task_that_is_retried_runs_once(flows: Workflows) -> None:
    again = {"retryStrategy": {"limit": 1, "expression": "asInt(lastRetry.exitCode) == 3"}}
    found = flows.run(workflow(dag(task("a", "again", onExit="easy")), {**FAIL, **again, "name": "again"}, EASY))
    assert [name for name in phases(found) if name.startswith("a")] == ["a", "a(0)", "a(1)", "a.onExit"]
    assert nodes(found)["a"]["message"] == "No more retries left"
    assert found["status"]["phase"] == "Failed"


def test_a_hook_whose_expression_cannot_be_evaluated_is_an_error(flows: Workflows) -> None:
    bad = hook("easy", "asInt(tasks.a.status) > 1")
    found = flows.run(workflow(dag(task("a", "easy", hooks={"bad": bad})), EASY))
    assert (found["status"]["phase"], phases(found)["a"]) == ("Error", "Error")


# Expressions of retries, and in tags


def test_a_retry_stops_when_its_expression_says_no(flows: Workflows) -> None:
    strategy = {"limit": 5, "expression": "asInt(lastRetry.exitCode) != 3"}
    found = flows.run(workflow(container("main", "exit 3;", retryStrategy=strategy)))
    root = nodes(found)[found["metadata"]["name"]]
    assert (root["message"], len(root["children"])) == ("retryStrategy.expression evaluated to false", 1)


def test_a_condition_may_be_an_expression(flows: Workflows) -> None:
    flip = container("flip", "echo 7;")
    number = "{{=asInt(tasks.flip.outputs.result) * 2}}"
    when = "{{=asInt(tasks.flip.outputs.result) > 5 && inputs.parameters.side == 'left'}}"
    main = dag(
        task("flip", "flip"),
        task("high", "say", {"x": number}, depends="flip", when=when),
        task("low", "say", {"x": number}, depends="flip", when="{{=tasks.flip.outputs.result == '8'}}"),
        inputs={"parameters": [{"name": "side", "value": "left"}]},
    )
    found = flows.run(workflow(main, flip, SAY))
    assert (phases(found)["high"], phases(found)["low"]) == ("Succeeded", "Skipped")
    assert nodes(found)["low"]["message"] == "when 'false' evaluated false"
    assert nodes(found)["high"]["inputs"]["parameters"][0]["value"] == "14"


def test_a_result_that_an_expression_names_in_brackets_is_kept(flows: Workflows) -> None:
    flip = container("flip", "echo 7;")
    main = dag(task("f", "flip"), task("b", "say", {"x": '{{=tasks["f"].outputs.result}}'}, depends="f"))
    found = flows.run(workflow(main, flip, SAY))
    assert nodes(found)["b"]["inputs"]["parameters"][0]["value"] == "7"


# Validation


@pytest.mark.parametrize(
    ("words", "manifest"),
    [
        ("onExit template name 'gone' undefined", workflow(EASY, onExit="gone")),
        ("hooks.now.expression is required", workflow(EASY, hooks={"now": {"template": "easy"}})),
        ("hooks.exit template name 'gone' undefined", workflow(EASY, hooks={"exit": {"template": "gone"}})),
        ("inputs.parameters.x was not supplied", workflow(EASY, SAY, hooks={"exit": {"template": "say"}})),
        ("hooks.h.expression: failed to evaluate", workflow(EASY, hooks={"h": hook("easy", "1 +")})),
        (
            "failed to resolve {{tasks.b.status}}",
            workflow(dag(task("a", "easy", hooks={"exit": hook("say", x="{{tasks.b.status}}")})), EASY, SAY),
        ),
    ],
)
def test_hooks_that_cannot_run_are_refused(words: str, manifest: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        validate(manifest)
    assert words in str(refused.value)


# Retry


def test_a_failed_task_is_retried_though_its_hook_succeeded(flows: Workflows) -> None:
    claim = {
        "metadata": {"name": "w"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    mount = {"volumeMounts": [{"name": "w", "mountPath": "/w"}]}
    flaky = container("flaky", "test -e /w/done || { touch /w/done; exit 3; }", container=mount)
    main = dag(task("a", "flaky", onExit="easy"))
    name = flows.submit(workflow(main, flaky, EASY, onExit="easy", volumeClaimTemplates=[claim]))
    assert flows.finish(name)["status"]["phase"] == "Failed"
    assert flows.api.send("PUT", f"{flows.base}/{name}/retry", {}).ok
    found = flows.until(name, lambda one: one["status"]["phase"] == "Succeeded")
    assert set(phases(found).values()) == {"Succeeded"}
    assert {"a.onExit", f"{name}.onExit"} <= phases(found).keys()


# A restart of the server


def test_handlers_and_outputs_outlive_the_server(tmp_path: Any) -> None:
    """What had ended is not repeated; its outputs are known, and the exit handler comes at the end."""
    make = container("make", "echo made > /tmp/p; echo file > /tmp/f;")
    make["outputs"] = {
        "parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}, "globalName": "everywhere"}],
        "artifacts": [{"name": "f", "path": "/tmp/f"}],
    }
    wait = container("wait", "sleep 60;", retryStrategy={"limit": "1"}, timeout="2s")
    show = container("show", "cat /tmp/f; echo {{workflow.outputs.parameters.everywhere}};")
    show["inputs"] = {"artifacts": [{"name": "f", "path": "/tmp/f"}]}
    passed = {"artifacts": [{"name": "f", "from": "{{tasks.a.outputs.artifacts.f}}"}]}
    main = dag(
        task("a", "make", hooks={"exit": hook("easy")}),
        task("b", "wait", depends="a"),
        {"name": "c", "template": "show", "depends": "b.Failed", "arguments": passed},
    )
    manifest = workflow(main, make, wait, show, EASY, onExit="easy")
    with running(tmp_path, lifetime=60) as address:
        flows = Workflows(Api(address.url, address.token))
        name = flows.submit(manifest)
        before = flows.until(name, lambda found: _is_under_way(found, "b(0)"))
    with running(tmp_path, lifetime=60) as address:
        flows = Workflows(Api(address.url, address.token))
        found = flows.finish(name)
        log = flows.log(name)
    by_name = nodes(found)
    assert found["status"]["phase"] == "Succeeded", by_name
    assert by_name["a"]["finishedAt"] == nodes(before)["a"]["finishedAt"]
    assert (by_name["a.onExit"]["phase"], by_name[f"{name}.onExit"]["phase"]) == ("Succeeded", "Succeeded")
    assert {"file", "made"} <= set(log)


def _is_under_way(found: dict[str, Any], name: str) -> bool:
    return any(one["displayName"] == name and one["phase"] == "Running" for one in _nodes(found))


# Through Hera


def test_heras_exit_handlers_hooks_and_expressions_work(flows: Workflows, sandbox: Any) -> None:
    from hera.workflows import DAG, Container, Parameter, Workflow, WorkflowsService
    from hera.workflows.models import LifecycleHook

    service = WorkflowsService(host=sandbox.url, token=sandbox.token, namespace="default")
    running_hook = {"running": LifecycleHook(template="bye", expression='workflow.status == "Running"')}
    with Workflow(
        generate_name="hera-",
        entrypoint="main",
        on_exit="bye",
        hooks=running_hook,
        namespace="default",
        workflows_service=service,
    ) as w:
        flip = Container(name="flip", image="busybox", command=["echo", "4"])
        say = Container(
            name="say", image="busybox", command=["echo", "{{inputs.parameters.x}}"], inputs=[Parameter(name="x")]
        )
        bye = Container(name="bye", image="busybox", command=["echo", "{{workflow.status}}"])
        with DAG(name="main"):
            first = flip(name="first")
            second = say(name="second", arguments={"x": "{{=asInt(tasks.first.outputs.result) * 2}}"})
            second.on_exit = bye
            first >> second
    w.lint()
    name = w.create().metadata.name
    found = flows.finish(name)
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert {f"{name}.onExit", f"{name}.hooks.running", "second.onExit"} <= phases(found).keys()
    assert nodes(found)["second"]["inputs"]["parameters"][0]["value"] == "8"


def test_lint_names_what_a_hook_lacks(flows: Workflows) -> None:
    answer = flows.api.send("POST", f"{flows.base}/lint", {"workflow": workflow(EASY, onExit="gone")})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert "onExit template name 'gone' undefined" in answer.json()["message"]
