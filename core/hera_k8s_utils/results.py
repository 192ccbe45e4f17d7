"""Results of checks: a verdict with its detail, a hint that can be typed, and a URL."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hera_k8s_utils.redaction import redact


class Verdict(str, Enum):
    """What a check came to. UNKNOWN: it may not be looked at; ERROR: the checker itself broke, never a pass."""

    PASSED = "passed"
    WARNING = "warning"
    UNKNOWN = "unknown"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True)
class CheckResult:
    """A verdict, what was found in a few words, what can be typed about it, and a page to read; without secrets."""

    verdict: Verdict
    detail: str
    hint: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        for name in ("detail", "hint", "url"):
            object.__setattr__(self, name, redact(str(getattr(self, name))))


def ok(detail: str) -> CheckResult:
    """It is there and fit for use."""
    return CheckResult(Verdict.PASSED, detail)


def warn(detail: str, hint: str = "", url: str = "") -> CheckResult:
    """It will probably work, and the reader should know why it may not."""
    return CheckResult(Verdict.WARNING, detail, hint, url)


def unknown(detail: str, hint: str = "", url: str = "") -> CheckResult:
    """It may not be looked at, or cannot be told."""
    return CheckResult(Verdict.UNKNOWN, detail, hint, url)


def fail(detail: str, hint: str = "", url: str = "") -> CheckResult:
    """The run would fail or hang."""
    return CheckResult(Verdict.FAILED, detail, hint, url)


@dataclass(frozen=True)
class Finding:
    """A result with the title of its line in the report, such as `claim results`."""

    title: str
    result: CheckResult
