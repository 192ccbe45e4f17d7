"""Submitting a workflow exactly once: under its own name, and recognised by its digest when an answer was lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils import PlatformError, Submission, SubmissionUnknown, SubmitError, Trouble

if TYPE_CHECKING:
    from hera_k8s_utils import BuiltExperiment

Json = dict[str, Any]

DIGEST: Final = "hera-k8s-utils/digest"
_RUN: Final = "hera-k8s-utils/run"
INSTANCE: Final = "workflows.argoproj.io/controller-instanceid"
_TRIES: Final = 4

_REFUSED: Final = frozenset(
    {Trouble.INVALID, Trouble.UNAUTHORIZED, Trouble.FORBIDDEN, Trouble.MISSING, Trouble.UNTRUSTED}
)
"""Answers after which this try surely made no workflow. A conflict is not one of them, nor is a lost answer."""
_LOST: Final = frozenset({Trouble.UNREACHABLE, Trouble.TIMEOUT})
"""No answer came: the request may be carried out yet."""


@dataclass(frozen=True)
class Desk:
    """Where workflows are handed in, by way of one server.

    create: sends the workflow once. read: gives the workflow of a name. url: its page, None where it has none.
    pause: waits for so many seconds before another try.
    """

    namespace: str
    create: Callable[[Json], Json]
    read: Callable[[str], Json]
    url: Callable[[str], str] | None = None
    pause: Callable[[float], None] = time.sleep


def prepared(built: BuiltExperiment, namespace: str, *, instance: str = "") -> Json:
    """The object to create: named, labelled with its digest, and with the controller's instance where there is one.

    Raises `SubmitError` when the workflow itself names another namespace than the one that was checked.
    """
    manifest = built.manifest
    if manifest.namespace and manifest.namespace != namespace:
        raise SubmitError(
            f"{built.name} was not submitted",
            found=f"the workflow names namespace {manifest.namespace}, and the run goes to {namespace}",
            hint=f"-n {manifest.namespace}, or leave the namespace out of the workflow",
        )
    labels = {**(manifest.metadata.get("labels") or {}), DIGEST: manifest.digest[:40]}
    if instance:
        labels[INSTANCE] = instance
    metadata = {**manifest.metadata, "name": built.name, "namespace": namespace, "labels": labels}
    metadata.pop("generateName", None)
    return {"apiVersion": "argoproj.io/v1alpha1", **manifest.body, "metadata": metadata}


def submit_once(workflow: Json, desk: Desk) -> Submission:
    """Create the workflow, or recognise it when an earlier try had arrived after all.

    Its name is fixed, so that a second try can at worst be refused: as a conflict, or by a quota that the first has
    used up. Then what is there is read and its digest compared. Raises `SubmitError`.
    """
    name = workflow["metadata"]["name"]
    for attempt in range(_TRIES):
        if attempt:
            desk.pause(min(8.0, 0.5 * 2**attempt))
        try:
            return _submission(desk.create(workflow), desk, existed=False)
        except PlatformError as error:
            if error.trouble in _REFUSED and attempt == 0:
                raise _refused(name, desk, error) from error
            found = _read_back(workflow, desk, error)
            if found is not None:
                _compare(workflow, found, desk)
                return _submission(found, desk, existed=True)
            if error.trouble in _REFUSED | {Trouble.CONFLICT, Trouble.THROTTLED}:
                raise _refused(name, desk, error) from error
            last = error
    if last.trouble in _LOST:
        raise _undecided(workflow, f"{last.found or last.wanted}; it is not there so far") from last
    raise _refused(name, desk, last) from last


def _read_back(workflow: Json, desk: Desk, error: PlatformError) -> Json | None:
    """The workflow of this name, None when there surely is none."""
    name = workflow["metadata"]["name"]
    for attempt in range(_TRIES):
        try:
            return desk.read(name)
        except PlatformError as reading:
            if reading.trouble is Trouble.MISSING:
                return None
            if reading.trouble in _REFUSED or attempt == _TRIES - 1:
                told = f"{error.found or error.wanted}; then, reading it back: {reading.found or reading.wanted}"
                raise _undecided(workflow, told) from error
            desk.pause(min(8.0, 0.5 * 2**attempt))
    return None


def _compare(wanted: Json, found: Json, desk: Desk) -> None:
    labels: Mapping[str, str] = (found.get("metadata") or {}).get("labels") or {}
    if labels.get(DIGEST) == wanted["metadata"]["labels"][DIGEST]:
        return
    name = wanted["metadata"]["name"]
    what = "another experiment or other inputs" if DIGEST in labels else "a workflow that hera-k8s did not submit"
    raise SubmitError(
        f"{name} was not submitted",
        found=f"the name is taken in {desk.namespace} by {what}",
        hint="choose another --run-id, or leave it out",
    )


def _submission(workflow: Json, desk: Desk, *, existed: bool) -> Submission:
    metadata = workflow.get("metadata") or {}
    name = str(metadata.get("name") or "")
    return Submission(
        name=name,
        namespace=str(metadata.get("namespace") or desk.namespace),
        uid=str(metadata.get("uid") or ""),
        url=desk.url(name) if desk.url else "",
        existed=existed,
    )


def _undecided(workflow: Json, found: str) -> SubmissionUnknown:
    name, run = workflow["metadata"]["name"], workflow["metadata"]["labels"].get(_RUN, "ID")
    return SubmissionUnknown(
        f"it is not known whether {name} was accepted",
        found=found,
        hint=f"the same command with --run-id {run} finds out, and never makes a second one",
    )


def _refused(name: str, desk: Desk, error: PlatformError) -> SubmitError:
    hints = {
        Trouble.INVALID: "hera-k8s render shows what was submitted",
        Trouble.FORBIDDEN: f"is {desk.namespace} the right namespace (-n NAME)? else ask for the right to create it",
        Trouble.MISSING: f"is {desk.namespace} the right namespace (-n NAME)?",
        Trouble.CONFLICT: "no workflow has this name, so that something else refused it: a quota, or an admission rule",
    }
    said = error.found or error.wanted
    return SubmitError(f"{name} was not accepted", found=said, hint=hints.get(error.trouble, error.hint))
