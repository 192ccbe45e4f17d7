"""Jobs: what they are completed with and refused for, and what their controller does when their pods end.

No node runs the pods: their scheduler is one that nobody has. The tests say how each pod ends, as a kubelet would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dialogue import Answer, Dialogue, until

Json = dict[str, Any]
JOBS = "/apis/batch/v1/namespaces/{namespace}/jobs"
CONTAINER: Json = {"name": "main", "image": "busybox:1.36", "command": ["true"]}
POD: Json = {
    "restartPolicy": "Never",
    "schedulerName": "nobody",
    "automountServiceAccountToken": False,
    "containers": [CONTAINER],
}


def job(name: str = "one", pod: Json | None = None, template: Json | None = None, **spec: Any) -> Json:
    """A job; pod, template: what is added to the pod's specification, and to the template."""
    body = {"template": {"spec": POD | (pod or {}), **(template or {})}, **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": body}


def rule(action: str, **what: Any) -> Json:
    return {"action": action, **what}


ON_THREE = {"onExitCodes": {"operator": "In", "values": [3]}}
INDEXED = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}


@pytest.mark.parametrize(
    ("case", "body"),
    [
        ("plain", job()),
        ("queue", job(parallelism=2)),
        ("fixed-count", job(completions=3)),
        ("nothing-parallel", job(parallelism=0)),
        ("labels", job(template={"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}})),
        ("own-labels", job() | {"metadata": {"name": "one", "labels": {"mine": "yes"}}}),
        ("indexed", job(**INDEXED)),
        ("per-index", job(**INDEXED, backoffLimitPerIndex=1, maxFailedIndexes=2)),
        ("failure-policy", job(podFailurePolicy={"rules": [rule("FailJob", **ON_THREE)]})),
        (
            "pod-condition",
            job(podFailurePolicy={"rules": [rule("Ignore", onPodConditions=[{"type": "DisruptionTarget"}])]}),
        ),
        ("success-policy", job(**INDEXED, successPolicy={"rules": [{"succeededIndexes": "0,2"}]})),
        ("suspended", job(suspend=True)),
        ("managed-elsewhere", job(managedBy="example.com/elsewhere")),
        (
            "manual-selector",
            job(
                manualSelector=True,
                selector={"matchLabels": {"a": "b"}},
                template={"metadata": {"labels": {"a": "b"}}},
            ),
        ),
        ("restarted", job(pod={"restartPolicy": "OnFailure"})),
        ("deadlines", job(activeDeadlineSeconds=60, ttlSecondsAfterFinished=0)),
        ("status", job() | {"status": {"active": 3}}),
    ],
)
def test_what_a_job_is_completed_with(talk: Dialogue, case: str, body: Json) -> None:
    assert talk.send("POST", f"{JOBS}?dryRun=All", body).code == 201


@pytest.mark.parametrize(
    ("case", "body"),
    [
        ("always-restarted", job(pod={"restartPolicy": "Always"})),
        ("no-policy", {"metadata": {"name": "one"}, "spec": {"template": {"spec": {"containers": [CONTAINER]}}}}),
        ("strange-policy", job(pod={"restartPolicy": "Sometimes"})),
        ("no-template", {"metadata": {"name": "one"}, "spec": {}}),
        ("nothing", {"metadata": {"name": "one"}}),
        ("no-containers", job(pod={"containers": []})),
        ("imageless", job(pod={"containers": [{"name": "main"}]})),
        ("negative", job(parallelism=-1, completions=-2, backoffLimit=-3)),
        ("more-negative", job(activeDeadlineSeconds=-1, ttlSecondsAfterFinished=-1)),
        ("mode", job(completionMode="Sorted")),
        ("indexed-endless", job(completionMode="Indexed", parallelism=1)),
        ("indexed-too-parallel", job(completionMode="Indexed", completions=3, parallelism=100001)),
        ("indexed-long-name", job("a" * 62, completionMode="Indexed", completions=3)),
        ("indexed-dots", job("a.b", completionMode="Indexed", completions=3)),
        ("per-index-plain", job(backoffLimitPerIndex=1)),
        ("max-failed-alone", job(**INDEXED, maxFailedIndexes=1)),
        ("max-failed-many", job(**INDEXED, backoffLimitPerIndex=1, maxFailedIndexes=4)),
        ("very-many", job(completionMode="Indexed", completions=100001, parallelism=10001, backoffLimitPerIndex=1)),
        ("own-selector", job(selector={"matchLabels": {"a": "b"}})),
        ("own-job-name", job(template={"metadata": {"labels": {"job-name": "other"}}})),
        ("manual-without", job(manualSelector=True)),
        (
            "manual-unlike",
            job(
                manualSelector=True,
                selector={"matchLabels": {"a": "b"}},
                template={"metadata": {"labels": {"a": "c"}}},
            ),
        ),
        ("manager", job(managedBy="elsewhere")),
        ("replacement", job(podReplacementPolicy="Never")),
        (
            "replacement-with-policy",
            job(podReplacementPolicy="TerminatingOrFailed", podFailurePolicy={"rules": [rule("FailJob", **ON_THREE)]}),
        ),
        ("rule-empty", job(podFailurePolicy={"rules": [{}]})),
        ("rule-action", job(podFailurePolicy={"rules": [rule("Retry", **ON_THREE)]})),
        ("rule-index", job(podFailurePolicy={"rules": [rule("FailIndex", **ON_THREE)]})),
        (
            "rule-codes",
            job(
                podFailurePolicy={
                    "rules": [
                        rule("Count", onExitCodes={"operator": "In", "values": [3, 0, 3], "containerName": "other"}),
                        rule("Count", onExitCodes={"operator": "Is", "values": []}),
                    ]
                }
            ),
        ),
        ("rule-both", job(podFailurePolicy={"rules": [rule("Count", **ON_THREE, onPodConditions=[{"type": "A"}])]})),
        (
            "policy-restarts",
            job(pod={"restartPolicy": "OnFailure"}, podFailurePolicy={"rules": [rule("Count", **ON_THREE)]}),
        ),
        ("success-plain", job(successPolicy={"rules": [{"succeededCount": 1}]})),
        ("success-none", job(**INDEXED, successPolicy={"rules": []})),
        ("success-empty", job(**INDEXED, successPolicy={"rules": [{}]})),
        ("success-indexes", job(**INDEXED, successPolicy={"rules": [{"succeededIndexes": "2,1"}]})),
        ("success-large", job(**INDEXED, successPolicy={"rules": [{"succeededIndexes": "0-7"}]})),
        ("success-words", job(**INDEXED, successPolicy={"rules": [{"succeededIndexes": "a"}]})),
        ("success-count", job(**INDEXED, successPolicy={"rules": [{"succeededIndexes": "0,1", "succeededCount": 4}]})),
        ("template-label", job(template={"metadata": {"labels": {"a": "b c"}}})),
        ("account", job(pod={"serviceAccountName": "nobody"})),
    ],
)
def test_what_a_job_is_refused_for(talk: Dialogue, case: str, body: Json) -> None:
    assert talk.send("POST", f"{JOBS}?dryRun=All", body).code in (201, 422)


@pytest.mark.parametrize(
    ("case", "start", "change"),
    [
        ("parallelism", {}, {"parallelism": 2}),
        ("completions", {}, {"completions": 2}),
        ("backoff", {}, {"backoffLimit": 1}),
        ("deadline", {}, {"activeDeadlineSeconds": 99}),
        ("ttl", {}, {"ttlSecondsAfterFinished": 99}),
        ("suspend", {}, {"suspend": False}),
        ("mode", {}, {"completionMode": "Indexed"}),
        ("selector", {}, {"selector": {"matchLabels": {"a": "b"}}}),
        ("scaled", INDEXED, {"completions": 2, "parallelism": 2}),
        ("half-scaled", INDEXED, {"completions": 2}),
        ("policy", {}, {"podFailurePolicy": {"rules": [rule("FailJob", **ON_THREE)]}}),
        ("node-selector", {}, {"template": {"spec": {"nodeSelector": {"a": "b"}}}}),
    ],
)
def test_what_of_a_job_can_be_changed(talk: Dialogue, case: str, start: Json, change: Json) -> None:
    talk.create(JOBS, job(**start, suspend=True))
    until(lambda: has(talk, "Suspended"), "the job to be suspended")
    assert talk.patch(f"{JOBS}/one", {"spec": change}).code in (200, 422)


def test_the_template_of_a_job_stays(talk: Dialogue) -> None:
    talk.create(JOBS, job(parallelism=0))
    changed = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}
    answer = talk.patch(f"{JOBS}/one", changed, remember=False)
    causes = [(cause["field"], cause["reason"]) for cause in answer.body["details"]["causes"]]
    talk.remember("a change of the template", code=answer.code, causes=causes)


def test_the_life_of_a_job(talk: Dialogue) -> None:
    body = job(suspend=True)
    body["metadata"]["labels"] = {"of": talk.namespace}
    talk.create(JOBS, body)
    until(lambda: has(talk, "Suspended"), "the job to be suspended")
    assert talk.send("POST", JOBS, body).reason == "AlreadyExists"
    assert talk.get(f"{JOBS}?labelSelector=of%3D{talk.namespace}").names == ["one"]
    assert talk.patch(f"{JOBS}/one", {"metadata": {"annotations": {"a": "b"}}}).code == 200
    found = talk.get(f"{JOBS}/one")
    assert talk.send("PUT", f"{JOBS}/one", found.body).code == 200
    refused = talk.send("PUT", f"{JOBS}/one", body, remember=False)
    fields = [cause["field"] for cause in refused.body["details"]["causes"]]
    talk.remember("without what the server has filled in", code=refused.code, fields=fields)
    del found.body["metadata"]["uid"]
    assert talk.send("PUT", f"{JOBS}/one", found.body, remember=False).code == 200
    del found.body["metadata"]["resourceVersion"]
    assert talk.send("PUT", f"{JOBS}/one", found.body, remember=False).code == 200
    assert talk.get(f"{JOBS}/one/status").code == 200
    assert talk.get(f"{JOBS}?fieldSelector=status.failed%3D1").code == 400
    assert talk.send("POST", JOBS, job("no.label"), remember=False).code == 201
    assert talk.get(f"{JOBS}/nope").code == 404
    generated = {**job(suspend=True), "metadata": {"generateName": "some-"}}
    made = talk.create(JOBS, generated, remember=False)
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels["job-name"] == made["metadata"]["name"]
    table = talk.get(f"{JOBS}/one", accept="application/json;as=Table;g=meta.k8s.io;v=v1", remember=False).body
    kept = ("name", "type", "format", "priority")
    shown = [{key: column[key] for key in kept} for column in table["columnDefinitions"]]
    cells = [cell for column, cell in zip(shown, table["rows"][0]["cells"], strict=True) if column["name"] != "Age"]
    talk.remember("as a table", columns=shown, cells=cells)


def test_jobs_can_be_discovered(talk: Dialogue) -> None:
    talk.get("/apis/batch")
    rows = {one["name"]: one for one in talk.get("/apis/batch/v1", remember=False).body["resources"]}
    for name in ("jobs", "jobs/status"):
        row = {key: value for key, value in rows[name].items() if key != "storageVersionHash"}
        talk.remember(name, **row | {"verbs": sorted(row["verbs"])})


def test_rights_to_jobs(talk: Dialogue) -> None:
    subject = {"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    assert talk.get(JOBS, user="bob").code == 403
    binding = {"metadata": {"name": "bob"}, "subjects": [subject], "roleRef": role}
    talk.create(path, binding, remember=False)
    until(lambda: talk.get(JOBS, user="bob", remember=False).code == 200, "the right to list jobs")
    assert talk.send("POST", JOBS, job(suspend=True), user="bob", remember=False).code == 201
    assert talk.get(f"{JOBS}/one/status", user="bob", remember=False).code == 200
    assert talk.patch(f"{JOBS}/one/status", {"status": {}}, user="bob").code == 403


# Its controller


def found(talk: Dialogue, name: str = "one") -> Json:
    answer = talk.get(f"{JOBS}/{name}", remember=False)
    assert answer.code == 200, answer.body
    return dict(answer.body)


def has(talk: Dialogue, condition: str, name: str = "one") -> bool:
    conditions = found(talk, name)["status"].get("conditions") or ()
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)


def status_of(talk: Dialogue, name: str = "one") -> Json:
    return dict(found(talk, name)["status"])


def pods_of(talk: Dialogue, name: str = "one") -> list[Json]:
    listed = talk.get(f"{{ns}}/pods?labelSelector=job-name%3D{name}", remember=False)
    return sorted(listed.body["items"], key=lambda pod: int(pod["metadata"]["resourceVersion"]))


def active(talk: Dialogue, name: str = "one") -> list[Json]:
    return [pod for pod in pods_of(talk, name) if is_active(pod)]


def is_active(pod: Json) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] in ("Pending", "Running")


def wait_for_pods(talk: Dialogue, count: int, name: str = "one") -> list[Json]:
    """As many pods as are to be active, which the job knows of."""
    until(lambda: len(active(talk, name)) == count == status_of(talk, name).get("active", 0), f"{count} active pods")
    return active(talk, name)


def index(pod: Json) -> int:
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])


