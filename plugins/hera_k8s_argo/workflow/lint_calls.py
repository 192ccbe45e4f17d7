"""Who calls whom with what: templates, arguments, dependencies, and variables that stand for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hera_k8s_argo.workflow.analysis import RUNNABLE_KINDS, WorkflowAnalysis
from hera_k8s_argo.workflow.depends import RESULTS, results, sort_tasks, well_formed
from hera_k8s_argo.workflow.variables import REPEATS, calls, inline_name, tags, uses
from hera_k8s_utils import Json, nearest
from hera_k8s_utils.lint import Problem, lint_error, lint_suggestion, lint_warning

_OF_ITEMS: Final = ("AnySucceeded", "AllFailed")
_SPECIAL: Final = frozenset((*REPEATS, "templateRef", "inline", "hooks", "onExit"))
_MIXED: Final = frozenset(("dependencies", "continueOn"))
_HOOKED: Final = frozenset(("hooks", "onExit"))
_ROOTS: Final = ("inputs", "outputs", "workflow", "tasks", "steps", "item", "pod", "node", "retries", "lastRetry")
_PLACES: Final = ("name", "path", "mode", "from", "fromExpression", "optional", "archive", "description", "globalName")
"""Fields of an artifact that do not say where its content comes from."""


@dataclass(frozen=True)
class _Signature:
    """What a template wants and gives. needs: inputs without a value of their own."""

    inputs: frozenset[str]
    needs: frozenset[str]
    artifacts: frozenset[str]
    needs_artifacts: frozenset[str]
    outputs: frozenset[str]
    output_artifacts: frozenset[str]

    @classmethod
    def of(cls, template: Json) -> _Signature:
        """Read from a template's body."""
        inputs, outputs = template.get("inputs") or {}, template.get("outputs") or {}
        parameters = inputs.get("parameters") or ()
        artifacts = inputs.get("artifacts") or ()
        return cls(
            frozenset(_names(parameters)),
            frozenset(_names(p for p in parameters if not _has_value(p))),
            frozenset(_names(artifacts)),
            frozenset(_names(a for a in artifacts if not a.get("optional") and not set(a) - set(_PLACES))),
            frozenset(_names(outputs.get("parameters") or ())),
            frozenset(_names(outputs.get("artifacts") or ())),
        )


def call_problems(workflow: WorkflowAnalysis) -> Iterator[Problem]:
    """Everything that is wrong with calls, arguments, order and variables."""
    checker = _Calls(workflow)
    yield from checker.roots()
    yield from checker.recursion()
    for name, template in workflow.templates():
        if "dag" in template:
            yield from checker.dag(name, template)
        elif "steps" in template:
            yield from checker.steps(name, template)
        yield from checker.variables(name)


