"""Probes and hooks of the sandbox's containers: when one counts as started, ready, alive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from machine import MOUNTS
from sandbox_api import Api
from sandbox_pods import LOOP, Pods, conditions_of, container, state_of, status_of

SHARED: dict[str, Any] = {"volumes": [{"name": "shared", "emptyDir": {}}]}
MOUNTED: dict[str, Any] = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
SERVE = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = os.path.exists("/shared" + self.path) and self.headers.get("X-Probe") == "yes"
        self.send_response(200 if good else 503)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.serve_forever()
"""


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


def runs(command: str, **more: Any) -> dict[str, Any]:
    """A probe that runs a line of shell, twice a second at most."""
    return {"exec": {"command": ["sh", "-c", command]}, "periodSeconds": 1, "timeoutSeconds": 10, **more}


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_a_container_is_not_ready_until_its_probe_says_so(pods: Pods) -> None:
    name = pods.create(container(LOOP, readinessProbe=runs("false")), terminationGracePeriodSeconds=0)
    pods.until_told(name, "Unhealthy", "Readiness probe failed: command failed with exit code 1")
    pod = pods.get(name)
    assert (status_of(pod)["ready"], status_of(pod)["started"]) == (False, True)
    assert conditions_of(pod)["Ready"] == "False"


def test_a_container_becomes_ready_and_so_does_its_pod(pods: Pods) -> None:
    main = container(f"touch /shared/ready; {LOOP}", readinessProbe=runs("test -e /shared/ready"), **MOUNTED)
    name = pods.create(main, restartPolicy="Always", terminationGracePeriodSeconds=0, **SHARED)
    pod = pods.until(name, lambda pod: conditions_of(pod).get("Ready") == "True")
    assert status_of(pod)["ready"]
    assert conditions_of(pod)["ContainersReady"] == "True"


def test_a_probe_sees_the_files_and_the_variables_of_its_container(pods: Pods) -> None:
    probe = runs('test "$(cat /tmp/mine)" = "$WHO"')
    env = [{"name": "WHO", "value": "me"}]
    name = pods.create(
        container(f"echo me > /tmp/mine; {LOOP}", readinessProbe=probe, env=env),
        restartPolicy="Always",
        terminationGracePeriodSeconds=0,
    )
    assert pods.until(name, lambda pod: status_of(pod).get("ready"))


def test_a_container_that_does_not_live_is_started_again(pods: Pods) -> None:
    main = container(f"echo x >> /shared/starts; {LOOP}", **MOUNTED)
    main["livenessProbe"] = runs("test $(wc -l < /shared/starts) -ge 2", failureThreshold=1)
    name = pods.create(main, restartPolicy="Always", terminationGracePeriodSeconds=0, **SHARED)
    pod = pods.until(name, lambda pod: status_of(pod).get("restartCount") == 1 and "running" in state_of(pod))
    assert status_of(pod)["lastState"]["terminated"]["exitCode"] in (137, 143)
    assert ("Killing", "Container main failed liveness probe, will be restarted") in pods.events(name)


def test_a_container_has_started_when_its_startup_probe_says_so(pods: Pods) -> None:
    probe = runs("test -e /shared/up", failureThreshold=60)
    side = container(f"touch /shared/up; {LOOP}", "side", restartPolicy="Always", startupProbe=probe, **MOUNTED)
    pod = pods.run(container("test -e /shared/up && echo came after", **MOUNTED), initContainers=[side], **SHARED)
    assert pods.log(pod["metadata"]["name"], "container=main") == ["came after"]


def test_a_container_that_does_not_start_in_time_is_started_again(pods: Pods) -> None:
    main = container(LOOP, startupProbe=runs("false", failureThreshold=1))
    name = pods.create(main, restartPolicy="Always", terminationGracePeriodSeconds=0)
    pod = pods.until(name, lambda pod: status_of(pod).get("restartCount", 0) >= 1)
    assert not status_of(pod)["started"]


def test_a_get_on_loopback_is_a_probe(pods: Pods) -> None:
    port = free_port()
    main = container() | {"command": ["python3", "-c", SERVE, str(port)], **MOUNTED}
    main["ports"] = [{"name": "web", "containerPort": port}]
    get = {"path": "/healthy", "port": "web", "httpHeaders": [{"name": "X-Probe", "value": "yes"}]}
    main["readinessProbe"] = {"httpGet": get, "periodSeconds": 1}
    other = container(LOOP, "other", readinessProbe={"tcpSocket": {"port": port}, "periodSeconds": 1})
    name = pods.create(main, other, terminationGracePeriodSeconds=0, **SHARED)
    pods.until(name, lambda pod: status_of(pod, "other").get("ready"))
    pods.until_told(name, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
    assert not status_of(pods.get(name))["ready"]
    healthy = container() | {"command": ["python3", "-c", SERVE, str(free_port())], **MOUNTED}
    port = int(healthy["command"][-1])
    healthy["readinessProbe"] = {"httpGet": get | {"port": port}, "periodSeconds": 1}
    touch = container("touch /shared/healthy", "touch", **MOUNTED)
    name = pods.create(healthy, initContainers=[touch], terminationGracePeriodSeconds=0, **SHARED)
    assert pods.until(name, lambda pod: status_of(pod).get("ready"))


def test_what_is_not_on_loopback_is_not_probed(pods: Pods) -> None:
    probe = {"httpGet": {"host": "192.0.2.1", "port": 80}}
    name = pods.create(container(LOOP, livenessProbe=probe), restartPolicy="Always")
    pod = pods.until(name, lambda pod: state_of(pod).get("waiting", {}).get("message"))
    told = 'the sandbox looks at nothing but this machine\'s loopback: livenessProbe of host "192.0.2.1"'
    assert state_of(pod)["waiting"] == {"reason": "CreateContainerConfigError", "message": told}
    name = pods.create(container(LOOP, livenessProbe={"grpc": {"port": 80}}), restartPolicy="Always")
    pod = pods.until(name, lambda pod: state_of(pod).get("waiting", {}).get("message"))
    assert state_of(pod)["waiting"]["message"] == "the sandbox does not support grpc in a livenessProbe"


def test_a_hook_runs_after_the_start_and_its_failure_ends_the_container(pods: Pods) -> None:
    good = {"postStart": {"exec": {"command": ["sh", "-c", "touch /shared/hooked"]}}}
    main = container("while [ ! -e /shared/hooked ]; do sleep 0.02; done; echo hooked", lifecycle=good, **MOUNTED)
    pod = pods.run(main, **SHARED)
    assert pods.log(pod["metadata"]["name"]) == ["hooked"]
    bad = {"postStart": {"exec": {"command": ["sh", "-c", "echo no; exit 1"]}}}
    pod = pods.run(container(LOOP, lifecycle=bad), terminationGracePeriodSeconds=0)
    assert pod["status"]["phase"] == "Failed"
    assert ("FailedPostStartHook", "PostStartHook failed: no") in pods.events(pod["metadata"]["name"])
