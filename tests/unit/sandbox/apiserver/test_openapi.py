"""kubectl explains, checks and merges by the sandbox's OpenAPI documents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hera_k8s_sandbox.foundation.kind_registry import Kinds
from hera_k8s_sandbox.foundation.resource_types import JOBS, PODS, RESOURCES
from hera_k8s_sandbox.schema import openapi_documents
from hera_k8s_sandbox.schema.openapi_fields import fields_of, model_of
from hera_k8s_sandbox.schema.openapi_validation import decode
from hera_k8s_sandbox.server import launch

Json = dict[str, Any]
Kubectl = Callable[..., str]

needs_kubectl = pytest.mark.needs("kubectl")


@pytest.fixture
def kubectl(sandbox, tmp_path: Path) -> Kubectl:
    config = tmp_path / "kubeconfig"
    config.write_text(launch.kubeconfig(sandbox, namespace="default"))
    environment = os.environ | {"KUBECONFIG": str(config), "KUBECACHEDIR": str(tmp_path / "cache")}

    def run(*words: str, stdin: Json | None = None, fails: bool = False) -> str:
        text = None if stdin is None else json.dumps(stdin)
        done = subprocess.run(
            ["kubectl", *words], input=text, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    return run


def job(*names: str, **more: Any) -> Json:
    containers = [{"name": name, "image": "busybox", "command": ["true"]} for name in names]
    template = {"spec": {"restartPolicy": "Never", "containers": containers}}
    head = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "explained"}}
    return {**head, "spec": {"suspend": True, "template": template, **more}}


@needs_kubectl
def test_kinds_and_fields_are_explained(kubectl: Kubectl) -> None:
    told = kubectl("explain", "pod.spec.containers")
    assert "<[]Container>" in told.splitlines()[3]
    assert "image\t<string>" in told
    assert "-required-" in told
    told = kubectl("explain", "job.spec")
    assert "backoffLimit\t<integer>" in told
    assert "template\t<PodTemplateSpec> -required-" in told
    assert "      livenessProbe\t<Probe>" in kubectl("explain", "pods", "--recursive")
    assert "openAPIV3Schema\t<JSONSchemaProps>" in kubectl("explain", "crd.spec.versions.schema")
    assert 'field "conatiners" does not exist' in kubectl("explain", "pod.spec.conatiners", fails=True)


@needs_kubectl
def test_a_defined_kind_is_explained(kubectl: Kubectl) -> None:
    size = {"type": "integer", "description": "How many there are."}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": size}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "sheep", "kind": "Sheep"}
    spec = {"group": "farm.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    kubectl("create", "-f", "-", stdin={**head, "metadata": {"name": "sheep.farm.example.com"}, "spec": spec})
    kubectl("wait", "--for=condition=Established", "crd/sheep.farm.example.com", "--timeout=20s")
    assert "How many there are." in kubectl("explain", "sheep.spec.size")
    assert "metadata\t<ObjectMeta>" in kubectl("explain", "sheep")


@needs_kubectl
def test_misspelt_fields_are_refused_wherever_they_stand(kubectl: Kubectl) -> None:
    body = job("main")
    body["spec"]["template"]["spec"]["containers"][0]["comand"] = ["true"]
    told = kubectl("create", "--validate=strict", "-f", "-", stdin=body, fails=True)
    assert 'unknown field "spec.template.spec.containers[0].comand"' in told
    assert "created" in kubectl("create", "--validate=ignore", "--dry-run=server", "-f", "-", stdin=body)


@needs_kubectl
def test_what_is_applied_is_merged_by_key(kubectl: Kubectl) -> None:
    def pod(*names: str) -> Json:
        containers = [{"name": "main", "image": "busybox", "env": [{"name": each, "value": "1"} for each in names]}]
        spec = {"schedulerName": "nobody", "containers": containers}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "merged", "labels": {"n": str(len(names))}},
            "spec": spec,
        }

    kubectl("apply", "-f", "-", stdin=pod("A"))
    changed = pod("A")
    changed["metadata"]["labels"] = {"other": "yes"}
    assert "configured" in kubectl("apply", "-f", "-", stdin=changed)
    assert kubectl("get", "pod", "merged", "-o", "jsonpath={.metadata.labels}") == '{"other":"yes"}'
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=changed)
    claim = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "merged"},
        "secrets": [{"name": "a"}, {"name": "b"}],
    }
    kubectl("apply", "-f", "-", stdin=claim)
    kubectl("apply", "-f", "-", stdin={**claim, "secrets": [{"name": "b"}]})
    assert kubectl("get", "sa", "merged", "-o", "jsonpath={.secrets[*].name}") == "b"


def test_every_built_in_kind_has_a_schema() -> None:
    for resource in RESOURCES:
        if not resource.custom:
            model = model_of(resource)
            assert model is not None, resource.kind
            assert "metadata" in fields_of(model), resource.kind


def test_all_references_of_a_document_lead_somewhere() -> None:
    kinds = Kinds()
    for group, version in (("", "v1"), ("batch", "v1"), ("argoproj.io", "v1alpha1")):
        document = openapi_documents.document(kinds, group, version)
        schemas = document["components"]["schemas"]
        wanted = {text.rpartition("/")[2] for text in references(document)}
        assert wanted <= schemas.keys()


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for one in value for text in references(one)]
    if not isinstance(value, dict):
        return []
    found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return [*found, *(text for one in value.values() for text in references(one))]


def test_what_is_known_is_kept() -> None:
    body = job("main", backoffLimit=1)
    assert list(decode(model_of(JOBS), body)) == []
    assert body == job("main", backoffLimit=1)
    pod = {
        "spec": {"containers": [{"name": "a", "imagee": "x", "resources": {"limits": {"cpu": 0.5, "memory": "1Gi"}}}]}
    }
    assert list(decode(model_of(PODS), pod)) == ["spec.containers[0].imagee"]
    assert pod["spec"]["containers"] == [{"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}]


def test_help_imports_no_models() -> None:
    code = (
        "import sys\n"
        "import hera_k8s_sandbox.apiserver.routes\n"
        "assert not [name for name in sys.modules if name.startswith('kubernetes')]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert not done.returncode, done.stderr
