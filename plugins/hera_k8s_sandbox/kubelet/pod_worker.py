"""One pod, from its first container to its end: what a kubelet does for it, with local processes for containers.

Nothing here knows the sandbox's store: the caller passes a `PodContext` (look-ups and reports) and what
pods are run with (`NodeRuntime`). So the sandbox's kubelet and a test's kubelet for a real API server run pods alike:

    run = PodRun(pod, directory, context, runtime, hook)
    try:
        await run.prepare()            # claims, volumes, the first containers; its status is reported
    except PodBlocked:
        ...                            # nothing runs; try `prepare` again when something has changed
    await run.run()                    # to its end: Succeeded, Failed, or stopped
    run.stop(seconds)                  # meanwhile, from the same loop: the pod is deleted, or must end

The pod is the object as it is when it is bound: with `spec.nodeName`, uid and namespace. When a pod that is being
deleted has ended, the caller removes the object. Everything happens on one event loop; processes are waited
for by the runner's threads.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hera_k8s_sandbox.kubelet import logs, pod_status
from hera_k8s_sandbox.kubelet.container import BackOff, ContainerConfig, ContainerRun
from hera_k8s_sandbox.kubelet.environment import ADDRESS, config_error, environment_of, expand_references
from hera_k8s_sandbox.kubelet.images import Images, ImageUnknown, Programs, pull_error
from hera_k8s_sandbox.kubelet.mounts import Launch, Task
from hera_k8s_sandbox.kubelet.pod_context import PodBlocked, PodContext, Sources, containers_of, look_up
from hera_k8s_sandbox.kubelet.process_runner import Ended, Runner
from hera_k8s_sandbox.kubelet.volumes import Volume, mounts_of, write_volumes
from hera_k8s_sandbox.store.entries import now_text
from hera_k8s_utils._types import Json

SCRATCH: Final = ("containers", "volumes")  # what a pod's directory holds only while it runs
DEADLINE: Final = "Pod was active on the node longer than the specified deadline"
_GRACE: Final = 30.0  # seconds, Kubernetes' default
_RETRY: Final = 2.0  # seconds until a container that waits for something is tried again
_REFUSED: Final = ("shareProcessNamespace", "hostPID")  # each container is a tree of processes of its own


@dataclass(frozen=True)
class NodeRuntime:
    """What the pods of one machine are run with."""

    runner: Runner
    images: Images
    programs: Programs
    back_off: type[BackOff] = BackOff


class PodHook:
    """What a controller does beside the containers of its own pods; this one does nothing.

    lasting: the pod is to be started at once, for others wait for it while it runs.
    annotations: written with the pod's next report.
    statuses: of containers that the pod's specification does not have, written likewise. A failure among them makes
        the pod fail.
    """

    def __init__(self, *, lasting: bool = False) -> None:
        self.lasting = lasting
        self.annotations: dict[str, str] = {}
        self.statuses: list[Json] = []

    async def prepare(self, run: PodRun) -> None:
        """Before the first container starts. Raises PodBlocked."""

    def amend(self, container: Json, task: Task) -> Task:  # noqa: ARG002
        """The task of a container, with what is the hook's own."""
        return task

    async def supply(self, container: Json, task: Task) -> Task:  # noqa: ARG002
        """The amended task, with files that take their time to be put in place."""
        return task

    async def admit(self, container: Json) -> str | None:  # noqa: ARG002
        """Wait until a container may start; why it is never to, or None."""
        return None

    def separates(self, container: Json) -> bool:  # noqa: ARG002
        """Whether a container's standard error is kept apart from its output."""
        return False

    async def ended(self, container: Json, ended: Ended, launch: Launch | None, output: Path) -> None:
        """A container has ended for good; output: the file with what it wrote."""

    async def finish(self, run: PodRun) -> None:
        """All containers have ended; the pod's last report comes next."""


@dataclass
class _Containers:
    init: list[ContainerRun] = field(default_factory=list)
    regular: list[ContainerRun] = field(default_factory=list)

    def __iter__(self) -> Any:
        return iter([*self.init, *self.regular])


