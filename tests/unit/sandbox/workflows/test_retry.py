"""Ended workflows in the sandbox that go on: retried from where they failed, or submitted again."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from sandbox_api import Api, claim, make_namespace
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

Json = dict[str, Any]

VOLUMES = [{"name": "work", "persistentVolumeClaim": {"claimName": "work"}}]
MOUNTS = {"volumeMounts": [{"name": "work", "mountPath": "/work"}]}
X = {"parameters": [{"name": "x"}]}
# leaves a mark at each start, and fails as long as the file NAME.ok is not there
TRY = container(
    "try",
    "echo {{inputs.parameters.x}} >> /work/started; test -e /work/{{inputs.parameters.x}}.ok",
    inputs=X,
    container=MOUNTS,
)
SAY = container("say", "echo {{inputs.parameters.x}} >> /work/started", inputs=X, container=MOUNTS)


@pytest.fixture(scope="module")
def api(sandbox) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def flows(api: Api) -> Workflows:
    """The Argo API in a namespace of the test's own, with a claim `work`."""
    space = make_namespace(api, f"t-{uuid.uuid4().hex[:12]}")
    api.create(f"{space}/persistentvolumeclaims", claim("work"))
    return Workflows(api, space.rpartition("/")[2])


@pytest.fixture
def work(sandbox, flows: Workflows) -> Path:
    """The files of the claim."""
    directory = Path(sandbox.directory) / "claims" / flows.namespace / "work"
    directory.mkdir(parents=True, exist_ok=True)  # the sandbox makes it when the claim is bound
    return directory


def put(flows: Workflows, name: str, verb: str, **body: Any) -> Any:
    return flows.api.send("PUT", f"{flows.base}/{name}/{verb}", {"name": name, **body})


def done(answer: Any) -> Json:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refused(answer: Any, http: int, grpc: int) -> str:
    assert (answer.status_code, answer.json()["code"]) == (http, grpc), answer.text
    return str(answer.json()["message"])


def started(work: Path) -> list[str]:
    return (work / "started").read_text().split()


def chain(**more: Any) -> Json:
    """a, then b, which fails at first, then c; d beside them."""
    tasks = dag(
        task("a", "say", {"x": "a"}),
        task("b", "try", {"x": "b"}, depends="a"),
        task("c", "say", {"x": "c"}, depends="b"),
        task("d", "say", {"x": "d"}),
        dag={"failFast": False},
    )
    return workflow(tasks, SAY, TRY, volumes=VOLUMES, **more)


def again(flows: Workflows, name: str, **options: Any) -> Json:
    """Retry a workflow and wait for its end."""
    done(put(flows, name, "retry", **options))
    return flows.finish(name)


# Retry


def test_what_failed_runs_again_and_what_succeeded_does_not(flows: Workflows, work: Path) -> None:
    found = flows.run(chain())
    name, before = found["metadata"]["name"], nodes(found)
    assert (found["status"]["phase"], sorted(started(work))) == ("Failed", ["a", "b", "d"])
    (work / "b.ok").touch()
    found = again(flows, name)
    assert (found["status"]["phase"], found["status"].get("message")) == ("Succeeded", None)
    assert started(work)[3:] == ["b", "c"]
    assert nodes(found)["a"] == before["a"]
    assert nodes(found)["b"]["id"] == before["b"]["id"]
    assert found["status"]["progress"] == "4/4"


def test_a_retried_workflow_is_running_with_its_failed_pods_gone(flows: Workflows, work: Path) -> None:
    name = flows.run(chain())["metadata"]["name"]
    pods = f"/api/v1/namespaces/{flows.namespace}/pods"
    before = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in flows.api.get(pods)["items"]}
    found = done(put(flows, name, "retry"))
    assert "workflows.argoproj.io/completed" not in found["metadata"]["labels"]
    assert found["status"]["phase"] == ""
    assert {"type": "Completed", "status": "False"} in found["status"]["conditions"]
    assert nodes(found)[name]["phase"] == "Running"
    assert {"a", "d"} <= phases(found).keys()
    assert not {"b", "c"} & phases(found).keys()
    flows.finish(name)
    after = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in flows.api.get(pods)["items"]}
    assert sum(after[key] != before[key] for key in before) == 1


