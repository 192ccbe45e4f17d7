"""Pods that nobody runs: what they are completed with and refused for, binding, changes, status, deletion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dialogue import Dialogue

Json = dict[str, Any]
PODS = "{ns}/pods"
CONTAINER: Json = {"name": "main", "image": "busybox:1.36", "command": ["true"]}


def pod(name: str = "one", **spec: Any) -> Json:
    body = {"schedulerName": "nobody", "automountServiceAccountToken": False, "containers": [CONTAINER], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body}


def having(**more: Any) -> Json:
    """A pod whose only container has more."""
    return pod(containers=[CONTAINER | more])


def env(**source: Any) -> Json:
    return having(env=[{"name": "A", "valueFrom": source}])


def volume(**source: Any) -> Json:
    return pod(volumes=[{"name": "v", **source}])


def mounts(*mounted: Json) -> Json:
    return pod(
        containers=[CONTAINER | {"volumeMounts": [{"name": "v", **one} for one in mounted]}],
        volumes=[{"name": "v", "emptyDir": {}}],
    )


def init(**more: Any) -> Json:
    return pod(initContainers=[CONTAINER | {"name": "first"} | more])


EXEC = {"exec": {"command": ["true"]}}


@pytest.mark.parametrize(
    ("case", "body"),
    [
        ("ports", having(ports=[{"containerPort": 80, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}])),
        ("probe-exec", having(livenessProbe=EXEC)),
        ("probe-get", having(readinessProbe={"httpGet": {"port": 80}})),
        ("probe-get-https", having(startupProbe={"httpGet": {"port": "web", "scheme": "HTTPS", "path": "/up"}})),
        ("probe-tcp", having(livenessProbe={"tcpSocket": {"port": 80}, "periodSeconds": 3})),
        ("probe-grpc", having(livenessProbe={"grpc": {"port": 80}})),
        ("hooks", having(lifecycle={"postStart": EXEC, "preStop": {"httpGet": {"port": 80}}})),
        ("hook-sleep", having(lifecycle={"preStop": {"sleep": {"seconds": 1}}})),
        ("env-field", env(fieldRef={"fieldPath": "metadata.name"})),
        ("env-resource", env(resourceFieldRef={"resource": "limits.cpu"})),
        ("env-from", having(envFrom=[{"prefix": "A_", "configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}}])),
        ("volume-nothing", volume()),
        ("volume-memory", volume(emptyDir={"medium": "Memory", "sizeLimit": "1Mi"})),
        ("volume-host", volume(hostPath={"path": "/etc"})),
        ("volume-map", volume(configMap={"name": "m", "items": [{"key": "a", "path": "b"}]})),
        (
            "volume-fields",
            volume(
                downwardAPI={
                    "items": [
                        {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
                        {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu"}},
                    ]
                }
            ),
        ),
        (
            "volume-projected",
            volume(
                projected={
                    "sources": [
                        {"serviceAccountToken": {"path": "token"}},
                        {"configMap": {"name": "m"}},
                        {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                    ]
                }
            ),
        ),
        ("mounts", mounts({"mountPath": "/a", "subPath": "b"}, {"mountPath": "/c", "readOnly": True})),
        ("sidecar", init(restartPolicy="Always", startupProbe=EXEC)),
        ("on-failure", pod(restartPolicy="OnFailure", activeDeadlineSeconds=5, terminationGracePeriodSeconds=3)),
        ("named", pod(hostname="host", subdomain="sub")),
        ("port-missing", having(ports=[{"name": "http"}])),
        ("port-high", having(ports=[{"containerPort": 70000}])),
        ("port-name", having(ports=[{"containerPort": 80, "name": "Not_a_name"}])),
        ("port-twice", having(ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}])),
        ("port-protocol", having(ports=[{"containerPort": 80, "protocol": "HTTP"}])),
        ("probe-nothing", having(livenessProbe={"periodSeconds": 1})),
        ("probe-two", having(livenessProbe=EXEC | {"tcpSocket": {"port": 1}})),
        ("probe-negative", having(livenessProbe=EXEC | {"periodSeconds": -1, "failureThreshold": -2})),
        ("probe-once", having(livenessProbe=EXEC | {"successThreshold": 2})),
        ("probe-no-command", having(livenessProbe={"exec": {"command": []}})),
        ("probe-port", having(livenessProbe={"httpGet": {"port": 0}})),
        ("hook-nothing", having(lifecycle={"postStart": {}})),
        ("env-nothing", env()),
        ("env-two", env(fieldRef={"fieldPath": "metadata.name"}, secretKeyRef={"name": "a", "key": "b"})),
        ("env-value-too", having(env=[{"name": "A", "value": "1", "valueFrom": {"secretKeyRef": {"name": "a"}}}])),
        ("env-no-name", having(env=[{"value": "1"}])),
        ("mount-unknown", having(volumeMounts=[{"name": "gone", "mountPath": "/a"}])),
        ("mount-no-path", mounts({})),
        ("mount-twice", mounts({"mountPath": "/a"}, {"mountPath": "/a"})),
        ("mount-part", mounts({"mountPath": "/a", "subPath": "../b"}, {"mountPath": "/b", "subPath": "/b"})),
        ("init-probe", init(readinessProbe=EXEC, lifecycle={"preStop": EXEC})),
        ("init-same-name", init(name="main")),
        ("pull", having(imagePullPolicy="Sometimes")),
        ("message", having(terminationMessagePolicy="Log")),
        ("policy", pod(restartPolicy="Sometimes")),
        ("no-containers", pod(containers=[])),
        ("no-image", having(image="")),
        ("deadline", pod(activeDeadlineSeconds=0)),
    ],
)
def test_pods_are_completed_or_refused(talk: Dialogue, case: str, body: Json) -> None:
    assert talk.send("POST", f"{PODS}?dryRun=All", body).code in (201, 422), case


@pytest.fixture
def node(talk: Dialogue) -> Iterator[str]:
    """A node where nobody runs anything."""
    name = f"{talk.namespace}-node"
    talk.create("/api/v1/nodes", {"metadata": {"name": name}}, remember=False)
    yield name
    talk.send("DELETE", f"{PODS}?gracePeriodSeconds=0", remember=False)
    talk.send("DELETE", f"/api/v1/nodes/{name}", remember=False)


def bind(talk: Dialogue, name: str, node: str, **more: Any) -> Any:
    body = {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}}
    return talk.send("POST", f"{PODS}/{name}/binding", body, **more)


def test_a_pod_is_bound_once(talk: Dialogue, node: str) -> None:
    talk.create(PODS, pod(), remember=False)
    assert bind(talk, "one", node).code == 201
    assert talk.get(f"{PODS}/one").body["spec"]["nodeName"] == node
    assert bind(talk, "one", node).code == 409
    assert bind(talk, "none", node).code == 404
    assert talk.get(f"{PODS}?fieldSelector=spec.nodeName%3D{node}", remember=False).names == ["one"]


def test_a_bound_pod_is_asked_to_end_before_it_goes(talk: Dialogue, node: str) -> None:
    talk.create(PODS, pod(terminationGracePeriodSeconds=60), remember=False)
    bind(talk, "one", node, remember=False)
    asked = talk.send("DELETE", f"{PODS}/one").body["metadata"]
    assert asked["deletionGracePeriodSeconds"] == 60
    talk.patch(f"{PODS}/one", {"metadata": {"labels": {"a": "b"}}})
    talk.send("DELETE", f"{PODS}/one", {"gracePeriodSeconds": 20})
    talk.send("DELETE", f"{PODS}/one", {"gracePeriodSeconds": 40})
    talk.send("DELETE", f"{PODS}/one", {"gracePeriodSeconds": 0})
    assert talk.get(f"{PODS}/one").code == 404


def test_the_grace_of_a_deletion_is_that_of_the_request(talk: Dialogue, node: str) -> None:
    talk.create(PODS, pod(), remember=False)
    bind(talk, "one", node, remember=False)
    talk.send("DELETE", f"{PODS}/one?gracePeriodSeconds=7")
    assert talk.get(f"{PODS}/one").body["metadata"]["deletionGracePeriodSeconds"] == 7


def test_a_bound_pod_that_has_ended_goes_at_once(talk: Dialogue, node: str) -> None:
    talk.create(PODS, pod(), remember=False)
    bind(talk, "one", node, remember=False)
    talk.patch(f"{PODS}/one/status", {"status": {"phase": "Succeeded"}})
    assert talk.send("DELETE", f"{PODS}/one").body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert talk.get(f"{PODS}/one").code == 404


def test_a_finalizer_holds_a_pod_that_has_been_asked(talk: Dialogue, node: str) -> None:
    body = pod()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    talk.create(PODS, body, remember=False)
    bind(talk, "one", node, remember=False)
    talk.send("DELETE", f"{PODS}/one", {"gracePeriodSeconds": 5})
    talk.send("DELETE", f"{PODS}/one", {"gracePeriodSeconds": 0})
    talk.patch(f"{PODS}/one", {"metadata": {"finalizers": None}})
    assert talk.get(f"{PODS}/one").code == 404


def test_a_status_is_written_apart_from_the_rest(talk: Dialogue) -> None:
    talk.create(PODS, pod(), remember=False)
    condition = {"type": "Ready", "status": "False", "reason": "Why"}
    status = {"phase": "Running", "podIP": "10.1.2.3", "conditions": [condition]}
    talk.patch(
        f"{PODS}/one/status", {"status": status, "spec": {"activeDeadlineSeconds": 5}}, "strategic-merge-patch+json"
    )
    other = {"conditions": [{"type": "Initialized", "status": "True"}]}
    talk.patch(f"{PODS}/one/status", {"status": other}, "strategic-merge-patch+json")
    talk.patch(f"{PODS}/one", {"status": {"phase": "Failed"}})
    assert talk.get(f"{PODS}/one").body["status"]["phase"] == "Running"


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("image", {"containers": [{"name": "main", "image": "busybox:1.37"}]}),
        ("deadline", {"activeDeadlineSeconds": 10}),
        ("command", {"containers": [{"name": "main", "command": ["false"]}]}),
        ("env", {"containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}),
        ("policy", {"restartPolicy": "Never"}),
        ("node", {"nodeName": "elsewhere"}),
        ("another", {"containers": [{"name": "other", "image": "busybox"}]}),
    ],
)
def test_little_of_a_pod_can_be_changed(talk: Dialogue, case: str, change: Json) -> None:
    talk.create(PODS, pod(), remember=False)
    answer = talk.patch(f"{PODS}/one", {"spec": change}, "strategic-merge-patch+json")
    assert answer.code in (200, 422), case
