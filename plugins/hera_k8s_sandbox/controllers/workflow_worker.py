"""Driving: one workflow under way, from one advance and one write to the next, and what becomes of its pods."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.errors import ApiError, not_found
from hera_k8s_sandbox.foundation.labels import COMPLETED_LABEL, PHASE_LABEL
from hera_k8s_sandbox.foundation.resource_types import PODS, WORKFLOWS
from hera_k8s_sandbox.operations import operations
from hera_k8s_sandbox.operations.events import record_event
from hera_k8s_sandbox.state import SandboxState
from hera_k8s_sandbox.store.store import Event
from hera_k8s_sandbox.workflows.engine.operation import Operation
from hera_k8s_sandbox.workflows.limits import LARGEST, LimitError, require_size, size_of
from hera_k8s_utils._types import Json

COMPONENT: Final = "workflow-controller"
_WRITE_INTERVAL: Final = 0.1  # seconds between two writes of one workflow, at least
_SHARE: Final = 10  # what costs a second is done again after ten
_GROWTH: Final = 1.02  # a workflow that is larger by so much is measured again


class _Pace:
    """When something may be done again whose cost grows with a workflow: it gets a share of the loop's time.

    pause: seconds from one time to the next, at least.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._took = 0.0
        self.not_before = 0.0

    def go_on(self) -> None:
        """What was done was only a part: others get as much time as it took, not more."""
        self.not_before -= (_SHARE - 1) * self._took

    @contextlib.contextmanager
    def measure(self) -> Iterator[None]:
        """Around the doing."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            now = loop.time()
            self._took = now - began
            self.not_before = now + max(self._pause, _SHARE * self._took)


class WorkflowWorker:
    """One workflow under way: when it is advanced, and when what came of it is written."""

    def __init__(self, state: SandboxState, operation: Operation, on_end: Callable[[Operation], None]) -> None:
        self._state = state
        self.operation = operation
        self._on_end = on_end
        self._timer: asyncio.TimerHandle | None = None
        self._advances, self._writes = _Pace(0.0), _Pace(_WRITE_INTERVAL)
        self._unwritten = True
        self._wanted: float | None = 0.0  # when to advance, on the loop's clock; None: when something happens
        self._written = 0
        self._measured = LARGEST  # bytes above which its size is measured again
        self._exceeded = False
        self._finished_pods: dict[str, Json] = {}

    @property
    def waits(self) -> bool:
        """Whether there is nothing to do or to write before something happens."""
        return self._wanted is None and not self._unwritten

    def on_change(self, event: Event) -> None:
        """Process an update of the workflow by a client, such as a stop."""
        if event.version == self._written:
            return
        self.operation.take(event.object)
        self.advance_soon()

    def on_pod(self, event: Event) -> None:
        """One of its pods changed."""
        if event.type == "DELETED":
            self.operation.lose(event.object)
        else:
            self.operation.observe(event.object)
            if event.object["status"].get("phase") in ("Succeeded", "Failed"):
                self._finished_pods[event.entry.meta["name"]] = event.object
        self.advance_soon()

    def advance_soon(self) -> None:
        """Advance as soon as it is this workflow's turn."""
        self._wanted = 0.0
        self._plan()

    def close(self) -> None:
        """Stop driving; what is known is written."""
        if self._timer is not None:
            self._timer.cancel()
        with contextlib.suppress(ApiError):
            self._write()

    def _plan(self) -> None:
        """Set the timer to when there is next something to do."""
        times = []
        if self._wanted is not None:
            times.append(max(self._wanted, self._advances.not_before))
        if self._unwritten:
            times.append(self._writes.not_before)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if times:
            self._timer = asyncio.get_running_loop().call_at(min(times), self._turn)

    def _turn(self) -> None:
        self._timer = None
        loop, operation = asyncio.get_running_loop(), self.operation
        now, first = loop.time(), not operation.phase
        if self._wanted is not None and now >= max(self._wanted, self._advances.not_before):
            with self._advances.measure():
                self._advance()
            if operation.interrupted:
                self._advances.go_on()
        try:
            if operation.finished or first or now >= self._writes.not_before:
                with self._writes.measure():
                    self._write()
        except ApiError:  # deleted meanwhile
            return
        if first:
            self._record_event("WorkflowRunning", "Workflow Running")
        if operation.finished:
            self._tell_end()
            self._on_end(operation)
            return
        self._plan()

    def _advance(self) -> None:
        operation = self.operation
        try:
            operation.advance()
        except Exception as error:  # a workflow that cannot be driven ends; the others go on
            operation.end("Error", failed_on(error))
        self._unwritten = True
        self._wanted = None
        if operation.wake_at is not None:
            self._wanted = asyncio.get_running_loop().time() + max(0.0, operation.wake_at - CLOCK.now())

    def _write(self) -> None:
        operation, store = self.operation, self._state.store
        meta = operation.workflow["metadata"]
        entry = store.entry(WORKFLOWS, meta["namespace"], meta["name"])
        current = entry.meta
        if current["uid"] != meta["uid"]:  # deleted meanwhile, and another one made under its name
            raise not_found(WORKFLOWS, meta["name"])
        labels = {**(current.get("labels") or {}), **operation.metadata.get("labels", {})}
        if operation.phase:
            labels[PHASE_LABEL] = operation.phase
            labels[COMPLETED_LABEL] = "true" if operation.finished else "false"
        known = entry.object if entry.version != self._written else operation.workflow
        described = {"labels": labels}
        if operation.metadata.get("annotations"):
            described["annotations"] = {**(current.get("annotations") or {}), **operation.metadata["annotations"]}
        obj = known | {"metadata": current | described, "status": operation.summarize()}
        if operation.finished and self._exceeds(obj, size_of(obj)):  # before anyone sees that it succeeded
            self._write()
            return
        self._unwritten = False
        stored = store.put(WORKFLOWS, obj)
        self._written = stored.version
        if not operation.finished and self._exceeds(obj, len(stored.body)):
            self._write()
            return
        self._clean_up()

    def _exceeds(self, obj: Json, size: int) -> bool:
        """Whether Argo could not store the workflow, which then ends in Error, also one that had just succeeded.

        size: bytes without compressed nodes.
        """
        if size <= self._measured or self._exceeded:
            return False
        self._measured = int(size * _GROWTH)
        try:
            require_size(obj, obj["status"]["nodes"])
        except LimitError as error:
            self._exceeded = True
            self.operation.exceed(error)
        return self._exceeded

    def _clean_up(self) -> None:
        """Label pods whose end is written, and delete them according to podGC."""
        finished, self._finished_pods = self._finished_pods, {}
        operation, store = self.operation, self._state.store
        namespace = operation.workflow["metadata"]["namespace"]
        strategy = (operation.spec.get("podGC") or {}).get("strategy", "")
        for name, pod in finished.items():
            with contextlib.suppress(ApiError):
                if _is_garbage(strategy, pod):
                    operations.delete(self._state, PODS, namespace, name)
                else:
                    store.change(PODS, namespace, name, _label_completed)
        if operation.finished and strategy in ("OnWorkflowCompletion", "OnWorkflowSuccess"):
            if strategy == "OnWorkflowSuccess" and operation.phase != "Succeeded":
                return
            for node in operation.nodes:
                if node["type"] == "Pod":
                    with contextlib.suppress(ApiError):
                        operations.delete(self._state, PODS, namespace, operation.pod_name(node))

    def _tell_end(self) -> None:
        phase, message = self.operation.phase, self.operation.status.get("message", "")
        reason = "WorkflowSucceeded" if phase == "Succeeded" else "WorkflowFailed"
        self._record_event(
            reason, message or "Workflow completed", type="Normal" if phase == "Succeeded" else "Warning"
        )

    def _record_event(self, reason: str, message: str, type: str = "Normal") -> None:
        record_event(
            self._state.store,
            self.operation.workflow,
            reason=reason,
            message=message,
            component=COMPONENT,
            type=type,
        )


def failed_on(error: Exception) -> str:
    """The message of a workflow that cannot be run."""
    return f"the sandbox failed on this workflow: {type(error).__name__}: {error}"


def _is_garbage(strategy: str, pod: Json) -> bool:
    if strategy == "OnPodSuccess":
        return bool(pod["status"].get("phase") == "Succeeded")
    return strategy == "OnPodCompletion"


def _label_completed(pod: Json) -> None:
    pod["metadata"]["labels"][COMPLETED_LABEL] = "true"
