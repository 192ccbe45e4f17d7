"""Retrying: which nodes of an ended workflow are kept, which run again, and whose pods go.

The rules are those of Argo 4.1: each failed pod, and each node that the caller selects, is removed with all that came
after it; on the way from it to the root, what encloses it is set to running again; all else stays as it is.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hera_k8s_sandbox.foundation.labels import ARCHIVING_LABEL, COMPLETED_LABEL
from hera_k8s_sandbox.foundation.selectors import Selector
from hera_k8s_sandbox.store.entries import now_text
from hera_k8s_sandbox.workflows.actions.submit_options import override_parameters
from hera_k8s_sandbox.workflows.engine.hooks import is_of_hook
from hera_k8s_sandbox.workflows.engine.suspend import node_fields
from hera_k8s_sandbox.workflows.model.naming import pod_name
from hera_k8s_sandbox.workflows.model.nodes import FAILED
from hera_k8s_sandbox.workflows.model.templates import caller_of, template_name
from hera_k8s_utils._types import Json

_GROUPS: Final = frozenset({"DAG", "TaskGroup", "StepGroup", "Steps"})
_EXECUTING: Final = frozenset({"Pod", "Container", "HTTP", "Plugin"})


class RetryError(ValueError):
    """The workflow cannot be retried; the message is Argo's."""


@dataclass
class _Tree:
    """The nodes of a workflow with one parent each: of several, the last in the order of their ids, as in Argo."""

    nodes: Mapping[str, Json]
    parents: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in sorted(self.nodes):
            for child in self.nodes[key].get("children") or ():
                self.parents[child] = key

    def parent(self, key: str) -> str | None:
        return self.parents.get(key)

    def below(self, key: str) -> set[str]:
        """All that came after a node."""
        found: set[str] = set()
        stack = list(self.nodes[key].get("children") or ())
        while stack:
            each = stack.pop()
            if each not in found and each in self.nodes:
                found.add(each)
                stack.extend(self.nodes[each].get("children") or ())
        return found

    def in_order(self, root: str) -> list[str]:
        """Breadth first from the root."""
        order, queue = [root], deque([root])
        seen = {root}
        while queue:
            for child in self.nodes[queue.popleft()].get("children") or ():
                if child not in seen and child in self.nodes:
                    seen.add(child)
                    order.append(child)
                    queue.append(child)
        return order


def retry_workflow(
    workflow: Json,
    *,
    restart_successful: bool = False,
    selector: Selector | None = None,
    parameters: Iterable[str] = (),
) -> tuple[Json, list[str]]:
    """The workflow as it goes on, and the names of the pods that go.

    selector: nodes that are to run again even though they succeeded, with restart_successful only.
    Raises RetryError and SubmitOptionError.
    """
    status = workflow.get("status") or {}
    _require_retryable(str(status.get("phase", "")), selected=restart_successful and selector is not None)
    given = list(parameters)
    new = _begun_again(workflow, given)
    nodes: dict[str, Json] = status.get("nodes") or {}
    name = workflow["metadata"]["name"]
    if name not in nodes:
        return new, []
    tree = _Tree(nodes)
    chosen = _selected(nodes, selector) if restart_successful else set()
    wanted = chosen | _failed(tree, chosen)
    reset: set[str] = set()
    removed: set[str] = set()
    for key in tree.in_order(name):  # parents first: nodes that they remove need no check
        if key in wanted and key not in removed:
            _reset_path(tree, name, key, reset, removed)
    if given:  # groups are expanded again with the new values
        for key in reset - removed:
            if nodes[key]["type"] in ("TaskGroup", "StepGroup"):
                removed |= tree.below(key)
    new["status"]["nodes"] = _left(nodes, f"{name}.onExit", reset, removed)
    gone = [node for key, node in nodes.items() if key in removed or node["name"].startswith(f"{name}.onExit")]
    return new, [pod_name(name, node["name"], template_name(caller_of(node))) for node in gone if node["type"] == "Pod"]


def _require_retryable(phase: str, *, selected: bool) -> None:
    if phase == "Succeeded" and not selected:
        raise RetryError("To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector")
    if phase not in ("Failed", "Error", "Succeeded"):
        raise RetryError(f"Cannot retry a workflow in phase {phase}")


