"""How a run ended, on the screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_cli.terminal.console import Console
from hera_k8s_cli.terminal.stream import Span
from hera_k8s_utils.formatting import pluralize
from hera_k8s_utils.runs.outcome import FailureCause, Outcome, PointOutcome
from hera_k8s_utils.sanitize import one_line

if TYPE_CHECKING:
    from hera_k8s_cli.runs.selection import RunHandle

_MOST_CAUSES: Final = 8
"""Causes of failure that are shown; the rest are counted."""


def show(outcome: Outcome, target: RunHandle, console: Console) -> None:
    """The end of a run: how it ended, why points failed and how to see what they printed, where things lie."""
    signs = console.out.glyphs
    sign = Span(signs.passed, "good") if outcome.succeeded else Span(signs.failed, "bad")
    console.result(sign, " ", outcome.sentence())
    if not outcome.succeeded and outcome.message and not outcome.message.startswith("child '"):
        console.result(f"  {outcome.message}")
    for line in cause_lines(outcome, console.out.width):
        console.result(line)
    for line in result_locations(target):
        console.result(line)
    if not outcome.succeeded and outcome.failed:
        console.hint(f"hera-k8s logs {target.short} --failed")


def cause_lines(outcome: Outcome, width: int | None = None) -> Iterator[str]:
    """Each cause of failure with a few of its points; width: columns of a line, as many as it takes by default."""
    for cause in outcome.causes[:_MOST_CAUSES]:
        one = cause.examples[0] if cause.count == 1 and cause.examples else None
        if one is not None and not one.parameters:
            yield _cut(f"  {one.title}  {_why(cause, one)}", width)
            yield from _log_line(one, width)
            continue
        noun = outcome.unit if one is None or outcome.unit == "task" else "point"
        yield _cut(f"  {pluralize(cause.count, noun)} of {cause.task}: {_why(cause, one)}", width)
        for each in cause.examples:
            yield _cut(f"    {each.title}", width)
            yield from _log_line(each, width)
        if cause.count > len(cause.examples):
            yield f"    and {cause.count - len(cause.examples)} more"
    if len(outcome.causes) > _MOST_CAUSES:
        yield f"  and {pluralize(len(outcome.causes) - _MOST_CAUSES, 'more cause', 'more causes')}"


def _why(cause: FailureCause, one: PointOutcome | None) -> str:
    attempts = {each.attempts for each in cause.examples}
    most = max(attempts, default=1)
    if most == 1:
        return cause.cause
    each = "" if one is not None else " each" if len(attempts) == 1 else " at most"
    return f"{cause.cause} ({pluralize(most, 'attempt')}{each})"


def _log_line(each: PointOutcome, width: int | None) -> Iterator[str]:
    """The line of the log, quoted: a task may print what looks like a line of ours."""
    if each.log:
        yield _cut(f"      | {each.log}", width)


def _cut(text: str, width: int | None) -> str:
    text = one_line(text)
    return text if width is None or len(text) <= width else f"{text[: max(1, width - 3)]}..."


def result_locations(target: RunHandle) -> list[str]:
    """Where the results and the record of a run lie."""
    if target.record is None:
        return []
    lines = []
    stated = target.record.metadata.get("results")
    results: Mapping[str, Any] = stated if isinstance(stated, Mapping) else {}
    if results.get("path"):
        lines.append(f"  results  {results.get('title', '')}: {results['path']}")
    if results.get("local"):
        lines.append(f"           on this disk: {results['local']}")
    return [*lines, f"  record   {target.record.path}/"]
