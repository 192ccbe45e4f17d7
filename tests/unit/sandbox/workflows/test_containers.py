"""Pods of several containers: container sets, sidecars, init containers and daemons, as Argo 4.1 has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

from hera_k8s_sandbox.server.launch import running
from hera_k8s_sandbox.workflows.validation import Unsupported, WorkflowInvalid, validate

EASY = container("easy")
SHARED = [{"name": "shared", "emptyDir": {}}]
MOUNT = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}


@pytest.fixture(scope="module", params=MOUNTS)
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A sandbox in which tasks see their mounts in one way or the other."""
    with running(tmp_path_factory.mktemp("sandbox"), lifetime=600, runner=request.param) as address:
        yield address


@pytest.fixture(scope="module")
def flows(sandbox: Any) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def one(name: str, script: str, *dependencies: str, **more: Any) -> dict[str, Any]:
    """A container."""
    after = {"dependencies": list(dependencies)} if dependencies else {}
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **after, **more}


def together(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "main", "containerSet": {"containers": list(containers), **more.pop("set", {})}, **more}


def statuses(flows: Workflows, found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    pod = flows.api.get(f"/api/v1/namespaces/default/pods/{found['metadata']['name']}")
    return {each["name"]: each for each in pod["status"]["containerStatuses"]}


# Sets


def test_the_containers_of_a_set_run_after_those_that_they_depend_on(flows: Workflows) -> None:
    found = flows.run(
        workflow(
            together(
                one("a", "echo a >> /shared/order"),
                one("b", "echo b >> /shared/order", "a"),
                one("main", "echo main >> /shared/order; cat /shared/order", "b"),
                set=MOUNT,
            ),
            volumes=SHARED,
        )
    )
    name, by_name = found["metadata"]["name"], nodes(found)
    assert found["status"]["phase"] == "Succeeded", by_name
    assert flows.log(name) == ["a", "b", "main"]
    assert (by_name[name]["type"], by_name["a"]["type"], by_name["b"]["type"]) == ("Pod", "Container", "Container")
    assert by_name[name]["children"] == [by_name["a"]["id"]]
    assert by_name["a"]["children"] == [by_name["b"]["id"]]
    assert by_name["b"]["name"] == f"{name}.b"
    assert {by_name[each]["boundaryID"] for each in ("a", "b", "main")} == {name}
    assert set(phases(found).values()) == {"Succeeded"}
    assert found["status"]["progress"] == "1/1"


def test_a_container_is_not_started_when_one_before_it_fails(flows: Workflows) -> None:
    found = flows.run(workflow(together(one("a", "exit 3"), one("b", "echo never", "a"), one("c", "true"))))
    by_name = nodes(found)
    assert (phases(found)["a"], phases(found)["b"], phases(found)["c"]) == ("Failed", "Error", "Succeeded")
    assert by_name["a"]["message"] == "a: Error (exit code 3)"
    assert by_name["b"]["message"] == 'b: Error (exit code 64): dependency "a" exited with non-zero code: 3'
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", "a: Error (exit code 3)")


def test_a_set_hands_on_what_its_main_container_makes(flows: Workflows) -> None:
    made = together(
        one("first", "echo noise"),
        one("main", "echo result; echo value > /tmp/p; echo file > /tmp/f", "first"),
        name="set",
        outputs={
            "parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}],
            "artifacts": [{"name": "f", "path": "/tmp/f"}],
        },
    )
    made["name"] = "set"
    say = container("say", "echo", "{{inputs.parameters.x}}", inputs={"parameters": [{"name": "x"}]})
    text = "{{tasks.a.outputs.result}} {{tasks.a.outputs.parameters.p}}"
    found = flows.run(workflow(dag(task("a", "set"), task("b", "say", {"x": text}, depends="a")), made, say))
    assert nodes(found)["b"]["inputs"]["parameters"][0]["value"] == "result value"
    assert nodes(found)["a"]["outputs"]["artifacts"][0]["name"] == "f"


def test_a_stopped_set_leaves_no_container_pending(flows: Workflows) -> None:
    name = flows.submit(workflow(together(one("a", "sleep 60"), one("b", "true", "a"))))
    flows.until(
        name, lambda found: phases(found).get("a") == "Running" if found.get("status", {}).get("nodes") else False
    )
    assert flows.api.send("PUT", f"{flows.base}/{name}/stop", {}).ok
    assert set(phases(flows.finish(name)).values()) == {"Failed"}


def test_a_set_that_succeeded_is_passed_over_when_its_workflow_is_resubmitted(flows: Workflows) -> None:
    main = dag(task("s", "set"), task("f", "fail", depends="s"))
    made = {**together(one("a", "true"), one("b", "true", "a")), "name": "set"}
    name = flows.run(workflow(main, made, container("fail", "exit 3;")))["metadata"]["name"]
    again = flows.api.send("PUT", f"{flows.base}/{name}/resubmit", {"memoized": True}).json()["metadata"]["name"]
    found = flows.finish(again)
    assert (found["status"]["phase"], phases(found)["s"], phases(found)["b"]) == ("Failed", "Skipped", "Skipped")


# Beside the main container


def test_a_sidecar_ends_with_the_main_container(flows: Workflows) -> None:
    beside = one("beside", "echo ready > /shared/ready; sleep 60", **MOUNT)
    script = "until test -e /shared/ready; do sleep 0.05; done; cat /shared/ready"
    found = flows.run(workflow(container("main", f"{script};", container=MOUNT, sidecars=[beside]), volumes=SHARED))
    assert (found["status"]["phase"], found["status"].get("message")) == ("Succeeded", None)
    assert flows.log(found["metadata"]["name"]) == ["ready"]
    assert statuses(flows, found)["beside"]["state"]["terminated"]["exitCode"] == 143


def test_a_sidecar_that_fails_by_itself_fails_the_node(flows: Workflows) -> None:
    found = flows.run(workflow(container("main", "sleep 0.5;", sidecars=[one("beside", "exit 4")])))
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", "beside: Error (exit code 4)")


def test_init_containers_come_first_and_may_mirror_the_volumes(flows: Workflows) -> None:
    first = one("first", "echo prepared > /shared/x", mirrorVolumeMounts=True)
    found = flows.run(
        workflow(container("main", "cat /shared/x;", container=MOUNT, initContainers=[first]), volumes=SHARED)
    )
    assert flows.log(found["metadata"]["name"]) == ["prepared"]


def test_an_init_container_that_fails_fails_the_node(flows: Workflows) -> None:
    found = flows.run(workflow(container("main", "echo never;", initContainers=[one("first", "exit 5")])))
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", "first: Error (exit code 5)")


# Daemons


def daemon(script: str = "sleep 60", **more: Any) -> dict[str, Any]:
    return {**container("daemon", f"{script};", **more), "daemon": True}


def is_daemoned(found: dict[str, Any], name: str) -> bool:
    return bool(found.get("status", {}).get("nodes") and nodes(found).get(name, {}).get("daemoned"))


@pytest.mark.parametrize("kind", ["dag", "steps"])
def test_a_daemon_runs_beside_what_comes_after_it(flows: Workflows, kind: str) -> None:
    say = container("say", "sleep 1; echo {{inputs.parameters.ip}}", inputs={"parameters": [{"name": "ip"}]})
    if kind == "dag":
        main = dag(task("d", "daemon"), task("b", "say", {"ip": "{{tasks.d.ip}}"}, depends="d"))
    else:
        main = {"name": "main", "steps": [[task("d", "daemon")], [task("b", "say", {"ip": "{{steps.d.ip}}"})]]}
    name = flows.submit(workflow(main, daemon(), say))
    seen = flows.until(name, lambda found: is_daemoned(found, "d"))
    assert nodes(seen)["d"]["phase"] == "Running"
    found = flows.finish(name)
    assert (found["status"]["phase"], phases(found)["d"]) == ("Succeeded", "Succeeded")
    assert "daemoned" not in nodes(found)["d"]
    assert flows.log(name) == ["127.0.0.1"]


def test_a_daemon_is_waited_for_until_it_is_ready(flows: Workflows) -> None:
    probe = {"readinessProbe": {"exec": {"command": ["test", "-e", "/shared/up"]}, "periodSeconds": 1}}
    serve = daemon("sleep 1; touch /shared/up; sleep 60", container={**MOUNT, **probe})
    claim = {
        "metadata": {"name": "shared"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    look = container("look", "ls /shared;", container=MOUNT)
    main = dag(task("d", "daemon"), task("b", "look", depends="d"))
    found = flows.run(workflow(main, serve, look, volumeClaimTemplates=[claim]))
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert flows.log(found["metadata"]["name"]) == ["up"]


def test_a_task_may_depend_on_a_daemon_by_that_word(flows: Workflows) -> None:
    main = dag(task("d", "daemon"), task("b", "easy", depends="d.Daemoned"), task("c", "easy", depends="d.Failed"))
    found = flows.run(workflow(main, daemon(), EASY))
    assert (phases(found)["b"], phases(found)["c"]) == ("Succeeded", "Omitted")


def test_the_daemon_of_an_inner_dag_ends_with_it(flows: Workflows) -> None:
    inner = dag(task("d", "daemon"), task("b", "easy", depends="d"), name="inner")
    found = flows.run(workflow(dag(task("i", "inner"), task("after", "easy", depends="i")), inner, daemon(), EASY))
    assert phases(found)["d"] == "Succeeded"
    assert nodes(found)["d"]["finishedAt"] <= nodes(found)["after"]["startedAt"]


# Through Hera


def test_heras_container_sets_and_sidecars_work(flows: Workflows, sandbox: Any) -> None:
    from hera.workflows import ContainerNode, ContainerSet, UserContainer, Workflow, WorkflowsService

    service = WorkflowsService(host=sandbox.url, token=sandbox.token, namespace="default")
    beside = UserContainer(name="beside", image="busybox", command=["sleep", "60"])
    with (
        Workflow(generate_name="hera-", entrypoint="set", namespace="default", workflows_service=service) as w,
        ContainerSet(name="set", sidecars=[beside]),
    ):
        first = ContainerNode(name="first", image="busybox", command=["sh", "-c", "echo one"])
        second = ContainerNode(name="main", image="busybox", command=["sh", "-c", "echo two"])
        first >> second
    found = flows.finish(w.create().metadata.name)
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert phases(found).keys() >= {"first", "main"}


# Validation


@pytest.mark.parametrize(
    ("words", "template"),
    [
        ("must have at least one container", together()),
        ("name 'a' is not unique", together(one("a", "true"), one("a", "true"))),
        ("dependency 'z' not defined", together(one("a", "true", "z"))),
        ("dependency cycle detected", together(one("a", "true", "b"), one("b", "true", "a"))),
        (
            'must have a container named "main"',
            together(one("a", "true"), outputs={"parameters": [{"name": "p", "valueFrom": {"path": "/p"}}]}),
        ),
        ("sidecars[0].name 'main' is not unique", container("main", sidecars=[one("main", "true")])),
        ("volume 'v' not found", together(one("a", "true"), set={"volumeMounts": [{"name": "v", "mountPath": "/v"}]})),
        ("only what runs in a pod can be a daemon", dag(task("a", "easy"), daemon=True)),
    ],
)
def test_containers_that_make_no_sense_are_refused(words: str, template: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        validate(workflow(template, EASY))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("words", "template"),
    [
        ("containerSet.retryStrategy", together(one("a", "true"), set={"retryStrategy": {"retries": 2}})),
        ("daemon with a retryStrategy", {**container("main", retryStrategy={"limit": 1}), "daemon": True}),
    ],
)
def test_what_is_not_done_is_refused_by_name(words: str, template: dict[str, Any]) -> None:
    with pytest.raises(Unsupported) as refused:
        validate(workflow(template))
    assert words in str(refused.value)
