"""Controller: watches Workflow objects, however they came, and drives each to its end."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from typing import Final

from hera_k8s_sandbox.artifacts import garbage
from hera_k8s_sandbox.artifacts.store import ArtifactStore
from hera_k8s_sandbox.controllers.template_lookup import templates_of
from hera_k8s_sandbox.controllers.workflow_client import WorkflowCluster, controller_of
from hera_k8s_sandbox.controllers.workflow_worker import COMPONENT, WorkflowWorker, failed_on
from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.foundation.labels import COMPLETED_LABEL, NODE_ID, PHASE_LABEL, WORKFLOW_LABEL
from hera_k8s_sandbox.foundation.resource_types import CONFIG_MAPS, PODS, WORKFLOWS
from hera_k8s_sandbox.foundation.selectors import parse_labels
from hera_k8s_sandbox.kubelet.images import Images, Programs
from hera_k8s_sandbox.kubelet.kubelet import Kubelet
from hera_k8s_sandbox.kubelet.mount_views import choose_view
from hera_k8s_sandbox.kubelet.path_rewriting import REWRITE, Unrewritable
from hera_k8s_sandbox.kubelet.pod_worker import NodeRuntime
from hera_k8s_sandbox.kubelet.process_runner import Runner
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.events import record_event
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.informer import reconcile
from hera_k8s_sandbox.store.store import Event, now_text
from hera_k8s_sandbox.workflows.engine import synchronization
from hera_k8s_sandbox.workflows.engine.locks import Locks
from hera_k8s_sandbox.workflows.engine.operation import Operation
from hera_k8s_sandbox.workflows.executor.hook import WorkflowHook, is_of_a_workflow
from hera_k8s_sandbox.workflows.executor.rewritable import check_rewritable
from hera_k8s_sandbox.workflows.limits import LimitError
from hera_k8s_sandbox.workflows.model.templates import TemplateError
from hera_k8s_sandbox.workflows.validation import Unsupported, WorkflowInvalid, validate
from hera_k8s_utils._types import Json

Key = tuple[str, str]  # namespace, name

_TTL: Final = {"Succeeded": "secondsAfterSuccess", "Failed": "secondsAfterFailure", "Error": "secondsAfterFailure"}


class Controller:
    """Runs the workflows of a sandbox."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self.images = Images(state.images)
        self._store = state.store
        self._kubelet: Kubelet | None = None
        self._running: dict[Key, WorkflowWorker] = {}
        self._removals: dict[str, asyncio.TimerHandle] = {}  # of what has ended, by uid
        self._locks = Locks(self._wake)
        self._tasks: list[asyncio.Task[None]] = []
        self.mounts = ""  # how tasks see their mounts, a kind of `views.py`; known once it has started

    @property
    def idle(self) -> bool:
        """Whether nothing runs, and nothing will before another request.

        A workflow whose pods wait for what is not there, such as a claim, does not count; the next start takes it up.
        """
        busy = self._kubelet is not None and self._kubelet.busy
        return not busy and all(driven.waits for driven in self._running.values())

    async def start(self) -> None:
        """Choose how tasks see their mounts and resume the workflows. Raises ValueError for a bad option."""
        state = self._state
        view = await asyncio.to_thread(choose_view, state.runner_kind, state.directory)
        self.mounts = view.kind
        programs = Programs(self.images, state.directory / "programs")
        tools = NodeRuntime(Runner(view, state.directory), self.images, programs)
        self._kubelet = Kubelet(state, tools, self._hook_for)
        self._kubelet.start()
        work = (
            reconcile(self._store, WORKFLOWS, self._on_workflow),
            reconcile(self._store, CONFIG_MAPS, self._on_config_map),
            reconcile(self._store, PODS, self._on_pod, labels=parse_labels(WORKFLOW_LABEL)),
        )
        self._restore_locks()
        self._tasks = [asyncio.create_task(each) for each in work]

    def _restore_locks(self) -> None:
        """Before anything starts: what workflows held when an earlier server ended, they hold."""
        for workflow in self._store.list(WORKFLOWS):
            if not _is_completed(workflow):
                meta = workflow["metadata"]
                for node, name in synchronization.held(workflow.get("status") or {}):
                    self._locks.restore((meta["namespace"], meta["name"], node), [name])

    def _wake(self, namespace: str, name: str) -> None:
        driven = self._running.get((namespace, name))
        if driven is not None:
            driven.advance_soon()

    def _on_config_map(self, event: Event) -> None:
        """The limit of a semaphore may have changed."""
        meta = event.entry.meta
        self._locks.changed(f"{meta['namespace']}/ConfigMap/{meta['name']}/")

    def _hook_for(self, pod: Json) -> WorkflowHook | None:
        if not is_of_a_workflow(pod):
            return None
        return WorkflowHook(pod, self._state.directory, self.mounts)

    async def stop(self) -> None:
        """Write the last states and kill what runs; the next start continues from there."""
        for uid in list(self._removals):
            self._forget_removal(uid)
        for driven in self._running.values():
            driven.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._kubelet is not None:
            await self._kubelet.close()

    def _on_workflow(self, event: Event) -> None:
        try:
            self._take_workflow(event)
        except Exception as error:
            driven = self._running.pop(event.entry.key, None)
            if driven is not None:
                driven.close()
            if not _is_completed(event.object):
                _refuse(self._state, event.object, "Error", failed_on(error))
            raise

    def _take_workflow(self, event: Event) -> None:
        key = event.entry.key
        driven = self._running.get(key)
        if event.type == "DELETED":
            if driven is not None:
                driven.close()
                del self._running[key]
            self._locks.release((*key, ""))
            self._forget_removal(event.entry.meta["uid"])
            self._collect_artifacts(event.object, garbage.DELETION)
            return
        if driven is not None:
            driven.on_change(event)
        elif _is_completed(event.object):
            self._plan_removal(event.object)
        else:
            self._begin(event.object)

    def _begin(self, workflow: Json) -> None:
        meta = workflow["metadata"]
        key = (meta["namespace"], meta["name"])
        assert self._kubelet is not None
        source = templates_of(self._store, meta["namespace"])
        try:
            if not (workflow.get("status") or {}).get("phase"):
                validate(workflow, source=source)
                if self.mounts == REWRITE:
                    check_rewritable(workflow["spec"].get("templates") or [])
            operation = Operation(
                workflow, WorkflowCluster(self._state, self._kubelet, self._locks, workflow), source=source
            )
        except (Unsupported, Unrewritable) as error:
            _refuse(self._state, workflow, "Error", str(error))
            return
        except (LimitError, TemplateError) as error:
            _refuse(self._state, workflow, "Error", str(error))
            return
        except WorkflowInvalid as error:
            _refuse(self._state, workflow, "Failed", f"invalid spec: {error}")
            return
        driven = self._running[key] = WorkflowWorker(self._state, operation, self._on_end)
        for pod in self._pods_of(workflow):
            operation.observe(pod)
        present = {pod["metadata"]["name"] for pod in self._pods_of(workflow)}
        operation.forget_missing(present)
        driven.advance_soon()

    def _on_end(self, operation: Operation) -> None:
        meta = operation.workflow["metadata"]
        key = (meta["namespace"], meta["name"])
        self._running.pop(key, None)
        found = self._store.find(WORKFLOWS, *key)
        if found is not None:
            found = self._collect_artifacts(found, garbage.COMPLETION)
        if found is not None:
            self._plan_removal(found)

    def _collect_artifacts(self, workflow: Json, moment: str) -> Json:
        """Remove what the workflow does not want kept beyond this moment; the workflow, which says so."""
        status = workflow.get("status") or {}
        spec = status.get("storedWorkflowTemplateSpec") or workflow.get("spec") or {}
        if not any(garbage.garbage(spec, status, moment)):
            return workflow
        workflow = copy.deepcopy(workflow)
        store = ArtifactStore(self._state.directory / "artifacts")
        garbage.collect(store, workflow["metadata"]["namespace"], spec, workflow["status"], moment)
        if moment == garbage.COMPLETION:
            with contextlib.suppress(ApiError):
                return self._store.put(WORKFLOWS, workflow).object
        return workflow

    def _pods_of(self, workflow: Json) -> list[Json]:
        meta = workflow["metadata"]
        pods = self._store.list(PODS, meta["namespace"], labels=parse_labels(f"{WORKFLOW_LABEL}={meta['name']}"))
        return [
            pod
            for pod in pods
            if controller_of(pod) == meta["uid"] and NODE_ID in (pod["metadata"].get("annotations") or {})
        ]

    def _on_pod(self, event: Event) -> None:
        """A pod that loses its label is as good as deleted: its workflow is found by its name as the owner."""
        driven = self._running.get((event.entry.meta["namespace"], controller_of(event.object, "name")))
        if driven is not None and NODE_ID in (event.entry.meta.get("annotations") or {}):
            driven.on_pod(event)

    def resync(self) -> None:
        """The clock was advanced: what was planned for later may be due."""
        for driven in self._running.values():
            driven.advance_soon()
        for workflow in self._store.list(WORKFLOWS, labels=parse_labels(f"{COMPLETED_LABEL}=true")):
            self._plan_removal(workflow)

    def _plan_removal(self, workflow: Json) -> None:
        """Delete a workflow that has ended after its ttlStrategy."""
        due, meta = _removal_time(workflow), workflow["metadata"]
        self._forget_removal(meta["uid"])
        if due is None:
            return
        delay = max(0.0, due - CLOCK.now())
        self._removals[meta["uid"]] = asyncio.get_running_loop().call_later(
            delay, self._remove, meta["namespace"], meta["name"], meta["uid"]
        )

    def _forget_removal(self, uid: str) -> None:
        planned = self._removals.pop(uid, None)
        if planned is not None:
            planned.cancel()

    def _remove(self, namespace: str, name: str, uid: str) -> None:
        """Delete a workflow whose time has come, unless it was retried meanwhile."""
        self._removals.pop(uid, None)
        found = self._store.find(WORKFLOWS, namespace, name)
        due = None if found is None else _removal_time(found)
        if found is None or due is None:
            return
        if due > CLOCK.now():
            self._plan_removal(found)
            return
        with contextlib.suppress(ApiError):
            operations.delete(self._state, WORKFLOWS, namespace, name, preconditions={"uid": uid})


