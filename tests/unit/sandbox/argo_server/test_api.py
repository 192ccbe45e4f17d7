"""The sandbox's Argo API: what clients of the Argo server are answered."""

from __future__ import annotations

import json
import uuid

import pytest
import requests
from sandbox_api import Api, make_namespace
from sandbox_workflows import Workflows, container, dag, nodes, task, workflow

from hera_k8s_sandbox.argo_server.field_mask import FieldFilter
from hera_k8s_sandbox.argo_server.streams import event_text
from hera_k8s_sandbox.foundation.resource_types import WORKFLOWS
from hera_k8s_sandbox.store.entries import Entry, Event


@pytest.fixture(scope="module")
def api(sandbox) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def flows(api: Api) -> Workflows:
    """The Argo API in a namespace of the test's own."""
    return Workflows(api, make_namespace(api, f"t-{uuid.uuid4().hex[:12]}").rpartition("/")[2])


def refusal(answer: requests.Response, http: int, grpc: int) -> str:
    assert (answer.status_code, answer.json()["code"]) == (http, grpc), answer.text
    assert answer.json().keys() == {"code", "message"}
    return str(answer.json()["message"])


# About the server


def test_version_info_and_userinfo(api: Api) -> None:
    assert api.get("/api/v1/version")["version"] == "v4.1.2"
    assert "managedNamespace" not in api.get("/api/v1/info")
    assert api.get("/api/v1/userinfo")["subject"] == "sandbox-admin"


def test_the_version_needs_no_token_and_all_else_does(sandbox) -> None:
    nobody, stranger = Api(sandbox.url, None), Api(sandbox.url, "wrong")
    assert nobody.send("GET", "/api/v1/version").ok
    for path in ("info", "userinfo", "workflows/default", "workflow-events/default", "workflow-templates/default"):
        refusal(nobody.send("GET", f"/api/v1/{path}"), 401, 16)
        refusal(stranger.send("GET", f"/api/v1/{path}"), 401, 16)


def test_a_token_works_with_and_without_the_word_bearer(sandbox) -> None:
    for header in (sandbox.token, f"Bearer {sandbox.token}", f"bearer {sandbox.token}"):
        answer = requests.get(f"{sandbox.url}/api/v1/userinfo", headers={"Authorization": header}, timeout=10)
        assert answer.json()["subject"] == "sandbox-admin"


def test_rights_are_those_of_the_service_account(sandbox, api: Api, flows: Workflows) -> None:
    space = f"/api/v1/namespaces/{flows.namespace}"
    api.create(f"{space}/serviceaccounts", {"metadata": {"name": "reader"}})
    token = api.create(f"{space}/serviceaccounts/reader/token", {"spec": {"expirationSeconds": 600}})["status"]["token"]
    reader = Workflows(Api(sandbox.url, token), flows.namespace)
    told = refusal(reader.api.send("GET", reader.base), 403, 7)
    assert told == (
        f'workflows.argoproj.io is forbidden: User "system:serviceaccount:{flows.namespace}:reader" cannot list '
        f'resource "workflows" in API group "argoproj.io" in the namespace "{flows.namespace}"'
    )
    assert reader.api.get("/api/v1/userinfo")["serviceAccountName"] == "reader"
    api.create(
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{flows.namespace}/rolebindings",
        {
            "metadata": {"name": "reader"},
            "roleRef": {"kind": "ClusterRole", "name": "view", "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": flows.namespace}],
        },
    )
    assert reader.api.get(reader.base)["items"] is None
    refusal(reader.api.send("POST", reader.base, {"workflow": workflow(container())}), 403, 7)


# Creating


def test_a_created_workflow_is_named_and_says_who_made_it(flows: Workflows) -> None:
    answer = flows.api.send("POST", flows.base, {"workflow": workflow(container())})
    assert answer.status_code == 200
    made = answer.json()
    assert made["metadata"]["name"].startswith("test-")
    assert made["metadata"]["labels"]["workflows.argoproj.io/creator"] == "sandbox-admin"
    assert made["kind"] == "Workflow"


def test_a_dry_run_validates_and_leaves_nothing(flows: Workflows) -> None:
    good = {"workflow": workflow(container()), "serverDryRun": True}
    assert flows.api.send("POST", flows.base, good).json()["metadata"]["name"].startswith("test-")
    bad = {"workflow": workflow(container(), entrypoint="gone"), "serverDryRun": True}
    assert "undefined" in refusal(flows.api.send("POST", flows.base, bad), 400, 3)
    assert flows.api.get(flows.base)["items"] is None


