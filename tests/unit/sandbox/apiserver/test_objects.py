"""The sandbox's Kubernetes API: objects as the official client and plain HTTP see them, and how they are refused."""

from __future__ import annotations

import base64
import json

import pytest
from sandbox_api import Api, claim, config_map, make_namespace


@pytest.fixture(scope="module")
def api(sandbox) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def space(api: Api, request: pytest.FixtureRequest) -> str:
    """The core path of a namespace of the test's own."""
    import uuid

    return make_namespace(api, f"t-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def core(sandbox):
    from kubernetes import client

    configuration = client.Configuration()
    configuration.host = sandbox.url
    configuration.api_key = {"authorization": f"Bearer {sandbox.token}"}
    with client.ApiClient(configuration) as opened:
        yield client.CoreV1Api(opened)


def refusal(answer, code: int, reason: str) -> dict:
    status = answer.json()
    assert (answer.status_code, status["reason"]) == (code, reason), answer.text
    assert (status["kind"], status["apiVersion"], status["status"], status["code"]) == ("Status", "v1", "Failure", code)
    return status


# What the official client does


def test_the_official_client_creates_reads_changes_and_deletes(core, space: str) -> None:
    from kubernetes import client

    namespace = space.rpartition("/")[2]
    meta = client.V1ObjectMeta(generate_name="run-", labels={"app": "x"})
    made = core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=meta, data={"a": "1"}))
    name = made.metadata.name

    core.patch_namespaced_config_map(name, namespace, {"data": {"b": "2"}})
    made = core.read_namespaced_config_map(name, namespace)
    made.data["c"] = "3"
    core.replace_namespaced_config_map(name, namespace, made)

    listed = core.list_namespaced_config_map(namespace, label_selector="app=x").items
    assert [one.data for one in listed] == [{"a": "1", "b": "2", "c": "3"}]
    status = core.delete_namespaced_config_map(name, namespace)
    assert (status["status"], status["details"]["uid"]) == ("Success", made.metadata.uid)


def test_the_official_client_reads_errors_as_it_does_a_clusters(core, space: str) -> None:
    from kubernetes import client

    with pytest.raises(client.ApiException) as caught:
        core.read_namespaced_config_map("nope", "default")
    assert caught.value.status == 404
    assert json.loads(caught.value.body)["message"] == 'configmaps "nope" not found'