def by_index(pods: list[Json]) -> list[Json]:
    return sorted(pods, key=index)


def end(talk: Dialogue, pod: Json, code: int = 0, **status: Any) -> None:
    """The pod's container ended with this code."""
    terminated = {"exitCode": code, "finishedAt": "2026-11-20T10:42:00Z", "startedAt": "2026-11-20T10:41:00Z"}
    container = {"name": "main", "image": "busybox:1.36", "imageID": "", "ready": False, "restartCount": 0}
    told = {"phase": "Failed" if code else "Succeeded", **status}
    told["containerStatuses"] = [container | {"state": {"terminated": terminated}}]
    path = f"{{ns}}/pods/{pod['metadata']['name']}/status"
    answer = talk.patch(path, {"status": told}, remember=False)
    assert answer.code == 200, answer.body


def tell(talk: Dialogue, what: str, name: str = "one") -> None:
    """Keep how a job is."""
    meta = found(talk, name)["metadata"]
    talk.remember(what, status=status_of(talk, name), generation=meta["generation"])


def tell_pods(talk: Dialogue, name: str = "one") -> None:
    """Keep how the pods of a job are, which also tells their names."""
    ordered = sorted(pods_of(talk, name), key=lambda pod: (pod["metadata"]["generateName"], pod["status"]["phase"]))
    talk.remember("the pods", pods=[{"metadata": pod["metadata"], "phase": pod["status"]["phase"]} for pod in ordered])