def _begun_again(workflow: Json, parameters: list[str]) -> Json:
    new = copy.deepcopy(workflow)
    labels = new["metadata"].get("labels") or {}
    for label in (COMPLETED_LABEL, ARCHIVING_LABEL):
        labels.pop(label, None)
    spec, status = new["spec"], new["status"]
    spec.pop("shutdown", None)
    if spec.get("activeDeadlineSeconds") == 0:  # how it used to be terminated
        del spec["activeDeadlineSeconds"]
    status |= {"phase": "", "startedAt": now_text(), "finishedAt": None, "nodes": {}}
    for key in ("message", "persistentVolumeClaims"):  # the latter are made again where they are gone
        status.pop(key, None)
    status["conditions"] = [
        one | {"status": "False"} if one["type"] == "Completed" else one for one in status.get("conditions") or ()
    ]
    override_parameters(spec, parameters)
    kept = status.get("storedWorkflowTemplateSpec")
    if kept is not None:
        kept.pop("shutdown", None)
        override_parameters(kept, parameters)
    return new


def _selected(nodes: Mapping[str, Json], selector: Selector | None) -> set[str]:
    if selector is None:
        return set()
    return {key for key, node in nodes.items() if selector.matches(node_fields(node).get)}


def _failed(tree: _Tree, chosen: set[str]) -> set[str]:
    """Pods that failed, unless something after them succeeded all the same."""
    found: set[str] = set()
    for key, node in tree.nodes.items():
        if node["phase"] not in FAILED or node["type"] not in _EXECUTING:
            continue
        around = tree.parent(key)
        is_attempt = (node.get("nodeFlag") or {}).get("retried") and around and tree.nodes[around]["type"] == "Retry"
        after = tree.below(around if is_attempt and around else key)
        following = (each for each in after if not is_of_hook(tree.nodes[each]))  # it succeeds after a failure, too
        if not any(tree.nodes[each]["phase"] == "Succeeded" and each not in chosen for each in following):
            found.add(key)
    return found


def _reset_path(tree: _Tree, root: str, start: str, reset: set[str], removed: set[str]) -> None:
    """Remove a node with all after it, and set to running again what encloses it up to the root."""
    removed |= tree.below(start) | {start}
    if start == root:
        return
    current: str | None = start
    while current is not None:
        node = tree.nodes[current]
        if node["type"] in _GROUPS:
            reset.add(current)
            current = _reset_boundaries(tree, current, reset)
            continue
        if node["type"] == "Retry" and node["phase"] in FAILED:
            reset.add(current)
        elif node["type"] == "Container":  # of a container set: its pod goes as a whole
            pod = current
            while tree.nodes[pod]["type"] != "Pod":
                pod = tree.parents[pod]
            removed |= tree.below(pod) | {pod}
            current = tree.parent(pod)
            continue
        current = tree.parent(current)


def _reset_boundaries(tree: _Tree, key: str, reset: set[str]) -> str | None:
    current: str | None = key
    while current is not None:
        above = tree.parent(current)
        if above is not None and tree.nodes[above]["type"] == "Retry":
            reset.add(above)
            current, above = above, tree.parent(above)
        if above is not None and tree.nodes[above]["type"] in ("StepGroup", "TaskGroup"):
            reset.add(above)
        boundary = tree.nodes[current].get("boundaryID")
        if not boundary:
            return above
        while current is not None and current != boundary:
            current = tree.parent(current)
        if current is not None:
            reset.add(current)
    return None


def _left(nodes: Mapping[str, Json], exit_name: str, reset: set[str], removed: set[str]) -> dict[str, Json]:
    left: dict[str, Json] = {}
    for key, node in nodes.items():
        if key in removed or (node["name"].startswith(exit_name) and key not in reset):
            continue
        made = copy.deepcopy(node)
        for below in ("children", "outboundNodes"):
            if below in made:
                made[below] = [each for each in made[below] if each not in removed]
        left[key] = _reset(made) if key in reset else made
    return left


def _reset(node: Json) -> Json:
    if node["type"] == "Suspend" and node.get("outputs"):
        node["outputs"]["parameters"] = [
            {"name": one["name"], "valueFrom": {"supplied": {}}} for one in node["outputs"].get("parameters") or ()
        ]
    if node["phase"] != "Skipped":
        node["phase"] = "Running"
    node.pop("message", None)
    return node | {"startedAt": now_text(), "finishedAt": None}
