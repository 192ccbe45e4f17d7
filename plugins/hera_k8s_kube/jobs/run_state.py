"""The tasks of a run of Jobs, as the core knows them: a Job is one, and so is each index of an indexed one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from hera_k8s_kube.jobs.client import JOB_LABEL
from hera_k8s_kube.jobs.job_status import FAILED, PENDING, RUNNING, SUCCEEDED, SUSPENDED, Job
from hera_k8s_utils import Json, NodeState, RunUpdate, parse_timestamp
from hera_k8s_utils.engines import describe_wait
from hera_k8s_utils.labels import JOB_COUNT_ANNOTATION, JOBS_LABEL, POINTS_LABEL, STOPPED_ANNOTATION, TASK_LABEL

INDEX: Final = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of a pod: its index."""
_USUAL: Final = ("BackoffLimitExceeded", "FailedIndexes", "")
"""Reasons that say no more than that the pods failed."""

STOPPED: Final = "Stopped"
"""The phase of a task that ended because its Job was stopped by hand."""

_ON_THEIR_WAY: Final = timedelta(minutes=10)
"""How long after its latest Job a run may get a further one."""

Point = Mapping[str, str]
FindPoint = Callable[[Job, int | None], Point]
"""A Job and one of its indexes -> the arguments of this task; empty where they are unknown."""


@dataclass(frozen=True)
class SeenPod:
    """What is kept of a pod. index: None where its Job is not indexed. gone: it was deleted."""

    name: str
    job: str
    index: int | None
    phase: str
    message: str = ""
    made_at: str = ""
    started_at: str = ""
    finished_at: str = ""
    restarts: int = 0
    exit_code: int | None = None
    gone: bool = False

    @property
    def waits(self) -> bool:
        """Whether nothing of it runs: it has not begun, or it is over and the Job has to make another."""
        return self.phase in (PENDING, FAILED) or (self.gone and self.phase == RUNNING)

    @classmethod
    def of(cls, pod: Json) -> SeenPod:
        """A pod as the API server gives it."""
        metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
        labels = metadata.get("labels") or {}
        index = str((metadata.get("annotations") or {}).get(INDEX) or labels.get(INDEX) or "")
        phase = str(status.get("phase") or PENDING)
        containers = status.get("containerStatuses") or ()
        ends = [((each.get("state") or {}).get("terminated") or {}) for each in containers]
        return cls(
            name=str(metadata.get("name") or ""),
            job=str(labels.get(JOB_LABEL) or labels.get("job-name") or ""),
            index=int(index) if index.isdecimal() else None,
            phase=phase,
            message=_why_failed(status, ends) if phase == "Failed" else _why_waiting(pod, phase),
            made_at=str(metadata.get("creationTimestamp") or ""),
            started_at=str(status.get("startTime") or ""),
            finished_at=max((str(end.get("finishedAt") or "") for end in ends), default=""),
            restarts=sum(int(each.get("restartCount") or 0) for each in containers),
            exit_code=next((int(end["exitCode"]) for end in ends if end.get("exitCode")), None),
        )


def _why_waiting(pod: Json, phase: str) -> str:
    reason = describe_wait(pod) if phase == PENDING else ""
    return "" if reason.startswith("ContainersNotReady") else reason


def _why_failed(status: Mapping[str, Any], ends: Iterable[Json]) -> str:
    """`OOMKilled, exit code 137`, or why the pod as a whole was ended (evicted, preempted)."""
    if status.get("reason"):
        return ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))
    for end in ends:
        if end.get("exitCode"):
            reason = str(end.get("reason") or "")
            words = [reason if reason != "Error" else "", f"exit code {end['exitCode']}"]
            return ", ".join(filter(None, words)) + (f": {end['message'].strip()}" if end.get("message") else "")
    return ""


@dataclass
class _Totals:
    """Sums over the Jobs of a run, kept as they change: there may be thousands.

    done, wanted: tasks. announced: how many Jobs they say that there are. stopped: those that failed by hand.
    """

    phases: Counter[str] = field(default_factory=Counter)
    done: int = 0
    wanted: int = 0
    announced: int = 0
    stopped: int = 0
    started: str = ""
    finished: str = ""

    def count(self, job: Job, sign: int, *, lost: bool) -> None:
        """Take a Job up, or (sign -1) as it was before out again."""
        decided = job.phase in (SUCCEEDED, FAILED)
        phase = "lost" if lost else RUNNING if decided and not job.over else job.phase
        self.phases[phase] += sign
        self.stopped += sign * (phase == FAILED and STOPPED_ANNOTATION in job.annotations)
        self.done += sign * (len(job.completed_indexes) if job.indexed else phase == SUCCEEDED)
        self.wanted += sign * ((job.completions or 0) if job.indexed else 1)
        count = job.annotations.get(JOB_COUNT_ANNOTATION, "")
        self.announced = max(self.announced, int(count) if count.isdecimal() else 0)
        self.started = min(filter(None, (self.started, job.started_at)), default="")
        self.finished = max(self.finished, job.finished_at)


