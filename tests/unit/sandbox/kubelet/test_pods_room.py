"""Pods that last: as many as the node has places for, without taking those of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_api import Api
from sandbox_pods import LOOP, Pods, container

NODE = "/api/v1/nodes"


@pytest.fixture
def pods(tmp_path: Any) -> Iterator[Pods]:
    from hera_k8s_sandbox.server.launch import running

    with running(tmp_path, runner="rewrite", lifetime=600) as address:
        yield Pods(Api(address.url, address.token))


def give_places(pods: Pods, count: int) -> None:
    name = pods.api.get(NODE)["items"][0]["metadata"]["name"]
    answer = pods.api.patch(f"{NODE}/{name}/status", {"status": {"allocatable": {"pods": str(count)}}})
    assert answer.ok, answer.text


def lasting(pods: Pods) -> str:
    return pods.create(container(LOOP), restartPolicy="Always", terminationGracePeriodSeconds=0)


def is_running(pod: dict[str, Any]) -> bool:
    return bool(pod["status"]["phase"] == "Running")


def why_pending(pod: dict[str, Any]) -> str:
    found = [one for one in pod["status"].get("conditions") or () if one["type"] == "PodScheduled"]
    return next((one["message"] for one in found if one.get("reason") == "Unschedulable"), "")


def test_a_pod_that_lasts_waits_for_a_place(pods: Pods) -> None:
    give_places(pods, 2)
    first, second = lasting(pods), lasting(pods)
    for name in (first, second):
        pods.until(name, is_running)
    third, fourth = lasting(pods), lasting(pods)
    for name in (third, fourth):
        pod = pods.until(name, why_pending)
        assert why_pending(pod).startswith("0/1 nodes are available: 1 Too many pods.")
        assert not pod["spec"].get("nodeName")
    assert pods.run(container("true"))["status"]["phase"] == "Succeeded"

    pods.api.send("DELETE", f"{pods.path}/{first}")
    pods.until(third, is_running)
    assert why_pending(pods.get(fourth))
    pods.api.send("DELETE", f"{pods.path}/{fourth}")
    fifth = lasting(pods)
    pods.until(fifth, why_pending)
    pods.api.send("DELETE", f"{pods.path}/{second}")
    pods.until(fifth, is_running)
