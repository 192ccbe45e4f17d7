"""Names and shapes that Argo and Kubernetes refuse.

The rules for fields are those of Argo's `workflow/validate` (4.1), stated here anew; lengths of objects' names are
those that its controller needs to make labels and pods of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hera_k8s_argo.workflow.analysis import WorkflowAnalysis
from hera_k8s_argo.workflow.references import containers
from hera_k8s_argo.workflow.variables import calls
from hera_k8s_utils import Json, is_dns_label, is_dns_subdomain
from hera_k8s_utils.lint import Problem, lint_error, lint_suggestion

_FIELD: Final = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]{0,127}")
_FIELD_RULE: Final = "letters, digits and dashes, at most 128, a letter or digit first"
_PARAMETER: Final = re.compile(r"[-a-zA-Z0-9_]+")
_PARAMETER_RULE: Final = "letters, digits, dashes and underscores"

_LONGEST_NAME: Final = {"CronWorkflow": 52}
_LONGEST: Final = 63
_RANDOM: Final = 5
"""Characters that a server adds to `generateName`."""

_BODIES: Final = (
    "container",
    "containerSet",
    "script",
    "steps",
    "dag",
    "resource",
    "suspend",
    "http",
    "data",
    "plugin",
)


def name_problems(workflow: WorkflowAnalysis) -> Iterator[Problem]:
    """Names that are refused, names that occur twice, and templates without a body or with two."""
    yield from _object_name(workflow)
    names = [name for name, _ in workflow.templates()]
    yield from _repeated("template", names, "the workflow")
    yield from _parameters((workflow.spec.get("arguments") or {}).get("parameters"), "the workflow")
    for name, template in workflow.templates():
        inline = "." in name
        if not inline and not _FIELD.fullmatch(name):
            yield lint_error(f"a template cannot be called {name!r}", hint=_FIELD_RULE)
        yield from _body(name, template)
        yield from _inputs_and_outputs(name, template)
        yield from _calls(name, template)
    yield from _pods(workflow)


def _object_name(workflow: WorkflowAnalysis) -> Iterator[Problem]:
    metadata = workflow.metadata
    longest = _LONGEST_NAME.get(workflow.kind, _LONGEST)
    name, prefix = workflow.name, str(metadata.get("generateName") or "")
    if name and not is_dns_subdomain(name, longest=longest):
        rule = f"lower-case letters, digits, dashes and dots, at most {longest}"
        yield lint_error(f"a {workflow.kind} cannot be called {name!r}", hint=rule)
    generated = prefix[: _LONGEST - _RANDOM] + "x" * _RANDOM  # the API server cuts the prefix
    if prefix and not name and not is_dns_subdomain(generated, longest=longest):
        rule = f"lower-case letters, digits, dashes and dots, at most {longest - _RANDOM} before the random part"
        yield lint_error(f"generateName cannot be {prefix!r}", hint=rule)
    if not name and not prefix:
        yield lint_error(f"the {workflow.kind} has no name", hint="name= or generate_name= of the Workflow")
    if workflow.namespace and not is_dns_label(workflow.namespace):
        yield lint_error(f"a namespace cannot be called {workflow.namespace!r}")


def _body(name: str, template: Json) -> Iterator[Problem]:
    bodies = [kind for kind in _BODIES if kind in template]
    if not bodies:
        yield lint_error(f"template {name} has no body", hint=f"one of {', '.join(_BODIES)}")
    if len(bodies) > 1:
        yield lint_error(f"template {name} has more than one body: {', '.join(bodies)}")
    for kind in ("dag", "steps"):
        if kind in template and not any(True for _ in calls(template)):
            yield lint_error(f"{kind} {name} has no {'tasks' if kind == 'dag' else 'steps'}")


def _inputs_and_outputs(name: str, template: Json) -> Iterator[Problem]:
    for direction in ("inputs", "outputs"):
        holder = template.get(direction) or {}
        for kind in ("parameters", "artifacts"):
            yield from _parameters(holder.get(kind), f"{name}.{direction}", kind[:-1])


def _parameters(
    parameters: Iterable[Mapping[str, Any]] | None, where: str, kind: str = "parameter"
) -> Iterator[Problem]:
    if not parameters:
        return
    names = [str(parameter.get("name") or "") for parameter in parameters]
    for name in names:
        if not _PARAMETER.fullmatch(name):
            yield lint_error(f"{where}: {kind} cannot be called {name!r}", hint=_PARAMETER_RULE)
    yield from _repeated(kind, names, where)


def _calls(name: str, template: Json) -> Iterator[Problem]:
    names = []
    kind = "task" if "dag" in template else "step"
    waits = any("depends" in call for call in calls(template))
    for call in calls(template):
        called = str(call.get("name") or "")
        names.append(called)
        if not _FIELD.fullmatch(called):
            yield lint_error(f"{name}: a {kind} cannot be called {called!r}", hint=_FIELD_RULE)
        elif called[0].isdigit() and (waits or call.get("dependencies")):
            yield lint_error(f"{name}: task {called} begins with a digit, which Argo refuses beside depends")
        arguments = call.get("arguments")
        if arguments:
            given = [argument.get("name") for argument in arguments.get("parameters") or ()]
            if len(set(given)) != len(given):
                yield from _repeated("argument", [str(argument) for argument in given], f"{name}.{called}")
    yield from _repeated(kind, names, name)


def _repeated(kind: str, names: list[str], where: str) -> Iterator[Problem]:
    if len(set(names)) == len(names):
        return
    for name, number in Counter(names).items():
        if number > 1:
            yield lint_error(f"{where}: {number} {kind}s are called {name!r}", hint="give each a name of its own")


def _pods(workflow: WorkflowAnalysis) -> Iterator[Problem]:
    """Containers that Kubernetes would refuse: no image, a mount of no volume, two mounts at one path."""
    spec = workflow.spec
    claimed = [(claim.get("metadata") or {}).get("name") for claim in spec.get("volumeClaimTemplates") or ()]
    shared = {str(volume.get("name")) for volume in spec.get("volumes") or ()} | set(map(str, claimed))
    defaults = spec.get("templateDefaults") or {}
    shared |= {str(volume.get("name")) for volume in defaults.get("volumes") or ()}
    for part in containers(spec, workflow.templates()):
        if not part.container.get("image") and not (defaults.get(part.kind) or {}).get("image"):
            yield lint_error(f"{part.kind} of template {part.template} has no image", hint="image= of the experiment")
        volumes = shared | {str(volume.get("name")) for volume in part.volumes}
        yield from _mounts(part.template, part.container, volumes)


def _mounts(template: str, container: Json, volumes: set[str]) -> Iterator[Problem]:
    paths: dict[str, str] = {}
    for mount in container.get("volumeMounts") or ():
        name, path = str(mount.get("name")), str(mount.get("mountPath"))
        if name not in volumes and "{{" not in name:
            yield lint_error(
                f"template {template} mounts {name}, which is not one of its volumes",
                hint=lint_suggestion(name, volumes),
            )
        if path in paths:
            yield lint_error(f"template {template} mounts both {paths[path]} and {name} at {path}")
        paths[path] = name
