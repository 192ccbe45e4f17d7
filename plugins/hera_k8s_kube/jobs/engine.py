"""The engine `jobs`: experiments whose builder returns Kubernetes Jobs, without Argo."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_kube.jobs.client import API, JOB_LABEL, RESOURCE, Jobs, map_concurrently, open_jobs, submit_all
from hera_k8s_kube.jobs.job_status import FAILED, Job
from hera_k8s_kube.jobs.manifest import JOB
from hera_k8s_kube.jobs.pending_reasons import latest_warning
from hera_k8s_kube.jobs.points import lines_of, of_annotation, parsed
from hera_k8s_kube.jobs.run_state import Point, RunState, SeenPod, complete, missing, run_of
from hera_k8s_kube.jobs.watch import ListWatch, WatchEvent
from hera_k8s_utils import (
    CheckResult,
    Context,
    ErrorKind,
    Finding,
    Json,
    LogLine,
    PlatformError,
    RunAlreadyFinished,
    RunSummary,
    RunUpdate,
    Submission,
    SubmitError,
    Verdict,
    ok,
)
from hera_k8s_utils.engines import (
    Pump,
    SubmissionTarget,
    dry_run_result,
    log_permission_result,
    started_pods,
    stream_logs,
    submit_once,
)
from hera_k8s_utils.labels import DIGEST_LABEL, JOBS_LABEL, POINT_ANNOTATION, POINTS_LABEL, TASK_LABEL

if TYPE_CHECKING:
    from hera_k8s_utils import BuiltExperiment

log = logging.getLogger(__name__)

_TRIED: Final = 8
"""Jobs that are tried out before a run, at the most: those of a sweep are alike."""
_SILENCE: Final = 5.0
"""Seconds without an event after which it is looked why a Job has no pod."""
_WAITING: Final = 1000
"""Events that wait to be taken."""


@dataclass(frozen=True)
class JobsEngine:
    """Runs Jobs: those of one run carry its name in a label, and are followed together."""

    jobs: Jobs

    # --- before ------------------------------------------------------------------------------------------------

    def submit(self, built: BuiltExperiment) -> Submission:
        """Submit each object exactly once, config maps first; raises `SubmitError`. Repeat it to complete the run."""
        objects = self._prepared(built)
        maps = [each for each in objects if each["kind"] != JOB]
        wanted = [each for each in objects if each["kind"] == JOB]
        for each in maps:
            self._submit_map(each, built.name)
        again = f"the same command with --run-id {built.run_id}"
        submitted = submit_all(self.jobs, wanted, built.name, again=again, end=f"hera-k8s stop {built.run_id}")
        self._give_to(maps, list(zip(wanted, submitted, strict=True)))
        return Submission(
            name=built.name,
            namespace=self.jobs.namespace,
            uid=submitted[0].uid,
            existed=all(each.existed for each in submitted),
        )

    def preflight(self, built: BuiltExperiment) -> Iterable[Finding]:
        """Let the API server admit the Jobs without keeping them; of many, the first few."""
        yield Finding("jobs accepts it", self._dry_run(built))
        logs = log_permission_result(self.jobs.kubernetes)
        if logs is not None:
            yield Finding("logs", logs)

    def _dry_run(self, built: BuiltExperiment) -> CheckResult:
        objects = [each for each in self._prepared(built) if each["kind"] == JOB]
        few = objects[:_TRIED]
        for job in few:
            result = dry_run_result(partial(self.jobs.dry_run, job), resource="jobs")
            if result.verdict is not Verdict.PASSED:
                return result
        said = "dry run accepted" if len(few) == len(objects) else f"dry run of {len(few)} of {len(objects)} accepted"
        return ok(said)

    def _prepared(self, built: BuiltExperiment) -> list[Json]:
        """The objects of a run, each with the digest of the whole."""
        manifest = built.manifest
        namespace = self.jobs.namespace
        elsewhere = {str((each.get("metadata") or {}).get("namespace") or namespace) for each in manifest.objects}
        if elsewhere != {namespace}:
            other = sorted(elsewhere - {namespace})[0]
            raise SubmitError(
                f"{built.name} was not submitted",
                found=f"a Job's namespace is {other}, but the run's is {namespace}",
                hint=f"-n {other}, or omit the namespace in the Job",
            )
        digest = manifest.digest[:40]
        return [_labelled(each, {DIGEST_LABEL: digest}, namespace) for each in manifest.objects]

    def _submit_map(self, wanted: Json, run: str) -> None:
        kubernetes = self.jobs.kubernetes
        there: list[Json] = []

        def read(name: str) -> Json:
            found = kubernetes.get("v1", "configmaps", name)
            if (found.get("metadata") or {}).get("deletionTimestamp"):
                raise _being_deleted(name)
            there.append(found)
            return found

        target = SubmissionTarget(
            self.jobs.namespace,
            create=partial(kubernetes.create, "v1", "configmaps"),
            read=read,
            sleep=self.jobs.patience.sleep,
            noun="config map",
            confirming=self.jobs.confirming,
        )
        if submit_once(wanted, target).existed:
            self._detach(there[-1], run)

    def _detach(self, found: Json, run: str) -> None:
        """Keep a config map whose owners are gone from being deleted after them: the new Jobs will own it."""
        name, owners = found["metadata"]["name"], found["metadata"].get("ownerReferences")
        try:
            if not owners or {each["uid"] for each in owners} & self._lasting(run):
                return
            self.jobs.kubernetes.patch("v1", "configmaps", name, {"metadata": {"ownerReferences": None}})
        except PlatformError as error:
            if error.kind is ErrorKind.MISSING:
                raise _being_deleted(name) from error
            raise SubmitError(
                f"{name} was not submitted",
                found=f"it may be deleted with earlier Jobs of the run: {error.found or error.wanted}",
                hint=error.hint or "try again in a moment",
            ) from error

    def _lasting(self, run: str) -> set[str]:
        """The uids of the run's Jobs that are there, and are not being deleted."""
        return {job.uid for job in self.jobs.list(f"{JOBS_LABEL}={run}") if not job.deleting}

    def _give_to(self, maps: Iterable[Json], jobs: Iterable[tuple[Json, Submission]]) -> None:
        """Let the config maps go with the Jobs that read them: these become their owners."""
        for each in maps:
            task = each["metadata"]["labels"].get(TASK_LABEL)
            owners = [
                {"apiVersion": API, "kind": JOB, "name": submitted.name, "uid": submitted.uid}
                for job, submitted in jobs
                if task in (None, job["metadata"]["labels"].get(TASK_LABEL))
            ]
            try:
                body = {"metadata": {"ownerReferences": owners}}
                self.jobs.kubernetes.patch("v1", "configmaps", each["metadata"]["name"], body)
            except PlatformError as error:  # a courtesy: the run itself is under way
                log.info("config map %s will stay after its Jobs: %s", each["metadata"]["name"], error)

    # --- while it runs -------------------------------------------------------------------------------------------

    def follow(self, name: str) -> Iterator[RunUpdate]:
        """Updates as they come, until every Job of the run is over or gone; raises 404 when there is none."""
        there = self._jobs(name)
        alone = _is_alone(there, name)
        state = RunState(name, _Points(self.jobs).of, alone=alone, complete=complete(there))
        for change in _RunWatch(self.jobs, name, alone=alone).events():
            for update in self._taken(state, change):
                if update.finished:
                    yield self._last(name, state, update, alone=alone)
                    return
                yield update

    def _taken(self, state: RunState, change: WatchEvent[Any] | None) -> Iterator[RunUpdate]:
        """What one event changes; after a silence, why a Job that has no pod has none."""
        if change is None:
            job = state.without_pods()
            return state.take_reason(job, self._why(job)) if job else iter(())
        if isinstance(change.object, Job):
            return state.take_job(change.object, deleted=change.kind == "deleted")
        return state.take_pod(change.object, deleted=change.kind == "deleted")

    def _why(self, job: Job) -> str:
        try:
            return latest_warning(self.jobs.kubernetes, job.uid)
        except PlatformError as error:  # a courtesy
            log.info("why %s has no pod cannot be found out: %s", job.name, error)
            return ""

    def _last(self, name: str, state: RunState, update: RunUpdate, *, alone: bool) -> RunUpdate:
        """The last update, with what the pods say now: their stream may lag behind that of the Jobs."""
        nodes = {node.id: node for node in update.nodes}
        try:
            for pod in self.jobs.pods_with(_of_pods(name, alone=alone)):
                for later in state.take_pod(SeenPod.of(pod)):
                    nodes.update({node.id: node for node in later.nodes})
        except PlatformError as error:
            log.info("the pods of %s cannot be read: %s", name, error)
        return RunUpdate(
            phase=update.phase,
            message=update.message,
            nodes=list(nodes.values()),
            progress=update.progress,
            started_at=update.started_at,
            finished_at=update.finished_at,
            gone=update.gone,
        )

    def logs(self, name: str, *, pod: str = "", follow: bool = False) -> Iterator[LogLine]:
        """What the pods printed, as far as they are still there; with `follow` until the run ends."""
        if pod:
            return self.jobs.log(pod, follow=follow)
        if follow:
            return stream_logs(partial(self.jobs.log, follow=True), started_pods(self.follow(name)))
        there = self._jobs(name)
        return self.jobs.logs_of(name, self.jobs.pods_with(_of_pods(name, alone=_is_alone(there, name))))

    def stop(self, name: str, *, terminate: bool = False) -> None:
        """Stop the running Jobs: they fail, and their objects stay. terminate: delete them instead.

        Raises `RunAlreadyFinished` for a run that has ended.
        """
        there = self._jobs(name)
        going = [job for job in there if not job.over]
        if not going:
            raise RunAlreadyFinished(name, FAILED if any(job.phase == FAILED for job in there) else there[0].phase)
        map_concurrently(self.jobs.cancel if terminate else self._stop, [job.name for job in going])

    def _stop(self, name: str) -> None:
        try:
            self.jobs.stop(name)
        except RunAlreadyFinished:  # it ended meanwhile
            log.debug("%s ended before it was stopped", name)

    def find(self, name: str) -> RunSummary:
        """The Jobs of a run as a listing shows it; raises 404 when there is none."""
        there = self._jobs(name)
        named = _is_alone(there, name) and there[0].name  # what is no Job has no name
        return replace(_summary(name, there), name=named or run_of(there[0]))

    def runs(self, *, label_selector: str = "", limit: int = 500) -> Iterator[RunSummary]:
        """The runs that carry the labels, the newest first."""
        by_run: dict[str, list[Job]] = {}
        for job in self.jobs.list(label_selector):
            by_run.setdefault(run_of(job), []).append(job)
        found = [_summary(name, jobs) for name, jobs in by_run.items()]
        yield from sorted(found, key=lambda run: (run.started_at, run.name), reverse=True)[: limit or None]

    def _jobs(self, name: str) -> list[Job]:
        """The Jobs of a run; else the Job of that very name. Raises 404 when there is neither."""
        return list(self.jobs.list(f"{JOBS_LABEL}={name}")) or [self.jobs.get(name)]


