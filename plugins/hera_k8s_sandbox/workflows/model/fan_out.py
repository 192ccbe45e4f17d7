"""Fan-out: how many nodes a call of a template comes to, as far as that can be known before anything is executed."""

from __future__ import annotations

from hera_k8s_sandbox.workflows.limits import DEEPEST
from hera_k8s_sandbox.workflows.model.expansion import ExpansionError, expand
from hera_k8s_sandbox.workflows.model.templates import TemplateError, Templates, calls, scope_inside, template_name
from hera_k8s_utils._types import Json


class FanOut:
    """Counts the nodes below calls of one workflow's templates.

    It counts what is sure: a call that depends on a condition, and a number that is a parameter, count as one node.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._known: dict[tuple[str, str], int] = {}
        self._open: set[tuple[str, str]] = set()  # what is being counted: templates may call themselves

    def of(self, holder: Json, scope: str) -> int:
        """The least number of nodes of one call; scope: where it is made."""
        inside = scope_inside(holder, scope)
        key = (inside, template_name(holder))
        if key in self._open or len(self._open) > DEEPEST:
            return 1
        if key not in self._known:
            self._open.add(key)
            self._known[key] = self._count(holder, scope, inside)
            self._open.discard(key)
        return self._known[key]

    def of_step(self, step: Json, scope: str) -> int:
        """The least number of nodes of a task or step with all its items."""
        if "." in str(step.get("depends") or ""):  # it may be omitted
            return 1
        inner = 1 if step.get("when") else self.of(step, scope)
        return inner * _items(step)

    def _count(self, holder: Json, scope: str, inside: str) -> int:
        try:
            template = self._templates.called(holder, scope)
        except TemplateError:  # its name has tags, or it is missed when it is called
            return 1
        if template.get("memoize") or (template.get("dag") or {}).get("target"):
            return 1
        return 1 + sum(self.of_step(step, inside) for step in calls(template))


def _items(step: Json) -> int:
    """How many items a task or step has, 1 where that is not known yet."""
    if step.get("withParam"):
        return 1
    try:
        return expand(step).count
    except ExpansionError:
        return 1
