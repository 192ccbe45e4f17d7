"""What was typed for this command, so that a hint can be typed as it stands: with the same file and the same flags."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hera_k8s_utils.config.options import MISSING, ResolvedOption, SourcePriority
from hera_k8s_utils.container.session import DefaultFile

if TYPE_CHECKING:
    from hera_k8s_utils.checks.runner import Report
    from hera_k8s_utils.container.container import ExperimentContainer
    from hera_k8s_utils.container.session import Session

_SAME_LINE: Final = re.compile(r"\bhera-k8s (provision|render)\b")
"""Commands in hints that mean the experiment at hand."""


def with_typed_hints(report: Report, session: Session, container: ExperimentContainer) -> Report:
    """The report whose hints name this command's file and flags where they mean the same experiment.

    Secrets are left out; what came from the environment or from files holds for the next command anyway.
    """
    file = session.arguments.file
    words = [] if isinstance(file, DefaultFile) else [str(file)]
    for each in container.settings().effective.values():
        words += _given(each)
    if session.script_arguments:
        words += ["--", "..."]  # not repeated: they may hold secrets
    if not words:
        return report
    rest = f" {shlex.join(words)}".replace("\\", r"\\")
    rows = [
        replace(row, result=replace(row.result, hint=_SAME_LINE.sub(rf"hera-k8s \1{rest}", row.result.hint)))
        for row in report.rows
    ]
    return replace(report, rows=rows)


def _given(option: ResolvedOption) -> Iterator[str]:
    """The words that give one option; none when it is a secret or came from elsewhere."""
    spec, value = option.spec, option.value
    if spec.info.secret or value is MISSING:
        return
    if isinstance(value, tuple):
        origins = option.origins or (option.origin,) * len(value)
        for entry, origin in zip(value, origins, strict=True):
            if origin.rank == SourcePriority.GIVEN:
                yield from (spec.flag, str(entry))
    elif option.origin.rank == SourcePriority.GIVEN:
        if isinstance(value, bool):
            yield spec.flag if value else f"--no-{spec.flag.removeprefix('--')}"
        elif value is not None:
            yield from (spec.flag, str(value))
