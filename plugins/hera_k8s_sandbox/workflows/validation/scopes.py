"""Scopes: what a template is checked within, and where the templates that it calls are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hera_k8s_sandbox.workflows.language.substitution import tags
from hera_k8s_sandbox.workflows.model.templates import Source, TemplateError, no_source, referred, scope_inside
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid
from hera_k8s_utils._types import Json


@dataclass(frozen=True)
class Scope:
    """The spec around a template.

    templates: those of the spec, by name; None within another object, whose templates `source` finds.
    parameters: the names of the workflow's parameters; None when the referring workflow may have any.
    place: as in `templateScope`.
    checked: the templates of other objects that were checked already, or are about to be.
    """

    spec: Json
    templates: Mapping[str, Json] | None
    parameters: frozenset[str] | None
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


def find(templates: Mapping[str, Json], name: Any, where: str) -> Json:
    """The template of this name. Raises WorkflowInvalid."""
    if not name:
        raise WorkflowInvalid(f"{where}.template is required")
    if name not in templates:
        prefix = f"{where} " if where else ""
        raise WorkflowInvalid(f"{prefix}template name '{name}' undefined")
    return templates[name]
