"""Objects: created, read, changed, deleted; what is refused on the way and with which words."""

from __future__ import annotations

from typing import Any

import pytest
from dialogue import Dialogue, until

Json = dict[str, Any]


def config_map(name: str = "settings", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_an_object_lives(talk: Dialogue) -> None:
    made = talk.create("{ns}/configmaps", config_map(colour="red"))
    assert talk.get("{ns}/configmaps/settings").body == made
    made["data"] = {"colour": "blue"}
    changed = talk.send("PUT", "{ns}/configmaps/settings", made)
    assert changed.code == 200
    assert changed.body["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    deleted = talk.send("DELETE", "{ns}/configmaps/settings")
    assert deleted.body["details"]["uid"] == made["metadata"]["uid"]
    assert talk.get("{ns}/configmaps/settings").code == 404


def test_what_is_missing_is_not_found(talk: Dialogue) -> None:
    for method, path, body in (
        ("GET", "{ns}/configmaps/nope", None),
        ("DELETE", "{ns}/configmaps/nope", None),
        ("PUT", "{ns}/configmaps/nope", config_map("nope")),
        ("GET", "/api/v1/namespaces/no-such-space", None),
        ("GET", "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows/nope", None),
        ("GET", "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/nope", None),
        ("GET", "/apis/storage.k8s.io/v1/storageclasses/nope", None),
        ("POST", "{ns}/serviceaccounts/nope/token", {}),
    ):
        assert talk.send(method, path, body).code == 404
    assert talk.patch("{ns}/configmaps/nope", {"data": {"a": "1"}}).code == 404


def test_what_is_not_served_is_not_found_in_three_ways(talk: Dialogue) -> None:
    assert talk.get("/apis/example.com/v1/things").body == "404 page not found\n"
    assert talk.get("/api/v1/things").reason == "NotFound"
    assert talk.get("{ns}/configmaps/settings/colour").reason == "NotFound"
    assert talk.get("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/things").code == 404
    assert talk.get("/apis/argoproj.io/v7/namespaces/{namespace}/workflows").code == 404
    assert talk.get("/nothing").code == 404


def test_methods_that_a_path_has_not(talk: Dialogue) -> None:
    for method, path in (
        ("POST", "{ns}/configmaps/settings"),
        ("PUT", "{ns}/configmaps"),
        ("PATCH", "{ns}/configmaps"),
        ("DELETE", "/api/v1/namespaces"),
        ("DELETE", "/api/v1/configmaps"),
        ("POST", "/api/v1/configmaps"),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    ):
        body = None if method in ("GET", "DELETE") else config_map()
        assert talk.send(method, path, body).code in (404, 405)


def test_creation_in_a_missing_namespace(talk: Dialogue) -> None:
    answer = talk.send("POST", "/api/v1/namespaces/no-such-space/configmaps", config_map())
    assert answer.code == 404
    assert answer.message == 'namespaces "no-such-space" not found'
    assert talk.get("/api/v1/namespaces/no-such-space/configmaps").body["items"] == []


def test_a_taken_name(talk: Dialogue) -> None:
    talk.create("{ns}/configmaps", config_map())
    assert talk.send("POST", "{ns}/configmaps", config_map()).reason == "AlreadyExists"
    assert talk.send("POST", "{ns}/configmaps?dryRun=All", config_map()).reason == "AlreadyExists"
    assert talk.send("POST", "/api/v1/namespaces", {"metadata": {"name": talk.namespace}}).code == 409


def test_a_stale_update_conflicts(talk: Dialogue) -> None:
    made = talk.create("{ns}/configmaps", config_map(colour="red"))
    assert talk.patch("{ns}/configmaps/settings", {"data": {"colour": "blue"}}).code == 200
    assert talk.send("PUT", "{ns}/configmaps/settings", made).reason == "Conflict"
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"colour": "green"}}
    assert talk.patch("{ns}/configmaps/settings", stale).reason == "Conflict"
    other = config_map() | {"metadata": {"name": "settings", "uid": "6f0f0f0f-0000-4000-8000-000000000000"}}
    assert talk.send("PUT", "{ns}/configmaps/settings", other).reason == "Conflict"


def test_an_update_without_a_version_wins(talk: Dialogue) -> None:
    talk.create("{ns}/configmaps", config_map(colour="red"))
    assert talk.send("PUT", "{ns}/configmaps/settings", config_map(colour="blue")).code == 200


