"""`hera-k8s jobs status`, `pods` and `logs`: the state of jobs, and their output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hera_k8s_kube.jobs import Job, Jobs, open_jobs
from hera_k8s_submission_helper.command_lines import label_of, stem_of
from hera_k8s_submission_helper.driver import Collector, Counts, phase_of, was_retried
from hera_k8s_submission_helper.manifests import IDENTIFIER, selector
from hera_k8s_utils import ErrorKind, OptionsError, PlatformError, Session

Console = Any
"""The console of `Session.console()`."""

_MAX_REASONS: Final = 5
"""Pending jobs for which the reason is looked up."""


def label_selector(session: Session) -> str:
    """The label selector of the batch that a command names, or of all batches."""
    identifier = session.arguments.identifier
    return selector(label_of(identifier) if identifier else "")


def status(session: Session) -> int:
    """Print a line for each job, and a summary."""
    console = session.console()
    with session.container(None) as container:
        jobs = open_jobs(container.context())
        found = list(jobs.list(label_selector(session)))
        reasons = _reasons(jobs, found)
    counts = Counts.of(found)
    if console.json:
        console.document({"counts": vars(counts), "jobs": [_row(job, reasons.get(job.name, "")) for job in found]})
        return 0
    rows = [_row(job, reasons.get(job.name, "")) for job in found]
    table(
        ("NAME", "PHASE", "FAILED TRIES", "WHY"),
        [(r["name"], r["phase"], r["failed"], r["why"]) for r in rows],
        console,
    )
    console.result(counts.describe())
    return 0


def _row(job: Job, reason: str) -> dict[str, Any]:
    phase = phase_of(job)
    why = ": ".join(filter(None, (job.reason, job.message))) if phase == "Failed" else reason
    return {
        "name": job.name,
        "identifier": job.labels.get(IDENTIFIER, ""),
        "phase": "Waiting" if phase == "Suspended" else phase,
        "failed": job.failed,
        "retried": was_retried(job),
        "why": why,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def _reasons(jobs: Jobs, found: Sequence[Job]) -> dict[str, str]:
    """Why pending jobs do not start, for the first few."""
    pending = [job.name for job in found if phase_of(job) == "Pending"]
    reasons = {}
    for name in pending[:_MAX_REASONS]:
        try:
            reasons[name] = jobs.why_pending(name)
        except PlatformError as error:
            if error.kind is not ErrorKind.MISSING:
                raise
    return reasons


def pods(session: Session) -> int:
    """Print a line for each pod."""
    console = session.console()
    with session.container(None) as container:
        found = list(open_jobs(container.context()).pods_with(label_selector(session)))
    rows = [_pod(pod) for pod in found]
    if console.json:
        console.document(rows)
        return 0
    cells = [(row["name"], row["job"], row["phase"], row["restarts"], row["node"]) for row in rows]
    table(("NAME", "JOB", "PHASE", "RESTARTS", "NODE"), cells, console)
    if not rows:
        console.info("no pods")
    return 0


def _pod(pod: Any) -> dict[str, Any]:
    metadata, status = pod["metadata"], pod.get("status") or {}
    return {
        "name": metadata["name"],
        "job": (metadata.get("labels") or {}).get("batch.kubernetes.io/job-name", ""),
        "phase": status.get("phase") or "Pending",
        "restarts": sum(each.get("restartCount") or 0 for each in status.get("containerStatuses") or ()),
        "node": (pod.get("spec") or {}).get("nodeName") or "",
    }


def logs(session: Session) -> int:
    """Print the output of jobs, or write a file for each job into `--logpath`."""
    console, arguments = session.console(), session.arguments
    with session.container(None) as container:
        jobs = open_jobs(container.context())
        chosen = _select_jobs(jobs, session)
        if arguments.logpath:
            collector = Collector(jobs, Path(arguments.logpath))
            for job in chosen:
                if job.over:
                    collector.collect(job)
            collected = collector.finish()
            console.result(f"{collected.written} logs written to {arguments.logpath}/")
            if collected.failures:
                raise collected.failures[0]
            return 0
        if arguments.follow and len(chosen) != 1:
            raise OptionsError("--follow takes one job", found=f"{len(chosen)} jobs", hint="hera-k8s jobs status")
        for job in chosen:
            _print(jobs, job, console, named=len(chosen) > 1, follow=arguments.follow)
    return 0


def _select_jobs(jobs: Jobs, session: Session) -> list[Job]:
    """The jobs given by name or number, or all of the batch."""
    found = {job.name: job for job in jobs.list(label_selector(session))}
    stem = stem_of(session.arguments.identifier) if session.arguments.identifier else ""
    selected = []
    for text in session.arguments.name:
        name = f"{stem}-{int(text):05d}" if text.isdecimal() and stem else text
        if name not in found:
            hint = "a number needs --identifier" if text.isdecimal() and not stem else "hera-k8s jobs status"
            raise OptionsError(f"no job is named {name}", found=f"there are {len(found)} jobs", hint=hint)
        selected.append(found[name])
    return selected or list(found.values())


def _print(jobs: Jobs, job: Job, console: Console, *, named: bool, follow: bool) -> None:
    try:
        for line in jobs.logs(job.name, follow=follow):
            if console.json:
                console.record({"job": job.name, "pod": line.pod, "text": line.text})
            else:
                console.log_line(line, by=job.name if named else "")
    except PlatformError as error:
        if error.kind is not ErrorKind.MISSING:
            raise
        console.info(
            f"{job.name} has no pod: {'it is waiting' if job.phase == 'Suspended' else 'not started yet, or removed'}"
        )


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], console: Console) -> None:
    """Print rows in columns below a header; nothing without rows."""
    if not rows:
        return
    cells = [tuple(map(str, row)) for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    for row in cells:
        console.result("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
