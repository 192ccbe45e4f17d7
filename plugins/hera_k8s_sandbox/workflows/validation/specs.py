"""Specs: a whole workflow or template object, before any task starts."""

from __future__ import annotations

from typing import Final

from hera_k8s_sandbox.workflows.model.templates import Source, merged_spec, no_source
from hera_k8s_sandbox.workflows.validation.artifacts import check_artifact_gc, check_passed_artifacts
from hera_k8s_sandbox.workflows.validation.calls import check_arguments
from hera_k8s_sandbox.workflows.validation.errors import (
    TemplateNotFound,
    WorkflowInvalid,
    fields_of_wrong_type,
    unsupported,
)
from hera_k8s_sandbox.workflows.validation.features import (
    check_claims,
    check_config_map_source,
    check_synchronization,
)
from hera_k8s_sandbox.workflows.validation.hooks import check_hooks
from hera_k8s_sandbox.workflows.validation.names import NAME_RULE, check_enum, check_parameter, is_name
from hera_k8s_sandbox.workflows.validation.scopes import Scope, find, variables_of
from hera_k8s_sandbox.workflows.validation.templates import check_template
from hera_k8s_utils._types import Json

_POD_GC: Final = ("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")
_LONGEST_NAME: Final = 63  # it becomes a label's value

# Unsupported fields that would change how a workflow runs; rejected by name. Other fields are harmless here.
_UNSUPPORTED_SPEC: Final = (
    "templateDefaults",
    "executor",
)


def validate(workflow: Json, *, lint: bool = False, source: Source = no_source) -> None:
    """Check a workflow as Argo does when it takes one.

    lint: parameters of the workflow need no value. source: finds the templates that it refers to.
    Raises WorkflowInvalid and Unsupported.
    """
    with fields_of_wrong_type():
        _validate(workflow, lint=lint, source=source)


def _validate(workflow: Json, *, lint: bool, source: Source) -> None:
    name = (workflow.get("metadata") or {}).get("name") or ""
    if len(name) > _LONGEST_NAME:
        message = f'workflow name "{name}" must not be more than {_LONGEST_NAME} characters long'
        raise WorkflowInvalid(f"{message} (currently {len(name)})")
    spec = workflow.get("spec")
    if not isinstance(spec, dict):
        raise WorkflowInvalid("spec is required")
    if spec.get("workflowTemplateRef"):
        spec = _of_template(spec, source)
    _require_supported_spec(spec)
    templates = _templates(spec)
    _check_own_arguments(spec, lint=lint)
    if not spec.get("entrypoint"):
        raise WorkflowInvalid("spec.entrypoint is required")
    _check_pod_gc(spec)
    entrypoint = find(templates, spec["entrypoint"], "")
    check_arguments(f"templates.{entrypoint['name']}", entrypoint, spec.get("arguments") or {}, entry=True)
    scope = Scope(spec, templates, variables_of(workflow.get("metadata") or {}, spec), source)
    check_hooks("", spec, scope)
    _check_templates(scope)


def _of_template(spec: Json, source: Source) -> Json:
    """The spec of a workflow that refers to a template for it."""
    reference = spec["workflowTemplateRef"]
    name, cluster = str(reference.get("name") or ""), bool(reference.get("clusterScope"))
    if spec.get("templates"):
        raise WorkflowInvalid("Templates is invalid field in spec if workflow referred WorkflowTemplate reference")
    found = source(name, cluster)
    if found is None:
        raise TemplateNotFound(name, cluster=cluster)
    return merged_spec(spec, found.get("spec") or {})


def validate_template(obj: Json, *, source: Source = no_source) -> None:
    """Check a WorkflowTemplate or ClusterWorkflowTemplate. Raises WorkflowInvalid and Unsupported."""
    with fields_of_wrong_type():
        _validate_template(obj, source)


def _validate_template(obj: Json, source: Source) -> None:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        raise WorkflowInvalid("spec is required")
    _require_supported_spec(spec)
    templates = _templates(spec)
    _check_own_arguments(spec, lint=True)
    if spec.get("entrypoint"):
        find(templates, spec["entrypoint"], "")
    _check_pod_gc(spec)
    scope = Scope(spec, templates, variables_of(obj.get("metadata") or {}, spec, alone=True), source)
    check_hooks("", spec, scope)
    _check_templates(scope)


def _check_templates(scope: Scope) -> None:
    for template in (scope.templates or {}).values():
        check_template(template, scope)


def _check_pod_gc(spec: Json) -> None:
    if ((spec.get("podGC") or {}).get("strategy") or "OnPodCompletion") not in _POD_GC:
        raise WorkflowInvalid(f"podGC.strategy unknown strategy '{spec['podGC']['strategy']}'")


def _require_supported_spec(spec: Json) -> None:
    for field in _UNSUPPORTED_SPEC:
        if spec.get(field):
            raise unsupported(f"spec.{field}")
    check_passed_artifacts("spec", spec.get("arguments") or {})
    check_synchronization("spec", spec.get("synchronization") or {})
    check_claims(spec)
    check_artifact_gc("spec", spec.get("artifactGC") or {})
    repository = spec.get("artifactRepositoryRef") or {}
    if repository.get("configMap") or repository.get("key"):
        raise unsupported("spec.artifactRepositoryRef: artifacts are kept in the sandbox's own repository")


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
        check_config_map_source(f"spec.arguments.parameters.{name}", one)
        if one.get("value") is None and not one.get("valueFrom") and not lint:
            raise WorkflowInvalid(f"spec.arguments.{name}.value or spec.arguments.{name}.valueFrom is required")
        check_enum(f"spec.arguments.{name}", one)
