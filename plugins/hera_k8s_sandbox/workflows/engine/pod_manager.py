"""Pod control: makes the pods of nodes, reads from them what becomes of the nodes, and ends them."""

from __future__ import annotations

import json
import re
from typing import Final

from hera_k8s_sandbox.foundation.durations import duration_of
from hera_k8s_sandbox.foundation.errors import ApiError
from hera_k8s_sandbox.foundation.json_values import seconds_of
from hera_k8s_sandbox.workflows.engine import hooks, suspend
from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.engine.scope import values_of_inputs
from hera_k8s_sandbox.workflows.language.substitution import substitute_text
from hera_k8s_sandbox.workflows.model.naming import node_id, pod_name
from hera_k8s_sandbox.workflows.model.nodes import FULFILLED, NodeError, fulfilled, is_daemoned, is_to_come
from hera_k8s_sandbox.workflows.model.pod_phase import assess, container_phases, is_daemon, is_ready
from hera_k8s_sandbox.workflows.model.pod_spec import PodSpecError, build_pod
from hera_k8s_sandbox.workflows.model.templates import caller_of, template_name
from hera_k8s_utils._types import Json

_RESULT: Final = re.compile(r"""\b(?:steps|tasks)(?:\.([\w-]+)|\[\\?['"]([\w-]+)\\?['"]\])\.outputs\.result""")


