"""Fields of the built-in kinds: which there are, of which types, and what is told about others."""

from __future__ import annotations

from typing import Any

import pytest
from dialogue import Dialogue

Json = dict[str, Any]
JOBS = "/apis/batch/v1/namespaces/{namespace}/jobs"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def pod(container: Json | None = None, meta: Json | None = None, **spec: Any) -> Json:
    containers = [{"name": "main", "image": "busybox:1.36", **(container or {})}]
    body = {"automountServiceAccountToken": False, "schedulerName": "nobody", "containers": containers, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", **(meta or {})}, "spec": body}


MISTYPED: dict[str, Json] = {
    "text": pod({"image": 3}),
    "list": pod(containers={}),
    "item": pod(containers=[1]),
    "named": pod(restartPolicy=1),
    "long": pod(terminationGracePeriodSeconds="x"),
    "truth": pod(hostNetwork="x"),
    "whole": pod(priority="1"),
    "fraction": pod(priority=1.5),
    "large": pod(priority=1 << 40),
    "map": pod(nodeSelector=[]),
    "map-value": pod(nodeSelector={"a": 1}),
    "quantity": pod({"resources": {"limits": {"cpu": "x"}}}),
    "quantity-list": pod({"resources": {"limits": {"cpu": []}}}),
    "quantity-number": pod({"resources": {"limits": {"cpu": 1}}}),
    "nested": pod({"ports": [{"containerPort": "x"}]}),
    "either": pod({"livenessProbe": {"httpGet": {"port": []}}}),
    "text-list": pod({"command": "x"}),
    "text-item": pod({"command": [1]}),
    "labels": pod(meta={"labels": {"a": 1}}),
    "time": pod(meta={"creationTimestamp": "yesterday"}),
    "object": pod(securityContext=1),
    "volume": pod(volumes=[{"name": "a", "emptyDir": []}]),
    "variable": pod({"env": [{"name": "A", "value": 1}]}),
    "spec": {"metadata": {"name": "one"}, "spec": 1},
    "null": pod(nodeSelector=None, hostNetwork=None),
}


@pytest.mark.parametrize("case", MISTYPED)
def test_values_of_other_types(talk: Dialogue, case: str) -> None:
    assert talk.send("POST", "{ns}/pods?dryRun=All", MISTYPED[case]).code in (201, 400)


UNKNOWN: dict[str, tuple[str, Json]] = {
    "pod": ("{ns}/pods", pod({"surplus": 1, "imagee": "x"}, {"surplus": 1}, surplus=1)),
    "deep": ("{ns}/pods", pod({"env": [{"name": "A", "vaule": "1"}]}, volumes=[{"name": "a", "emptyDir": {"x": 1}}])),
    "config-map": ("{ns}/configmaps", {"metadata": {"name": "one", "lables": {}}, "dta": {}}),
    "claim": (
        "{ns}/persistentvolumeclaims",
        {
            "metadata": {"name": "one"},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "storageClassName": "",
                "resources": {"requests": {"storage": "1Gi"}, "surplus": 1},
            },
        },
    ),
    "account": ("{ns}/serviceaccounts", {"metadata": {"name": "one"}, "imagePullSecrets": [{"name": "a", "x": 1}]}),
    "role": (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
        {"metadata": {"name": "one"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "x": 1}]},
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_unknown_fields(talk: Dialogue, case: str) -> None:
    path, body = UNKNOWN[case]
    for wish, code in (("Ignore", 201), ("Warn", 201), ("Strict", 400)):
        assert talk.send("POST", f"{path}?dryRun=All&fieldValidation={wish}", body).code == code


def test_unknown_fields_of_templates(talk: Dialogue) -> None:
    template = {"spec": {**pod({"env": [{"name": "A", "vaule": "1"}]})["spec"], "restartPolicy": "Never", "surplus": 1}}
    body = {"metadata": {"name": "one"}, "spec": {"surplus": 1, "template": template}}
    assert talk.send("POST", f"{JOBS}?dryRun=All", body, remember=False).code == 201
    assert talk.send("POST", f"{JOBS}?dryRun=All&fieldValidation=Strict", body).code == 400


def test_unknown_fields_of_definitions(talk: Dialogue) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "surplus": 1}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    group = f"{talk.namespace}.example.com"
    names = {"plural": "things", "kind": "Thing"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version], "surplus": 1}
    body = {"metadata": {"name": f"things.{group}"}, "spec": spec}
    assert talk.send("POST", f"{DEFINITIONS}?dryRun=All&fieldValidation=Strict", body).code == 400
    assert talk.send("POST", f"{DEFINITIONS}?dryRun=All", body).code == 201