class PodRun:
    """Runs one pod. It is used once; see the module's docstring."""

    def __init__(
        self, pod: Json, directory: Path, context: PodContext, runtime: NodeRuntime, hook: PodHook | None = None
    ) -> None:
        """directory: for the pod's files and logs; the caller removes it, or what `SCRATCH` names of it."""
        self.pod = pod
        self.directory = directory
        self.overdue = False
        self._context = context
        self._runtime = runtime
        self._hook = hook or PodHook()
        self._before: Json = pod.get("status") or {}
        self._volumes: dict[str, Volume] = {}
        self._sources = Sources()
        self._tasks: dict[str, Task] = {}
        self._poked = asyncio.Event()
        self._report_planned = False
        self._begun = False
        self._closed = False
        self._final = False
        self._grace: float | None = None  # once it is to end
        self._conditions: list[Json] = list(self._before.get("conditions") or ())
        self._started_at = self._before.get("startTime")
        self._containers = self._make_containers()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._grace is not None

    @property
    def grace(self) -> float:
        """Seconds that its containers get to end by default."""
        seconds = self.pod["spec"].get("terminationGracePeriodSeconds")
        return _GRACE if seconds is None else float(seconds)

    # Life

    async def prepare(self) -> None:
        """Make everything ready for the first containers. Raises PodBlocked, which is reported, when none can start."""
        try:
            for name in _REFUSED:
                if self.pod["spec"].get(name):
                    raise config_error(f"the sandbox does not support {name}", event_message=None)
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sources = await look_up(self.pod, self._context)
            self._volumes = write_volumes(self.pod, self._sources, self.directory / "volumes")
            await self._hook.prepare(self)
        except PodBlocked as waits:
            self._show_waiting(waits)
            raise
        first = self._containers.init[:1] or self._containers.regular
        problems = []
        for one in first:
            try:
                self._tasks[one.name] = await self._hook.supply(one.container, self._task(one.container))
            except PodBlocked as waits:
                one.wait(waits)
                problems.append(waits)
        if len(problems) == len(first):
            self._report()
            raise problems[0]

    async def run(self) -> None:
        """Run the pod to its end. Nothing is reported any more when it was closed."""
        self._begun = True
        self._started_at = self._started_at or now_text()
        deadline = self.pod["spec"].get("activeDeadlineSeconds")
        timer = None
        if deadline is not None:
            timer = asyncio.get_running_loop().call_later(float(deadline), self._be_overdue)
        sidecars: list[tuple[ContainerRun, asyncio.Task[None]]] = []
        try:
            if await self._initialize(sidecars):
                await self._run_regular()
        finally:
            if timer is not None:
                timer.cancel()
            await self._end_sidecars(sidecars)
        if self._closed:
            return
        await self._hook.finish(self)
        self._final = True
        self._report()

    def stop(self, grace: float | None = None) -> None:
        """End it: ask its containers, and kill them after some seconds (without: as the pod says).

        May be repeated with less grace; otherwise each container is asked once.
        """
        wanted = self.grace if grace is None else grace
        if self._grace is not None and wanted >= self._grace:
            return
        self._grace = wanted
        for one in self._containers.regular:
            one.stop(self._grace)
        regular = {id(one) for one in self._containers.regular}
        if not any(one.runs for one in self._containers.regular):
            for one in self._containers:
                if id(one) not in regular:
                    one.stop(self._grace)
        elif self._grace == 0:
            for one in self._containers.init:
                one.stop(0)

    def end_containers(self, names: Collection[str]) -> None:
        """End some of its containers, which are no longer needed."""
        for one in self._containers.regular:
            if one.name in names and one.ended is None:
                one.stop(self.grace)

    def close(self) -> None:
        """Kill what runs and report nothing any more: the machine goes down."""
        self._closed = True
        self.stop(0)

    def poke(self) -> None:
        """Something has changed for which a container may be waiting."""
        self._poked.set()

    async def token(self, seconds: int) -> str:
        """A token of the pod's account for the API server."""
        return await self._context.token("", seconds)

    def sample_logs(self) -> None:
        """Note the lengths of the logs that are being written."""
        for one in self._containers:
            if one.runs:
                logs.sample(one.log_directory)

    def ended(self) -> Mapping[str, Ended]:
        """How each container has ended, by its name."""
        return {one.name: one.ended for one in self._containers if one.ended is not None}

    # Containers

    def _make_containers(self) -> _Containers:
        made = _Containers()
        place = ContainerConfig(
            pod=self.pod,
            directory=self.directory,
            runner=self._runtime.runner,
            prepare=self._prepare_one,
            changed=self._plan_report,
            record_event=self._record_event,
            retried=self._retried,
            grace=self.grace,
            separates=self._hook.separates,
            back_off=self._runtime.back_off,
        )
        for field_name, into in (("initContainers", made.init), ("containers", made.regular)):
            init = field_name == "initContainers"
            statuses = self._before.get("initContainerStatuses" if init else "containerStatuses") or ()
            known = {one["name"]: one for one in statuses}
            for container in self.pod["spec"].get(field_name) or ():
                into.append(ContainerRun(place, container, init=init, before=known.get(container["name"])))
        return made

    async def _initialize(self, sidecars: list[tuple[ContainerRun, asyncio.Task[None]]]) -> bool:
        """Run the init containers, one after the other; whether the others may start."""
        for one in self._containers.init:
            if self.stopping:
                return False
            if one.sidecar:
                running = asyncio.ensure_future(one.run())
                sidecars.append((one, running))
                started = asyncio.ensure_future(one.started.wait())
                await asyncio.wait([running, started], return_when=asyncio.FIRST_COMPLETED)
                started.cancel()
            else:
                await self._run_one(one)
                if one.exit_code != 0:
                    return False
        return not self.stopping

    async def _run_regular(self) -> None:
        """Run them side by side; when the sandbox itself fails with one of them, the others are ended first."""
        running = [asyncio.ensure_future(self._run_one(one)) for one in self._containers.regular]
        try:
            await asyncio.gather(*running)
        except Exception:
            self.stop()
            await asyncio.gather(*running, return_exceptions=True)
            raise

    async def _run_one(self, one: ContainerRun) -> None:
        if await one.admitted(self._hook.admit(one.container)):
            await one.run()
        if one.ended is not None and not self._closed:
            await self._hook.ended(one.container, one.ended, one.launch, one.log_directory / logs.OUTPUT)

    async def _end_sidecars(self, sidecars: list[tuple[ContainerRun, asyncio.Task[None]]]) -> None:
        """End them after all others, the last one first."""
        for one, running in reversed(sidecars):
            one.stop(self.grace if self._grace is None else self._grace)
            await asyncio.gather(running, return_exceptions=True)
        for _, running in sidecars:
            running.result()

    async def _prepare_one(self, container: Json) -> Task:
        task = self._tasks.pop(container["name"], None)
        if task is not None:
            return task
        self._sources = await look_up(self.pod, self._context)
        return await self._hook.supply(container, self._task(container))

    def _task(self, container: Json) -> Task:
        """What a container runs. Raises PodBlocked."""
        image = container["image"]
        problem = pull_error(image)
        if problem is not None:
            self._record_event("Failed", f'Failed to pull image "{image}": {problem}')
            message = f'Back-off pulling image "{image}": ErrImagePull: {problem}'
            raise PodBlocked("ImagePullBackOff", message, event="BackOff")
        if container.get("restartPolicyRules"):
            raise config_error("the sandbox does not support restartPolicyRules", event_message=None)
        env = environment_of(self.pod, container, self._sources)
        given = [[str(each) for each in container.get(field) or ()] for field in ("command", "args")]
        try:
            words = self._runtime.images.words(image, *given)
        except ImageUnknown as error:
            raise config_error(str(error)) from None
        task = Task(
            name=str(self.pod["spec"].get("hostname") or self.pod["metadata"]["name"]),
            directory=self.directory / "containers" / container["name"],
            command=tuple(expand_references(each, env) for each in words),
            programs=self._runtime.programs.of(image),
            env=env,
            mounts=mounts_of(container, self._volumes, env),
            working_directory=container.get("workingDir") or "",
        )
        return self._hook.amend(container, task)

    async def _retried(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._poked.wait(), _RETRY)
        self._poked.clear()

    def _be_overdue(self) -> None:
        self.overdue = True
        self.stop()

    # Reports

    def _record_event(self, reason: str, message: str, type: str = "Warning") -> None:
        if not self._closed:
            self._context.record_event(reason, message, type)

    def _plan_report(self) -> None:
        """Report soon: changes of one moment are reported together."""
        if not self._report_planned and self._begun:
            self._report_planned = True
            asyncio.get_running_loop().call_soon(self._report_if_going)

    def _report_if_going(self) -> None:
        self._report_planned = False
        if not self._final and not self._is_over():
            self._report()

    def _is_over(self) -> bool:
        """Whether the last report comes next, which then contains all changes."""
        return not self._containers.init and all(one.over for one in self._containers.regular)

    def _show_waiting(self, waits: PodBlocked) -> None:
        """Let the pod say for what it waits as a whole."""
        self._record_event(waits.event, waits.event_message)
        if waits.reason == "Unschedulable":
            self._context.report(waiting_for_node(waits), {})
            return
        state = {"reason": waits.reason} | ({"message": waits.message} if waits.message else {})
        for one in self._containers:
            one.status = one.status | {"state": {"waiting": state}}
        self._report()

    def _report(self) -> None:
        if self._closed:
            return
        init = [one.status for one in self._containers.init]
        regular = [one.status for one in self._containers.regular]
        phase = pod_status.phase_of(self.pod, init, regular, final=self._final)
        problem = next((one for one in self._hook.statuses if _has_failed(one)), None)
        status: Json = {}
        if self._final and (self.overdue or problem):
            phase = "Failed"
        elif not self._final and phase in pod_status.ENDED:
            phase = "Running"  # until its sidecars have ended, too
        if self.overdue:
            status |= {"reason": "DeadlineExceeded", "message": DEADLINE}
        self._conditions = pod_status.conditions_of(self.pod, phase, init, regular, self._conditions, begun=self._begun)
        status |= {"phase": phase, "conditions": self._conditions}
        if generation := self.pod["metadata"].get("generation"):
            status["observedGeneration"] = generation
        status |= {"hostIP": ADDRESS, "hostIPs": [{"ip": ADDRESS}]}
        if self._begun:
            status |= {"podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}], "startTime": self._started_at}
        if init:
            status["initContainerStatuses"] = init
        status["containerStatuses"] = [*regular, *self._hook.statuses]
        self._context.report(status, self._hook.annotations)


def waiting_for_node(waits: PodBlocked) -> Json:
    """The status of a pod that cannot be scheduled yet."""
    condition = {"type": "PodScheduled", "status": "False", "reason": waits.reason, "message": waits.message}
    return {"phase": "Pending", "conditions": [condition]}


def _has_failed(status: Json) -> bool:
    end = status["state"].get("terminated")
    return end is not None and end["exitCode"] != 0


def images_of(pod: Json) -> list[str]:
    """The images of a pod, each once."""
    return list(dict.fromkeys(container["image"] for container in containers_of(pod)))
