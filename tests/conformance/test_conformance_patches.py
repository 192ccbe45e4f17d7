"""Patches of each kind, and server-side apply."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialogue import Dialogue

Json = dict[str, Any]
HERE = "{ns}/configmaps/settings"


def config_map(**data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


def apply(talk: Dialogue, body: Any, manager: str = "me", query: str = "", path: str = HERE) -> Any:
    return talk.patch(f"{path}?fieldManager={manager}{query}", body, "apply-patch+yaml")


@pytest.fixture
def settings(talk: Dialogue) -> Dialogue:
    """A config map `settings` with colour red and size 1."""
    talk.create("{ns}/configmaps", config_map(colour="red", size="1"))
    return talk


@pytest.mark.parametrize(
    ("case", "kind", "patch"),
    [
        ("merge", "merge-patch+json", {"data": {"colour": "blue", "size": None, "new": "x"}}),
        ("merge-nothing", "merge-patch+json", {}),
        ("merge-name", "merge-patch+json", {"metadata": {"name": "other"}}),
        ("merge-kind", "merge-patch+json", {"kind": "Secret"}),
        ("merge-wrong", "merge-patch+json", {"data": {"colour": 1}}),
        ("merge-list", "merge-patch+json", [1]),
        ("merge-text", "merge-patch+json", b"{no json"),
        ("strategic", "strategic-merge-patch+json", {"data": {"colour": "blue", "size": None}}),
        ("strategic-replace", "strategic-merge-patch+json", {"data": {"$patch": "replace", "only": "this"}}),
        ("strategic-list", "strategic-merge-patch+json", [1]),
        ("json-add", "json-patch+json", [{"op": "add", "path": "/data/new", "value": "x"}]),
        ("json-remove", "json-patch+json", [{"op": "remove", "path": "/data/size"}]),
        ("json-move", "json-patch+json", [{"op": "move", "from": "/data/size", "path": "/data/length"}]),
        ("json-copy", "json-patch+json", [{"op": "copy", "from": "/data/size", "path": "/data/length"}]),
        ("json-test", "json-patch+json", [{"op": "test", "path": "/data/colour", "value": "red"}]),
        ("json-test-fails", "json-patch+json", [{"op": "test", "path": "/data/colour", "value": "blue"}]),
        ("json-remove-missing", "json-patch+json", [{"op": "remove", "path": "/data/nope"}]),
        ("json-replace-missing", "json-patch+json", [{"op": "replace", "path": "/data/nope", "value": "x"}]),
        ("json-no-parent", "json-patch+json", [{"op": "add", "path": "/nope/a", "value": "x"}]),
        ("json-operation", "json-patch+json", [{"op": "grow", "path": "/data"}]),
        ("json-object", "json-patch+json", {"data": {}}),
        ("json-text", "json-patch+json", b"[no json"),
        ("other", "json", {"data": {}}),
        ("invalid", "merge-patch+json", {"data": {"no key": "x"}}),
        ("stale", "merge-patch+json", {"metadata": {"resourceVersion": "1"}}),
    ],
)
def test_patches(settings: Dialogue, case: str, kind: str, patch: Any) -> None:
    assert settings.patch(HERE, patch, kind).code in (200, 400, 409, 415, 422)


def test_unknown_fields_in_a_patch(settings: Dialogue) -> None:
    assert settings.patch(f"{HERE}?fieldValidation=Strict", {"shape": "round"}).code in (400, 422)
    assert "shape" not in settings.patch(f"{HERE}?fieldValidation=Warn", {"shape": "round"}).body


def test_strategic_patches_merge_lists_by_their_key(talk: Dialogue) -> None:
    talk.create("{ns}/serviceaccounts", {"metadata": {"name": "runner"}, "secrets": [{"name": "a"}]})
    path = "{ns}/serviceaccounts/runner"
    added = talk.patch(path, {"secrets": [{"name": "b"}]}, "strategic-merge-patch+json")
    assert {one["name"] for one in added.body["secrets"]} == {"a", "b"}
    gone = {"secrets": [{"name": "a", "$patch": "delete"}]}
    assert talk.patch(path, gone, "strategic-merge-patch+json").body["secrets"] == [{"name": "b"}]
    assert talk.patch(path, {"secrets": [{"name": "c"}]}).body["secrets"] == [{"name": "c"}]


def test_strategic_patches_replace_lists_without_a_key(talk: Dialogue) -> None:
    pull = {"metadata": {"name": "runner"}, "imagePullSecrets": [{"name": "a"}]}
    talk.create("{ns}/serviceaccounts", pull)
    path = "{ns}/serviceaccounts/runner"
    replaced = talk.patch(path, {"imagePullSecrets": [{"name": "b"}]}, "strategic-merge-patch+json")
    assert replaced.body["imagePullSecrets"] == [{"name": "b"}]


def test_strategic_patches_of_finalizers_and_owners(talk: Dialogue) -> None:
    body = config_map(a="1")
    body["metadata"]["finalizers"] = ["example.com/a"]
    made = talk.create("{ns}/configmaps", body)
    more = {"metadata": {"finalizers": ["example.com/b"]}}
    talk.patch(HERE, more, "strategic-merge-patch+json")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "settings", "uid": made["metadata"]["uid"]}
    talk.patch(HERE, {"metadata": {"ownerReferences": [owner]}}, "strategic-merge-patch+json")
    talk.patch(HERE, {"metadata": {"finalizers": None, "ownerReferences": None}})


def test_custom_kinds_have_no_strategic_patch(talk: Dialogue) -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflowtemplates"
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "a"}, "spec": {}}
    talk.create(path, body)
    assert talk.patch(f"{path}/a", {"spec": {"x": 1}}, "strategic-merge-patch+json").code == 415
    assert talk.patch(f"{path}/a", {"spec": {"x": 1}}).body["metadata"]["generation"] == 2
    assert talk.patch(f"{path}/a", {"metadata": {"labels": {"a": "b"}}}).body["metadata"]["generation"] == 2


def test_apply_creates_and_changes(talk: Dialogue) -> None:
    assert apply(talk, config_map(colour="red", size="1")).code == 201
    assert apply(talk, config_map(colour="blue", size="1")).code == 200
    assert apply(talk, config_map(colour="blue")).body["data"] == {"colour": "blue"}


def test_an_apply_that_alters_nothing_makes_no_version(talk: Dialogue) -> None:
    made = apply(talk, config_map(colour="red")).body
    again = apply(talk, config_map(colour="red")).body
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_apply_conflicts_with_another_applier(talk: Dialogue) -> None:
    apply(talk, config_map(colour="red", size="1"))
    refused = apply(talk, config_map(colour="blue"), "you")
    assert (refused.code, refused.reason) == (409, "Conflict")
    assert apply(talk, config_map(colour="blue", size="2"), "you").code == 409
    assert apply(talk, config_map(colour="red"), "you").code == 200
    assert apply(talk, config_map(colour="blue"), "you", "&force=true").body["data"]["colour"] == "blue"
    assert apply(talk, config_map(size="1")).body["data"] == {"colour": "blue", "size": "1"}


def test_apply_conflicts_with_who_created_or_changed_by_other_verbs(talk: Dialogue) -> None:
    talk.create("{ns}/configmaps?fieldManager=creator", config_map(colour="red", size="1"))
    assert apply(talk, config_map(colour="blue")).code == 409
    assert apply(talk, config_map(colour="red")).code == 200
    assert talk.patch(f"{HERE}?fieldManager=changer", {"data": {"colour": "green"}}).code == 200
    assert apply(talk, config_map(colour="red")).code == 409
    assert apply(talk, config_map(colour="red"), query="&force=true").code == 200


def test_who_owns_which_fields(talk: Dialogue) -> None:
    talk.create("{ns}/configmaps?fieldManager=creator", config_map(colour="red", size="1"))
    apply(talk, config_map(colour="red", new="x"))
    talk.patch(f"{HERE}?fieldManager=changer", {"data": {"size": "2"}})
    owned = talk.get(HERE, remember=False).body["metadata"]["managedFields"]
    talk.remember("managed fields", fields=sorted(owned, key=lambda one: one["manager"]))


def test_a_dry_run_of_apply(talk: Dialogue) -> None:
    assert apply(talk, config_map(colour="red"), query="&dryRun=All").code == 201
    assert talk.get(HERE).code == 404
    apply(talk, config_map(colour="red"))
    assert apply(talk, config_map(colour="blue"), query="&dryRun=All").body["data"] == {"colour": "blue"}
    assert talk.get(HERE).body["data"] == {"colour": "red"}


def test_applies_that_are_refused(talk: Dialogue) -> None:
    assert talk.patch(HERE, config_map(), "apply-patch+yaml").code == 422
    assert apply(talk, config_map() | {"metadata": {"name": "other"}}).code == 400
    assert apply(talk, config_map() | {"metadata": {"name": "settings", "managedFields": []}}).code in (201, 400)
    assert apply(talk, {"metadata": {"name": "settings"}}).code == 400
    assert apply(talk, config_map() | {"data": {"a": 1}}).code in (400, 422, 500)
    assert apply(talk, config_map() | {"shape": "round"}).code in (200, 400, 500)
    assert apply(talk, b"{no: [yaml").code == 400
    assert talk.patch(f"{HERE}?force=true", {"data": {}}).code == 422


def test_apply_of_lists_with_keys(talk: Dialogue) -> None:
    path = "{ns}/serviceaccounts/runner"

    def account(*names: str) -> Json:
        secrets = [{"name": name} for name in names]
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}, "secrets": secrets}

    apply(talk, account("a", "b"), path=path)
    apply(talk, account("c"), "you", path=path)
    left = apply(talk, account("a"), path=path).body["secrets"]
    assert sorted(one["name"] for one in left) == ["a", "c"]


def test_apply_of_lists_without_a_key(talk: Dialogue) -> None:
    path = "{ns}/serviceaccounts/runner"

    def account(*names: str) -> Json:
        secrets = [{"name": name} for name in names]
        head = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}}
        return head | {"imagePullSecrets": secrets}

    apply(talk, account("a", "b"), path=path)
    assert apply(talk, account("c"), "you", path=path).code == 409
    assert apply(talk, account("c"), "you", "&force=true", path).body["imagePullSecrets"] == [{"name": "c"}]


def test_apply_of_custom_kinds(talk: Dialogue) -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflowtemplates/a"

    def template(**spec: Any) -> Json:
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "WorkflowTemplate",
            "metadata": {"name": "a"},
            "spec": spec,
        }

    apply(talk, template(entrypoint="main", templates=[{"name": "main"}]), path=path)
    assert apply(talk, template(entrypoint="other"), "you", path=path).code == 409
    assert apply(talk, template(entrypoint="main", templates=[{"name": "other"}]), path=path).code == 200


def test_apply_as_yaml(talk: Dialogue) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  colour: red\n"
    assert apply(talk, text).body["data"] == {"colour": "red"}
    assert json.loads(json.dumps(talk.get(HERE).body))["data"] == {"colour": "red"}


def test_the_status_is_changed_on_its_own(talk: Dialogue) -> None:
    body = {
        "metadata": {"name": "results"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
        },
    }
    talk.create("{ns}/persistentvolumeclaims", body)
    path = "{ns}/persistentvolumeclaims/results/status"
    condition = {"type": "Resizing", "status": "True", "lastTransitionTime": None, "lastProbeTime": None}
    changed = talk.patch(path, {"status": {"conditions": [condition]}, "metadata": {"labels": {"a": "b"}}})
    assert changed.body["status"]["conditions"][0]["type"] == "Resizing"
    assert talk.get("{ns}/configmaps/settings/status").code == 404
    assert talk.get(path).code == 200
