"""Variables of a workflow: followed through arguments, defaults, items and nested templates; unknown when they end
outside."""

from typing import Any

import pytest

from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.experiment.workload import Unresolved


def workflow(*templates: dict[str, Any], entrypoint: str = "main", **spec: Any) -> Manifest:
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w", "namespace": "vcity", "labels": {"site": "lyon"}},
        "spec": {"entrypoint": entrypoint, "templates": list(templates), **spec},
    }
    return Manifest.of(body)


def leaf(name: str = "leaf", **defaults: str | None) -> dict[str, Any]:
    parameters = [{"name": key, **({} if value is None else {"default": value})} for key, value in defaults.items()]
    return {"name": name, "inputs": {"parameters": parameters}, "container": {"image": "x"}}


def call(template: str, name: str = "a", /, items: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    parameters = [{"name": key, "value": value} for key, value in arguments.items()]
    return {"name": name, "template": template, "arguments": {"parameters": parameters}, **(items or {})}


def dag(*tasks: dict[str, Any], name: str = "main", **inputs: str | None) -> dict[str, Any]:
    return {"name": name, "inputs": leaf(name, **inputs)["inputs"], "dag": {"tasks": list(tasks)}}


def values(manifest: Manifest, text: str, template: str = "leaf") -> set[str]:
    found = manifest.resolve(template, text)
    assert not found.unknown
    return set(found.values)


def test_text_without_variables_is_itself() -> None:
    assert values(workflow(dag(call("leaf")), leaf()), "claim") == {"claim"}


def test_arguments_of_tasks_are_followed() -> None:
    manifest = workflow(dag(call("leaf", claim="results")), leaf(claim=None))
    assert values(manifest, "{{inputs.parameters.claim}}") == {"results"}
    assert values(manifest, "my-{{ inputs.parameters.claim }}-1") == {"my-results-1"}


def test_several_callers_give_the_union() -> None:
    manifest = workflow(
        dag(call("leaf", "a", claim="x"), call("leaf", "b", claim="y"), call("leaf", "c")), leaf(claim="z")
    )
    assert values(manifest, "{{inputs.parameters.claim}}") == {"x", "y", "z"}


def test_two_parameters_of_one_call_are_not_mixed_with_those_of_another() -> None:
    manifest = workflow(dag(call("leaf", "a", p="a", q="1"), call("leaf", "b", p="b", q="2")), leaf(p=None, q=None))
    assert values(manifest, "{{inputs.parameters.p}}{{inputs.parameters.q}}") == {"a1", "b2"}


def test_parameters_of_the_workflow_are_known() -> None:
    arguments = {"parameters": [{"name": "claim", "value": "results"}, {"name": "n", "value": 4.0}]}
    manifest = workflow(dag(call("leaf", claim="{{workflow.parameters.claim}}")), leaf(claim=None), arguments=arguments)
    assert values(manifest, "{{inputs.parameters.claim}}-{{workflow.parameters.n}}") == {"results-4"}


def test_arguments_of_the_workflow_reach_the_inputs_of_the_entry_point() -> None:
    manifest = workflow(
        leaf(claim=None), entrypoint="leaf", arguments={"parameters": [{"name": "claim", "value": "c"}]}
    )
    assert values(manifest, "{{inputs.parameters.claim}}") == {"c"}


def test_what_is_known_of_the_workflow_itself() -> None:
    manifest = workflow(dag(call("leaf")), leaf(), serviceAccountName="runner")
    text = "{{workflow.namespace}}/{{workflow.name}}/{{workflow.serviceAccountName}}/{{workflow.labels.site}}"
    assert values(manifest, text) == {"vcity/w/runner/lyon"}


def test_nested_templates_are_followed_to_the_top() -> None:
    inner = dag(call("leaf", claim="{{inputs.parameters.x}}-{{inputs.parameters.y}}"), name="inner", x=None, y="d")
    manifest = workflow(dag(call("inner", x="top")), inner, leaf(claim=None))
    assert values(manifest, "{{inputs.parameters.claim}}") == {"top-d"}


def test_steps_are_followed_as_tasks_are() -> None:
    steps = {"name": "main", "steps": [[call("leaf", claim="one")], [call("leaf", "b", claim="two")]]}
    assert values(workflow(steps, leaf(claim=None)), "{{inputs.parameters.claim}}") == {"one", "two"}


def test_templates_inside_a_task_and_hooks_are_followed() -> None:
    inline = {
        "name": "a",
        "inline": leaf("", claim=None),
        "arguments": {"parameters": [{"name": "claim", "value": "i"}]},
    }
    inline["hooks"] = {"exit": {"template": "leaf", "arguments": {"parameters": [{"name": "claim", "value": "h"}]}}}
    manifest = workflow(dag(inline), leaf(claim=None))
    assert values(manifest, "{{inputs.parameters.claim}}", "main.a") == {"i"}
    assert values(manifest, "{{inputs.parameters.claim}}") == {"h"}


@pytest.mark.parametrize(
    ("items", "text", "expected"),
    [
        ({"withItems": ["a", 1, True, 2.0]}, "{{item}}", {"a", "1", "true", "2"}),
        ({"withItems": [{"x": "a", "y": 1}, {"x": "b", "y": 2}]}, "{{item.x}}{{item.y}}", {"a1", "b2"}),
        ({"withParam": '["p", {"q": 1}]'}, "{{item}}", {"p", '{"q":1}'}),
        ({"withParam": "{{workflow.parameters.list}}"}, "{{item}}", {"7", "8"}),
        ({"withSequence": {"count": "3"}}, "{{item}}", {"0", "1", "2"}),
        ({"withSequence": {"start": "3", "end": "1", "format": "c%02d"}}, "{{item}}", {"c03", "c02", "c01"}),
    ],
)
def test_items_are_followed(items: dict[str, Any], text: str, expected: set[str]) -> None:
    arguments = {"parameters": [{"name": "list", "value": "[7, 8]"}]}
    manifest = workflow(dag(call("leaf", items=items, claim=text)), leaf(claim=None), arguments=arguments)
    assert values(manifest, "{{inputs.parameters.claim}}") == expected


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ({"withParam": "{{tasks.other.outputs.result}}"}, "{{item}}"),
        ({"withSequence": {"count": "{{tasks.other.outputs.result}}"}}, "{{item}}"),
        ({"withItems": [{"x": "a"}]}, "{{item.z}}"),
        ({}, "{{item}}"),
        ({}, "{{tasks.other.outputs.parameters.claim}}"),
        ({}, "{{workflow.uid}}"),
        ({}, "{{workflow.parameters.missing}}"),
        ({}, "{{=inputs.parameters.claim + '1'}}"),
        ({}, "{{inputs.parameters.nowhere}}"),
    ],
)
def test_what_only_the_run_will_show_is_unknown(items: dict[str, Any], text: str) -> None:
    found = workflow(dag(call("leaf", items=items, claim=text)), leaf(claim=None)).resolve(
        "leaf", "{{inputs.parameters.claim}}"
    )
    assert found.unknown
    assert not found.values


