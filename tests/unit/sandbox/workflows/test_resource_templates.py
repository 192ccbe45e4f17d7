"""Resource templates do what kubectl does under the workflow's account, and wait for their conditions."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api, make_namespace
from sandbox_workflows import Workflows, container, dag, nodes, phases, task, workflow

from hera_k8s_sandbox.foundation.jsonpath import JsonPathError, jq_output, kubectl_output
from hera_k8s_sandbox.server.launch import running
from hera_k8s_sandbox.workflows.validation import Unsupported, WorkflowInvalid, validate

MAPS = "/api/v1/namespaces/work/configmaps"


@pytest.fixture(scope="module", params=MOUNTS)
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A sandbox in which tasks see their mounts in one way or the other."""
    with running(tmp_path_factory.mktemp("sandbox"), lifetime=600, runner=request.param) as address:
        yield address


@pytest.fixture(scope="module")
def api(sandbox: Any) -> Api:
    """The API, with a namespace `work` whose account `editor` may edit config maps and `nobody` nothing."""
    api = Api(sandbox.url, sandbox.token)
    core = make_namespace(api, "work")
    for name in ("editor", "nobody"):
        with contextlib.suppress(AssertionError):
            api.create(f"{core}/serviceaccounts", {"metadata": {"name": name}})
    rules = [
        {"apiGroups": [""], "resources": ["configmaps", "pods"], "verbs": ["*"]},
        {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["*"]},
    ]
    base = "/apis/rbac.authorization.k8s.io/v1/namespaces/work"
    api.create(f"{base}/roles", {"metadata": {"name": "edit"}, "rules": rules})
    api.create(
        f"{base}/rolebindings",
        {
            "metadata": {"name": "edit"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "edit"},
            "subjects": [{"kind": "ServiceAccount", "name": "editor", "namespace": "work"}],
        },
    )
    return api


@pytest.fixture(scope="module")
def flows(api: Api) -> Workflows:
    return Workflows(api, "work")


def resource(action: str, manifest: Any = None, *, name: str = "main", **more: Any) -> dict[str, Any]:
    outputs = more.pop("outputs", None)
    text = {} if manifest is None else {"manifest": manifest if isinstance(manifest, str) else json.dumps(manifest)}
    template = {"name": name, "resource": {"action": action, **text, **more}}
    return template if outputs is None else {**template, "outputs": {"parameters": outputs}}


def run(flows: Workflows, *templates: dict[str, Any], account: str = "editor", **spec: Any) -> dict[str, Any]:
    return flows.run(workflow(*templates, serviceAccountName=account, **spec))


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def appear(api: Api, name: str) -> None:
    """Wait until a config map is there."""
    next(api.watch(f"{MAPS}?watch=1&fieldSelector=metadata.name={name}"))


def outputs(found: dict[str, Any]) -> dict[str, str]:
    root = nodes(found)[found["metadata"]["name"]]
    return {one["name"]: one["value"] for one in root["outputs"]["parameters"]}


def test_a_resource_is_created_and_its_fields_are_outputs(flows: Workflows, api: Api) -> None:
    found = run(
        flows,
        resource(
            "create",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: made-\ndata:\n  by: '{{workflow.name}}'\n",
            outputs=[
                {"name": "name", "valueFrom": {"jsonPath": "{.metadata.name}"}},
                {"name": "by", "valueFrom": {"jqFilter": ".data.by"}},
                {"name": "none", "valueFrom": {"jsonPath": "{.data.none}", "default": "-"}},
            ],
        ),
    )
    name, status = found["metadata"]["name"], found["status"]
    assert status["phase"] == "Succeeded", status
    given = outputs(found)
    assert (given["by"], given["none"]) == (name, "-")
    assert api.get(f"{MAPS}/{given['name']}")["data"] == {"by": name}
    assert nodes(found)[name]["type"] == "Pod"
    pod = api.get(f"/api/v1/namespaces/work/pods/{name}")
    assert pod["spec"]["containers"][0]["command"] == ["argoexec", "resource", "create"]
    assert flows.log(name) == [f"ConfigMap/{given['name']} create"]


