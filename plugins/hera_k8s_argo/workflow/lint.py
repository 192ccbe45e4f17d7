"""What is wrong with a workflow before any server has seen it: names, references, inline scripts, size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final

from hera_k8s_argo.workflow.analysis import WorkflowAnalysis
from hera_k8s_argo.workflow.lint_calls import call_problems
from hera_k8s_argo.workflow.lint_names import name_problems
from hera_k8s_argo.workflow.lint_scripts import script_problems
from hera_k8s_argo.workflow.variables import as_text, calls
from hera_k8s_utils import CheckResult, Finding, fail, warn
from hera_k8s_utils.experiment import Source
from hera_k8s_utils.lint import NAMES, findings_of, format_size

SCRIPTS: Final = "inline scripts"
SIZE: Final = "size"

SIZE_LIMIT: Final = 1024 * 1024
"""Bytes of the whole object: the default of the controller's MAX_WORKFLOW_SIZE (Argo 4.1)."""
_NEARLY: Final = 0.8
_LONGEST_ARGUMENT: Final = 128 * 1024
"""Bytes: Linux takes no longer environment variable, and arguments reach the executor in one."""


def lint_workflow(workflow: WorkflowAnalysis, sources: Mapping[str, Source], size: int) -> Iterator[Finding]:
    """Everything that is known offline; at least one finding for names and for scripts.

    sources: the functions behind the scripts, by template. size: bytes of the whole object.
    """
    templates = sum(1 for _ in workflow.templates())
    read = f"{templates} template{'s' * (templates != 1)}, {format_size(size)} of 1 MiB"
    scripts = script_problems(workflow, sources)
    yield from findings_of(NAMES, [*name_problems(workflow), *call_problems(workflow)], read)
    yield from findings_of(SCRIPTS, scripts.problems, scripts.summary)
    yield from (Finding(SIZE, result) for result in _size(workflow, size))


def _size(workflow: WorkflowAnalysis, size: int) -> Iterator[CheckResult]:
    if size > SIZE_LIMIT:
        yield fail(f"{format_size(size)}: Argo takes 1 MiB, status included", hint=_smaller(workflow, size))
    elif size > _NEARLY * SIZE_LIMIT:
        share = f"{size / SIZE_LIMIT:.0%}"
        yield warn(f"{share} of the 1 MiB that Argo takes, status included", hint=_smaller(workflow, size))
    if size > _LONGEST_ARGUMENT:
        yield from _long_arguments(workflow)


def _long_arguments(workflow: WorkflowAnalysis) -> Iterator[CheckResult]:
    every = (call for _, template in workflow.templates() for call in calls(template))
    for holder in chain([workflow.spec], every):
        for parameter in (holder.get("arguments") or {}).get("parameters") or ():
            value = parameter.get("value") or ""
            length = len(value) if isinstance(value, str) else len(as_text(value))
            if length > _LONGEST_ARGUMENT:
                where = holder.get("name") or "the workflow"
                yield fail(
                    f"argument {parameter.get('name')} of {where} has {format_size(length)}, 128 KiB is the most",
                    hint="put it into a config map, a file on the claim or an artifact",
                )


def _smaller(workflow: WorkflowAnalysis, size: int) -> str:
    """What would help most: the heaviest of items, tasks and sources."""
    every = [call for _, template in workflow.templates() for call in calls(template)]
    items = len(as_text([call["withItems"] for call in every if "withItems" in call]))
    sources = sum(len((t.get("script") or {}).get("source") or "") for _, t in workflow.templates())
    weights = {"items": items, "sources": sources, "tasks": size - items - sources}
    heaviest = max(weights, key=lambda kind: weights[kind])
    return {
        "items": "let items hold only what differs: a path is a template over {{item.*}} (inputs.fan_out does that); "
        "or split the sweep into several runs (--set, --points)",
        "tasks": f"{len(every)} tasks: one task over withItems (inputs.fan_out) takes a twentieth of the room",
        "sources": "put long scripts into the image or a config map",
    }[heaviest]