class PodManager:
    """The pods of one workflow's nodes."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._changed: dict[str, Json] = {}
        self._used: dict[str, set[str]] = {}  # by template: the tasks whose results another refers to
        known = [*run.templates.local.values(), *run.status["storedTemplates"].values()]
        self._daemons = any(is_daemoned(node) for node in run.nodes)
        self._timed = any(one.get("timeout") for one in known)

    def observe(self, key: str, pod: Json) -> None:
        """Take note of the present state of the pod of a node; key: its id."""
        self._changed[key] = pod

    def lose(self, key: str) -> None:
        """Take note that a node's pod was deleted."""
        run = self._run
        node = run.nodes.by_id.get(key)
        if node is not None and not fulfilled(node):
            self._changed.pop(key, None)
            run.nodes.mark(node, "Error", "pod deleted")

    def name_of(self, node: Json) -> str:
        """The name of a node's pod."""
        return pod_name(self._run.name, node["name"], template_name(caller_of(node)))

    def create(self, node: Json, template: Json, holder: Json, boundary: str) -> None:
        """Make a node's pod. Raises NodeError."""
        run = self._run
        if run.shutdown and not self.outlives_stop(node):
            run.nodes.mark(node, "Failed", f"workflow shutdown with strategy: {run.shutdown}")
            return
        self._timed = self._timed or bool(template.get("timeout"))
        name = pod_name(run.name, node["name"], template["name"])
        with_result = self._result_is_used(holder, boundary)
        try:
            pod = build_pod(
                run.executed | {"status": run.status},
                template,
                name=name,
                node=node,
                with_result=with_result,
                values=run.values(),
            )
            made = run.cluster.create(pod)
        except PodSpecError as error:
            run.nodes.mark(node, "Error", str(error))
            raise NodeError(str(error)) from None
        except ApiError as error:
            run.nodes.mark(node, "Error", error.message)
            raise NodeError(error.message) from None
        if "containerSet" in template:
            self._add_containers(node, template, holder)
        self._judge(node, made)

    def assess(self) -> bool:
        """Let nodes follow their pods; whether a pod has changed."""
        changed, self._changed = self._changed, {}
        for key, pod in changed.items():
            node = self._run.nodes.by_id.get(key)
            if node is not None and (not fulfilled(node) or is_daemoned(node)):
                self._judge(node, pod)
        return bool(changed)

    def end_daemons(self, boundary: str | None = None) -> None:
        """End what runs beside the others in a boundary that has ended; None: in the whole workflow."""
        run = self._run
        for node in run.nodes if self._daemons else ():
            if is_daemoned(node) and boundary in (None, node.get("boundaryID", "")):
                run.cluster.stop(self.name_of(node))
                run.nodes.set(node, daemoned=None)
                run.nodes.mark(node, "Succeeded", "")

    def control(self) -> None:
        """End what runs when a stop was requested or the deadline has passed."""
        run = self._run
        if run.shutdown:
            # Argo 4.1 writes two spaces for pods that were there already
            self._stop(f"workflow shutdown with strategy:  {run.shutdown}")
            suspend.fail_waiting(run, f"Stopped with strategy '{run.shutdown}'", self.outlives_stop)
            return
        if self._timed:
            self._end_overdue()
        deadline = run.deadline
        if deadline is None:
            return
        if run.now() < deadline:
            run.wake(deadline)
        else:
            self._stop("Step exceeded its deadline")
            suspend.fail_waiting(run, "Step exceeded its deadline", self.outlives_stop)

    def abandon(self) -> None:
        """End all that runs or waits to run: the workflow has ended without it."""
        run = self._run
        for node in run.nodes:
            if node["type"] == "Pod" and node["phase"] not in FULFILLED and not is_to_come(node):
                run.cluster.stop(self.name_of(node))

    def outlives_stop(self, node: Json) -> bool:
        """Whether a node runs to its end though the workflow is stopped, or its time is over: exit handlers do."""
        return self._run.shutdown != "Terminate" and hooks.is_of_exit(node)

    def _judge(self, node: Json, pod: Json) -> None:
        run = self._run
        verdict = assess(pod)
        if verdict.outputs is not None:
            run.take_outputs(node, verdict.outputs)
        if pod["spec"].get("nodeName"):
            run.nodes.set(node, hostNodeName=pod["spec"]["nodeName"])
        if verdict.finished_at:
            run.nodes.set(node, finishedAt=verdict.finished_at)
        daemon = is_daemon(pod)
        if daemon:
            ready = is_ready(pod)
            self._daemons = self._daemons or ready
            run.nodes.set(node, daemoned=True if ready else None, podIP=pod["status"].get("podIP"))
        run.nodes.mark(node, verdict.phase, verdict.message)
        if node.get("children"):
            self._judge_containers(node, pod)

    def _judge_containers(self, node: Json, pod: Json) -> None:
        """The nodes of a container set follow its containers."""
        nodes = self._run.nodes
        for name, phase, message in container_phases(pod):
            inner = nodes.get(f"{node['name']}.{name}")
            if inner is not None and inner["type"] == "Container" and not fulfilled(inner):
                nodes.mark(inner, phase, message)

    def _add_containers(self, node: Json, template: Json, holder: Json) -> None:
        """A node for each container of a set, after those that it depends on."""
        run, together = self._run, template["containerSet"]["containers"]
        for one in together:
            fields = {**run.caller_fields(holder, node.get("boundaryID", "")), "boundary": node["id"]}
            run.nodes.add(f"{node['name']}.{one['name']}", "Container", phase="Pending", **fields)
        for one in together:
            inner = run.nodes.by_id[node_id(run.name, f"{node['name']}.{one['name']}")]
            before = [f"{node['name']}.{each}" for each in one.get("dependencies") or ()] or [node["name"]]
            for name in before:
                run.nodes.connect(run.nodes.by_id[node_id(run.name, name)], inner)

    def _stop(self, message: str) -> None:
        run = self._run
        if not run.nodes.active_pods:
            return
        for node in run.nodes:
            if node["type"] == "Pod" and not fulfilled(node) and not self.outlives_stop(node):
                run.cluster.stop(self.name_of(node))
                run.nodes.mark(node, "Failed", message)
            elif node["type"] == "Container" and not fulfilled(node):
                run.nodes.mark(node, "Failed", message)

    def _end_overdue(self) -> None:
        """End the nodes whose template's time is over: one that waits fails at once, a running one when it ends."""
        run = self._run
        for node in run.nodes:
            if node["type"] != "Pod" or fulfilled(node) or is_to_come(node):
                continue
            text = str(run.templates.of(node).get("timeout") or "")
            if not text:
                continue
            end = seconds_of(node["startedAt"]) + duration_of(substitute_text(text, values_of_inputs(node)))
            if run.now() < end:
                run.wake(end)
                continue
            run.cluster.stop(self.name_of(node))
            if node["phase"] == "Pending":
                run.nodes.mark(node, "Failed", "timeout")

    def _result_is_used(self, holder: Json, boundary: str) -> bool:
        """Argo keeps a task's standard output only where another refers to it."""
        run = self._run
        around = run.nodes.by_id.get(boundary)
        if around is None or "name" not in holder:
            return False
        place = f"{run.templates.inside(around)}/{template_name(caller_of(around))}"
        used = self._used.get(place)
        if used is None:
            text = json.dumps(run.templates.of(around))
            used = self._used[place] = {found[1] or found[2] for found in _RESULT.finditer(text)}
        return holder["name"].partition("(")[0] in used
