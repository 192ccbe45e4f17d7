"""Reports of checks as lines: sections, verdicts, hints, and the identities under which servers were asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hera_k8s_cli.terminal.stream import Glyphs, Piece, Span, Style
from hera_k8s_utils.formatting import align_columns, format_duration, pluralize
from hera_k8s_utils.results import Verdict
from hera_k8s_utils.sanitize import one_line

if TYPE_CHECKING:
    from hera_k8s_utils.checks.runner import Report, Row
    from hera_k8s_utils.experiment.model import BuiltExperiment

_STYLE_OF_VERDICT: Final[Mapping[Verdict, Style]] = {
    Verdict.PASSED: "good",
    Verdict.WARNING: "warn",
    Verdict.UNKNOWN: "warn",
    Verdict.FAILED: "bad",
    Verdict.ERROR: "bad",
}
_TITLE_WIDTH: Final = (20, 34)
"""The column of titles in a report is at least and at most this wide."""


def identity_table(lines: Iterable[Sequence[str]]) -> Iterator[list[Piece]]:
    """The head of a report, from rows of (name, address, source)."""
    rows = [list(line) for line in lines]
    names = [row[0].ljust(13) for row in rows]
    for name, rest in zip(names, align_columns([row[1:] for row in rows], gap=3), strict=True):
        yield [Span(f"{name}  ", "strong"), rest]


def section_lines(report: Report, glyphs: Glyphs) -> Iterator[list[Piece]]:
    """All checks of a report, by sections, and an empty line."""
    for section, rows in _sections(report.rows):
        yield [Span(section, "strong")]
        yield from report_lines(rows, glyphs, _title_width(report.rows))
    if report.rows:
        yield []


def remark_lines(report: Report, glyphs: Glyphs) -> Iterator[list[Piece]]:
    """The checks of a report that did not pass."""
    rows = [row for row in report.rows if row.result.verdict is not Verdict.PASSED]
    return report_lines(rows, glyphs, _title_width(rows))


def report_lines(rows: Iterable[Row], glyphs: Glyphs, title_width: int) -> Iterator[list[Piece]]:
    """The lines of some checks: glyph, title and detail, then the hints."""
    column = 4 + title_width + 1
    for row in rows:
        style = _STYLE_OF_VERDICT[row.result.verdict]
        title = one_line(row.title).ljust(title_width)
        yield ["  ", Span(_glyph(glyphs, row.result.verdict), style), f" {title} ", row.result.detail]
        for line in row.result.hint.split("\n") if row.result.hint else ():
            yield [" " * column, Span("-> ", "dim"), Span(line, "hint")]
        if row.result.url:
            yield [" " * column, Span(row.result.url, "dim")]


def report_summary(report: Report) -> str:
    """`9 checks in 0.31 s: 5 passed, 1 warning, 1 unknown, 2 failed.`"""
    counts = report.counts
    said = [
        f"{counts['passed']} passed",
        pluralize(counts["warning"], "warning") if counts["warning"] else "",
        f"{counts['unknown']} unknown" if counts["unknown"] else "",
        f"{counts['failed']} failed" if counts["failed"] else "",
        f"{counts['error']} broken" if counts["error"] else "",
    ]
    many = pluralize(len(report.rows), "check")
    return f"{many} in {format_duration(report.seconds)}: {', '.join(part for part in said if part)}."


def report_brief(report: Report) -> str:
    """A report in one line: `9 checks in 0.3 s   argo.univ.example, as jdoe`."""
    where = f"   {describe_platform(report.identities[0])}" if report.identities else ""
    return f"{pluralize(len(report.rows), 'check')} in {format_duration(report.seconds)}{where}"


def identity_lines(
    built: BuiltExperiment, report: Report | None = None, head: Sequence[Mapping[str, str]] | None = None
) -> list[tuple[str, str, str]]:
    """The head of a report: the experiment, then the identity and namespace on each platform, and their source."""
    lines = [(built.experiment.name, built.inputs.describe(), built.source)]
    for line in head if head is not None else (report.identities if report else ()):
        lines.append((line.get("platform", ""), describe_platform(line), line.get("source", "")))
    return lines


def describe_platform(line: Mapping[str, str]) -> str:
    """`rancher.univ.example, namespace vcity, as u-x7k2`, without what is unknown."""
    server = line.get("server", "").partition("://")[2] or line.get("server", "")
    parts = [
        server.rstrip("/"),
        f"namespace {line['namespace']}" if line.get("namespace") else "",
        f"as {line['identity']}" if line.get("identity") else "",
    ]
    return ", ".join(part for part in parts if part)


def _glyph(glyphs: Glyphs, verdict: Verdict) -> str:
    known = {Verdict.PASSED: glyphs.passed, Verdict.WARNING: glyphs.warning, Verdict.UNKNOWN: glyphs.unknown}
    return known.get(verdict, glyphs.failed)


def _sections(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for section in dict.fromkeys(row.section for row in rows):
        yield section, [row for row in rows if row.section == section]


def _title_width(rows: Iterable[Row]) -> int:
    narrowest, widest = _TITLE_WIDTH
    return max(narrowest, min(widest, max((len(row.title) + 1 for row in rows), default=0)))
