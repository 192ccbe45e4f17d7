"""Scopes: what a template is checked within, and where the templates that it calls are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid

Json = dict[str, Any]


@dataclass(frozen=True)
class Scope:
    """The spec around a template.

    templates: those of the spec, by name; parameters: the names of the workflow's parameters.
    """

    spec: Json
    templates: Mapping[str, Json]
    parameters: frozenset[str]

    def called(self, where: str, step: Json) -> Json:
        """The template that a task or step calls. Raises WorkflowInvalid."""
        return find(self.templates, step.get("template"), where)


def find(templates: Mapping[str, Json], name: Any, where: str) -> Json:
    """The template of this name. Raises WorkflowInvalid."""
    if not name:
        raise WorkflowInvalid(f"{where}.template is required")
    if name not in templates:
        prefix = f"{where} " if where else ""
        raise WorkflowInvalid(f"{prefix}template name '{name}' undefined")
    return templates[name]
