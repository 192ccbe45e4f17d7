"""The console as commands of plugins use it: results on stdout, messages on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hera_k8s_utils.checks.runner import Report
    from hera_k8s_utils.experiment.run_state import LogLine


class Console(Protocol):
    """What a command writes to; `session.console()` returns it.

    Results go to stdout, messages to stderr, so that a pipe holds results alone. Secrets are masked, and control
    characters are made visible. A line is given as one text or several, which are joined.
    """

    @property
    def json(self) -> bool:
        """Whether results are for programs (`--output json`): `document` or `record` writes them then."""

    # --- results, on stdout ------------------------------------------------------------------------------------

    def result(self, *pieces: Any) -> None:
        """Write one line of the result; nothing with `--output json`."""

    def document(self, data: Any) -> None:
        """Write one JSON document."""

    def record(self, data: Any) -> None:
        """Write one line of newline-delimited JSON."""

    def write(self, text: str) -> None:
        """Write text of many lines for files and programs, such as YAML, without known secrets."""

    def log_line(self, line: LogLine, *, by: str = "", colours: bool = False) -> None:
        """Write a line that a pod printed.

        by: the pod or task, where lines of several are mixed.
        colours: keep the line's own colours on a terminal.
        """

    # --- messages, on stderr -----------------------------------------------------------------------------------

    def info(self, *pieces: Any) -> None:
        """Write a message."""

    def success(self, *pieces: Any) -> None:
        """Write a message with the sign of a passed check."""

    def warning(self, *pieces: Any) -> None:
        """Write a message with the sign of a warning."""

    def hint(self, text: str, *, indent: int = 2) -> None:
        """Write a command that can be typed next."""

    # --- names of 0.2, until 0.3 -------------------------------------------------------------------------------

    def say(self, *pieces: Any) -> None:
        """`info`."""

    def passed(self, *pieces: Any) -> None:
        """`success`."""

    def raw(self, text: str) -> None:
        """`write`."""

    # --- questions ---------------------------------------------------------------------------------------------

    @property
    def can_ask(self) -> bool:
        """Whether a question can be asked: stdin and stderr are terminals."""

    def confirm(self, question: str) -> bool:
        """Ask; True for `y` or `yes`, False for anything else."""

    # --- reports of checks -------------------------------------------------------------------------------------

    def head(self, lines: Iterable[Sequence[str]], *, stderr: bool = False) -> None:
        """Write rows of (name, address, source) for the experiment and each platform."""

    def report(self, report: Report, *, stderr: bool = False, closing: str = "") -> None:
        """Write a report: a line for each check with its hints, and the summary.

        closing: a sentence after the summary.
        """

    def remarks(self, report: Report) -> None:
        """Write, on stderr, only the checks that did not pass."""
