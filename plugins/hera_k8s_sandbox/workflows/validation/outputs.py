"""Output parameters of a template, by its kind."""

from __future__ import annotations

from typing import Final

from hera_k8s_sandbox.foundation.jsonpath import JsonPathError, check_jq
from hera_k8s_sandbox.workflows.validation.errors import WorkflowInvalid, unsupported
from hera_k8s_sandbox.workflows.validation.names import check_parameter
from hera_k8s_sandbox.workflows.validation.references import check_expression
from hera_k8s_utils._types import Json

_NAMES: Final = {
    "dag": "DAG",
    "steps": "Steps",
    "container": "Container",
    "script": "Script",
    "resource": "Resource",
    "containerSet": "ContainerSet",
}
_WANTED: Final = {"dag": ("parameter", "expression"), "steps": ("parameter", "expression")} | {
    "resource": ("jqFilter", "jsonPath")
}
_SOURCES: Final = ("path", "jqFilter", "jsonPath", "parameter", "expression", "supplied")


def check_output_parameters(where: str, template: Json, kind: str) -> None:
    """Check that each output parameter of a template has a source."""
    seen: set[str] = set()
    for index, one in enumerate((template.get("outputs") or {}).get("parameters") or ()):
        check_parameter(f"{where}.outputs.parameters[{index}]", one.get("name", ""), seen)
        at = f"{where}.outputs.parameters.{one['name']}"
        source = one.get("valueFrom") or {}
        for field in ("event", "configMapKeyRef"):
            if source.get(field):
                raise unsupported(f"{at}.valueFrom.{field}")
        if kind == "suspend":
            if "supplied" not in source:
                raise WorkflowInvalid(f"{at} valueFrom type unspecified. choose one of: supplied")
            continue
        if one.get("value") is not None and source:
            raise WorkflowInvalid(f"{at} has both valueFrom and value specified. Choose one.")
        if one.get("value") is not None:
            continue
        _check_source(at, source, kind)


def _check_source(at: str, source: Json, kind: str) -> None:
    wanted = _WANTED.get(kind, ("path",))
    if not any(source.get(field) for field in wanted):
        raise WorkflowInvalid(f"{at}.{' or '.join(wanted)} must be specified for {_NAMES[kind]} templates")
    if sum(1 for field in _SOURCES if source.get(field)) > 1:
        message = "choose one of: path, jqFilter, jsonPath, parameter, raw, expression"
        raise WorkflowInvalid(f"{at} has multiple valueFrom types specified. {message}")
    if source.get("expression"):
        check_expression(f"{at}.valueFrom.expression", str(source["expression"]))
    if source.get("jqFilter"):
        try:
            check_jq(str(source["jqFilter"]))
        except JsonPathError as error:
            raise unsupported(f"{at}.valueFrom.jqFilter '{source['jqFilter']}' ({error})") from None
