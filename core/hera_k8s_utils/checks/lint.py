"""What is wrong with a workflow before any server has seen it: names, references, inline scripts, size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from hera_k8s_argo.workflow.lint_calls import call_problems
from hera_k8s_argo.workflow.lint_names import name_problems
from hera_k8s_argo.workflow.variables import as_text, calls
from hera_k8s_kube.jobs.lint import job_problems
from hera_k8s_kube.jobs.manifest import JOB
from hera_k8s_utils.experiment.manifest import Manifest, sources_of
from hera_k8s_utils.lint.problems import Problem
from hera_k8s_utils.lint.python_source import script_problems
from hera_k8s_utils.results import CheckResult, Finding, Verdict, fail, ok, warn

NAMES: Final = "names, references"
SCRIPTS: Final = "inline scripts"
SIZE: Final = "size"

SIZE_LIMIT: Final = 1024 * 1024
"""Bytes of the whole object: the default of the controller's MAX_WORKFLOW_SIZE (Argo 4.1)."""
_NEARLY: Final = 0.8
_LONGEST_ARGUMENT: Final = 128 * 1024
"""Bytes: Linux takes no longer environment variable, and arguments reach the executor in one."""
_MOST_SHOWN: Final = 8

_WORKFLOW_KINDS: Final = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")


def lint(manifest: Manifest, *, source: Any = None) -> list[Finding]:
    """Everything that can be told offline, as lines of a report; at least one line for each subject.

    source: the Hera object that the manifest was made from; its functions tell the types of arguments.
    """
    if manifest.runs_as == JOB:
        number = len(manifest.jobs)
        read = f"{number} Job{'s' * (number != 1)}, {_kilobytes(manifest.size)}"
        return list(_findings(NAMES, job_problems(manifest), read))
    if manifest.kind not in _WORKFLOW_KINDS:
        return [Finding(NAMES, ok(f"a {manifest.kind}, which is not looked into; {_kilobytes(manifest.size)}"))]
    sources = manifest.sources or sources_of(source)
    templates = sum(1 for _ in manifest.templates())
    read = f"{templates} template{'s' * (templates != 1)}, {_kilobytes(manifest.size)} of 1 MiB"
    scripts = script_problems(manifest, sources)
    return [
        *_findings(NAMES, [*name_problems(manifest), *call_problems(manifest)], read),
        *_findings(SCRIPTS, scripts.problems, scripts.summary),
        *(Finding(SIZE, result) for result in _size(manifest)),
    ]


def _findings(title: str, problems: Iterable[Problem], passed: str) -> Iterator[Finding]:
    """A line for each problem, the worst first; one line when all is well."""
    found = sorted(dict.fromkeys(problems), key=lambda problem: problem.verdict is not Verdict.FAILED)
    for problem in found[:_MOST_SHOWN]:
        yield Finding(title, CheckResult(problem.verdict, problem.text, problem.hint))
    rest = found[_MOST_SHOWN:]
    if rest:
        yield Finding(title, CheckResult(rest[0].verdict, f"and {len(rest)} more of the kind"))
    if not found:
        yield Finding(title, ok(passed))


# --- size ------------------------------------------------------------------------------------------------------


def _size(manifest: Manifest) -> Iterator[CheckResult]:
    if manifest.size > SIZE_LIMIT:
        yield fail(f"{_kilobytes(manifest.size)}: Argo takes 1 MiB, status included", hint=_smaller(manifest))
    elif manifest.size > _NEARLY * SIZE_LIMIT:
        share = f"{manifest.size / SIZE_LIMIT:.0%}"
        yield warn(f"{share} of the 1 MiB that Argo takes, status included", hint=_smaller(manifest))
    if manifest.size > _LONGEST_ARGUMENT:
        yield from _long_arguments(manifest)


def _long_arguments(manifest: Manifest) -> Iterator[CheckResult]:
    every = (call for _, template in manifest.templates() for call in calls(template))
    for holder in chain([manifest.spec], every):
        for parameter in (holder.get("arguments") or {}).get("parameters") or ():
            value = parameter.get("value") or ""
            length = len(value) if isinstance(value, str) else len(as_text(value))
            if length > _LONGEST_ARGUMENT:
                where = holder.get("name") or "the workflow"
                yield fail(
                    f"argument {parameter.get('name')} of {where} has {_kilobytes(length)}, 128 KiB is the most",
                    hint="put it into a config map, a file on the claim or an artifact",
                )


def _smaller(manifest: Manifest) -> str:
    """What would help most: the heaviest of items, tasks and sources."""
    every = [call for _, template in manifest.templates() for call in calls(template)]
    items = len(as_text([call["withItems"] for call in every if "withItems" in call]))
    sources = sum(len((t.get("script") or {}).get("source") or "") for _, t in manifest.templates())
    weights = {"items": items, "sources": sources, "tasks": manifest.size - items - sources}
    heaviest = max(weights, key=lambda kind: weights[kind])
    return {
        "items": "let items hold only what differs: a path is a template over {{item.*}} (inputs.fan_out does that); "
        "or split the sweep into several runs (--set, --points)",
        "tasks": f"{len(every)} tasks: one task over withItems (inputs.fan_out) takes a twentieth of the room",
        "sources": "put long scripts into the image or a config map",
    }[heaviest]


def _kilobytes(size: int) -> str:
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.2f} MB"


__all__: Sequence[str] = ["NAMES", "SCRIPTS", "SIZE", "SIZE_LIMIT", "lint"]
