"""Following a run, with an engine that plays a script."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hera_k8s_argo.workflow.plan import suspend_templates
from hera_k8s_cli.runs.follower import Follower, FollowResult
from hera_k8s_cli.runs.pending import PendingTracker, Reason, related_check
from hera_k8s_cli.runs.progress import TaskProgress
from hera_k8s_cli.terminal.console import Console
from hera_k8s_utils import ErrorKind, NodeState, PlatformError, RunUpdate
from hera_k8s_utils.engines.pod_status import describe_wait


class Script:
    """An engine that tells what it was given, then waits or raises."""

    def __init__(self, *updates: RunUpdate, then: Callable[[], None] = lambda: None) -> None:
        self.updates = updates
        self.then = then

    def follow(self, name: str) -> Iterator[RunUpdate]:
        yield from self.updates
        self.then()


def node(phase: str, message: str = "", name: str = "w.a") -> NodeState:
    return NodeState(
        id=name, name=name, type="Pod", template="simulate", phase=phase, message=message, pod=f"pod-{name}"
    )


def follow(engine: Any, **settings: Any) -> tuple[FollowResult, str]:
    err = io.StringIO()
    console = Console(out=io.StringIO(), err=err, environ={})
    return Follower(engine, "trial-k3f9", console, TaskProgress(), **settings).run(), err.getvalue()


def test_a_run_is_followed_to_its_end() -> None:
    ended, said = follow(Script(RunUpdate(phase="Running", nodes=[node("Running")]), RunUpdate(phase="Succeeded")))
    assert ended.update.phase == "Succeeded"
    assert "simulate 0 so far, 1 running" in said


def test_patience_ends_and_says_so() -> None:
    never = threading.Event()
    ended, _ = follow(Script(RunUpdate(phase="Running"), then=lambda: never.wait() and None), timeout=0.05)
    assert ended.timed_out
    assert ended.update.phase == "Running"


def test_a_lost_server_is_said_with_the_way_back() -> None:
    def fail() -> None:
        raise PlatformError("following", kind=ErrorKind.UNREACHABLE)

    err = io.StringIO()
    console = Console(out=io.StringIO(), err=err, environ={})
    follower = Follower(Script(then=fail), "trial-k3f9", console, TaskProgress(), come_back="hera-k8s follow k3f9")  # type: ignore[arg-type]
    with pytest.raises(PlatformError):
        follower.run()
    assert "it is still running. Reattach: hera-k8s follow k3f9" in err.getvalue()


def test_a_deleted_run_keeps_its_last_phase() -> None:
    ended, _ = follow(Script(RunUpdate(phase="Running"), RunUpdate(phase="", gone=True)))
    assert ended.update.gone
    assert ended.update.phase == "Running"


def test_a_task_that_cannot_start_is_explained() -> None:
    stuck = node("Pending", 'CreateContainerConfigError: configmap "settings" not found')
    _, said = follow(Script(RunUpdate(phase="Running", nodes=[stuck]), RunUpdate(phase="Succeeded")))
    assert 'simulate waits: CreateContainerConfigError: configmap "settings" not found' in said


def test_observers_are_told_of_each_update() -> None:
    phases: list[str] = []
    follow(
        Script(RunUpdate(phase="Running"), RunUpdate(phase="Failed")),
        on_update=lambda update: phases.append(update.phase),
    )
    assert phases == ["Running", "Failed"]


def waiting_with(*nodes: NodeState, explain: Callable[[str], str] | None = None) -> tuple[PendingTracker, list[Reason]]:
    tally = TaskProgress()
    tally.apply(RunUpdate(phase="Running", nodes=nodes))
    arrived: list[Reason] = []
    return PendingTracker(tally, explain, arrived.append), arrived


def test_one_reason_of_many_tasks_is_told_once() -> None:
    waiting, _ = waiting_with(*(node("Pending", 'secret "salt" not found', f"w.{i}") for i in range(20)))
    assert waiting.new_messages(0.0) == ['20 tasks of simulate wait: secret "salt" not found']
    assert waiting.new_messages(5.0) == []


def test_an_ordinary_start_is_not_worth_a_word() -> None:
    waiting, _ = waiting_with(node("Pending", "ContainerCreating"), node("Pending", "Unschedulable: no room", "w.b"))
    assert waiting.new_messages(0.0) == []
    assert waiting.new_messages(11.0) == ["simulate waits: Unschedulable: no room"]


def gate(template: str, name: str, phase: str = "Running") -> NodeState:
    return NodeState(id=name, name=name, type="Suspend", template=template, phase=phase)


def test_tasks_that_wait_for_somebody_are_told_once_with_what_to_type() -> None:
    tally = TaskProgress()
    tally.apply(RunUpdate(phase="Running", nodes=[gate("ask", "w.a"), gate("pause", "w.b"), gate("far", "w.c")]))
    manifest = {
        "spec": {"templates": [{"name": "ask", "suspend": {}}, {"name": "pause", "suspend": {"duration": "10m"}}]}
    }
    waiting = PendingTracker(
        tally, None, lambda reason: None, resume="argo resume w -n n", suspend_templates=suspend_templates(manifest)
    )
    assert waiting.new_messages(0.0) == [
        "ask waits: to be resumed (argo resume w -n n)",
        "pause waits: for 10m to pass, or to be resumed (argo resume w -n n)",
        "far waits: to be resumed, or for its duration to pass (argo resume w -n n)",
    ]
    tally.apply(RunUpdate(phase="Running", nodes=[gate("ask", "w.a", "Succeeded")]))
    assert waiting.new_messages(5.0) == []


def test_a_suspended_run_is_told_each_time_that_it_becomes_one() -> None:
    tally = TaskProgress()
    waiting = PendingTracker(tally, None, lambda reason: None, resume="argo resume w -n n")
    told = []
    for at, suspended in enumerate([False, True, True, False, True]):
        tally.apply(RunUpdate(phase="Running", suspended=suspended))
        told.append(bool(waiting.new_messages(at * 2.0)))
    assert told == [False, True, False, False, True]


def test_a_silent_task_is_looked_up_by_its_pod() -> None:
    asked = threading.Event()

    def explain(pod: str) -> str:
        assert pod == "pod-w.a"
        asked.set()
        return "Unschedulable: 0/3 nodes are available"

    tally = TaskProgress()
    tally.apply(RunUpdate(phase="Running", nodes=[node("Pending")]))
    learned = threading.Event()
    arrived: list[Reason] = []
    waiting = PendingTracker(tally, explain, lambda reason: (arrived.append(reason), learned.set())[0])
    waiting.new_messages(0.0)
    waiting.new_messages(11.0)
    assert learned.wait(10)
    assert waiting.add_reason(arrived[0]) == ["simulate waits: Unschedulable: 0/3 nodes are available"]


def test_a_pods_status_says_why_it_waits() -> None:
    container = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    assert describe_wait({"status": {"containerStatuses": [container]}}) == "ImagePullBackOff: Back-off pulling image"
    assert describe_wait({"status": {"conditions": [condition]}}) == "Unschedulable: 0/3 nodes"
    assert describe_wait({"status": {"phase": "Running"}}) == ""
    assert describe_wait({}) == ""


def test_the_check_that_covers_a_waiting_task_is_recalled() -> None:
    check = {"title": "secret salt", "verdict": "unknown", "detail": "not ours to look at (403)"}
    fine = {"title": "config map sa", "verdict": "passed", "detail": "2 of 2 keys"}
    report = {"checks": [fine, check]}
    said = related_check(report, 'simulate waits: secret "salt" not found')
    assert said == "before the run, the check of secret salt was unknown, not ours to look at (403)"
    assert related_check(report, 'secret "salt-2" not found') == ""
    assert related_check({}, "anything") == ""


PROGRAM = """
import sys, threading
from hera_k8s_cli.terminal.console import Console
from hera_k8s_utils.experiment.run_state import RunUpdate
from hera_k8s_utils.errors import Interrupted
from hera_k8s_cli.runs.follower import Follower
from hera_k8s_cli.runs.progress import TaskProgress

class Endless:
    def follow(self, name):
        yield RunUpdate(phase="Running")
        threading.Event().wait()

follower = Follower(
    Endless(), "trial-k3f9", Console(), TaskProgress(), on_update=lambda update: print("ready", flush=True)
)
follower.come_back, follower.stop = "hera-k8s follow k3f9", "hera-k8s stop k3f9"
try:
    follower.run()
except Interrupted as error:
    print(error, file=sys.stderr, flush=True)
    print("told", flush=True)
    if sys.argv[1:] == ["linger"]:
        threading.Event().wait()
    sys.exit(error.exit_code)
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_says_what_goes_on_and_how_to_come_back() -> None:
    with start() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "trial-k3f9 goes on" in said
    assert "hera-k8s follow k3f9 comes back, hera-k8s stop k3f9 ends it" in said


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_second_ctrl_c_leaves_at_once() -> None:
    with start("linger") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "told\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
