"""What is wrong with a workload before any server has seen it, as its kind finds it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hera_k8s_utils.experiment.manifest import Manifest
from hera_k8s_utils.lint.problems import NAMES, format_size
from hera_k8s_utils.results import Finding, ok


def lint(manifest: Manifest, *, source: Any = None) -> list[Finding]:
    """Everything that is known offline, as lines of a report; at least one line for each subject.

    source: what the builder returned; its functions give the types of arguments where the manifest lost them.
    """
    kind = manifest.workload_kind
    if kind.lint is None:
        return [Finding(NAMES, ok(f"a {manifest.kind}, which is not checked; {format_size(manifest.size)}"))]
    if not manifest.sources and (sources := kind.sources(source)):
        manifest = replace(manifest, sources=sources)
    return list(kind.lint(manifest))