def tell_events(talk: Dialogue, name: str = "one") -> None:
    """Keep what is told about a job, in any order."""
    path = f"{{ns}}/events?fieldSelector=involvedObject.kind%3DJob,involvedObject.name%3D{name}"
    events = talk.get(path, remember=False).body["items"]
    told = [{key: event[key] for key in ("reason", "message", "type", "source")} for event in events]
    known = {pod["metadata"]["name"]: pod["metadata"]["generateName"] + "<5>" for pod in pods_of(talk, name)}
    for event in told:
        for each, mark in known.items():
            event["message"] = event["message"].replace(each, mark)
    talk.remember("the events", events=sorted(told, key=lambda event: (event["reason"], event["message"])))


def told(talk: Dialogue, reason: str, name: str = "one") -> bool:
    path = f"{{ns}}/events?fieldSelector=involvedObject.kind%3DJob,involvedObject.name%3D{name},reason%3D{reason}"
    return bool(talk.get(path, remember=False).body["items"])


def test_a_job_succeeds_with_its_pod(talk: Dialogue) -> None:
    talk.create(JOBS, job())
    (pod,) = wait_for_pods(talk, 1)
    talk.get(f"{{ns}}/pods/{pod['metadata']['name']}", remember=False)
    tell_pods(talk)
    talk.remember("its specification", spec=pod["spec"])
    tell(talk, "while it runs")
    end(talk, pod)
    until(lambda: has(talk, "Complete"), "the job to be complete")
    tell(talk, "at its end")
    tell_pods(talk)
    until(lambda: told(talk, "Completed"), "the last event")
    tell_events(talk)
    assert talk.get(f"{JOBS}?fieldSelector=status.successful%3D1").names == ["one"]
    assert talk.get(f"{JOBS}?fieldSelector=status.successful%3D0").names == []