def test_the_official_client_watches(core, space: str) -> None:
    from kubernetes import client, watch

    namespace = space.rpartition("/")[2]
    core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a"), data={}))
    watcher = watch.Watch()
    seen = []
    for event in watcher.stream(core.list_namespaced_config_map, namespace, timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "ADDED":
            core.delete_namespaced_config_map("a", namespace)
        else:
            watcher.stop()
    assert seen == [("ADDED", "a"), ("DELETED", "a")]


# Refusals


def test_not_found_names_the_plural(api: Api, space: str) -> None:
    status = refusal(api.send("GET", f"{space}/secrets/nope"), 404, "NotFound")
    assert status["message"] == 'secrets "nope" not found'
    assert status["details"] == {"name": "nope", "kind": "secrets"}


def test_not_found_of_a_custom_kind_names_the_group(api: Api) -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows/nope"
    status = refusal(api.send("GET", path), 404, "NotFound")
    assert status["message"] == 'workflows.argoproj.io "nope" not found'
    assert status["details"] == {"name": "nope", "group": "argoproj.io", "kind": "workflows"}


def test_creation_in_a_missing_namespace_names_the_namespace(api: Api) -> None:
    answer = api.send("POST", "/api/v1/namespaces/nope/configmaps", config_map())
    assert refusal(answer, 404, "NotFound")["message"] == 'namespaces "nope" not found'


def test_a_list_in_a_missing_namespace_is_empty(api: Api) -> None:
    assert api.get("/api/v1/namespaces/nope/configmaps")["items"] == []


def test_an_unknown_group_is_no_page_of_ours(api: Api) -> None:
    answer = api.send("GET", "/apis/acme.example/v1/namespaces/default/widgets/x")
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_an_unknown_resource_of_a_known_group_is_a_status(api: Api) -> None:
    answer = api.send("GET", "/api/v1/namespaces/default/widgets")
    assert refusal(answer, 404, "NotFound")["message"] == "the server could not find the requested resource"


def test_a_stale_update_conflicts(api: Api, space: str) -> None:
    old = api.create(f"{space}/configmaps", config_map("a"))
    assert api.patch(f"{space}/configmaps/a", {"data": {"k": "v"}}).ok
    answer = api.send("PUT", f"{space}/configmaps/a", old)
    told = refusal(answer, 409, "Conflict")["message"]
    assert told.startswith('Operation cannot be fulfilled on configmaps "a": the object has been modified')


@pytest.mark.parametrize(
    ("path", "body", "code", "told"),
    [
        ("configmaps", config_map("Bad_Name"), 422, 'ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value'),
        ("configmaps", {"metadata": {}}, 422, "metadata.name: Required value: name or generateName is required"),
        ("configmaps", config_map("a") | {"data": {"a b": ""}}, 422, "data[a b]: Invalid value"),
        ("configmaps", config_map("a") | {"data": {"a": 1}}, 400, "cannot unmarshal number into Go struct field"),
        ("configmaps", config_map("a") | {"data": {"a": "x" * (1 << 20)}}, 422, None),
        ("configmaps", config_map("a") | {"data": {"a": "x" * ((1 << 20) + 1)}}, 422, "may not be more than 1048576"),
        ("configmaps", b"{", 400, "json parse error"),
        ("configmaps", {"kind": "Secret", "metadata": {"name": "a"}}, 400, "ConfigMap"),
        ("secrets", {"metadata": {"name": "a"}, "data": {"k": "%"}}, 400, "illegal base64 data at input byte 0"),
        ("secrets", {"metadata": {"name": "a"}, "type": "kubernetes.io/tls"}, 422, "data[tls.crt]: Required value"),
        ("persistentvolumeclaims", {"metadata": {"name": "a"}}, 422, "at least 1 access mode is required"),
        ("pods", {"metadata": {"name": "a"}}, 422, "spec.containers: Required value"),
    ],
)
def test_objects_that_break_a_rule_are_refused(api, space, path, body, code, told) -> None:
    answer = api.send("POST", f"{space}/{path}", body)
    if told is None:
        assert answer.status_code == 201
        return
    status = refusal(answer, code, "Invalid" if code == 422 else "BadRequest")
    assert told in status["message"]


def test_a_422_names_the_kind_and_the_causes(api: Api, space: str) -> None:
    body = claim("a")
    body["spec"]["accessModes"] = ["Everywhere"]
    details = refusal(api.send("POST", f"{space}/persistentvolumeclaims", body), 422, "Invalid")["details"]
    assert (details["name"], details["kind"]) == ("a", "PersistentVolumeClaim")
    assert [(cause["reason"], cause["field"]) for cause in details["causes"]] == [
        ("FieldValueNotSupported", "spec.accessModes")
    ]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("labelSelector=a+b", "unable to parse requirement"),
        ("fieldSelector=spec.colour%3Dred", "spec.colour"),
        ("continue=xyz", "continue key is not valid"),
        ("resourceVersion=abc", "invalid syntax"),
    ],
)
def test_queries_that_cannot_be_read_are_refused(api: Api, query: str, told: str) -> None:
    answer = api.send("GET", f"/api/v1/namespaces/default/configmaps?{query}")
    assert told in refusal(answer, 400, "BadRequest")["message"]


def test_a_version_from_the_future_times_out(api: Api) -> None:
    answer = api.send("GET", "/api/v1/namespaces/default/configmaps?resourceVersion=999999999")
    assert "Too large resource version" in refusal(answer, 504, "Timeout")["message"]


def test_unknown_fields_are_refused_warned_of_or_dropped(api: Api, space: str) -> None:
    body = config_map("a") | {"dat": {}}
    strict = api.send("POST", f"{space}/configmaps?fieldValidation=Strict", body)
    assert 'strict decoding error: unknown field "dat"' in refusal(strict, 400, "BadRequest")["message"]
    warned = api.send("POST", f"{space}/configmaps", body)
    assert "unknown field" in warned.headers["Warning"]
    assert "dat" not in warned.json()


# Reading


