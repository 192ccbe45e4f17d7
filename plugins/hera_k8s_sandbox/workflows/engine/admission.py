"""Gates: what a template waits for before it is executed, its locks, and what may save it from that, its cache."""

from __future__ import annotations

from typing import Any

from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.workflows.engine import memoization, synchronization
from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.model.naming import node_id
from hera_k8s_sandbox.workflows.model.nodes import NodeError, ParallelismReached, failed, fulfilled, waits_for_lock
from hera_k8s_utils._types import Json


class NodeAdmission:
    """The locks and caches of one workflow's nodes."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._locked: set[str] = {node for node, _ in synchronization.held(run.status) if node}
        self._holds = any(not node for node, _ in synchronization.held(run.status))
        self._asked: dict[str, Json] = {}  # by the name of a node that is about to be made
        self._to_keep: set[str] = {node["id"] for node in run.nodes if _is_to_keep(node)}

    # The whole workflow

    def admit_workflow(self) -> str | None:
        """Take the workflow's own locks; a message when it is to wait. Raises LockError."""
        wanted = self._run.spec.get("synchronization")
        if not wanted or self._holds:
            return None
        waits = synchronization.acquire(self._run, wanted)
        self._holds = waits is None
        return None if waits is None else waits[1]

    def settle(self) -> None:
        """After an advance: what has ended gives its locks back, and leaves its outputs in its cache."""
        nodes = self._run.nodes.by_id
        for key in [each for each in self._locked if each not in nodes or fulfilled(nodes[each])]:
            self._locked.discard(key)
            synchronization.release(self._run, key)
        for key in [each for each in self._to_keep if fulfilled(nodes[each])]:
            self._to_keep.discard(key)
            if nodes[key]["phase"] == "Succeeded":
                try:
                    memoization.keep(self._run, nodes[key])
                except ApiError as error:
                    self._run.nodes.mark(nodes[key], "Error", error.message)

    def close(self) -> None:
        """The workflow has ended: give everything back."""
        self._locked.clear()
        synchronization.release(self._run)

    # One node

    def pass_through(
        self, name: str, template: Json, holder: Json, arguments: Json, boundary: str, owner: str
    ) -> Json | None:
        """The node, when it waits for a lock or its outputs were known; None when it is to be executed.

        Raises NodeError, and ParallelismReached.
        """
        run = self._run
        node = run.nodes.get(name)
        if (node is not None and not waits_for_lock(node)) or not {"synchronization", "memoize"} & template.keys():
            return None
        if node is None:
            self.require_room(template, boundary)
        made = (name, template, holder, arguments, boundary, owner)
        processed = run.processed(*made)
        if processed.get("synchronization"):
            node = self._wait(node, processed, *made)
            if node is not None and waits_for_lock(node):
                return node
        if node is None and processed.get("memoize"):
            return self._known(processed, *made)
        return None

    def require_room(self, template: Json, boundary: str) -> None:
        """Raises ParallelismReached when no further node may be made here now."""
        limit = self._run.spec.get("parallelism")
        is_pod = not {"dag", "steps", "suspend"} & template.keys()
        self._run.require_turn(pod=is_pod)
        if is_pod and limit is not None and self._run.nodes.active_pods >= int(limit):
            raise ParallelismReached
        around = self._run.nodes.by_id.get(boundary)
        if around is None:
            return
        limit = self._run.templates.of(around).get("parallelism")
        if limit is not None and self._run.nodes.active_children(boundary) >= int(limit):
            raise ParallelismReached

    def fails_fast(self, node: Json) -> bool:
        """Whether a child has failed, so that nothing more starts in a template with failFast; the last ends it."""
        inside = [
            each for each in self._run.nodes if each.get("boundaryID") == node["id"] and each["type"] != "StepGroup"
        ]
        if not any(failed(each) for each in inside):
            return False
        if all(fulfilled(each) or each["type"] == "TaskGroup" for each in inside):
            for each in inside:
                if not fulfilled(each):
                    self._run.nodes.mark(each, "Failed")
            self._run.nodes.mark(node, "Failed", "template has failed or errored children and failFast enabled")
        return True

    def fields(self, name: str) -> Json:
        """The fields about memoization of a new node."""
        found = self._asked.pop(name, None)
        if found is None:
            return {}
        self._to_keep.add(node_id(self._run.name, name))
        return {"memoizationStatus": found}

    def _wait(self, node: Json | None, processed: Json, *made: Any) -> Json | None:
        run, (name, template, holder, _, boundary, owner) = self._run, made
        key = node_id(run.name, name)
        try:
            waits = synchronization.acquire(run, processed["synchronization"], key)
        except synchronization.LockError as error:
            message = f"Failed to acquire the synchronization lock. {error}"
            run.error_node(name, holder, boundary, owner, message)
            raise NodeError(message) from None
        if waits is None:
            self._locked.add(key)
            if node is not None:
                run.nodes.set(node, synchronizationStatus=None)
                run.nodes.mark(node, "Pending" if node["type"] == "Pod" else "Running", "")
                run.nodes.set(node, startedAt=None if node["type"] == "Pod" else node["startedAt"])
            return node
        if node is None:
            kind = run.kind_of(template)
            node = run.add_node(name, kind, processed, holder, boundary, owner, "Pending")
        run.nodes.set(node, synchronizationStatus={"waiting": waits[0]})
        return run.nodes.mark(node, "Pending", waits[1])

    def _known(self, processed: Json, *made: Any) -> Json | None:
        run, (name, template, holder, _, boundary, owner) = self._run, made
        try:
            status, outputs = memoization.look_up(run, processed["memoize"])
        except (memoization.CacheError, ApiError) as error:
            run.error_node(name, holder, boundary, owner, str(error))
            raise NodeError(str(error)) from None
        if outputs is None:
            self._asked[name] = status
            return None
        kind = run.kind_of(template)
        node = run.add_node(name, kind, processed, holder, boundary, owner, "Succeeded", memoizationStatus=status)
        run.take_outputs(node, outputs)
        return node


def _is_to_keep(node: Json) -> bool:
    return "memoizationStatus" in node and not node["memoizationStatus"]["hit"] and not fulfilled(node)