def test_steps_go_on_in_the_group_that_failed(flows: Workflows, work: Path) -> None:
    groups = [
        [task("a", "say", {"x": "a"})],
        [task("b", "try", {"x": "b"}), task("c", "say", {"x": "c"})],
        [task("e", "say", {"x": "e"})],
    ]
    name = flows.run(workflow({"name": "main", "steps": groups}, SAY, TRY, volumes=VOLUMES))["metadata"]["name"]
    (work / "b.ok").touch()
    assert again(flows, name)["status"]["phase"] == "Succeeded"
    assert sorted(started(work)[:3]) == ["a", "b", "c"]
    assert started(work)[3:] == ["b", "e"]


def test_of_a_fan_out_only_the_failed_members_run_again(flows: Workflows, work: Path) -> None:
    fan = task("f", "try", {"x": "{{item}}"}, withItems=["1", "2", "3"])
    (work / "1.ok").touch()
    (work / "3.ok").touch()
    manifest = workflow(dag(fan, task("z", "say", {"x": "z"}, depends="f")), TRY, SAY, volumes=VOLUMES)
    name = flows.run(manifest)["metadata"]["name"]
    (work / "2.ok").touch()
    found = again(flows, name)
    assert found["status"]["phase"] == "Succeeded"
    assert sorted(started(work)) == ["1", "2", "2", "3", "z"]


def test_nested_graphs_go_on_inside(flows: Workflows, work: Path) -> None:
    inner = dag(
        task("b", "try", {"x": "b"}), task("c", "say", {"x": "c"}, depends="b"), task("d", "say", {"x": "d"}), name="in"
    )
    outer = dag(task("a", "say", {"x": "a"}), task("in", "in", depends="a"), task("z", "say", {"x": "z"}, depends="in"))
    name = flows.run(workflow(outer, inner, SAY, TRY, volumes=VOLUMES))["metadata"]["name"]
    (work / "b.ok").touch()
    assert again(flows, name)["status"]["phase"] == "Succeeded"
    assert sorted(started(work)) == ["a", "b", "b", "c", "d", "z"]


def test_attempts_begin_anew(flows: Workflows, work: Path) -> None:
    tries = TRY | {"retryStrategy": {"limit": "1"}}
    found = flows.run(workflow(dag(task("b", "try", {"x": "b"})), tries, volumes=VOLUMES))
    assert started(work) == ["b", "b"]
    (work / "b.ok").touch()
    found = again(flows, found["metadata"]["name"])
    assert found["status"]["phase"] == "Succeeded"
    assert started(work) == ["b", "b", "b"]
    assert phases(found)["b(0)"] == "Succeeded"
    assert "b(1)" not in phases(found)


def test_a_single_template_is_retried(flows: Workflows, work: Path) -> None:
    arguments = {"parameters": [{"name": "x", "value": "b"}]}
    name = flows.run(workflow(TRY, arguments=arguments, volumes=VOLUMES))["metadata"]["name"]
    (work / "b.ok").touch()
    assert again(flows, name)["status"]["phase"] == "Succeeded"


def test_nodes_that_succeeded_are_chosen_to_run_again(flows: Workflows, work: Path) -> None:
    (work / "b.ok").touch()
    name = flows.run(chain())["metadata"]["name"]
    found = again(flows, name, restartSuccessful=True, nodeFieldSelector="displayName=b")
    assert found["status"]["phase"] == "Succeeded"
    assert started(work)[4:] == ["b", "c"]


def test_parameters_are_given_anew(flows: Workflows, work: Path) -> None:
    arguments = {"parameters": [{"name": "who", "value": "b"}]}
    tasks = dag(task("a", "say", {"x": "a"}), task("b", "try", {"x": "{{workflow.parameters.who}}"}, depends="a"))
    name = flows.run(workflow(tasks, SAY, TRY, volumes=VOLUMES, arguments=arguments))["metadata"]["name"]
    (work / "other.ok").touch()
    found = again(flows, name, parameters=["who=other"])
    assert found["status"]["phase"] == "Succeeded"
    assert started(work) == ["a", "b", "other"]


def test_a_terminated_workflow_is_retried(flows: Workflows, work: Path) -> None:
    gate = {"name": "gate", "suspend": {}}
    manifest = workflow(
        dag(task("a", "say", {"x": "a"}), task("g", "wait", depends="a")),
        SAY,
        container("wait", "sleep", "60"),
        gate,
        volumes=VOLUMES,
    )
    name = flows.submit(manifest)
    flows.until(name, lambda one: one.get("status", {}).get("nodes") and phases(one).get("g") == "Running")
    done(put(flows, name, "terminate"))
    assert flows.finish(name)["status"]["phase"] == "Failed"
    found = done(put(flows, name, "retry"))
    assert "shutdown" not in found["spec"]
    flows.until(name, lambda one: one.get("status", {}).get("nodes") and phases(one).get("g") == "Running")
    done(put(flows, name, "terminate"))
    assert started(work) == ["a"]


