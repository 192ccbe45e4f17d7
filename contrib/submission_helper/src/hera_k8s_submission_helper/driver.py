"""Driving a batch: so many jobs at a time, what became of each, their logs. All that is known lies on the server.

Jobs beyond the limit are there, suspended; whoever drives the batch resumes the next one as one ends. When the driver
is killed, those that run go on, and the next driver takes up where it was: no job is made or started twice.
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
from hera_k8s_submission_helper.manifests import AT_ONCE
from hera_k8s_utils import ErrorKind, FailureBudget, HeraK8sError, PlatformError

_READERS: Final = 4
"""Logs that are collected at a time."""
_ENDED: Final = ("Succeeded", "Failed")
_PASSING: Final = frozenset(
    {ErrorKind.UNREACHABLE, ErrorKind.TIMEOUT, ErrorKind.THROTTLED, ErrorKind.SERVER, ErrorKind.CONFLICT}
)
"""Troubles of a request to resume a job that another try may get over; resuming twice is as good as once."""


@dataclass(frozen=True)
class Counts:
    """How the jobs of a batch stand. waiting: suspended until there is room. retried: with more than one try."""

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
        """Count the jobs that there are, and those that were deleted while one looked."""
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

    def sentence(self) -> str:
        """`200 jobs: 100 succeeded, 90 failed, 10 cancelled; 20 were tried again`."""
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
        retried = f"; {self.retried} {'was' if self.retried == 1 else 'were'} tried again" if self.retried else ""
        jobs = "1 job" if self.total == 1 else f"{self.total} jobs"
        return f"{jobs}: {', '.join(parts) or 'nothing to do'}{retried}"


def phase_of(job: Job) -> str:
    """The phase of a job; one whose end is decided goes on until its pods have ended."""
    return "Running" if job.phase in _ENDED and not job.over else job.phase


def was_retried(job: Job) -> bool:
    """Whether a job had, or has, more than one try."""
    return job.failed > (1 if phase_of(job) == "Failed" else 0)


def limit_of(jobs: Iterable[Job]) -> int:
    """How many of a batch may run at a time, as it was submitted; 0 for no limit."""
    told = [job.annotations.get(AT_ONCE, "") for job in jobs]
    return max((int(text) for text in told if text.isdecimal()), default=0)


@dataclass
class Driver:
    """Drives the jobs that carry some labels.

    at_once: how many may run at a time; None: as they were submitted. until_over: go on until every job is over,
    otherwise until every one was started. on_end, on_change: told of each job that ended, and of the counts.
    """

    jobs: Jobs
    selector: str
    at_once: int | None = None
    until_over: bool = True
    on_end: Callable[[Job], None] | None = None
    on_change: Callable[[Counts], None] | None = None
    _known: dict[str, Job] = field(default_factory=dict)
    _waiting: list[str] = field(default_factory=list)
    _going: set[str] = field(default_factory=set)
    _resumed: set[str] = field(default_factory=set)
    _phases: Counter[str] = field(default_factory=Counter)
    _retried: int = 0
    _cancelled: int = 0
    _strain: FailureBudget = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Be as patient as the client is that follows the jobs."""
        goes_on = "those that run go on; `hera-k8s jobs wait` resumes the others"
        self._strain = FailureBudget("the jobs that wait", self.jobs.patience, goes_on)

    def run(self) -> Counts:
        """Drive them; returns how they stand in the end. Raises `PlatformError` as following does."""
        there, updates = self.jobs.watch(self.selector)
        for job in there:
            self._took(job)
        limit = limit_of(there) if self.at_once is None else self.at_once
        self._fill(limit)
        self._tell()
        for update in updates if not self._done else ():
            if update.kind == "deleted":
                self._lost(update.job)
            else:
                self._took(update.job)
            self._fill(limit)
            self._tell()
            if self._done:
                break
        return self.counts

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change(self.counts)

    @property
    def counts(self) -> Counts:
        """How the jobs stand."""
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

    def _took(self, job: Job) -> None:
        """A job as it is now; one that is suspended, and was not resumed by us a moment ago, waits for its turn."""
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
        (self._going.discard if job.over or waits else self._going.add)(job.name)
        if job.over and not (before is not None and before.over) and self.on_end is not None:
            self.on_end(job)

    def _lost(self, job: Job) -> None:
        """A job that was deleted; one that was over before keeps its end."""
        self._resumed.discard(job.name)
        before = self._known.get(job.name)
        if before is None or before.over:
            return
        del self._known[job.name]
        self._count(before, -1)
        self._leave_queue(job.name)
        self._going.discard(job.name)
        self._cancelled += 1

    def _count(self, job: Job, sign: int) -> None:
        self._phases[phase_of(job)] += sign
        self._retried += sign * was_retried(job)

    def _leave_queue(self, name: str) -> None:
        place = bisect_left(self._waiting, name)
        if place < len(self._waiting) and self._waiting[place] == name:
            del self._waiting[place]

    def _fill(self, limit: int) -> None:
        """Start as many as there is room for, in the order of their names."""
        while self._waiting and (not limit or len(self._going) < limit):
            name = self._waiting.pop(0)
            try:
                self.jobs.resume(name)
            except PlatformError as error:
                if error.trouble is ErrorKind.MISSING:
                    continue  # deleted just now: its event comes
                if error.trouble not in _PASSING:
                    raise
                insort(self._waiting, name)
                self._strain.record_failure(error)
                continue
            self._strain.reset()
            self._resumed.add(name)
            self._going.add(name)


