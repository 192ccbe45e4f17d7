"""The console: results on stdout, messages on stderr; colour and live progress on a terminal, plain text elsewhere."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

from hera_k8s_cli.terminal.report import identity_table, remark_lines, report_summary, section_lines
from hera_k8s_cli.terminal.stream import Piece, Span, Stream, is_terminal
from hera_k8s_utils.errors import OutputError
from hera_k8s_utils.redaction import json_without_known, mask_known, redact
from hera_k8s_utils.sanitize import one_line, visible

if TYPE_CHECKING:
    from hera_k8s_utils.checks.runner import Report
    from hera_k8s_utils.container.session import Session
    from hera_k8s_utils.experiment.run_state import LogLine

Output = Literal["text", "json"]


class Console:
    """The console of the command line; see `hera_k8s_utils.Console` for the part that commands of plugins use.

    out: stream for results, by default stdout.
    err: stream for messages, by default stderr.
    environ: variables that say whether colours are shown.
    output: `json` suppresses results that are meant for people.
    stdin: where answers are read from.
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

    def info(self, *pieces: Piece) -> None:
        """A message, on stderr. One that cannot be written is lost."""
        with suppress(OutputError):
            self.err.line(pieces)

    def success(self, *pieces: Piece) -> None:
        """A message with the glyph of a passed check."""
        self.info(Span(self.err.glyphs.passed, "good"), " ", *pieces)

    def warning(self, *pieces: Piece) -> None:
        """A message with the glyph of a warning."""
        self.info(Span(self.err.glyphs.warning, "warn"), " ", *pieces)

    def hint(self, text: str, *, indent: int = 2) -> None:
        """A message with a command that can be typed next."""
        self.info(" " * indent, Span("-> ", "dim"), Span(text, "hint"))

    # --- for programs ------------------------------------------------------------------------------------------

    def document(self, data: Any) -> None:
        """One JSON document on stdout, without known secrets."""
        self.out.write(_json(data, indent=2) + "\n")

    def record(self, data: Any) -> None:
        """One line of newline-delimited JSON on stdout, without known secrets."""
        self.out.write(_json(data, separators=(",", ":")) + "\n")

    def write(self, text: str) -> None:
        """Text of many lines for files and programs, such as YAML, without known secrets.

        On a terminal its control codes are made visible.
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
        return self.err.terminal and stdin is not None and is_terminal(stdin)

    def confirm(self, question: str) -> bool:
        """Ask for a yes; anything else, an end of input included, is a no."""
        self.err.write(f"{one_line(redact(question))} [y/N] ")
        answer = (self._stdin or sys.stdin).readline()
        return answer.strip().lower() in ("y", "yes")

    # --- reports -----------------------------------------------------------------------------------------------

    def head(self, lines: Iterable[Sequence[str]], *, stderr: bool = False, talk: bool | None = None) -> None:
        """The identities of a report: rows of (name, address, source) for the experiment and for each platform."""
        self._lines(identity_table(lines), stderr=_renamed_talk(stderr, talk))

    def report(self, report: Report, *, stderr: bool = False, closing: str = "", talk: bool | None = None) -> None:
        """A whole report: sections, a line for each check with its hints below, and the summary.

        closing: a sentence after the summary.
        """
        stderr = _renamed_talk(stderr, talk)
        stream = self.err if stderr else self.out
        self._lines(section_lines(report, stream.glyphs), stderr=stderr)
        self._lines([[report_summary(report) + (f" {closing}" if closing else "")]], stderr=stderr)

    def remarks(self, report: Report) -> None:
        """Only the checks that did not pass, on stderr."""
        self._lines(remark_lines(report, self.err.glyphs), stderr=True)

    def _lines(self, lines: Iterable[Sequence[Piece]], *, stderr: bool) -> None:
        write = self.info if stderr else self.result
        for pieces in lines:
            write(*pieces)

    # --- names of 0.2, until 0.3 -------------------------------------------------------------------------------

    def say(self, *pieces: Piece) -> None:
        """`info`."""
        _warn("Console.say", "Console.info")
        self.info(*pieces)

    def passed(self, *pieces: Piece) -> None:
        """`success`."""
        _warn("Console.passed", "Console.success")
        self.success(*pieces)

    def raw(self, text: str) -> None:
        """`write`."""
        _warn("Console.raw", "Console.write")
        self.write(text)

    # --- live --------------------------------------------------------------------------------------------------

    @contextmanager
    def live(self, renderable: Any) -> Iterator[None]:
        """Keep a renderable of rich at the foot of the terminal; other lines go above it."""
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


def _renamed_talk(stderr: bool, talk: bool | None) -> bool:
    if talk is None:
        return stderr
    _warn("talk=", "stderr=", stacklevel=4)
    return talk


def _warn(old: str, new: str, stacklevel: int = 3) -> None:
    warnings.warn(f"{old} is now {new}; {old} works until version 0.3", DeprecationWarning, stacklevel=stacklevel)


def _json(data: Any, **form: Any) -> str:
    """JSON in ASCII without known secrets; json.dumps escapes all that acts on a terminal except DEL."""
    return json_without_known(data, ensure_ascii=True, **form).replace("\x7f", r"\u007f")