# --- one run's events ----------------------------------------------------------------------------------------------


@dataclass
class _RunWatch:
    """The Jobs of a run and their pods, each watched in a thread. Pods that may not be watched are left out."""

    jobs: Jobs
    name: str
    alone: bool
    _pump: Pump[WatchEvent[Any]] = field(default_factory=lambda: Pump(_WAITING))

    def events(self) -> Iterator[WatchEvent[Any] | None]:
        """Events of both, and None after a silence; raises what keeps the Jobs from being followed."""
        kubernetes = self.jobs.kubernetes
        own = {"field_selector": f"metadata.name={self.name}"}
        run = {"label_selector": f"{JOBS_LABEL}={self.name}"}
        what = f"{self.name} (reattach: hera-k8s follow {self.name})"
        of_jobs = ListWatch(kubernetes, API, RESOURCE, Job.of, what=what, **(own if self.alone else run))
        of_pods = ListWatch(
            kubernetes, "v1", "pods", SeenPod.of, what=what, label_selector=_of_pods(self.name, alone=self.alone)
        )
        self._pump.start(partial(self._watch, of_jobs), name="watch-jobs")
        self._pump.start(partial(self._watch_pods, of_pods), name="watch-pods")
        yield from self._pump.poll(lambda: _SILENCE)

    def _watch(self, watched: ListWatch[Any]) -> None:
        for event in watched.changes(self.jobs.patience, stopped=lambda: self._pump.stopped):
            if not self._pump.put(event):
                return

    def _watch_pods(self, watched: ListWatch[Any]) -> None:
        try:
            self._watch(watched)
        except PlatformError as error:
            log.info("the pods of %s cannot be watched: %s", self.name, error)


