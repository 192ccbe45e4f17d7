"""Problems of a workload, as linters find them and as a report shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from hera_k8s_utils.names import nearest
from hera_k8s_utils.results import CheckResult, Finding, Verdict, ok

NAMES: Final = "names, references"
"""Title of the findings about names, shapes and references."""
_MOST_SHOWN: Final = 8


class Problem(NamedTuple):
    """One thing that is wrong with a workload.

    verdict: failed or warning.
    text: what is wrong and where, in one sentence without a full stop.
    hint: what to type or change; default none.
    """

    verdict: Verdict
    text: str
    hint: str = ""


def lint_error(text: str, hint: str = "") -> Problem:
    """The server would refuse it, or the run would fail."""
    return Problem(Verdict.FAILED, text, hint)


def lint_warning(text: str, hint: str = "") -> Problem:
    """It will run, perhaps otherwise than meant."""
    return Problem(Verdict.WARNING, text, hint)


def lint_suggestion(name: str, names: Iterable[str]) -> str:
    """A hint that gives the nearest name, or the names that exist."""
    known = list(names)
    near = nearest(name, known)
    if near:
        return f"did you mean {near}?"
    return f"there {'is' if len(known) == 1 else 'are'} {', '.join(known[:8])}" if known else ""


def findings_of(title: str, problems: Iterable[Problem], passed: str) -> Iterator[Finding]:
    """A finding for each problem, the worst first, each once; one finding when there is no problem.

    passed: what that one finding says.
    """
    found = sorted(dict.fromkeys(problems), key=lambda problem: problem.verdict is not Verdict.FAILED)
    for problem in found[:_MOST_SHOWN]:
        yield Finding(title, CheckResult(problem.verdict, problem.text, problem.hint))
    rest = found[_MOST_SHOWN:]
    if rest:
        yield Finding(title, CheckResult(rest[0].verdict, f"and {len(rest)} more of the kind"))
    if not found:
        yield Finding(title, ok(passed))


def format_size(size: int) -> str:
    """Bytes of a manifest: `0.8 kB`, `20.8 kB`, `1.05 MB` (powers of ten)."""
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.2f} MB"
