"""Specs: a whole workflow or template object, before any task starts."""

from __future__ import annotations

from typing import Any, Final

from hera_k8s_sandbox.workflows.substitution import tags
from hera_k8s_sandbox.workflows.validation.calls import check_arguments
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, fields_of_wrong_type, unsupported
from hera_k8s_sandbox.workflows.validation.names import NAME_RULE, check_enum, check_parameter, is_name
from hera_k8s_sandbox.workflows.validation.scopes import Scope, find
from hera_k8s_sandbox.workflows.validation.templates import check_template

Json = dict[str, Any]

_POD_GC: Final = ("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")

# What would change how a workflow runs, and is not done: refused by name. Further fields are harmless here.
_UNSUPPORTED_SPEC: Final = (
    "workflowTemplateRef",
    "onExit",
    "hooks",
    "synchronization",
    "volumeClaimTemplates",
    "podSpecPatch",
    "templateDefaults",
    "suspend",
    "artifactGC",
    "executor",
)


def validate(workflow: Json, *, lint: bool = False) -> None:
    """Check a workflow as Argo does when it takes one.

    lint: parameters of the workflow need no value. Raises WorkflowInvalid and Unsupported.
    """
    with fields_of_wrong_type():
        _validate(workflow, lint=lint)


def _validate(workflow: Json, *, lint: bool) -> None:
    spec = workflow.get("spec")
    if not isinstance(spec, dict):
        raise WorkflowInvalid("spec is required")
    _require_supported_spec(spec)
    templates = _templates(spec)
    _check_own_arguments(spec, lint=lint)
    if not spec.get("entrypoint"):
        raise WorkflowInvalid("spec.entrypoint is required")
    if (spec.get("podGC") or {}).get("strategy", "OnPodCompletion") not in _POD_GC:
        raise WorkflowInvalid(f"podGC.strategy unknown strategy '{spec['podGC']['strategy']}'")
    entrypoint = find(templates, spec["entrypoint"], "")
    check_arguments(f"templates.{entrypoint['name']}", entrypoint, spec.get("arguments") or {}, entry=True)
    _check_templates(spec, templates)


def validate_template(obj: Json) -> None:
    """Check a WorkflowTemplate or ClusterWorkflowTemplate. Raises WorkflowInvalid and Unsupported."""
    with fields_of_wrong_type():
        _validate_template(obj)


def _validate_template(obj: Json) -> None:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        raise WorkflowInvalid("spec is required")
    _require_supported_spec(spec)
    templates = _templates(spec)
    _check_templates(spec, templates)


def _check_templates(spec: Json, templates: dict[str, Json]) -> None:
    parameters = frozenset(one.get("name", "") for one in (spec.get("arguments") or {}).get("parameters") or ())
    for template in templates.values():
        check_template(template, Scope(spec, templates, parameters))


def _require_supported_spec(spec: Json) -> None:
    for field in _UNSUPPORTED_SPEC:
        if spec.get(field):
            raise unsupported(f"spec.{field}")
    if (spec.get("arguments") or {}).get("artifacts"):
        raise unsupported("spec.arguments.artifacts")
    for tag in tags(spec.get("templates") or []):
        if tag.startswith("="):
            raise unsupported(f"expressions in tags ({{{{{tag}}}}})")


def _templates(spec: Json) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for index, template in enumerate(spec.get("templates") or ()):
        name = template.get("name", "")
        if not name:
            raise WorkflowInvalid(f"spec.templates[{index}].name is required")
        if not is_name(name) or len(name) > 128:
            raise WorkflowInvalid(f"spec.templates[{index}].name: '{name}' is invalid: {NAME_RULE}")
        if name in found:
            raise WorkflowInvalid(f"spec.templates[{index}].name '{name}' is not unique")
        found[name] = template
    return found


def _check_own_arguments(spec: Json, *, lint: bool) -> None:
    seen: set[str] = set()
    for index, one in enumerate((spec.get("arguments") or {}).get("parameters") or ()):
        name = one.get("name", "")
        check_parameter(f"spec.arguments.parameters[{index}]", name, seen)
        if one.get("valueFrom"):
            raise unsupported(f"spec.arguments.parameters.{name}.valueFrom")
        if one.get("value") is None and not lint:
            raise WorkflowInvalid(f"spec.arguments.{name}.value or spec.arguments.{name}.valueFrom is required")
        check_enum(f"spec.arguments.{name}", one)