class _Calls:
    """The calls of one workflow, checked template by template."""

    def __init__(self, workflow: WorkflowAnalysis) -> None:
        self._workflow = workflow
        self._spec = workflow.spec
        self._templates = dict(workflow.templates())
        self._signatures = {name: _Signature.of(template) for name, template in self._templates.items()}
        self._tags = {name: _all_tags(template) for name, template in self._templates.items()}
        self._outer = "workflowTemplateRef" in self._spec
        """The templates and the parameters of the workflow are, in part, those of an object on the cluster."""
        self._knows_parameters = self._workflow.kind in RUNNABLE_KINDS and not self._outer
        """Whoever submits a workflow from a template may give it further parameters."""
        self._parameters = frozenset(_names((self._spec.get("arguments") or {}).get("parameters") or ()))

    # --- the workflow itself ---

    def roots(self) -> Iterator[Problem]:
        """The entry point, exit handlers and hooks, and the values of the workflow's own parameters."""
        if not self._spec.get("entrypoint") and not self._outer and self._workflow.kind in RUNNABLE_KINDS:
            yield lint_error("the workflow has no entrypoint", hint=lint_suggestion("", self._templates))
        root = {"template": self._spec.get("entrypoint"), **self._spec}
        if not root["template"]:
            del root["template"]
        fixed = self._workflow.kind in RUNNABLE_KINDS and not self._outer
        for holder, arguments in uses("", root):
            yield from self._use("the workflow", "", holder, arguments, whole=fixed, known=self._parameters)
        for parameter in (self._spec.get("arguments") or {}).get("parameters") or ():
            if fixed and not _has_value(parameter):
                yield lint_error(f"parameter {parameter.get('name')} of the workflow has no value")

    def recursion(self) -> Iterator[Problem]:
        """Templates that call themselves without a condition never end."""
        graph: dict[str, set[str]] = {}
        for name, template in self._templates.items():
            called = graph.setdefault(name, set())
            for call in calls(template):
                if "when" not in call:
                    called.add(inline_name(name, call) if "inline" in call else str(call.get("template")))
        _, cycle = sort_tasks(graph)
        if cycle:
            yield lint_error(f"templates call each other endlessly: {' -> '.join(cycle)}", hint="a step needs a `when`")

    # --- one template ---

    def dag(self, name: str, template: Json) -> Iterator[Problem]:
        """Tasks: what they call, wait for and read."""
        dag = self._workflow.resolver.dag(name)
        tasks, graph = dag.tasks, dag.graph
        waits = any("depends" in body for body in tasks.values())
        for task, body in tasks.items():
            if not self._sound(body):
                yield from self._call(name, body)
            if waits and not _MIXED.isdisjoint(body):
                yield from _mixed(name, body)
            for wanted in graph[task]:
                if wanted not in tasks:
                    yield lint_error(
                        f"{name}.{task} waits for {wanted}, which is not a task", hint=lint_suggestion(wanted, tasks)
                    )
            if body.get("depends"):
                yield from _depends(name, body, tasks)
        if len(dag.order) < len(graph):
            yield lint_error(f"tasks of {name} wait for each other: {' -> '.join(dag.cycle)}")
        for target in str((template.get("dag") or {}).get("target") or "").split():
            if target not in tasks and "{{" not in target:
                yield lint_error(f"target {target} of {name} is not a task", hint=lint_suggestion(target, tasks))
        yield from _retried(name, template)
        yield from self._reads(name, "tasks", tasks, graph)

    def steps(self, name: str, template: Json) -> Iterator[Problem]:
        """Steps: what they call and read; a step sees those of the groups before its own."""
        seen: dict[str, Mapping[str, Any]] = {}
        graph: dict[str, list[str]] = {}
        for group in template.get("steps") or ():
            steps = group if isinstance(group, list) else [group]
            before = list(seen)
            for step in steps:
                seen[str(step.get("name"))] = step
                graph[str(step.get("name"))] = before
                yield from self._call(name, step)
        yield from self._reads(name, "steps", seen, graph)
        yield from _retried(name, template)

    # --- one call ---

    def _sound(self, call: Mapping[str, Any]) -> bool:
        """Whether a task gives a template of this workflow just what it takes: so do most of ten thousand."""
        signature = self._signatures.get(call.get("template", ""))
        if signature is None or not _SPECIAL.isdisjoint(call) or signature.needs_artifacts:
            return False
        given = (call.get("arguments") or {}).get("parameters") or ()
        names = [parameter["name"] for parameter in given if parameter.get("value") is not None]
        return len(names) == len(given) == len(signature.inputs) and signature.inputs.issuperset(names)

    def _call(self, parent: str, call: Mapping[str, Any]) -> Iterator[Problem]:
        where = f"{parent}.{call.get('name')}"
        used = False
        for holder, arguments in uses(parent, call):
            used = True
            yield from self._use(where, inline_name(parent, call), holder, arguments)
        if not used:
            yield lint_error(f"{where} calls no template", hint="template=, template_ref= or inline=")
        repeats = sorted(REPEATS.intersection(call))
        if len(repeats) > 1:
            yield lint_error(f"{where} has {' and '.join(repeats)}; Argo takes one of them")

    def _use(
        self,
        where: str,
        inline: str,
        holder: Mapping[str, Any],
        arguments: Mapping[str, Any],
        *,
        whole: bool = True,
        known: Iterable[str] = (),
    ) -> Iterator[Problem]:
        """A template that is called with arguments. known: arguments that need not be the template's."""
        if "templateRef" in holder:
            return
        called = inline if "inline" in holder else str(holder.get("template"))
        signature = self._signatures.get(called)
        if signature is None:
            if not self._outer and "{{" not in called:
                yield lint_error(
                    f"{where} calls template {called}, which is not there",
                    hint=lint_suggestion(called, self._templates),
                )
            return
        if not (signature.inputs or signature.needs_artifacts or arguments):
            return
        given = {str(p.get("name")) for p in arguments.get("parameters") or () if _has_value(p)}
        if whole:
            for name in sorted(signature.needs - given):
                yield lint_error(
                    f"{where} calls {called} without {name}", hint=f"arguments={{{name!r}: ...}}, or a default"
                )
        for name in sorted(given - signature.inputs - frozenset(known)):
            yield lint_warning(
                f"{where} passes {name} to {called}, which does not take it",
                hint=lint_suggestion(name, signature.inputs),
            )
        if whole and signature.needs_artifacts:
            brought = frozenset(_names(arguments.get("artifacts") or ()))
            for name in sorted(signature.needs_artifacts - brought):
                yield lint_error(f"{where} calls {called} without artifact {name}")

    # --- variables ---

    def variables(self, name: str) -> Iterator[Problem]:
        """Inputs that a template does not declare, parameters that the workflow does not have, misspelt variables."""
        signature = self._signatures[name]
        for tag in self._tags[name]:
            yield from self._variable(name, signature, tag)

    def _variable(self, name: str, signature: _Signature, tag: str) -> Iterator[Problem]:
        parts = tag.split(".")
        root, kind, last = parts[0], ".".join(parts[:2]), ".".join(parts[2:])
        if kind == "inputs.parameters" and last and last not in signature.inputs:
            yield lint_error(
                f"{name} reads {{{{{tag}}}}}, which is not one of its inputs",
                hint=lint_suggestion(last, signature.inputs),
            )
        elif kind == "inputs.artifacts" and last and parts[2] not in signature.artifacts:
            hint = lint_suggestion(parts[2], signature.artifacts)
            yield lint_error(f"{name} reads {{{{{tag}}}}}, which is not one of its inputs", hint=hint)
        elif kind == "workflow.parameters" and last and last not in self._parameters and self._knows_parameters:
            hint = lint_suggestion(last, self._parameters) or f"Workflow(arguments={{{last!r}: ...}})"
            yield lint_error(f"{name} reads {{{{{tag}}}}}, which the workflow does not have", hint=hint)
        elif root not in _ROOTS and len(parts) > 1 and (near := nearest(root, _ROOTS)):
            yield lint_warning(
                f"{name} holds {{{{{tag}}}}}, which is not an Argo variable", hint=f"did you mean {near}?"
            )

    def _reads(
        self,
        name: str,
        word: str,
        called: Mapping[str, Mapping[str, Any]],
        graph: Mapping[str, Sequence[str]],
    ) -> Iterator[Problem]:
        """Outputs of other tasks or steps, and items, as far as arguments and conditions speak of them."""
        if not any(tag.startswith((f"{word}.", "item")) for tag in self._tags[name]):
            return
        for tag in _own_tags(self._templates[name].get("outputs") or {}):
            other = tag.split(".")[1] if tag.startswith(f"{word}.") else ""
            if other and other not in called:
                hint = lint_suggestion(other, called)
                yield lint_error(f"outputs of {name} read {{{{{tag}}}}}, and there is no {other}", hint=hint)
        for caller, call in called.items():
            for tag in _own_tags(call):
                if tag.startswith("item"):
                    yield from _item(f"{name}.{caller}", call, tag)
                elif tag.startswith(f"{word}."):
                    yield from self._output(name, caller, tag, called, graph)

    def _output(
        self,
        name: str,
        caller: str,
        tag: str,
        called: Mapping[str, Mapping[str, Any]],
        graph: Mapping[str, Sequence[str]],
    ) -> Iterator[Problem]:
        word, _, path = tag.partition(".")
        other, _, path = path.partition(".")
        where, said = f"{name}.{caller}", f"{{{{{tag}}}}}"
        if other not in called:
            yield lint_error(f"{where} reads {said}, and there is no {other}", hint=lint_suggestion(other, called))
            return
        hooked = other == caller and not _HOOKED.isdisjoint(called[caller])  # a hook reads the task that it belongs to
        if not hooked and not _waits(graph, caller, other):
            hint = "add it to its dependencies" if word == "tasks" else "move it to a later group"
            yield lint_error(f"{where} reads {said} without waiting for {other}", hint=hint)
        call = called[other]
        template = inline_name(name, call) if "inline" in call else str(call.get("template"))
        signature = self._signatures.get(template)
        if signature is None or "templateRef" in call:
            return
        kind, _, output = path.removeprefix("outputs.").partition(".")
        has = {"parameters": signature.outputs, "artifacts": signature.output_artifacts}.get(kind)
        if path.startswith("outputs.") and has is not None and output and output not in has:
            yield lint_error(
                f"{where} reads {said}, which is not an output of {template}", hint=lint_suggestion(output, has)
            )


