"""`hera-k8s jobs cancel` and `wait`: delete unfinished jobs, or run all of them to their end."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hera_k8s_kube.jobs import Jobs, map_concurrently, open_jobs
from hera_k8s_submission_helper import flags
from hera_k8s_submission_helper.manifests import IDENTIFIER
from hera_k8s_submission_helper.status import label_selector
from hera_k8s_submission_helper.submit import drive
from hera_k8s_utils import OptionsError, Session

_MAX_NAMES: Final = 8


def cancel(session: Session) -> int:
    """Delete jobs. Finished jobs are kept, so that submitting the batch again runs none of them twice."""
    console = session.console()
    with session.container(None) as container:
        jobs = open_jobs(container.context())
        found = list(jobs.list(label_selector(session)))
        to_delete = [job.name for job in found if session.arguments.all or not job.over]
        map_concurrently(jobs.cancel, to_delete)
    kept = len(found) - len(to_delete)
    if console.json:
        console.document({"cancelled": len(to_delete), "kept": kept})
    else:
        console.result(f"{len(to_delete)} deleted{f', {kept} finished jobs kept (--all deletes them)' if kept else ''}")
    return 0


def wait(session: Session) -> int:
    """Run jobs to their end, with the limit they were submitted with; the exit code is 0 if all succeeded."""
    console = session.console()
    limit = flags.limit(session.arguments.max_concurrent)
    with session.container(None) as container:
        jobs = open_jobs(container.context())
        _require_single_batch(jobs, session)
        return drive(jobs, label_selector(session), limit, console, logs=Path(session.arguments.logpath))


def _require_single_batch(jobs: Jobs, session: Session) -> None:
    """Raise `OptionsError` if there are several batches and none was named: each has its own limit."""
    if session.arguments.identifier:
        return
    batches = sorted({job.labels.get(IDENTIFIER, "") for job in jobs.list(label_selector(session))})
    if len(batches) > 1:
        raise OptionsError(
            f"there are {len(batches)} batches, and only one can be waited for",
            found=", ".join(batches[:_MAX_NAMES]),
            hint=f"--identifier {batches[0]}",
        )