def test_items_of_built_in_lists_omit_their_kind_and_those_of_custom_ones_do_not(api: Api, space: str) -> None:
    api.create(f"{space}/configmaps", config_map("a"))
    plural = space.replace("/api/v1", "/apis/argoproj.io/v1alpha1") + "/workflowtemplates"
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": {}}
    api.create(plural, body)

    built_in, custom = api.get(f"{space}/configmaps"), api.get(plural)

    assert "kind" not in built_in["items"][0]
    assert custom["items"][0]["kind"] == "WorkflowTemplate"
    assert (built_in["kind"], custom["kind"]) == ("ConfigMapList", "WorkflowTemplateList")


def test_pages_hold_every_object_once(api: Api, space: str) -> None:
    names = [f"m{number}" for number in range(7)]
    for name in names:
        api.create(f"{space}/configmaps", config_map(name))
    found, token, rests = [], "", []
    while True:
        page = api.get(f"{space}/configmaps?limit=3&continue={token}")
        found += [item["metadata"]["name"] for item in page["items"]]
        rests.append(page["metadata"].get("remainingItemCount"))
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert (found, rests) == (names, [4, 1, None])


def test_metadata_alone_and_tables(api: Api, space: str) -> None:
    api.create(f"{space}/configmaps", config_map("a", k="v"))
    partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    one = api.get(f"{space}/configmaps/a", Accept=partial)
    assert (one["kind"], one["metadata"]["name"], "data" in one) == ("PartialObjectMetadata", "a", False)
    table = api.get(f"{space}/configmaps", Accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 1]


# Writing


def test_a_dry_run_answers_and_keeps_nothing(api: Api, space: str) -> None:
    answer = api.send("POST", f"{space}/configmaps?dryRun=All", config_map("a"))
    assert answer.status_code == 201
    assert "resourceVersion" not in answer.json()["metadata"]
    assert api.get(f"{space}/configmaps")["items"] == []


def test_string_data_becomes_data(api: Api, space: str) -> None:
    made = api.create(f"{space}/secrets", {"metadata": {"name": "s"}, "stringData": {"k": "päss"}})
    assert base64.b64decode(made["data"]["k"]).decode() == "päss"
    assert (made["type"], "stringData" in made) == ("Opaque", False)


def test_immutable_objects_stay_as_they_are(api: Api, space: str) -> None:
    api.create(f"{space}/configmaps", config_map("a", k="v") | {"immutable": True})
    answer = api.patch(f"{space}/configmaps/a", {"data": {"k": "w"}})
    assert "field is immutable when `immutable` is set" in refusal(answer, 422, "Invalid")["message"]


def test_the_type_of_a_secret_stays(api: Api, space: str) -> None:
    api.create(f"{space}/secrets", {"metadata": {"name": "s"}})
    answer = api.patch(f"{space}/secrets/s", {"type": "acme/other"})
    assert "type: Invalid value" in refusal(answer, 422, "Invalid")["message"]


@pytest.mark.parametrize(
    ("kind", "patch", "data"),
    [
        ("merge-patch+json", {"data": {"a": None, "c": "3"}}, {"b": "2", "c": "3"}),
        ("strategic-merge-patch+json", {"data": {"a": None, "c": "3"}}, {"b": "2", "c": "3"}),
        (
            "json-patch+json",
            [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "move", "from": "/data/a", "path": "/data/z"}],
            {"b": "2", "z": "1"},
        ),
    ],
)
def test_patches(api: Api, space: str, kind: str, patch: object, data: dict[str, str]) -> None:
    api.create(f"{space}/configmaps", config_map("a", a="1", b="2"))
    assert api.patch(f"{space}/configmaps/a", patch, kind).json()["data"] == data


def test_strategic_patches_are_not_for_custom_kinds(api: Api) -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/default/workflowtemplates"
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": {}}
    api.create(path, body)
    refusal(api.patch(f"{path}/t", {"spec": {}}, "strategic-merge-patch+json"), 415, "UnsupportedMediaType")


def test_lists_of_known_fields_merge_by_their_key(api: Api, space: str) -> None:
    path = f"{space}/serviceaccounts"
    api.create(path, {"metadata": {"name": "bob"}, "secrets": [{"name": "one"}]})
    patch = {"secrets": [{"name": "two"}]}
    merged = api.patch(f"{path}/bob", patch, "strategic-merge-patch+json").json()
    assert [one["name"] for one in merged["secrets"]] == ["two", "one"]  # what is new comes first
    patch = {"secrets": [{"name": "one", "$patch": "delete"}]}
    merged = api.patch(f"{path}/bob", patch, "strategic-merge-patch+json").json()
    assert [one["name"] for one in merged["secrets"]] == ["two"]


