"""Mutexes and semaphores let so many run at a time as they say, and the workflow's status tells who waits for what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_api import Api, config_map
from sandbox_workflows import ENDED, Workflows, container, dag, nodes, phases, task, workflow

from hera_k8s_sandbox.server.launch import running
from hera_k8s_sandbox.workflows.engine.locks import Locks
from hera_k8s_sandbox.workflows.validation import WorkflowInvalid, validate

MUTEX = {"mutexes": [{"name": "only"}]}
EASY = container("easy")


@pytest.fixture(scope="module")
def flows(sandbox: Any) -> Workflows:
    return Workflows(Api(sandbox.url, sandbox.token))


def gated(name: str = "main", **more: Any) -> dict[str, Any]:
    """A template that runs until a config map of its workflow's says so: tests decide when."""
    script = "until test -e /gate/open; do sleep 0.05; done"
    mount = {"volumeMounts": [{"name": "gate", "mountPath": "/gate"}]}
    return container(name, f"{script};", container=mount, **more)


@pytest.fixture
def gate(flows: Workflows) -> Iterator[Any]:
    """A claim that gated templates look at; call it to open."""
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    name = flows.api.create(claims, {"metadata": {"generateName": "gate-"}, "spec": spec})["metadata"]["name"]

    def opened() -> None:
        mount = {"volumeMounts": [{"name": "gate", "mountPath": "/gate"}]}
        found = flows.run(workflow(container("main", "touch /gate/open;", container=mount), volumes=[opened.volume]))
        assert found["status"]["phase"] == "Succeeded"

    opened.volume = {"name": "gate", "persistentVolumeClaim": {"claimName": name}}  # type: ignore[attr-defined]
    yield opened
    opened()


def is_running(found: dict[str, Any]) -> bool:
    return any(one["type"] == "Pod" and one["phase"] == "Running" for one in found["status"].get("nodes", {}).values())


def test_a_mutex_lets_one_workflow_run_at_a_time(flows: Workflows, gate: Any) -> None:
    first = flows.submit(workflow(gated(), synchronization=MUTEX, volumes=[gate.volume]))
    held = flows.until(first, is_running)
    assert held["status"]["synchronization"] == {
        "mutex": {"holding": [{"mutex": "default/Mutex/only", "holder": f"default/{first}"}]}
    }
    second = flows.submit(workflow(EASY, synchronization=MUTEX))
    waiting = flows.until(second, lambda found: found.get("status", {}).get("message"))
    assert (waiting["status"]["phase"], waiting["status"]["message"]) == (
        "Pending",
        "Waiting for default/Mutex/only lock. Lock status: 0/1",
    )
    assert waiting["status"]["synchronization"]["mutex"]["waiting"] == [
        {"mutex": "default/Mutex/only", "holder": f"default/{second}"}
    ]
    gate()
    ended = flows.finish(second)
    assert (ended["status"]["phase"], ended["status"].get("message")) == ("Succeeded", None)
    assert "synchronization" not in ended["status"]
    assert ended["status"]["startedAt"] >= flows.finish(first)["status"]["finishedAt"]


def test_a_mutex_of_a_template_lets_one_node_run_at_a_time(flows: Workflows) -> None:
    script = "mkdir /tmp/busy && sleep 0.2 && rmdir /tmp/busy"
    found = flows.run(
        workflow(
            dag(*(task(name, "one") for name in "abc")),
            container("one", f"{script};", synchronization={"mutexes": [{"name": "{{workflow.name}}"}]}),
        )
    )
    times = sorted((one["startedAt"], one["finishedAt"]) for one in nodes(found).values() if one["type"] == "Pod")
    assert set(phases(found).values()) == {"Succeeded"}
    assert len(times) == 3
    assert all("synchronizationStatus" not in one for one in nodes(found).values())


def test_a_node_that_waits_says_for_what(flows: Workflows, gate: Any) -> None:
    lock = {"synchronization": {"mutexes": [{"name": "said"}]}}
    main = dag(task("a", "gated"), task("b", "easy"))
    name = flows.submit(workflow(main, gated("gated", **lock), {**EASY, **lock}, volumes=[gate.volume]))
    found = flows.until(
        name,
        lambda one: (
            any("synchronizationStatus" in each for each in nodes(one).values())
            if one.get("status", {}).get("nodes")
            else False
        ),
    )
    (waits,) = [one for one in nodes(found).values() if "synchronizationStatus" in one]
    assert waits["synchronizationStatus"] == {"waiting": "default/Mutex/said"}
    assert (waits["phase"], waits["message"]) == ("Pending", "Waiting for default/Mutex/said lock. Lock status: 0/1")
    gate()
    ended = flows.finish(name)
    assert set(phases(ended).values()) == {"Succeeded"}
    assert "message" not in nodes(ended)[waits["displayName"]]


