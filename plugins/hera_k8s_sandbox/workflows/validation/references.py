"""References: whether every tag can be given a value, as Argo's validation sees it.

Tags that do not begin as one of Argo's variables does are left alone: they may belong to another language.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hera_k8s_sandbox.workflows.expressions import ExpressionError, UnknownFunction, check
from hera_k8s_sandbox.workflows.language.substitution import tags
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported
from hera_k8s_sandbox.workflows.validation.scopes import Scope
from hera_k8s_utils._types import Json

_CHECKED: Final = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
_AT_RUN_TIME: Final = (
    "outputs.",
    "workflow.creationTimestamp",
    "workflow.scheduledTime",
    "workflow.duration",
    "tasks.name",
    "steps.name",
)
_WITH_RESULT: Final = ("container", "script", "containerSet", "data", "http", "plugin")


@dataclass(frozen=True)
class Names:
    """What tags may name in one place.

    exact: names; one that ends in `*` stands for all that begin so.
    kind: `tasks` or `steps`, empty in a template that has none.
    outputs: what they may name of a task or step that has ended by then, by its name; None for anything.
    """

    exact: Collection[str]
    kind: str = ""
    outputs: Mapping[str, Collection[str] | None] = field(default_factory=dict)

    def holds(self, tag: str) -> bool:
        """Whether a tag is one of them."""
        head, _, rest = tag.partition(".")
        if head == self.kind:
            name, _, wanted = rest.partition(".")
            known = self.outputs.get(name, ())
            return known is None or wanted in known
        return tag in self.exact or any(tag.startswith(one[:-1]) for one in self.exact if one.endswith("*"))


def names_inside(template: Json) -> set[str]:
    """What tags may name in a template because of its own fields."""
    inputs = template.get("inputs") or {}
    parameters = {f"inputs.parameters.{one['name']}" for one in inputs.get("parameters") or ()}
    found = parameters | ({"inputs.parameters"} if parameters else set())
    for one in inputs.get("artifacts") or ():
        found |= {f"inputs.artifacts.{one['name']}", f"inputs.artifacts.{one['name']}.path"}
    return found if {"dag", "steps", "suspend"} & template.keys() else found | {"pod.name"}


def names_of_items(step: Json) -> set[str]:
    """What tags may name of the items of a task or step."""
    if step.get("withParam"):
        return {"item.*"}
    return {f"item.{key}" for item in step.get("withItems") or () if isinstance(item, dict) for key in item} | {
        f"item.[{place}]"
        for item in step.get("withItems") or ()
        if isinstance(item, list)
        for place in range(len(item))
    }


def names_of_outputs(template: Json | None, step: Json) -> set[str] | None:
    """What tags may name of a task or step that has ended; None when its template is known only at run time."""
    if template is None:
        return None
    found = {"id", "startedAt", "finishedAt", "hostNodeName", "status"} | ({"ip"} if template.get("daemon") else set())
    if any(template.get(kind) is not None for kind in _WITH_RESULT):
        found |= {"outputs.result", "exitCode"}
    if step.get("withItems") or step.get("withParam"):
        found |= {"outputs.parameters"}
    for kind in ("parameters", "artifacts"):
        found |= {f"outputs.{kind}.{one.get('name')}" for one in (template.get("outputs") or {}).get(kind) or ()}
    return found


def check_references(where: str, value: Any, scope: Scope, names: Names) -> None:
    """Whether every tag below `value` is known there. Raises WorkflowInvalid and Unsupported."""
    script = value.get("script") if isinstance(value, dict) else None
    for tag in tags(script.get("source") if script else None):
        if not tag.startswith("="):  # Argo leaves an expression that fails unchanged
            _check(where, tag, scope, names)
    if script:
        value = value | {"script": {key: each for key, each in script.items() if key != "source"}}
    for tag in tags(value):
        if tag.startswith("="):
            check_expression(where, tag[1:])
        else:
            _check(where, tag, scope, names)


def _check(where: str, tag: str, scope: Scope, names: Names) -> None:
    if not tag.startswith(_CHECKED) or tag.startswith(_AT_RUN_TIME):
        return
    if not names.holds(tag) and not Names(scope.variables).holds(tag):
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
