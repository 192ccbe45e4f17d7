"""ReplicaSets and Deployments: what they are completed with and refused for, and what their controllers do.

No node runs the pods: their scheduler is one that nobody has. The tests say what became of each, as a kubelet would.
"""

from __future__ import annotations

from typing import Any

import pytest
from dialogue import Answer, Dialogue, until

Json = dict[str, Any]
APPS = "/apis/apps/v1/namespaces/{namespace}"
DEPLOYMENTS = f"{APPS}/deployments"
SETS = f"{APPS}/replicasets"
CONTAINER: Json = {"name": "main", "image": "busybox:1.36", "command": ["true"]}
POD: Json = {"schedulerName": "nobody", "automountServiceAccountToken": False, "containers": [CONTAINER]}
LABELS = {"app": "web"}
TEMPLATE: Json = {"metadata": {"labels": LABELS}, "spec": POD}


def described(kind: str, name: str = "web", template: Json | None = None, **spec: Any) -> Json:
    """A Deployment or ReplicaSet."""
    body = {"selector": {"matchLabels": LABELS}, "template": template or TEMPLATE, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def deployment(**spec: Any) -> Json:
    return described("Deployment", **spec)


def replica_set(**spec: Any) -> Json:
    return described("ReplicaSet", **spec)


def with_pod(**pod: Any) -> Json:
    return {"template": TEMPLATE | {"spec": POD | pod}}


FULL_CONTAINER = CONTAINER | {
    "ports": [{"containerPort": 8080, "name": "http"}],
    "readinessProbe": {"httpGet": {"port": "http"}},
    "livenessProbe": {"tcpSocket": {"port": 8080}},
    "startupProbe": {"exec": {"command": ["true"]}, "failureThreshold": 30},
    "lifecycle": {"preStop": {"httpGet": {"port": 8080}}},
    "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
}


@pytest.mark.parametrize(
    ("case", "body"),
    [
        ("plain", deployment()),
        ("recreate", deployment(strategy={"type": "Recreate"})),
        ("numbers", deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}})),
        ("percent", deployment(strategy={"rollingUpdate": {"maxSurge": "200%"}})),
        ("container", deployment(**with_pod(containers=[FULL_CONTAINER]))),
        ("null-replicas", deployment(replicas=None)),
        ("no-replicas", deployment(replicas=0)),
        ("paused", deployment(paused=True)),
        ("without-selector", deployment(selector=None)),
        ("empty-selector", deployment(selector={})),
        ("other-labels", deployment(selector={"matchLabels": {"app": "other"}})),
        (
            "expression",
            deployment(selector={"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}),
        ),
        ("negative", deployment(replicas=-1)),
        ("strategy", deployment(strategy={"type": "Sudden"})),
        ("recreate-rolling", deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}})),
        ("no-way", deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})),
        ("bad-percent", deployment(strategy={"rollingUpdate": {"maxSurge": "many"}})),
        ("too-unavailable", deployment(strategy={"rollingUpdate": {"maxUnavailable": "101%"}})),
        ("deadline", deployment(progressDeadlineSeconds=5, minReadySeconds=10)),
        ("policy", deployment(**with_pod(restartPolicy="Never"))),
        ("pod-deadline", deployment(**with_pod(activeDeadlineSeconds=5))),
        ("no-containers", deployment(**with_pod(containers=[]))),
        ("history", deployment(revisionHistoryLimit=-1)),
    ],
)
def test_deployments_are_completed_or_refused(talk: Dialogue, case: str, body: Json) -> None:
    assert talk.send("POST", f"{DEPLOYMENTS}?dryRun=All", body).code in (201, 422), case


@pytest.mark.parametrize(
    ("case", "body"),
    [
        ("plain", replica_set()),
        ("none", replica_set(replicas=0)),
        ("without-selector", replica_set(selector=None)),
        ("empty-selector", replica_set(selector={})),
        ("other-labels", replica_set(selector={"matchLabels": {"app": "other"}})),
        ("negative", replica_set(replicas=-1, minReadySeconds=-1)),
        ("policy", replica_set(**with_pod(restartPolicy="OnFailure"))),
    ],
)
def test_replica_sets_are_completed_or_refused(talk: Dialogue, case: str, body: Json) -> None:
    assert talk.send("POST", f"{SETS}?dryRun=All", body).code in (201, 422), case


