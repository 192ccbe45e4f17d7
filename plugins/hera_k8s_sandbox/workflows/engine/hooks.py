"""Hooks: templates that run beside or after the workflow, a task or a step, when their expressions say so.

The hook `exit`, also written `onExit`, needs no expression: it runs when what it belongs to has ended, whichever way.
After a stop the handlers of exits still run, after a termination they do not (Argo 4.1).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.expressions import ExpressionError, holds
from hera_k8s_sandbox.workflows.language.substitution import substitute
from hera_k8s_sandbox.workflows.model.artifacts import ArtifactError, resolved
from hera_k8s_sandbox.workflows.model.nodes import COMPLETED, NodeError, ParallelismReached, failed, fulfilled
from hera_k8s_sandbox.workflows.model.spec_fields import exit_hook, lifecycle_hooks
from hera_k8s_utils._types import Json

_HOOK_NODE: Final = re.compile(r"\.onExit(?=$|[.(\[])|\.hooks\.")
_EXIT_NODE: Final = re.compile(r"\.onExit(?=$|[.(\[])")


def is_of_exit(node: Json) -> bool:
    """Whether a node is part of an exit handler."""
    return _EXIT_NODE.search(node["name"]) is not None


def is_of_hook(node: Json) -> bool:
    """Whether a node is part of a hook, of an exit or another."""
    return _HOOK_NODE.search(node["name"]) is not None


def advance_task(
    run: RunContext, boundary: Json, task: Json, node: Json, prefix: str, values: Mapping[str, str]
) -> bool:
    """Run the hooks of a task or step as its state wants; whether nothing more is to be waited for.

    prefix: `tasks.NAME` or `steps.NAME`. values: what its tags and expressions may name. Raises NodeError.
    """
    if node["phase"] not in COMPLETED and node["phase"] != "Running":
        return True
    known = {**values, f"{prefix}.status": node["phase"]}
    done = True
    for name, hook in lifecycle_hooks(task):
        done = _advance(run, f"{node['name']}.hooks.{name}", hook, node, boundary["id"], known) and done
    if not done or not fulfilled(node):
        return done
    at_exit = exit_hook(task)
    if at_exit is None or run.shutdown == "Terminate":
        return True
    return _advance(run, f"{node['name']}.onExit", at_exit, node, boundary["id"], known, at_exit=True)


def advance_workflow(run: RunContext, root: Json) -> bool:
    """Run the hooks of the workflow as its state wants; whether nothing more is to be waited for. Raises NodeError."""
    run.globals["workflow.status"] = _workflow_status(root["phase"])
    run.globals["workflow.failures"] = json.dumps(_failures(run), ensure_ascii=False)
    done = True
    for name, hook in lifecycle_hooks(run.spec):
        done = _advance(run, f"{run.name}.hooks.{name}", hook, root, "", run.values()) and done
    return done


def advance_exit(run: RunContext) -> tuple[Json | None, bool]:
    """Run the workflow's exit handler; its node, and whether it is over. Raises NodeError."""
    name, hook = f"{run.name}.onExit", exit_hook(run.spec)
    node = run.nodes.get(name)
    if hook is None or (node is None and run.shutdown == "Terminate"):
        return None, True
    try:
        node = run.execute(name, _holder(hook), hook.get("arguments") or {}, "")
    except ParallelismReached:
        return run.nodes.get(name), False
    return node, fulfilled(node)


def ending(root: Json, at_exit: Json | None) -> tuple[str, str]:
    """The phase and message of a workflow whose tree and exit handler have ended."""
    phase = _workflow_status(root["phase"])
    if phase == "Succeeded" and at_exit is not None and failed(at_exit):
        return at_exit["phase"], at_exit.get("message", "")
    return phase, root.get("message", "")


def _advance(
    run: RunContext,
    name: str,
    hook: Json,
    parent: Json,
    boundary: str,
    values: Mapping[str, str],
    *,
    at_exit: bool = False,
) -> bool:
    """Start or go on with one hook's node; whether it is over, or not wanted."""
    node = run.nodes.get(name)
    if node is None and not _is_wanted(name, hook, values, at_exit=at_exit):
        return True
    if node is None and run.shutdown and not at_exit:
        return True
    arguments = hook.get("arguments") or {}
    if node is None or not fulfilled(node):
        try:
            arguments = resolved(substitute(arguments, values), values)
        except ArtifactError as error:
            raise NodeError(str(error)) from None
    try:
        node = run.execute(name, _holder(hook), arguments, boundary)
    except ParallelismReached:
        node = run.nodes.get(name)
    except NodeError as error:
        if (made := run.nodes.get(name)) is not None:
            run.nodes.connect(parent, made)
        raise NodeError(f"{name} error: {error}") from None
    if node is None:
        return False
    run.nodes.connect(parent, node)
    return fulfilled(node)


def _is_wanted(name: str, hook: Json, values: Mapping[str, str], *, at_exit: bool) -> bool:
    expression = hook.get("expression")
    if not expression:
        if at_exit:
            return True
        raise NodeError(f"Expression required for hook {name}")
    try:
        return holds(str(expression), values)
    except ExpressionError as error:
        raise NodeError(str(error)) from None


def _holder(hook: Json) -> Json:
    """The hook as the caller of its template."""
    called = {key: hook[key] for key in ("template", "templateRef") if hook.get(key)}
    return {**called, "hooked": True}


def _workflow_status(phase: str) -> str:
    return "Succeeded" if phase in ("Skipped", "Omitted") else phase


def _failures(run: RunContext) -> str:
    found = [
        {
            "displayName": node["displayName"],
            "message": node.get("message", ""),
            "templateName": node.get("templateName", ""),
            "phase": node["phase"],
            "podName": run.pod_name(node),
            "finishedAt": node.get("finishedAt"),
        }
        for node in run.nodes
        if failed(node)
    ]
    return json.dumps(found or None, separators=(",", ":"), ensure_ascii=False)
