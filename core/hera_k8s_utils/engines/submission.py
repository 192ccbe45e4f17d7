"""Submitting an object exactly once: under its own name, and recognised by its digest when an answer was lost.

And trying it out before, without keeping it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Final

from hera_k8s_utils._moved import renamed
from hera_k8s_utils._types import Json
from hera_k8s_utils.errors import ErrorKind, HeraK8sError, PlatformError, SubmissionOutcomeUnknown, SubmitError
from hera_k8s_utils.experiment.run_state import Submission
from hera_k8s_utils.labels import DIGEST_LABEL, RUN_LABEL
from hera_k8s_utils.results import CheckResult, fail, ok, unknown, warn

log = logging.getLogger(__name__)

_NO_NAMESPACE: Final = re.compile(r'namespaces "([^"]+)" not found')
"""What the API server answers to an object for a namespace that does not exist."""
_PAUSES: Final = (0.0, 1.0, 2.0, 4.0)
"""Seconds before each try."""
_TRYING: Final = 60.0
"""Seconds after which no further try is begun: every request of a server that hangs takes its whole time limit."""
_LOOKS: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds before the first looks for what may arrive late; the last is repeated."""
CONFIRMING: Final = 60.0
"""Seconds for which what may arrive late is looked for: an API server ends a request after 60 s (`--request-timeout`),
an admission webhook has 30 s at the most, and gateways give up on their server within a minute."""
SETTLED: Final = 120.0
"""Seconds after the last try until it may be taken for lost: a gateway's minute, and then the API server's."""
_LATER: Final = frozenset({ErrorKind.UNREACHABLE, ErrorKind.TIMEOUT})
"""Troubles of a request that was never sent which another try may get over."""


@renamed(word="noun", pause="sleep")
@dataclass(frozen=True)
class SubmissionTarget:
    """Where objects of one kind are submitted, through one server.

    namespace: where the objects are created.
    create: sends an object once; returns what the server answers.
    read: returns the object of a name.
    url: returns the page of an object; None where there are none.
    sleep: waits for so many seconds before another try or look.
    noun: the kind in messages, `workflow`.
    confirming: seconds for which an object is looked for after its answer was lost.
    """

    namespace: str
    create: Callable[[Json], Json]
    read: Callable[[str], Json]
    url: Callable[[str], str] | None = None
    sleep: Callable[[float], None] = time.sleep
    noun: str = "workflow"
    confirming: float = CONFIRMING


def submit_once(wanted: Json, target: SubmissionTarget) -> Submission:
    """Create an object that has a name and a digest label, or recognise it when an earlier try had arrived after all.

    Its name is fixed, so that a second try can at worst be refused: as a conflict, or by a quota that the first has
    used up. Then what is there is read and its digest compared.

    A refusal is believed while no earlier try is in doubt, unless the object is there from before. A try whose answer
    was lost, was a 5xx or a redirect, or came from a gateway may be carried out late: from then on only the object
    itself decides. Raises `SubmitError` when it was not submitted, and `SubmissionOutcomeUnknown` when it was not seen
    in the time that `SubmissionTarget.confirming` gives.
    """
    return _Submitting(wanted, target).through()


@dataclass(frozen=True)
class _Look:
    """What a look at the server showed: the object, or why it was not seen; neither when it is not there."""

    found: Json | None = None
    unseen: HeraK8sError | None = None

    @property
    def in_vain(self) -> bool:
        """Whether further looks will not show more: the server itself forbids them."""
        return isinstance(self.unseen, PlatformError) and self.unseen.conclusive and self.unseen.kind not in _LATER