def test_a_semaphore_lets_so_many_run_as_its_config_map_says(flows: Workflows, gate: Any) -> None:
    maps = "/api/v1/namespaces/default/configmaps"
    flows.api.create(maps, config_map("limits", two="2"))
    wanted = {"semaphores": [{"configMapKeyRef": {"name": "limits", "key": "two"}}]}
    names = [flows.submit(workflow(gated(), synchronization=wanted, volumes=[gate.volume])) for _ in range(3)]
    for name in names[:2]:
        flows.until(name, is_running)
    third = flows.until(names[2], lambda found: found.get("status", {}).get("message"))
    assert third["status"]["message"] == "Waiting for default/ConfigMap/limits/two lock. Lock status: 0/2"
    assert flows.api.patch(f"{maps}/limits", {"data": {"two": "3"}}).ok
    flows.until(names[2], is_running)
    gate()
    for name in names:
        assert flows.finish(name)["status"]["phase"] == "Succeeded"


def test_a_semaphore_without_its_config_map_fails(flows: Workflows) -> None:
    wanted = {"semaphores": [{"configMapKeyRef": {"name": "gone", "key": "x"}}]}
    found = flows.run(workflow(EASY, synchronization=wanted))
    assert found["status"]["phase"] == "Failed"
    assert found["status"]["message"] == 'Failed to acquire the synchronization lock. configmaps "gone" not found'


def test_what_was_stopped_or_deleted_holds_nothing(flows: Workflows, gate: Any) -> None:
    lock = {"mutexes": [{"name": "freed"}]}
    first = flows.submit(workflow(gated(), synchronization=lock, volumes=[gate.volume]))
    flows.until(first, is_running)
    second = flows.submit(workflow(gated(), synchronization=lock, volumes=[gate.volume]))
    flows.until(second, lambda found: found.get("status", {}).get("message"))
    third = flows.submit(workflow(EASY, synchronization=lock))
    flows.until(third, lambda found: found.get("status", {}).get("message"))
    assert flows.api.send("PUT", f"{flows.base}/{second}/terminate", {}).ok
    assert flows.finish(second)["status"]["phase"] == "Failed"
    assert flows.api.send("DELETE", f"{flows.base}/{first}").ok
    assert flows.finish(third)["status"]["phase"] == "Succeeded"


def test_locks_outlive_the_server(tmp_path: Any) -> None:
    """Who waits goes on waiting for who holds, and neither is lost."""
    long = container("main", "sleep 60;", synchronization=MUTEX, retryStrategy={"limit": "1"})
    with running(tmp_path, lifetime=60) as address:
        flows = Workflows(Api(address.url, address.token))
        first = flows.submit(workflow(long))
        flows.until(first, is_running)
        second = flows.submit(workflow({**EASY, "synchronization": MUTEX}))
        flows.until(second, lambda found: found.get("status", {}).get("synchronization"))
    with running(tmp_path, lifetime=60) as address:
        flows = Workflows(Api(address.url, address.token))
        found = flows.until(second, lambda one: one.get("status", {}).get("synchronization"))
        assert found["status"]["synchronization"]["mutex"]["waiting"]
        flows.until(first, is_running)  # its second attempt
        assert flows.api.send("PUT", f"{flows.base}/{first}/terminate", {}).ok
        assert flows.finish(second)["status"]["phase"] == "Succeeded"
        assert flows.get(first)["status"]["phase"] in ENDED


# The queue


def test_who_is_first_is_served_first_and_priority_goes_before() -> None:
    woken: list[str] = []
    locks = Locks(lambda _, name: woken.append(name))
    assert locks.acquire(("n", "a", ""), {"l": 1}) is None
    for name, priority, created in (("b", 0, "2"), ("c", 0, "1"), ("d", 5, "3")):
        assert locks.acquire(("n", name, ""), {"l": 1}, priority=priority, created=created) is not None
    order = []
    while len(order) < 3:
        locks.release(locks.holders("l")[0])
        for name, priority, created in (("b", 0, "2"), ("c", 0, "1"), ("d", 5, "3")):
            if (
                name not in order
                and locks.acquire(("n", name, ""), {"l": 1}, priority=priority, created=created) is None
            ):
                order.append(name)
                break
    assert order == ["d", "c", "b"]
    assert set(woken) == {"b", "c", "d"}


def test_all_locks_are_taken_or_none() -> None:
    locks = Locks(lambda *_: None)
    assert locks.acquire(("n", "a", "x"), {"one": 1}) is None
    assert locks.acquire(("n", "b", ""), {"two": 1, "one": 1}) == ("one", "Waiting for one lock. Lock status: 0/1")
    assert locks.holders("two") == []
    locks.release(("n", "a", ""))
    assert locks.acquire(("n", "b", ""), {"two": 1, "one": 1}) is None


@pytest.mark.parametrize(
    ("words", "spec"),
    [
        ("mutex.name is required", {"mutexes": [{}]}),
        ("configMapKeyRef needs a name and a key", {"semaphores": [{"configMapKeyRef": {"name": "x"}}]}),
    ],
)
def test_locks_that_make_no_sense_are_refused(words: str, spec: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        validate(workflow(EASY, synchronization=spec))
    assert words in str(refused.value)
