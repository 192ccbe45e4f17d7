"""Schedules on the sandbox, whose clock is advanced: Arkouda is deployed and deleted at its times."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from arkouda_cluster import INSTANCE, ArkoudaSandbox, arkouda_sandbox, context_of, needs_mounts
from arkouda_support import Command

from hera_k8s_utils import Kubernetes

pytestmark = [needs_mounts, pytest.mark.timeout(300)]  # the launch scripts name absolute paths

API = "argoproj.io/v1alpha1"
DAY = 24 * 3600


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArkoudaSandbox]:
    with arkouda_sandbox(tmp_path_factory.mktemp("arkouda")) as found:
        yield found


@pytest.fixture
def kubernetes(box: ArkoudaSandbox) -> Iterator[Kubernetes]:
    with context_of(box) as context:
        yield context.kubernetes


@pytest.fixture
def run(arkouda: Command, box: ArkoudaSandbox, monkeypatch: pytest.MonkeyPatch) -> Command:
    for name, value in box.variables.items():
        monkeypatch.setenv(name, value)
    assert arkouda("install").code == 0
    return arkouda


def children(kubernetes: Kubernetes, schedule: str) -> list[str]:
    """The workflows that a schedule has made."""
    found = kubernetes.list(API, "workflows", label_selector=f"workflows.argoproj.io/cron-workflow={schedule}")
    return sorted(body["metadata"]["name"] for body in found)


def follow(name: str) -> None:
    """Wait until a workflow has ended, and in success."""
    command = [sys.executable, "-m", "hera_k8s_utils", "follow", name, "-n", "arkouda"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_both_schedules_do_their_work_when_their_time_comes(
    run: Command, box: ArkoudaSandbox, kubernetes: Kubernetes
) -> None:
    told = run("schedule", "deploy", "--timezone", "Europe/Paris", "--deploy-at", "0 07 * * *")
    assert told.code == 0, told.err
    assert "create CronWorkflow deploy-arkouda-on-kubernetes: 0 07 * * *, Europe/Paris" in told.out
    box.address.advance(DAY)
    (deployed,) = children(kubernetes, "deploy-arkouda-on-kubernetes")
    follow(deployed)
    assert run("status").code == 0
    assert run("schedule", "deploy", "--remove").code == 0

    assert run("schedule", "delete").code == 0
    box.address.advance(DAY)
    (deleted,) = children(kubernetes, "delete-arkouda-on-kubernetes")
    follow(deleted)
    assert run("status").code == 5
    assert f"nothing of {INSTANCE}" in run("delete", "--yes").out
    assert run("schedule", "--remove").code == 0
    assert list(kubernetes.list(API, "cronworkflows")) == []


def test_a_suspended_schedule_lets_nothing_happen(run: Command, box: ArkoudaSandbox, kubernetes: Kubernetes) -> None:
    assert run("schedule", "delete", "--suspend").code == 0
    before = children(kubernetes, "delete-arkouda-on-kubernetes")
    box.address.advance(DAY)
    assert children(kubernetes, "delete-arkouda-on-kubernetes") == before
    changed = run("schedule", "delete", "--delete-at", "30 17 * * 1-5")
    assert "change CronWorkflow delete-arkouda-on-kubernetes: 30 17 * * 1-5, America/New_York" in changed.out
    assert "30 17 * * 1-5" in run("status").out
    told = json.loads(run("status", "--output", "json").out)
    state = "30 17 * * 1-5 America/New_York"
    assert told["cronworkflows"] == [{"kind": "CronWorkflow", "name": "delete-arkouda-on-kubernetes", "state": state}]
    assert set(children(kubernetes, "delete-arkouda-on-kubernetes")) <= {each["name"] for each in told["workflows"]}
    assert run("schedule", "--remove").code == 0


def test_the_schedule_of_another_instance_is_not_replaced(run: Command) -> None:
    assert run("schedule", "delete").code == 0
    told = run("schedule", "delete", "--arkouda-instance-name", "another")
    assert told.code == 1
    assert f"the schedule of {INSTANCE}" in told.err
    other = run("schedule", "delete", "--remove", "--dry-run", "--arkouda-instance-name", "another")
    assert f"remove CronWorkflow delete-arkouda-on-kubernetes of {INSTANCE}" in other.out, "whose it is"
    assert run("schedule", "--remove").code == 0
    assert "already gone" in run("schedule", "--remove").out


def test_times_that_repeat_each_minute_are_warned_of(run: Command) -> None:
    told = run("schedule", "--deploy-at", "* 07 * * *", "--dry-run")
    assert told.code == 0
    assert "each minute of hour 07" in told.err
    assert run("schedule", "--deploy-at", "7 o'clock").code == 2
    assert run("schedule", "--timezone", "New York").code == 2