def test_the_workflow_owns_what_it_is_asked_to_own(flows: Workflows, api: Api) -> None:
    found = run(flows, resource("create", config_map("owned"), setOwnerReference=True))
    (owner,) = api.get(f"{MAPS}/owned")["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == (
        "Workflow",
        found["metadata"]["name"],
        found["metadata"]["uid"],
    )
    assert api.send("DELETE", f"{flows.base}/{found['metadata']['name']}").ok
    assert api.send("GET", f"{MAPS}/owned").status_code == 404


def test_a_life_of_a_resource(flows: Workflows, api: Api) -> None:
    """Apply, apply again with less, patch by manifest and by name, replace, get, delete, and delete what is gone."""
    first = resource("apply", config_map("life", a="1", b="2"), name="first")
    second = resource("apply", config_map("life", a="3"), name="second")
    patch = resource("patch", config_map("life", c="4"), name="patch", mergeStrategy="merge")
    named = resource("patch", {"data": {"d": "5"}}, name="named", flags=["configmap", "life"], mergeStrategy="merge")
    steps = [{"op": "add", "path": "/data/e", "value": "6"}]
    pointed = resource("patch", json.dumps(steps), name="pointed", flags=["cm/life"], mergeStrategy="json")
    get = resource(
        "get",
        config_map("life"),
        name="get",
        outputs=[{"name": "data", "valueFrom": {"jqFilter": ".data | tostring"}}],
    )
    replace = resource("replace", config_map("life", z="9"), name="replace")
    drop = resource("delete", config_map("life"), name="drop")
    names = ["first", "second", "patch", "named", "pointed", "get", "replace", "drop"]
    tasks = [task(name, name, **({"depends": before} if before else {})) for before, name in zip(["", *names], names)]  # noqa: B905
    again = task("again", "drop", depends="drop")
    found = run(flows, dag(*tasks, again), first, second, patch, named, pointed, get, replace, drop)
    assert set(phases(found).values()) == {"Succeeded"}, found["status"]
    (data,) = nodes(found)["get"]["outputs"]["parameters"]
    assert json.loads(data["value"]) == {"a": "3", "c": "4", "d": "5", "e": "6"}
    assert api.send("GET", f"{MAPS}/life").status_code == 404


def test_several_documents_are_one_resource_after_the_other(flows: Workflows, api: Api) -> None:
    manifest = "---\n".join(json.dumps(config_map(f"doc-{each}")) + "\n" for each in "ab")
    found = run(flows, resource("create", manifest))
    assert found["status"]["phase"] == "Succeeded", found["status"]
    assert {one["metadata"]["name"] for one in api.get(MAPS)["items"]} >= {"doc-a", "doc-b"}


def test_a_success_condition_is_waited_for(flows: Workflows) -> None:
    """A workflow that makes a workflow, as the documentation's example does."""
    inner = workflow(container("main", "sleep 1;"), serviceAccountName="editor")
    found = run(
        flows,
        resource(
            "create",
            inner,
            successCondition="status.phase == Succeeded",
            failureCondition="status.phase in (Failed, Error)",
            outputs=[{"name": "phase", "valueFrom": {"jsonPath": "{.status.phase}"}}],
        ),
    )
    assert found["status"]["phase"] == "Succeeded", found["status"]
    assert outputs(found) == {"phase": "Succeeded"}


def test_a_failure_condition_fails_the_node_with_argos_words(flows: Workflows) -> None:
    found = run(
        flows,
        resource("create", config_map("bad", state="broken"), failureCondition="data.state == broken"),
    )
    assert found["status"]["phase"] == "Failed"
    assert (
        found["status"]["message"]
        == "main: Error (exit code 64): failure condition '{data.state == [broken]}' evaluated true"
    )


