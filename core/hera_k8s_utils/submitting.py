"""Submitting an object exactly once: under its own name, and recognised by its digest when an answer was lost.

And trying it out before, without keeping it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .declarations import CheckResult, Json, Submission, fail, ok, unknown, warn
from .errors import PlatformError, SubmissionUnknown, SubmitError, Trouble
from .manifest import DIGEST_LABEL

_RUN: Final = "hera-k8s-utils/run"
_TRIES: Final = 4

_REFUSED: Final = frozenset(
    {Trouble.INVALID, Trouble.UNAUTHORIZED, Trouble.FORBIDDEN, Trouble.MISSING, Trouble.UNTRUSTED}
)
"""Answers after which this try surely made nothing. A conflict is not one of them, nor is a lost answer."""
_LOST: Final = frozenset({Trouble.UNREACHABLE, Trouble.TIMEOUT})
"""No answer came: the request may be carried out yet."""


@dataclass(frozen=True)
class Desk:
    """Where objects of one kind are handed in, by way of one server.

    create: sends the object once. read: gives the one of a name. url: its page, None where it has none.
    pause: waits for so many seconds before another try. word: what people call the kind.
    """

    namespace: str
    create: Callable[[Json], Json]
    read: Callable[[str], Json]
    url: Callable[[str], str] | None = None
    pause: Callable[[float], None] = time.sleep
    word: str = "workflow"


def submit_once(wanted: Json, desk: Desk) -> Submission:
    """Create an object that has a name and a digest label, or recognise it when an earlier try had arrived after all.

    Its name is fixed, so that a second try can at worst be refused: as a conflict, or by a quota that the first has
    used up. Then what is there is read and its digest compared. Raises `SubmitError`.
    """
    name = wanted["metadata"]["name"]
    for attempt in range(_TRIES):
        if attempt:
            desk.pause(min(8.0, 0.5 * 2**attempt))
        try:
            return _submission(desk.create(wanted), desk, existed=False)
        except PlatformError as error:
            if error.trouble in _REFUSED and attempt == 0:
                raise _refused(name, desk, error) from error
            found = _read_back(wanted, desk, error)
            if found is not None:
                _compare(wanted, found, desk)
                return _submission(found, desk, existed=True)
            if error.trouble in _REFUSED | {Trouble.CONFLICT, Trouble.THROTTLED}:
                raise _refused(name, desk, error) from error
            last = error
    if last.trouble in _LOST:
        raise _undecided(wanted, f"{last.found or last.wanted}; it is not there so far") from last
    raise _refused(name, desk, last) from last


def _read_back(wanted: Json, desk: Desk, error: PlatformError) -> Json | None:
    """The object of this name, None when there surely is none."""
    name = wanted["metadata"]["name"]
    for attempt in range(_TRIES):
        try:
            return desk.read(name)
        except PlatformError as reading:
            if reading.trouble is Trouble.MISSING:
                return None
            if reading.trouble in _REFUSED or attempt == _TRIES - 1:
                told = f"{error.found or error.wanted}; then, reading it back: {reading.found or reading.wanted}"
                raise _undecided(wanted, told) from error
            desk.pause(min(8.0, 0.5 * 2**attempt))
    return None


def _compare(wanted: Json, found: Json, desk: Desk) -> None:
    labels: Mapping[str, str] = (found.get("metadata") or {}).get("labels") or {}
    if labels.get(DIGEST_LABEL) == wanted["metadata"]["labels"][DIGEST_LABEL]:
        return
    name = wanted["metadata"]["name"]
    ours = DIGEST_LABEL in labels
    what = "another experiment or other inputs" if ours else f"a {desk.word} that hera-k8s did not submit"
    run = _RUN in wanted["metadata"]["labels"]
    raise SubmitError(
        f"{name} was not submitted",
        found=f"the name is taken in {desk.namespace} by {what}",
        hint="choose another --run-id, or leave it out" if run else "choose another name",
    )


def _submission(answer: Json, desk: Desk, *, existed: bool) -> Submission:
    metadata = answer.get("metadata") or {}
    name = str(metadata.get("name") or "")
    return Submission(
        name=name,
        namespace=str(metadata.get("namespace") or desk.namespace),
        uid=str(metadata.get("uid") or ""),
        url=desk.url(name) if desk.url else "",
        existed=existed,
    )


def _undecided(wanted: Json, found: str) -> SubmissionUnknown:
    name, run = wanted["metadata"]["name"], wanted["metadata"]["labels"].get(_RUN)
    again = f"the same command with --run-id {run}" if run else "submitting it again under the same name"
    return SubmissionUnknown(
        f"it is not known whether {name} was accepted",
        found=found,
        hint=f"{again} finds out, and never makes a second one",
    )


def _refused(name: str, desk: Desk, error: PlatformError) -> SubmitError:
    taken = f"no {desk.word} has this name, so that something else refused it: a quota, or an admission rule"
    hints = {
        Trouble.INVALID: "hera-k8s render shows what was submitted",
        Trouble.FORBIDDEN: f"is {desk.namespace} the right namespace (-n NAME)? else ask for the right to create it",
        Trouble.MISSING: f"is {desk.namespace} the right namespace (-n NAME)?",
        Trouble.CONFLICT: taken,
    }
    said = error.found or error.wanted
    return SubmitError(f"{name} was not accepted", found=said, hint=hints.get(error.trouble, error.hint))


def tried(create: Callable[[], Any], *, resource: str = "workflows") -> CheckResult:
    """What a dry run comes to. Troubles that say nothing of the workflow are raised on as `PlatformError`."""
    try:
        create()
    except PlatformError as error:
        said = error.found or error.wanted
        if error.trouble is Trouble.INVALID:
            return fail(said, hint="hera-k8s render shows what is submitted")
        if error.trouble is Trouble.FORBIDDEN:
            return fail(said, hint=error.hint or f"ask those who run the cluster for the right to create {resource}")
        if error.trouble is Trouble.CONFLICT:
            return warn(f"said of a dry run: {said}", hint="submitting tells whether it is the same run or another one")
        if error.trouble is Trouble.MISSING:
            return unknown(f"a dry run is not served: {said}")
        raise
    return ok("dry run accepted")
