"""Manifests: plain data, copied deeply, the same digest for the same thing, and changed only in copies."""

import json
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.experiment.manifest import Manifest


def workflow(**metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "w-", **metadata},
        "spec": {
            "entrypoint": "main",
            "templates": [
                {"name": "main", "steps": [[{"name": "a", "inline": {"container": {"image": "x"}}}]]},
            ],
        },
    }


def test_a_dict_is_copied_deeply() -> None:
    body = workflow()
    manifest = Manifest.of(body)
    body["spec"]["templates"].clear()
    assert [name for name, _ in manifest.templates()] == ["main", "main.a"]


def test_mappings_tuples_and_dates_become_plain_data() -> None:
    body = workflow(labels=MappingProxyType({"a": "b"}))
    body["spec"]["at"] = (datetime(2026, 1, 2, tzinfo=timezone.utc),)
    manifest = Manifest.of(body)
    assert manifest.body["metadata"]["labels"] == {"a": "b"}
    assert manifest.spec["at"] == ["2026-01-02T00:00:00+00:00"]


def test_what_json_cannot_say_is_named_with_its_place() -> None:
    body = workflow()
    body["spec"]["templates"][0]["inputs"] = {"parameters": [{"name": "x", "value": object()}]}
    with pytest.raises(BuildError, match=r"object at spec\.templates\[0\]\.inputs\.parameters\[0\]\.value"):
        Manifest.of(body)


def test_not_a_number_is_refused() -> None:
    with pytest.raises(BuildError, match=r"nan at spec\.x"):
        Manifest.of({"kind": "Workflow", "spec": {"x": float("nan")}})


def test_data_that_holds_itself_is_refused() -> None:
    body = workflow()
    body["spec"]["again"] = body["spec"]
    with pytest.raises(BuildError, match="holds itself"):
        Manifest.of(body)


@pytest.mark.parametrize(
    "returned", [None, 3, "text", [workflow(), workflow()], {}, {"kind": 3}, {"kind": "Workflow", "metadata": 1}]
)
def test_what_is_no_workflow_is_refused(returned: object) -> None:
    with pytest.raises(BuildError):
        Manifest.of(returned)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"templates": {"name": "a"}}, "spec.templates is a mapping, not a list"),
        ({"templates": [{"dag": {"tasks": ["a"]}}]}, r"spec.templates\[0\].dag.tasks\[0\] is text, not a mapping"),
        ({"templates": [{"steps": [{"name": "a"}]}]}, r"steps\[0\] is a mapping, not a list"),
        ({"templates": [None]}, r"spec.templates\[0\] is null"),
        ({"entrypoint": 3}, "spec.entrypoint is a number, not text"),
        ("text", "spec is text, not a mapping"),
    ],
)
def test_a_misshapen_dict_is_refused_with_the_place(spec: object, said: str) -> None:
    with pytest.raises(BuildError, match=said):
        Manifest.of({"kind": "Workflow", "metadata": {"name": "w"}, "spec": spec})


def test_an_object_that_cannot_be_built_says_why() -> None:
    class Workflow:
        def to_dict(self) -> dict[str, Any]:
            raise KeyError("no such parameter")

    with pytest.raises(BuildError, match="KeyError: 'no such parameter'"):
        Manifest.of(Workflow())


def test_a_hera_workflow_becomes_plain_data_with_its_functions() -> None:
    hera = pytest.importorskip("hera.workflows")
    run = hera.script(image="python:3.12-slim")(say)
    with hera.Workflow(generate_name="w-", entrypoint="main") as built, hera.DAG(name="main"):
        run(name="say", arguments={"word": "hello"})
    manifest = Manifest.of(built)
    assert manifest.kind == "Workflow"
    assert manifest.sources == {"say": say}
    assert json.loads(manifest.to_json()) == built.to_dict()
    assert yaml.safe_load(manifest.to_yaml()) == built.to_dict()


def say(word: str) -> None:
    print(word)


def test_digest_does_not_depend_on_the_order_of_keys_or_on_its_own_label() -> None:
    manifest = Manifest.of(workflow(labels={"a": "b"}))
    turned = Manifest.of(dict(reversed(list(manifest.body.items()))))
    labelled = manifest.labelled({"hera-k8s-utils/digest": manifest.digest[:40]})
    assert manifest.digest == turned.digest == labelled.digest
    assert manifest.digest != manifest.labelled({"a": "c"}).digest
    assert len(manifest.digest) == 64


def test_digest_label_alone_leaves_no_trace() -> None:
    manifest = Manifest.of(workflow())
    assert manifest.labelled({"hera-k8s-utils/digest": "x"}).digest == manifest.digest


def test_size_counts_bytes_as_a_go_server_writes_them() -> None:
    plain = Manifest.of({"kind": "Workflow", "metadata": {"name": "abc"}}).size
    assert Manifest.of({"kind": "Workflow", "metadata": {"name": "a<é"}}).size == plain + 5 + 1


def test_copies_are_changed_and_the_original_is_not() -> None:
    manifest = Manifest.of(workflow())
    named = manifest.named("fine").in_namespace("vcity").annotated({"a": "b"})
    assert (named.name, named.namespace) == ("fine", "vcity")
    assert "generateName" not in named.metadata
    assert (manifest.name, manifest.metadata) == ("", {"generateName": "w-"})


def test_fields_of_the_spec_are_joined_and_the_authors_scalars_stay() -> None:
    body = workflow()
    body["spec"].update(imagePullSecrets=[{"name": "a"}], serviceAccountName="mine", podGC={"strategy": "OnPodSuccess"})
    manifest = Manifest.of(body).with_spec(
        {
            "imagePullSecrets": [{"name": "a"}, {"name": "b"}],
            "serviceAccountName": "other",
            "podGC": {"deleteDelayDuration": "1s"},
            "parallelism": 3,
        }
    )
    assert manifest.spec["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    assert manifest.spec["serviceAccountName"] == "mine"
    assert manifest.spec["podGC"] == {"strategy": "OnPodSuccess", "deleteDelayDuration": "1s"}
    assert manifest.spec["parallelism"] == 3


def test_the_spec_of_a_cron_workflow_is_that_of_its_workflows() -> None:
    body = {"kind": "CronWorkflow", "spec": {"schedule": "* * * * *", "workflowSpec": workflow()["spec"]}}
    manifest = Manifest.of(body).with_spec({"parallelism": 2})
    assert manifest.body["spec"]["workflowSpec"]["parallelism"] == 2
    assert [name for name, _ in manifest.templates()] == ["main", "main.a"]


def test_replacing_the_body_keeps_the_functions() -> None:
    manifest = Manifest(workflow(), {"main": say})
    assert manifest.replace(workflow(name="x")).sources == {"main": say}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_json_and_yaml_say_the_same(data: Any) -> None:
    manifest = Manifest.of({"kind": "Workflow", "spec": {"data": data}})
    assert json.loads(manifest.to_json()) == manifest.body == yaml.safe_load(manifest.to_yaml())