def test_ready_pods_are_counted(talk: Dialogue) -> None:
    talk.create(JOBS, job())
    (pod,) = wait_for_pods(talk, 1)
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    talk.patch(f"{{ns}}/pods/{pod['metadata']['name']}/status", {"status": running}, remember=False)
    until(lambda: status_of(talk).get("ready") == 1, "a ready pod")
    tell(talk, "while it is ready")


def test_a_failed_pod_is_replaced_after_a_while(talk: Dialogue) -> None:
    talk.create(JOBS, job(backoffLimit=1))
    (first,) = wait_for_pods(talk, 1)
    end(talk, first, 1)
    until(lambda: status_of(talk).get("failed") == 1, "the failure to be counted")
    (second,) = wait_for_pods(talk, 1)
    tell_pods(talk)
    tell(talk, "after one failure")
    end(talk, second, 1)
    until(lambda: has(talk, "Failed"), "the job to fail")
    tell(talk, "at its end")
    until(lambda: told(talk, "BackoffLimitExceeded"), "the last event")
    tell_events(talk)


def test_a_job_without_retries_fails_at_once(talk: Dialogue) -> None:
    talk.create(JOBS, job(backoffLimit=0, completions=2, parallelism=2))
    one, _ = wait_for_pods(talk, 2)
    end(talk, one, 1)
    until(lambda: has(talk, "Failed"), "the job to fail")
    tell(talk, "at its end")
    tell_pods(talk)