def _is_alone(jobs: list[Job], name: str) -> bool:
    """Whether a name is that of one Job, and not of a run."""
    return jobs[0].labels.get(JOBS_LABEL) != name


def _of_pods(name: str, *, alone: bool) -> str:
    return f"{JOB_LABEL}={name}" if alone else f"{JOBS_LABEL}={name}"


@dataclass
class _Points:
    """What tasks were given: read once, from the config maps of a run, or from the Job itself."""

    jobs: Jobs
    _lines: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def of(self, job: Job, index: int | None) -> Point:
        """The texts that one task was given."""
        if index is None:
            return of_annotation(job.annotations.get(POINT_ANNOTATION, ""))
        if POINTS_LABEL not in job.annotations:
            return {}
        lines = self._of_run(run_of(job), job.labels.get(TASK_LABEL, ""))
        return parsed(lines[index]) if index < len(lines) else {}

    def _of_run(self, run: str, task: str) -> list[str]:
        key = (run, task)
        if key not in self._lines:
            selector = f"{JOBS_LABEL}={run},{TASK_LABEL}={task},{POINTS_LABEL}"
            try:
                self._lines[key] = lines_of(self.jobs.kubernetes.list("v1", "configmaps", label_selector=selector))
            except PlatformError as error:  # a courtesy: indexes are names too
                log.info("the points of %s cannot be read: %s", run, error)
                self._lines[key] = []
        return self._lines[key]


def _being_deleted(name: str) -> SubmitError:
    return SubmitError(
        f"{name} was not submitted",
        found="a config map of this name is being deleted",
        hint="try again in a moment",
    )


def _labelled(item: Json, labels: Mapping[str, str], namespace: str) -> Json:
    metadata = item.get("metadata") or {}
    metadata = {**metadata, "namespace": namespace, "labels": {**(metadata.get("labels") or {}), **labels}}
    return {**item, "metadata": metadata}


def _summary(name: str, jobs: list[Job]) -> RunSummary:
    """A run as a listing shows it."""
    state = RunState(name, lambda *_: {}, alone=_is_alone(jobs, name), complete=complete(jobs))
    last = RunUpdate(phase="")
    for job in jobs:
        for update in state.take_job(job):
            last = update
    return RunSummary(
        name=name,
        phase=last.phase,
        progress=last.progress,
        started_at=min(job.created_at for job in jobs),
        finished_at=last.finished_at,
        labels=dict(jobs[0].labels),
        missing=missing(jobs),
    )


def open_jobs_engine(settings: None, context: Context) -> JobsEngine:
    """The engine over the context's Kubernetes API."""
    return JobsEngine(open_jobs(context))
