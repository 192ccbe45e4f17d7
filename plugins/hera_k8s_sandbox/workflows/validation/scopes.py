"""Scopes: what a template is checked within, and where the templates that it calls are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hera_k8s_sandbox.foundation.labels import ARGO_PREFIX
from hera_k8s_sandbox.workflows.language.substitution import tags
from hera_k8s_sandbox.workflows.model.templates import (
    Source,
    TemplateError,
    calls,
    hook_calls,
    no_source,
    referred,
    scope_inside,
)
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid
from hera_k8s_utils._types import Json

_ALWAYS: Final = (
    "name",
    "namespace",
    "mainEntrypoint",
    "serviceAccountName",
    "uid",
    "status",
    "annotations",
    "annotations.json",
    "labels",
    "labels.json",
    f"labels.{ARGO_PREFIX}*",  # the server adds some
    f"annotations.{ARGO_PREFIX}*",
)


@dataclass(frozen=True)
class Scope:
    """The spec around a template.

    templates: those of the spec, by name; None within another object, whose templates `source` finds.
    variables: the names of `{{workflow...}}` that are known; one that ends in `*` stands for all that begin so.
    place: as in `templateScope`.
    checked: the templates of other objects that were checked already, or are about to be.
    """

    spec: Json
    templates: Mapping[str, Json] | None
    variables: frozenset[str]
    source: Source = no_source
    place: str = "local/"
    checked: set[str] = field(default_factory=set)

    def called(self, where: str, step: Json) -> Json | None:
        """The template that a task or step calls; None when it is known only at run time. Raises WorkflowInvalid."""
        reference = step.get("templateRef")
        if reference:
            return self._referred(where, step, reference)
        if self.templates is not None:
            return find(self.templates, step.get("template"), where)
        kind, name = self.place.split("/", 1)
        template = str(step.get("template") or "")
        if not template:
            raise WorkflowInvalid(f"{where}.template is required")
        try:
            return referred(self.source, name, template, cluster=kind == "cluster")
        except TemplateError:
            raise WorkflowInvalid(f"{where} template name '{template}' undefined") from None

    def inside(self, step: Json) -> Scope:
        """The scope of the template that is called."""
        place = scope_inside(step, self.place)
        return self if place == self.place else replace(self, templates=None, place=place)

    def _referred(self, where: str, step: Json, reference: Json) -> Json | None:
        name, template = reference.get("name"), reference.get("template")
        if step.get("template"):
            raise WorkflowInvalid(f"{where} template name cannot be specified with templateRef.")
        if not name:
            raise WorkflowInvalid(f"{where} resource name is required")
        if not template:
            raise WorkflowInvalid(f"{where} template name is required")
        if any(True for _ in tags([name, template])):
            return None
        try:
            return referred(self.source, name, template, cluster=bool(reference.get("clusterScope")))
        except TemplateError:
            raise WorkflowInvalid(f"{where} template reference {name}.{template} not found") from None


def variables_of(meta: Json, spec: Json, *, alone: bool = False) -> frozenset[str]:
    """The names of `{{workflow...}}` in an object.

    alone: whether it is a template object, to which the referring workflow may add parameters.
    """
    found = {f"workflow.{name}" for name in _ALWAYS}
    if spec.get("priority") is not None:
        found.add("workflow.priority")
    if spec.get("onExit") or spec.get("hooks"):
        found.add("workflow.failures")
    parameters = (spec.get("arguments") or {}).get("parameters") or ()
    if alone:
        found.add("workflow.parameters*")
    elif parameters:
        found |= {"workflow.parameters", "workflow.parameters.json"}
    found |= {f"workflow.parameters.{one.get('name', '')}" for one in parameters}
    own = spec.get("workflowMetadata") or {}
    for kind in ("labels", "annotations"):
        given = [*(meta.get(kind) or ()), *(own.get(kind) or ()), *(own.get(f"{kind}From") or ())]
        found |= {f"workflow.{kind}.{key}" for key in given}
    return frozenset(found) | _global_outputs(spec)


def _global_outputs(spec: Json) -> set[str]:
    """Outputs of the templates that become those of the workflow; those of other objects are not looked for."""
    found = set()
    for template in spec.get("templates") or ():
        if any(step.get("templateRef") for step in (*calls(template), *hook_calls(template))):
            found.add("workflow.outputs.*")
        for kind in ("parameters", "artifacts"):
            for one in (template.get("outputs") or {}).get(kind) or ():
                name = str(one.get("globalName") or "")
                if name:
                    found.add(f"workflow.outputs.{kind}.{'*' if '{{' in name else name}")
    return found


def find(templates: Mapping[str, Json], name: Any, where: str) -> Json:
    """The template of this name. Raises WorkflowInvalid."""
    if not name:
        raise WorkflowInvalid(f"{where}.template is required")
    if name not in templates:
        prefix = f"{where} " if where else ""
        raise WorkflowInvalid(f"{prefix}template name '{name}' undefined")
    return templates[name]