def test_containers_that_are_restarted_count_as_failures(talk: Dialogue) -> None:
    talk.create(JOBS, job(pod={"restartPolicy": "OnFailure"}, backoffLimit=2))
    (pod,) = wait_for_pods(talk, 1)
    container = {"name": "main", "image": "busybox:1.36", "imageID": "", "ready": True, "restartCount": 2}
    container["state"] = {"running": {"startedAt": "2026-11-20T10:41:00Z"}}
    running = {"phase": "Running", "containerStatuses": [container]}
    talk.patch(f"{{ns}}/pods/{pod['metadata']['name']}/status", {"status": running}, remember=False)
    until(lambda: has(talk, "Failed"), "the job to fail")
    tell(talk, "at its end")


def test_only_so_many_pods_at_a_time(talk: Dialogue) -> None:
    talk.create(JOBS, job(completions=3, parallelism=2))
    one, _ = wait_for_pods(talk, 2)
    end(talk, one)
    until(lambda: status_of(talk).get("succeeded") == 1, "one success")
    two, three = wait_for_pods(talk, 2)
    tell(talk, "after one success")
    end(talk, two)
    until(lambda: status_of(talk).get("succeeded") == 2, "two successes")
    wait_for_pods(talk, 1)
    tell(talk, "after two")
    end(talk, three)
    until(lambda: has(talk, "Complete"), "the job to be complete")
    tell(talk, "at its end")