@dataclass
class RunState:
    """The state of one run's Jobs and pods, from the events so far.

    find_point: what a task was given. alone: the run is one Job, whether or not it carries a run's labels.
    complete: how many Jobs it has where no further one will come; None while it may be that not all were created yet.
    """

    name: str
    find_point: FindPoint
    alone: bool = False
    complete: int | None = None
    _jobs: dict[str, Job] = field(default_factory=dict)
    _lost: set[str] = field(default_factory=set)
    _totals: _Totals = field(default_factory=lambda: _Totals())
    _pods: dict[tuple[str, int | None], dict[str, SeenPod]] = field(default_factory=dict)
    _reasons: dict[str, str] = field(default_factory=dict)
    _reported: dict[str, NodeState] = field(default_factory=dict)
    _summary: tuple[Any, ...] = ()

    # --- events ------------------------------------------------------------------------------------------------

    def take_job(self, job: Job, *, deleted: bool = False) -> Iterator[RunUpdate]:
        """A Job that came, changed or went."""
        before = self._jobs.get(job.name)
        if before is not None:
            self._totals.count(before, -1, lost=job.name in self._lost)
        self._jobs[job.name] = job
        lost = deleted and not job.over
        (self._lost.add if lost else self._lost.discard)(job.name)
        self._totals.count(job, 1, lost=lost)
        yield from self._news(self._changed(job, None if lost or deleted else before))

    def take_pod(self, pod: SeenPod, *, deleted: bool = False) -> Iterator[RunUpdate]:
        """A pod that came, changed or went; what is known of one that went is kept."""
        pod = replace(pod, gone=True) if deleted else pod
        self._pods.setdefault((pod.job, pod.index), {})[pod.name] = pod
        job = self._jobs.get(pod.job)
        if job is not None:
            yield from self._news([self._node(job, pod.index)])

    def without_pods(self) -> Job | None:
        """A Job that waits, and of which no pod was seen."""
        if not self._totals.phases[PENDING]:
            return None
        with_pods = {name for name, _ in self._pods}
        waiting = (job for name, job in self._jobs.items() if job.phase == PENDING and name not in with_pods)
        return next(waiting, None)

    def take_reason(self, job: Job, reason: str) -> Iterator[RunUpdate]:
        """Why a Job has no pod."""
        if reason and self._reasons.get(job.name) != reason:
            self._reasons[job.name] = reason
            yield from self._news([self._node(job, 0 if job.indexed else None)])

    def _changed(self, job: Job, before: Job | None) -> Iterator[NodeState]:
        """The tasks of a Job that a newer state of it may change."""
        if not job.indexed:
            yield self._node(job, None)
            return
        if job.over or before is None or job.name in self._lost:
            seen = (index for name, index in self._pods if name == job.name and index is not None)
            every = range(job.completions or 0) if job.over or job.name in self._lost else ()
            changed = {*seen, *every, *job.completed_indexes, *job.failed_indexes} - self._settled(job)
        else:
            changed = {
                *(job.completed_indexes - before.completed_indexes),
                *(job.failed_indexes - before.failed_indexes),
            }
        for index in sorted(changed):
            yield self._node(job, index)

    def _settled(self, job: Job) -> set[int]:
        """The indexes whose end was reported."""
        reported = (
            (index, self._reported.get(_id(job, index))) for index in job.completed_indexes | job.failed_indexes
        )
        return {index for index, node in reported if node is not None and node.phase in (SUCCEEDED, FAILED)}

    def _news(self, nodes: Iterable[NodeState]) -> Iterator[RunUpdate]:
        changed = []
        for node in nodes:
            if self._reported.get(node.id) != node:
                self._reported[node.id] = node
                changed.append(node)
        summary = self._summarised()
        if changed or summary != self._summary:
            self._summary = summary
            phase, message, progress, started, finished, gone = summary
            yield RunUpdate(
                phase=phase,
                message=message,
                nodes=changed,
                progress=progress,
                started_at=started,
                finished_at=finished,
                gone=gone,
            )

    # --- what it comes to --------------------------------------------------------------------------------------

    @property
    def expected(self) -> int:
        """How many Jobs the run has; it may be that not all were created yet."""
        announced = self._totals.announced if self.complete is None else self.complete
        return 1 if self.alone else max(len(self._jobs), announced)

    @property
    def ended(self) -> bool:
        """Whether every Job is over, or gone."""
        over = self._totals.phases[SUCCEEDED] + self._totals.phases[FAILED] + len(self._lost)
        return over > 0 and over >= self.expected

    def _summarised(self) -> tuple[Any, ...]:
        totals, ended = self._totals, self.ended
        gone = ended and len(self._lost) == len(self._jobs)
        phase = self._phase(ended=ended, gone=gone)
        progress = f"{totals.done}/{totals.wanted}"
        return phase, self._message(phase), progress, totals.started, totals.finished if ended else "", gone

    def _phase(self, *, ended: bool, gone: bool) -> str:
        phases = self._totals.phases
        if ended and not gone:
            return FAILED if self._lost or phases[FAILED] else SUCCEEDED
        return RUNNING if len(self._jobs) > phases[PENDING] + phases[SUSPENDED] else PENDING

    def _message(self, phase: str) -> str:
        totals = self._totals
        if phase != FAILED:
            return "suspended" if totals.phases[SUSPENDED] == len(self._jobs) else ""
        if totals.stopped:
            return "stopped by hand"
        if len(self._jobs) == 1:
            (job,) = self._jobs.values()
            return ": ".join(filter(None, (job.reason, job.message)))
        failed = totals.phases[FAILED]
        said = [f"{failed} failed" if failed else "", f"{len(self._lost)} deleted" if self._lost else ""]
        return f"{', '.join(filter(None, said))} (of {len(self._jobs)} Jobs)"

    # --- one task ------------------------------------------------------------------------------------------------

    def _node(self, job: Job, index: int | None) -> NodeState:
        pods = sorted(self._pods.get((job.name, index), {}).values(), key=lambda pod: (pod.made_at, pod.name))
        latest = pods[-1] if pods else None
        phase = self._phase_of(job, index, latest)
        name = job.name if index is None else f"{job.name}-{index}"
        task = job.labels.get(TASK_LABEL) or job.name
        point = self.find_point(job, index)
        over = phase in (SUCCEEDED, FAILED, STOPPED)
        failed = next((pod for pod in reversed(pods) if pod.phase == "Failed"), None) if phase == FAILED else None
        return NodeState(
            id=_id(job, index),
            name=name,
            display_name=_shown(task, point, job) or name,
            type="Pod" if phase != "Omitted" else "Skipped",
            template=task,
            phase=phase,
            message=self._message_of(job, phase, pods),
            pod=latest.name if latest else "",
            started_at=pods[0].started_at if pods else job.started_at,
            finished_at=(latest.finished_at if latest else "") or job.finished_at if over else "",
            retries=max(0, len(pods) - 1, job.failed if index is None and phase != FAILED else 0)
            + sum(pod.restarts for pod in pods),
            inputs=dict(point),
            exit_code=failed.exit_code if failed else None,
        )

    def _phase_of(self, job: Job, index: int | None, latest: SeenPod | None) -> str:
        if index is not None and index in job.completed_indexes:
            return SUCCEEDED
        if index is not None and index in job.failed_indexes:
            return FAILED
        if job.name in self._lost:
            return "Error"
        if job.over:
            return _phase_at_end(job, index, latest)
        if latest is None:
            return RUNNING if job.phase == RUNNING and index is None else PENDING
        return PENDING if latest.waits else RUNNING

    def _message_of(self, job: Job, phase: str, pods: list[SeenPod]) -> str:
        if phase == "Error":
            return "the Job was deleted"
        if phase == STOPPED or (phase == "Omitted" and STOPPED_ANNOTATION in job.annotations):
            return "stopped by hand"
        if phase == PENDING:
            said = pods[-1].message if pods else self._reasons.get(job.name, "")
            return "suspended" if job.phase == SUSPENDED else said
        if phase != FAILED:
            return ""
        of_pod = next((pod.message for pod in reversed(pods) if pod.phase == "Failed" and pod.message), "")
        of_job = "" if job.reason in _USUAL and of_pod else ": ".join(filter(None, (job.reason, job.message)))
        return "; ".join(filter(None, (of_pod, of_job)))


