"""Running a batch with a limit on concurrent jobs, and collecting logs. All state is on the server.

Jobs beyond the limit exist, but are suspended; the driver resumes the next one when one ends. If the driver is killed,
running jobs continue, and the next driver resumes its work: no job is created or started twice.
"""

from __future__ import annotations

import os
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from hera_k8s_kube.jobs import Job, Jobs
from hera_k8s_submission_helper.manifests import MAX_CONCURRENT
from hera_k8s_utils import ErrorKind, FailureBudget, HeraK8sError, PlatformError

_LOG_THREADS: Final = 4
"""Logs that are collected concurrently."""
_FINISHED: Final = ("Succeeded", "Failed")
_TRANSIENT: Final = frozenset(
    {ErrorKind.UNREACHABLE, ErrorKind.TIMEOUT, ErrorKind.THROTTLED, ErrorKind.SERVER, ErrorKind.CONFLICT}
)
"""Errors of a request to resume a job that are retried; resuming is idempotent."""


@dataclass(frozen=True)
class Counts:
    """The state of the jobs of a batch.

    total: all jobs.
    waiting: suspended until the limit allows another one.
    pending: started, without a running pod.
    running: running.
    succeeded, failed: finished.
    cancelled: deleted before they finished.
    retried: jobs with more than one try.
    """

    total: int = 0
    waiting: int = 0
    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0

    @classmethod
    def of(cls, jobs: Iterable[Job], cancelled: int = 0) -> Counts:
        """Count existing jobs. cancelled: jobs that were deleted in the meantime."""
        found = list(jobs)
        phases = [phase_of(job) for job in found]
        return cls(
            total=len(found) + cancelled,
            waiting=phases.count("Suspended"),
            pending=phases.count("Pending"),
            running=phases.count("Running"),
            succeeded=phases.count("Succeeded"),
            failed=phases.count("Failed"),
            cancelled=cancelled,
            retried=sum(was_retried(job) for job in found),
        )

    def describe(self) -> str:
        """`200 jobs: 100 succeeded, 90 failed, 10 cancelled; 20 were retried`."""
        parts = [
            f"{number} {word}"
            for word, number in (
                ("succeeded", self.succeeded),
                ("failed", self.failed),
                ("running", self.running),
                ("pending", self.pending),
                ("waiting", self.waiting),
                ("cancelled", self.cancelled),
            )
            if number
        ]
        retried = f"; {self.retried} {'was' if self.retried == 1 else 'were'} retried" if self.retried else ""
        jobs = "1 job" if self.total == 1 else f"{self.total} jobs"
        return f"{jobs}: {', '.join(parts) or 'nothing to do'}{retried}"


def phase_of(job: Job) -> str:
    """The phase of a job; `Running` until its pods have ended."""
    return "Running" if job.phase in _FINISHED and not job.over else job.phase


def was_retried(job: Job) -> bool:
    """Whether a job had more than one try."""
    return job.failed > (1 if phase_of(job) == "Failed" else 0)


def limit_of(jobs: Iterable[Job]) -> int:
    """The limit that the batch was submitted with; 0: none."""
    limits = [job.annotations.get(MAX_CONCURRENT, "") for job in jobs]
    return max((int(text) for text in limits if text.isdecimal()), default=0)