# Controllers


def settled(talk: Dialogue, path: str) -> None:
    """Wait until an object's controller has nothing left to say."""

    def is_settled() -> bool:
        found = talk.get(path, remember=False).body
        return bool((found.get("status") or {}).get("observedGeneration") == found["metadata"]["generation"])

    until(is_settled, f"the controller of {path}")


def count(talk: Dialogue, number: int, selector: str = "app%3Dweb") -> list[Json]:
    """Wait until there are so many pods, and none of them is leaving; the pods."""
    found: list[Json] = []

    def are_there() -> bool:
        found[:] = talk.get(f"{{ns}}/pods?labelSelector={selector}", remember=False).body["items"]
        return len(found) == number

    until(are_there, f"{number} pods")
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))


def make_ready(talk: Dialogue, pods: list[Json]) -> None:
    """Say of pods that they run and are ready."""
    for pod in pods:
        status = {"phase": "Running", "podIP": "10.1.2.3", "conditions": [{"type": "Ready", "status": "True"}]}
        path = f"{{ns}}/pods/{pod['metadata']['name']}/status"
        assert talk.patch(path, {"status": status}, remember=False).code == 200


def told(talk: Dialogue, path: str, **counts: int) -> Json:
    """Wait until a status says so; then the object as it was then, remembered: a moment later it may be another one."""
    answers: list[Answer] = []

    def is_so() -> bool:
        answers[:] = [talk.get(path, remember=False)]
        status = answers[0].body.get("status") or {}
        return all(status.get(field, 0) == number for field, number in counts.items())

    until(is_so, f"{counts} of {path}")
    talk.remember(f"GET {path}", code=answers[0].code, answer=answers[0].body)
    return dict(answers[0].body)


def test_a_replica_set_makes_its_pods(talk: Dialogue) -> None:
    talk.create(SETS, replica_set(replicas=2))
    pods = count(talk, 2)
    talk.get(f"{{ns}}/pods/{pods[0]['metadata']['name']}")
    told(talk, f"{SETS}/web", replicas=2, fullyLabeledReplicas=2)
    make_ready(talk, pods)
    told(talk, f"{SETS}/web", readyReplicas=2, availableReplicas=2)


def test_a_replica_set_is_scaled(talk: Dialogue) -> None:
    talk.create(SETS, replica_set(replicas=3))
    pods = count(talk, 3)
    make_ready(talk, pods[:1])
    told(talk, f"{SETS}/web", replicas=3, readyReplicas=1)
    scale = talk.get(f"{SETS}/web/scale")
    assert scale.body["status"] == {"replicas": 3, "selector": "app=web"}
    talk.patch(f"{SETS}/web/scale", {"spec": {"replicas": 1}})
    (left,) = count(talk, 1)
    assert left["metadata"]["name"] == pods[0]["metadata"]["name"]  # what is ready stays
    told(talk, f"{SETS}/web", replicas=1)
    talk.patch(f"{SETS}/web/scale", {"spec": {"replicas": -1}})
    talk.send("PUT", f"{SETS}/web/scale", scale.body)
    talk.patch(f"{SETS}/web/scale", {"spec": {"replicas": 0}})
    told(talk, f"{SETS}/web", replicas=0)
    talk.get(f"{SETS}/web/scale")