def test_a_retried_workflow_outlives_the_time_that_its_first_end_had(sandbox, flows: Workflows, work: Path) -> None:
    hours = {"secondsAfterFailure": 3600, "secondsAfterSuccess": 36000}
    name = flows.run(chain(ttlStrategy=hours))["metadata"]["name"]
    (work / "b.ok").touch()
    assert again(flows, name)["status"]["phase"] == "Succeeded"
    sandbox.advance(7200)
    flows.run(workflow(container()))  # what the time has brought has happened by then
    assert flows.get(name)["status"]["phase"] == "Succeeded"
    sandbox.advance(36000)
    refused(flows.api.send("GET", f"{flows.base}/{name}"), 404, 5)


def test_what_cannot_be_retried_is_told(flows: Workflows, work: Path) -> None:
    name = flows.submit(workflow(container("main", "sleep", "60")))
    flows.until(name, lambda one: one.get("status", {}).get("phase") == "Running")
    assert refused(put(flows, name, "retry"), 400, 3) == "Cannot retry a workflow in phase Running"
    done(put(flows, name, "terminate"))
    good = flows.run(workflow(container()))["metadata"]["name"]
    told = "To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector"
    assert refused(put(flows, good, "retry"), 400, 3) == told
    refused(put(flows, "nowhere", "retry"), 404, 5)


def test_a_workflow_of_a_template_is_retried(flows: Workflows, work: Path) -> None:
    spec = {"entrypoint": "main", "templates": [dag(task("b", "try", {"x": "b"})), TRY], "volumes": VOLUMES}
    body = {"template": {"metadata": {"name": "whole"}, "spec": spec}}
    assert flows.api.send("POST", f"/api/v1/workflow-templates/{flows.namespace}", body).ok
    found = flows.run({"metadata": {"generateName": "w-"}, "spec": {"workflowTemplateRef": {"name": "whole"}}})
    (work / "b.ok").touch()
    assert again(flows, found["metadata"]["name"])["status"]["phase"] == "Succeeded"


# Resubmit


def test_a_resubmitted_workflow_is_a_new_one(flows: Workflows, work: Path) -> None:
    manifest = chain()
    manifest["metadata"] |= {"labels": {"team": "blue"}, "annotations": {"note": "kept"}}
    old = flows.run(manifest)
    made = done(put(flows, old["metadata"]["name"], "resubmit"))
    meta = made["metadata"]
    assert meta["name"] != old["metadata"]["name"]
    assert meta["name"].startswith("test-")
    assert meta["labels"]["workflows.argoproj.io/resubmitted-from-workflow"] == old["metadata"]["name"]
    assert meta["labels"]["workflows.argoproj.io/creator"] == "sandbox-admin"
    assert (meta["labels"]["team"], meta["annotations"]["note"]) == ("blue", "kept")
    assert "workflows.argoproj.io/completed" not in meta["labels"]
    assert made["spec"] == old["spec"]
    flows.finish(meta["name"])
    assert sorted(started(work)) == ["a", "a", "b", "b", "d", "d"]


def test_a_stopped_workflow_is_resubmitted_without_its_stop_and_with_other_parameters(flows: Workflows) -> None:
    arguments = {"parameters": [{"name": "x", "value": "1"}]}
    manifest = workflow(container("main", "echo", "{{workflow.parameters.x}}"), arguments=arguments, suspend=True)
    manifest["metadata"] = {"name": "once"}
    flows.submit(manifest)
    flows.until("once", lambda one: one.get("status", {}).get("phase") == "Running")
    done(put(flows, "once", "terminate"))
    flows.finish("once")
    made = done(put(flows, "once", "resubmit", parameters=["x=2"]))
    assert made["metadata"]["name"].startswith("once-")
    assert "shutdown" not in made["spec"]
    name = made["metadata"]["name"]
    done(put(flows, name, "resume"))
    flows.finish(name)
    assert flows.log(name) == ["2"]


