"""Kubelet: takes the pods of the sandbox's node, waits until they can start, has them run, and removes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from hera_k8s_sandbox.foundation import quantities
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.resource_types import (
    CLAIMS,
    CONFIG_MAPS,
    NODES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
)
from hera_k8s_sandbox.kubelet.logs import log_directory, sample
from hera_k8s_sandbox.kubelet.pod_context import PodBlocked, containers_of
from hera_k8s_sandbox.kubelet.pod_status import ALWAYS, ENDED, NEVER
from hera_k8s_sandbox.kubelet.pod_worker import SCRATCH, NodeRuntime, PodHook, PodRun, images_of, waiting_for_node
from hera_k8s_sandbox.operations import operations, volume_claims
from hera_k8s_sandbox.operations.bootstrap import NODE
from hera_k8s_sandbox.operations.events import record_event
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.informer import reconcile
from hera_k8s_sandbox.store.store import Event
from hera_k8s_utils._types import Json

Key = tuple[str, str]  # namespace, name
HookFor = Callable[[Json], "PodHook | None"]
"""What a controller does beside a pod of its own; None for a pod that is none of its."""

SCHEDULER: Final = "default-scheduler"
_SAMPLE: Final = 0.25  # seconds between samples of the logs of running containers
_ABANDONED: Final = "the sandbox was stopped while this pod ran"
_KEPT: Final = ("qosClass", "nominatedNodeName", "resourceClaimStatuses")  # of a status, what is not the kubelet's


class Kubelet:
    """Runs the pods of the sandbox's node.

    Those that end by themselves run a limited number at a time, as tasks; those that always go on, and those that a
    hook says to be `lasting`, start at once. Of these there may be as many as the node has room for; neither kind takes
    the places of the other.
    """

    def __init__(self, state: SandboxState, runtime: NodeRuntime, hook_for: HookFor = lambda _: None) -> None:
        self._state = state
        self._store = state.store
        self._runtime = runtime
        self._hook_for = hook_for
        self._queue: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._queued: set[Key] = set()
        self._runs: dict[Key, PodRun] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._lasting: set[asyncio.Task[None]] = set()  # each has one of the node's places
        self._crowded: dict[Key, None] = {}  # those that wait for one, in their order
        self._reported_images: set[str] = set()
        self._closing = False
        self._sweeper = ThreadPoolExecutor(1, thread_name_prefix="sweep")  # removing directories can take long

    @property
    def busy(self) -> bool:
        """Whether a pod runs or could run."""
        return bool(self._runs or self._queued)

    def start(self) -> None:
        """Give up, or take up again, what an earlier server left running, and take what comes."""
        for pod in self._store.list(PODS):
            phase = (pod.get("status") or {}).get("phase")
            if phase == "Running" and pod["spec"].get("restartPolicy") == NEVER and self._is_ours(pod):
                self._abandon(pod)
            if phase != "Pending":
                self._remove_scratch(self._directory(_key(pod)))
        work = [reconcile(self._store, PODS, self._take), self._watch_inputs(), self._sample_logs()]
        work += [self._work() for _ in range(self._state.concurrency)]
        self._tasks = [asyncio.create_task(each) for each in work]

    async def close(self) -> None:
        """Kill what runs; pods that are not started again have failed."""
        self._closing = True
        for run in self._runs.values():
            run.close()
        await self._runtime.runner.close()
        for task in [*self._tasks, *self._lasting]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._lasting, return_exceptions=True)
        self._sweeper.shutdown(cancel_futures=True)

    def stop(self, namespace: str, name: str) -> None:
        """End a pod: ask its processes to end; one that has not started is deleted."""
        run = self._runs.get((namespace, name))
        if run is not None:
            run.stop()
            return
        with contextlib.suppress(ApiError):
            if self._phase((namespace, name)) == "Pending":
                operations.delete(self._state, PODS, namespace, name, grace=0)

    # Taking pods

    def _is_ours(self, pod: Json) -> bool:
        """Whether the pod is for this node: bound to it, or to be scheduled by the only scheduler that is here.

        A workflow may name a scheduler of the cluster that it was written for.
        """
        spec = pod["spec"]
        if spec.get("nodeName"):
            return bool(spec["nodeName"] == NODE)
        if spec.get("schedulingGates"):
            return False
        return spec.get("schedulerName", SCHEDULER) == SCHEDULER or self._hook_for(pod) is not None

    def _take(self, event: Event) -> None:
        key = event.entry.key
        if event.type == "DELETED":
            self._waiting.discard(key)
            if (run := self._runs.get(key)) is not None:
                run.stop(0)
            else:
                self._remove(self._directory(key))
            return
        pod = event.object
        if "deletionTimestamp" in pod["metadata"]:
            self._end(key, pod)
        elif key not in self._waiting and self._is_ours(pod) and self._phase(key) not in ENDED:
            self._enqueue(key, pod)

    def _end(self, key: Key, pod: Json) -> None:
        """End a pod that is being deleted; its object goes when nothing of it runs any more."""
        run = self._runs.get(key)
        if run is not None:
            run.stop(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
        elif pod["spec"].get("nodeName") == NODE:
            self._waiting.discard(key)
            self._drop(pod)

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
                    if (pod := self._store.find(PODS, *key)) is not None:
                        self._enqueue(key, pod)
                for run in self._runs.values():
                    run.poke()
        finally:
            for watch_task in watches:
                watch_task.cancel()

    def _enqueue(self, key: Key, pod: Json) -> None:
        if key in self._queued or key in self._runs:
            return
        if not self._is_lasting(pod):
            self._queued.add(key)
            self._queue.put_nowait(key)
            return
        if not self._has_place():
            self._crowd_out(key, pod)
            return
        self._queued.add(key)
        task = asyncio.create_task(self._attempt(key))
        self._lasting.add(task)
        task.add_done_callback(self._leave_place)

    def _leave_place(self, task: asyncio.Task[None]) -> None:
        """A lasting pod has ended, or waits: what has waited longest for a place tries again."""
        self._lasting.discard(task)
        while self._crowded and self._has_place() and not self._closing:
            key = next(iter(self._crowded))
            del self._crowded[key]
            pod = self._store.find(PODS, *key)
            if pod is not None and key in self._waiting:
                self._waiting.discard(key)
                self._enqueue(key, pod)

    def _has_place(self) -> bool:
        node = self._store.find(NODES, "", NODE) or {}
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        return len(self._lasting) < (quantities.read_quantity(str(allocatable.get("pods"))) or 0)

    def _crowd_out(self, key: Key, pod: Json) -> None:
        """Let a lasting pod wait for a place, and say so once."""
        self._crowded[key] = None
        self._waiting.add(key)
        waits = _unschedulable("1 Too many pods", "No preemption victims found for incoming pod")
        conditions = (pod.get("status") or {}).get("conditions") or ()
        if any(one.get("message") == waits.message for one in conditions):
            return
        context = _NodePodContext(self._state, pod, hooked=False)
        context.record_event(waits.event, waits.event_message)
        context.report(waiting_for_node(waits), {})

    def _is_lasting(self, pod: Json) -> bool:
        hook = self._hook_for(pod)
        return pod["spec"].get("restartPolicy") == ALWAYS or (hook is not None and hook.lasting)

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            if self._closing:
                return
            await self._attempt(key)

    async def _attempt(self, key: Key) -> None:
        """Run a pod to its end, or find that it has to wait."""
        self._queued.discard(key)
        if self._closing or self._phase(key) in (None, *ENDED):
            return
        pod = self._store.entry(PODS, *key).copy()
        if "deletionTimestamp" in pod["metadata"]:
            return
        pod["spec"]["nodeName"] = NODE
        hook = self._hook_for(pod)
        context = _NodePodContext(self._state, pod, hooked=hook is not None)
        run = self._runs[key] = PodRun(pod, self._directory(key), context, self._runtime, hook)
        try:
            await self._run(run)
        except PodBlocked:
            self._waiting.add(key)
        except ApiError:  # the pod was deleted meanwhile
            pass
        except Exception as error:  # whatever happens, the pod ends and the worker continues
            self._fail(key, f"the sandbox could not run this pod: {error}")
        finally:
            del self._runs[key]
            self._leave(key, run)

    async def _run(self, run: PodRun) -> None:
        await run.prepare()
        self._tell_missing_pull_secrets(run.pod)
        self._tell_unknown_images(run.pod)
        await run.run()
        failed = any(ended.exit_code for ended in run.ended().values())
        if self._closing and failed and run.pod["spec"].get("restartPolicy") == NEVER:
            self._fail(_key(run.pod), _ABANDONED)

    def _leave(self, key: Key, run: PodRun) -> None:
        """After a run: what is left of the pod goes, as far as it may."""
        pod = self._store.find(PODS, *key)
        if pod is None or pod["metadata"]["uid"] != run.pod["metadata"]["uid"]:
            self._remove(run.directory)
            if pod is not None and self._is_ours(pod):  # another one of its name came meanwhile
                self._enqueue(key, pod)
        elif self._closing:
            return
        elif "deletionTimestamp" in pod["metadata"]:
            self._waiting.discard(key)
            self._drop(pod)
        elif key not in self._waiting:
            self._remove_scratch(run.directory)

    def _drop(self, pod: Json) -> None:
        """Remove the object of a pod that is being deleted, and of which nothing runs any more."""
        uid = pod["metadata"]["uid"]
        with contextlib.suppress(ApiError):
            operations.delete(self._state, PODS, *_key(pod), preconditions={"uid": uid}, grace=0)

    # Telling

    def _fail(self, key: Key, message: str) -> None:
        def fail(pod: Json) -> None:
            pod["status"] |= {"phase": "Failed", "reason": "SandboxError", "message": message}

        with contextlib.suppress(ApiError):
            self._store.change(PODS, *key, fail)

    def _abandon(self, pod: Json) -> None:
        key = _key(pod)
        for container in containers_of(pod):
            sample(log_directory(self._directory(key), container["name"]))
        self._fail(key, _ABANDONED)

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
            _record_event(self._state, pod, "FailedToRetrieveImagePullSecret", message, "Warning")

    def _tell_unknown_images(self, pod: Json) -> None:
        """Say, once for each image, that nothing of it is here."""
        for image in images_of(pod):
            if image in self._reported_images or self._runtime.images.find(image) is not None:
                continue
            self._reported_images.add(image)
            message = f'The sandbox pulls no images: the command of "{image}" runs with the programs of this machine'
            _record_event(self._state, pod, "ImageNotPulled", message, "Normal")

    # Inside

    def _directory(self, key: Key) -> Path:
        return self._state.pod_directory(*key)

    def _remove(self, directory: Path) -> None:
        """Let a directory be gone at once, for the next pod of its name; its files are removed meanwhile."""
        if self._state.trash.move(directory):
            self._sweeper.submit(self._state.trash.empty)

    def _remove_scratch(self, directory: Path) -> None:
        """Remove what a pod needed only while it ran; its logs stay."""
        moved = [self._state.trash.move(directory / name) for name in SCRATCH]
        if any(moved):
            self._sweeper.submit(self._state.trash.empty)

    def _phase(self, key: Key) -> str | None:
        pod = self._store.find(PODS, *key)
        return None if pod is None else str((pod.get("status") or {}).get("phase", "Pending"))

    async def _sample_logs(self) -> None:
        while True:
            await asyncio.sleep(_SAMPLE)
            for run in list(self._runs.values()):
                run.sample_logs()


class _NodePodContext:
    """The context of a pod in the sandbox: look-ups in the store, and writes to it."""

    def __init__(self, state: SandboxState, pod: Json, *, hooked: bool) -> None:
        self._state = state
        self._pod = pod
        self._key = _key(pod)
        self._hooked = hooked

    async def find(self, kind: str, name: str) -> Json | None:
        resource = {"ConfigMap": CONFIG_MAPS, "Secret": SECRETS}[kind]
        return self._state.store.find(resource, self._key[0], name)

    async def claim(self, name: str) -> Path:
        if self._state.store.find(CLAIMS, self._key[0], name) is None:
            raise _unschedulable(f'persistentvolumeclaim "{name}" not found')
        directory = volume_claims.bind_for_pod(self._state, self._key[0], name)
        if directory is None:
            raise _unschedulable("pod has unbound immediate PersistentVolumeClaims")
        return directory

    async def token(self, audience: str, seconds: int) -> str:
        meta, name = self._pod["metadata"], self._pod["spec"]["serviceAccountName"]
        account = self._state.store.get(SERVICE_ACCOUNTS, self._key[0], name)
        bound = {"kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        token, _ = self._state.access.issue(account, [audience] if audience else [], seconds, bound)
        return token

    def report(self, status: Json, annotations: Mapping[str, str]) -> None:
        bound = not any(one["type"] == "PodScheduled" and one["status"] != "True" for one in status["conditions"])

        def write(pod: Json) -> None:
            if pod["metadata"]["uid"] != self._pod["metadata"]["uid"]:  # another one of its name
                return
            if self._hooked and "deletionTimestamp" in pod["metadata"] and status["phase"] in ENDED:
                return  # for who made it, a pod that was deleted is lost, and has not failed
            if bound:
                pod["spec"]["nodeName"] = NODE
            if annotations:
                pod["metadata"].setdefault("annotations", {}).update(annotations)
            kept = {key: value for key, value in pod["status"].items() if key in _KEPT}
            pod["status"] = kept | status

        with contextlib.suppress(ApiError):  # it was deleted meanwhile
            self._state.store.change(PODS, *self._key, write)

    def record_event(self, reason: str, message: str, type: str = "Warning") -> None:
        component = SCHEDULER if reason == "FailedScheduling" else "kubelet"
        _record_event(self._state, self._pod, reason, message, type, component)


def _record_event(
    state: SandboxState, pod: Json, reason: str, message: str, type: str, component: str = "kubelet"
) -> None:
    record_event(state.store, pod, reason=reason, message=message, component=component, type=type)


def _unschedulable(why: str, preemption: str = "Preemption is not helpful for scheduling") -> PodBlocked:
    message = f"0/1 nodes are available: {why}. preemption: 0/1 nodes are available: 1 {preemption}."
    return PodBlocked("Unschedulable", message, event="FailedScheduling")


def _key(pod: Json) -> Key:
    meta = pod["metadata"]
    return meta["namespace"], meta["name"]
