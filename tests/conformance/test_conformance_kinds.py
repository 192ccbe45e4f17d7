"""Each kind that is served: the same life for all, and what is special to one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialogue import Dialogue, until

Json = dict[str, Any]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ARGO = "/apis/argoproj.io/v1alpha1"
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
CLAIM = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], "hostPath": {"path": "/nowhere"}}
IN_NAMESPACE = "{namespace}-one"  # for what has no namespace

POD: Json = {
    "containers": [{"name": "main", "image": "busybox", "command": ["true"]}],
    "restartPolicy": "Never",
    "schedulerName": "nobody",  # so that it is run nowhere
}

KINDS: dict[str, tuple[str, str, str, Json]] = {
    "ConfigMap": ("v1", "{ns}/configmaps", "one", {"data": {"a": "1"}, "binaryData": {"b": "YQ=="}}),
    "Secret": ("v1", "{ns}/secrets", "one", {"data": {"a": "MQ=="}}),
    # Without a token's volume, whose name is made up.
    "Pod": ("v1", "{ns}/pods", "one", {"spec": POD | {"automountServiceAccountToken": False}}),
    "Event": ("v1", "{ns}/events", "one", {"involvedObject": {"namespace": "{namespace}"}, "reason": "Seen"}),
    "ServiceAccount": ("v1", "{ns}/serviceaccounts", "one", {"automountServiceAccountToken": False}),
    "PersistentVolumeClaim": ("v1", "{ns}/persistentvolumeclaims", "one", {"spec": CLAIM}),
    "PersistentVolume": (
        "v1",
        "/api/v1/persistentvolumes",
        IN_NAMESPACE,
        {"spec": VOLUME | {"storageClassName": "none"}},
    ),
    "Namespace": ("v1", "/api/v1/namespaces", IN_NAMESPACE, {}),
    "Node": ("v1", "/api/v1/nodes", IN_NAMESPACE, {}),
    "StorageClass": (
        "storage.k8s.io/v1",
        "/apis/storage.k8s.io/v1/storageclasses",
        IN_NAMESPACE,
        {"provisioner": "example.com/elsewhere"},
    ),
    "Role": ("rbac.authorization.k8s.io/v1", f"{RBAC}/namespaces/{{namespace}}/roles", "one", {"rules": RULES}),
    "RoleBinding": (
        "rbac.authorization.k8s.io/v1",
        f"{RBAC}/namespaces/{{namespace}}/rolebindings",
        "one",
        {"roleRef": ROLE, "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}]},
    ),
    "ClusterRole": ("rbac.authorization.k8s.io/v1", f"{RBAC}/clusterroles", IN_NAMESPACE, {"rules": RULES}),
    "ClusterRoleBinding": (
        "rbac.authorization.k8s.io/v1",
        f"{RBAC}/clusterrolebindings",
        IN_NAMESPACE,
        {"roleRef": ROLE, "subjects": [{"kind": "Group", "name": "nobody", "apiGroup": ROLE["apiGroup"]}]},
    ),
    "WorkflowTemplate": (
        "argoproj.io/v1alpha1",
        f"{ARGO}/namespaces/{{namespace}}/workflowtemplates",
        "one",
        {"spec": {"templates": [{"name": "main", "container": {"image": "a", "command": ["true"]}}]}},
    ),
    "ClusterWorkflowTemplate": (
        "argoproj.io/v1alpha1",
        f"{ARGO}/clusterworkflowtemplates",
        IN_NAMESPACE,
        {"spec": {"templates": [{"name": "main", "container": {"image": "a", "command": ["true"]}}]}},
    ),
    "WorkflowTaskResult": (
        "argoproj.io/v1alpha1",
        f"{ARGO}/namespaces/{{namespace}}/workflowtaskresults",
        "one",
        {"outputs": {"parameters": [{"name": "a", "value": "1"}]}},
    ),
}


OF_OURS = pytest.mark.alone("the definitions of Argo's kinds are minimal ones here")
NOBODYS = pytest.mark.alone("a cluster's own controllers write into nodes")


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=NOBODYS if kind == "Node" else ()) for kind in KINDS])
def test_the_life_of_a(talk: Dialogue, kind: str) -> None:
    version, path, name, content = KINDS[kind]
    name = name.replace("{namespace}", talk.namespace)
    content = json.loads(json.dumps(content).replace("{namespace}", talk.namespace))
    body = {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "labels": {"of": talk.namespace}},
        **content,
    }
    talk.create(f"{path}?dryRun=All", body)
    talk.create(path, body)
    settle(talk, kind, f"{path}/{name}")
    assert talk.send("POST", path, body).reason == "AlreadyExists"
    found = talk.get(f"{path}/{name}")
    assert found.code == 200
    assert talk.get(f"{path}?labelSelector=of%3D{talk.namespace}").names == [name]
    marked = talk.patch(f"{path}/{name}", {"metadata": {"annotations": {"a": "b"}}})
    assert marked.body["metadata"]["annotations"]["a"] == "b"
    again = talk.send("PUT", f"{path}/{name}", marked.body)
    assert again.code == 200
    assert talk.patch(f"{path}/nope", {}).code == 404
    assert talk.send("DELETE", f"{path}/{name}").code == 200
    until(lambda: talk.get(f"{path}/{name}", remember=False).code == 404, f"{name} to go")


def settle(talk: Dialogue, kind: str, path: str) -> None:
    """Wait until the controllers have looked at a new object."""
    if kind == "PersistentVolume":
        until(lambda: talk.get(path, remember=False).body["status"].get("phase") == "Available", "the volume")
    if kind == "Node":
        until(lambda: is_seen(talk.get(path, remember=False).body), "the node to be seen by its controllers")


def is_seen(node: Json) -> bool:
    return "annotations" in node["metadata"] and "taints" not in node["spec"]


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("plain", {}),
        ("no-containers", {"containers": []}),
        ("nameless", {"containers": [{"image": "busybox"}]}),
        ("imageless", {"containers": [{"name": "main"}]}),
        ("name", {"containers": [{"name": "Main_One", "image": "busybox"}]}),
        ("twice", {"containers": [POD["containers"][0], POD["containers"][0]]}),
        ("policy", {"restartPolicy": "Sometimes"}),
        ("account", {"serviceAccountName": "nobody"}),
        (
            "resources",
            {"containers": [{**POD["containers"][0], "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]},
        ),
        ("latest", {"containers": [{**POD["containers"][0], "image": "busybox:1.36"}]}),
        ("env", {"containers": [{**POD["containers"][0], "env": [{"name": "A", "value": "1"}, {"name": "B"}]}]}),
        (
            "mount-missing",
            {"containers": [{**POD["containers"][0], "volumeMounts": [{"name": "x", "mountPath": "/x"}]}]},
        ),
        (
            "volumes",
            {
                "volumes": [
                    {"name": "x", "emptyDir": {}},
                    {"name": "y", "configMap": {"name": "settings"}},
                    {"name": "z", "secret": {"secretName": "secret"}},
                    {"name": "w", "persistentVolumeClaim": {"claimName": "results"}},
                ],
                "containers": [{**POD["containers"][0], "volumeMounts": [{"name": "x", "mountPath": "/x"}]}],
            },
        ),
        ("init", {"initContainers": [{"name": "first", "image": "busybox", "command": ["true"]}]}),
        ("deadline", {"activeDeadlineSeconds": 0}),
    ],
)
def test_pods_are_completed_or_refused(talk: Dialogue, case: str, change: Json) -> None:
    # A dry run, for here nobody is to run them; without a token's volume, whose name is made up.
    body = {"metadata": {"name": "one"}, "spec": {"automountServiceAccountToken": False, **POD, **change}}
    assert talk.send("POST", "{ns}/pods?dryRun=All", body).code in (201, 403, 422)


def test_events(talk: Dialogue) -> None:
    event = {
        "metadata": {"name": "one"},
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": talk.namespace},
        "reason": "Looked",
        "message": "at it",
        "type": "Normal",
    }
    talk.create("{ns}/events", event)
    assert talk.get("{ns}/events?fieldSelector=involvedObject.name%3Da,reason%3DLooked").names == ["one"]
    assert talk.get("{ns}/events?fieldSelector=reason%3DOther").names == []
    elsewhere = event | {"involvedObject": {"kind": "Pod", "name": "a", "namespace": "elsewhere"}}
    elsewhere["metadata"] = {"name": "two"}
    assert talk.send("POST", "{ns}/events", elsewhere).code == 422


def test_cluster_roles_are_aggregated(talk: Dialogue) -> None:
    name = f"{talk.namespace}-sum"
    part = f"{talk.namespace}-part"
    selector = {"clusterRoleSelectors": [{"matchLabels": {"sum-of": talk.namespace}}]}
    talk.create(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "aggregationRule": selector, "rules": []})
    talk.create(
        f"{RBAC}/clusterroles", {"metadata": {"name": part, "labels": {"sum-of": talk.namespace}}, "rules": RULES}
    )
    until(lambda: bool(talk.get(f"{RBAC}/clusterroles/{name}", remember=False).body.get("rules")), "the sum")
    assert talk.get(f"{RBAC}/clusterroles/{name}").body["rules"] == RULES
    for one in (name, part):
        talk.send("DELETE", f"{RBAC}/clusterroles/{one}", remember=False)


@OF_OURS
def test_definitions_of_argos_kinds_are_established(talk: Dialogue) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for plural in ("workflows", "workflowtemplates", "clusterworkflowtemplates", "workflowtaskresults"):
        found = talk.get(f"{path}/{plural}.argoproj.io", remember=False).body
        (version,) = found["spec"]["versions"]
        established = {one["type"]: one["status"] for one in found["status"]["conditions"]}
        kept = {key: found["spec"][key] for key in ("group", "names", "scope")}
        talk.remember(plural, version=version["name"], established=established["Established"], **kept)


@OF_OURS
@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("no-kind", {"kind": None}),
        ("wrong-kind", {"kind": "Workflow"}),
        ("wrong-version", {"apiVersion": "argoproj.io/v2"}),
        ("no-version", {"apiVersion": None}),
        ("no-spec", {"spec": None}),
        ("name", {"metadata": {"name": "Not_A_Name"}}),
        ("labels", {"metadata": {"name": "one", "labels": {"a": 1}}}),
    ],
)
def test_custom_objects_that_break_a_rule(talk: Dialogue, case: str, change: Json) -> None:
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": "one"},
        "spec": {"templates": []},
    }
    sent = {key: value for key, value in {**body, **change}.items() if value is not None}
    path = f"{ARGO}/namespaces/{{namespace}}/workflowtemplates"
    assert talk.send("POST", path, sent).code in (201, 400, 422)


SERVED = {
    "/api/v1": (
        *("configmaps", "events", "namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes", "pods"),
        *("pods/log", "secrets", "serviceaccounts", "serviceaccounts/token"),
    ),
    RBAC: ("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
    "/apis/storage.k8s.io/v1": ("storageclasses",),
    "/apis/authorization.k8s.io/v1": ("selfsubjectaccessreviews", "subjectaccessreviews", "localsubjectaccessreviews"),
    "/apis/authentication.k8s.io/v1": ("selfsubjectreviews", "tokenreviews"),
    ARGO: ("workflows", "workflowtemplates", "clusterworkflowtemplates", "cronworkflows", "workflowtaskresults"),
}


@pytest.mark.parametrize("path", SERVED)
def test_what_is_served_can_be_discovered(talk: Dialogue, path: str) -> None:
    told = talk.get(path, remember=False).body
    talk.remember(path, **{key: told.get(key) for key in ("kind", "apiVersion", "groupVersion")})
    found = {one["name"]: one for one in told["resources"]}
    for name in SERVED[path]:
        row = {key: value for key, value in found[name].items() if key != "storageVersionHash"}
        talk.remember(name, **row | {"verbs": sorted(row["verbs"])})


def test_groups_can_be_discovered(talk: Dialogue) -> None:
    groups = {one["name"]: one for one in talk.get("/apis", remember=False).body["groups"]}
    for name in ("argoproj.io", "rbac.authorization.k8s.io", "authorization.k8s.io", "authentication.k8s.io"):
        talk.remember(name, **groups[name])
        talk.get(f"/apis/{name}")
    assert talk.get("/apis/example.com").code == 404
    assert talk.get("/api", remember=False).body["versions"] == ["v1"]