def test_a_name_that_is_taken(flows: Workflows) -> None:
    manifest = workflow(container()) | {"metadata": {"name": "once"}}
    flows.submit(manifest)
    told = refusal(flows.api.send("POST", flows.base, {"workflow": manifest}), 409, 6)
    assert told == 'workflows.argoproj.io "once" already exists'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "workflow body not specified"),
        ({"workflow": {"metadata": {"name": "x"}}}, "spec is required"),
        ({"workflow": workflow(container()) | {"metadata": {}}}, "name"),
        ({"workflow": workflow(container()) | {"metadata": {"name": "No_Good"}}}, "Invalid value"),
        ({"workflow": workflow(container(), executor={"a": "b"})}, "the sandbox does not support spec.executor"),
        ({"workflow": workflow(container()) | {"spec": {"entrypoint": "a", "templates": [1]}}}, "wrong type"),
        (b"{", "Expecting"),
    ],
)
def test_a_workflow_that_cannot_be_taken_is_refused(flows: Workflows, body: object, words: str) -> None:
    assert words in refusal(flows.api.send("POST", flows.base, body), 400, 3)


def test_lint_answers_with_the_workflow_or_with_what_is_wrong(flows: Workflows) -> None:
    good = flows.api.send("POST", f"{flows.base}/lint", {"workflow": workflow(container())})
    assert good.json()["spec"]["entrypoint"] == "main"
    bad = flows.api.send("POST", f"{flows.base}/lint", {"workflow": workflow(dag(task("a", "gone")))})
    assert "template name 'gone' undefined" in refusal(bad, 400, 3)


def test_a_missing_workflow(flows: Workflows) -> None:
    told = refusal(flows.api.send("GET", f"{flows.base}/gone"), 404, 5)
    assert told == 'workflows.argoproj.io "gone" not found'
    refusal(flows.api.send("DELETE", f"{flows.base}/gone"), 404, 5)
    refusal(flows.api.send("GET", f"{flows.base}/gone/log"), 404, 5)


@pytest.mark.parametrize("part", ["archived-workflows", "event-sources/default", "sensors/default", "sync/default"])
def test_what_is_not_done_is_refused_by_name(flows: Workflows, part: str) -> None:
    told = refusal(flows.api.send("GET", f"/api/v1/{part}"), 501, 12)
    assert told == f"the sandbox does not support {part.partition('/')[0]}"


# Reading


def test_fields_thin_out_what_is_answered(flows: Workflows) -> None:
    name = flows.submit(workflow(container()))
    one = flows.api.get(f"{flows.base}/{name}?fields=metadata.name,spec.entrypoint")
    assert one == {"metadata": {"name": name}, "spec": {"entrypoint": "main"}}
    listed = flows.api.get(f"{flows.base}?listOptions.limit=1&fields=metadata,items.metadata.name")
    assert listed["items"] == [{"metadata": {"name": name}}]
    assert "resourceVersion" in listed["metadata"]


def test_lists_are_selected_and_come_in_pages(flows: Workflows) -> None:
    for number in range(3):
        manifest = workflow(container())
        manifest["metadata"] = {"name": f"w{number}", "labels": {"odd": str(number % 2)}}
        flows.submit(manifest)
    even = flows.api.get(f"{flows.base}?listOptions.labelSelector=odd%3D0")["items"]
    assert sorted(one["metadata"]["name"] for one in even) == ["w0", "w2"]
    named = flows.api.get(f"{flows.base}?listOptions.fieldSelector=metadata.name%3Dw1")["items"]
    assert [one["metadata"]["name"] for one in named] == ["w1"]
    first = flows.api.get(f"{flows.base}?listOptions.limit=2")
    rest = flows.api.get(f"{flows.base}?listOptions.limit=2&listOptions.continue={first['metadata']['continue']}")
    names = [one["metadata"]["name"] for one in [*first["items"], *rest["items"]]]
    assert sorted(names) == ["w0", "w1", "w2"]
    assert "continue" not in rest["metadata"]


def test_deleting_a_workflow_takes_its_pods_along(flows: Workflows) -> None:
    name = flows.submit(workflow(container()))
    flows.finish(name)
    pods = f"/api/v1/namespaces/{flows.namespace}/pods"
    assert len(flows.api.get(pods)["items"]) == 1
    assert flows.api.send("DELETE", f"{flows.base}/{name}").json() == {}
    assert flows.api.get(pods)["items"] == []


# Streams


