"""Pods, and what controllers make of them, run on each cluster: claims, logs, accounts, Jobs, Deployments."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from cluster_access import Kube, access_of

from clusters import ClusterSpace, is_sandbox

Json = dict[str, Any]
JOBS = "/apis/batch/v1/namespaces/{}/jobs"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"


def container(*command: str, **more: Any) -> Json:
    return {"name": "main", "image": "python:3.12-slim", "command": ["python", "-c", *command], **more}


def pod(name: str, *containers: Json, **spec: Any) -> Json:
    return {"metadata": {"name": name}, "spec": {"restartPolicy": "Never", "containers": list(containers), **spec}}


def claim(name: str, storage_class: str) -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return {"metadata": {"name": name}, "spec": spec | {"storageClassName": storage_class}}


def over(found: Json) -> bool:
    return found["status"].get("phase") in ("Succeeded", "Failed")


def kubectl(space: ClusterSpace, *words: str) -> str:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(space.kubeconfig), *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_pod_runs_and_says_how_it_ended(each_cluster: ClusterSpace) -> None:
    each_cluster.kube.create("{ns}/pods", pod("one", container("print('seen'); raise SystemExit(3)")))
    found = each_cluster.kube.until("{ns}/pods/one", over)
    assert found["status"]["phase"] == "Failed"
    (status,) = found["status"]["containerStatuses"]
    assert (status["state"]["terminated"]["exitCode"], status["state"]["terminated"]["reason"]) == (3, "Error")
    conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
    assert conditions["PodScheduled"] == "True"
    assert conditions["Ready"] == "False"
    assert kubectl(each_cluster, "logs", "one") == "seen\n"


def test_a_log_is_followed_to_the_containers_end(each_cluster: ClusterSpace) -> None:
    source = "import time\nfor each in range(3):\n    print(each, flush=True); time.sleep(0.2)"
    each_cluster.kube.create("{ns}/pods", pod("one", container(source)))
    each_cluster.kube.until("{ns}/pods/one", lambda found: found["status"].get("phase") != "Pending")
    assert kubectl(each_cluster, "logs", "--follow", "one").split() == ["0", "1", "2"]
    assert kubectl(each_cluster, "logs", "--tail=1", "one") == "2\n"


def test_a_log_of_what_has_not_started_says_why(each_cluster: ClusterSpace) -> None:
    missing = container("pass", env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "nope", "key": "a"}}}])
    each_cluster.kube.create("{ns}/pods", pod("one", missing))
    each_cluster.kube.until("{ns}/pods/one", lambda found: "waiting" in str(found["status"].get("containerStatuses")))
    answer = each_cluster.kube.send("GET", "{ns}/pods/one/log")
    assert answer.status_code == 400
    assert 'container "main" in pod "one" is waiting to start' in answer.json()["message"]


@pytest.mark.parametrize("storage_class", ["standard", "wait"])
def test_what_one_pod_writes_into_a_claim_another_reads(each_cluster: ClusterSpace, storage_class: str) -> None:
    kube = each_cluster.kube
    if kube.find(f"/apis/storage.k8s.io/v1/storageclasses/{storage_class}") is None:
        pytest.skip(f"this cluster has no storage class {storage_class}")
    kube.create("{ns}/persistentvolumeclaims", claim("results", storage_class))
    volume = {"name": "results", "persistentVolumeClaim": {"claimName": "results"}}
    mount = {"volumeMounts": [{"name": "results", "mountPath": "/results"}]}
    writes = container("open('/results/answer', 'w').write('42')", **mount)
    kube.create("{ns}/pods", pod("writer", writes, volumes=[volume]))
    assert kube.until("{ns}/pods/writer", over)["status"]["phase"] == "Succeeded"
    kube.create(
        "{ns}/pods", pod("reader", container("print(open('/results/answer').read())", **mount), volumes=[volume])
    )
    assert kube.until("{ns}/pods/reader", over)["status"]["phase"] == "Succeeded"
    assert kubectl(each_cluster, "logs", "reader") == "42\n"
    if each_cluster.server.claims is not None:
        assert (each_cluster.claim_directory("results") / "answer").read_text() == "42"


def test_a_volume_is_seen_where_a_link_of_the_machine_leads(each_cluster: ClusterSpace) -> None:
    seen = container(
        "open('/var/run/things/one', 'w').write('1'); print(open('/run/things/one').read())",
        volumeMounts=[{"name": "things", "mountPath": "/var/run/things"}],
    )
    each_cluster.kube.create("{ns}/pods", pod("one", seen, volumes=[{"name": "things", "emptyDir": {}}]))
    assert each_cluster.kube.until("{ns}/pods/one", over)["status"]["phase"] == "Succeeded"


def test_a_pod_whose_claim_is_missing_says_so(each_cluster: ClusterSpace) -> None:
    volume = {"name": "results", "persistentVolumeClaim": {"claimName": "nope"}}
    each_cluster.kube.create("{ns}/pods", pod("one", container("pass"), volumes=[volume]))
    found = each_cluster.kube.until("{ns}/pods/one", lambda found: bool(found["status"].get("conditions")))
    (told,) = [one for one in found["status"]["conditions"] if one["type"] == "PodScheduled"]
    assert (told["status"], told["reason"]) == ("False", "Unschedulable")
    assert 'persistentvolumeclaim "nope" not found' in told["message"]


IN_CLUSTER = """
import json, os, ssl, urllib.request
where = "/var/run/secrets/kubernetes.io/serviceaccount/"
token, namespace = open(where + "token").read(), open(where + "namespace").read()
tls = ssl.create_default_context(cafile=where + "ca.crt")
url = "https://%(KUBERNETES_SERVICE_HOST)s:%(KUBERNETES_SERVICE_PORT)s" % os.environ
path = url + "/api/v1/namespaces/" + namespace + "/configmaps/settings"
ask = urllib.request.Request(path, headers={"Authorization": "Bearer " + token})
print(json.load(urllib.request.urlopen(ask, context=tls, timeout=20))["data"]["colour"])
"""


def test_a_pod_asks_the_api_server_as_its_account(real_cluster: ClusterSpace) -> None:
    if is_sandbox(real_cluster.server.access):
        pytest.skip("a limit of the sandbox: pods have no token's volume, for plain http has no certificate")
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    real_cluster.account("reader", rules)
    real_cluster.kube.create("{ns}/configmaps", {"metadata": {"name": "settings"}, "data": {"colour": "red"}})
    real_cluster.kube.create("{ns}/pods", pod("one", container(IN_CLUSTER), serviceAccountName="reader"))
    real_cluster.kube.until("{ns}/pods/one", over)
    assert kubectl(real_cluster, "logs", "one") == "red\n"


def test_a_job_runs_to_its_end_and_goes_with_its_pods(each_cluster: ClusterSpace) -> None:
    kube, path = each_cluster.kube, JOBS.format(each_cluster.namespace)
    template = {"spec": pod("", container("print('worked')"))["spec"]}
    kube.create(
        path, {"metadata": {"name": "work"}, "spec": {"template": template, "completions": 2, "parallelism": 2}}
    )
    found = kube.until(f"{path}/work", lambda found: "Complete" in str((found.get("status") or {}).get("conditions")))
    assert found["status"]["succeeded"] == 2
    pods = kube.get("{ns}/pods?labelSelector=batch.kubernetes.io%2Fjob-name%3Dwork")["items"]
    assert [one["status"]["phase"] for one in pods] == ["Succeeded", "Succeeded"]
    kube.delete(f"{path}/work", {"propagationPolicy": "Foreground"})
    wait = kubectl(each_cluster, "wait", "--for=delete", "job/work", "--timeout=30s")
    assert wait == "" or "condition met" in wait


def test_a_failing_job_is_retried_and_given_up(each_cluster: ClusterSpace) -> None:
    kube, path = each_cluster.kube, JOBS.format(each_cluster.namespace)
    template = {"spec": pod("", container("raise SystemExit(1)"))["spec"]}
    kube.create(path, {"metadata": {"name": "work"}, "spec": {"template": template, "backoffLimit": 0}})
    found = kube.until(f"{path}/work", lambda found: '"Failed"' in _kinds(found))
    (told,) = [one for one in found["status"]["conditions"] if one["type"] == "Failed"]
    assert told["reason"] == "BackoffLimitExceeded"
    assert found["status"]["failed"] == 1


def _kinds(found: Json) -> str:
    return " ".join(f'"{one["type"]}"' for one in (found.get("status") or {}).get("conditions") or ())


def test_a_deployment_comes_up_and_is_scaled_to_nothing(each_cluster: ClusterSpace) -> None:
    kube, path = each_cluster.kube, DEPLOYMENTS.format(each_cluster.namespace)
    labels = {"app": "server"}
    spec = {"containers": [container("import time; time.sleep(600)")], "terminationGracePeriodSeconds": 0}
    body = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}
    kube.create(path, {"metadata": {"name": "server"}, "spec": body | {"replicas": 2}})
    assert "successfully rolled out" in kubectl(each_cluster, "rollout", "status", "deployment/server", "--timeout=30s")
    kubectl(each_cluster, "scale", "deployment/server", "--replicas=0")
    kube.until(f"{path}/server", lambda found: found["status"].get("replicas", 0) == 0)


def test_a_deleted_pod_gets_its_time_to_end(each_cluster: ClusterSpace) -> None:
    source = "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))\n"
    source += "print('up', flush=True)\ntime.sleep(600)"
    each_cluster.kube.create("{ns}/pods", pod("one", container(source), terminationGracePeriodSeconds=1))
    each_cluster.kube.until("{ns}/pods/one", lambda found: found["status"].get("phase") == "Running")
    kubectl(each_cluster, "delete", "pod", "one", "--timeout=30s")
    assert each_cluster.kube.find("{ns}/pods/one") is None


def test_what_a_kubeconfig_says_leads_to_the_same_cluster(each_cluster: ClusterSpace) -> None:
    found = Kube(access_of(each_cluster.kubeconfig), each_cluster.namespace).get("/api/v1/namespaces/kube-system")
    assert found == each_cluster.kube.get("/api/v1/namespaces/kube-system")
