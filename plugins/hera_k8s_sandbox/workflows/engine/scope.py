"""Scope: which values the tags of a template stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from hera_k8s_sandbox.foundation.json_values import go_json, text_of
from hera_k8s_sandbox.foundation.labels import SCHEDULED_TIME
from hera_k8s_sandbox.workflows.expressions import ExpressionError, evaluate
from hera_k8s_sandbox.workflows.language.substitution import substitute, substitute_text
from hera_k8s_sandbox.workflows.model import artifacts
from hera_k8s_sandbox.workflows.model.cluster import NotThere
from hera_k8s_sandbox.workflows.model.pod_spec import account_of
from hera_k8s_utils._types import Json

Lookup = Callable[[Json], str]

_INDEX: Final = re.compile(r"\((\d+)[:)]")


class ScopeError(ValueError):
    """A value that is needed is not there."""


def global_values(workflow: Json, lookup: Lookup) -> dict[str, str]:
    """What `{{workflow...}}` stands for, except the workflow's outputs.

    lookup: finds the value of a config map's key. Raises ScopeError when it is not there.
    """
    meta, spec = workflow["metadata"], workflow["spec"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    created = datetime.strptime(meta["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    parameters = (spec.get("arguments") or {}).get("parameters") or []
    values = {
        "workflow.name": meta["name"],
        "workflow.namespace": meta["namespace"],
        "workflow.uid": meta["uid"],
        "workflow.serviceAccountName": account_of(spec, {}),
        "workflow.mainEntrypoint": spec.get("entrypoint", ""),
        "workflow.status": "Running",
        "workflow.creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "workflow.creationTimestamp.RFC3339": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "workflow.labels.json": go_json(labels),
        "workflow.annotations.json": go_json(annotations),
        "workflow.priority": str(spec.get("priority", "")),
    }
    values |= {f"workflow.creationTimestamp.{letter}": created.strftime(f"%{letter}") for letter in "YmdHMS"}
    if SCHEDULED_TIME in annotations:
        values["workflow.scheduledTime"] = annotations[SCHEDULED_TIME]
    values |= {f"workflow.labels.{key}": value for key, value in labels.items()}
    values |= {f"workflow.annotations.{key}": value for key, value in annotations.items()}
    given = {one["name"]: substitute_text(_argument(one, lookup), values) for one in parameters}
    values |= {f"workflow.parameters.{name}": value for name, value in given.items()}
    listed = [{"name": name, "value": value} for name, value in given.items()]
    values["workflow.parameters"] = values["workflow.parameters.json"] = json.dumps(listed, separators=(",", ":"))
    return values


def bind_inputs(template: Json, arguments: Json, values: Mapping[str, str], lookup: Lookup) -> Json:
    """The template with its inputs bound to arguments or defaults, and all known tags replaced.

    values: what the tags stand for, apart from the inputs. lookup: as in `global_values`. Raises ScopeError for an
    input without a value.
    """
    given = {one["name"]: one for one in arguments.get("parameters") or ()}
    wanted = (template.get("inputs") or {}).get("parameters") or ()
    bound = [_bound(one, given.get(one["name"]), lookup) for one in wanted]
    inputs = {one["name"]: substitute_text(one["value"], values) for one in bound}
    known = dict(values)
    known |= {f"inputs.parameters.{name}": value for name, value in inputs.items()}
    listed = [{"name": name, "value": value} for name, value in inputs.items()]
    known["inputs.parameters"] = json.dumps(listed, separators=(",", ":"))
    known |= _output_paths(template)
    if bound:
        shown = [one | {"value": inputs[one["name"]]} for one in bound]
        template = template | {"inputs": template["inputs"] | {"parameters": shown}}
    try:
        placed = artifacts.bound(template, arguments)
    except artifacts.ArtifactError as error:
        raise ScopeError(str(error)) from None
    known |= {f"inputs.artifacts.{one['name']}.path": one["path"] for one in placed if one.get("path")}
    if "dag" in template or "steps" in template:
        known |= artifacts.values_of("inputs", placed)
    result: Json = substitute(template, known)
    if (template.get("inputs") or {}).get("artifacts"):
        result["inputs"] = result["inputs"] | {"artifacts": substitute(placed, known)}
    return result


def _argument(one: Json, lookup: Lookup) -> str:
    """The value of one of the workflow's own arguments."""
    source = one.get("valueFrom") or {}
    reference = source.get("configMapKeyRef")
    if not reference:
        return text_of(one.get("value", ""))
    try:
        return lookup(reference)
    except ValueError as error:
        if isinstance(error, NotThere) and source.get("default") is not None:
            return text_of(source["default"])
        where = f"from configmap with name {reference.get('name')} and key {reference.get('key')}"
        raise ScopeError(f"failed to set global parameter {one['name']} {where}: {error}") from None


def _bound(wanted: Json, given: Json | None, lookup: Lookup) -> Json:
    value = None if given is None else given.get("value")
    source = (given if given is not None and value is None else wanted).get("valueFrom") or {}
    if source.get("configMapKeyRef"):
        value = _of_config_map(wanted["name"], source, lookup)
    if value is None:
        value = wanted.get("value", wanted.get("default"))
    if value is None:
        raise ScopeError(f"inputs.parameters.{wanted['name']} was not supplied")
    return {key: each for key, each in wanted.items() if key != "valueFrom"} | {"value": text_of(value)}


