"""Kubelet: takes the pods of workflows, waits until they can start, runs them, and tells what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import posixpath
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hera_k8s_sandbox import logs, operations
from hera_k8s_sandbox.bootstrap import NODE
from hera_k8s_sandbox.errors import ApiError
from hera_k8s_sandbox.images import Images, pull_error, write_programs
from hera_k8s_sandbox.mounts import SCRATCH, Launch, Task
from hera_k8s_sandbox.reconcile import reconcile
from hera_k8s_sandbox.recorder import record_event
from hera_k8s_sandbox.resources import CLAIMS, CONFIG_MAPS, PODS, SECRETS, STORAGE_CLASSES
from hera_k8s_sandbox.runner import Ended, Runner
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store import Event, now_text, time_text
from hera_k8s_sandbox.volumes import Waits, expand_references, furnish, require_claims
from hera_k8s_sandbox.workflows.pods import NODE_ID, OUTPUTS, TEMPLATE

Json = dict[str, Any]
Key = tuple[str, str]  # namespace, name

MOUNTS_ANNOTATION: Final = "hera-k8s-utils/sandbox-mounts"  # how the pod saw its mounts
LARGEST_RESULT: Final = 256 * 1024  # bytes, Argo's own limit
_PLACE: Final = 3  # parts of a path that name a pod or a claim: `claims`, its namespace, its name
_SAMPLE: Final = 0.25  # seconds between looks at the logs of what runs
_GRACE: Final = 30.0  # seconds, what Kubernetes gives unless a pod says otherwise
_DEADLINE: Final = "Pod was active on the node longer than the specified deadline"
_ABANDONED: Final = "the sandbox was stopped while this pod ran"


@dataclass
class _Run:
    """One pod that has been taken."""

    directory: Path
    overdue: bool = False
    launched: bool = False


class Kubelet:
    """Runs the pods of workflows, a limited number at a time."""

    def __init__(self, state: SandboxState, runner: Runner, images: Images) -> None:
        self._state = state
        self._store = state.store
        self._runner = runner
        self._images = images
        self._queue: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._queued: set[Key] = set()
        self._runs: dict[Key, _Run] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._programs: dict[str, Path] = {}
        self._told_images: set[str] = set()
        self._closing = False
        self._sweeper = ThreadPoolExecutor(1, thread_name_prefix="sweep")  # removing directories can take long

    @property
    def busy(self) -> bool:
        """Whether a pod runs or could run."""
        return bool(self._runs or self._queued)

    def start(self) -> None:
        """Give up what an earlier server left running, and take what comes."""
        for pod in self._store.list(PODS):
            phase = (pod.get("status") or {}).get("phase")
            if phase == "Running":
                self._abandon(pod)
            if phase != "Pending":
                meta = pod["metadata"]
                self._sweeper.submit(_sweep, self._state.pod_directory(meta["namespace"], meta["name"]))
        work = [reconcile(self._store, PODS, self._take), self._watch_inputs(), self._sample_logs()]
        work += [self._work() for _ in range(self._state.concurrency)]
        self._tasks = [asyncio.create_task(each) for each in work]

    async def close(self) -> None:
        """Kill what runs; its pods have failed."""
        self._closing = True
        await self._runner.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sweeper.shutdown(cancel_futures=True)

    def stop(self, namespace: str, name: str) -> None:
        """End a pod: ask its processes to end; one that has not started is deleted."""
        run = self._runs.get((namespace, name))
        if run is not None:
            self._end(run, self._grace(namespace, name))
            return
        with contextlib.suppress(ApiError):
            if self._phase(namespace, name) == "Pending":
                operations.delete(self._state, PODS, namespace, name)

    # Taking pods

    def _take(self, event: Event) -> None:
        key = event.entry.key
        if event.type == "DELETED":
            self._waiting.discard(key)
            if (run := self._runs.get(key)) is not None:
                self._end(run, 0)
            else:
                self._remove(self._state.pod_directory(*key))
        elif event.type == "ADDED" and NODE_ID in (event.entry.meta.get("annotations") or {}):
            self._enqueue(key)

    async def _watch_inputs(self) -> None:
        """Try pods again when something appears for which they may be waiting."""
        changed = asyncio.Event()

        def note(_: Event) -> None:
            changed.set()

        inputs = (CONFIG_MAPS, SECRETS, CLAIMS, STORAGE_CLASSES)
        watches = [asyncio.create_task(reconcile(self._store, each, note)) for each in inputs]
        try:
            while True:
                await changed.wait()
                changed.clear()
                for key in list(self._waiting):
                    self._waiting.discard(key)
                    self._enqueue(key)
        finally:
            for watch_task in watches:
                watch_task.cancel()

    def _enqueue(self, key: Key) -> None:
        if key not in self._queued and key not in self._runs:
            self._queued.add(key)
            self._queue.put_nowait(key)

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            if self._closing:
                return
            self._queued.discard(key)
            if self._phase(*key) != "Pending":
                continue
            run = self._runs[key] = _Run(self._state.pod_directory(*key))
            try:
                await self._run(key, run)
            except ApiError:  # the pod was deleted meanwhile
                pass
            except Exception as error:  # whatever happens, the pod ends and the worker goes on
                self._fail(key, f"the sandbox could not run this pod: {error}")
            finally:
                del self._runs[key]
                if self._phase(*key) is None:
                    self._remove(run.directory)

    # Running one

    async def _run(self, key: Key, run: _Run) -> None:
        pod = self._store.get(PODS, *key)
        try:
            task, apart = self._prepare(pod, run.directory)
        except Waits as waits:
            self._wait(pod, waits)
            return
        self._tell_missing_pull_secrets(pod)
        self._tell_unknown_image(pod)
        directory = logs.log_directory(run.directory)
        directory.mkdir(parents=True, exist_ok=True)
        deadline = pod["spec"].get("activeDeadlineSeconds")
        timer = None
        if deadline is not None:
            timer = asyncio.get_running_loop().call_later(float(deadline), self._overdue, run, key)

        def on_start(_: Launch) -> None:
            run.launched = True
            with contextlib.suppress(ApiError):
                self._store.change(PODS, *key, self._set_running)

        errors = directory / logs.ERRORS if apart else None
        try:
            ended, launch = await self._runner.run(
                task, output=directory / logs.OUTPUT, errors=errors, on_start=on_start
            )
        finally:
            if timer is not None:
                timer.cancel()
        logs.sample(directory)
        if self._closing and ended.exit_code != 0:
            self._fail(key, _ABANDONED)
            return
        self._finish(key, run, ended, launch, with_result=apart)

    def _prepare(self, pod: Json, directory: Path) -> tuple[Task, bool]:
        """The task of a pod, and whether its standard output is kept apart. Raises Waits."""
        claim_directories = require_claims(self._state, pod)
        container = pod["spec"]["containers"][0]
        image = container["image"]
        problem = pull_error(image)
        if problem is not None:
            self._tell(pod, "Failed", f'Failed to pull image "{image}": {problem}')
            raise Waits(
                "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {problem}', event="BackOff"
            )
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        furnished = furnish(self._state, pod, claim_directories, directory)
        template = json.loads(pod["metadata"]["annotations"].get(TEMPLATE) or "{}")
        command = self._command(container)
        env = dict(furnished.env)
        arguments = [expand_references(str(each), env) for each in (*command, *(container.get("args") or ()))]
        task = Task(
            name=pod["metadata"]["name"],
            directory=directory,
            command=tuple(arguments),
            programs=self._programs_of(image),
            env=env,
            mounts=furnished.mounts,
            script=(template.get("script") or {}).get("source"),
            working_directory=container.get("workingDir") or "",
            outputs=tuple(_output_path(one) for one in _file_outputs(template)),
        )
        return task, env.get("ARGO_INCLUDE_SCRIPT_OUTPUT") == "true"

    def _command(self, container: Json) -> list[str]:
        """What the container runs, without its arguments."""
        if container.get("command"):
            return [str(each) for each in container["command"]]
        row = self._images.find(container["image"])
        if row is not None and row.command:
            return list(row.command)
        message = (
            f'the sandbox does not know what image "{container["image"]}" runs: give the template a `command`, '
            "or map the image to one"
        )
        raise Waits("CreateContainerConfigError", message, event="Failed", told=f"Error: {message}")

    def _programs_of(self, image: str) -> Path:
        commands = self._images.commands(image)
        key = json.dumps(commands, sort_keys=True)
        if key not in self._programs:
            directory = self._state.directory.resolve() / "programs" / str(len(self._programs))
            shutil.rmtree(directory, ignore_errors=True)
            write_programs(directory, commands)
            self._programs[key] = directory
        return self._programs[key]

    def _finish(self, key: Key, run: _Run, ended: Ended, launch: Launch, *, with_result: bool) -> None:
        pod = self._store.get(PODS, *key)
        template = json.loads(pod["metadata"]["annotations"].get(TEMPLATE) or "{}")
        outputs: Json = {}
        problem = ""
        if ended.exit_code == 0:
            outputs, problem = _collect(template, launch, self._state.directory)
        if with_result and ended.started is not None:
            path = logs.log_directory(run.directory) / logs.OUTPUT
            outputs["result"] = logs.read_result(path, LARGEST_RESULT)
        overdue = run.overdue

        def finish(pod: Json) -> None:
            status = pod["status"]
            good = ended.exit_code == 0 and not problem and not overdue
            status["phase"] = "Succeeded" if good else "Failed"
            if overdue:
                status |= {"reason": "DeadlineExceeded", "message": _DEADLINE}
            status["containerStatuses"] = [_container_status(pod, {"terminated": _terminated(ended)})]
            if problem:
                status["containerStatuses"].append(_wait_container(problem))
            _set_ready(status, "False")
            if outputs:
                pod["metadata"]["annotations"][OUTPUTS] = json.dumps(outputs, ensure_ascii=False)

        self._store.change(PODS, *key, finish)
        self._sweeper.submit(_sweep, run.directory)

    def _set_running(self, pod: Json) -> None:
        now = now_text()
        pod["spec"]["nodeName"] = NODE
        pod["metadata"]["annotations"][MOUNTS_ANNOTATION] = self._runner.view.kind
        status = pod["status"]
        status.pop("reason", None)
        status.pop("message", None)
        status |= {"phase": "Running", "hostIP": "127.0.0.1", "podIP": "127.0.0.1", "startTime": now}
        status["containerStatuses"] = [_container_status(pod, {"running": {"startedAt": now}})]
        status["conditions"] = [{"type": "PodScheduled", "status": "True"}]
        _set_ready(status, "True")

    def _wait(self, pod: Json, waits: Waits) -> None:
        """Let a pod say for what it waits."""
        meta = pod["metadata"]
        key = (meta["namespace"], meta["name"])
        self._waiting.add(key)
        scheduler = waits.reason == "Unschedulable"
        self._tell(pod, waits.event, waits.told, component="default-scheduler" if scheduler else "kubelet")

        def wait(pod: Json) -> None:
            status = pod["status"]
            if scheduler:
                condition = {"type": "PodScheduled", "status": "False"}
                condition |= {"reason": waits.reason, "message": waits.message}
                status["conditions"] = [condition]
                return
            pod["spec"]["nodeName"] = NODE
            status["conditions"] = [{"type": "PodScheduled", "status": "True"}]
            waiting = {"reason": waits.reason} | ({"message": waits.message} if waits.message else {})
            status["containerStatuses"] = [_container_status(pod, {"waiting": waiting})]

        self._store.change(PODS, *key, wait)

    def _fail(self, key: Key, message: str) -> None:
        def fail(pod: Json) -> None:
            pod["status"] |= {"phase": "Failed", "reason": "SandboxError", "message": message}

        with contextlib.suppress(ApiError):
            self._store.change(PODS, *key, fail)

    def _abandon(self, pod: Json) -> None:
        meta = pod["metadata"]
        logs.sample(logs.log_directory(self._state.pod_directory(meta["namespace"], meta["name"])))
        self._fail((meta["namespace"], meta["name"]), _ABANDONED)

    # Inside

    def _remove(self, directory: Path) -> None:
        self._sweeper.submit(shutil.rmtree, directory, ignore_errors=True)

    def _overdue(self, run: _Run, key: Key) -> None:
        run.overdue = True
        self._end(run, self._grace(*key))

    def _end(self, run: _Run, grace: float) -> None:
        self._runner.stop(run.directory, grace)

    def _grace(self, namespace: str, name: str) -> float:
        pod = self._store.find(PODS, namespace, name)
        seconds = None if pod is None else pod["spec"].get("terminationGracePeriodSeconds")
        return _GRACE if seconds is None else float(seconds)

    def _phase(self, namespace: str, name: str) -> str | None:
        pod = self._store.find(PODS, namespace, name)
        return None if pod is None else str((pod.get("status") or {}).get("phase", "Pending"))

    def _tell(self, pod: Json, reason: str, message: str, component: str = "kubelet") -> None:
        record_event(self._store, pod, reason=reason, message=message, component=component, type="Warning")

    def _tell_missing_pull_secrets(self, pod: Json) -> None:
        namespace = pod["metadata"]["namespace"]
        missing = [
            each["name"]
            for each in pod["spec"].get("imagePullSecrets") or ()
            if self._store.find(SECRETS, namespace, each["name"]) is None
        ]
        if missing:
            message = (
                f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
                "attempting to pull the image may not succeed."
            )
            self._tell(pod, "FailedToRetrieveImagePullSecret", message)

    def _tell_unknown_image(self, pod: Json) -> None:
        """Say, once for each image, that nothing of it is here."""
        image = pod["spec"]["containers"][0]["image"]
        if image in self._told_images or self._images.find(image) is not None:
            return
        self._told_images.add(image)
        message = f'The sandbox pulls no images: the command of "{image}" runs with the programs of this machine'
        record_event(self._store, pod, reason="ImageNotPulled", message=message, component="kubelet")

    async def _sample_logs(self) -> None:
        while True:
            await asyncio.sleep(_SAMPLE)
            for run in list(self._runs.values()):
                if run.launched:
                    logs.sample(logs.log_directory(run.directory))


def _sweep(directory: Path) -> None:
    """Remove what a pod needed only while it ran; its logs stay."""
    for name in SCRATCH:
        shutil.rmtree(directory / name, ignore_errors=True)


def _file_outputs(template: Json) -> list[Json]:
    declared = (template.get("outputs") or {}).get("parameters") or ()
    return [one for one in declared if (one.get("valueFrom") or {}).get("path")]


def _output_path(output: Json) -> str:
    """Where a container leaves an output; `..` leads nowhere that the container could not see."""
    return posixpath.normpath(str(output["valueFrom"]["path"]))


def _collect(template: Json, launch: Launch, sandbox: Path) -> tuple[Json, str]:
    """The outputs that a container left in files, and what is wrong with them. sandbox: the state directory."""
    collected = []
    for one in _file_outputs(template):
        source, path = one["valueFrom"], launch.outputs[_output_path(one)]
        found = _read_output(path) if _is_its_own(path, sandbox.resolve()) else None
        value = source.get("default") if found is None else found
        if value is None:
            return {}, f"open {source['path']}: no such file or directory"
        collected.append(one | {"value": value})
    return ({"parameters": collected} if collected else {}), ""


def _is_its_own(path: Path, sandbox: Path) -> bool:
    """Whether a file is where it seems to be: by a link, a task could name what of the sandbox it does not see."""
    real = path.resolve()
    if sandbox not in real.parents:
        return True
    if sandbox not in path.parents:
        return False
    return real.relative_to(sandbox).parts[:_PLACE] == path.relative_to(sandbox).parts[:_PLACE]


def _read_output(path: Path) -> str | None:
    try:
        untouched = path.stat().st_mtime_ns == 0
        return None if untouched else path.read_text(encoding="utf-8", errors="replace").removesuffix("\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _container_status(pod: Json, state: Json) -> Json:
    container = pod["spec"]["containers"][0]
    running = "running" in state
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "state": state,
        "lastState": {},
        "ready": running,
        "started": running,
        "restartCount": 0,
    }


def _terminated(ended: Ended) -> Json:
    reason = "Completed" if ended.exit_code == 0 else "Error"
    if ended.started is None and ended.exit_code == 128:
        reason = "StartError"
    terminated: Json = {"exitCode": ended.exit_code, "reason": reason}
    if ended.message:
        terminated["message"] = ended.message
    terminated["startedAt"] = time_text(ended.started if ended.started is not None else ended.finished)
    terminated["finishedAt"] = time_text(ended.finished or time.time())
    return terminated


def _wait_container(problem: str) -> Json:
    """The state that Argo's executor container ends in when an output is missing."""
    now = now_text()
    ended = {"exitCode": 1, "reason": "Error", "message": problem, "startedAt": now, "finishedAt": now}
    return {"name": "wait", "state": {"terminated": ended}, "ready": False, "restartCount": 0}


def _set_ready(status: Json, value: str) -> None:
    kept = [one for one in status.get("conditions") or () if one["type"] not in ("Ready", "ContainersReady")]
    status["conditions"] = [*kept, *({"type": kind, "status": value} for kind in ("Ready", "ContainersReady"))]
