"""One thing that is wrong with a workflow, as the linters hand it on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hera_k8s_utils.names import nearest
from hera_k8s_utils.results import Verdict


class Problem(NamedTuple):
    """What is wrong and where, in one sentence without a full stop, and what to type about it."""

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
    """A hint that gives the nearest name, or what there is."""
    known = list(names)
    near = nearest(name, known)
    if near:
        return f"did you mean {near}?"
    return f"there {'is' if len(known) == 1 else 'are'} {', '.join(known[:8])}" if known else ""