@dataclass
class Driver:
    """Runs the jobs that match a label selector.

    jobs: client.
    selector: label selector.
    max_concurrent: jobs that may run at a time; 0: no limit; None: as they were submitted.
    until_over: run until every job has finished; otherwise, until every job was started.
    on_end: called with each job that has finished.
    on_change: called with the counts.
    """

    jobs: Jobs
    selector: str
    max_concurrent: int | None = None
    until_over: bool = True
    on_end: Callable[[Job], None] | None = None
    on_change: Callable[[Counts], None] | None = None
    _known: dict[str, Job] = field(default_factory=dict)
    _waiting: list[str] = field(default_factory=list)
    _active: set[str] = field(default_factory=set)
    _resumed: set[str] = field(default_factory=set)
    _phases: Counter[str] = field(default_factory=Counter)
    _retried: int = 0
    _cancelled: int = 0
    _failures: FailureBudget = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Use the retry policy of the client."""
        consequence = "running jobs continue; `hera-k8s jobs wait` resumes the others"
        self._failures = FailureBudget("the jobs that wait", self.jobs.patience, consequence)

    def run(self) -> Counts:
        """Run the jobs; returns the final counts. Raises `PlatformError` if they cannot be watched."""
        existing, updates = self.jobs.watch(self.selector)
        for job in existing:
            self._update(job)
        limit = limit_of(existing) if self.max_concurrent is None else self.max_concurrent
        self._fill(limit)
        self._notify()
        for update in updates if not self._done else ():
            if update.kind == "deleted":
                self._remove(update.job)
            else:
                self._update(update.job)
            self._fill(limit)
            self._notify()
            if self._done:
                break
        return self.counts

    def _notify(self) -> None:
        if self.on_change is not None:
            self.on_change(self.counts)

    @property
    def counts(self) -> Counts:
        """The current counts."""
        return Counts(
            total=len(self._known) + self._cancelled,
            waiting=self._phases["Suspended"],
            pending=self._phases["Pending"],
            running=self._phases["Running"],
            succeeded=self._phases["Succeeded"],
            failed=self._phases["Failed"],
            cancelled=self._cancelled,
            retried=self._retried,
        )

    @property
    def _done(self) -> bool:
        over = self._phases["Succeeded"] + self._phases["Failed"]
        return over == len(self._known) if self.until_over else not self._waiting

    def _update(self, job: Job) -> None:
        """Record the state of a job; a suspended one that was not just resumed is queued."""
        before = self._known.get(job.name)
        if before is not None:
            self._count(before, -1)
        self._known[job.name] = job
        self._count(job, 1)
        if job.phase != "Suspended":
            self._resumed.discard(job.name)
            self._leave_queue(job.name)
        elif job.name not in self._resumed and (before is None or before.phase != "Suspended"):
            insort(self._waiting, job.name)
        waits = job.phase == "Suspended" and job.name not in self._resumed
        (self._active.discard if job.over or waits else self._active.add)(job.name)
        if job.over and not (before is not None and before.over) and self.on_end is not None:
            self.on_end(job)

    def _remove(self, job: Job) -> None:
        """Record the deletion of a job; a finished one still counts as finished."""
        self._resumed.discard(job.name)
        before = self._known.get(job.name)
        if before is None or before.over:
            return
        del self._known[job.name]
        self._count(before, -1)
        self._leave_queue(job.name)
        self._active.discard(job.name)
        self._cancelled += 1

    def _count(self, job: Job, sign: int) -> None:
        self._phases[phase_of(job)] += sign
        self._retried += sign * was_retried(job)

    def _leave_queue(self, name: str) -> None:
        index = bisect_left(self._waiting, name)
        if index < len(self._waiting) and self._waiting[index] == name:
            del self._waiting[index]

    def _fill(self, limit: int) -> None:
        """Start jobs up to the limit, in the order of their names."""
        while self._waiting and (not limit or len(self._active) < limit):
            name = self._waiting.pop(0)
            try:
                self.jobs.resume(name)
            except PlatformError as error:
                if error.kind is ErrorKind.MISSING:
                    continue  # just deleted: the event follows
                if error.kind not in _TRANSIENT:
                    raise
                insort(self._waiting, name)
                self._failures.record_failure(error)
                continue
            self._failures.reset()
            self._resumed.add(name)
            self._active.add(name)


# --- logs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Collected:
    """The result of collecting logs.

    written: number of new logs.
    failures: errors of reading or writing the others.
    """

    written: int = 0
    failures: Sequence[HeraK8sError] = ()


class Collector:
    """Writes the output of each job to `<directory>/<job>.log`, several concurrently."""

    def __init__(self, jobs: Jobs, directory: Path) -> None:
        self._jobs = jobs
        self._directory = directory
        self._pool = ThreadPoolExecutor(_LOG_THREADS, thread_name_prefix="collect")
        self._futures: list[Future[bool]] = []

    def collect(self, job: Job) -> None:
        """Collect the log of a finished job, unless it has been collected before."""
        self._futures.append(self._pool.submit(collect_log, self._jobs, job, self._directory))

    def finish(self) -> Collected:
        """Wait for all."""
        self._pool.shutdown(wait=True)
        written, failures = 0, []
        for each in self._futures:
            try:
                written += each.result()
            except HeraK8sError as error:
                failures.append(error)
        return Collected(written, failures)

    def cancel_pending(self) -> None:
        """Start no further log; finish those being written."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _end_time(job: Job) -> float:
    """When a job finished, in seconds since 1970; 0 if unknown."""
    try:
        return datetime.fromisoformat(job.finished_at.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


def _is_current(file: Path, job: Job) -> bool:
    """Whether a log belongs to this job and not to an earlier one of the same name, by the time it finished."""
    return file.exists() and file.stat().st_mtime == _end_time(job)


def collect_log(jobs: Jobs, job: Job, directory: Path) -> bool:
    """Write the output of a job's pods atomically; False if the log exists, or the pods are gone."""
    try:
        return not _is_current(directory / f"{job.name}.log", job) and _write_log(jobs, job, directory)
    except OSError as error:
        raise HeraK8sError(
            f"the log of {job.name} was not written to {directory}/", found=error.strerror or str(error)
        ) from error


def _write_log(jobs: Jobs, job: Job, directory: Path) -> bool:
    name = job.name
    directory.mkdir(parents=True, exist_ok=True)
    partial = directory / f".{name}.{os.getpid()}.part"
    try:
        with open(partial, "w", encoding="utf-8") as file:
            for line in _log_lines(jobs, name):
                file.write(line + "\n")
        os.utime(partial, (_end_time(job), _end_time(job)))
        os.replace(partial, directory / f"{name}.log")
    except PlatformError as error:
        if error.kind is not ErrorKind.MISSING:
            raise
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True


def _log_lines(jobs: Jobs, name: str) -> Iterator[str]:
    """The output of a job's pods; with several tries, each is preceded by the name of its pod."""
    several = len(list(jobs.pods(name))) > 1
    pod = ""
    for line in jobs.logs(name):
        if several and line.pod != pod:
            pod = line.pod
            yield f"==> {pod} <=="
        yield line.text