@dataclass
class _Submitting:
    """One submission.

    doubt: the last answer after which a try may be carried out yet.
    last: the last answer.
    """

    wanted: Json
    target: SubmissionTarget
    doubt: PlatformError | None = None
    last: PlatformError | None = None
    look: _Look = _Look()

    @property
    def name(self) -> str:
        return str(self.wanted["metadata"]["name"])

    def through(self) -> Submission:
        ends = time.monotonic() + _TRYING
        for seconds in _PAUSES:
            if self.last is not None:
                if time.monotonic() > ends:
                    break
                self.target.sleep(seconds)
            submission = self._tried()
            if submission is not None:
                return submission
            if self.doubt is not None and self._was_refused():
                break  # perhaps for what the earlier try has become
        if self.doubt is None and self.look.unseen is None:
            raise _refused(self.name, self.target, self._last) from self._last
        return self._awaited()

    @property
    def _last(self) -> PlatformError:
        assert self.last is not None  # there was a try, and it failed
        return self.last

    def _was_refused(self) -> bool:
        return self._last.conclusive and self._last.kind not in _LATER

    def _tried(self) -> Submission | None:
        """One try, and a look where it may have arrived; None when neither shows the object."""
        try:
            return _submission(_named(self.target.create(self.wanted), self.name), self.target, existed=False)
        except PlatformError as error:
            self.last = error
        except HeraK8sError as error:  # such as a token that ended meanwhile
            if self.doubt is None:
                raise
            self.look = _Look(unseen=error)
            raise self._undecided() from error
        if not self._last.conclusive:
            self.doubt = self._last
        elif self._last.kind in _LATER and self.doubt is None:
            return None
        submission = self._looked()
        if submission is None and self.doubt is None and not (self.look.unseen and self._may_be_taken()):
            raise _refused(self.name, self.target, self._last) from self._last
        return submission

    def _may_be_taken(self) -> bool:
        """Whether the last answer says that the name may be taken, perhaps by an earlier submission of the same."""
        return self._last.kind is ErrorKind.CONFLICT

    def _looked(self) -> Submission | None:
        """What is there now, recognised. Raises `SubmissionOutcomeUnknown` when further looks are in vain."""
        self.look = self._see()
        if self.look.found is not None:
            if not _is_same(self.wanted, self.look.found):
                if self.doubt is None and not self._may_be_taken():
                    return None  # what was refused was refused for something else
                raise _taken(self.wanted, self.look.found, self.target)
            return _submission(self.look.found, self.target, existed=True)
        if self.look.in_vain and (self.doubt is not None or self._may_be_taken()):
            raise self._undecided()
        return None

    def _see(self) -> _Look:
        try:
            return _Look(found=_named(self.target.read(self.name), self.name))
        except PlatformError as error:
            return _Look() if error.says_absent else _Look(unseen=error)
        except SubmitError as error:  # it is there and is no answer, such as one that is being deleted
            if self.doubt is None and self._may_be_taken():
                raise
            return _Look(unseen=error)
        except HeraK8sError as error:
            return _Look(unseen=error)

    def _awaited(self) -> Submission:
        """Look for an object that may arrive late."""
        if self.target.confirming <= 0:
            raise self._undecided()
        log.warning(
            "whether %s was accepted is not known (%s); looking for it for up to %g s",
            self.name,
            _said(self.doubt or self._last),
            self.target.confirming,
        )
        ends = time.monotonic() + self.target.confirming
        for seconds in spread(self.target.confirming):
            self.target.sleep(seconds)
            submission = self._looked()
            if submission is not None:
                return submission
            if time.monotonic() > ends:
                break
        raise self._undecided()

    def _undecided(self) -> SubmissionOutcomeUnknown:
        doubt = self.doubt or self._last
        told = [_said(doubt)]
        if self.last is not None and self.last is not doubt:
            told.append(f"tried again: {_said(self.last)}")
        unseen = self.look.unseen
        told.append(f"then, reading it back: {_said(unseen)}" if unseen else "it is not there so far")
        return _unknown(self.wanted, "; ".join(told))


def spread(seconds: float) -> Iterator[float]:
    """The pauses before looks that fill so many seconds."""
    for pause in chain(_LOOKS, repeat(_LOOKS[-1])):
        if seconds <= 0:
            return
        yield min(pause, seconds)
        seconds -= pause


def _said(error: HeraK8sError) -> str:
    return error.found or error.wanted