# --- logs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Collected:
    """What became of the logs. written: how many there are more. failures: why others could not be had, or written."""

    written: int = 0
    failures: Sequence[HeraK8sError] = ()


class Collector:
    """Writes what each job printed to a file of its own, `<directory>/<job>.log`, a few at a time."""

    def __init__(self, jobs: Jobs, directory: Path) -> None:
        self._jobs = jobs
        self._directory = directory
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="collect")
        self._under_way: list[Future[bool]] = []

    def collect(self, job: Job) -> None:
        """Collect the log of a job that has ended, unless that of this very end was collected before."""
        self._under_way.append(self._pool.submit(collect_log, self._jobs, job, self._directory))

    def finish(self) -> Collected:
        """Wait for all."""
        self._pool.shutdown(wait=True)
        written, failures = 0, []
        for each in self._under_way:
            try:
                written += each.result()
            except HeraK8sError as error:
                failures.append(error)
        return Collected(written, failures)

    def abandon(self) -> None:
        """Begin no further log; those that are being written are written."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _moment(job: Job) -> float:
    """When a job ended, in seconds since 1970; 0 where that is not told."""
    try:
        return datetime.fromisoformat(job.finished_at.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


def _is_of(file: Path, job: Job) -> bool:
    """Whether a log is that of this end of a job, which its time tells: a job may be made anew under its name."""
    return file.exists() and file.stat().st_mtime == _moment(job)


def collect_log(jobs: Jobs, job: Job, directory: Path) -> bool:
    """Write what a job's pods printed, whole or not at all; False when it is there, or not to be had any more."""
    try:
        return not _is_of(directory / f"{job.name}.log", job) and _written(jobs, job, directory)
    except OSError as error:
        raise HeraK8sError(
            f"the log of {job.name} was not written to {directory}/", found=error.strerror or str(error)
        ) from error


def _written(jobs: Jobs, job: Job, directory: Path) -> bool:
    name = job.name
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = directory / f".{name}.{os.getpid()}.part"
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            for line in _with_pods(jobs, name):
                file.write(line + "\n")
        os.utime(unfinished, (_moment(job), _moment(job)))
        os.replace(unfinished, directory / f"{name}.log")
    except PlatformError as error:
        if error.trouble is not ErrorKind.MISSING:
            raise
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _with_pods(jobs: Jobs, name: str) -> Iterator[str]:
    """The lines of a job's pods; where it had several tries, each under the name of its pod."""
    several = len(list(jobs.pods(name))) > 1
    pod = ""
    for line in jobs.logs(name):
        if several and line.pod != pod:
            pod = line.pod
            yield f"==> {pod} <=="
        yield line.text
