"""Submitting a recorded run: its record says before and after what is known of the submission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hera_k8s_utils.engines.submission import SETTLED
from hera_k8s_utils.errors import (
    ErrorKind,
    HeraK8sError,
    PlatformError,
    SubmissionOutcomeUnknown,
    SubmittedInPart,
)
from hera_k8s_utils.experiment.run_ids import short_id
from hera_k8s_utils.experiment.run_state import RunSummary, Submission
from hera_k8s_utils.formatting import now
from hera_k8s_utils.labels import DIGEST_LABEL
from hera_k8s_utils.plugins.records import Engine
from hera_k8s_utils.plugins.return_types import require_submission
from hera_k8s_utils.runs.records import Attempt, RunRecord, Submitted

if TYPE_CHECKING:
    from hera_k8s_utils.container.container import ExperimentContainer
    from hera_k8s_utils.experiment.model import BuiltExperiment


def unrecorded(engine: Engine) -> Engine:
    """The engine that a plugin opened, without what records its runs."""
    wrapped: Engine = getattr(engine, "wrapped", engine)
    return wrapped


def submit(built: BuiltExperiment, record: RunRecord, container: ExperimentContainer) -> Submission:
    """Submit a run, and keep in its record what is known of that, before and after.

    A refusal does not deny an earlier attempt of the same run: then what is on the server counts. Raises `SubmitError`.
    """
    earlier = record.attempt if record.was_tried else None
    engine = unrecorded(container.engine())
    record.submitting()
    try:
        try:
            submission = engine.submit(built)
            require_submission(submission, container.running().declaration.name)
        except HeraK8sError as error:
            submission = _of_earlier(error, earlier, record, container)
    except HeraK8sError as error:
        record.refused(error)
        raise
    record.submitted(submission, engine=container.running().declaration.name)
    return submission


def _of_earlier(
    error: HeraK8sError, earlier: Attempt | None, record: RunRecord, container: ExperimentContainer
) -> Submission:
    """What an earlier attempt made; raises the error of the latest, or `SubmissionUnknown`."""
    if isinstance(error, SubmissionOutcomeUnknown) or earlier is None or earlier.state is Submitted.REFUSED:
        raise error
    found: RunSummary | None = None
    try:
        found = find(unrecorded(container.engine()), record)
    except HeraK8sError as reading:
        if not (isinstance(reading, PlatformError) and reading.says_absent):
            raise _still_unknown(record, error, f"reading it back: {reading.found or reading.wanted}") from error
    if found is not None and not is_same_run(found, record):
        raise error
    if found is not None and not found.missing:
        return Submission(name=found.name, namespace=container.context().namespace, existed=True)
    if seconds_open(earlier):
        raise _still_unknown(record, error, "an earlier attempt may be carried out yet") from error
    raise error if found is None else submitted_in_part(found, record) from error


def _still_unknown(record: RunRecord, error: HeraK8sError, why: str) -> SubmissionOutcomeUnknown:
    return SubmissionOutcomeUnknown(
        f"it is not known whether {record.name} was accepted",
        found=f"{error.found or error.wanted}; {why}",
        hint=f"{repeat_command(record)} finds out, and never makes a second one",
    )


def find(engine: Engine, record: RunRecord) -> RunSummary:
    """The run of a record as the server has it, whoever submitted it; raises `PlatformError` (404) without one.

    Engines of plugins that were written before `Engine.find` are asked for the digest.
    """
    by_name: Any = getattr(engine, "find", None)
    if by_name is not None:
        found: RunSummary = by_name(record.name)
        if found.name == record.name:
            return found
        raise PlatformError(
            f"looking for {record.name}", found="the server answered with another object", kind=ErrorKind.PROTOCOL
        )
    for run in engine.runs(label_selector=f"{DIGEST_LABEL}={_digest(record)}"):
        if run.name == record.name:
            return run
    raise PlatformError(f"looking for {record.name}", found="it is not there", kind=ErrorKind.MISSING, status=404)


def seconds_open(attempt: Attempt) -> float:
    """Seconds for which an attempt may be carried out yet."""
    if attempt.state is not Submitted.UNKNOWN:
        return 0.0
    if attempt.at is None:
        return SETTLED
    return max(0.0, SETTLED - (now() - attempt.at).total_seconds())


def _digest(record: RunRecord) -> str:
    return str(record.metadata.get("digest") or "")[:40]


def is_same_run(found: RunSummary, record: RunRecord) -> bool:
    """Whether what the server has under a run's name was submitted for this run."""
    return found.labels.get(DIGEST_LABEL) == _digest(record)


def submitted_in_part(found: RunSummary, record: RunRecord) -> SubmittedInPart:
    """The error about a run of which some Jobs are not there."""
    return SubmittedInPart(
        f"{record.name} was submitted in part",
        found=f"{found.missing} of its Jobs are not there",
        hint=f"{repeat_command(record)} completes it, hera-k8s stop {short_id(record.id)} ends what is there",
    )


def repeat_command(record: RunRecord) -> str:
    """What submits the same run."""
    return f"the same `hera-k8s run ...` with --run-id {record.id}"