def _named(answer: Any, name: str) -> Json:
    """An answer that is the object of this name; raises `PlatformError` (protocol) for any other, such as `{}`."""
    metadata = answer.get("metadata") if isinstance(answer, dict) else None
    if isinstance(metadata, dict) and metadata.get("name") == name:
        return dict(answer)
    raise PlatformError(
        f"the answer about {name}",
        found=f"the server answered with something else than {name}",
        hint="is there a proxy or a login page in front of the server?",
        kind=ErrorKind.PROTOCOL,
    )


def _is_same(wanted: Json, found: Json) -> bool:
    return bool(_labels(found).get(DIGEST_LABEL) == wanted["metadata"]["labels"][DIGEST_LABEL])


def _labels(found: Json) -> Mapping[str, str]:
    return (found.get("metadata") or {}).get("labels") or {}


def _taken(wanted: Json, found: Json, target: SubmissionTarget) -> SubmitError:
    run = RUN_LABEL in wanted["metadata"]["labels"]
    return taken(wanted["metadata"]["name"], target.namespace, _labels(found), noun=target.noun, of_run=run)


def taken(name: str, namespace: str, labels: Mapping[str, str], *, noun: str, of_run: bool) -> SubmitError:
    """The error of a name that something else has.

    labels: of what is there.
    noun: for its kind.
    """
    what = "another experiment or other inputs" if DIGEST_LABEL in labels else f"a {noun} that hera-k8s did not submit"
    return SubmitError(
        f"{name} was not submitted",
        found=f"the name is taken in {namespace} by {what}",
        hint="choose another --run-id, or leave it out" if of_run else "choose another name",
    )


def _submission(answer: Json, target: SubmissionTarget, *, existed: bool) -> Submission:
    metadata = answer.get("metadata") or {}
    name = str(metadata.get("name") or "")
    return Submission(
        name=name,
        namespace=str(metadata.get("namespace") or target.namespace),
        uid=str(metadata.get("uid") or ""),
        url=target.url(name) if target.url else "",
        existed=existed,
    )


def _unknown(wanted: Json, found: str) -> SubmissionOutcomeUnknown:
    name, run = wanted["metadata"]["name"], wanted["metadata"]["labels"].get(RUN_LABEL)
    again = f"the same command with --run-id {run}" if run else "submitting it again under the same name"
    return SubmissionOutcomeUnknown(
        f"it is not known whether {name} was accepted",
        found=found,
        hint=f"{again} finds out, and never makes a second one",
    )


def _refused(name: str, target: SubmissionTarget, error: PlatformError) -> SubmitError:
    taken = f"no {target.noun} has this name, so that something else refused it: a quota, or an admission rule"
    hints = {
        ErrorKind.INVALID: "hera-k8s render shows what was submitted",
        ErrorKind.FORBIDDEN: (
            f"is {target.namespace} the right namespace (-n NAME)? else ask for the right to create it"
        ),
        ErrorKind.MISSING: f"is {target.namespace} the right namespace (-n NAME)?",
        ErrorKind.CONFLICT: taken,
    }
    return SubmitError(f"{name} was not accepted", found=_said(error), hint=hints.get(error.kind, error.hint))


def dry_run_result(create: Callable[[], Any], *, resource: str = "workflows") -> CheckResult:
    """What a dry run comes to. Troubles that say nothing of the workflow are raised on as `PlatformError`."""
    try:
        create()
    except PlatformError as error:
        said = error.found or error.wanted
        if error.kind is ErrorKind.INVALID:
            return fail(said, hint="hera-k8s render shows what is submitted")
        if error.kind is ErrorKind.FORBIDDEN:
            return fail(said, hint=error.hint or f"ask those who run the cluster for the right to create {resource}")
        if error.kind is ErrorKind.CONFLICT:
            return warn(f"said of a dry run: {said}", hint="submitting tells whether it is the same run or another one")
        if error.kind is ErrorKind.MISSING:
            namespace = _NO_NAMESPACE.search(said)
            if namespace:
                hint = f"kubectl create namespace {namespace[1]}    or  -n NAME"
                return fail(f"namespace {namespace[1]} does not exist", hint=hint)
            return unknown(f"a dry run is not served: {said}")
        raise
    return ok("dry run accepted")
