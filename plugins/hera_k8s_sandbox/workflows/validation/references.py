"""References: whether every tag can be given a value."""

from __future__ import annotations

from typing import Final

from hera_k8s_sandbox.workflows.expressions import ExpressionError, UnknownFunction, check
from hera_k8s_sandbox.workflows.language.substitution import tags
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported
from hera_k8s_sandbox.workflows.validation.scopes import Scope
from hera_k8s_utils._types import Json

_STEP_TAGS: Final = ("tasks.", "steps.")
_ANYWHERE: Final = ("workflow.", "node.", "pod.", "retries", "lastRetry.", "item", "outputs.", "inputs.artifacts")


def check_references(
    where: str,
    value: Json,
    scope: Scope,
    inputs: set[str],
    before: set[str],
    siblings: set[str] | None = None,
    kind: str = "",
) -> None:
    """Whether every tag below `value` is known there.

    inputs: the names of the template's input parameters; before: those of the tasks or steps that have ended by then;
    siblings: those of all tasks or steps, None in a template that has none; kind: `tasks` or `steps`.
    """
    if siblings is None and "script" in value:
        value = value | {"script": {key: each for key, each in value["script"].items() if key != "source"}}
    for tag in tags(value):
        if tag.startswith("="):
            check_expression(where, tag[1:])
            continue
        if tag.startswith("workflow.parameters.") and tag != "workflow.parameters.json":
            good = scope.parameters is None or tag.removeprefix("workflow.parameters.") in scope.parameters
        elif tag.startswith("inputs.parameters."):
            good = tag.removeprefix("inputs.parameters.") in inputs
        elif tag.startswith(_STEP_TAGS) and siblings is not None:
            head, name = [*tag.split(".", 2), ""][:2]
            good = name == "name" or (head == kind and name in before)
        else:
            good = tag.startswith((*_ANYWHERE, *_STEP_TAGS, "inputs.parameters")) or siblings is None
        if not good:
            raise WorkflowInvalid(f"{where}: failed to resolve {{{{{tag}}}}}")


def check_expression(where: str, text: str) -> None:
    """Whether an expression can be read and calls only functions that are there.

    Argo leaves it unread until it is evaluated; the sandbox reports such an error before the first task.
    """
    try:
        check(text)
    except UnknownFunction as error:
        raise unsupported(f"the function {error.name} in expressions ({where}: {text})") from None
    except ExpressionError as error:
        raise WorkflowInvalid(f"{where}: failed to evaluate expression: {error}") from None