# --- small parts -----------------------------------------------------------------------------------------------


def _names(things: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (str(thing.get("name") or "") for thing in things)


def _has_value(parameter: Mapping[str, Any]) -> bool:
    return any(parameter.get(key) is not None for key in ("value", "default", "valueFrom"))


def _all_tags(template: Json) -> Iterable[str]:
    """Every variable in a template, each once; those of templates written inside it are theirs."""
    text = json.dumps(template, default=str)
    if '"inline"' in text:
        text = json.dumps([{**call, "inline": None} for call in calls(template)])
    return dict.fromkeys(tag for tag in tags(text) if not tag.startswith("="))


def _own_tags(call: Mapping[str, Any]) -> Iterable[str]:
    if "inline" in call:
        call = {**call, "inline": None}
    return dict.fromkeys(tag for tag in tags(json.dumps(call)) if not tag.startswith("="))


def _waits(graph: Mapping[str, Sequence[str]], task: str, other: str) -> bool:
    """Whether a task comes after another."""
    if other in graph[task]:
        return True
    seen: set[str] = set()
    waiting = list(graph[task])
    while waiting:
        current = waiting.pop()
        if current == other:
            return True
        if current not in seen:
            seen.add(current)
            waiting.extend(graph.get(current, ()))
    return False


def _mixed(name: str, task: Mapping[str, Any]) -> Iterator[Problem]:
    """What Argo does not take beside `depends` in one dag."""
    if task.get("dependencies"):
        yield lint_error(
            f"{name}.{task.get('name')} has dependencies where others have depends; Argo takes one of them"
        )
    if task.get("continueOn"):
        hint = "name the results that are enough: depends='a.Succeeded || a.Failed'"
        yield lint_error(f"{name}.{task.get('name')} has continueOn beside depends", hint=hint)


def _depends(name: str, task: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    where, depends = f"{name}.{task.get('name')}", str(task["depends"])
    if depends in tasks:
        return
    if not well_formed(depends):
        yield lint_error(f"depends of {where} cannot be read: {depends[:80]}", hint="a && (b.Succeeded || !c.Failed)")
        return
    if "." not in depends:
        return
    for wanted, result in results(depends):
        if result and result not in RESULTS:
            yield lint_error(f"{where} waits for {wanted}.{result}", hint=lint_suggestion(result, RESULTS))
        elif result in _OF_ITEMS and wanted in tasks and REPEATS.isdisjoint(tasks[wanted]):
            yield lint_error(f"{where} waits for {wanted}.{result}, and {wanted} has no items")


def _item(where: str, call: Mapping[str, Any], tag: str) -> Iterator[Problem]:
    """A variable of the item in a call: of one that is repeated, and over maps that have the key."""
    if tag != "item" and not tag.startswith(("item.", "item[")):
        return
    if REPEATS.isdisjoint(call):
        yield lint_error(
            f"{where} reads {{{{{tag}}}}} and is not repeated", hint="with_items=, with_param= or with_sequence="
        )
    key = tag.removeprefix("item.")
    if tag.startswith("item.") and "." not in key and call.get("withItems"):
        without = [item for item in call["withItems"] if not isinstance(item, dict) or key not in item]
        if without:
            shown = json.dumps(without[0], ensure_ascii=False)[:60]
            keys = without[0] if isinstance(without[0], dict) else ()
            yield lint_error(
                f"{where} reads {{{{{tag}}}}}, which item {shown} does not have", hint=lint_suggestion(key, keys)
            )


def _retried(name: str, template: Json) -> Iterator[Problem]:
    if template.get("retryStrategy"):
        kind = "dag" if "dag" in template else "steps"
        hint = "give the retry strategy to the templates that it calls"
        yield lint_warning(f"a retry of {kind} {name} runs all of it again, what succeeded too", hint=hint)