def test_patches_that_bring_unknown_fields(talk: Dialogue) -> None:
    talk.create("{ns}/configmaps", {"metadata": {"name": "one"}, "data": {"a": "b"}})
    for change in ({"surplus": 1}, {"metadata": {"surplus": 1}}):
        assert talk.patch("{ns}/configmaps/one", change).code == 200
        assert talk.patch("{ns}/configmaps/one?fieldValidation=Strict", change).code == 422
    assert talk.patch("{ns}/configmaps/one", {"data": {"a": 1}}).code == 422


@pytest.mark.parametrize(
    ("case", "body"),
    [
        ("unknown", pod(surplus=1)),
        ("unknown-in-list", pod({"surplus": 1})),
        ("unknown-in-ports", pod({"ports": [{"containerPort": 1, "surplus": 2}]})),
        ("unknown-metadata", pod(meta={"surplus": 1})),
        ("text", pod({"image": 3})),
        ("truth", pod(hostNetwork="x")),
        ("number", pod(priority="1")),
    ],
)
def test_what_is_applied_is_of_the_kinds_schema(talk: Dialogue, case: str, body: Json) -> None:
    path = "{ns}/pods/one?fieldManager=me&dryRun=All"
    assert talk.patch(path, body, "apply-patch+yaml").code == 500


def test_the_documents_are_found_by_group(talk: Dialogue) -> None:
    paths = talk.get("/openapi/v3", remember=False).body["paths"]
    for place in ("api/v1", "apis/batch/v1", "apis/rbac.authorization.k8s.io/v1", "apis/apiextensions.k8s.io/v1"):
        talk.remember(place, listed=place in paths)
        found = talk.get(paths[place]["serverRelativeURL"], remember=False)
        talk.remember(f"the document of {place}", code=found.code, openapi=found.body["openapi"])
    assert talk.get("/openapi/v3/apis/example.com/v1", remember=False).code == 404


FIELDS: dict[str, tuple[str, str]] = {
    "Pod": ("api/v1", "Pod"),
    "ConfigMap": ("api/v1", "ConfigMap"),
    "Secret": ("api/v1", "Secret"),
    "PersistentVolumeClaim": ("api/v1", "PersistentVolumeClaim"),
    "Namespace": ("api/v1", "Namespace"),
    "ServiceAccount": ("api/v1", "ServiceAccount"),
    "Job": ("apis/batch/v1", "Job"),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "Role"),
    "StorageClass": ("apis/storage.k8s.io/v1", "StorageClass"),
}


@pytest.mark.parametrize("kind", FIELDS)
def test_a_kinds_schema_names_its_fields(talk: Dialogue, kind: str) -> None:
    """The fields of the kind and of its specification; those of later versions are left out."""
    place, name = FIELDS[kind]
    schemas = talk.get(f"/openapi/v3/{place}", remember=False).body["components"]["schemas"]
    (own,) = [one for one in schemas.values() if is_of(one, name)]
    talk.remember(
        kind, fields=sorted(own["properties"]), types={key: of(own, key) for key in sorted(own["properties"])}
    )


def is_of(schema: Json, kind: str) -> bool:
    return any(one["kind"] == kind for one in schema.get("x-kubernetes-group-version-kind") or ())


def of(schema: Json, field: str) -> str:
    """The type of a field as `kubectl explain` shows it."""
    found = schema["properties"][field]
    reference = found.get("$ref") or "".join(one.get("$ref", "") for one in found.get("allOf") or ())
    return reference.rpartition(".")[2] or str(found.get("type"))
