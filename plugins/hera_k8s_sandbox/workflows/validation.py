"""Validation: what is wrong with a workflow, and what in it the sandbox cannot do, before any task starts."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hera_k8s_sandbox.workflows.depends import Depends, DependsError, depends_of
from hera_k8s_sandbox.workflows.expansion import expands
from hera_k8s_sandbox.workflows.retries import duration_of
from hera_k8s_sandbox.workflows.substitution import tags

Json = dict[str, Any]

_NAME: Final = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_PARAMETER: Final = re.compile(r"[-a-zA-Z0-9_]+")
_KINDS: Final = ("container", "script", "dag", "steps")
_POD_GC: Final = ("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")
_POLICIES: Final = ("Always", "OnFailure", "OnError")

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
_UNSUPPORTED_TEMPLATE: Final = (
    "resource",
    "suspend",
    "http",
    "plugin",
    "data",
    "containerSet",
    "daemon",
    "sidecars",
    "initContainers",
    "synchronization",
    "memoize",
    "podSpecPatch",
    "timeout",
    "failFast",
)
_UNSUPPORTED_STEP: Final = ("templateRef", "inline", "hooks", "onExit")
_UNSUPPORTED_SOURCES: Final = ("expression", "event", "jqFilter", "jsonPath", "supplied", "configMapKeyRef")
_STEP_TAGS: Final = ("tasks.", "steps.")
_ANYWHERE: Final = ("workflow.", "node.", "pod.", "retries", "lastRetry.", "item", "outputs.", "inputs.artifacts")


class Unsupported(ValueError):
    """The workflow asks for something that Argo does and the sandbox does not."""


class WorkflowInvalid(ValueError):
    """The workflow breaks a rule; the message is Argo's, as far as it goes."""


def validate(workflow: Json, *, lint: bool = False) -> None:
    """Check a workflow as Argo does when it takes one.

    lint: parameters of the workflow need no value. Raises WorkflowInvalid and Unsupported.
    """
    with _fields_of_wrong_type():
        _validate(workflow, lint=lint)


