"""What is logged where, and what never is: known secrets, bearer tokens and passwords are redacted on the way out."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from hera_k8s_utils.output.streams import fitted
from hera_k8s_utils.redaction import redact
from hera_k8s_utils.sanitize import quoted


class RedactingFormatter(logging.Formatter):
    """Formats with another formatter and redacts what comes out, tracebacks included.

    A formatter rather than a filter: arguments, exceptions and their causes are text only after formatting.
    """

    def __init__(self, inner: logging.Formatter | None = None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._inner.format(record))


class _Terse(logging.Formatter):
    """`warning: ...` for people; with the name of the logger from -vv on. Tracebacks only when they were asked for.

    Whatever a message holds is made visible, and its further lines are marked.
    """

    def __init__(self, *, names: bool, tracebacks: bool) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s" if names else "%(levelname)s: %(message)s")
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        shown = logging.makeLogRecord({**record.__dict__, "levelname": record.levelname.lower()})
        if not self._tracebacks:
            shown.exc_info, shown.exc_text, shown.stack_info = None, None, None
        return quoted(super().format(shown))


if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler  # subscriptable from Python 3.11 on


class _Handler(_StreamHandler):
    """Wraps messages to the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return fitted(super().format(record), self.stream)


_SAID_ONCE: Final = (
    "hera_k8s_utils.config.resolution",
    "hera_k8s_utils.plugins.option_admission",
    "hera_k8s_utils.trust.seals",
)


class _Once(logging.Filter):
    """Options are resolved again when the experiment's own are known, credentials renewed: a warning is shown once."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name not in _SAID_ONCE:
            return True
        message = record.getMessage()
        new = message not in self._seen
        self._seen.add(message)
        return new


@contextmanager
def logging_to_stderr(verbosity: int = 0, *, tracebacks: bool = False) -> Iterator[None]:
    """Log to stderr inside the `with` block: warnings; with 1 what is being done; with 2 everything of ours.

    tracebacks: show those that came with a message, as with 2.

    Libraries stay at what is being done even then: kubernetes (37) logs whole response bodies, secrets included,
    when it is asked for everything.
    """
    handler = _Handler(sys.stderr)
    handler.setFormatter(RedactingFormatter(_Terse(names=verbosity > 1, tracebacks=tracebacks or verbosity > 1)))
    handler.addFilter(_Once())
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG)
    levels = {"": max(level, logging.INFO) if verbosity else logging.WARNING, **dict.fromkeys(_OURS, level)}
    if not verbosity:  # it warns of each request that it repeats; one that failed in the end is told as an error
        levels["urllib3"] = logging.ERROR
    before = {name: logging.getLogger(name).level for name in levels}
    root = logging.getLogger()
    root.addHandler(handler)
    logging.captureWarnings(True)  # Python prints them, and the line of source that they quote, as they are
    try:
        for name, wanted in levels.items():
            logging.getLogger(name).setLevel(wanted)
        with _guarding_threads():
            yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        for name, old in before.items():
            logging.getLogger(name).setLevel(old)


@contextmanager
def _guarding_threads() -> Iterator[None]:
    """What Python writes to stderr of an error that ends a thread is redacted and made visible too."""
    ended = threading.excepthook

    def told(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_type is not SystemExit and failed.exc_value is not None:
            trace = traceback.format_exception(failed.exc_type, failed.exc_value, failed.exc_traceback)
            name = getattr(failed.thread, "name", "")
            sys.stderr.write(quoted(redact(f"Exception in thread {name}:\n{''.join(trace)}")) + "\n")

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = ended


_OURS: Final = (
    "hera_k8s_utils",
    "hera_k8s_kube",
    "hera_k8s_argo",
    "hera_k8s_layouts",
    "hera_k8s_sandbox",
)
