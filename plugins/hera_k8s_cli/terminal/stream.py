"""One standard stream: what it can show, and how a line gets there with secrets masked and control codes visible."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TextIO

from hera_k8s_utils.errors import OutputError
from hera_k8s_utils.formatting import line_breaks
from hera_k8s_utils.output.streams import encodable, write, writing
from hera_k8s_utils.redaction import mask_known, redact
from hera_k8s_utils.sanitize import one_line, visible

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.text import Text

    from hera_k8s_utils.experiment.run_state import LogLine

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


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = "plain"


Piece = str | Span


@dataclass(frozen=True)
class Glyphs:
    """The marks at the beginning of lines, and the branches of trees."""

    passed: str = "✔"
    warning: str = "!"
    unknown: str = "?"
    failed: str = "✘"
    ellipsis: str = "…"
    branch: str = "├─ "
    last: str = "└─ "
    trunk: str = "│  "
    plain: bool = False


PLAIN_GLYPHS: Final = Glyphs(passed="+", failed="x", ellipsis="...", branch="|- ", last="`- ", trunk="|  ", plain=True)


class Stream:
    """A standard stream.

    file: the stream; None when the caller closed it.
    required: whether to raise `OutputError` when it cannot be written to; otherwise the output is lost.
    interactive: whether it is a terminal.
    terminal: whether it is a terminal on which lines can be rewritten (not with `TERM=dumb`).
    colour: whether styles are shown: on a terminal, or with `FORCE_COLOR`; never with `NO_COLOR`.
    glyphs: the marks that its encoding has.
    """

    def __init__(self, file: TextIO | None, environ: Mapping[str, str], *, required: bool = True) -> None:
        self.file = file
        self.required = required
        dumb = environ.get("TERM", "") == "dumb"
        self.interactive = is_terminal(file)
        self.terminal = self.interactive and not dumb
        self.colour = not environ.get("NO_COLOR") and (self.terminal or bool(environ.get("FORCE_COLOR")))
        self.encoding = getattr(file, "encoding", None) or "utf-8"
        self.glyphs = Glyphs() if _can_show(Glyphs(), self.encoding) else PLAIN_GLYPHS
        self._rich: RichConsole | None = None

    @property
    def rich(self) -> RichConsole:
        """The same stream for rich, which is slow to import and so made on first use."""
        if self._rich is None:
            self._rich = _rich_console(self)
        return self._rich

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where lines are not wrapped."""
        return self.rich.width if self.terminal else None

    @property
    def signs(self) -> Glyphs:
        """The name of `glyphs` in 0.2."""
        warnings.warn("signs is now glyphs; signs works until version 0.3", DeprecationWarning, stacklevel=2)
        return self.glyphs

    def line(self, pieces: Sequence[Piece], *, wrap: bool = True) -> None:
        """Write one line, with secrets masked and escapes for characters that the encoding lacks.

        wrap: break it between words, with a hanging indent, where a terminal is narrower.
        """
        spans = [_made_visible(piece) for piece in pieces]
        if self.colour or self.terminal:
            self._styled(spans, wrap=wrap)
        else:
            self.write("".join(span.text for span in spans) + "\n")

    def write(self, text: str) -> None:
        """Write a text as it is: JSON, YAML, and text whose control codes are visible already."""
        with self._tolerant():
            write(self.file, text)

    def log_line(self, line: LogLine, by: str, *, colours: bool) -> None:
        """Write a line that a pod printed. by: its heading."""
        head = f"{one_line(redact(by))}: " if by else ""
        if not self.interactive:
            self._faithful(head, line)
            return
        text = one_line(redact(line.text.removesuffix("\r")), colours=colours)
        if colours and self.terminal:
            from rich.text import Text

            self._print(Text.assemble((head, "dim"), Text.from_ansi(text)))
        else:
            self.line([Span(head, "dim"), text], wrap=False)

    def _faithful(self, head: str, line: LogLine) -> None:
        buffer, text = getattr(self.file, "buffer", None), mask_known(line.text)
        if line.raw is None or buffer is None or text != line.text:
            self.write(f"{head}{text}\n")
            return
        self.write(head)
        with self._tolerant(), writing():
            buffer.write(line.raw + b"\n")
            buffer.flush()

    def _styled(self, spans: Sequence[Span], *, wrap: bool) -> None:
        from rich.text import Text

        text = Text.assemble(*((encodable(span.text, self.file), _RICH_STYLE[span.style]) for span in spans))
        breaks, hang = line_breaks(text.plain, self.width) if wrap and self.width else ([], 0)
        parts = list(text.divide(breaks))
        for part in parts[:-1]:
            part.rstrip()
        self._print(Text("\n" + " " * hang).join(parts))

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


def _made_visible(piece: Piece) -> Span:
    text, style = piece if isinstance(piece, Span) else Span(piece)
    return Span(one_line(redact(text)), style)


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


def is_terminal(file: TextIO | None) -> bool:
    """Whether a stream is a terminal."""
    try:
        return file is not None and file.isatty()
    except (AttributeError, ValueError):
        return False


def _can_show(glyphs: Glyphs, encoding: str) -> bool:
    try:
        "".join((glyphs.passed, glyphs.failed, glyphs.ellipsis, glyphs.branch, "━╸")).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
