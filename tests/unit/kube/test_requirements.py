"""What experiments ask of Kubernetes, what their workflows turn out to use, and what can be made of it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from hera_k8s_kube import (
    ConfigMap,
    Permission,
    PersistentVolumeClaim,
    PullSecret,
    Rule,
    Secret,
    ServiceAccount,
    StorageClass,
    WorkflowTemplate,
)
from hera_k8s_kube.plugin import resource_checkers
from hera_k8s_utils import BuildError, Experiment, Inputs, build_container
from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.experiment.workload import Unresolved

CHECKERS = {checker.kind: checker for checker in resource_checkers()}


def workflow(*templates: Mapping[str, Any], **spec: Any) -> Manifest:
    entry = {"name": "main", "dag": {"tasks": [{"name": t["name"], "template": t["name"]} for t in templates]}}
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", "templates": [entry, *templates], **spec},
    }
    return Manifest.of(body)


def task(name: str = "t", **container: Any) -> dict[str, Any]:
    return {"name": name, "container": {"image": "i", **container}}


def references(kind: str, manifest: Manifest) -> list[Any]:
    found: Iterable[Any] = CHECKERS[kind].references(manifest)
    return list(found)


# --- into Hera -------------------------------------------------------------------------------------------------


def test_requirements_become_volumes_and_variables_of_a_hera_task() -> None:
    from hera.workflows import DAG, Workflow, script

    def work() -> None: ...

    def build(environment: Any, inputs: Any, layout: Any) -> Any:
        run = script(**environment.task)(work)
        with Workflow(entrypoint="d") as w, DAG(name="d"):
            run(name="one")
        return w

    experiment = Experiment(
        name="x",
        workflow=build,
        inputs=Inputs(),
        image="python:3.12",
        requires=[
            PersistentVolumeClaim("results", mount_path="/results", sub_path="mine", read_only=True),
            ConfigMap("settings"),
            ConfigMap("proxy", variables={"HTTPS_PROXY": "https"}),
            Secret("salt", keys=["SALT"], prefix="MY_"),
            Secret("keys", mount_path="/keys"),
            PullSecret("registry"),
        ],
    )
    with build_container(experiment, environ={}, bind=("results=vcity-rwx", "keys=ssh-keys")) as container:
        body = container.manifest().body
    (template,) = [t for t in body["spec"]["templates"] if "script" in t]
    assert template["volumes"] == [
        {"name": "results", "persistentVolumeClaim": {"claimName": "vcity-rwx", "readOnly": True}},
        {"name": "keys", "secret": {"secretName": "ssh-keys"}},
    ]
    assert template["script"]["volumeMounts"] == [
        {"name": "results", "mountPath": "/results", "subPath": "mine", "readOnly": True},
        {"name": "keys", "mountPath": "/keys", "readOnly": True},
    ]
    assert template["script"]["envFrom"] == [
        {"configMapRef": {"name": "settings"}},
        {"prefix": "MY_", "secretRef": {"name": "salt"}},
    ]
    assert template["script"]["env"] == [
        {"name": "HTTPS_PROXY", "valueFrom": {"configMapKeyRef": {"name": "proxy", "key": "https"}}}
    ]
    assert body["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_the_old_names_bind_the_only_claim_and_config_map() -> None:
    experiment = Experiment(
        name="x",
        workflow=lambda environment, inputs, layout: workflow(task()).body,
        requires=[PersistentVolumeClaim("results", mount_path="/r"), ConfigMap("settings")],
    )
    environ = {"KUBEVOLUMECLAIMNAME": "vcity-rwx", "KUBECONFIGMAP": "proxy"}
    with build_container(experiment, environ=environ) as container:
        names = [requirement.name for requirement in container.environment().requirements]
    assert names == ["vcity-rwx", "proxy"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PersistentVolumeClaim("r", mount_path="results"),
        lambda: PersistentVolumeClaim("r", access_mode="RWX"),
        lambda: PersistentVolumeClaim("r", size="ten"),
        lambda: ConfigMap("c", keys="KEY"),
        lambda: ConfigMap("c", data={"N": 1}),
        lambda: Secret("s", generate="SALT"),
        lambda: Permission("pods", verbs="get"),
    ],
)
def test_a_requirement_that_makes_no_sense_is_refused_with_what_it_takes(wrong: Any) -> None:
    with pytest.raises(BuildError) as caught:
        wrong()
    assert "use " in caught.value.hint


def test_values_are_not_shown() -> None:
    assert "hunter2" not in repr(Secret("s", data={"PASSWORD": "hunter2"}))


# --- what a workflow uses --------------------------------------------------------------------------------------


def test_claims_are_found_in_templates_and_in_the_workflow_if_mounted() -> None:
    mounted = task(volumeMounts=[{"name": "shared", "mountPath": "/s"}])
    mounted["volumes"] = [{"name": "own", "persistentVolumeClaim": {"claimName": "mine", "readOnly": True}}]
    manifest = workflow(
        mounted,
        volumes=[
            {"name": "shared", "persistentVolumeClaim": {"claimName": "ours"}},
            {"name": "idle", "persistentVolumeClaim": {"claimName": "nobody-mounts-it"}},
        ],
    )
    assert references("PersistentVolumeClaim", manifest) == [
        PersistentVolumeClaim("mine", read_only=True),
        PersistentVolumeClaim("ours"),
    ]


def test_config_maps_and_secrets_are_found_with_their_keys() -> None:
    template = task(
        envFrom=[
            {"configMapRef": {"name": "all"}},
            {"secretRef": {"name": "all-secret"}},
            {"configMapRef": {"name": "maybe", "optional": True}},
        ],
        env=[
            {"name": "A", "value": "plain"},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "b"}}},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "two", "key": "c"}}},
            {"name": "D", "valueFrom": {"secretKeyRef": {"name": "two", "key": "d", "optional": True}}},
        ],
    )
    template["volumes"] = [
        {"name": "v", "configMap": {"name": "files", "items": [{"key": "k", "path": "p"}]}},
        {"name": "s", "secret": {"secretName": "ssh"}},
        {"name": "p", "projected": {"sources": [{"configMap": {"name": "in-projected"}}, {"secret": {"name": "too"}}]}},
    ]
    manifest = workflow(template)
    assert references("ConfigMap", manifest) == [
        ConfigMap("all"),
        ConfigMap("one", keys=["b"]),
        ConfigMap("files", keys=["k"]),
        ConfigMap("in-projected"),
    ]
    assert references("Secret", manifest) == [
        Secret("all-secret"),
        Secret("two", keys=["c"]),
        Secret("ssh"),
        Secret("too"),
    ]
    assert {found.where for found in references("Secret", manifest)} == {"template t"}


def test_names_are_followed_through_parameters_and_what_cannot_be_told_says_so() -> None:
    template = task(
        envFrom=[
            {"configMapRef": {"name": "{{workflow.parameters.map}}"}},
            {"configMapRef": {"name": "{{inputs.parameters.later}}"}},
        ]
    )
    template["inputs"] = {"parameters": [{"name": "later", "valueFrom": {"event": "x"}}]}
    manifest = workflow(template, arguments={"parameters": [{"name": "map", "value": "settings-2"}]})
    found = references("ConfigMap", manifest)
    assert found[0] == ConfigMap("settings-2")
    assert isinstance(found[1], Unresolved)
    assert found[1].where == "template t"


def test_objects_that_a_resource_template_creates_are_looked_into() -> None:
    body = """
