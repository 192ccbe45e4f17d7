"""Hooks: whether what they call is there, and whether their expressions can be read."""

from __future__ import annotations

from hera_k8s_sandbox.workflows.model.spec_fields import EXIT_HOOK
from hera_k8s_sandbox.workflows.validation.calls import check_call
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid
from hera_k8s_sandbox.workflows.validation.references import check_expression
from hera_k8s_sandbox.workflows.validation.scopes import Scope
from hera_k8s_utils._types import Json


def check_hooks(where: str, holder: Json, scope: Scope) -> None:
    """Check the hooks of a task, a step or, with an empty `where`, a spec."""
    if holder.get("onExit"):
        call = {"template": holder["onExit"], "arguments": holder.get("arguments") or {}}
        check_call(f"{where}.onExit".removeprefix("."), call, scope, entry=not where)
    for name, hook in (holder.get("hooks") or {}).items():
        at = f"{where}.hooks.{name}".removeprefix(".")
        if name != EXIT_HOOK and not hook.get("expression"):
            raise WorkflowInvalid(f"{at}.expression is required: only the exit hook may do without")
        if hook.get("expression"):
            check_expression(f"{at}.expression", str(hook["expression"]))
        check_call(at, hook, scope, entry=not where)


def without_hooks(step: Json) -> Json:
    """A task or step but for its hooks, which know more than it does."""
    return {key: value for key, value in step.items() if key != "hooks"}
