"""`hera-k8s jobs cancel` and `wait`: delete what has not ended, or see everything through."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hera_k8s_kube.jobs import Jobs, map_concurrently, open_jobs
from hera_k8s_submission_helper import flags
from hera_k8s_submission_helper.manifests import IDENTIFIER
from hera_k8s_submission_helper.status import labels_of
from hera_k8s_submission_helper.submit import drive
from hera_k8s_utils import OptionsError, Session

_MOST_NAMED: Final = 8


def cancel(session: Session) -> int:
    """Delete jobs; those that have ended stay, so that the same batch submitted again runs none of them twice."""
    console = session.console()
    with session.container(None) as container:
        jobs = open_jobs(container.context())
        found = list(jobs.list(labels_of(session)))
        doomed = [job.name for job in found if session.arguments.all or not job.over]
        map_concurrently(jobs.cancel, doomed)
    kept = len(found) - len(doomed)
    if console.json:
        console.document({"cancelled": len(doomed), "kept": kept})
    else:
        console.result(
            f"{len(doomed)} deleted{f', {kept} that had ended were kept (--all deletes them)' if kept else ''}"
        )
    return 0


def wait(session: Session) -> int:
    """Drive jobs to their end, as many at a time as they were submitted for; the exit code is 0 when all succeeded."""
    console = session.console()
    limit = flags.limit(session.arguments.at_once)
    with session.container(None) as container:
        jobs = open_jobs(container.context())
        _require_one(jobs, session)
        return drive(jobs, labels_of(session), limit, console, logs=Path(session.arguments.logpath))


def _require_one(jobs: Jobs, session: Session) -> None:
    """Raises `OptionsError` when there are several batches and none was named: each has a limit of its own."""
    if session.arguments.identifier:
        return
    batches = sorted({job.labels.get(IDENTIFIER, "") for job in jobs.list(labels_of(session))})
    if len(batches) > 1:
        raise OptionsError(
            f"{len(batches)} batches are there, and one is driven at a time",
            found=", ".join(batches[:_MOST_NAMED]),
            hint=f"--identifier {batches[0]}",
        )
