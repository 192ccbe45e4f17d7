"""Templates: one of a spec, its kind, inputs, container and outputs."""

from __future__ import annotations

from typing import Final

from hera_k8s_sandbox.workflows.model.templates import calls
from hera_k8s_sandbox.workflows.validation.artifacts import check_input_artifacts, check_output_artifacts
from hera_k8s_sandbox.workflows.validation.containers import check_containers, check_daemon
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported
from hera_k8s_sandbox.workflows.validation.features import (
    check_config_map_source,
    check_memoize,
    check_synchronization,
    check_timeout,
)
from hera_k8s_sandbox.workflows.validation.graphs import check_dag, check_steps
from hera_k8s_sandbox.workflows.validation.names import check_parameter
from hera_k8s_sandbox.workflows.validation.outputs import check_output_parameters
from hera_k8s_sandbox.workflows.validation.references import Names, check_references, names_inside
from hera_k8s_sandbox.workflows.validation.resources import check_resource
from hera_k8s_sandbox.workflows.validation.retry_strategies import check_retries
from hera_k8s_sandbox.workflows.validation.scopes import Scope
from hera_k8s_utils._types import Json

_KINDS: Final = ("container", "script", "containerSet", "dag", "steps", "suspend", "resource")

# Unsupported fields that would change how a template runs; rejected by name. Other fields are harmless here.
_UNSUPPORTED_TEMPLATE: Final = (
    "http",
    "plugin",
    "data",
)


def check_template(template: Json, scope: Scope) -> None:
    """Check one template of a spec. Raises WorkflowInvalid and Unsupported."""
    where = f"templates.{template['name']}"
    for field in _UNSUPPORTED_TEMPLATE:
        if template.get(field):
            raise unsupported(f"{where}.{field}")
    kinds = [kind for kind in _KINDS if template.get(kind) is not None]
    if len(kinds) != 1:
        message = "multiple template types specified" if kinds else "template type unspecified"
        raise WorkflowInvalid(f"{where} {message}. choose one of: {', '.join(_KINDS)}")
    leaf = kinds[0] in ("container", "script", "containerSet")
    _inputs(where, template)
    check_input_artifacts(where, template, leaf=leaf)
    check_synchronization(where, template.get("synchronization") or {})
    if template.get("memoize"):
        check_memoize(where, template["memoize"])
    check_timeout(where, template)
    check_daemon(where, template, scope.spec)
    check_retries(where, template.get("retryStrategy", scope.spec.get("retryStrategy")))
    names = names_inside(template)
    if kinds[0] in ("dag", "steps"):
        (check_dag if kinds[0] == "dag" else check_steps)(where, template, scope, names)
    else:
        if leaf:
            check_containers(where, template, kinds[0], scope.spec)
        elif kinds[0] == "resource":
            check_resource(where, template["resource"])
        check_references(where, template, scope, Names(names))
    check_output_parameters(where, template, kinds[0])
    check_output_artifacts(where, template, leaf=leaf)
    _other_objects(where, template, scope)


def _other_objects(where: str, template: Json, scope: Scope) -> None:
    """Check the templates of other objects that are called, each once."""
    for step in calls(template):
        inner, called = scope.inside(step), scope.called(where, step)
        if called is None or inner.templates is not None:
            continue
        key = f"{inner.place}/{called['name']}"
        if key in scope.checked:
            continue
        scope.checked.add(key)
        try:
            check_template(called, inner)
        except WorkflowInvalid as error:
            kind = "tasks" if "dag" in template else "steps"
            raise WorkflowInvalid(f"{where}.{kind}.{step['name']} {error}") from None


def _inputs(where: str, template: Json) -> None:
    seen: set[str] = set()
    inputs = template.get("inputs") or {}
    for index, one in enumerate(inputs.get("parameters") or ()):
        check_parameter(f"{where}.inputs.parameters[{index}]", one.get("name", ""), seen)
        check_config_map_source(f"{where}.inputs.parameters.{one['name']}", one)