def test_parallelism_can_be_lowered_and_raised(talk: Dialogue) -> None:
    talk.create(JOBS, job(completions=5, parallelism=3))
    wait_for_pods(talk, 3)
    talk.patch(f"{JOBS}/one", {"spec": {"parallelism": 1}}, remember=False)
    wait_for_pods(talk, 1)
    until(lambda: status_of(talk)["terminating"] == 0, "the others to be gone")
    tell(talk, "with one")
    talk.patch(f"{JOBS}/one", {"spec": {"parallelism": 2}}, remember=False)
    wait_for_pods(talk, 2)
    tell(talk, "with two")


def test_a_queue_of_work_ends_with_its_last_pod(talk: Dialogue) -> None:
    talk.create(JOBS, job(parallelism=2))
    one, two = wait_for_pods(talk, 2)
    end(talk, one)
    until(lambda: status_of(talk).get("succeeded") == 1, "one success")
    wait_for_pods(talk, 1)
    tell(talk, "after one success")
    end(talk, two, 1)
    until(lambda: has(talk, "Complete"), "the job to be complete")
    tell(talk, "at its end")


def test_nothing_to_do_is_done(talk: Dialogue) -> None:
    talk.create(JOBS, job(completions=0))
    until(lambda: has(talk, "Complete"), "the job to be complete")
    tell(talk, "at its end")


def test_a_job_that_is_suspended_has_no_pods(talk: Dialogue) -> None:
    talk.create(JOBS, job(suspend=True))
    until(lambda: has(talk, "Suspended"), "the job to be suspended")
    tell(talk, "from the start")
    talk.patch(f"{JOBS}/one", {"spec": {"suspend": False}}, remember=False)
    wait_for_pods(talk, 1)
    until(lambda: not has(talk, "Suspended"), "the job to be resumed")
    tell(talk, "resumed")
    talk.patch(f"{JOBS}/one", {"spec": {"suspend": True}}, remember=False)
    until(lambda: has(talk, "Suspended") and not pods_of(talk), "the job to be suspended again")
    until(lambda: not status_of(talk).get("terminating"), "its pod to be gone")
    tell(talk, "suspended again")
    until(lambda: told(talk, "SuccessfulDelete"), "the last event")
    path = "{ns}/events?fieldSelector=involvedObject.name%3Done"
    events = talk.get(path, remember=False).body["items"]
    talk.remember("the events", reasons=sorted({event["reason"] for event in events}))


def test_a_deadline_ends_a_job(talk: Dialogue) -> None:
    talk.create(JOBS, job(activeDeadlineSeconds=1))
    until(lambda: has(talk, "Failed"), "the job to fail")
    tell(talk, "at its end")
    assert pods_of(talk) == []
    until(lambda: told(talk, "DeadlineExceeded"), "the last event")


def test_an_indexed_job_completes_index_by_index(talk: Dialogue) -> None:
    talk.create(JOBS, job(completionMode="Indexed", completions=4, parallelism=3))
    zero, one, two = by_index(wait_for_pods(talk, 3))
    tell_pods(talk)
    talk.remember("the specification of the second", spec=one["spec"])
    end(talk, two)
    until(lambda: status_of(talk).get("completedIndexes") == "2", "the third index")
    *_, three = by_index(wait_for_pods(talk, 3))
    tell(talk, "after one success")
    end(talk, zero)
    until(lambda: status_of(talk).get("completedIndexes") == "0,2", "the first index")
    end(talk, three)
    until(lambda: status_of(talk).get("completedIndexes") == "0,2,3", "the last index")
    tell(talk, "after three")
    end(talk, one)
    until(lambda: has(talk, "Complete"), "the job to be complete")
    tell(talk, "at its end")