def test_numbers_are_compared(flows: Workflows) -> None:
    found = run(flows, resource("create", config_map("count", n="3"), successCondition="data.n > 2"))
    assert found["status"]["phase"] == "Succeeded"


def test_the_rights_are_those_of_the_account(flows: Workflows) -> None:
    found = run(flows, resource("create", config_map("forbidden")), account="nobody")
    assert found["status"]["phase"] == "Failed"
    assert 'User "system:serviceaccount:work:nobody" cannot create resource "configmaps"' in found["status"]["message"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (resource("get", config_map("nowhere")), 'Error from server (NotFound): configmaps "nowhere" not found'),
        (
            resource("create", config_map("No_Name")),
            'The ConfigMap "No_Name" is invalid: metadata.name: Invalid value',
        ),
        (
            resource("create", {"apiVersion": "v9", "kind": "Thing", "metadata": {"name": "x"}}),
            'no matches for kind "Thing"',
        ),
        (resource("get", flags=["thing", "x"]), 'the server doesn\'t have a resource type "thing"'),
        (resource("patch", config_map("nowhere", a="1")), "(NotFound)"),
    ],
)
def test_what_kubectl_would_say_is_said(flows: Workflows, template: dict[str, Any], words: str) -> None:
    found = run(flows, template)
    assert found["status"]["phase"] == "Failed"
    assert words in found["status"]["message"]


def test_a_resource_that_is_deleted_while_it_is_waited_for_fails(flows: Workflows, api: Api) -> None:
    name = flows.submit(
        workflow(
            resource("create", config_map("waited"), successCondition="data.done == yes"), serviceAccountName="editor"
        )
    )
    appear(api, "waited")
    assert api.send("DELETE", f"{MAPS}/waited").ok
    found = flows.finish(name)
    assert "The resource has been deleted while its status was still being checked" in found["status"]["message"]


def test_a_stop_ends_the_waiting(flows: Workflows, api: Api) -> None:
    waits = resource("create", config_map("endless"), successCondition="data.done == yes")
    name = flows.submit(workflow(waits, serviceAccountName="editor"))
    appear(api, "endless")
    assert api.send("PUT", f"{flows.base}/{name}/stop", {}).ok
    assert flows.finish(name)["status"]["phase"] == "Failed"


def test_the_token_is_in_no_argument_and_gone_with_the_pod(flows: Workflows, api: Api, sandbox: Any) -> None:
    found = run(flows, resource("create", config_map("secretive")))
    pod = json.dumps(api.get(f"/api/v1/namespaces/work/pods/{found['metadata']['name']}"))
    assert "eyJ" not in pod
    assert not list((sandbox.directory / "pods").rglob("task.json"))


# Paths


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("{.status.conditions[0].type}", "Ready"),
        ('{.status.conditions[?(@.type=="Done")].status}', "False"),
        ("{.status.conditions[*].type}", "Ready Done"),
        ("{.items[-1]}", "3"),
        ("{.items[0:2]}", "1 2"),
        ("{.metadata.labels.a\\.b/c}", "x"),
        ("{.metadata.labels['a.b/c']}", "x"),
        ('name={.metadata.name}{"\\n"}', "name=n\n"),
        ("{..status}", '{"conditions":[{"type":"Ready","status":"True"},{"type":"Done","status":"False"}]} True False'),
        (".metadata.name", "n"),
    ],
)
def test_json_paths_find_what_kubectl_finds(path: str, text: str) -> None:
    assert kubectl_output(path, OBJECT) == text


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (".metadata.name", "n\n"),
        (".items", "[1,2,3]\n"),
        (".items[]", "1\n2\n3\n"),
        (".items | length", "3\n"),
        ('.metadata.labels["a.b/c"]', "x\n"),
        ('.status.conditions[] | select(.type == "Done") | .status', "False\n"),
        (".nothing.below", "null\n"),
        (".metadata | keys", '["labels","name"]\n'),
    ],
)
def test_plain_jq_filters_find_what_jq_finds(text: str, result: str) -> None:
    assert jq_output(text, OBJECT) == result


