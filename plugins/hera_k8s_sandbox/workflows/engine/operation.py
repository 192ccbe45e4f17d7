"""Operation: drives one workflow, from the state of its nodes and pods to what happens next.

As Argo's controller does, each advance walks the tree from the entrypoint: what has ended is passed over, what can
start is started. Everything remembered besides the nodes can be derived again, so a restart loses nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from hera_k8s_sandbox.foundation.clock import CLOCK
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.foundation.labels import NODE_ID
from hera_k8s_sandbox.store.store import now_text
from hera_k8s_sandbox.workflows.engine import dag, global_outputs, hooks, retry_nodes, steps, suspend, volume_claims
from hera_k8s_sandbox.workflows.engine.admission import NodeAdmission
from hera_k8s_sandbox.workflows.engine.global_values import global_values
from hera_k8s_sandbox.workflows.engine.pod_manager import PodManager
from hera_k8s_sandbox.workflows.engine.scope import ScopeError, bind_inputs
from hera_k8s_sandbox.workflows.engine.synchronization import LockError
from hera_k8s_sandbox.workflows.language.substitution import substitute
from hera_k8s_sandbox.workflows.limits import DEEPEST, TOO_DEEP, LimitError, require_room_for
from hera_k8s_sandbox.workflows.model.cluster import Cluster, parameter
from hera_k8s_sandbox.workflows.model.expansion import Expansion
from hera_k8s_sandbox.workflows.model.fan_out import FanOut
from hera_k8s_sandbox.workflows.model.metadata import MetadataError, workflow_metadata
from hera_k8s_sandbox.workflows.model.naming import pod_name
from hera_k8s_sandbox.workflows.model.nodes import (
    FULFILLED,
    NodeError,
    Nodes,
    ParallelismReached,
    failed,
    fulfilled,
    is_to_come,
)
from hera_k8s_sandbox.workflows.model.spec_fields import exit_hook, has_hooks
from hera_k8s_sandbox.workflows.model.templates import (
    Source,
    TemplateError,
    Templates,
    caller_fields,
    hook_calls,
    merged_spec,
    no_source,
    template_name,
)
from hera_k8s_utils._types import Json

_LONGEST_TURN: Final = 0.5  # seconds of one advance in which new nodes are made; Argo gives 30 (MAX_OPERATION_TIME)
_REQUEUE: Final = 10.0  # seconds until a workflow checks the quota again, Argo's DEFAULT_REQUEUE_TIME
_MANY: Final = 2_000  # members of a fan-out that is measured before it is expanded
_SAMPLE: Final = 1_000


class Operation:
    """One workflow while it runs.

    workflow: the object as stored.
    cluster: the cluster around it.
    clock: seconds since the epoch.
    source: finds the templates that it refers to.

    Raises TemplateError when its own is not there, or an argument's config map.
    """

    def __init__(
        self, workflow: Json, cluster: Cluster, clock: Callable[[], float] = CLOCK.now, source: Source = no_source
    ) -> None:
        self.status: Json = json.loads(json.dumps(workflow.get("status") or {}))
        self.workflow = workflow
        self.cluster = cluster
        self.spec = self._executed_spec(source)
        nodes = self.status.setdefault("nodes", {})
        self.nodes = Nodes(workflow["metadata"]["name"], nodes, base=_size_without_nodes(workflow))
        of_another = bool(self.spec.get("workflowTemplateRef"))
        stored = self.status.setdefault("storedTemplates", {})
        self.templates = Templates(self.spec, "" if of_another else self.name, stored, source)
        self._fan_out = FanOut(self.templates)
        self.globals: dict[str, str] = {}
        try:
            self.globals = global_values(self.executed, self.parameter)
        except ScopeError as error:
            raise TemplateError(str(error)) from None
        self.metadata: dict[str, dict[str, str]] = {}  # labels and annotations that are to be written
        self.wake_at: float | None = None
        self.now = clock
        self.interrupted = False  # the last advance left something to be done at once
        self.plans: dict[str, Any] = {}  # what dag and steps keep of a node between advances
        self._processed: dict[str, Json] = {}
        self._turn_ends: float | None = None  # monotonic; what is to be made after that is made in the next advance
        self._depth = 0
        self.pods = PodManager(self)
        self.admission = NodeAdmission(self)
        global_outputs.restore(self)

    def _executed_spec(self, source: Source = no_source) -> Json:
        """The spec that is executed: that of the template that the workflow refers to, if any, its own fields over it.

        It is kept, as in Argo; only what may be changed of a running workflow is taken from its own spec again.
        """
        spec: Json = self.workflow["spec"]
        reference = spec.get("workflowTemplateRef")
        if not reference:
            return spec
        kept = self.status.get("storedWorkflowTemplateSpec")
        if kept is None:
            found = source(reference.get("name", ""), bool(reference.get("clusterScope")))
            if found is None:
                raise TemplateError(f"workflow template {reference.get('name', '')} not found")
            kept = merged_spec(spec, found.get("spec") or {})
        kept = self.status["storedWorkflowTemplateSpec"] = merged_spec(
            {key: spec[key] for key in ("entrypoint", "suspend", "shutdown") if key in spec}, kept
        )
        return dict(kept)

    @property
    def executed(self) -> Json:
        """The workflow as it is executed, with the spec of the template that it refers to."""
        return self.workflow | {"spec": self.spec}

    @property
    def name(self) -> str:
        """The workflow's name."""
        return str(self.workflow["metadata"]["name"])

    @property
    def phase(self) -> str:
        """The workflow's phase; empty before the first advance."""
        return str(self.status.get("phase", ""))

    @property
    def shutdown(self) -> str:
        """`Stop`, `Terminate`, or empty while neither was requested."""
        return str(self.spec.get("shutdown") or "")

    @property
    def finished(self) -> bool:
        """Whether the workflow has ended."""
        return self.phase in FULFILLED

    @property
    def deadline(self) -> float | None:
        """When the workflow must have ended, in seconds since the epoch."""
        seconds = self.spec.get("activeDeadlineSeconds")
        started = self.status.get("startedAt")
        return None if seconds is None or not started else seconds_of(started) + float(seconds)

    def take(self, workflow: Json) -> None:
        """Take over a client's update of the workflow, such as a stop."""
        self.workflow = workflow
        self.spec = self._executed_spec()
        suspend.adopt(self, workflow)

    def observe(self, pod: Json) -> None:
        """Take note of the present state of one of the workflow's pods."""
        self.pods.observe(pod["metadata"]["annotations"][NODE_ID], pod)

    def lose(self, pod: Json) -> None:
        """Take note that a pod was deleted."""
        self.pods.lose(pod["metadata"]["annotations"].get(NODE_ID, ""))

    def forget_missing(self, present: set[str]) -> None:
        """After a restart: nodes whose pods are gone are in error. present: the names of the pods that are there."""
        for node in self.nodes:
            is_lost = node["type"] == "Pod" and not fulfilled(node) and not is_to_come(node)
            if is_lost and self.pod_name(node) not in present:
                self.nodes.mark(node, "Error", "pod deleted")

    def pod_name(self, node: Json) -> str:
        """The name of a node's pod."""
        return self.pods.name_of(node)

    def advance(self) -> None:
        """Do all that can be done now; when that takes long, a part of it, and ask to be advanced again."""
        if self.finished:
            return
        self.wake_at = None
        self.interrupted = False
        self._turn_ends = None
        try:
            self._advance()
        except LimitError as error:
            self.exceed(error)

    def exceed(self, error: LimitError) -> None:
        """End the workflow and what runs of it: it is too large."""
        self.pods.abandon()
        self.end("Error", str(error))

    def _advance(self) -> None:
        entry = {"template": self.spec["entrypoint"]}
        if self.phase in ("", "Pending") and not self._is_admitted():
            return
        if self.phase in ("", "Pending"):
            self.status |= {"phase": "Running", "startedAt": now_text(), "finishedAt": None}
            self.status.pop("message", None)
            try:
                self._describe()
                for caller in (entry, *hook_calls(self.spec)):
                    self.templates.keep(caller, self.templates.root)
                self._require_room_for_all(entry)
            except (MetadataError, TemplateError) as error:
                self.end("Error", str(error))
                return
        self.globals["workflow.duration"] = f"{self.now() - seconds_of(self.status['startedAt']):f}"
        if self.pods.assess() or "conditions" not in self.status:
            self._set_condition("PodRunning", "True" if self.nodes.active_pods else "False")
        self.pods.control()
        if self.spec.get("suspend") and not self.shutdown:  # resuming it is an update
            return
        self._execute_tree(entry)
        self.admission.settle()

    def _is_admitted(self) -> bool:
        """Whether the workflow may start: it waits for its locks, if it wants any."""
        try:
            message = self.admission.admit_workflow()
        except LockError as error:
            self.end("Failed", f"Failed to acquire the synchronization lock. {error}")
            return False
        if message is not None and self.shutdown:
            self.end("Failed", f"Stopped with strategy '{self.shutdown}'")
        elif message is not None:
            self.status |= {"phase": "Pending", "message": message}
        return message is None

    def _execute_tree(self, entry: Json) -> None:
        try:
            volume_claims.make(self)
            root = self.execute(self.name, entry, self.spec.get("arguments") or {}, "")
        except ParallelismReached:
            root = self.nodes.get(self.name)
        except NodeError as error:
            self.end("Error", str(error))
            return
        except ApiError as error:
            self.end("Error", f"pvc create error: {error.message}")
            return
        if root is not None:
            self._go_on_after(root)

    def end(self, phase: str, message: str = "") -> None:
        """Finish the workflow."""
        now = now_text()
        self.status.setdefault("startedAt", now)
        self.status |= {"phase": phase, "finishedAt": now, "progress": self.nodes.update_progress()}
        self.status.pop("message", None)
        if message:
            self.status["message"] = message
        self.pods.end_daemons()
        self.admission.settle()
        self.admission.close()
        volume_claims.remove(self, phase)
        self._set_condition("PodRunning", "False")
        self._set_condition("Completed", "True")

    def summarize(self) -> Json:
        """The status as it is to be stored; frozen until the next advance."""
        self.status["progress"] = self.nodes.update_progress()
        return {key: value for key, value in self.status.items() if key != "storedTemplates" or value}

    def wake(self, at: float) -> None:
        """Ask to be advanced again at a time, in seconds since the epoch."""
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)

    # Executing templates; used by dag, steps and retries

    def execute(self, name: str, holder: Json, arguments: Json, boundary: str, owner: str = "") -> Json | None:
        """Execute a template as the node of this name; the node, or None when it was not made.

        holder: the task or step. Raises ParallelismReached, and NodeError when the node's parent is in error too.
        """
        node = self.nodes.get(name)
        if node is not None and (node["phase"] in FULFILLED or (node["type"] == "Pod" and not is_to_come(node))):
            return node
        self._depth += 1
        try:
            return self._execute(name, holder, arguments, boundary, owner)
        finally:
            self._depth -= 1

    def _execute(self, name: str, holder: Json, arguments: Json, boundary: str, owner: str) -> Json | None:
        if self._depth >= DEEPEST:
            self.error_node(name, holder, boundary, owner, TOO_DEEP)
            return self.nodes.get(name)
        try:
            template = self.templates.called(holder, self.scope_inside(boundary))
        except TemplateError as error:
            self.error_node(name, holder, boundary, owner, str(error))
            raise NodeError(str(error)) from None
        stopped = self.admission.pass_through(name, template, holder, arguments, boundary, owner)
        if stopped is not None:
            return stopped
        if self.retry_strategy(template) is not None:
            return retry_nodes.execute(self, name, template, holder, arguments, boundary, owner)
        return self.execute_once(name, template, holder, arguments, boundary, owner)

    def execute_once(
        self,
        name: str,
        template: Json,
        holder: Json,
        arguments: Json,
        boundary: str,
        owner: str = "",
        *,
        local: Mapping[str, str] | None = None,
    ) -> Json | None:
        """Execute a template as `execute` does, ignoring its retry strategy; local: further values for tags."""
        node = self.nodes.get(name)
        if node is None:
            self.admission.require_room(template, boundary)
        processed = self.processed(name, template, holder, arguments, boundary, owner, local or {})
        flags = _flags(holder, retried=bool(local))
        if "dag" in processed or "steps" in processed:
            if node is None:
                kind = "DAG" if "dag" in processed else "Steps"
                node = self.add_node(name, kind, processed, holder, boundary, owner, "Running", **flags)
            if processed.get("failFast") and self.admission.fails_fast(node):
                return node
            (dag if "dag" in processed else steps).execute(self, node, processed)
            if fulfilled(node):
                self.pods.end_daemons(node["id"])
            return node
        if "suspend" in processed:
            if node is None:
                flags |= {"outputs": suspend.supplied_outputs(processed)}
                node = self.add_node(name, "Suspend", processed, holder, boundary, owner, "Pending", **flags)
            suspend.execute(self, node, processed)
            return node
        if node is None:
            node = self.add_node(name, "Pod", processed, holder, boundary, owner, "Pending", **flags)
            self.pods.create(node, processed, holder, boundary)
        elif is_to_come(node):
            self.require_turn(pod=True)
            self.nodes.set(node, startedAt=now_text())
            self.pods.create(node, processed, holder, boundary)
        return node

    def require_turn(self, *, pod: bool) -> None:
        """Raises ParallelismReached when others are to have their turn before another node, or pod, is made."""
        now = time.monotonic()
        if self._turn_ends is None:  # only now: it took its time to come here
            self._turn_ends = now + _LONGEST_TURN
        if now > self._turn_ends:
            self.interrupted = True
            self.wake(self.now())
            raise ParallelismReached
        if pod and not self.cluster.has_room():
            self.wake(self.now() + _REQUEUE)
            raise ParallelismReached

    def require_room(self, boundary: Json, prefix: str, step: Json, members: Expansion) -> None:
        """Check that what a task or step in a boundary expands to has room in the workflow. Raises LimitError.

        prefix: of the members' names.
        """
        if members.count < _MANY:
            return
        inner = 1 if step.get("when") else self._fan_out.of(step, self.templates.inside(boundary))
        names = [prefix + name for name in members.names(_SAMPLE)]
        self.nodes.require_room(f"{prefix}{step['name']}", boundary, names, members.count * inner)

    def _require_room_for_all(self, entry: Json) -> None:
        """Check what can be known of the whole workflow before anything of it is made. Raises LimitError."""
        callers = (entry, exit_handler) if (exit_handler := exit_hook(self.spec)) else (entry,)
        for caller in callers:
            require_room_for(template_name(caller), self._fan_out.of(caller, self.templates.root))

    def retry_strategy(self, template: Json) -> Json | None:
        """How often a template is tried again; None: it is not."""
        found = template.get("retryStrategy", self.spec.get("retryStrategy"))
        return None if found is None else dict(found)

    def add_retry_node(
        self, name: str, template: Json, holder: Json, arguments: Json, boundary: str, owner: str
    ) -> Json:
        """The node around the attempts of a template. Raises NodeError."""
        processed = self.processed(name, template, holder, arguments, boundary, owner)
        return self.add_node(name, "Retry", processed, holder, boundary, owner, "Running", **_flags(holder))

    def processed(
        self,
        name: str,
        template: Json,
        holder: Json,
        arguments: Json,
        boundary: str,
        owner: str,
        local: Mapping[str, str] | None = None,
    ) -> Json:
        """A template with its inputs bound and its tags replaced, for the node of this name. Raises NodeError."""
        found = self._processed.get(name)
        if found is not None:
            return found
        try:
            found = bind_inputs(template, arguments, self._values(name, template, holder, local or {}), self.parameter)
        except ScopeError as error:
            self.error_node(name, holder, boundary, owner, str(error))
            raise NodeError(str(error)) from None
        if "dag" in template or "steps" in template:
            self._processed[name] = found
        return found

    def parameter(self, reference: Json) -> str:
        """The value that `configMapKeyRef` names, its tags replaced. Raises ValueError."""
        return parameter(self.cluster, substitute(reference, self.globals))

    def kind_of(self, template: Json) -> str:
        """The type of a template's node."""
        if self.retry_strategy(template) is not None:
            return "Retry"
        kinds = {"dag": "DAG", "steps": "Steps", "suspend": "Suspend"}
        return next((kind for field, kind in kinds.items() if field in template), "Pod")

    def values(self) -> dict[str, str]:
        """What `{{workflow...}}` stands for now."""
        return self.globals

    def take_outputs(self, node: Json, outputs: Json | None) -> None:
        """Give a node its outputs, and the workflow those with a globalName."""
        if outputs:
            self.nodes.set(node, outputs=outputs)
            global_outputs.add(self, outputs)

    def _describe(self) -> None:
        """Give the workflow the labels and annotations of its spec's workflowMetadata."""
        self.metadata = workflow_metadata(self.spec, self.globals)
        for field, given in self.metadata.items():
            self.globals |= {f"workflow.{field}.{key}": value for key, value in given.items()}

    # Inside

    def _values(self, name: str, template: Json, holder: Json, local: Mapping[str, str]) -> dict[str, str]:
        values = self.globals | dict(local)
        values["node.name"] = name
        if "dag" not in template and "steps" not in template:
            values["pod.name"] = pod_name(self.name, name, template["name"])
        if "name" in holder:
            values["tasks.name"] = values["steps.name"] = holder["name"]
        return values

    def scope_inside(self, boundary: str) -> str:
        """The scope in which the tasks of a DAG or Steps node call templates; boundary: its id, empty for none."""
        around = self.nodes.by_id.get(boundary)
        return self.templates.root if around is None else self.templates.inside(around)

    def caller_fields(self, holder: Json, boundary: str) -> Json:
        """The fields of a node that name its template; keywords of `Nodes.add`."""
        return {**caller_fields(holder, self.scope_inside(boundary)), "boundary": boundary}

    def add_node(
        self, name: str, kind: str, template: Json, holder: Json, boundary: str, owner: str, phase: str, **more: Any
    ) -> Json:
        """Add the node of a template that was processed."""
        inputs = template.get("inputs") or {}
        shown = {key: inputs[key] for key in ("parameters", "artifacts") if inputs.get(key)}
        if shown:
            more["inputs"] = shown
        more |= {**self.admission.fields(name), **self.caller_fields(holder, boundary)}
        return self.nodes.add(name, kind, owner=owner, phase=phase, **more)

    def error_node(self, name: str, holder: Json, boundary: str, owner: str, message: str) -> None:
        """Put a node in error, which is made when it is not there."""
        if (node := self.nodes.get(name)) is not None:
            self.nodes.mark(node, "Error", message)
            return
        more = self.caller_fields(holder, boundary)
        self.nodes.add(name, "Skipped", owner=owner, phase="Error", message=message, **more)

    def _go_on_after(self, root: Json) -> None:
        """Run the hooks of the workflow, when its tree has ended the exit handler too, and then finish."""
        at_exit: Json | None = None
        if has_hooks(self.spec):
            try:
                if not hooks.advance_workflow(self, root) or not fulfilled(root):
                    return
                at_exit, done = hooks.advance_exit(self)
            except NodeError as error:
                self.end("Error", str(error))
                return
            if not done:
                return
        if not fulfilled(root):
            return
        phase, message = hooks.ending(root, at_exit)
        if self.shutdown and failed(root):
            phase, message = "Failed", f"Stopped with strategy '{self.shutdown}'"
        self.end(phase, message)

    def _set_condition(self, kind: str, status: str) -> None:
        conditions = self.status.setdefault("conditions", [])
        for condition in conditions:
            if condition["type"] == kind:
                condition["status"] = status
                return
        conditions.append({"type": kind, "status": status})


def _size_without_nodes(workflow: Json) -> int:
    status = {key: value for key, value in (workflow.get("status") or {}).items() if key != "nodes"}
    return len(json.dumps(workflow | {"status": status}, separators=(",", ":"), ensure_ascii=False))


def _flags(holder: Json, *, retried: bool = False) -> Json:
    """The flags of a node of a hook, or of an attempt."""
    flags = ({"hooked": True} if holder.get("hooked") else {}) | ({"retried": True} if retried else {})
    return {"nodeFlag": flags} if flags else {}