def _phase_at_end(job: Job, index: int | None, latest: SeenPod | None) -> str:
    """Of a task whose Job is over and does not say how the task ended."""
    if job.phase != FAILED:
        return job.phase if index is None else "Omitted"
    by_hand = STOPPED_ANNOTATION in job.annotations
    if latest is None and (by_hand or index is not None):
        return "Omitted"
    return STOPPED if by_hand else FAILED


def _shown(task: str, point: Point, job: Job) -> str:
    """`simulate(growth_rate=2.5, seed=1)`: of what a task was given, only its point."""
    names = job.annotations.get(POINTS_LABEL, "").split(",")
    said = [f"{name}={value}" for name, value in point.items() if name in names]
    return f"{task}({', '.join(said)})" if said else ""


def _id(job: Job, index: int | None) -> str:
    """Of a task; another Job under the same name has others."""
    return job.uid or job.name if index is None else f"{job.uid or job.name}/{index}"


def complete(jobs: Sequence[Job]) -> int | None:
    """How many Jobs a run has of which these are there; None while others may be on their way.

    Those of an old run that are not there were deleted: submitting one Job takes moments.
    """
    newest = parse_timestamp(max((job.created_at for job in jobs), default=""))
    return len(jobs) if newest is not None and datetime.now(timezone.utc) - newest > _ON_THEIR_WAY else None


def missing(jobs: Sequence[Job]) -> int:
    """How many Jobs of the run of these are not there, by the number that each carries."""
    numbers = [int(text) for job in jobs if (text := job.annotations.get(JOB_COUNT_ANNOTATION, "")).isdecimal()]
    return max(0, max(numbers, default=0) - len(jobs))


def run_of(job: Job) -> str:
    """The name of the run that a Job belongs to; its own where it carries none."""
    return job.labels.get(JOBS_LABEL) or job.name