apiVersion: batch/v1
kind: Job
metadata: {generateName: job-}
spec:
  template:
    spec:
      serviceAccountName: job-runner
      imagePullSecrets: [{name: harbor}]
      containers:
      - name: main
        envFrom: [{secretRef: {name: "{{workflow.parameters.secret}}"}}]
      volumes:
      - {name: v, persistentVolumeClaim: {claimName: data}}
"""
    template = {"name": "make", "resource": {"action": "create", "manifest": body}}
    manifest = workflow(
        template,
        serviceAccountName="deployer",
        arguments={"parameters": [{"name": "secret", "value": "login"}]},
    )
    assert references("Secret", manifest) == [Secret("login")]
    assert references("PersistentVolumeClaim", manifest) == [PersistentVolumeClaim("data")]
    assert references("PullSecret", manifest) == [PullSecret("harbor")]
    assert references("Permission", manifest) == [Permission("jobs.batch", verbs=("create",), account="deployer")]
    accounts = {(found.name, found.runs_workflows) for found in references("ServiceAccount", manifest)}
    assert accounts == {("deployer", True), ("job-runner", False)}


def test_the_account_is_the_default_one_unless_the_workflow_names_another() -> None:
    assert references("ServiceAccount", workflow(task())) == [ServiceAccount("default")]
    named = workflow(task(), serviceAccountName="runner", executor={"serviceAccountName": "reporter"})
    assert references("ServiceAccount", named) == [
        ServiceAccount("runner", runs_workflows=False),
        ServiceAccount("reporter", runs_workflows=True),
    ]


def test_workflow_templates_are_found_with_the_part_that_is_used() -> None:
    ref = {"name": "lib", "template": "step", "clusterScope": True}
    caller = {"name": "c", "dag": {"tasks": [{"name": "x", "templateRef": ref}]}}
    assert references("WorkflowTemplate", workflow(caller)) == [
        WorkflowTemplate("lib", templates=("step",), cluster=True)
    ]
    assert references("WorkflowTemplate", workflow(workflowTemplateRef={"name": "whole"})) == [
        WorkflowTemplate("whole")
    ]


def test_storage_classes_of_claims_that_the_workflow_makes_are_found() -> None:
    claims = [{"metadata": {"name": "scratch"}, "spec": {"storageClassName": "fast"}}]
    assert references("StorageClass", workflow(task(), volumeClaimTemplates=claims)) == [StorageClass("fast")]


def test_what_is_used_adds_its_keys_to_what_is_declared() -> None:
    declared = ConfigMap("settings", data={"A": "1"})
    combined = declared.combine(ConfigMap("settings", keys=["A", "B"]))
    assert combined.wanted_keys == {"A", "B"}
    assert combined.data == {"A": "1"}


# --- what can be made ------------------------------------------------------------------------------------------


HAS_ALL: Any = SimpleNamespace(kubernetes=SimpleNamespace(get=lambda *_, **__: {"metadata": {}}))
"""A context whose cluster has whatever is looked up, such as a storage class."""


def made(requirement: Any) -> Any:
    return CHECKERS[requirement.kind].provision(None, HAS_ALL, requirement)


def test_a_claim_is_made_when_its_size_is_said() -> None:
    assert made(PersistentVolumeClaim("r")) is None
    claim = made(PersistentVolumeClaim("r", size="1Gi", access_mode="ReadWriteMany", storage_class="nfs", bound="c"))
    assert claim["metadata"] == {"name": "c"}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "nfs",
    }


def test_a_config_map_is_made_when_all_its_values_are_said() -> None:
    assert made(ConfigMap("c")) is None
    assert made(ConfigMap("c", data={"A": "1"}, keys=["B"])) is None
    assert made(ConfigMap("c", data={"A": "1"}))["data"] == {"A": "1"}


def test_generated_values_are_random_and_long() -> None:
    wanted = Secret("s", generate=["A", "B"], data={"C": "given"})
    first, second = made(wanted), made(wanted)
    assert first["type"] == "Opaque"
    values = {key: base64.b64decode(value).decode() for key, value in first["data"].items()}
    assert values.keys() == {"A", "B", "C"}
    assert values["C"] == "given"
    assert values["A"] != values["B"]
    assert first["data"]["A"] != second["data"]["A"]
    assert len(values["A"]) == 32
    assert made(Secret("s", keys=["A"])) is None


def test_the_old_name_of_a_field_still_works() -> None:
    rules = (Rule("pods/log", ("get",)),)
    with pytest.warns(DeprecationWarning, match="permissions"):
        account = ServiceAccount("runner", may=rules)  # type: ignore[call-arg]
    assert account == ServiceAccount("runner", permissions=rules)
    with pytest.warns(DeprecationWarning, match="until version 0.3"):
        assert account.may == rules  # type: ignore[attr-defined]
