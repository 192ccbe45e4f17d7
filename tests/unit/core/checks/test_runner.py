"""Running checks: side by side, each verdict kept apart, nothing that breaks or hangs counted as a pass."""

from __future__ import annotations

import sys
import threading

import pytest

from hera_k8s_utils import (
    CheckResult,
    ChecksFailed,
    ErrorKind,
    Finding,
    PlatformError,
    Verdict,
    fail,
    ok,
    unknown,
    warn,
)
from hera_k8s_utils.checks.runner import Check, Report, run_checks


def check(title: str, run, section: str = "Environment") -> Check:
    return Check(section, title, run)


def raising(error: Exception):
    def run() -> CheckResult:
        raise error

    return run


def verdicts(report: Report) -> dict[str, Verdict]:
    return {row.title: row.result.verdict for row in report.rows}


def test_all_checks_run_after_a_failure_and_the_report_keeps_their_order() -> None:
    report = run_checks([check("a", lambda: fail("no")), check("b", lambda: ok("yes")), check("c", lambda: warn("hm"))])
    assert [row.title for row in report.rows] == ["a", "b", "c"]
    assert report.counts == {"passed": 1, "warning": 1, "unknown": 0, "failed": 1, "error": 0}


def test_checks_run_at_the_same_time() -> None:
    meeting = threading.Barrier(8, timeout=20)
    report = run_checks([check(str(n), lambda: ok(str(meeting.wait()))) for n in range(8)], max_workers=8, timeout=30)
    assert set(verdicts(report).values()) == {Verdict.PASSED}


def test_width_bounds_how_many_run_at_once() -> None:
    lock, running, most = threading.Lock(), set(), []

    def look(name: int) -> CheckResult:
        with lock:
            running.add(name)
            most.append(len(running))
        threading.Event().wait(0.005)
        with lock:
            running.discard(name)
        return ok("")

    run_checks([check(str(n), lambda n=n: look(n)) for n in range(40)], max_workers=4)
    assert max(most) <= 4
    assert len(most) == 40


@pytest.mark.parametrize(
    ("error", "verdict", "word"),
    [
        (
            PlatformError("get x", kind=ErrorKind.MISSING, found='configmaps "x" not found'),
            Verdict.FAILED,
            "not found",
        ),
        (PlatformError("get x", kind=ErrorKind.FORBIDDEN), Verdict.UNKNOWN, "403"),
        (PlatformError("get x", kind=ErrorKind.UNAUTHORIZED, found="401"), Verdict.FAILED, "401"),
        (PlatformError("get x", kind=ErrorKind.TIMEOUT, found="no answer"), Verdict.FAILED, "no answer"),
        (PlatformError("get x", kind=ErrorKind.UNREACHABLE, found="refused"), Verdict.FAILED, "refused"),
        (RuntimeError("a bug"), Verdict.ERROR, "RuntimeError: a bug"),
    ],
)
def test_each_trouble_has_a_verdict_of_its_own(error: Exception, verdict: Verdict, word: str) -> None:
    row = run_checks([check("x", raising(error))]).rows[0]
    assert row.result.verdict is verdict
    assert word in row.result.detail


def test_a_checker_that_returns_nonsense_is_an_error_and_never_a_pass() -> None:
    report = run_checks([check("none", lambda: None), check("text", lambda: ["fine"])])
    assert set(verdicts(report).values()) == {Verdict.ERROR}


def test_a_checker_that_ends_its_thread_is_an_error_at_once() -> None:
    report = run_checks([check("leaves", lambda: sys.exit("no cluster"))], timeout=60)
    assert verdicts(report) == {"leaves": Verdict.ERROR}
    assert "SystemExit: no cluster" in report.rows[0].result.detail


def test_no_further_check_begins_once_the_report_was_given_up() -> None:
    begun: list[int] = []
    given_up = threading.Event()

    def first() -> CheckResult:
        return ok("")

    def second() -> CheckResult:
        given_up.wait(60)
        return ok("")

    def give_up(row: object) -> None:
        raise KeyboardInterrupt

    later = [check(str(n), lambda n=n: begun.append(n) or ok("")) for n in range(5)]
    with pytest.raises(KeyboardInterrupt):
        run_checks([check("first", first), check("second", second), *later], max_workers=1, on_row=give_up)
    workers = [thread for thread in threading.enumerate() if thread.name == "check"]
    given_up.set()
    for worker in workers:
        worker.join(60)
    assert begun == []


def test_a_check_that_hangs_is_named_and_the_others_are_answered() -> None:
    for_ever = threading.Event()
    report = run_checks(
        [check("hung", lambda: ok(str(for_ever.wait()))), *(check(str(n), lambda: ok("")) for n in range(5))],
        max_workers=1,
        timeout=0.2,
    )
    for_ever.set()
    assert verdicts(report)["hung"] is Verdict.FAILED
    assert "no answer within 0.2 s" in report.rows[0].result.detail
    assert len(report.of(Verdict.PASSED)) == 5


def test_what_only_computes_here_is_never_given_up() -> None:
    enough = threading.Event()

    def compute() -> CheckResult:
        return ok("done" if enough.wait(20) else "")

    def hang() -> CheckResult:
        threading.Event().wait(0.5)
        enough.set()
        return ok("")

    report = run_checks([Check("Workflow", "slow", compute, timed=False), check("hung", hang)], timeout=0.1)
    assert verdicts(report) == {"slow": Verdict.PASSED, "hung": Verdict.FAILED}


def test_one_check_may_come_to_several_findings() -> None:
    report = run_checks([check("access", lambda: iter([Finding("one", ok("")), Finding("two", fail("no"))]))])
    assert verdicts(report) == {"one": Verdict.PASSED, "two": Verdict.FAILED}


def test_everything_that_failed_is_named_at_once() -> None:
    report = run_checks([check(name, lambda: fail("gone", hint="make it")) for name in ("claim a", "claim b")])
    with pytest.raises(ChecksFailed) as caught:
        report.raise_if_failed()
    assert "claim a" in str(caught.value)
    assert "claim b" in str(caught.value)
    assert caught.value.exit_code == 5


def test_unknown_fails_only_when_asked_to() -> None:
    report = run_checks([check("a", lambda: unknown("may not look"))])
    report.raise_if_failed()
    with pytest.raises(ChecksFailed):
        report.raise_if_failed(strict=True)
