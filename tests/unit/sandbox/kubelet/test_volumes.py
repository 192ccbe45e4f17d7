"""What a container of the sandbox is given: variables of each kind, volumes of each kind."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api, config_map
from sandbox_pods import Pods, container, state_of


@pytest.fixture(scope="module", params=MOUNTS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from hera_k8s_sandbox.server.launch import running

    with running(tmp_path_factory.mktemp("sandbox"), runner=request.param, lifetime=600) as address:
        yield address


@pytest.fixture
def pods(served: Any) -> Iterator[Pods]:
    found = Pods(Api(served.url, served.token))
    yield found
    found.remove()


# Variables


def of(source: str, **reference: Any) -> dict[str, Any]:
    """A container whose variable X comes from a source."""
    return {"env": [{"name": "X", "valueFrom": {source: reference}}]}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("metadata.name", "reader"),
        ("metadata.namespace", "{namespace}"),
        ("metadata.labels['app.example/kind']", "k"),
        ("metadata.annotations['note']", "n"),
        ("spec.nodeName", "sandbox"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.0.0.1"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_a_variable_from_a_field(pods: Pods, path: str, wanted: str) -> None:
    metadata = {"labels": {"app.example/kind": "k"}, "annotations": {"note": "n"}}
    said = pods.says("echo $X", of=of("fieldRef", fieldPath=path), name="reader", metadata=metadata)
    assert said == [wanted.format(namespace=pods.namespace)]


@pytest.mark.parametrize(
    ("resource", "divisor", "wanted"),
    [
        ("requests.cpu", "1m", "250"),
        ("requests.cpu", None, "1"),
        ("limits.memory", "1Mi", "64"),
        ("limits.memory", None, str(64 << 20)),
        ("requests.ephemeral-storage", None, "0"),
        ("limits.cpu", None, str(os.cpu_count())),
    ],
)
def test_a_variable_from_an_amount(pods: Pods, resource: str, divisor: str | None, wanted: str) -> None:
    resources = {"requests": {"cpu": "250m"}, "limits": {"memory": "64Mi"}}
    reference = {"resource": resource} | ({"divisor": divisor} if divisor else {})
    assert pods.says("echo $X", of=of("resourceFieldRef", **reference) | {"resources": resources}) == [wanted]


def test_variables_from_maps_and_secrets(pods: Pods) -> None:
    pods.api.create(f"{pods.space}/configmaps", config_map("settings", A="1", B="2"))
    pods.api.create(f"{pods.space}/secrets", {"metadata": {"name": "salt"}, "stringData": {"S": "pepper"}})
    sources = [
        {"prefix": "M_", "configMapRef": {"name": "settings"}},
        {"secretRef": {"name": "salt"}},
        {"configMapRef": {"name": "gone", "optional": True}},
    ]
    env = [
        {"name": "A", "value": "$(M_A)-$(S)-$$(S)-$(UNKNOWN)"},
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "salt", "key": "T", "optional": True}}},
    ]
    lines = pods.says('echo "$M_A $M_B $S ${MAYBE-unset}"; echo "$A"', of={"env": env, "envFrom": sources})
    assert lines == ["1 2 pepper unset", "1-pepper-$(S)-$(UNKNOWN)"]


# Volumes


def mounted(source: dict[str, Any], path: str = "/given", **more: Any) -> dict[str, Any]:
    """A volume of a source, and a container that has it mounted: arguments of `says`."""
    mount = {"name": "v", "mountPath": path, **more}
    return {"of": {"volumeMounts": [mount]}, "volumes": [{"name": "v", **source}]}


def test_modes_and_paths_of_a_projected_map(pods: Pods) -> None:
    pods.api.create(f"{pods.space}/configmaps", config_map("settings", a="1", b="2"))
    items = [{"key": "a", "path": "deep/a"}, {"key": "b", "path": "b", "mode": 0o700}]
    source = {"configMap": {"name": "settings", "items": items, "defaultMode": 0o440}}
    assert pods.says("cd /given; stat -c '%a %n' deep/a b", **mounted(source)) == ["440 deep/a", "700 b"]


def test_one_key_of_a_map_is_mounted_as_a_file(pods: Pods) -> None:
    pods.api.create(f"{pods.space}/configmaps", config_map("settings", a="1", b="2"))
    source = {"configMap": {"name": "settings"}}
    assert pods.says("cat /given/only;", **mounted(source, "/given/only", subPath="b")) == ["2"]


def test_a_part_of_a_volume_named_by_a_variable(pods: Pods) -> None:
    given = mounted({"emptyDir": {}}, subPathExpr="of/$(WHO)")
    given["of"] |= {"env": [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}
    given["of"]["volumeMounts"].append({"name": "v", "mountPath": "/whole"})
    assert pods.says("echo x > /given/file; cat /whole/of/me/file", name="me", **given) == ["x"]


def test_a_part_of_a_volume_is_no_way_out_of_it(pods: Pods) -> None:
    mounts = [{"name": "v", "mountPath": "/given", "subPath": "link"}]
    link = container("ln -s /etc /whole/link", "link", volumeMounts=[{"name": "v", "mountPath": "/whole"}])
    name = pods.create(
        container("ls /given", volumeMounts=mounts), initContainers=[link], volumes=[{"name": "v", "emptyDir": {}}]
    )
    pod = pods.until(name, lambda pod: state_of(pod).get("waiting", {}).get("reason") == "CreateContainerConfigError")
    assert state_of(pod)["waiting"]["message"] == "subPath link leads out of the volume by a link"


def test_fields_as_files(pods: Pods) -> None:
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "requests.cpu", "divisor": "1m"}},
    ]
    given = mounted({"downwardAPI": {"items": items}})
    given["of"] |= {"resources": {"requests": {"cpu": "300m"}}}
    lines = pods.says("cat /given/labels; echo; cat /given/cpu", metadata={"labels": {"a": "b", "c": "d"}}, **given)
    assert lines == ['a="b"', 'c="d"', "300"]


def test_many_sources_in_one_volume(pods: Pods) -> None:
    pods.api.create(f"{pods.space}/configmaps", config_map("settings", a="1"))
    pods.api.create(f"{pods.space}/secrets", {"metadata": {"name": "salt"}, "stringData": {"s": "pepper"}})
    sources = [
        {"configMap": {"name": "settings"}},
        {"secret": {"name": "salt", "items": [{"key": "s", "path": "in/s"}]}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"configMap": {"name": "gone", "optional": True}},
    ]
    given = mounted({"projected": {"sources": sources}})
    lines = pods.says("cd /given; for f in a in/s name; do cat $f; echo; done", name="me", **given)
    assert lines == ["1", "pepper", "me"]


def test_the_token_of_the_pods_account_opens_the_api(pods: Pods) -> None:
    token = {"serviceAccountToken": {"path": "token", "audience": "elsewhere", "expirationSeconds": 700}}
    plain = {"serviceAccountToken": {"path": "plain"}}
    given = mounted({"projected": {"sources": [token, plain]}})
    elsewhere, own = pods.says("cat /given/token; echo; cat /given/plain;", **given)
    claims = json.loads(base64.urlsafe_b64decode(elsewhere.split(".")[1] + "=="))
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (["elsewhere"], 700)
    assert claims["sub"] == f"system:serviceaccount:{pods.namespace}:default"
    review = Api(pods.api.url, own).create(
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
    )
    assert review["status"]["userInfo"]["username"] == f"system:serviceaccount:{pods.namespace}:default"


def test_a_volume_that_may_only_be_read(pods: Pods, request: pytest.FixtureRequest) -> None:
    if "rewrite" in request.node.name:
        pytest.skip("paths are rewritten: nothing keeps a container from writing")
    given = mounted({"emptyDir": {}}, readOnly=True)
    assert pods.says("touch /given/x 2>/dev/null || echo refused", **given) == ["refused"]


def test_a_missing_key_of_a_volume_is_told(pods: Pods) -> None:
    pods.api.create(f"{pods.space}/configmaps", config_map("settings", a="1"))
    source = {"configMap": {"name": "settings", "items": [{"key": "z", "path": "z"}]}}
    name = pods.create(
        container(volumeMounts=[{"name": "v", "mountPath": "/given"}]), volumes=[{"name": "v", **source}]
    )
    pods.until(name, lambda pod: state_of(pod).get("waiting"))
    told = 'MountVolume.SetUp failed for volume "v" : references non-existent configmap key: z'
    assert ("FailedMount", told) in pods.events(name)