def test_a_replica_set_takes_up_orphans_and_lets_go(talk: Dialogue) -> None:
    orphan = {"metadata": {"name": "orphan", "labels": LABELS}, "spec": POD}
    talk.create("{ns}/pods", orphan, remember=False)
    talk.create(SETS, replica_set(replicas=2))
    count(talk, 2)
    until(lambda: talk.get("{ns}/pods/orphan", remember=False).body["metadata"].get("ownerReferences"), "the adoption")
    assert talk.get("{ns}/pods/orphan").body["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
    talk.patch("{ns}/pods/orphan", {"metadata": {"labels": {"app": "own"}}})
    until(
        lambda: not talk.get("{ns}/pods/orphan", remember=False).body["metadata"].get("ownerReferences"),
        "the release",
    )
    count(talk, 2)
    told(talk, f"{SETS}/web", replicas=2)


def test_a_pod_that_ends_is_replaced(talk: Dialogue) -> None:
    talk.create(SETS, replica_set(replicas=1))
    (pod,) = count(talk, 1)
    talk.patch(f"{{ns}}/pods/{pod['metadata']['name']}/status", {"status": {"phase": "Failed"}}, remember=False)
    count(talk, 2)
    told(talk, f"{SETS}/web", replicas=1)


@pytest.mark.parametrize(("case", "policy"), [("background", "Background"), ("orphan", "Orphan")])
def test_what_a_replica_set_owns_when_it_goes(talk: Dialogue, case: str, policy: str) -> None:
    talk.create(SETS, replica_set(replicas=1))
    count(talk, 1)
    told(talk, f"{SETS}/web", replicas=1)
    talk.send("DELETE", f"{SETS}/web", {"propagationPolicy": policy}, remember=False)
    if case == "background":
        count(talk, 0)
        return
    until(lambda: talk.get(f"{SETS}/web", remember=False).code == 404, "its end")
    (pod,) = count(talk, 1)
    assert "ownerReferences" not in pod["metadata"]


def one_set(talk: Dialogue, number: int = 1) -> list[Json]:
    """Wait for so many ReplicaSets; they, the oldest first."""
    found: list[Json] = []

    def are_there() -> bool:
        found[:] = talk.get(SETS, remember=False).body["items"]
        return len(found) == number

    until(are_there, f"{number} replica sets")
    key = "deployment.kubernetes.io/revision"
    return sorted(found, key=lambda one: int(one["metadata"]["annotations"].get(key, 0)))


def complete(talk: Dialogue, number: int, condition: str = "NewReplicaSetAvailable") -> Json:
    """Make pods ready until the rollout is over; the Deployment, remembered."""

    def is_over() -> bool:
        pods = talk.get("{ns}/pods", remember=False).body["items"]
        make_ready(talk, [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Pending"])
        found = talk.get(f"{DEPLOYMENTS}/web", remember=False).body
        status = found.get("status") or {}
        conditions = {one["type"]: one["reason"] for one in status.get("conditions") or ()}
        counts = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas")]
        seen = status.get("observedGeneration") == found["metadata"]["generation"]
        settled = seen and not status.get("terminatingReplicas")
        return settled and counts == [number] * 3 and conditions.get("Progressing") == condition

    until(is_over, "the rollout")
    return dict(talk.get(f"{DEPLOYMENTS}/web").body)


def test_a_deployment_makes_a_replica_set(talk: Dialogue) -> None:
    body = deployment(replicas=2)
    body["metadata"] |= {"annotations": {"note": "n"}, "labels": {"mine": "yes"}}
    talk.create(DEPLOYMENTS, body)
    (made,) = one_set(talk)
    count(talk, 2)
    told(talk, f"{DEPLOYMENTS}/web", replicas=2, unavailableReplicas=2)
    name = made["metadata"]["name"]
    told(talk, f"{SETS}/{name}", replicas=2)
    talk.get(f"{{ns}}/pods/{count(talk, 2)[0]['metadata']['name']}")
    found = complete(talk, 2)
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


def test_a_deployment_is_rolled_out_and_back(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=2), remember=False)
    complete(talk, 2)
    changed = POD | {"containers": [CONTAINER | {"image": "busybox:1.37"}]}
    talk.patch(f"{DEPLOYMENTS}/web", {"spec": {"template": {"spec": changed}}})
    complete(talk, 2)
    first, second = one_set(talk, 2)
    assert [one["spec"]["replicas"] for one in (first, second)] == [0, 2]
    talk.get(f"{SETS}/{first['metadata']['name']}")
    talk.get(f"{SETS}/{second['metadata']['name']}")
    talk.patch(f"{DEPLOYMENTS}/web", {"spec": {"template": {"spec": POD}}})
    found = complete(talk, 2)
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    talk.get(f"{SETS}/{first['metadata']['name']}")


def test_a_rollout_that_cannot_go_on_keeps_what_works(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=4), remember=False)
    complete(talk, 4)
    changed = POD | {"containers": [CONTAINER | {"image": "busybox:1.37"}]}
    talk.patch(f"{DEPLOYMENTS}/web", {"spec": {"template": {"spec": changed}}}, remember=False)
    one_set(talk, 2)
    found = told(talk, f"{DEPLOYMENTS}/web", replicas=5, updatedReplicas=2, availableReplicas=3)
    assert found["status"]["unavailableReplicas"] == 2
    count(talk, 5)


def test_all_at_once(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=2, strategy={"type": "Recreate"}), remember=False)
    complete(talk, 2)
    changed = POD | {"containers": [CONTAINER | {"image": "busybox:1.37"}]}
    talk.patch(f"{DEPLOYMENTS}/web", {"spec": {"template": {"spec": changed}}}, remember=False)
    complete(talk, 2)
    first, second = one_set(talk, 2)
    assert [one["spec"]["replicas"] for one in (first, second)] == [0, 2]