def test_a_path_that_leads_nowhere_is_told() -> None:
    with pytest.raises(JsonPathError, match="none is not found"):
        kubectl_output("{.none.x}", OBJECT)


OBJECT = {
    "metadata": {"name": "n", "labels": {"a.b/c": "x"}},
    "items": [1, 2, 3],
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Done", "status": "False"}]},
}


# Validation


@pytest.mark.parametrize(
    ("words", "template"),
    [
        ("resource.action must be one of", resource("destroy", "{}")),
        ("resource.manifest must be specified", resource("create")),
        ("must be a valid yaml", resource("create", "a: [")),
        ("mergeStrategy must be one of", resource("patch", "{}", mergeStrategy="best")),
        (
            "successCondition: success condition 'a ~ b' failed to parse",
            resource("get", "{}", successCondition="a ~ b"),
        ),
        (
            "jqFilter or jsonPath must be specified",
            resource("get", "{}", outputs=[{"name": "x", "valueFrom": {"path": "/x"}}]),
        ),
    ],
)
def test_resources_that_make_no_sense_are_refused(words: str, template: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        validate(workflow(template))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("words", "template"),
    [
        ("templates.main.resource.flags (unknown flag: --prune)", resource("apply", "{}", flags=["--prune"])),
        ("valueFrom.jqFilter", resource("get", "{}", outputs=[{"name": "x", "valueFrom": {"jqFilter": "map(.a)"}}])),
        ("resource.manifestFrom", resource("create", manifestFrom={"artifact": {"name": "m"}})),
    ],
)
def test_what_is_not_done_is_refused_by_name(words: str, template: dict[str, Any]) -> None:
    with pytest.raises(Unsupported) as refused:
        validate(workflow(template))
    assert words in str(refused.value)


def test_apply_with_force_makes_anew_what_cannot_be_changed(flows: Workflows, api: Api) -> None:
    """A pod's command cannot be changed: without the flag that fails, with it another pod takes the name."""

    def pod(word: str) -> dict[str, Any]:
        spec = {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "busybox", "command": ["echo", word]}],
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "forced"}, "spec": spec}

    def applied(word: str, *flags: str) -> str:
        found = run(flows, resource("apply", pod(word), flags=list(flags)) if flags else resource("apply", pod(word)))
        return str(found["status"]["phase"])

    def uid() -> str:
        return str(api.get("/api/v1/namespaces/work/pods/forced")["metadata"]["uid"])

    assert applied("one", "--force") == "Succeeded"
    first = uid()
    assert applied("one", "--force") == "Succeeded"
    assert uid() == first, "what is unchanged is left alone"
    assert applied("two") == "Failed"
    assert applied("two", "--force") == "Succeeded"
    assert uid() != first


# Through Hera


def test_heras_resource_templates_work(flows: Workflows, sandbox: Any) -> None:
    from hera.workflows import Parameter, Resource, Steps, Workflow, WorkflowsService
    from hera.workflows.models import ValueFrom

    service = WorkflowsService(host=sandbox.url, token=sandbox.token, namespace="work")
    with Workflow(
        generate_name="hera-",
        entrypoint="main",
        namespace="work",
        service_account_name="editor",
        workflows_service=service,
    ) as w:
        made = Resource(
            name="made",
            action="create",
            manifest=json.dumps({**config_map("unused", a="1"), "metadata": {"generateName": "hera-"}}),
            success_condition="data.a == 1",
            set_owner_reference=True,
            outputs=[Parameter(name="name", value_from=ValueFrom(json_path="{.metadata.name}"))],
        )
        with Steps(name="main"):
            made(name="make")
    w.lint()
    found = flows.finish(w.create().metadata.name)
    assert found["status"]["phase"] == "Succeeded", nodes(found)
    assert nodes(found)["make"]["outputs"]["parameters"][0]["value"].startswith("hera-")
