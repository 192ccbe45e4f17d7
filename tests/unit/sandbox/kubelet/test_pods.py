"""Pods of the sandbox: containers one after the other and side by side, restarts, ends, logs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api, config_map
from sandbox_pods import LOOP, Pods, conditions_of, container, state_of, status_of

SHARED: dict[str, Any] = {"volumes": [{"name": "shared", "emptyDir": {}}]}
MOUNTED: dict[str, Any] = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}


@pytest.fixture(scope="module", params=MOUNTS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from hera_k8s_sandbox.server.launch import running

    with running(tmp_path_factory.mktemp("sandbox"), runner=request.param, concurrency=2, lifetime=600) as address:
        yield address


@pytest.fixture
def pods(served: Any) -> Iterator[Pods]:
    found = Pods(Api(served.url, served.token))
    yield found
    found.remove()


def patient(command: str) -> str:
    """A command that goes on until it is asked to end, and says so."""
    return f"trap 'echo asked; exit 0' TERM; {command}; {LOOP}"


# Containers of one pod


def test_a_pod_of_nobody_runs_to_its_end(pods: Pods) -> None:
    pod = pods.run(container("echo hello"))
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["spec"]["nodeName"] == "sandbox"
    assert state_of(pod)["terminated"]["reason"] == "Completed"
    assert {one["type"]: one.get("reason") for one in pod["status"]["conditions"]} == {
        "PodReadyToStartContainers": None,
        "Initialized": "PodCompleted",
        "Ready": "PodCompleted",
        "ContainersReady": "PodCompleted",
        "PodScheduled": None,
    }
    assert pods.log(pod["metadata"]["name"]) == ["hello"]


def test_containers_run_side_by_side_and_share_directories_and_loopback(pods: Pods) -> None:
    server = (
        'cd /shared && echo page > page && python3 -c "import http.server as s; '
        "h = s.HTTPServer(('127.0.0.1', 0), s.SimpleHTTPRequestHandler); "
        "open('port.new', 'w').write(str(h.server_port)); import os; os.rename('port.new', 'port'); "
        'h.handle_request()"'
    )
    client = (
        "while [ ! -e /shared/port ]; do sleep 0.02; done; "
        'python3 -c "import urllib.request as u; o = u.build_opener(u.ProxyHandler({})); '
        "print(o.open('http://127.0.0.1:' + open('/shared/port').read() + '/page').read().decode().strip())\""
    )
    pod = pods.run(container(server, "server", **MOUNTED), container(client, "client", **MOUNTED), **SHARED)
    assert pod["status"]["phase"] == "Succeeded", pods.log(pod["metadata"]["name"], "container=client")
    assert pods.log(pod["metadata"]["name"], "container=client") == ["page"]


def test_one_failed_container_fails_the_pod_when_all_have_ended(pods: Pods) -> None:
    pod = pods.run(container("exit 3", "a"), container("true", "b"))
    assert pod["status"]["phase"] == "Failed"
    assert [state_of(pod, name)["terminated"]["exitCode"] for name in ("a", "b")] == [3, 0]
    assert {one["reason"] for one in pod["status"]["conditions"] if one["type"] in ("Ready", "ContainersReady")} == {
        "PodFailed"
    }


def test_a_container_does_not_see_the_tmp_of_another_one(pods: Pods) -> None:
    look = "while [ ! -e /shared/written ]; do sleep 0.02; done; test -e /tmp/mine && echo seen; true"
    write = "echo x > /tmp/mine; touch /shared/written"
    pod = pods.run(container(look, "a", **MOUNTED), container(write, "b", **MOUNTED), **SHARED)
    assert pods.log(pod["metadata"]["name"], "container=a") == []


def test_init_containers_come_first_one_after_the_other(pods: Pods) -> None:
    first = container("echo one >> /shared/order", "first", **MOUNTED)
    second = container("echo two >> /shared/order", "second", **MOUNTED)
    pod = pods.run(container("cat /shared/order", **MOUNTED), initContainers=[first, second], **SHARED)
    assert pods.log(pod["metadata"]["name"]) == ["one", "two"]
    assert [one["name"] for one in pod["status"]["initContainerStatuses"]] == ["first", "second"]
    assert all(one["ready"] for one in pod["status"]["initContainerStatuses"])


def test_a_pod_whose_init_container_runs_is_pending(pods: Pods) -> None:
    wait = container("while [ ! -e /shared/open ]; do sleep 0.02; done", "wait", **MOUNTED)
    name = pods.create(container("true", **MOUNTED), initContainers=[wait], **SHARED)
    pod = pods.until(name, lambda pod: "running" in state_of(pod, "wait"))
    assert pod["status"]["phase"] == "Pending"
    assert state_of(pod)["waiting"] == {"reason": "PodInitializing"}
    (initialized,) = [one for one in pod["status"]["conditions"] if one["type"] == "Initialized"]
    assert (initialized["status"], initialized["message"]) == ("False", "containers with incomplete status: [wait]")
    answer = pods.api.send("GET", f"{pods.path}/{name}/log?container=main")
    assert answer.json()["message"] == f'container "main" in pod "{name}" is waiting to start: PodInitializing'


def test_a_failed_init_container_keeps_the_others_from_starting(pods: Pods) -> None:
    pod = pods.run(container("echo never"), initContainers=[container("exit 7", "prepare")])
    assert pod["status"]["phase"] == "Failed"
    assert state_of(pod, "prepare")["terminated"]["exitCode"] == 7
    assert "waiting" in state_of(pod)


def test_an_init_container_is_tried_again_when_the_pod_restarts_on_failure(pods: Pods) -> None:
    again = "echo x >> /shared/tries; test $(wc -l < /shared/tries) -ge 2"
    pod = pods.run(
        container("cat /shared/tries", **MOUNTED),
        initContainers=[container(again, "prepare", **MOUNTED)],
        restartPolicy="OnFailure",
        **SHARED,
    )
    assert pod["status"]["phase"] == "Succeeded"
    assert status_of(pod, "prepare")["restartCount"] == 1


def test_a_sidecar_starts_before_the_others_and_ends_after_them(pods: Pods) -> None:
    side = container(patient("echo up > /shared/up"), "side", restartPolicy="Always", **MOUNTED)
    pod = pods.run(
        container("while [ ! -s /shared/up ]; do sleep 0.02; done; cat /shared/up; exit 4", **MOUNTED),
        initContainers=[side],
        **SHARED,
    )
    assert (pod["status"]["phase"], state_of(pod)["terminated"]["exitCode"]) == ("Failed", 4)
    assert pods.log(pod["metadata"]["name"], "container=main") == ["up"]
    assert pods.log(pod["metadata"]["name"], "container=side") == ["asked"]
    assert state_of(pod, "side")["terminated"]["exitCode"] == 0


def test_a_sidecar_that_ends_is_started_again_though_the_pod_runs_once(pods: Pods) -> None:
    side = container("echo x >> /shared/starts", "side", restartPolicy="Always", **MOUNTED)
    main = container('until [ "$(cat /shared/starts | wc -l)" -ge 2 ]; do sleep 0.02; done', **MOUNTED)
    pod = pods.run(main, initContainers=[side], **SHARED)
    assert pod["status"]["phase"] == "Succeeded"
    assert status_of(pod, "side")["restartCount"] >= 1


# Restarts


def test_a_container_that_fails_is_started_again_until_it_succeeds(pods: Pods) -> None:
    again = "echo try $(cat /shared/n 2>/dev/null); echo x >> /shared/n; test $(wc -l < /shared/n) -ge 3"
    pod = pods.run(container(again, **MOUNTED), restartPolicy="OnFailure", **SHARED)
    assert pod["status"]["phase"] == "Succeeded"
    assert status_of(pod)["restartCount"] == 2
    last = status_of(pod)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (1, "Error")


def test_a_container_that_always_fails_waits_longer_and_longer(pods: Pods) -> None:
    name = pods.create(container("echo run; exit 1"), restartPolicy="Always")

    def backs_off(pod: dict[str, Any]) -> bool:
        return (state_of(pod).get("waiting") or {}).get("reason") == "CrashLoopBackOff"

    pod = pods.until(name, backs_off)
    assert pod["status"]["phase"] == "Running"
    assert conditions_of(pod)["Ready"] == "False"
    assert status_of(pod)["lastState"]["terminated"]["exitCode"] == 1
    uid = pod["metadata"]["uid"]
    which = f"main pod={name}_{pods.namespace}({uid})"
    assert state_of(pod)["waiting"]["message"] == f"back-off 0.5s restarting failed container={which}"
    pods.until(name, lambda pod: backs_off(pod) and state_of(pod)["waiting"]["message"].startswith("back-off 1s"))
    assert ("BackOff", f"Back-off restarting failed container {which}") in pods.events(name)


def test_a_container_that_ends_well_is_started_again_when_it_always_is_to_run(pods: Pods) -> None:
    name = pods.create(
        container("echo $(cat /shared/n); echo x >> /shared/n", **MOUNTED), restartPolicy="Always", **SHARED
    )
    pod = pods.until(name, lambda pod: status_of(pod).get("restartCount", 0) >= 1)
    assert status_of(pod)["lastState"]["terminated"]["reason"] == "Completed"


def test_the_log_of_the_run_before_can_be_read(pods: Pods) -> None:
    command = "echo x >> /shared/n; echo run $(wc -l < /shared/n); test $(wc -l < /shared/n) -ge 2 || exit 1; " + LOOP
    name = pods.create(container(command, **MOUNTED), restartPolicy="OnFailure", **SHARED)
    refused = pods.api.send("GET", f"{pods.path}/{name}/log?previous=true&container=main")
    assert refused.ok or "previous terminated container" in refused.json()["message"]
    pods.until(name, lambda pod: status_of(pod).get("restartCount") == 1 and "running" in state_of(pod))
    assert pods.log(name, "previous=true") == ["run 1"]
    follow = pods.api.session.get(f"{pods.api.url}{pods.path}/{name}/log?follow=true", stream=True, timeout=20)
    assert next(follow.iter_lines()) == b"run 2"
    follow.close()


def test_no_log_before_the_first_run_is_told(pods: Pods) -> None:
    pod = pods.run(container("echo once"))
    name = pod["metadata"]["name"]
    answer = pods.api.send("GET", f"{pods.path}/{name}/log?previous=true")
    assert answer.status_code == 400
    assert answer.json()["message"] == f'previous terminated container "main" in pod "{name}" not found'


def test_a_log_of_several_containers_must_name_one(pods: Pods) -> None:
    pod = pods.run(container("true", "a"), container("true", "b"), initContainers=[container("true", "i")])
    name = pod["metadata"]["name"]
    answer = pods.api.send("GET", f"{pods.path}/{name}/log")
    assert answer.status_code == 400
    told = f"a container name must be specified for pod {name}, choose one of: [a b] or one of the init containers: [i]"
    assert answer.json()["message"] == told


def test_the_last_word_of_a_container_is_kept(pods: Pods) -> None:
    pod = pods.run(
        container("echo why > /dev/termination-log; exit 1", "file"),
        container("echo from the log; exit 1", "log", terminationMessagePolicy="FallbackToLogsOnError"),
    )
    assert state_of(pod, "file")["terminated"]["message"] == "why\n"
    assert state_of(pod, "log")["terminated"]["message"] == "from the log"


def test_a_command_that_is_not_there_is_a_start_error(pods: Pods) -> None:
    main = container() | {"command": ["not-a-program-of-this-machine"]}
    ended = state_of(pods.run(main))["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
    assert "executable file not found in $PATH" in ended["message"]


# Ends


def test_a_deleted_pod_is_asked_to_end_before_it_goes(pods: Pods) -> None:
    name = pods.create(container(patient("echo up")), restartPolicy="Always", terminationGracePeriodSeconds=20)
    pods.until(name, lambda pod: "running" in state_of(pod))
    while "up" not in pods.log(name):
        pass
    answer = pods.api.send("DELETE", f"{pods.path}/{name}")
    assert answer.status_code == 200
    assert answer.json()["metadata"]["deletionGracePeriodSeconds"] == 20
    last = pods.until_gone(name)
    assert state_of(last)["terminated"]["exitCode"] == 0


def test_a_deaf_pod_is_killed_when_its_grace_is_over(pods: Pods) -> None:
    name = pods.create(container(f"trap '' TERM; echo up; {LOOP}"), restartPolicy="Always")
    pods.until(name, lambda pod: "running" in state_of(pod))
    while "up" not in pods.log(name):
        pass
    pods.api.send("DELETE", f"{pods.path}/{name}?gracePeriodSeconds=1")
    last = pods.until_gone(name)
    assert state_of(last)["terminated"]["exitCode"] == 128 + signal.SIGKILL


def test_a_pod_that_is_deleted_by_force_is_gone_at_once(pods: Pods) -> None:
    name = pods.create(container(f"trap '' TERM; {LOOP}"), restartPolicy="Always")
    pods.until(name, lambda pod: "running" in state_of(pod))
    pods.api.send("DELETE", f"{pods.path}/{name}", {"gracePeriodSeconds": 0})
    assert pods.api.send("GET", f"{pods.path}/{name}").status_code == 404


def test_a_pod_that_has_ended_goes_at_once(pods: Pods) -> None:
    name = pods.run(container())["metadata"]["name"]
    assert pods.api.send("DELETE", f"{pods.path}/{name}").json()["metadata"]["deletionGracePeriodSeconds"] == 0
    assert pods.api.send("GET", f"{pods.path}/{name}").status_code == 404


def test_a_new_pod_of_the_same_name_has_nothing_of_the_old_one(pods: Pods) -> None:
    main = container(f"ls /shared; touch /shared/old; echo new >&2; {LOOP}", **MOUNTED)
    for _ in range(3):
        pods.create(main, name="again", restartPolicy="Always", terminationGracePeriodSeconds=0, **SHARED)
        pods.until("again", lambda pod: "running" in state_of(pod))
        while not pods.log("again"):
            pass
        assert pods.log("again") == ["new"]
        pods.api.send("DELETE", f"{pods.path}/again")


def test_a_pod_is_ended_at_its_deadline(pods: Pods) -> None:
    pod = pods.run(container("sleep 60"), activeDeadlineSeconds=1, terminationGracePeriodSeconds=1)
    status = pod["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
    assert status["message"] == "Pod was active on the node longer than the specified deadline"


def test_what_is_to_be_done_before_an_end_is_done(pods: Pods) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo stopping > /shared/said"]}}}
    main = container(f"trap 'cat /shared/said; exit 0' TERM; echo up; {LOOP}", lifecycle=hook, **MOUNTED)
    keep = container("while ! grep -q stopping /shared/said; do sleep 0.02; done; exit 0", "keep", **MOUNTED)
    name = pods.create(main, keep, terminationGracePeriodSeconds=10, **SHARED)
    pods.until(name, lambda pod: "running" in state_of(pod))
    while "up" not in pods.log(name, "container=main"):
        pass
    follow = pods.api.session.get(f"{pods.api.url}{pods.path}/{name}/log?follow=true&container=main", stream=True)
    pods.api.send("DELETE", f"{pods.path}/{name}")
    assert [line.decode() for line in follow.iter_lines()] == ["up", "stopping"]


def test_pods_that_go_on_do_not_keep_tasks_from_running(pods: Pods) -> None:
    for _ in range(5):  # the sandbox of this test runs two tasks at a time
        name = pods.create(container(LOOP), restartPolicy="Always", terminationGracePeriodSeconds=0)
        pods.until(name, lambda pod: "running" in state_of(pod))
    assert pods.says("echo done") == ["done"]


# Who runs


def test_a_pod_of_another_scheduler_stays_pending_until_it_is_bound(pods: Pods) -> None:
    name = pods.create(container("echo ran"), schedulerName="nobody")
    pods.says("true")  # one that came later has run meanwhile
    assert pods.get(name)["status"]["phase"] == "Pending"
    binding = {"metadata": {"name": name}, "target": {"kind": "Node", "name": "sandbox"}}
    tried = pods.api.send("POST", f"{pods.path}/{name}/binding?dryRun=All", binding)
    assert tried.status_code == 201, tried.text
    assert "nodeName" not in pods.get(name)["spec"]
    answer = pods.api.send("POST", f"{pods.path}/{name}/binding", binding)
    assert answer.status_code == 201, answer.text
    assert pods.finish(name)["status"]["phase"] == "Succeeded"
    again = pods.api.send("POST", f"{pods.path}/{name}/binding", binding)
    assert again.status_code == 409


def test_a_pod_of_another_node_is_left_alone(pods: Pods) -> None:
    name = pods.create(container("echo ran"), nodeName="elsewhere")
    pods.says("true")
    assert pods.get(name)["status"]["phase"] == "Pending"


def test_what_the_sandbox_cannot_do_is_told_by_name(pods: Pods) -> None:
    name = pods.create(container(), volumes=[{"name": "host", "hostPath": {"path": "/etc"}}])
    pods.until(name, lambda pod: state_of(pod).get("waiting"))
    assert ("FailedMount", "the sandbox does not support volumes of hostPath") in pods.events(name)
    name = pods.create(container(), shareProcessNamespace=True)
    pod = pods.until(name, lambda pod: state_of(pod).get("waiting"))
    assert state_of(pod)["waiting"]["message"] == "the sandbox does not support shareProcessNamespace"


def test_a_container_waits_for_its_configuration_while_others_run(pods: Pods) -> None:
    source = {"configMapKeyRef": {"name": "late", "key": "A"}}
    name = pods.create(
        container(LOOP, "runs"),
        container("echo $A", "waits", env=[{"name": "A", "valueFrom": source}]),
        terminationGracePeriodSeconds=0,
    )
    pod = pods.until(name, lambda pod: "running" in state_of(pod, "runs") and state_of(pod, "waits").get("waiting"))
    assert state_of(pod, "waits")["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": 'configmap "late" not found',
    }
    assert pod["status"]["phase"] == "Pending"
    pods.api.create(f"{pods.space}/configmaps", config_map("late", A="came"))
    pods.until(name, lambda pod: "terminated" in state_of(pod, "waits"))
    assert pods.log(name, "container=waits") == ["came"]


# The server's end


@pytest.mark.parametrize("view", MOUNTS)
def test_after_a_restart_of_the_server_what_always_runs_is_started_again(tmp_path: Path, view: str) -> None:
    from hera_k8s_sandbox.server.launch import running

    state = tmp_path / "state"
    for restarts in range(2):
        with running(state, runner=view, lifetime=60) as address:
            api = Api(address.url, address.token)
            path = "/api/v1/namespaces/default/pods"
            if restarts == 0:
                spec = {"containers": [container(LOOP)], "terminationGracePeriodSeconds": 0}
                api.create(path, {"metadata": {"name": "service"}, "spec": spec})
            for event in api.watch(f"{path}?watch=true&timeoutSeconds=20"):
                pod = event["object"]
                if "running" in state_of(pod) and status_of(pod)["restartCount"] == restarts:
                    break
            assert status_of(pod)["restartCount"] == restarts
    told = "the sandbox was stopped while this container ran"
    assert status_of(pod)["lastState"]["terminated"]["message"] == told
