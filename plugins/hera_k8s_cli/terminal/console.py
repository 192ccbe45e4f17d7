"""What people see: results on stdout, talk on stderr; colour and live progress on a terminal, plain text elsewhere."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TextIO, cast

from hera_k8s_utils.errors import OutputError
from hera_k8s_utils.formatting import align_columns, format_duration, pluralize
from hera_k8s_utils.output.streams import encodable, write, writing
from hera_k8s_utils.redaction import json_without_known, mask_known, redact
from hera_k8s_utils.results import Verdict
from hera_k8s_utils.sanitize import one_line, visible

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.text import Text

    from hera_k8s_utils.checks.runner import Report, Row
    from hera_k8s_utils.container.session import Session
    from hera_k8s_utils.experiment.model import BuiltExperiment
    from hera_k8s_utils.experiment.run_state import LogLine

Output = Literal["text", "json"]
Style = Literal["plain", "strong", "dim", "good", "warn", "bad", "hint"]

_RICH_STYLE: Final[Mapping[Style, str]] = {
    "plain": "",
    "strong": "bold",
    "dim": "dim",
    "good": "green",
    "warn": "yellow",
    "bad": "red",
    "hint": "cyan",
}
_STYLE_OF_VERDICT: Final[Mapping[Verdict, Style]] = {
    Verdict.PASSED: "good",
    Verdict.WARNING: "warn",
    Verdict.UNKNOWN: "warn",
    Verdict.FAILED: "bad",
    Verdict.ERROR: "bad",
}
_TITLE_WIDTH: Final = (20, 34)
"""The column of titles in a report is at least and at most this wide."""


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = "plain"


Piece = str | Span


@dataclass(frozen=True)
class Glyphs:
    """The marks of a line; the plain ones where the encoding of the stream has no others."""

    passed: str = "✔"
    warning: str = "!"
    unknown: str = "?"
    failed: str = "✘"
    ellipsis: str = "…"
    branch: str = "├─ "
    last: str = "└─ "
    trunk: str = "│  "
    plain: bool = False

    def of(self, verdict: Verdict) -> str:
        """The sign of a verdict."""
        return {
            Verdict.PASSED: self.passed,
            Verdict.WARNING: self.warning,
            Verdict.UNKNOWN: self.unknown,
        }.get(verdict, self.failed)


PLAIN_SIGNS: Final = Glyphs(passed="+", failed="x", ellipsis="...", branch="|- ", last="`- ", trunk="|  ", plain=True)


class Stream:
    """One of the two streams, and what it can show.

    terminal: a person is looking at it, through a screen whose lines can be written again. interactive: a person is
    looking at it. colour: styles are wanted (`NO_COLOR` and `TERM=dumb` forbid them, `FORCE_COLOR` asks for them in a
    pipe).

    file: None is a stream that the caller closed. required: raise `OutputError` when it takes no more, rather than go
    on unheard.
    """

    def __init__(self, file: TextIO | None, environ: Mapping[str, str], *, required: bool = True) -> None:
        self.file = file
        self.required = required
        dumb = environ.get("TERM", "") == "dumb"
        self.interactive = _is_terminal(file)
        self.terminal = self.interactive and not dumb
        self.colour = not environ.get("NO_COLOR") and (self.terminal or bool(environ.get("FORCE_COLOR")))
        self.encoding = getattr(file, "encoding", None) or "utf-8"
        self.signs = Glyphs() if _can_show(Glyphs(), self.encoding) else PLAIN_SIGNS
        self._rich: RichConsole | None = None

    @property
    def rich(self) -> RichConsole:
        """The same stream for rich; made on first use, since importing it takes as long as a small command."""
        if self._rich is None:
            self._rich = _rich_console(self)
        return self._rich

    @property
    def width(self) -> int | None:
        """Columns of the terminal, None where lines may be as long as they like."""
        return self.rich.width if self.terminal else None

    def line(self, pieces: Sequence[Piece]) -> None:
        """Write one line, whatever its pieces hold; no secret, and escapes for what the encoding lacks."""
        spans = [_made_visible(piece) for piece in pieces]
        if self.colour or self.terminal:
            self._styled(spans)
        else:
            self.write("".join(span.text for span in spans) + "\n")

    def write(self, text: str) -> None:
        """Write a text as it is: JSON, YAML, and what was made visible before."""
        with self._tolerant():
            write(self.file, text)

    def log_line(self, line: LogLine, by: str, *, colours: bool) -> None:
        """Write a line that a pod printed; by: what it is headed with."""
        head = f"{one_line(redact(by))}: " if by else ""
        if not self.interactive:
            self._faithful(head, line)
            return
        text = one_line(redact(line.text.removesuffix("\r")), colours=colours)
        if colours and self.terminal:
            from rich.text import Text

            self._print(Text.assemble((head, "dim"), Text.from_ansi(text)))
        else:
            self.line([Span(head, "dim"), text])

    def _faithful(self, head: str, line: LogLine) -> None:
        buffer, text = getattr(self.file, "buffer", None), mask_known(line.text)
        if line.raw is None or buffer is None or text != line.text:
            self.write(f"{head}{text}\n")
            return
        self.write(head)
        with self._tolerant(), writing():
            buffer.write(line.raw + b"\n")
            buffer.flush()

    def _styled(self, spans: Sequence[Span]) -> None:
        from rich.text import Text

        self._print(Text.assemble(*((encodable(span.text, self.file), _RICH_STYLE[span.style]) for span in spans)))

    def _print(self, text: Text) -> None:
        with self._tolerant(), writing():
            self.rich.print(text, soft_wrap=True, crop=False)

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        try:
            yield
        except OutputError:
            if self.required:
                raise


class Console:
    """Where commands speak.

    out, err: streams for results and for talk. output: `json` silences results meant for people.
    """

    def __init__(
        self,
        *,
        out: TextIO | None = None,
        err: TextIO | None = None,
        environ: Mapping[str, str] = os.environ,
        output: Output = "text",
        stdin: TextIO | None = None,
    ) -> None:
        self.out = Stream(out or sys.stdout, environ)
        self.err = Stream(err or sys.stderr, environ, required=False)
        self.output: Output = output
        self._stdin = stdin

    @property
    def json(self) -> bool:
        """Whether results are for programs."""
        return self.output == "json"

    # --- lines -------------------------------------------------------------------------------------------------

    def result(self, *pieces: Piece) -> None:
        """A line of the result, on stdout; nothing when results are JSON."""
        if not self.json:
            self.out.line(pieces)

    def say(self, *pieces: Piece) -> None:
        """A line of talk, on stderr; one that cannot be written is lost, and nothing else with it."""
        with suppress(OutputError):
            self.err.line(pieces)

    def passed(self, *pieces: Piece) -> None:
        """Talk: something went well."""
        self.say(Span(self.err.signs.passed, "good"), " ", *pieces)

    def warning(self, *pieces: Piece) -> None:
        """Talk: something the reader should know."""
        self.say(Span(self.err.signs.warning, "warn"), " ", *pieces)

    def hint(self, text: str, *, indent: int = 2) -> None:
        """Talk: what can be typed next."""
        self.say(" " * indent, Span("-> ", "dim"), Span(text, "hint"))

    # --- for programs ------------------------------------------------------------------------------------------

    def document(self, data: Any) -> None:
        """One JSON document on stdout, without known secrets."""
        self.out.write(_json(data, indent=2) + "\n")

    def record(self, data: Any) -> None:
        """One line of newline-delimited JSON on stdout, without known secrets."""
        self.out.write(_json(data, separators=(",", ":")) + "\n")

    def raw(self, text: str) -> None:
        """Text of many lines for files and programs, such as YAML: as it is, and made visible on a terminal.

        Known secrets are left out.
        """
        text = mask_known(text)
        self.out.write(visible(text) if self.out.interactive else text)

    def log_line(self, line: LogLine, *, by: str = "", colours: bool = False) -> None:
        """A line that a pod printed: on a terminal made visible, elsewhere as the pod printed it.

        by: who printed it, where lines of several are mixed. colours: on a terminal, keep what sets colours.
        """
        self.out.log_line(line, by, colours=colours)

    # --- questions ---------------------------------------------------------------------------------------------

    @property
    def can_ask(self) -> bool:
        """Whether there is a person to ask: the question and the answer both go through a terminal."""
        stdin = self._stdin or sys.stdin
        return self.err.terminal and stdin is not None and _is_terminal(stdin)

    def confirm(self, question: str) -> bool:
        """Ask for a yes; anything else, an end of input included, is a no."""
        self.err.write(f"{one_line(redact(question))} [y/N] ")
        answer = (self._stdin or sys.stdin).readline()
        return answer.strip().lower() in ("y", "yes")

    # --- reports -----------------------------------------------------------------------------------------------

    def head(self, lines: Iterable[Sequence[str]], *, talk: bool = False) -> None:
        """As whom and where: (name, where, source) for the experiment and for each platform."""
        rows = [list(line) for line in lines]
        names = [row[0].ljust(13) for row in rows]
        for name, rest in zip(names, align_columns([row[1:] for row in rows], gap=3), strict=True):
            self._line(talk, [Span(f"{name}  ", "strong"), rest])

    def report(self, report: Report, *, talk: bool = False, closing: str = "") -> None:
        """The whole report: sections, a line for each check, hints below, and what it came to."""
        stream = self.err if talk else self.out
        for section, rows in _sections(report.rows):
            self._line(talk, [Span(section, "strong")])
            for pieces in report_lines(rows, stream.signs, _title_width(report.rows), stream.width):
                self._line(talk, pieces)
        if report.rows:
            self._line(talk, [])
        self._line(talk, [report_summary(report) + (f" {closing}" if closing else "")])

    def remarks(self, report: Report) -> None:
        """Talk: only what is not simply well."""
        rows = [row for row in report.rows if row.result.verdict is not Verdict.PASSED]
        for pieces in report_lines(rows, self.err.signs, _title_width(rows), self.err.width):
            self.say(*pieces)

    def _line(self, talk: bool, pieces: Sequence[Piece]) -> None:
        if talk:
            self.say(*pieces)
        else:
            self.result(*pieces)

    # --- live --------------------------------------------------------------------------------------------------

    @contextmanager
    def live(self, renderable: Any) -> Iterator[None]:
        """Keep a renderable of rich at the foot of the terminal; lines said meanwhile go above it."""
        from rich.live import Live

        shown = Live(
            renderable,
            console=self.err.rich,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with shown:
            yield


def console_of(session: Session) -> Console:
    """The console of a session, with what built-in commands use besides the protocol for commands of plugins."""
    return cast("Console", session.console())


def report_lines(
    rows: Iterable[Row], signs: Glyphs, title_width: int, width: int | None = None
) -> Iterator[list[Piece]]:
    """The lines of some checks: sign, title, detail, and below them what can be typed.

    width: columns of the terminal, in which details are wrapped; None leaves them whole, one line for grep.
    """
    column = 4 + title_width + 1
    for row in rows:
        style = _STYLE_OF_VERDICT[row.result.verdict]
        details = _wrapped(redact(row.result.detail), None if width is None else width - column)
        title = one_line(row.title).ljust(title_width)
        yield ["  ", Span(signs.of(row.result.verdict), style), f" {title} ", details[0]]
        for line in details[1:]:
            yield [" " * column, line]
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
    """What is said of a report that lets a run go on: `9 checks in 0.3 s   argo.univ.example, as jdoe`."""
    where = f"   {describe_platform(report.identities[0])}" if report.identities else ""
    return f"{pluralize(len(report.rows), 'check')} in {format_duration(report.seconds)}{where}"


def identity_lines(
    built: BuiltExperiment, report: Report | None = None, head: Sequence[Mapping[str, str]] | None = None
) -> list[tuple[str, str, str]]:
    """The head of a report: the experiment, then as whom and where on each platform, and how that was found."""
    lines = [(built.experiment.name, built.inputs.describe(), built.source)]
    for line in head if head is not None else (report.identities if report else ()):
        lines.append((line.get("platform", ""), describe_platform(line), line.get("source", "")))
    return lines


def describe_platform(line: Mapping[str, str]) -> str:
    """`rancher.univ.example, namespace vcity, as u-x7k2`, leaving out what is not known."""
    server = line.get("server", "").partition("://")[2] or line.get("server", "")
    parts = [
        server.rstrip("/"),
        f"namespace {line['namespace']}" if line.get("namespace") else "",
        f"as {line['identity']}" if line.get("identity") else "",
    ]
    return ", ".join(part for part in parts if part)


def _sections(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for section in dict.fromkeys(row.section for row in rows):
        yield section, [row for row in rows if row.section == section]


def _title_width(rows: Iterable[Row]) -> int:
    narrowest, widest = _TITLE_WIDTH
    return max(narrowest, min(widest, max((len(row.title) for row in rows), default=0)))


def _wrapped(text: str, width: int | None) -> list[str]:
    """A text in one line, or in lines of this width."""
    line = one_line(text)
    if width is None or width < 20:
        return [line]
    return textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]


def _made_visible(piece: Piece) -> Span:
    text, style = piece if isinstance(piece, Span) else Span(piece)
    return Span(one_line(redact(text)), style)


def _json(data: Any, **form: Any) -> str:
    """JSON in ASCII without known secrets; json.dumps escapes all that acts on a terminal except DEL."""
    return json_without_known(data, ensure_ascii=True, **form).replace("\x7f", r"\u007f")


def _rich_console(stream: Stream) -> RichConsole:
    from rich.console import Console as RichConsole
    from rich.console import ConsoleOptions
    from rich.segment import Segment

    class Visible(RichConsole):
        """Whatever a renderable is made of, its text is made visible; the control codes are rich's own."""

        def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(visible(segment.text), segment.style)

    return Visible(
        file=stream.file,
        force_terminal=stream.terminal or stream.colour,
        no_color=not stream.colour,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )


def _is_terminal(file: TextIO | None) -> bool:
    try:
        return file is not None and file.isatty()
    except (AttributeError, ValueError):
        return False


def _can_show(signs: Glyphs, encoding: str) -> bool:
    try:
        "".join((signs.passed, signs.failed, signs.ellipsis, signs.branch, "━╸")).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