@contextlib.contextmanager
def _fields_of_wrong_type() -> Iterator[None]:
    """What Go's decoder would refuse: a number where a list should be."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise WorkflowInvalid(f"a field is of the wrong type: {error}") from None


def _validate(workflow: Json, *, lint: bool) -> None:
    spec = workflow.get("spec")
    if not isinstance(spec, dict):
        raise WorkflowInvalid("spec is required")
    _require_supported_spec(spec)
    templates = _templates(spec)
    _check_arguments(spec, lint=lint)
    if not spec.get("entrypoint"):
        raise WorkflowInvalid("spec.entrypoint is required")
    if (spec.get("podGC") or {}).get("strategy", "OnPodCompletion") not in _POD_GC:
        raise WorkflowInvalid(f"podGC.strategy unknown strategy '{spec['podGC']['strategy']}'")
    entrypoint = _find(templates, spec["entrypoint"], "")
    _check_call(f"templates.{entrypoint['name']}", entrypoint, spec.get("arguments") or {}, entry=True)
    parameters = {one.get("name", "") for one in (spec.get("arguments") or {}).get("parameters") or ()}
    for template in templates.values():
        _Check(spec, templates, parameters).template(template)


def validate_template(obj: Json) -> None:
    """Check a WorkflowTemplate or ClusterWorkflowTemplate. Raises WorkflowInvalid and Unsupported."""
    with _fields_of_wrong_type():
        _validate_template(obj)


def _validate_template(obj: Json) -> None:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        raise WorkflowInvalid("spec is required")
    _require_supported_spec(spec)
    templates = _templates(spec)
    parameters = {one.get("name", "") for one in (spec.get("arguments") or {}).get("parameters") or ()}
    for template in templates.values():
        _Check(spec, templates, parameters).template(template)


def _require_supported_spec(spec: Json) -> None:
    for field in _UNSUPPORTED_SPEC:
        if spec.get(field):
            raise _unsupported(f"spec.{field}")
    if (spec.get("arguments") or {}).get("artifacts"):
        raise _unsupported("spec.arguments.artifacts")
    for tag in tags(spec.get("templates") or []):
        if tag.startswith("="):
            raise _unsupported(f"expressions in tags ({{{{{tag}}}}})")


def _unsupported(what: str) -> Unsupported:
    return Unsupported(f"the sandbox does not support {what}")


def _templates(spec: Json) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for index, template in enumerate(spec.get("templates") or ()):
        name = template.get("name", "")
        if not name:
            raise WorkflowInvalid(f"spec.templates[{index}].name is required")
        if not _NAME.fullmatch(name) or len(name) > 128:
            raise WorkflowInvalid(f"spec.templates[{index}].name: '{name}' is invalid: {_NAME_RULE}")
        if name in found:
            raise WorkflowInvalid(f"spec.templates[{index}].name '{name}' is not unique")
        found[name] = template
    return found


_NAME_RULE: Final = (
    "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character "
    "(e.g. My-name1-2, 123-NAME)"
)


def _check_arguments(spec: Json, *, lint: bool) -> None:
    seen: set[str] = set()
    for index, one in enumerate((spec.get("arguments") or {}).get("parameters") or ()):
        name = one.get("name", "")
        _check_parameter(f"spec.arguments.parameters[{index}]", name, seen)
        if one.get("valueFrom"):
            raise _unsupported(f"spec.arguments.parameters.{name}.valueFrom")
        if one.get("value") is None and not lint:
            raise WorkflowInvalid(f"spec.arguments.{name}.value or spec.arguments.{name}.valueFrom is required")
        _check_enum(f"spec.arguments.{name}", one)


def _check_parameter(where: str, name: str, seen: set[str]) -> None:
    if not name:
        raise WorkflowInvalid(f"{where}.name is required")
    if not _PARAMETER.fullmatch(name):
        raise WorkflowInvalid(
            f"{where}.name: '{name}' is invalid: Parameter/Artifact names must consist of alpha-numeric characters, "
            "'_' or '-' e.g. my_param_1, MY-PARAM-1"
        )
    if name in seen:
        raise WorkflowInvalid(f"{where}.name '{name}' is not unique")
    seen.add(name)


def _check_enum(where: str, one: Json) -> None:
    allowed, value = one.get("enum"), one.get("value")
    if allowed and value is not None and str(value) not in [str(each) for each in allowed]:
        raise WorkflowInvalid(f"{where}.value should be present in {where}.enum list")


def _find(templates: Mapping[str, Json], name: Any, where: str) -> Json:
    if not name:
        raise WorkflowInvalid(f"{where}.template is required")
    if name not in templates:
        prefix = f"{where} " if where else ""
        raise WorkflowInvalid(f"{prefix}template name '{name}' undefined")
    return templates[name]


def _check_call(where: str, template: Json, arguments: Json, *, entry: bool = False) -> None:
    """Whether every input of a template gets a value."""
    given = {one.get("name"): one for one in arguments.get("parameters") or ()}
    for one in (template.get("inputs") or {}).get("parameters") or ():
        name = one.get("name")
        passed = given.get(name)
        has_value = passed is not None and (passed.get("value") is not None or entry)
        if not has_value and one.get("value") is None and one.get("default") is None:
            raise WorkflowInvalid(f"{where} inputs.parameters.{name} was not supplied")


class _Check:
    """The checks of one template."""

    def __init__(self, spec: Json, templates: Mapping[str, Json], parameters: set[str]) -> None:
        self._spec = spec
        self._templates = templates
        self._parameters = parameters

    def template(self, template: Json) -> None:
        where = f"templates.{template['name']}"
        for field in _UNSUPPORTED_TEMPLATE:
            if template.get(field):
                raise _unsupported(f"{where}.{field}")
        kinds = [kind for kind in _KINDS if template.get(kind) is not None]
        if len(kinds) != 1:
            told = "multiple template types specified" if kinds else "template type unspecified"
            raise WorkflowInvalid(f"{where} {told}. choose one of: container, script, dag, steps")
        self._inputs(where, template)
        self._retry(where, template)
        inputs = {one["name"] for one in (template.get("inputs") or {}).get("parameters") or ()}
        if kinds[0] in ("container", "script"):
            self._leaf(where, template, kinds[0])
            self._references(where, template, inputs, set())
        elif kinds[0] == "dag":
            self._dag(where, template, inputs)
        else:
            self._steps(where, template, inputs)
        self._outputs(where, template)

    def _inputs(self, where: str, template: Json) -> None:
        seen: set[str] = set()
        inputs = template.get("inputs") or {}
        if inputs.get("artifacts"):
            raise _unsupported(f"{where}.inputs.artifacts")
        for index, one in enumerate(inputs.get("parameters") or ()):
            _check_parameter(f"{where}.inputs.parameters[{index}]", one.get("name", ""), seen)
            if one.get("valueFrom"):
                raise _unsupported(f"{where}.inputs.parameters.{one['name']}.valueFrom")

    def _retry(self, where: str, template: Json) -> None:
        strategy = template.get("retryStrategy", self._spec.get("retryStrategy"))
        if strategy is None:
            return
        for field in ("expression", "affinity"):
            if strategy.get(field):
                raise _unsupported(f"{where}.retryStrategy.{field}")
        policy = strategy.get("retryPolicy") or "OnFailure"
        if policy == "OnTransientError":
            raise _unsupported(f"{where}.retryStrategy.retryPolicy OnTransientError")
        if policy not in _POLICIES:
            raise WorkflowInvalid(f"{where}.retryStrategy.retryPolicy: {policy} is not a valid RetryPolicy")
        limit = strategy.get("limit")
        if limit not in (None, "") and not re.fullmatch(r"\d+", str(limit)):
            raise WorkflowInvalid(f"{where}.retryStrategy.limit: '{limit}' is not a number")
        self._backoff(where, strategy.get("backoff") or {})

    def _backoff(self, where: str, backoff: Json) -> None:
        if backoff and not backoff.get("duration"):
            raise WorkflowInvalid(f"{where}.retryStrategy.backoff: no base duration specified for retryStrategy")
        for field in ("duration", "maxDuration", "cap"):
            if backoff.get(field):
                try:
                    duration_of(backoff[field])
                except ValueError as error:
                    raise WorkflowInvalid(f"{where}.retryStrategy.backoff.{field}: {error}") from None

    def _leaf(self, where: str, template: Json, kind: str) -> None:
        container = template[kind]
        if not container.get("image"):
            raise WorkflowInvalid(f"{where}.{kind}.image may not be empty")
        if kind == "script" and not container.get("command") and not container.get("source"):
            raise WorkflowInvalid(f"{where}.script.source may not be empty")
        if container.get("lifecycle"):
            raise _unsupported(f"{where}.{kind}.lifecycle")
        names = {one["name"] for one in [*(self._spec.get("volumes") or ()), *(template.get("volumes") or ())]}
        for mount in container.get("volumeMounts") or ():
            if mount.get("name") not in names:
                raise WorkflowInvalid(
                    f"{where}.{kind}.volumeMounts: volume '{mount.get('name')}' not found in workflow spec"
                )
        for volume in [*(self._spec.get("volumes") or ()), *(template.get("volumes") or ())]:
            kinds = volume.keys() - {"name", "persistentVolumeClaim", "configMap", "secret", "emptyDir"}
            if kinds:
                raise _unsupported(f"volumes of {sorted(kinds)[0]} (volume '{volume['name']}')")

    def _dag(self, where: str, template: Json, inputs: set[str]) -> None:
        listed = template["dag"].get("tasks") or []
        if not listed:
            raise WorkflowInvalid(f"{where} must have at least one task")
        tasks: dict[str, Json] = {}
        for index, task in enumerate(listed):
            self._step(f"{where}.tasks[{index}]", task, tasks)
            tasks[task["name"]] = task
        depends = {name: self._depends(where, task, tasks) for name, task in tasks.items()}
        self._acyclic(where, depends)
        for target in str(template["dag"].get("target") or "").split():
            if target not in tasks and "{{" not in target:
                raise WorkflowInvalid(f"{where}.targets target '{target}' is not defined")
        for name, task in tasks.items():
            at = f"{where}.tasks.{name}"
            self._call(at, task)
            self._references(at, task, inputs, self._ancestors(name, depends), set(tasks), "tasks")

    def _depends(self, where: str, task: Json, tasks: Mapping[str, Json]) -> Depends:
        at = f"{where}.tasks.{task['name']}"
        if task.get("depends") and task.get("dependencies"):
            raise WorkflowInvalid(f"{where} cannot use both 'depends' and 'dependencies' in the same DAG template")
        if task.get("depends") and task.get("continueOn"):
            raise WorkflowInvalid(
                f"{where} cannot use 'continueOn' when using 'depends'. "
                "Instead use 'dep-task.Failed'/'dep-task.Errored'"
            )
        try:
            depends = depends_of(task, tasks)
        except DependsError as error:
            raise WorkflowInvalid(f"{at} {error}") from None
        for name in depends.tasks:
            if name not in tasks:
                raise WorkflowInvalid(f"{at} dependency '{name}' not defined")
        for name in depends.items:
            if not expands(tasks[name]):
                raise WorkflowInvalid(
                    f"{at} dependency '{name}' uses an items-based condition such as .AnySucceeded or .AllFailed "
                    "but does not contain any items"
                )
        return depends

    def _acyclic(self, where: str, depends: Mapping[str, Depends]) -> None:
        state: dict[str, int] = {}
        for start in depends:
            stack: list[tuple[str, Iterator[str]]] = []
            if not state.get(start):
                state[start] = 1
                stack.append((start, iter(depends[start].tasks)))
            while stack:
                name, rest = stack[-1]
                following = next(rest, None)
                if following is None:
                    state[name] = 2
                    stack.pop()
                elif state.get(following) == 1:
                    path = [each for each, _ in stack]
                    cycle = "->".join([*path[path.index(following) :], following])
                    raise WorkflowInvalid(f"{where} dependency cycle detected: {cycle}")
                elif not state.get(following):
                    state[following] = 1
                    stack.append((following, iter(depends[following].tasks)))

    def _ancestors(self, name: str, depends: Mapping[str, Depends]) -> set[str]:
        found: set[str] = set()
        stack = list(depends[name].tasks)
        while stack:
            each = stack.pop()
            if each not in found:
                found.add(each)
                stack.extend(depends[each].tasks)
        return found

    def _steps(self, where: str, template: Json, inputs: set[str]) -> None:
        seen: dict[str, Json] = {}
        before: set[str] = set()
        names = {step.get("name", "") for group in template["steps"] for step in group}
        for index, group in enumerate(template["steps"]):
            for number, step in enumerate(group):
                self._step(f"{where}.steps[{index}][{number}]", step, seen)
                seen[step["name"]] = step
            for step in group:
                at = f"{where}.steps[{index}].{step['name']}"
                self._call(at, step)
                self._references(at, step, inputs, before, names, "steps")
            before |= {step["name"] for step in group}

    def _step(self, at: str, step: Json, seen: Mapping[str, Json]) -> None:
        name = step.get("name", "")
        if not name:
            raise WorkflowInvalid(f"{at}.name is required")
        if not _NAME.fullmatch(name):
            raise WorkflowInvalid(f"{at}.name: '{name}' is invalid: {_NAME_RULE}")
        if name in seen:
            raise WorkflowInvalid(f"{at}.name '{name}' is not unique")
        for field in _UNSUPPORTED_STEP:
            if step.get(field):
                raise _unsupported(f"{at.rpartition('[')[0]}.{name}.{field}")
        given = [field for field in ("withItems", "withParam", "withSequence") if step.get(field)]
        if len(given) > 1:
            raise WorkflowInvalid(f"{at} {', '.join(given)} are mutually exclusive")

    def _call(self, at: str, step: Json) -> None:
        template = _find(self._templates, step.get("template"), at)
        arguments = step.get("arguments") or {}
        if arguments.get("artifacts"):
            raise _unsupported(f"{at}.arguments.artifacts")
        seen: set[str] = set()
        for index, one in enumerate(arguments.get("parameters") or ()):
            _check_parameter(f"{at}.arguments.parameters[{index}]", one.get("name", ""), seen)
            if one.get("valueFrom"):
                raise _unsupported(f"{at}.arguments.parameters.{one['name']}.valueFrom")
        _check_call(at, template, arguments)

    def _references(
        self,
        where: str,
        value: Json,
        inputs: set[str],
        before: set[str],
        siblings: set[str] | None = None,
        kind: str = "",
    ) -> None:
        """Whether every tag can be given a value."""
        if siblings is None and "script" in value:
            value = value | {"script": {key: each for key, each in value["script"].items() if key != "source"}}
        for tag in tags(value):
            if tag.startswith("workflow.parameters.") and tag != "workflow.parameters.json":
                good = tag.removeprefix("workflow.parameters.") in self._parameters
            elif tag.startswith("inputs.parameters."):
                good = tag.removeprefix("inputs.parameters.") in inputs
            elif tag.startswith(_STEP_TAGS) and siblings is not None:
                head, name = [*tag.split(".", 2), ""][:2]
                good = name == "name" or (head == kind and name in before)
            else:
                good = tag.startswith((*_ANYWHERE, *_STEP_TAGS, "inputs.parameters")) or siblings is None
            if not good:
                raise WorkflowInvalid(f"{where}: failed to resolve {{{{{tag}}}}}")

    def _outputs(self, where: str, template: Json) -> None:
        outputs = template.get("outputs") or {}
        if outputs.get("artifacts"):
            raise _unsupported(f"{where}.outputs.artifacts")
        is_leaf = "dag" not in template and "steps" not in template
        seen: set[str] = set()
        for index, one in enumerate(outputs.get("parameters") or ()):
            _check_parameter(f"{where}.outputs.parameters[{index}]", one.get("name", ""), seen)
            source = one.get("valueFrom") or {}
            at = f"{where}.outputs.parameters.{one['name']}"
            for field in _UNSUPPORTED_SOURCES:
                if source.get(field):
                    raise _unsupported(f"{at}.valueFrom.{field}")
            wanted = "path" if is_leaf else "parameter"
            if not source.get(wanted):
                raise WorkflowInvalid(f"{at}.{wanted} must be specified for {_kind(template)} templates")


def _kind(template: Json) -> str:
    return {"dag": "DAG", "steps": "Steps", "container": "Container", "script": "Script"}[
        next(kind for kind in _KINDS if template.get(kind) is not None)
    ]