def test_events_come_as_server_sent_events_with_the_fields_asked_for(flows: Workflows) -> None:
    name = flows.submit(workflow(container()))
    path = f"{flows.api.url}/api/v1/workflow-events/{flows.namespace}"
    query = {
        "listOptions.fieldSelector": f"metadata.name={name}",
        "fields": "error,result.type,result.object.metadata.name,result.object.status.phase",
    }
    headers = {"Accept": "text/event-stream"}
    with flows.api.session.get(path, params=query, headers=headers, stream=True, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        for line in answer.iter_lines():
            if not line:
                continue
            assert line.startswith(b"data: ")
            result = json.loads(line[6:])["result"]
            assert result.keys() <= {"type", "object"}
            assert result["object"]["metadata"] == {"name": name}
            if result["object"].get("status") == {"phase": "Succeeded"}:
                break


def test_an_event_is_put_into_words_once_for_all_who_ask_for_the_same_fields() -> None:
    phase, name = FieldFilter.parse("result.object.status.phase"), FieldFilter.parse("result.object.metadata.name")
    first = Event("MODIFIED", Entry(WORKFLOWS, {"name": "w"}, b'{"status":{"phase":"Running"}}'))
    later = Event("MODIFIED", Entry(WORKFLOWS, {"name": "w"}, b'{"status":{"phase":"Failed"}}'))
    assert event_text(first, phase) is event_text(first, FieldFilter.parse("result.object.status.phase"))
    assert json.loads(event_text(first, phase)) == {"result": {"object": {"status": {"phase": "Running"}}}}
    assert json.loads(event_text(first, name)) == {"result": {"object": {"metadata": {"name": "w"}}}}
    assert json.loads(event_text(later, phase)) == {"result": {"object": {"status": {"phase": "Failed"}}}}


def test_without_that_accept_events_are_lines_of_json(flows: Workflows) -> None:
    name = flows.submit(workflow(container()))
    flows.finish(name)
    path = f"{flows.api.url}/api/v1/workflow-events/{flows.namespace}"
    with flows.api.session.get(path, stream=True, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        first = json.loads(next(answer.iter_lines()))["result"]
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", name)


def test_a_deleted_workflow_is_told_on_the_stream(flows: Workflows) -> None:
    name = flows.submit(workflow(container("main", "sleep", "60")))
    for frame in flows.events(name):
        if frame["result"]["object"].get("status"):
            flows.api.send("DELETE", f"{flows.base}/{name}")
        if frame["result"]["type"] == "DELETED":
            break


def test_a_log_is_followed_while_the_task_writes_it(flows: Workflows) -> None:
    name = flows.submit(workflow(container("main", "echo one; while [ ! -e /tmp/x ]; do sleep 0.05; done")))
    path = f"{flows.api.url}{flows.base}/{name}/log"
    query = {"logOptions.container": "main", "logOptions.follow": "true", "logOptions.timestamps": "true"}
    headers = {"Accept": "text/event-stream"}
    with flows.api.session.get(path, params=query, headers=headers, stream=True, timeout=30) as answer:
        line = next(line for line in answer.iter_lines() if line.startswith(b"data: "))
    result = json.loads(line[6:])["result"]
    moment, _, content = result["content"].partition(" ")
    assert content == "one"
    assert moment.endswith("Z")
    assert result["podName"] == name
    flows.api.send("PUT", f"{flows.base}/{name}/terminate", {})


def test_logs_of_all_pods_or_of_one(flows: Workflows) -> None:
    say = container("say", "echo", "{{inputs.parameters.x}}", inputs={"parameters": [{"name": "x"}]})
    found = flows.run(workflow(dag(task("a", "say", {"x": "{{item}}"}, withItems=["left", "right"])), say))
    name = found["metadata"]["name"]
    assert flows.log(name) == ["left", "right"]
    node = nodes(found)["a(1:right)"]
    pod = f"{name}-say-{node['id'].rpartition('-')[2]}"
    assert flows.log(name, podName=pod) == ["right"]
    assert flows.log(name, grep="lef") == ["left"]
    single = flows.api.send("GET", f"{flows.base}/{name}/{pod}/log?logOptions.container=main").text
    assert json.loads(single)["result"] == {"content": "right", "podName": pod}


# Templates


@pytest.mark.parametrize("scope", ["namespaced", "cluster"])
def test_templates_are_kept(flows: Workflows, scope: str) -> None:
    base = "/api/v1/cluster-workflow-templates"
    if scope == "namespaced":
        base = f"/api/v1/workflow-templates/{flows.namespace}"
    name = f"t-{uuid.uuid4().hex[:8]}"
    template = {"metadata": {"name": name}, "spec": {"templates": [container()]}}
    assert flows.api.send("POST", base, {"template": template}).json()["metadata"]["name"] == name
    assert flows.api.get(f"{base}/{name}")["spec"] == template["spec"]
    assert name in [one["metadata"]["name"] for one in flows.api.get(base)["items"]]
    bad = {"template": {"metadata": {"name": "bad"}, "spec": {"templates": [dag(task("a", "gone"))]}}}
    refusal(flows.api.send("POST", f"{base}/lint", bad), 400, 3)
    assert flows.api.send("DELETE", f"{base}/{name}").ok
    refusal(flows.api.send("GET", f"{base}/{name}"), 404, 5)


@pytest.mark.parametrize("query", ["listOptions.limit=x", "listOptions.continue=x"])
def test_a_number_that_is_none_is_refused_as_such(api: Api, query: str) -> None:
    answer = api.send("GET", f"/api/v1/workflows/default?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


@pytest.mark.parametrize("path", ["/api/v1/workflows/default", "/api/v1/namespaces"])
def test_a_token_of_any_bytes_is_refused_as_one_that_is_unknown(sandbox, path: str) -> None:
    answer = Api(sandbox.url, None).send("GET", path, Authorization=b"Bearer \xff\xfe")
    assert answer.status_code == 401