def test_apply_removes_what_its_manager_no_longer_declares(api: Api, space: str) -> None:
    path = f"{space}/configmaps/a?fieldManager=me"
    assert api.patch(path, config_map("a", x="1", y="2"), "apply-patch+yaml").status_code == 201
    api.patch(f"{space}/configmaps/a", {"data": {"other": "3"}})
    answer = api.patch(path, config_map("a", x="1"), "apply-patch+yaml")
    assert answer.status_code == 200
    assert answer.json()["data"] == {"x": "1", "other": "3"}


def test_apply_refuses_to_overwrite_another_manager_unless_forced(api: Api, space: str) -> None:
    path = f"{space}/configmaps/a?fieldManager="
    api.patch(path + "me", config_map("a", x="1"), "apply-patch+yaml")
    answer = api.patch(path + "you", config_map("a", x="2"), "apply-patch+yaml")
    assert 'conflict with "me": .data.x' in refusal(answer, 409, "Conflict")["message"]
    forced = api.patch(path + "you&force=true", config_map("a", x="2"), "apply-patch+yaml").json()
    assert forced["data"] == {"x": "2"}
    assert [one["manager"] for one in forced["metadata"]["managedFields"]] == ["you"]


def test_apply_needs_a_manager(api: Api, space: str) -> None:
    refusal(api.patch(f"{space}/configmaps/a", config_map("a"), "apply-patch+yaml"), 422, "Invalid")


def test_deletion_holds_to_its_preconditions(api: Api, space: str) -> None:
    api.create(f"{space}/configmaps", config_map("a"))
    answer = api.send("DELETE", f"{space}/configmaps/a", {"preconditions": {"uid": "another"}})
    assert "the UID in the precondition (another) does not match" in refusal(answer, 409, "Conflict")["message"]


def test_finalizers_hold_an_object_until_they_are_gone(api: Api, space: str) -> None:
    body = config_map("a")
    body["metadata"]["finalizers"] = ["acme.example/hold"]
    api.create(f"{space}/configmaps", body)
    assert "deletionTimestamp" in api.send("DELETE", f"{space}/configmaps/a").json()["metadata"]
    assert api.get(f"{space}/configmaps/a")
    api.patch(f"{space}/configmaps/a", {"metadata": {"finalizers": None}})
    assert api.send("GET", f"{space}/configmaps/a").status_code == 404


def test_a_collection_is_deleted_by_selector(api: Api, space: str) -> None:
    for name in ("a", "b"):
        body = config_map(name)
        body["metadata"]["labels"] = {"name": name}
        api.create(f"{space}/configmaps", body)
    assert api.send("DELETE", f"{space}/configmaps?labelSelector=name%3Da").ok
    assert [item["metadata"]["name"] for item in api.get(f"{space}/configmaps")["items"]] == ["b"]


def test_a_deleted_namespace_takes_its_objects_along(api: Api, space: str) -> None:
    api.create(f"{space}/configmaps", config_map("a"))
    last = api.send("DELETE", space).json()
    assert (last["kind"], last["status"]["phase"]) == ("Namespace", "Terminating")
    assert api.send("GET", space).status_code == 404
    assert api.get(f"{space}/configmaps")["items"] == []


def test_a_namespace_waits_for_what_a_finalizer_holds(api: Api, space: str) -> None:
    body = config_map("held")
    body["metadata"]["finalizers"] = ["acme.example/hold"]
    api.create(f"{space}/configmaps", body)
    api.send("DELETE", space)

    status = refusal(api.send("POST", f"{space}/configmaps", config_map("late")), 403, "Forbidden")
    assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert "because it is being terminated" in status["message"]

    api.patch(f"{space}/configmaps/held", {"metadata": {"finalizers": None}})
    assert api.send("GET", space).status_code == 404


# What the sandbox does not do


