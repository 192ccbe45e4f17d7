"""The shape of a workflow or of Jobs as a dict: lists where lists belong, so that reading needs no second thoughts.

Only the fields that this package reads; Hera's models have checked the rest, or a server will.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Shape = Any
"""A type; `[shape]` for a list; a dict of shapes by field, in which `"*"` stands for every field."""

_NAMED: Final = [{"name": str}]
_ARGUMENTS: Final = {"parameters": _NAMED, "artifacts": _NAMED}
_REFERENCE: Final = {"name": str, "template": str}
_HOOKS: Final = {"*": {"template": str, "templateRef": _REFERENCE, "arguments": _ARGUMENTS}}
_RESOURCES: Final = {"requests": dict, "limits": dict}
_CONTAINER: Final = {
    "name": str,
    "image": str,
    "command": [str],
    "source": str,
    "volumeMounts": _NAMED,
    "resources": _RESOURCES,
    "env": _NAMED,
    "envFrom": [dict],
}

_TEMPLATE: Final[dict[str, Shape]] = {
    "name": str,
    "inputs": _ARGUMENTS,
    "outputs": _ARGUMENTS,
    "container": _CONTAINER,
    "script": _CONTAINER,
    "initContainers": [_CONTAINER],
    "sidecars": [_CONTAINER],
    "containerSet": {"containers": [_CONTAINER], "volumeMounts": _NAMED},
    "resource": dict,
    "executor": dict,
    "volumes": _NAMED,
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
    "volumes": _NAMED,
    "volumeClaimTemplates": [{"metadata": {"name": str}}],
    "imagePullSecrets": _NAMED,
    "workflowTemplateRef": _REFERENCE,
    "executor": dict,
}

_METADATA: Final = {
    "name": str,
    "generateName": str,
    "namespace": str,
    "labels": {"*": str},
    "annotations": {"*": str},
}
_POD: Final = {
    "restartPolicy": str,
    "serviceAccountName": str,
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "volumes": _NAMED,
    "imagePullSecrets": _NAMED,
}
_JOB: Final = {
    **dict.fromkeys(("completions", "parallelism", "backoffLimit", "backoffLimitPerIndex", "maxFailedIndexes"), int),
    **dict.fromkeys(("activeDeadlineSeconds", "ttlSecondsAfterFinished"), int),
    "completionMode": str,
    "template": {"metadata": _METADATA, "spec": _POD},
}
_OBJECT: Final = {"kind": str, "metadata": _METADATA}
_WORKFLOWS: Final[Mapping[str, Shape]] = {
    "Workflow": _SPEC,
    "WorkflowTemplate": _SPEC,
    "ClusterWorkflowTemplate": _SPEC,
    "CronWorkflow": {"workflowSpec": _SPEC},
    "Job": _JOB,
}

_WORD: Final[Mapping[type, str]] = {
    str: "text",
    list: "a list",
    dict: "a mapping",
    int: "a number",
    float: "a number",
    bool: "a boolean",
}


def first_schema_error(body: Mapping[str, Any]) -> str:
    """What does not have the shape of its field, with its place; empty when all is well."""
    if body.get("kind") == "List":
        return _differs(body, {"metadata": _METADATA, "items": [dict]}, "") or _first_item(body)
    return _misshapen_object(body, "")


def _first_item(body: Mapping[str, Any]) -> str:
    items = enumerate(body.get("items") or ())
    return next(filter(None, (_misshapen_object(item, f"items[{n}]") for n, item in items)), "")


def _misshapen_object(body: Mapping[str, Any], place: str) -> str:
    spec = _WORKFLOWS.get(str(body.get("kind")), {})
    return _differs(body, {**_OBJECT, "spec": spec}, place)


def _differs(value: Any, shape: Shape, place: str) -> str:
    if value is None:
        return ""
    wanted: type = shape if isinstance(shape, type) else type(shape)
    fits = isinstance(value, wanted)
    if not fits:
        return f"{place} is {_WORD[type(value)]}, not {_WORD[wanted]}"
    if isinstance(shape, list):
        parts = ((f"{place}[{index}]", item, shape[0]) for index, item in enumerate(value))
        return next(filter(None, (_missing(item, at) or _differs(item, of, at) for at, item, of in parts)), "")
    if isinstance(shape, dict):
        every = shape.get("*")
        fields = ((key, child, every or shape.get(key)) for key, child in value.items())
        found = (_differs(child, of, f"{place}.{key}".lstrip(".")) for key, child, of in fields if of is not None)
        return next(filter(None, found), "")
    return ""


def _missing(item: Any, place: str) -> str:
    return f"{place} is null" if item is None else ""
