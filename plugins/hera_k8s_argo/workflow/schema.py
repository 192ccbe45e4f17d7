"""The shape of a workflow as a dict. Only the fields that this package reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hera_k8s_utils.experiment import CONTAINER, NAMED, Shape, object_error

_ARGUMENTS: Final = {"parameters": NAMED, "artifacts": NAMED}
_REFERENCE: Final = {"name": str, "template": str}
_HOOKS: Final = {"*": {"template": str, "templateRef": _REFERENCE, "arguments": _ARGUMENTS}}

_TEMPLATE: Final[dict[str, Shape]] = {
    "name": str,
    "inputs": _ARGUMENTS,
    "outputs": _ARGUMENTS,
    "container": CONTAINER,
    "script": CONTAINER,
    "initContainers": [CONTAINER],
    "sidecars": [CONTAINER],
    "containerSet": {"containers": [CONTAINER], "volumeMounts": NAMED},
    "resource": dict,
    "executor": dict,
    "volumes": NAMED,
    "dag": {"target": str},
}
_CALL: Final[dict[str, Shape]] = {
    "name": str,
    "template": str,
    "templateRef": _REFERENCE,
    "arguments": _ARGUMENTS,
    "depends": str,
    "dependencies": [str],
    "withItems": list,
    "withSequence": dict,
    "hooks": _HOOKS,
    "onExit": str,
    "inline": _TEMPLATE,
}
_TEMPLATE["dag"]["tasks"] = [_CALL]
_TEMPLATE["steps"] = [[_CALL]]

_SPEC: Final = {
    "entrypoint": str,
    "onExit": str,
    "hooks": _HOOKS,
    "arguments": _ARGUMENTS,
    "templates": [_TEMPLATE],
    "templateDefaults": dict,
    "volumes": NAMED,
    "volumeClaimTemplates": [{"metadata": {"name": str}}],
    "imagePullSecrets": NAMED,
    "workflowTemplateRef": _REFERENCE,
    "executor": dict,
}


def workflow_error(body: Mapping[str, Any]) -> str:
    """The first field of a workflow that does not have its shape, with its place; empty when all of them fit."""
    return object_error(body, {"workflowSpec": _SPEC} if body.get("kind") == "CronWorkflow" else _SPEC)