def test_an_update_that_alters_nothing_makes_no_version(talk: Dialogue) -> None:
    made = talk.create("{ns}/configmaps", config_map(colour="red"))
    again = talk.send("PUT", "{ns}/configmaps/settings", made)
    assert again.body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_generated_names(talk: Dialogue) -> None:
    body = {"metadata": {"generateName": "sweep-"}, "data": {"a": "1"}}
    names = {talk.create("{ns}/configmaps", body)["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert {len(name) for name in names} == {len("sweep-") + 5}
    long = talk.create("{ns}/configmaps", {"metadata": {"generateName": "x" * 80 + "-"}})
    assert len(long["metadata"]["name"]) == 63


def test_a_dry_run_answers_and_keeps_nothing(talk: Dialogue) -> None:
    talk.create("{ns}/configmaps?dryRun=All", config_map())
    assert talk.get("{ns}/configmaps/settings").code == 404
    talk.create("{ns}/configmaps", config_map(colour="red"))
    assert talk.patch("{ns}/configmaps/settings?dryRun=All", {"data": {"colour": "blue"}}).code == 200
    assert talk.send("PUT", "{ns}/configmaps/settings?dryRun=All", config_map(colour="blue")).code == 200
    assert talk.send("DELETE", "{ns}/configmaps/settings?dryRun=All").code == 200
    assert talk.get("{ns}/configmaps/settings").body["data"] == {"colour": "red"}
    assert talk.send("POST", "{ns}/configmaps?dryRun=Some", config_map("other")).code == 422


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("name", {"metadata": {"name": "Not_A_Name"}}),
        ("no-name", {"metadata": {}}),
        ("long-name", {"metadata": {"name": "x" * 254}}),
        ("key", {"data": {"no/such key": "1"}}),
        ("dots", {"data": {"..": "1"}}),
        ("label-value", {"metadata": {"name": "settings", "labels": {"a": "no value"}}}),
        ("label-key", {"metadata": {"name": "settings", "labels": {"no key": "a"}}}),
        ("annotation-key", {"metadata": {"name": "settings", "annotations": {"no key": "a"}}}),
        ("finalizer", {"metadata": {"name": "settings", "finalizers": ["nodomain"]}}),
        ("owner", {"metadata": {"name": "settings", "ownerReferences": [{"kind": "Pod", "name": "a"}]}}),
        ("both", {"data": {"a": "1"}, "binaryData": {"a": "YQ=="}}),
        ("two", {"metadata": {"name": "Not_A_Name", "labels": {"a": "no value"}}}),
        ("version", {"metadata": {"name": "settings", "resourceVersion": "7"}}),
        ("base64", {"binaryData": {"a": "%%%"}}),
        ("number", {"data": {"a": 1}}),
        ("list", {"data": ["a"]}),
        ("kind", {"kind": "Secret"}),
        ("api-version", {"apiVersion": "apps/v1"}),
        ("namespace", {"metadata": {"name": "settings", "namespace": "elsewhere"}}),
        ("metadata", {"metadata": "settings"}),
        ("labels", {"metadata": {"name": "settings", "labels": ["a"]}}),
        ("null", {"data": None}),
        ("null-value", {"data": {"a": None}}),
        ("immutable", {"immutable": "yes"}),
        ("no-kind", {"kind": "", "apiVersion": ""}),
    ],
)
def test_what_breaks_a_rule_is_refused(talk: Dialogue, case: str, change: Json) -> None:
    body = {**config_map(colour="red"), **change}
    assert talk.send("POST", "{ns}/configmaps", body).code in (201, 400, 422, 500)


@pytest.mark.parametrize(
    ("case", "body"),
    [("text", b"{no json"), ("empty", b""), ("list", b"[]"), ("string", b'"a"'), ("null", b"null"), ("two", b"{}{}")],
)
def test_bodies_that_are_no_object(talk: Dialogue, case: str, body: bytes) -> None:
    assert talk.send("POST", "{ns}/configmaps", body).code in (400, 422)


def test_too_large_data(talk: Dialogue) -> None:
    assert talk.send("POST", "{ns}/configmaps", config_map(a="x" * ((1 << 20) + 1))).code == 422


def test_other_media_types(talk: Dialogue) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: red}\n"
    assert talk.send("POST", "{ns}/configmaps", text, kind="application/yaml").code == 201
    assert talk.send("POST", "{ns}/configmaps", b"a: [", kind="application/yaml").code == 400
    assert talk.send("POST", "{ns}/configmaps", b"x", kind="text/plain").code == 415
    assert talk.get("{ns}/configmaps/settings", accept="text/html").code == 406


def test_unknown_fields_are_refused_warned_of_or_dropped(talk: Dialogue) -> None:
    body = config_map(colour="red") | {"shape": "round"}
    strict = talk.send("POST", "{ns}/configmaps?fieldValidation=Strict", body)
    assert strict.code == 400
    warned = talk.send("POST", "{ns}/configmaps?fieldValidation=Warn&dryRun=All", body)
    assert "unknown field" in warned.headers["Warning"]
    assert "Warning" not in talk.send("POST", "{ns}/configmaps?fieldValidation=Ignore", body).headers
    assert "shape" not in talk.get("{ns}/configmaps/settings").body


def test_immutable_data(talk: Dialogue) -> None:
    talk.create("{ns}/configmaps", config_map(colour="red") | {"immutable": True})
    assert talk.patch("{ns}/configmaps/settings", {"data": {"colour": "blue"}}).code == 422
    assert talk.patch("{ns}/configmaps/settings", {"immutable": False}).code == 422
    assert talk.patch("{ns}/configmaps/settings", {"metadata": {"labels": {"a": "b"}}}).code == 200