def _of_config_map(name: str, source: Json, lookup: Lookup) -> str:
    try:
        return lookup(source["configMapKeyRef"])
    except ValueError as error:
        if isinstance(error, NotThere) and source.get("default") is not None:
            return text_of(source["default"])
        raise ScopeError(f"unable to retrieve inputs.parameters.{name} from ConfigMap: {error}") from None


def _output_paths(template: Json) -> dict[str, str]:
    outputs = template.get("outputs") or {}
    found = {
        f"outputs.parameters.{one['name']}.path": one["valueFrom"]["path"]
        for one in outputs.get("parameters") or ()
        if (one.get("valueFrom") or {}).get("path")
    }
    made = outputs.get("artifacts") or ()
    return found | {f"outputs.artifacts.{one['name']}.path": one["path"] for one in made if one.get("path")}


def values_of_node(prefix: str, node: Json) -> dict[str, str]:
    """What `{{tasks.NAME...}}` or `{{steps.NAME...}}` stands for once the node has ended."""
    values = {f"{prefix}.id": node["id"], f"{prefix}.status": node["phase"]}
    if node.get("podIP"):
        values[f"{prefix}.ip"] = node["podIP"]
    for key in ("startedAt", "finishedAt", "hostNodeName"):
        if node.get(key):
            values[f"{prefix}.{key}"] = node[key]
    outputs = node.get("outputs") or {}
    for key in ("result", "exitCode"):
        if key in outputs:
            values[f"{prefix}.outputs.{key}"] = outputs[key]
    for one in outputs.get("parameters") or ():
        if one.get("value") is not None:
            values[f"{prefix}.outputs.parameters.{one['name']}"] = text_of(one["value"])
    return values | artifacts.values_of(f"{prefix}.outputs", outputs.get("artifacts"))


def values_of_group(prefix: str, group: Json | None, members: Iterable[Json]) -> dict[str, str]:
    """What they stand for when the task was fanned out: JSON lists, in the order of the items."""
    results: list[Any] = []
    parameters: list[dict[str, str]] = []
    for member in sorted(members, key=_index):
        outputs = member.get("outputs") or {}
        if member["phase"] != "Succeeded":
            continue
        if "result" in outputs:
            results.append(_json_or_text(outputs["result"]))
        if outputs.get("parameters"):
            parameters.append({one["name"]: text_of(one.get("value", "")) for one in outputs["parameters"]})
    values = {} if group is None else {f"{prefix}.id": group["id"], f"{prefix}.status": group["phase"]}
    values[f"{prefix}.outputs.result"] = go_json(results)
    values[f"{prefix}.outputs.parameters"] = go_json(parameters)
    for name in dict.fromkeys(name for one in parameters for name in one):
        values[f"{prefix}.outputs.parameters.{name}"] = go_json([one[name] for one in parameters if name in one])
    return values


def values_of_inputs(node: Json) -> dict[str, str]:
    """What `{{inputs...}}` stands for within the template of a DAG or Steps node."""
    inputs = node.get("inputs") or {}
    parameters = inputs.get("parameters") or ()
    values = {f"inputs.parameters.{one['name']}": text_of(one.get("value", "")) for one in parameters}
    return values | artifacts.values_of("inputs", inputs.get("artifacts"))


def template_outputs(template: Json, values: Mapping[str, str]) -> Json | None:
    """The outputs that a DAG or Steps template takes from what ran inside it. Raises ScopeError."""
    outputs = template.get("outputs") or {}
    found: Json = {}
    if outputs.get("parameters"):
        found["parameters"] = [_taken(one, values) for one in outputs["parameters"]]
    made = [artifacts.taken(one, values) for one in outputs.get("artifacts") or ()]
    if any(made):
        found["artifacts"] = [one for one in made if one is not None]
    return found or None


def _taken(declared: Json, values: Mapping[str, str]) -> Json:
    source = declared.get("valueFrom") or {}
    if source.get("expression"):
        return declared | {"value": _of_expression(declared["name"], source, values)}
    tag = str(source.get("parameter", "")).removeprefix("{{").removesuffix("}}").strip()
    value = values.get(tag, source.get("default"))
    if value is None:
        raise ScopeError(f'unable to resolve outputs.parameters.{declared["name"]}: "{{{{{tag}}}}}" has no value')
    return declared | {"value": text_of(value)}


def _of_expression(name: str, source: Json, values: Mapping[str, str]) -> str:
    try:
        found = evaluate(str(source["expression"]), values)
    except ExpressionError as error:
        if source.get("default") is not None:
            return text_of(source["default"])
        raise ScopeError(f"unable to resolve outputs.parameters.{name}: {error}") from None
    if found is None:
        if source.get("default") is not None:
            return text_of(source["default"])
        raise ScopeError(f"unable to resolve outputs.parameters.{name}: {source['expression']} has no value")
    return text_of(found)


def _index(node: Json) -> int:
    found = _INDEX.search(node["displayName"])
    return int(found[1]) if found else 0


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