def test_values_from_a_config_map_are_unknown() -> None:
    given = {"name": "claim", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
    task = {"name": "a", "template": "leaf", "arguments": {"parameters": [given]}}
    assert workflow(dag(task), leaf(claim="d")).resolve("leaf", "{{inputs.parameters.claim}}").unknown


def test_what_is_known_in_one_call_and_not_in_another_is_both() -> None:
    manifest = workflow(
        dag(call("leaf", claim="x"), call("leaf", "b", claim="{{tasks.a.outputs.result}}")), leaf(claim=None)
    )
    found = manifest.resolve("leaf", "{{inputs.parameters.claim}}")
    assert (found.values, found.unknown) == ({"x"}, True)


def test_a_template_that_calls_itself_with_its_own_argument_adds_nothing() -> None:
    again = call("loop", claim="{{inputs.parameters.claim}}")
    manifest = workflow(
        dag(call("loop", claim="x")),
        dag(again, call("leaf", "b", claim="{{inputs.parameters.claim}}"), name="loop", claim=None),
        leaf(claim=None),
    )
    assert values(manifest, "{{inputs.parameters.claim}}") == {"x"}


def test_cycles_end_and_are_unknown() -> None:
    growing = call("loop", claim="{{inputs.parameters.claim}}x")
    manifest = workflow(dag(growing, name="loop", claim=None), entrypoint="loop")
    assert manifest.resolve("loop", "{{inputs.parameters.claim}}").unknown
    arguments = {
        "parameters": [
            {"name": "a", "value": "{{workflow.parameters.b}}"},
            {"name": "b", "value": "{{workflow.parameters.a}}"},
        ]
    }
    assert workflow(leaf(), arguments=arguments).resolve("leaf", "{{workflow.parameters.a}}").unknown


def test_a_template_for_others_to_call_has_its_default_and_the_unknown() -> None:
    body = {"kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": {"templates": [leaf(claim="d")]}}
    found = Manifest.of(body).resolve("leaf", "{{inputs.parameters.claim}}")
    assert (found.values, found.unknown) == ({"d"}, True)


def test_names_are_sorted_and_end_with_what_cannot_be_told() -> None:
    text = "{{inputs.parameters.claim}}"
    manifest = workflow(
        dag(call("leaf", claim="y"), call("leaf", "b", claim="x"), call("leaf", "c", claim="{{workflow.uid}}")),
        leaf(claim=None),
    )
    assert list(manifest.names("leaf", text, "volume data")) == ["x", "y", Unresolved(text, "volume data")]


def test_ten_thousand_items_are_followed() -> None:
    items = {"withItems": [{"n": str(number)} for number in range(10_000)]}
    manifest = workflow(dag(call("leaf", items=items, n="claim-{{item.n}}")), leaf(n=None))
    assert len(values(manifest, "{{inputs.parameters.n}}")) == 10_000


# --- what the workflow uses ---


def test_pod_parts_are_every_container_with_the_volumes_of_its_pod() -> None:
    pod = {
        "name": "main",
        "volumes": [{"name": "own"}],
        "initContainers": [{"name": "i", "image": "i", "volumeMounts": [{"name": "shared"}]}],
        "container": {"image": "m"},
        "sidecars": [{"name": "s", "image": "s"}],
    }
    manifest = workflow(pod, leaf("unused"), volumes=[{"name": "shared"}, {"name": "elsewhere"}])
    parts = list(manifest.containers())
    assert [(part.template, part.kind, part.container["image"]) for part in parts] == [
        ("main", "container", "m"),
        ("main", "init", "i"),
        ("main", "sidecar", "s"),
    ]
    assert all([volume["name"] for volume in part.volumes] == ["own", "shared"] for part in parts)


def test_container_sets_share_their_mounts() -> None:
    together = {"containers": [{"name": "a", "image": "a"}], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    part = next(workflow({"name": "main", "containerSet": together}, volumes=[{"name": "v"}]).containers())
    assert part.container["volumeMounts"] == [{"name": "v", "mountPath": "/v"}]
    assert part.volumes == [{"name": "v"}]


def test_accounts_pull_secrets_and_template_references_are_found() -> None:
    elsewhere = {
        "name": "b",
        "templateRef": {"name": "{{inputs.parameters.t}}", "template": "go", "clusterScope": True},
    }
    manifest = workflow(
        dag(call("leaf"), elsewhere, t="shared"),
        {**leaf(), "serviceAccountName": "other", "executor": {"serviceAccountName": "reporter"}},
        serviceAccountName="{{workflow.parameters.account}}",
        arguments={"parameters": [{"name": "account", "value": "runner"}]},
        imagePullSecrets=[{"name": "registry"}],
    )
    accounts = [name for ref in manifest.service_accounts() for name in manifest.names(ref.scope, ref.text, ref.where)]
    assert accounts == ["runner", "other", "reporter"]
    assert [ref.text for ref in manifest.pull_secrets()] == ["registry"]
    (ref,) = manifest.template_references()
    assert (ref.template, ref.cluster, ref.where) == ("go", True, "main.b")
    assert set(manifest.resolve(ref.scope, ref.text).values) == {"shared"}


def test_a_whole_workflow_template_is_a_reference() -> None:
    body = {"kind": "Workflow", "metadata": {"name": "w"}, "spec": {"workflowTemplateRef": {"name": "shared"}}}
    (ref,) = Manifest.of(body).template_references()
    assert (ref.text, ref.scope, ref.cluster) == ("shared", "", False)


def test_resource_templates_say_kind_and_name_though_variables_are_no_yaml() -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{inputs.parameters.n}}\ndata: {a: '{{workflow.name}}'}\n"
    )
    template = {
        "name": "apply",
        "inputs": {"parameters": [{"name": "n"}]},
        "resource": {"action": "apply", "manifest": text},
    }
    manifest = workflow(dag(call("apply", n="made")), template)
    (part,) = manifest.resources()
    assert (part.action, part.api_version, part.kind) == ("apply", "v1", "ConfigMap")
    assert set(manifest.resolve(part.template, part.name).values) == {"made"}
    assert part.body is not None
    assert part.body["data"] == {"a": "{{workflow.name}}"}


@pytest.mark.parametrize("text", ["a: [", "{{inputs.parameters.whole}}", ""])
def test_a_resource_that_cannot_be_read_has_no_body(text: str) -> None:
    (part,) = workflow({"name": "main", "resource": {"action": "create", "manifest": text}}).resources()
    assert (part.body, part.kind, part.name) == (None, "", "")
