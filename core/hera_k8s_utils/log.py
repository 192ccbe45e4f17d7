"""What is logged where, and what never is: known secrets, bearer tokens and passwords are redacted on the way out."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

REDACTED: Final = "<redacted>"
_SHORTEST: Final = 4
"""Characters; hiding every occurrence of a shorter text would tell more than it hides."""

_JWT: Final = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)(\s+)(?=\S*[\d=])[\w.~+/:=-]{6,}")
_HEADER: Final = re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)(?:(?:bearer|basic)\s+)?[^\s'\",}]+")
_PARAMETER: Final = re.compile(r"(?i)([?&](?:access_token|token|password|secret)=)[^&\s'\"]+")
_PASSWORD: Final = re.compile(r"(://[^/\s:@'\"]*:)[^/\s@'\"]+(?=@)")

_known: set[str] = set()
_lock = threading.Lock()


def remember(secrets: Iterable[str]) -> None:
    """Redact these values from now on, wherever `redact` is used. Credential providers' tokens belong here too."""
    forms: set[str] = set()
    for secret in secrets:
        bare = re.sub(r"(?i)^bearer\s+", "", secret.strip())
        forms |= {secret, bare, urllib.parse.quote(bare, safe=""), json.dumps(bare)[1:-1]}
    with _lock:
        _known.update(form for form in forms if len(form) >= _SHORTEST)


@contextmanager
def forgetting() -> Iterator[None]:
    """Forget at the end of the `with` block what was remembered inside: a test's secret is no other test's."""
    with _lock:
        before = set(_known)
    try:
        yield
    finally:
        with _lock:
            _known.intersection_update(before)


def without_known(text: str) -> str:
    """A text without the secrets that were remembered; what only looks like one stays, as in a record of data."""
    with _lock:
        known = sorted(_known, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, REDACTED)
    return text


def redact(text: str) -> str:
    """A text without known secrets, bearer tokens, JSON web tokens and passwords in addresses."""
    text = without_known(text)
    text = _JWT.sub(REDACTED, text)
    text = _BEARER.sub(rf"\1\2{REDACTED}", text)
    text = _HEADER.sub(rf"\1{REDACTED}", text)
    text = _PARAMETER.sub(rf"\1{REDACTED}", text)
    return _PASSWORD.sub(rf"\1{REDACTED}", text)


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
    """`warning: ...` for people; with the name of the logger from -vv on. Tracebacks only when they were asked for."""

    def __init__(self, *, names: bool, tracebacks: bool) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s" if names else "%(levelname)s: %(message)s")
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        shown = logging.makeLogRecord({**record.__dict__, "levelname": record.levelname.lower()})
        if not self._tracebacks:
            shown.exc_info, shown.exc_text, shown.stack_info = None, None, None
        return super().format(shown)


_SAID_ONCE: Final = ("hera_k8s_utils.resolve", "hera_k8s_utils.consequences", "hera_k8s_utils.seals")


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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(_Terse(names=verbosity > 1, tracebacks=tracebacks or verbosity > 1)))
    handler.addFilter(_Once())
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG)
    levels = {"": max(level, logging.INFO) if verbosity else logging.WARNING, **dict.fromkeys(_OURS, level)}
    if not verbosity:  # it warns of each request that it repeats; one that failed in the end is told as an error
        levels["urllib3"] = logging.ERROR
    before = {name: logging.getLogger(name).level for name in levels}
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        for name, wanted in levels.items():
            logging.getLogger(name).setLevel(wanted)
        yield
    finally:
        root.removeHandler(handler)
        for name, old in before.items():
            logging.getLogger(name).setLevel(old)


_OURS: Final = (
    "hera_k8s_utils",
    "hera_k8s_kube",
    "hera_k8s_argo",
    "hera_k8s_layouts",
    "hera_k8s_sandbox",
)