def test_what_is_not_supported_is_refused_by_its_name(api: Api, space: str) -> None:
    answer = api.send("POST", f"{space}/pods/p/exec?command=ls")
    assert refusal(answer, 501, "NotImplemented")["message"] == "the sandbox does not support pods/exec"
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workflows.argoproj.io"
    assert "workflows.argoproj.io" in refusal(api.send("DELETE", path), 501, "NotImplemented")["message"]


# Claims, accounts, pods


def test_a_claim_of_the_default_class_is_bound_to_a_directory(api: Api, space: str, sandbox) -> None:
    api.create(f"{space}/persistentvolumeclaims", claim("results"))
    found = api.get(f"{space}/persistentvolumeclaims/results")
    volume = api.get(f"/api/v1/persistentvolumes/{found['spec']['volumeName']}")
    assert (found["status"]["phase"], found["spec"]["storageClassName"]) == ("Bound", "standard")
    directory = sandbox.directory / "claims" / space.rpartition("/")[2] / "results"
    assert volume["spec"]["local"]["path"] == str(directory)
    assert directory.is_dir()


def test_a_claim_that_waits_for_its_first_consumer_says_so(api: Api, space: str) -> None:
    api.create(f"{space}/persistentvolumeclaims", claim("results", "wait"))
    assert api.get(f"{space}/persistentvolumeclaims/results")["status"]["phase"] == "Pending"
    assert told_about(api, space, "results") == [("Normal", "WaitForFirstConsumer")]


def test_a_claim_of_a_missing_class_waits_until_the_class_comes(api: Api, space: str) -> None:
    api.create(f"{space}/persistentvolumeclaims", claim("results", "later"))
    assert told_about(api, space, "results") == [("Warning", "ProvisioningFailed")]
    body = {"metadata": {"name": "later"}, "provisioner": "hera-k8s.sandbox/directory"}
    api.create("/apis/storage.k8s.io/v1/storageclasses", body)
    assert api.get(f"{space}/persistentvolumeclaims/results")["status"]["phase"] == "Bound"
    api.send("DELETE", "/apis/storage.k8s.io/v1/storageclasses/later")


def told_about(api: Api, space: str, name: str) -> list[tuple[str, str]]:
    events = api.get(f"{space}/events?fieldSelector=involvedObject.name%3D{name}")["items"]
    return [(event["type"], event["reason"]) for event in events]


def test_the_files_of_a_deleted_claim_are_gone(api: Api, space: str, sandbox) -> None:
    api.create(f"{space}/persistentvolumeclaims", claim("results"))
    api.get(f"{space}/persistentvolumeclaims/results")
    directory = sandbox.directory / "claims" / space.rpartition("/")[2] / "results"
    (directory / "file").write_text("data")
    assert api.send("DELETE", f"{space}/persistentvolumeclaims/results").json()["kind"] == "PersistentVolumeClaim"
    api.get(f"{space}/persistentvolumeclaims")
    assert not directory.exists()


def test_each_namespace_has_a_default_account(api: Api, space: str) -> None:
    assert api.get(f"{space}/serviceaccounts/default")["metadata"]["name"] == "default"


def test_a_pod_of_a_missing_account_is_refused(api: Api, space: str) -> None:
    spec = {"serviceAccountName": "nobody", "containers": [{"name": "main", "image": "busybox"}]}
    answer = api.send("POST", f"{space}/pods", {"metadata": {"name": "p"}, "spec": spec})
    namespace = space.rpartition("/")[2]
    told = f'error looking up service account {namespace}/nobody: serviceaccount "nobody" not found'
    assert refusal(answer, 403, "Forbidden")["message"] == f'pods "p" is forbidden: {told}'


# Watches


def test_a_watch_resumes_and_ends_with_a_bookmark(api: Api, space: str) -> None:
    version = api.get(f"{space}/configmaps")["metadata"]["resourceVersion"]
    api.create(f"{space}/configmaps", config_map("a"))
    query = f"watch=true&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=1"
    events = list(api.watch(f"{space}/configmaps?{query}"))
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[0]["object"]["metadata"]["name"] == "a"


def test_initial_events_are_closed_by_their_own_bookmark(api: Api, space: str) -> None:
    api.create(f"{space}/configmaps", config_map("a"))
    query = (
        "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
    )
    events = list(api.watch(f"{space}/configmaps?{query}"))
    assert [event["type"] for event in events[:2]] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
