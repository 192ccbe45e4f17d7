"""Checks: all at once, each with its own time limit, and one report that says everything that is wrong."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from hera_k8s_utils._moved import renamed
from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import ChecksFailed, ErrorKind, HeraK8sError, PlatformError, PluginError
from hera_k8s_utils.results import CheckResult, Finding, Verdict, fail, unknown

log = logging.getLogger(__name__)

ACCESS, ENVIRONMENT, WORKFLOW = "Access", "Environment", "Workflow"
SECTIONS: Final = (ACCESS, ENVIRONMENT, WORKFLOW)


@dataclass(frozen=True)
class Check:
    """Something to find out: a title for its line, and a function that comes to one or more findings.

    timed: it waits for somebody else's answer, and is given up after a while. What only computes here takes as long as
    the sweep is large, and is not.
    """

    section: str
    title: str
    run: Callable[[], CheckResult | Iterable[Finding]]
    timed: bool = True


@dataclass(frozen=True)
class Row:
    """One line of a report.

    section: of the report, `Access`.
    title: what was checked, `claim results`.
    result: the verdict with its detail.
    seconds: how long the check took.
    kind: why a server did not answer as wanted; None where it did.
    """

    section: str
    title: str
    result: CheckResult
    seconds: float = 0.0
    kind: ErrorKind | None = None


@renamed(head="identities")
@dataclass(frozen=True)
class Report:
    """The results of all checks.

    rows: a line for each result, by section.
    seconds: from the first check to the last; they run concurrently.
    identities: the address and the identity in use, for each platform.
    """

    rows: Sequence[Row]
    seconds: float = 0.0
    identities: Sequence[Mapping[str, str]] = field(default_factory=tuple)

    @property
    def counts(self) -> dict[str, int]:
        """How many checks came to each verdict."""
        counted = Counter(row.result.verdict.value for row in self.rows)
        return {verdict.value: counted.get(verdict.value, 0) for verdict in Verdict}

    def of(self, *verdicts: Verdict) -> list[Row]:
        """The rows with one of these verdicts."""
        return [row for row in self.rows if row.result.verdict in verdicts]

    def failures(self, *, strict: bool = False) -> list[Row]:
        """The rows that forbid a run; `strict` counts what may not be looked at among them."""
        verdicts = [Verdict.FAILED, Verdict.ERROR, *([Verdict.UNKNOWN] if strict else [])]
        return self.of(*verdicts)

    def raise_if_failed(self, *, strict: bool = False) -> None:
        """Raise `ChecksFailed`, naming all that is wrong."""
        failures = self.failures(strict=strict)
        if not failures:
            return
        found = "; ".join(f"{row.title}: {row.result.detail}" for row in failures)
        hints = list(dict.fromkeys(row.result.hint for row in failures if row.result.hint))
        many = f"{len(failures)} checks" if len(failures) > 1 else "1 check"
        raise ChecksFailed(f"{many} failed", found=found, hint=" ; ".join(hints))

    def to_json(self) -> Json:
        """The report as plain data."""
        return {
            "head": [dict(line) for line in self.identities],
            "seconds": round(self.seconds, 3),
            "counts": self.counts,
            "checks": [
                {
                    "section": row.section,
                    "title": row.title,
                    "verdict": row.result.verdict.value,
                    "detail": row.result.detail,
                    "hint": row.result.hint,
                    "url": row.result.url,
                    "seconds": round(row.seconds, 3),
                }
                for row in self.rows
            ],
        }


def run_checks(
    checks: Sequence[Check],
    *,
    max_workers: int = 32,
    timeout: float = 10.0,
    on_row: Callable[[Row], None] | None = None,
) -> Report:
    """Run checks concurrently; the report keeps their order.

    max_workers: how many run at a time.
    timeout: seconds for each; one that takes longer is reported as failed and left behind in its daemon thread, so
        that it does not keep the program alive.
    on_row: called with each row as it comes.
    """
    started = time.monotonic()
    pool = _Pool(checks, max(1, max_workers), timeout)
    answers: dict[int, list[Row]] = {}
    try:
        for index, rows in pool.results():
            answers[index] = rows
            for row in rows if on_row else ():
                on_row(row)  # type: ignore[misc]
    finally:
        pool.cancel_pending()  # after Ctrl-C, in a notebook, nothing more is to be asked
    ordered = [row for index in range(len(checks)) for row in answers[index]]
    ordered.sort(key=lambda row: SECTIONS.index(row.section) if row.section in SECTIONS else len(SECTIONS))
    return Report(ordered, time.monotonic() - started)


class _Pool:
    """Daemon threads that take checks from a queue; a hung one is replaced so that the others go on."""

    def __init__(self, checks: Sequence[Check], width: int, timeout: float) -> None:
        self._checks = checks
        self._timeout = timeout
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, list[Row]]] = queue.SimpleQueue()
        self._began: dict[int, float] = {}
        for index in range(len(checks)):
            self._todo.put(index)
        for _ in range(min(width, len(checks))):
            self._spawn()

    def _spawn(self) -> None:
        threading.Thread(target=self._work, name="check", daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                index = self._todo.get_nowait()
            except queue.Empty:
                return
            self._began[index] = time.monotonic()
            self._done.put((index, _rows(self._checks[index])))

    def cancel_pending(self) -> None:
        """Begin no further check."""
        with suppress(queue.Empty):
            while True:
                self._todo.get_nowait()

    def results(self) -> Iterable[tuple[int, list[Row]]]:
        """Each check's rows as they come, or a failure for one whose time is up."""
        waiting = set(range(len(self._checks)))
        while waiting:
            try:
                index, rows = self._done.get(timeout=self._until_next_deadline(waiting))
            except queue.Empty:
                for late in self._late(waiting):
                    waiting.discard(late)
                    self._spawn()
                    yield late, [self._timed_out(late)]
                continue
            if index in waiting:
                waiting.discard(index)
                yield index, rows

    def _until_next_deadline(self, waiting: set[int]) -> float:
        oldest = min((self._began[index] for index in self._running(waiting)), default=time.monotonic())
        return max(0.01, oldest + self._timeout - time.monotonic())

    def _late(self, waiting: set[int]) -> list[int]:
        now = time.monotonic()
        return [index for index in self._running(waiting) if now - self._began[index] >= self._timeout]

    def _running(self, waiting: set[int]) -> list[int]:
        """The checks under way that may be given up."""
        return sorted(index for index in waiting if index in self._began and self._checks[index].timed)

    def _timed_out(self, index: int) -> Row:
        check = self._checks[index]
        result = fail(f"no answer within {self._timeout:g} s", hint="--check-timeout SECONDS allows more")
        return Row(check.section, check.title, result, self._timeout)