def test_a_failed_index_is_tried_again(talk: Dialogue) -> None:
    talk.create(JOBS, job(completionMode="Indexed", completions=2, parallelism=2))
    zero, one = by_index(wait_for_pods(talk, 2))
    end(talk, zero)
    end(talk, one, 1)
    until(lambda: status_of(talk).get("failed") == 1, "the failure to be counted")
    (again,) = wait_for_pods(talk, 1)
    assert index(again) == 1
    tell(talk, "after one failure")
    end(talk, again)
    until(lambda: has(talk, "Complete"), "the job to be complete")
    tell(talk, "at its end")


def test_failures_are_counted_for_each_index(talk: Dialogue) -> None:
    talk.create(JOBS, job(completionMode="Indexed", completions=2, parallelism=2, backoffLimitPerIndex=1))
    zero, one = by_index(wait_for_pods(talk, 2))
    talk.remember("annotations", of=[pod["metadata"]["annotations"] for pod in (zero, one)])
    end(talk, zero, 1)
    until(lambda: len(active(talk)) == 2, "the first index to be tried again")
    again, _ = by_index(wait_for_pods(talk, 2))
    talk.remember("annotations of the second try", of=again["metadata"]["annotations"])
    until(lambda: status_of(talk).get("failed") == 1, "the failure to be counted")
    tell(talk, "after one failure")
    end(talk, again, 1)
    until(lambda: status_of(talk).get("failed") == 2, "the first index to be lost")
    tell(talk, "after two")
    end(talk, one)
    until(lambda: has(talk, "Failed"), "the job to fail")
    tell(talk, "at its end")
    until(lambda: told(talk, "FailedIndexes"), "the last event")


def test_too_many_failed_indexes_end_a_job(talk: Dialogue) -> None:
    limits = {"backoffLimitPerIndex": 0, "maxFailedIndexes": 0}
    talk.create(JOBS, job(completionMode="Indexed", completions=3, parallelism=2, **limits))
    zero, _ = by_index(wait_for_pods(talk, 2))
    end(talk, zero, 1)
    until(lambda: has(talk, "Failed"), "the job to fail")
    tell(talk, "at its end")


def test_enough_successes_end_a_job(talk: Dialogue) -> None:
    policy = {"rules": [{"succeededIndexes": "0"}, {"succeededIndexes": "1-2", "succeededCount": 1}]}
    talk.create(JOBS, job(**INDEXED, successPolicy=policy))
    *_, two = by_index(wait_for_pods(talk, 3))
    end(talk, two)
    until(lambda: has(talk, "Complete"), "the job to be complete")
    tell(talk, "at its end")
    tell_pods(talk)


def test_an_exit_code_ends_a_job(talk: Dialogue) -> None:
    talk.create(JOBS, job(podFailurePolicy={"rules": [rule("FailJob", **ON_THREE)]}))
    (pod,) = wait_for_pods(talk, 1)
    tell_pods(talk)
    end(talk, pod, 3)
    until(lambda: has(talk, "Failed"), "the job to fail")
    tell_pods(talk)
    tell(talk, "at its end")


def test_a_failure_can_be_ignored(talk: Dialogue) -> None:
    ignored = rule("Ignore", onPodConditions=[{"type": "DisruptionTarget"}])
    talk.create(JOBS, job(backoffLimit=0, podFailurePolicy={"rules": [ignored]}))
    (pod,) = wait_for_pods(talk, 1)
    end(talk, pod, 1, conditions=[{"type": "DisruptionTarget", "status": "True"}])
    first = pod["metadata"]["name"]
    until(lambda: any(one["metadata"]["name"] != first for one in pods_of(talk)), "another pod")
    wait_for_pods(talk, 1)
    tell(talk, "after an ignored failure")


def test_an_exit_code_ends_an_index(talk: Dialogue) -> None:
    policy = {"rules": [rule("FailIndex", **ON_THREE)]}
    limits = {"backoffLimitPerIndex": 3, "podFailurePolicy": policy}
    talk.create(JOBS, job(completionMode="Indexed", completions=2, parallelism=2, **limits))
    zero, one = by_index(wait_for_pods(talk, 2))
    end(talk, zero, 3)
    until(lambda: status_of(talk).get("failed") == 1, "the first index to be lost")
    tell(talk, "after it is lost")
    end(talk, one)
    until(lambda: has(talk, "Failed"), "the job to fail")
    tell(talk, "at its end")