def test_what_succeeded_is_remembered(flows: Workflows, work: Path) -> None:
    old = flows.run(chain())
    (work / "b.ok").touch()
    made = done(put(flows, old["metadata"]["name"], "resubmit", memoized=True))
    found = flows.finish(made["metadata"]["name"])
    assert found["status"]["phase"] == "Succeeded"
    assert started(work)[3:] == ["b", "c"]
    kept = nodes(found)["a"]
    assert (kept["type"], kept["phase"]) == ("Skipped", "Skipped")
    assert kept["message"] == f"original pod: {nodes(old)['a']['id']}"
    assert kept["id"].startswith(found["metadata"]["name"])


def test_remembered_outputs_reach_later_tasks(flows: Workflows, work: Path) -> None:
    made = container("make", "echo", "42")
    tasks = dag(
        task("a", "make"),
        task("b", "try", {"x": "b"}, depends="a"),
        task("c", "say", {"x": "got-{{tasks.a.outputs.result}}"}, depends="b"),
    )
    old = flows.run(workflow(tasks, made, SAY, TRY, volumes=VOLUMES))
    (work / "b.ok").touch()
    new = done(put(flows, old["metadata"]["name"], "resubmit", memoized=True))
    assert flows.finish(new["metadata"]["name"])["status"]["phase"] == "Succeeded"
    assert started(work) == ["b", "b", "got-42"]


def test_only_what_failed_can_be_remembered(flows: Workflows) -> None:
    name = flows.run(workflow(container()))["metadata"]["name"]
    told = refused(put(flows, name, "resubmit", memoized=True), 400, 3)
    assert told == "workflow must be Failed/Error to resubmit in memoized mode"


def test_hera_retries_and_resubmits(sandbox, flows: Workflows, work: Path) -> None:
    from hera.workflows import WorkflowsService
    from hera.workflows.models import WorkflowResubmitRequest, WorkflowRetryRequest

    service = WorkflowsService(host=sandbox.url, token=sandbox.token, namespace=flows.namespace)
    name = flows.run(chain())["metadata"]["name"]
    new = service.resubmit_workflow(name, WorkflowResubmitRequest(memoized=True))
    flows.finish(new.metadata.name)
    (work / "b.ok").touch()
    service.retry_workflow(name, WorkflowRetryRequest())
    assert flows.finish(name)["status"]["phase"] == "Succeeded"
    assert started(work) == [*started(work)[:3], "b", "b", "c"]


def test_what_cannot_run_any_more_keeps_what_it_was(flows: Workflows, work: Path) -> None:
    base = f"/api/v1/workflow-templates/{flows.namespace}"
    spec = {"templates": [SAY, TRY], "volumes": VOLUMES}
    assert flows.api.send("POST", base, {"template": {"metadata": {"name": "library"}, "spec": spec}}).ok
    tasks = []
    for name, template in (("a", "say"), ("b", "try")):
        arguments = {"parameters": [{"name": "x", "value": name}]}
        tasks.append({"name": name, "templateRef": {"name": "library", "template": template}, "arguments": arguments})
    tasks[1]["depends"] = "a"
    name = flows.run(workflow(dag(*tasks), volumes=VOLUMES))["metadata"]["name"]
    assert flows.api.send("DELETE", f"{base}/library").ok
    found = again(flows, name)
    assert found["status"]["phase"] == "Failed"
    assert "template reference library.say not found" in found["status"]["message"]
    assert phases(found)["a"] == "Succeeded"


@pytest.mark.parametrize("verb", ["retry", "resubmit"])
def test_a_fan_out_with_attempts_goes_on_either_way(flows: Workflows, work: Path, verb: str) -> None:
    tries = TRY | {"retryStrategy": {"limit": "1"}}
    fan = task("f", "try", {"x": "{{item}}"}, withItems=["1", "2"])
    idle = task("idle", "say", {"x": "idle"}, when="no == yes")
    groups = {"name": "inner", "steps": [[fan, idle], [task("z", "say", {"x": "z"})]]}
    (work / "1.ok").touch()
    manifest = workflow(dag(task("in", "inner"), task("end", "say", {"x": "end"}, depends="in")), groups, tries, SAY)
    manifest["spec"]["volumes"] = VOLUMES
    name = flows.run(manifest)["metadata"]["name"]
    assert sorted(started(work)) == ["1", "2", "2"]
    (work / "2.ok").touch()
    if verb == "retry":
        found = again(flows, name)
    else:
        found = flows.finish(done(put(flows, name, "resubmit", memoized=True))["metadata"]["name"])
    assert found["status"]["phase"] == "Succeeded", found["status"]
    assert started(work)[3:] == ["2", "z", "end"]
