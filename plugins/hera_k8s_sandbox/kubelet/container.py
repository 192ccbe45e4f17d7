"""One container of a pod: started, probed, and restarted according to its restart policy."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.kubelet import logs, pod_status
from hera_k8s_sandbox.kubelet.mounts import Launch, Mount, Task
from hera_k8s_sandbox.kubelet.pod_context import PodBlocked
from hera_k8s_sandbox.kubelet.probes import Prober, check_actions
from hera_k8s_sandbox.kubelet.process_runner import Ended, Runner
from hera_k8s_sandbox.store.entries import now_text
from hera_k8s_utils._types import Json

_AFTER_HOOK: Final = 2.0  # seconds that a container gets after its preStop hook, as the kubelet gives
_LARGEST_MESSAGE: Final = 4096  # bytes of a termination message, and so many of the log in its place
_MESSAGE_LINES: Final = 80
REFUSED: Final = 64  # the exit code of a container that was not started because another has failed
_LOGS_KEPT: Final = 2  # attempts: the last one, and the one before


@dataclass
class BackOff:
    """How long a container waits until it is started again: not at all the first time, then ever longer.

    first, longest: seconds. A container that has run for twice the longest begins anew.
    """

    first: float = 0.5
    longest: float = 8.0
    _next: float | None = field(default=None, init=False)

    def delay(self, ran: float) -> float:
        """Seconds until the next start; ran: seconds that the container has run."""
        if self._next is None or ran >= 2 * self.longest:
            self._next = self.first
            return 0.0
        found, self._next = self._next, min(self.longest, 2 * self._next)
        return found


@dataclass(frozen=True)
class ContainerConfig:
    """What a container is run with.

    prepare: makes the task of the container, raising PodBlocked when that cannot be done yet.
    changed: called whenever the status has changed.
    retried: waits until preparing may be worth another try.
    grace: seconds between asking the container to end and killing it.
    separates: whether a container's standard error is kept apart.
    """

    pod: Json
    directory: Path  # of the pod
    runner: Runner
    prepare: Callable[[Json], Awaitable[Task]]
    changed: Callable[[], None]
    record_event: Callable[[str, str, str], None]
    retried: Callable[[], Awaitable[None]]
    grace: float
    separates: Callable[[Json], bool]
    back_off: Callable[[], BackOff] = BackOff


class ContainerRun:
    """One container; `status` is its entry in the pod's status."""

    def __init__(self, config: ContainerConfig, container: Json, *, init: bool, before: Json | None) -> None:
        """before: its status when an earlier server ran the pod, which is then its last state."""
        self.container = container
        self.name: str = container["name"]
        self.policy = pod_status.policy_of(config.pod, container, init=init)
        self._init = init
        self.sidecar = init and pod_status.is_sidecar(container)
        self.started = asyncio.Event()  # and through its startup probe
        self.ended: Ended | None = None
        self.over = False  # and not to be started again
        self.launch: Launch | None = None
        self._config = config
        self._stopping = asyncio.Event()
        self._restarts, self._last = _resumed(before)
        self._ran = before is not None and before.get("restartCount") is not None and bool(self._last)
        idle = "PodInitializing" if config.pod["spec"].get("initContainers") else "ContainerCreating"
        self.status = self._made({"waiting": {"reason": idle}})
        self._jobs: set[asyncio.Task[Any]] = set()
        self._back_off = config.back_off()

    @property
    def directory(self) -> Path:
        """Its own files, which a restart removes."""
        return self._config.directory / "containers" / self.name

    @property
    def log_directory(self) -> Path:
        """Where the log of its current attempt is."""
        return logs.log_directory(self._config.directory, self.name, self._restarts)

    @property
    def runs(self) -> bool:
        """Whether a process of it runs."""
        return "running" in self.status["state"]

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it has not."""
        end = self.status["state"].get("terminated")
        return None if end is None else int(end["exitCode"])

    # Running

    async def run(self) -> None:
        """Run it until it will not be started again."""
        try:
            await self._run()
        finally:
            self.over = True

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                check_actions(self.container)
                task = await self._config.prepare(self.container)
            except PodBlocked as waits:
                self.wait(waits)
                await self._unless_stopped(self._config.retried())
                continue
            if self._stopping.is_set():
                return
            if self._ran:
                self._restarts += 1
            self._ran = True
            ended = await self._once(task)
            if self._stopping.is_set() or not self._restartable(ended):
                return
            began = ended.started or ended.finished
            await self._pause(self._back_off.delay(ended.finished - began))

    def wait(self, waits: PodBlocked) -> None:
        """Show for what it waits."""
        state = {"reason": waits.reason} | ({"message": waits.message} if waits.message else {})
        if self.status["state"] != {"waiting": state}:
            self.status = self._made({"waiting": state})
            self._config.record_event(waits.event, waits.event_message, "Warning")
            self._config.changed()

    def stop(self, grace: float) -> None:
        """Ask it to end and kill it after `grace` seconds; one that waits is not started any more."""
        first = not self._stopping.is_set()
        self._stopping.set()
        if not self.runs:
            self._config.runner.stop(self.directory, grace)  # it may be about to start
            return
        hook = (self.container.get("lifecycle") or {}).get("preStop")
        if first and hook and grace > 0:
            self._start(self._stop_after_hook(hook, grace))
        else:
            self._config.runner.stop(self.directory, grace)

    async def _stop_after_hook(self, hook: Json, grace: float) -> None:
        began = time.monotonic()
        why = await self._prober.attempt(hook, grace)
        if why:
            self._config.record_event("FailedPreStopHook", f"PreStopHook failed: {why}", "Warning")
        left = grace - (time.monotonic() - began)
        self._config.runner.stop(self.directory, max(left, _AFTER_HOOK))

    async def _once(self, task: Task) -> Ended:
        directory = self.log_directory
        directory.mkdir(parents=True, exist_ok=True)
        forgotten = self._restarts - _LOGS_KEPT
        if forgotten >= 0:
            shutil.rmtree(logs.log_directory(self._config.directory, self.name, forgotten), ignore_errors=True)
        message = self._message_file(task)
        task = replace(task, mounts=(*task.mounts, Mount(message, self._message_path)))
        self._task = task
        apart = self._config.separates(self.container)
        errors = directory / logs.ERRORS if apart else None
        ended, self.launch = await self._config.runner.run(
            task, output=directory / logs.OUTPUT, errors=errors, on_start=self._on_start
        )
        for job in list(self._jobs):
            job.cancel()
        logs.sample(directory)
        self.ended = ended
        state = {"terminated": self._terminated(ended, message)}
        self.status = self._made(state, ready=self._init and ended.exit_code == 0)
        self._last = self.status["state"]
        self.started.clear()
        self._config.changed()
        return ended

    def _on_start(self, launch: Launch) -> None:
        self.launch = launch
        state = {"running": {"startedAt": now_text()}}
        is_started = not self.container.get("startupProbe")
        ready = is_started and not self.container.get("readinessProbe")
        self.status = self._made(state, ready=ready, started=is_started)
        if is_started:
            self.started.set()
        self._config.changed()
        hook = (self.container.get("lifecycle") or {}).get("postStart")
        if hook:
            self._start(self._after_start(hook))
        if any(self.container.get(name) for name in ("startupProbe", "livenessProbe", "readinessProbe")):
            self._start(self._probe())

    async def _after_start(self, hook: Json) -> None:
        why = await self._prober.attempt(hook, self._config.grace or _AFTER_HOOK)
        if why:
            self._config.record_event("FailedPostStartHook", f"PostStartHook failed: {why}", "Warning")
            self._kill("FailedPostStartHook")

    # Probes

    @property
    def _prober(self) -> Prober:
        return Prober(self.container, self._run_inside)

    async def _probe(self) -> None:
        startup, liveness = self.container.get("startupProbe"), self.container.get("livenessProbe")
        readiness = self.container.get("readinessProbe")
        if startup:
            await asyncio.sleep(float(startup.get("initialDelaySeconds") or 0))
            if not await self._prober.settles(startup, record_event=self._unhealthy("Startup")):
                self._kill("failed startup probe, will be restarted", startup)
                return
            self._show(started=True, ready=not readiness)
            self.started.set()
        if readiness:
            self._start(self._watch_readiness(readiness))
        if liveness:
            await asyncio.sleep(float(liveness.get("initialDelaySeconds") or 0))
            while await self._prober.settles(liveness, record_event=self._unhealthy("Liveness")):
                await asyncio.sleep(float(liveness.get("periodSeconds") or 10))
            self._kill("failed liveness probe, will be restarted", liveness)

    async def _watch_readiness(self, probe: Json) -> None:
        await asyncio.sleep(float(probe.get("initialDelaySeconds") or 0))
        while True:
            ready = await self._prober.settles(probe, record_event=self._unhealthy("Readiness"))
            self._show(ready=ready, started=True)
            await asyncio.sleep(float(probe.get("periodSeconds") or 10))

    def _unhealthy(self, kind: str) -> Callable[[str], None]:
        return lambda why: self._config.record_event("Unhealthy", f"{kind} probe failed: {why}", "Warning")

    def _show(self, *, ready: bool, started: bool) -> None:
        if self.runs and (ready, started) != (self.status["ready"], self.status["started"]):
            self.status = self.status | {"ready": ready, "started": started}
            self._config.changed()

    def _kill(self, why: str, probe: Json | None = None) -> None:
        self._config.record_event("Killing", f"Container {self.name} {why}", "Normal")
        seconds = (probe or {}).get("terminationGracePeriodSeconds")
        self._config.runner.stop(self.directory, self._config.grace if seconds is None else float(seconds))

    async def _run_inside(self, command: list[str], seconds: float) -> tuple[int, str]:
        task = replace(self._task, command=tuple(command), script=None, outputs=())
        return await self._config.runner.run_aside(task, seconds)

    # Between two runs

    def _restartable(self, ended: Ended) -> bool:
        if self.policy == pod_status.ALWAYS:
            return True
        return self.policy == "OnFailure" and ended.exit_code != 0

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            return
        meta = self._config.pod["metadata"]
        which = f"{self.name} pod={meta['name']}_{meta['namespace']}({meta['uid']})"
        message = f"back-off {seconds:g}s restarting failed container={which}"
        ended = self.status
        self.status = self._made({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
        self._config.record_event("BackOff", f"Back-off restarting failed container {which}", "Warning")
        self._config.changed()
        await self._unless_stopped(asyncio.sleep(seconds))
        if self._stopping.is_set():
            self.status = ended
            self._config.changed()

    async def admitted(self, admission: Awaitable[str | None]) -> bool:
        """Wait for leave to start, unless it is stopped; without leave, it has ended for the reason that is given."""
        asking = asyncio.ensure_future(admission)
        await self._unless_stopped(asyncio.shield(asking))
        if not asking.done():
            asking.cancel()
            return False
        why = asking.result()
        if why is None:
            return True
        self.ended = Ended(REFUSED, why, finished=time.time())
        end = pod_status.terminated(
            REFUSED, reason="Error", message=why, started=None, finished=self.ended.finished, id=self._id
        )
        self.status = self._made({"terminated": end})
        self._config.changed()
        return False

    async def _unless_stopped(self, waiting: Awaitable[Any]) -> None:
        either = [asyncio.ensure_future(waiting), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in either:
                one.cancel()

    # Inside

    def _made(self, state: Json, *, ready: bool = False, started: bool = False) -> Json:
        made = pod_status.status_of(self.container, state, ready=ready, started=started, restarts=self._restarts)
        made["lastState"] = self._last
        if self._ran and "waiting" not in state:
            made["containerID"] = self._id
        return made

    @property
    def _id(self) -> str:
        return f"processes://{self._config.pod['metadata']['uid']}/{self.name}/{self._restarts}"

    @property
    def _message_path(self) -> str:
        return str(self.container.get("terminationMessagePath") or "/dev/termination-log")

    def _message_file(self, task: Task) -> Path:
        shutil.rmtree(task.directory, ignore_errors=True)  # what an earlier run has left
        task.directory.mkdir(parents=True, mode=0o700)
        path = task.directory / "termination-log"
        path.touch(mode=0o600)
        return path

    def _terminated(self, ended: Ended, message_file: Path) -> Json:
        reason = "Completed" if ended.exit_code == 0 else "Error"
        if ended.started is None and ended.exit_code == 128:
            reason = "StartError"
        message = ended.message or self._message(ended, message_file)
        finished = ended.finished or CLOCK.now()
        return pod_status.terminated(
            ended.exit_code, reason=reason, message=message, started=ended.started, finished=finished, id=self._id
        )

    def _message(self, ended: Ended, path: Path) -> str:
        """What the container has left as its last word."""
        with contextlib.suppress(OSError), path.open("rb") as file:
            if left := file.read(_LARGEST_MESSAGE):
                return left.decode("utf-8", "replace")
        if self.container.get("terminationMessagePolicy") != "FallbackToLogsOnError" or ended.exit_code == 0:
            return ""
        output = logs.read_result(self.log_directory / logs.OUTPUT, _LARGEST_MESSAGE)
        return "\n".join(output.splitlines()[-_MESSAGE_LINES:])

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)


def _resumed(before: Json | None) -> tuple[int, Json]:
    """The restarts of a container and its last state, after the server that ran it has ended."""
    if not before:
        return 0, {}
    state = before["state"]
    last: Json = dict(before.get("lastState") or {})
    if "terminated" in state:
        last = state
    elif "running" in state:
        code = 128 + signal.SIGKILL
        end = {"exitCode": code, "reason": "Error", "message": "the sandbox was stopped while this container ran"}
        times = {"startedAt": state["running"].get("startedAt"), "finishedAt": now_text()}
        last = {"terminated": end | times | {"containerID": before.get("containerID", "")}}
    return int(before.get("restartCount") or 0), last
