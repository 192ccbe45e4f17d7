"""What is known of a run's submission, kept in its record; and runs of which it is not: are they on the server?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hera_k8s_utils.container.building import label_of
from hera_k8s_utils.container.recorded_submission import (
    find,
    is_same_run,
    repeat_command,
    seconds_open,
    submitted_in_part,
)
from hera_k8s_utils.engines.submission import SETTLED, spread, taken
from hera_k8s_utils.errors import (
    ErrorKind,
    PlatformError,
    SubmissionOutcomeUnknown,
    SubmitError,
    SubmittedInPart,
    WorkflowFailed,
)
from hera_k8s_utils.experiment.run_state import RunSummary, Submission
from hera_k8s_utils.experiment.workload_kinds import workload_kind
from hera_k8s_utils.formatting import format_duration
from hera_k8s_utils.labels import RUN_LABEL
from hera_k8s_utils.plugins.records import Engine
from hera_k8s_utils.runs.records import RunRecord, Submitted

if TYPE_CHECKING:
    from hera_k8s_cli.runs.selection import RunHandle
    from hera_k8s_utils.container.container import ExperimentContainer

log = logging.getLogger(__name__)


def settle(
    target: RunHandle,
    container: ExperimentContainer,
    *,
    patience: float = 0.0,
    in_part: bool = False,
    say: Callable[[str], object] = log.info,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Find out whether a run was submitted, unless its record knows that it was; record it when it was.

    patience: seconds to wait for a submission that may arrive late. in_part: a run of which only a part is there will
    do. say: called once when it has to wait.

    Raises `SubmissionUnknown` while it may arrive yet or the server cannot be asked, `SubmittedInPart`, and
    `SubmitError` when it was not submitted: the server knows no such run, `SETTLED` seconds after the last attempt.
    """
    record = target.record
    if record is None or record.attempt.state is Submitted.ACCEPTED:
        return
    found = _Unsettled(target, record, container.engine(), pause).looked_for(patience, say)
    _require_same(found, record, container)
    if found.missing and not in_part:
        raise _kept(record, submitted_in_part(found, record))
    if not found.missing:
        _keep(found, record, container)


class _Unsettled:
    """A run that is not known to be submitted."""

    def __init__(self, target: RunHandle, record: RunRecord, engine: Engine, pause: Callable[[float], None]) -> None:
        self._target = target
        self._record = record
        self._attempt = record.attempt
        self._engine = engine
        self._pause = pause

    def looked_for(self, patience: float, say: Callable[[str], object]) -> RunSummary:
        """The run as the server has it."""
        ends = time.monotonic() + patience
        pauses = spread(patience)
        told = False
        while True:
            found, unseen = self._seen()
            if found is not None:
                return found
            left = min(seconds_open(self._attempt), ends - time.monotonic())
            if left <= 0:
                raise self._verdict(unseen)
            if not told:
                time_left = format_duration(left)
                say(f"whether {self._target.name} was accepted is not known; looking for it for up to {time_left}")
            told = True
            self._pause(min(left, next(pauses, left)))

    def _seen(self) -> tuple[RunSummary | None, PlatformError | None]:
        """The run, or why it cannot be seen; neither when it is not there."""
        try:
            return find(self._engine, self._record), None
        except PlatformError as error:
            return None, None if error.says_absent else error

    def _verdict(self, unseen: PlatformError | None) -> SubmitError:
        if self._attempt.state is Submitted.IN_PART:
            return _nothing_left(self._target, self._record, self._attempt.found)
        if self._attempt.state is not Submitted.UNKNOWN:
            return _never(self._target, self._record, self._attempt.found)  # refused, and seen nowhere since
        if unseen is None and seconds_open(self._attempt) <= 0:
            error = _never(
                self._target, self._record, f"{_absent(self._target)}, {format_duration(SETTLED)} and more later"
            )
            return _kept(self._record, error)
        why = f"{_absent(self._target)} so far"
        if unseen is not None:
            why = f"it cannot be looked for: {unseen.found or unseen.wanted}"
        return SubmissionOutcomeUnknown(
            f"it is not known whether {self._target.name} was accepted",
            found=f"{self._attempt.found}; {why}",
            hint=f"hera-k8s follow {self._target.short} waits for it; {repeat_command(self._record)} finds out, "
            "and never makes a second one",
        )


def require_same_run(target: RunHandle, engine: Engine) -> None:
    """Raise unless the object of a recorded run's name carries the run's label: a record may name any workflow.

    Where reading is not permitted, a record that this user wrote is enough.
    """
    if target.record is None:
        return
    try:
        found = find(engine, target.record)
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN or not target.own:
            raise
        return
    label = label_of(target.record.id)
    if found.labels.get(RUN_LABEL) != label:
        raise WorkflowFailed(
            f"{target.name} of this run is not on the server, or no longer",
            found=f"nothing of that name has the label {RUN_LABEL}={label}",
            hint="hera-k8s runs --server",
        )


def _require_same(found: RunSummary, record: RunRecord, container: ExperimentContainer) -> None:
    if is_same_run(found, record):
        return
    kind = (record.read("manifest") or {}).get("kind")  # it may be damaged
    noun = workload_kind(kind).noun or kind if isinstance(kind, str) else "workflow"
    raise taken(record.name, container.context().namespace, found.labels, noun=noun, of_run=True)


def _keep(found: RunSummary, record: RunRecord, container: ExperimentContainer) -> None:
    submission = Submission(name=found.name, namespace=container.context().namespace, existed=True)
    record.submitted(submission, engine=container.running().declaration.name)


def _kept(record: RunRecord, error: SubmitError) -> SubmitError:
    record.refused(error)
    return error


def _never(target: RunHandle, record: RunRecord, found: str) -> SubmitError:
    return SubmitError(f"{target.name} was never submitted", found=found, hint=f"{repeat_command(record)} submits it")


def _nothing_left(target: RunHandle, record: RunRecord, found: str) -> SubmittedInPart:
    return SubmittedInPart(
        f"{target.name} was submitted in part, and none of it is there now",
        found=found,
        hint=f"{repeat_command(record)} submits it",
    )


def _absent(target: RunHandle) -> str:
    return f"the server knows no {target.name}"