def _is_completed(workflow: Json) -> bool:
    return (workflow["metadata"].get("labels") or {}).get(COMPLETED_LABEL) == "true"


def _removal_time(workflow: Json) -> float | None:
    """When a workflow that has ended is to be deleted, in seconds since the epoch; None: it is kept."""
    status = workflow.get("status") or {}
    if not _is_completed(workflow) or not status.get("finishedAt"):
        return None
    spec = status.get("storedWorkflowTemplateSpec") or workflow.get("spec") or {}
    strategy = spec.get("ttlStrategy") or {}
    seconds = strategy.get(_TTL.get(status.get("phase", ""), ""), strategy.get("secondsAfterCompletion"))
    return None if seconds is None else seconds_of(status["finishedAt"]) + float(seconds)


def _refuse(state: SandboxState, workflow: Json, phase: str, message: str) -> None:
    """End a workflow before any of its tasks starts."""
    meta = workflow["metadata"]

    def end(obj: Json) -> None:
        now, labels = now_text(), obj["metadata"].get("labels") or {}
        obj["metadata"]["labels"] = labels | {PHASE_LABEL: phase, COMPLETED_LABEL: "true"}
        status = {"phase": phase, "startedAt": now, "finishedAt": now, "message": message}
        obj["status"] = {"progress": "0/0"} | (obj.get("status") or {}) | status  # a retried one has run before
        obj["status"]["conditions"] = [{"type": "Completed", "status": "True"}]

    with contextlib.suppress(ApiError):
        changed = state.store.change(WORKFLOWS, meta["namespace"], meta["name"], end)
        record_event(
            state.store, changed, reason="WorkflowFailed", message=message, component=COMPONENT, type="Warning"
        )
