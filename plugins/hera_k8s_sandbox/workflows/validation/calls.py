"""Calls: a task or step, the template that it calls, and the arguments that it passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hera_k8s_sandbox.workflows.model.artifacts import has_place
from hera_k8s_sandbox.workflows.validation.artifacts import check_passed_artifacts
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported
from hera_k8s_sandbox.workflows.validation.features import check_config_map_source
from hera_k8s_sandbox.workflows.validation.names import NAME_RULE, check_parameter, is_name
from hera_k8s_sandbox.workflows.validation.scopes import Scope
from hera_k8s_utils._types import Json

_UNSUPPORTED_STEP: Final = ("inline",)


def check_step(at: str, step: Json, seen: Mapping[str, Json]) -> None:
    """Check that a task or step can be called and expanded."""
    name = step.get("name", "")
    if not name:
        raise WorkflowInvalid(f"{at}.name is required")
    if not is_name(name):
        raise WorkflowInvalid(f"{at}.name: '{name}' is invalid: {NAME_RULE}")
    if name in seen:
        raise WorkflowInvalid(f"{at}.name '{name}' is not unique")
    for field in _UNSUPPORTED_STEP:
        if step.get(field):
            raise unsupported(f"{at.rpartition('[')[0]}.{name}.{field}")
    given = [field for field in ("withItems", "withParam", "withSequence") if step.get(field)]
    if len(given) > 1:
        raise WorkflowInvalid(f"{at} {', '.join(given)} are mutually exclusive")


def check_call(at: str, step: Json, scope: Scope, *, entry: bool = False) -> None:
    """Whether a task or step calls a template that is there, with the arguments that it needs.

    entry: the arguments are the workflow's own, which get their values later.
    """
    template = scope.called(at, step)
    arguments = step.get("arguments") or {}
    check_passed_artifacts(at, arguments)
    seen: set[str] = set()
    for index, one in enumerate(arguments.get("parameters") or ()):
        check_parameter(f"{at}.arguments.parameters[{index}]", one.get("name", ""), seen)
        check_config_map_source(f"{at}.arguments.parameters.{one['name']}", one)
    if template is not None:
        check_arguments(at, template, arguments, entry=entry)


def check_arguments(where: str, template: Json, arguments: Json, *, entry: bool = False) -> None:
    """Whether every input of a template gets a value."""
    given = {one.get("name"): one for one in arguments.get("parameters") or ()}
    for one in (template.get("inputs") or {}).get("parameters") or ():
        name = one.get("name")
        passed = given.get(name)
        has_value = passed is not None and (passed.get("value") is not None or passed.get("valueFrom") or entry)
        has_own = any(one.get(field) is not None for field in ("value", "default", "valueFrom"))
        if not has_value and not has_own:
            raise WorkflowInvalid(f"{where} inputs.parameters.{name} was not supplied")
    passed_artifacts = {one.get("name") for one in arguments.get("artifacts") or ()}
    for one in (template.get("inputs") or {}).get("artifacts") or ():
        if one.get("name") not in passed_artifacts and not has_place(one) and not one.get("optional"):
            raise WorkflowInvalid(f"{where} inputs.artifacts.{one.get('name')} was not supplied")