def test_a_deployment_is_scaled(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=1), remember=False)
    complete(talk, 1)
    talk.get(f"{DEPLOYMENTS}/web/scale")
    talk.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 3}})
    complete(talk, 3)
    (made,) = one_set(talk)
    assert made["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"] == "3"
    talk.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 0}})
    complete(talk, 0)


def test_a_paused_deployment_is_not_rolled_out(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=1), remember=False)
    complete(talk, 1)
    changed = POD | {"containers": [CONTAINER | {"image": "busybox:1.37"}]}
    talk.patch(f"{DEPLOYMENTS}/web", {"spec": {"paused": True, "template": {"spec": changed}}}, remember=False)
    settled(talk, f"{DEPLOYMENTS}/web")

    def is_told() -> bool:
        conditions = talk.get(f"{DEPLOYMENTS}/web", remember=False).body["status"]["conditions"]
        return any(one["reason"] == "DeploymentPaused" for one in conditions)

    until(is_told, "the pause")
    talk.get(f"{DEPLOYMENTS}/web")
    one_set(talk)
    talk.patch(f"{DEPLOYMENTS}/web", {"spec": {"paused": False}}, remember=False)
    complete(talk, 1)
    one_set(talk, 2)


def test_old_replica_sets_are_kept_as_far_as_is_wanted(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=1, revisionHistoryLimit=1), remember=False)
    complete(talk, 1)
    for tag in ("1.37", "1.38"):
        changed = POD | {"containers": [CONTAINER | {"image": f"busybox:{tag}"}]}
        talk.patch(f"{DEPLOYMENTS}/web", {"spec": {"template": {"spec": changed}}}, remember=False)
        complete(talk, 1)
    left = one_set(talk, 2)
    assert [one["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for one in left] == ["2", "3"]


def test_the_selector_stays(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=0), remember=False)
    other = {"selector": {"matchLabels": {"b": "c"}}, "template": {"metadata": {"labels": {"b": "c"}}}}
    assert talk.patch(f"{DEPLOYMENTS}/web", {"spec": other}).code == 422


def test_annotations_of_a_deployment_count_as_a_wish(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=0), remember=False)
    one_set(talk)
    complete(talk, 0)
    talk.patch(f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"a": "b"}}})
    talk.patch(f"{DEPLOYMENTS}/web", {"metadata": {"annotations": {"a": "b"}}})
    (made,) = one_set(talk)
    until(
        lambda: "a" in talk.get(f"{SETS}/{made['metadata']['name']}", remember=False).body["metadata"]["annotations"],
        "the annotation of the replica set",
    )


def test_a_deployment_goes_with_what_it_owns(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=1), remember=False)
    count(talk, 1)
    settled(talk, f"{DEPLOYMENTS}/web")
    talk.send("DELETE", f"{DEPLOYMENTS}/web", {"propagationPolicy": "Foreground"}, remember=False)
    until(lambda: talk.get(f"{DEPLOYMENTS}/web", remember=False).code == 404, "its end")
    one_set(talk, 0)
    count(talk, 0)


def test_events_tell_what_was_done(talk: Dialogue) -> None:
    talk.create(DEPLOYMENTS, deployment(replicas=1), remember=False)
    complete(talk, 1)
    found: list[tuple[str, str]] = []

    def are_told() -> bool:
        found[:] = [
            (one["reason"], one["source"]["component"]) for one in talk.get("{ns}/events", remember=False).body["items"]
        ]
        return {"ScalingReplicaSet", "SuccessfulCreate"} <= {reason for reason, _ in found}

    until(are_told, "the events")
    talk.remember("events", told=sorted(set(found)))