def test_a_pod_that_is_deleted_is_replaced(talk: Dialogue) -> None:
    talk.create(JOBS, job())
    (pod,) = wait_for_pods(talk, 1)
    talk.send("DELETE", f"{{ns}}/pods/{pod['metadata']['name']}", remember=False)
    until(lambda: status_of(talk).get("failed") == 1, "the deletion to be counted")
    wait_for_pods(talk, 1)
    tell(talk, "after its pod was deleted")


def test_pods_that_may_not_be_made_are_told(talk: Dialogue) -> None:
    talk.create(JOBS, job(pod={"serviceAccountName": "nobody"}))
    until(lambda: told(talk, "FailedCreate"), "the event")
    tell(talk, "without pods")
    tell_events(talk)


def test_a_job_with_another_manager_is_left_alone(talk: Dialogue) -> None:
    talk.create(JOBS, job(managedBy="example.com/elsewhere"))
    talk.create(JOBS, job("two"))
    wait_for_pods(talk, 1, "two")
    tell(talk, "of somebody else")


# How it goes

DELETIONS: dict[str, Callable[[Dialogue, str], Answer]] = {
    "plain": lambda talk, path: talk.send("DELETE", path),
    "orphan": lambda talk, path: talk.send("DELETE", path, {"propagationPolicy": "Orphan"}),
    "background": lambda talk, path: talk.send("DELETE", path, {"propagationPolicy": "Background"}),
    "foreground": lambda talk, path: talk.send("DELETE", path, {"propagationPolicy": "Foreground"}),
    "query": lambda talk, path: talk.send("DELETE", f"{path}?propagationPolicy=Background"),
    "old-option": lambda talk, path: talk.send("DELETE", path, {"orphanDependents": False}),
    "strange": lambda talk, path: talk.send("DELETE", path, {"propagationPolicy": "Sideways"}),
    "dry-run": lambda talk, path: talk.send("DELETE", path, {"propagationPolicy": "Background", "dryRun": ["All"]}),
}


@pytest.mark.parametrize("case", DELETIONS)
def test_a_job_is_deleted(talk: Dialogue, case: str) -> None:
    talk.create(JOBS, job())
    wait_for_pods(talk, 1)
    tell_pods(talk)
    DELETIONS[case](talk, f"{JOBS}/one")
    if case in ("strange", "dry-run"):
        tell(talk, "still there")
        return
    until(lambda: talk.get(f"{JOBS}/one", remember=False).code == 404, "the job to go")
    stays = case in ("plain", "orphan")
    until(lambda: [is_own(pod) for pod in pods_of(talk)] == ([False] if stays else []), "its pods to be let go")
    tell_pods(talk)


def is_own(pod: Json) -> bool:
    return "ownerReferences" in pod["metadata"] or "finalizers" in pod["metadata"]


def test_jobs_are_deleted_together(talk: Dialogue) -> None:
    for name in ("one", "two"):
        talk.create(JOBS, job(name, parallelism=0))
    until(lambda: all("startTime" in status_of(talk, name) for name in ("one", "two")), "the jobs to be seen")
    answer = talk.send("DELETE", f"{JOBS}?labelSelector=batch.kubernetes.io/job-name%3Done", remember=False)
    talk.remember("deleted", code=answer.code, names=answer.names, warning=answer.headers.get("Warning"))
    until(lambda: talk.get(JOBS, remember=False).names == ["two"], "one to go")


def test_a_job_goes_after_its_time(talk: Dialogue) -> None:
    talk.create(JOBS, job(completions=0, ttlSecondsAfterFinished=1))
    until(lambda: talk.get(f"{JOBS}/one", remember=False).code == 404, "the job to go")