def _rows(check: Check) -> list[Row]:
    began = time.monotonic()
    kind: ErrorKind | None = None
    try:
        answer = check.run()
        findings = [Finding(check.title, answer)] if isinstance(answer, CheckResult) else _listed(answer)
        wrong = [f for f in findings if not isinstance(f, Finding) or not isinstance(f.result, CheckResult)]
        if wrong:
            findings = [Finding(check.title, _crashed(TypeError(f"it returned a {type(wrong[0]).__name__}")))]
    except PlatformError as error:
        kind = error.kind
        findings = [Finding(check.title, result_from_error(error))]
    except PluginError as error:
        findings = [Finding(check.title, CheckResult(Verdict.ERROR, _sentence(error), hint=error.hint))]
    except HeraK8sError as error:
        findings = [Finding(check.title, fail(_sentence(error), hint=error.hint))]
    except BaseException as error:  # SystemExit too, which would end the thread without a word
        log.debug("the check %s broke", check.title, exc_info=True)
        findings = [Finding(check.title, _crashed(error))]
    seconds = time.monotonic() - began
    return [Row(check.section, finding.title, finding.result, seconds, kind) for finding in findings]


def _listed(answer: object) -> list[Finding]:
    if not isinstance(answer, Iterable) or isinstance(answer, str):
        raise TypeError(f"it returned a {type(answer).__name__}, not a CheckResult or findings")
    return list(answer)


def result_from_error(error: PlatformError) -> CheckResult:
    """What a server's refusal says of a resource: missing fails, forbidden is unknown, the rest fails by its cause."""
    if error.kind is ErrorKind.FORBIDDEN:
        return unknown("not ours to look at (403)", hint=error.hint)
    if error.kind is ErrorKind.MISSING:
        return fail(error.found or "not found", hint=error.hint)
    return fail(_sentence(error), hint=error.hint)


def _sentence(error: HeraK8sError) -> str:
    found = " ".join(error.found.split()) if error.found.startswith("\n") else error.found
    return f"{error.wanted}: {found}" if found else error.wanted


def _crashed(error: BaseException) -> CheckResult:
    return CheckResult(
        Verdict.ERROR,
        f"the checker broke: {type(error).__name__}: {error}",
        hint="--debug shows where; it is not a pass",
    )
