"""Scope: which values the tags of a template stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from hera_k8s_sandbox.foundation.json_values import compact, go_json, text_of
from hera_k8s_sandbox.workflows.engine.run_context import RunContext
from hera_k8s_sandbox.workflows.expressions import ExpressionError, evaluate
from hera_k8s_sandbox.workflows.language.substitution import substitute, substitute_text, tags
from hera_k8s_sandbox.workflows.language.when import ConditionError, holds
from hera_k8s_sandbox.workflows.model import artifacts
from hera_k8s_sandbox.workflows.model.cluster import NotThere
from hera_k8s_sandbox.workflows.model.expansion import expands
from hera_k8s_sandbox.workflows.model.templates import TemplateError
from hera_k8s_utils._types import Json

Lookup = Callable[[Json], str]

_INDEX: Final = re.compile(r"\((\d+)[:)]")
_OUTPUT_TAG: Final = re.compile(r"(?:tasks|steps)\.(?!name$)")


class ScopeError(ValueError):
    """A value that is needed is not there."""


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
    known["inputs.parameters"] = listed({**one, "value": inputs[one["name"]]} for one in bound)
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


def listed(parameters: Iterable[Json]) -> str:
    """What `{{workflow.parameters}}` and `{{inputs.parameters}}` stand for: all of them, as Go writes their JSON."""
    fields = ("name", "default", "value", "valueFrom", "globalName", "enum", "description")
    found = [{key: one[key] for key in fields if one.get(key) is not None} for one in parameters]
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def values_of_node(run: RunContext, prefix: str, node: Json) -> dict[str, str]:
    """What `{{tasks.NAME...}}` or `{{steps.NAME...}}` stands for once the node has ended."""
    outputs = node.get("outputs") or {}
    if node["type"] == "Retry" and (attempts := run.nodes.attempts(node)):
        node = attempts[-1]
    values = {f"{prefix}.id": node["id"], f"{prefix}.status": node["phase"]}
    if node.get("podIP"):
        values[f"{prefix}.ip"] = node["podIP"]
    for key in ("startedAt", "finishedAt", "hostNodeName"):
        if node.get(key):
            values[f"{prefix}.{key}"] = node[key]
    if "result" in outputs:
        values[f"{prefix}.outputs.result"] = outputs["result"]
    if "exitCode" in outputs:
        values[f"{prefix}.exitCode"] = outputs["exitCode"]
    for one in outputs.get("parameters") or ():
        if one.get("value") is not None:
            values[f"{prefix}.outputs.parameters.{one['name']}"] = text_of(one["value"])
    return values | artifacts.values_of(f"{prefix}.outputs", outputs.get("artifacts"))


def values_of_absent(run: RunContext, prefix: str, node: Json) -> dict[str, str]:
    """The outputs of a node that was skipped or omitted: empty texts, as Argo's documentation of variables has it.

    They are for the tasks and steps that come after it; a template's own outputs have their defaults instead.
    """
    if node["phase"] not in ("Skipped", "Omitted") or node.get("outputs"):
        return {}
    try:
        template = run.templates.of(node)
    except TemplateError:  # the name of the template has tags
        template = {}
    declared = (template.get("outputs") or {}).get("parameters") or ()
    values = {f"{prefix}.outputs.parameters.{one['name']}": "" for one in declared}
    return values | {f"{prefix}.outputs.result": ""}


def values_of_group(run: RunContext, prefix: str, group: Json, members: Iterable[Json]) -> dict[str, str]:
    """What they stand for when the task was fanned out: JSON lists, in the order of the items.

    group: the node of the task, or the group of the step. Raises ScopeError for a result that is not JSON.
    """
    results: list[str] = []
    parameters: list[dict[str, str]] = []
    for member in sorted(members, key=_index):
        outputs = member.get("outputs") or {}
        if member["phase"] != "Succeeded":
            continue
        if "result" in outputs:
            try:
                results.append(compact(outputs["result"]))
            except ValueError as error:
                raise ScopeError(str(error)) from None
        if outputs.get("parameters"):
            parameters.append({one["name"]: text_of(one.get("value", "")) for one in outputs["parameters"]})
    values = values_of_node(run, prefix, group)
    values[f"{prefix}.outputs.result"] = f"[{','.join(results)}]"
    values[f"{prefix}.outputs.parameters"] = go_json(parameters)
    for name in dict.fromkeys(name for one in parameters for name in one):
        texts = [one[name] for one in parameters if name in one]
        values[f"{prefix}.outputs.parameters.{name}"] = go_json(_structured(texts) or texts)
    return values


def _structured(texts: list[str]) -> list[Any] | None:
    """What the texts stand for, when each of them is a JSON list or object: Argo does not quote these."""
    try:
        found = [json.loads(text) for text in texts]
    except (ValueError, RecursionError):
        return None
    return found if all(isinstance(each, (dict, list)) for each in found) else None


def resolve(step: Json, values: Mapping[str, str]) -> Json:
    """A task or step with its tags replaced and its artifacts located, unless its `when` is false already.

    Raises ArtifactError, ConditionError, and ScopeError for an output that is not there: Argo would wait for ever.
    """
    called: Json = substitute(step, values)
    if not _is_wanted(called):
        return called
    if "arguments" in called:
        called["arguments"] = artifacts.resolved(called["arguments"], values)
    for tag in tags({key: each for key, each in called.items() if key != "hooks"}):
        if _OUTPUT_TAG.match(tag):
            raise ScopeError(f"failed to resolve {{{{{tag}}}}}")
    return called


def _is_wanted(step: Json) -> bool:
    """Whether a task or step runs as far as its `when` shows it; a condition on an item is asked for each item."""
    if not step.get("when"):
        return True
    try:
        return holds(str(step["when"]))
    except ConditionError:
        if expands(step):
            return True
        raise


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
    if not source:
        raise ScopeError("output parameters must have a valueFrom specified")
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
