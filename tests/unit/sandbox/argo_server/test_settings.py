"""What a workflow sets for its pods: claims of its own, patches, time limits, and parameters from config maps."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_api import Api
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

from hera_k8s_sandbox.workflows.validation import Unsupported, WorkflowInvalid, validate

CORE = "/api/v1/namespaces/default"
EASY = container("easy")
CLAIM = {
    "metadata": {"name": "work"},
    "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
}
MOUNT = {"volumeMounts": [{"name": "work", "mountPath": "/work"}]}


@pytest.fixture(scope="module")
def flows(sandbox: Any) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


# Claims


def test_a_workflow_makes_its_claims_and_removes_them_after_a_success(flows: Workflows) -> None:
    main = dag(task("a", "write"), task("b", "read", depends="a"))
    write = container("write", "echo kept > /work/x;", container=MOUNT)
    read = container("read", "cat /work/x;", container=MOUNT)
    name = flows.submit(workflow(main, write, read, volumeClaimTemplates=[CLAIM]))
    begun = flows.until(name, lambda one: one.get("status", {}).get("nodes"))
    assert begun["status"]["persistentVolumeClaims"] == [
        {"name": "work", "persistentVolumeClaim": {"claimName": f"{name}-work"}}
    ]
    found = flows.finish(name)
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert flows.log(name) == ["kept"]
    assert flows.api.send("GET", f"{CORE}/persistentvolumeclaims/{name}-work").status_code == 404


def test_a_claim_may_name_a_storage_class_of_another_cluster(flows: Workflows) -> None:
    """Published scripts do; a claim that is created by itself stays Pending, as in a cluster."""
    wanted = {**CLAIM, "spec": {**CLAIM["spec"], "storageClassName": "rook-cephfs"}}
    write = container("main", "echo kept > /work/x; exit 3;", container=MOUNT)
    found = flows.run(workflow(write, volumeClaimTemplates=[wanted]))
    assert found["status"]["message"] == "main: Error (exit code 3)"
    claim = flows.api.get(f"{CORE}/persistentvolumeclaims/{found['metadata']['name']}-work")
    assert (claim["spec"]["storageClassName"], claim["status"]["phase"]) == ("standard", "Bound")
    assert claim["metadata"]["annotations"]["hera-k8s-utils/sandbox-storage-class"] == "rook-cephfs"
    assert flows.api.send("DELETE", f"{flows.base}/{found['metadata']['name']}").ok


@pytest.mark.parametrize(("strategy", "kept"), [("OnWorkflowSuccess", True), ("OnWorkflowCompletion", False)])
def test_after_a_failure_the_strategy_says_whether_claims_stay(flows: Workflows, strategy: str, kept: bool) -> None:
    found = flows.run(
        workflow(
            container("main", "exit 3;", container=MOUNT),
            volumeClaimTemplates=[CLAIM],
            volumeClaimGC={"strategy": strategy},
        )
    )
    name = found["metadata"]["name"]
    answer = flows.api.send("GET", f"{CORE}/persistentvolumeclaims/{name}-work")
    assert answer.ok is kept
    if kept:
        (owner,) = answer.json()["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("Workflow", name)
        assert flows.api.send("DELETE", f"{flows.base}/{name}").ok
        assert flows.api.send("GET", f"{CORE}/persistentvolumeclaims/{name}-work").status_code == 404


# Pods


def test_the_pod_is_patched_as_workflow_and_template_say(flows: Workflows) -> None:
    patch = '{"containers": [{"name": "main", "env": [{"name": "SIZE", "value": "{{inputs.parameters.size}}"}]}]}'
    template = container(
        "main", "echo $SIZE;", inputs={"parameters": [{"name": "size", "value": "big"}]}, podSpecPatch=patch
    )
    found = flows.run(workflow(template, podSpecPatch="terminationGracePeriodSeconds: 7\n"))
    name = found["metadata"]["name"]
    assert flows.log(name) == ["big"]
    assert flows.api.get(f"{CORE}/pods/{name}")["spec"]["terminationGracePeriodSeconds"] == 7


def test_a_patch_that_cannot_be_read_is_an_error(flows: Workflows) -> None:
    found = flows.run(workflow(EASY, podSpecPatch="[1, 2]"))
    assert found["status"]["phase"] == "Error"
    assert found["status"]["message"].startswith("Failed to merge the workflow PodSpecPatch")


def test_labels_and_places_are_handed_on_to_pods(flows: Workflows) -> None:
    template = container(
        "main",
        nodeSelector={"disk": "ssd"},
        metadata={"labels": {"own": "yes"}},
        tolerations=[{"key": "k", "operator": "Exists"}],
    )
    affinity = {"nodeAffinity": {}}
    found = flows.run(
        workflow(template, podMetadata={"labels": {"all": "yes"}, "annotations": {"a": "b"}}, affinity=affinity)
    )
    pod = flows.api.get(f"{CORE}/pods/{found['metadata']['name']}")
    assert {"own": "yes", "all": "yes"}.items() <= pod["metadata"]["labels"].items()
    assert pod["metadata"]["annotations"]["a"] == "b"
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert pod["spec"]["affinity"] == affinity
    assert pod["spec"]["tolerations"][0]["key"] == "k"


def test_a_template_has_its_time(flows: Workflows) -> None:
    slow = container("slow", "sleep 60;", timeout="1s")
    found = flows.run(workflow(dag(task("a", "slow"), task("b", "easy", depends="a.Failed")), slow, EASY))
    assert (phases(found)["a"], phases(found)["b"]) == ("Failed", "Succeeded")


def test_a_pod_that_cannot_start_in_time_fails(flows: Workflows) -> None:
    waits = container("main", timeout="1s", container={"envFrom": [{"configMapRef": {"name": "never"}}]})
    found = flows.run(workflow(waits))
    assert (found["status"]["phase"], found["status"]["message"]) == ("Failed", "timeout")


def test_a_template_that_fails_fast_starts_nothing_more(flows: Workflows) -> None:
    script = "test {{inputs.parameters.x}} != 0"
    item = container("item", f"{script};", inputs={"parameters": [{"name": "x"}]})
    fan = dag(task("a", "item", {"x": "{{item}}"}, withItems=[0, 1, 2, 3]), parallelism=1, failFast=True)
    found = flows.run(workflow(fan, item))
    root = nodes(found)[found["metadata"]["name"]]
    assert (root["phase"], root["message"]) == (
        "Failed",
        "template has failed or errored children and failFast enabled",
    )
    assert [one["displayName"] for one in nodes(found).values() if one["type"] == "Pod"] == ["a(0:0)"]


# Parameters from config maps


@pytest.fixture(scope="module")
def settings(flows: Workflows) -> str:
    labels = {"workflows.argoproj.io/configmap-type": "Parameter"}
    flows.api.create(
        f"{CORE}/configmaps", {"metadata": {"name": "settings", "labels": labels}, "data": {"colour": "blue"}}
    )
    flows.api.create(f"{CORE}/configmaps", {"metadata": {"name": "unmarked"}, "data": {"colour": "red"}})
    return "settings"


def taken(name: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": "x", "valueFrom": {"configMapKeyRef": {"name": name, "key": key}, **more}}


SAY = container("main", "echo", "{{inputs.parameters.x}}")


def test_an_input_is_taken_from_a_config_map(flows: Workflows, settings: str) -> None:
    found = flows.run(workflow({**SAY, "inputs": {"parameters": [taken(settings, "colour")]}}))
    assert flows.log(found["metadata"]["name"]) == ["blue"]
    assert nodes(found)[found["metadata"]["name"]]["inputs"]["parameters"] == [{"name": "x", "value": "blue"}]


def test_an_argument_of_the_workflow_is_taken_from_a_config_map(flows: Workflows, settings: str) -> None:
    template = container("main", "echo", "{{workflow.parameters.x}}")
    found = flows.run(workflow(template, arguments={"parameters": [taken(settings, "colour")]}))
    assert flows.log(found["metadata"]["name"]) == ["blue"]


def test_the_default_stands_in(flows: Workflows, settings: str) -> None:
    found = flows.run(workflow({**SAY, "inputs": {"parameters": [taken(settings, "taste", default="sweet")]}}))
    assert flows.log(found["metadata"]["name"]) == ["sweet"]


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("nowhere", "x", "ConfigMap 'nowhere' does not exist"),
        ("settings", "taste", "ConfigMap 'settings' does not have the key 'taste'"),
        ("unmarked", "colour", "needs to have the label workflows.argoproj.io/configmap-type: Parameter"),
    ],
)
def test_a_config_map_that_is_not_there_is_told(
    flows: Workflows, settings: str, name: str, key: str, words: str
) -> None:
    assert settings
    found = flows.run(workflow({**SAY, "inputs": {"parameters": [taken(name, key)]}}))
    assert found["status"]["phase"] == "Error"
    assert f"unable to retrieve inputs.parameters.x from ConfigMap: ConfigMap '{name}'" in found["status"]["message"]
    assert words in found["status"]["message"]


def test_outputs_come_from_expressions(flows: Workflows) -> None:
    flip = container("flip", "echo tails;")
    text = "tasks.h.status == 'Succeeded' ? 'heads' : tasks.flip.outputs.result + '!'"
    main = dag(
        task("flip", "flip"),
        task("h", "easy", depends="flip", when="{{tasks.flip.outputs.result}} == heads"),
        outputs={
            "parameters": [
                {"name": "side", "valueFrom": {"expression": text}},
                {"name": "none", "valueFrom": {"expression": "tasks.h.outputs.result", "default": "-"}},
            ]
        },
    )
    found = flows.run(workflow(main, flip, EASY))
    made = nodes(found)[found["metadata"]["name"]]["outputs"]["parameters"]
    assert [one["value"] for one in made] == ["tails!", "-"]


# Validation


@pytest.mark.parametrize(
    ("words", "manifest"),
    [
        ("doesn't support timeout field", workflow(dag(task("a", "easy"), timeout="1m"), EASY)),
        ('timeout: time: invalid duration "soon"', workflow(container("main", timeout="soon"))),
        ("volumeClaimTemplates[0].metadata.name is required", workflow(EASY, volumeClaimTemplates=[{"spec": {}}])),
        ("volumeClaimGC.strategy unknown strategy 'Now'", workflow(EASY, volumeClaimGC={"strategy": "Now"})),
        (
            "configMapKeyRef needs a name and a key",
            workflow(EASY, arguments={"parameters": [{"name": "x", "valueFrom": {"configMapKeyRef": {"name": "m"}}}]}),
        ),
        (
            "parameter or expression must be specified",
            workflow(dag(task("a", "easy"), outputs={"parameters": [{"name": "o"}]}), EASY),
        ),
        (
            "failed to evaluate expression",
            workflow(
                dag(task("a", "easy"), outputs={"parameters": [{"name": "o", "valueFrom": {"expression": "1 +"}}]}),
                EASY,
            ),
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(words: str, manifest: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        validate(manifest)
    assert words in str(refused.value)


def test_values_from_events_are_refused_by_name() -> None:
    with pytest.raises(Unsupported, match=r"arguments\.parameters\.x\.valueFrom\.event"):
        validate(workflow(EASY, arguments={"parameters": [{"name": "x", "valueFrom": {"event": "payload"}}]}))