def test_what_the_server_owns_cannot_be_written(talk: Dialogue) -> None:
    made = talk.create(
        "{ns}/configmaps",
        {"metadata": {"name": "settings", "uid": "6f0f0f0f-0000-4000-8000-000000000000", "generation": 7}},
    )
    assert made["metadata"]["uid"] != "6f0f0f0f-0000-4000-8000-000000000000"
    for change in ({"creationTimestamp": "2001-01-01T00:00:00Z"}, {"name": "other"}, {"namespace": "other"}):
        talk.patch("{ns}/configmaps/settings", {"metadata": change})
    assert talk.send("PUT", "{ns}/configmaps/settings", config_map("other")).code == 400


def test_deletion_holds_to_its_preconditions(talk: Dialogue) -> None:
    made = talk.create("{ns}/configmaps", config_map())
    wrong = {"preconditions": {"uid": "6f0f0f0f-0000-4000-8000-000000000000"}}
    assert talk.send("DELETE", "{ns}/configmaps/settings", wrong).reason == "Conflict"
    right = {"preconditions": {"uid": made["metadata"]["uid"]}}
    assert talk.send("DELETE", "{ns}/configmaps/settings", right).code == 200


def test_finalizers_hold_an_object(talk: Dialogue) -> None:
    body = config_map(colour="red")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    talk.create("{ns}/configmaps", body)
    assert talk.send("DELETE", "{ns}/configmaps/settings").body["metadata"]["deletionTimestamp"]
    assert talk.send("DELETE", "{ns}/configmaps/settings").code == 200
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    assert talk.patch("{ns}/configmaps/settings", more).code == 422
    assert talk.patch("{ns}/configmaps/settings", {"metadata": {"finalizers": None}}).code == 200
    assert talk.get("{ns}/configmaps/settings").code == 404


def test_an_owner_takes_what_it_owns_along(talk: Dialogue) -> None:
    owner = talk.create("{ns}/configmaps", config_map("owner"))
    owned = config_map("owned")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned["metadata"]["ownerReferences"] = [reference]
    talk.create("{ns}/configmaps", owned)
    talk.send("DELETE", "{ns}/configmaps/owner")
    until(lambda: talk.get("{ns}/configmaps/owned", remember=False).code == 404, "the owned object to go")


def test_orphans_stay(talk: Dialogue) -> None:
    owner = talk.create("{ns}/configmaps", config_map("owner"))
    owned = config_map("owned")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned["metadata"]["ownerReferences"] = [reference]
    talk.create("{ns}/configmaps", owned)
    talk.send("DELETE", "{ns}/configmaps/owner", {"propagationPolicy": "Orphan"}, remember=False)
    until(lambda: talk.get("{ns}/configmaps/owner", remember=False).code == 404, "the owner to go")
    assert "ownerReferences" not in talk.get("{ns}/configmaps/owned").body["metadata"]


def test_a_collection_is_deleted_by_selector(talk: Dialogue) -> None:
    for name, colour in (("a", "red"), ("b", "red"), ("c", "blue")):
        body = config_map(name)
        body["metadata"]["labels"] = {"colour": colour}
        talk.create("{ns}/configmaps", body)
    assert talk.send("DELETE", "{ns}/configmaps?labelSelector=colour%3Dred").code == 200
    assert talk.get("{ns}/configmaps?labelSelector=colour").names == ["c"]


def test_a_namespace_that_is_being_terminated_takes_nothing_new(talk: Dialogue) -> None:
    body = config_map()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    talk.create("{ns}/configmaps", body)
    assert talk.send("DELETE", "/api/v1/namespaces/{namespace}").body["status"]["phase"] == "Terminating"
    refused = talk.send("POST", "{ns}/configmaps", config_map("more"))
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    until(
        lambda: (
            talk.patch("{ns}/configmaps/settings", {"metadata": {"finalizers": []}}, remember=False).code in (200, 404)
        ),
        "the finalizer to go",
    )
    until(lambda: talk.get("/api/v1/namespaces/{namespace}", remember=False).code == 404, "the namespace to go")


def test_a_namespace_goes_with_all_that_is_in_it(talk: Dialogue) -> None:
    talk.create("{ns}/configmaps", config_map())
    talk.create("{ns}/secrets", {"metadata": {"name": "secret"}})
    talk.send("DELETE", "/api/v1/namespaces/{namespace}")
    until(lambda: talk.get("/api/v1/namespaces/{namespace}", remember=False).code == 404, "the namespace to go")
    assert talk.get("{ns}/secrets").body["items"] == []


def test_namespaces_that_stay(talk: Dialogue) -> None:
    for name in ("default", "kube-system", "kube-public"):
        assert talk.send("DELETE", f"/api/v1/namespaces/{name}").code == 403


@pytest.mark.parametrize("name", ["Not_A_Name", "x" * 64, "a.b", "-a", ""])
def test_names_of_namespaces(talk: Dialogue, name: str) -> None:
    assert talk.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}}).code == 422
