"""The Jobs of one namespace: submitted once each, followed by one watch, waited for, read, stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from hera_k8s_kube._renamed import warn_renamed
from hera_k8s_kube.jobs.job_status import Job
from hera_k8s_kube.jobs.pending_reasons import why_pods_wait
from hera_k8s_kube.jobs.watch import ListWatch
from hera_k8s_utils import (
    Context,
    CoreSettings,
    ErrorKind,
    HeraK8sError,
    Json,
    Kubernetes,
    LogLine,
    PlatformError,
    RunAlreadyFinished,
    Submission,
    SubmissionOutcomeUnknown,
    SubmitError,
    SubmittedInPart,
)
from hera_k8s_utils.engines import CONFIRMING, SubmissionTarget, log_of_pod, stream_logs, submit_once, tolerant
from hera_k8s_utils.labels import DIGEST_LABEL, STOPPED_ANNOTATION
from hera_k8s_utils.network import RetryPolicy

T = TypeVar("T")
R = TypeVar("R")

API: Final = "batch/v1"
RESOURCE: Final = "jobs"
JOB_LABEL: Final = "batch.kubernetes.io/job-name"
"""The label by which pods name their Job (Kubernetes 1.27)."""
_WIDTH: Final = 8
"""Requests that are under way at once where many Jobs are changed."""
_BEGUN: Final = ("Running", "Succeeded", "Failed")
_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"


class JobTimeout(HeraK8sError, TimeoutError):
    """A Job did not end in the time that it was waited for; it goes on."""


@dataclass(frozen=True)
class JobUpdate:
    """One Job that came, changed or went. kind: `added`, `modified` or `deleted`; a deleted Job as it was last."""

    kind: str
    job: Job


@dataclass(frozen=True)
class Jobs:
    """The Jobs of one namespace. Safe to share between threads; calls block, each for a bounded time.

        jobs = open_jobs(context)
        jobs.submit(manifest)
        job = jobs.wait("hello", timeout=600)

    confirming: seconds for which a Job is looked for when the answer to its submission was lost.

    All but `submit` raise `PlatformError` for what the server refuses, 404 included.
    """

    kubernetes: Kubernetes
    patience: RetryPolicy = field(default_factory=RetryPolicy)
    confirming: float = CONFIRMING

    @property
    def namespace(self) -> str:
        """Where they are."""
        return self.kubernetes.namespace

    # --- one Job -----------------------------------------------------------------------------------------------

    def submit(self, manifest: Json) -> Job:
        """Create a Job exactly once, under its name: after a lost answer or a conflict, what is there is compared.

        manifest: with `metadata.name`; a label with its digest is added, unless it has one. Raises `SubmitError` when
        the name is taken by another Job, when the one that is there is being deleted, and for what is refused.
        """
        submission = self.submit_raw(manifest)
        if submission.existed:
            return self.get(submission.name)
        metadata = manifest["metadata"]
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        return Job(name=submission.name, uid=submission.uid, labels=dict(labels), annotations=dict(annotations))

    def submit_raw(self, manifest: Json) -> Submission:
        """What `submit` does, told in fewer words: whether an earlier try had arrived already."""
        wanted = self.prepared(manifest)
        desk = SubmissionTarget(
            self.namespace,
            create=partial(self.kubernetes.create, API, RESOURCE),
            read=self._read_lasting,
            pause=self.patience.pause,
            word="Job",
            confirming=self.confirming,
        )
        return submit_once(wanted, desk)

    def hand_in(self, manifest: Json) -> Submission:
        """The old name of `submit_raw`."""
        warn_renamed("Jobs.hand_in", "Jobs.submit_raw")
        return self.submit_raw(manifest)

    def _read_lasting(self, name: str) -> Json:
        """A Job that will not be gone in a moment: it holds its name, and is not what was submitted."""
        found = self.kubernetes.get(API, RESOURCE, name)
        if Job.of(found).deleting:
            raise SubmitError(
                f"{name} was not submitted",
                found="a Job of this name is being deleted",
                hint="try again in a moment",
            )
        return found

    def prepared(self, manifest: Json) -> Json:
        """The object that `submit` creates: in this namespace, labelled with its digest."""
        from hera_k8s_utils import Manifest

        known = Manifest.of(manifest)
        if known.kind != "Job" or not known.name:
            found = f"a {known.kind} called {known.name}" if known.name else f"a {known.kind} without a name"
            raise SubmitError("only a named Job can be submitted", found=found, hint="metadata.name")
        if known.namespace and known.namespace != self.namespace:
            raise SubmitError(
                f"{known.name} was not submitted",
                found=f"its namespace is {known.namespace}, but it would be created in {self.namespace}",
                hint=f"-n {known.namespace}, or omit the namespace in the Job",
            )
        if DIGEST_LABEL not in (known.metadata.get("labels") or {}):
            known = known.labelled({DIGEST_LABEL: known.digest[:40]})
        return {"apiVersion": API, **known.in_namespace(self.namespace).body}

    def dry_run(self, manifest: Json) -> None:
        """Let the server admit a Job without keeping it; raises `PlatformError` with what it says against it."""
        self.kubernetes.create(API, RESOURCE, self.prepared(manifest), dry_run=True)

    def get(self, name: str) -> Job:
        """The Job of a name."""
        return Job.of(self.kubernetes.get(API, RESOURCE, name))

    def wait(self, name: str, *, timeout: float | None = None) -> Job:
        """The Job, once it is over. timeout: seconds; then `JobTimeout` is raised, and the Job goes on."""
        until = None if timeout is None else time.monotonic() + timeout
        for update in self._followed(name, until):
            if update.kind == "deleted":
                raise _gone(name)
            if update.job.over:
                return update.job
        raise JobTimeout(
            f"{name} did not end within {timeout:g} s" if timeout is not None else f"{name} did not end",
            found=self.why_pending(name),
            hint=f"it is still running: kubectl -n {self.namespace} get job {name}",
        )

    def wait_gone(self, name: str, *, timeout: float | None = None) -> None:
        """Until a Job that is being deleted is no longer there, so that its name is free; else as `wait`."""
        until = None if timeout is None else time.monotonic() + timeout
        try:
            there = self.kubernetes.get(API, RESOURCE, name)
        except PlatformError as error:
            if error.trouble is not ErrorKind.MISSING:
                raise
            return
        for change in self._named(name).changes(self.patience, until=until, there=[there]):
            if change.kind == "deleted":
                return
        raise JobTimeout(f"{name} is still there after {timeout:g} s" if timeout is not None else f"{name} stays")

    def why_pending(self, name: str) -> str:
        """What keeps its pods from starting; empty when nothing stands in the way.

        From the pods' conditions and containers, else the newest warning about them, or about the Job (a quota).
        """
        job = self.get(name)
        if job.over:
            return ""
        if job.phase == "Suspended":
            return "Suspended: it was created suspended, or suspended later"
        return why_pods_wait(self.kubernetes, job.uid, self.pods(name))

    def pods(self, name: str) -> Iterator[Json]:
        """Its pods, the newest last."""
        return self.pods_with(f"{JOB_LABEL}={name}")

    def pods_with(self, label_selector: str) -> Iterator[Json]:
        """The pods that carry the labels, the newest last."""
        found = list(self.kubernetes.list("v1", "pods", label_selector=label_selector))
        yield from sorted(found, key=lambda pod: (str(pod["metadata"].get("creationTimestamp") or ""), _name(pod)))

    def logs(self, name: str, *, container: str = "", follow: bool = False) -> Iterator[LogLine]:
        """What its pods printed, those of retries and indexes too, in the order of their start.

        container: by default the pod's first, or the one that its annotation names. follow: side by side as lines come,
        until the Job is over. Raises `PlatformError` when it has no pods (without `follow`).
        """
        if follow:
            yield from stream_logs(partial(self.log, container=container, follow=True), self._beginning(name))
            return
        yield from self.logs_of(name, self.pods(name), container=container)

    def logs_of(self, name: str, pods: Iterable[Json], *, container: str = "") -> Iterator[LogLine]:
        """What pods printed, one after another; raises `PlatformError` when there is none. name: whose they are."""
        none = True
        for pod in pods:
            none = False
            read = log_of_pod(self.kubernetes, _name(pod), follow=False, container=container or main_container(pod))
            yield from tolerant(read)
        if none:
            raise PlatformError(
                f"logs of {name}",
                found="it has no pods: they were deleted, or none has started",
                hint=f"kubectl -n {self.namespace} describe job {name}",
                trouble=ErrorKind.MISSING,
            )

    def log(self, pod: str, *, container: str = "", follow: bool = False) -> Iterator[LogLine]:
        """What one pod printed."""
        container = container or main_container(self.kubernetes.get("v1", "pods", pod))
        return log_of_pod(self.kubernetes, pod, follow=follow, container=container)

    def suspend(self, name: str) -> None:
        """Let no pod of it run; those that do are ended, and made anew by `resume`."""
        self.kubernetes.patch(API, RESOURCE, name, {"spec": {"suspend": True}})

    def resume(self, name: str) -> None:
        """Let a suspended Job start."""
        self.kubernetes.patch(API, RESOURCE, name, {"spec": {"suspend": False}})

    def stop(self, name: str) -> None:
        """End a Job and keep its object: its deadline is set to the past, so that it fails with DeadlineExceeded.

        A suspended one, which has no deadline, is deleted. Raises `RunOver` for one that has ended.
        """
        job = self.get(name)
        if job.over:
            raise RunAlreadyFinished(name, job.phase)
        if job.phase == "Suspended":
            self.cancel(name)
            return
        body = {"metadata": {"annotations": {STOPPED_ANNOTATION: "true"}}, "spec": {"activeDeadlineSeconds": 1}}
        self.kubernetes.patch(API, RESOURCE, name, body)

    def cancel(self, name: str) -> None:
        """Delete it, and its pods a moment later. What is gone is gone."""
        try:
            self.kubernetes.delete(API, RESOURCE, name, propagation="Background")
        except PlatformError as error:
            if error.trouble is not ErrorKind.MISSING:
                raise

    # --- many --------------------------------------------------------------------------------------------------

    def list(self, label_selector: str = "") -> Iterator[Job]:
        """The Jobs that carry the labels, the oldest first."""
        found = [Job.of(each) for each in self.kubernetes.list(API, RESOURCE, label_selector=label_selector)]
        yield from sorted(found, key=lambda job: (job.created_at, job.name))

    def follow(self, label_selector: str = "", *, name: str = "") -> Iterator[JobUpdate]:
        """One watch of all Jobs that carry the labels: first those that are there, then what changes, without end.

        A cut stream is taken up where it was, also after a token was renewed or the server forgot the place (410).
        name: of the one Job to follow; ends when it is over or deleted, and raises 404 when it is not there.
        """
        if name:
            yield from self._followed(name)
            return
        for change in self._with(label_selector).changes(self.patience):
            yield JobUpdate(change.kind, change.object)

    def watch(self, label_selector: str) -> tuple[Sequence[Job], Iterator[JobUpdate]]:
        """The Jobs that carry the labels, and what changes from then on, without end: `follow`, told apart."""
        there = tuple(self.kubernetes.list(API, RESOURCE, label_selector=label_selector))

        def later() -> Iterator[JobUpdate]:
            changes = self._with(label_selector).changes(self.patience, there=there)
            for change in islice(changes, len(there), None):
                yield JobUpdate(change.kind, change.object)

        return [Job.of(each) for each in there], later()

    def _with(self, label_selector: str) -> ListWatch[Job]:
        return ListWatch(self.kubernetes, API, RESOURCE, Job.of, label_selector=label_selector, what="Jobs")

    def delete_all(self, label_selector: str) -> int:
        """Delete all Jobs that carry the labels; returns how many there were. Some label must be named."""
        if not label_selector.strip():
            raise HeraK8sError(
                "refusing to delete every Job of the namespace", hint="pass a label: delete_all('app=mine')"
            )
        names = [job.name for job in self.list(label_selector)]
        map_concurrently(self.cancel, names)
        return len(names)

    def clean_up(self, label_selector: str) -> int:
        """The old name of `delete_all`."""
        warn_renamed("Jobs.clean_up", "Jobs.delete_all")
        return self.delete_all(label_selector)

    # --- how ---------------------------------------------------------------------------------------------------

    def _followed(self, name: str, until: float | None = None) -> Iterator[JobUpdate]:
        there = self.kubernetes.get(API, RESOURCE, name)  # a watch of what is not there would wait for it
        for change in self._named(name).changes(self.patience, until=until, there=[there]):
            yield JobUpdate(change.kind, change.object)
            if change.kind == "deleted" or change.object.over:
                return

    def _named(self, name: str) -> ListWatch[Job]:
        own = f"metadata.name={name}"
        return ListWatch(self.kubernetes, API, RESOURCE, Job.of, field_selector=own, what=f"Job {name}")

    def _beginning(self, name: str) -> Iterator[str]:
        """Each pod of the Job once it has begun, until the Job is over."""
        seen = set[str]()
        for update in self._followed(name):
            if update.kind == "deleted":
                return
            for pod in self.pods(name):
                if (pod.get("status") or {}).get("phase") in _BEGUN and _name(pod) not in seen:
                    seen.add(_name(pod))
                    yield _name(pod)


def map_concurrently(act: Callable[[T], R], things: Sequence[T]) -> list[R]:
    """Do something about many things, a few at a time; after the first failure, or Ctrl-C, no further one is begun.

    Raises the first failure, in the order of the things.
    """
    with ThreadPoolExecutor(_WIDTH, thread_name_prefix="jobs") as pool:
        done = [pool.submit(act, thing) for thing in things]
        try:
            return [each.result() for each in done]
        except BaseException:
            for each in done:
                each.cancel()
            raise


def submit_all(jobs: Jobs, manifests: Sequence[Json], run: str, *, again: str, end: str) -> list[Submission]:
    """Submit the Jobs of one run, a few at a time, each once; after the first failure no further one is begun.

    run: what messages call them together. again: what completes them. end: what ends those that were accepted.

    Raises `SubmissionUnknown` when the outcome of any is unknown, else `SubmittedInPart` when some were accepted and
    some were not, else the first error.
    """
    failed = threading.Event()

    def submit(manifest: Json) -> Submission | HeraK8sError | None:
        if failed.is_set():
            return None
        try:
            return jobs.submit_raw(manifest)
        except HeraK8sError as error:
            failed.set()
            return error

    outcomes = map_concurrently(submit, manifests)
    accepted = [each for each in outcomes if isinstance(each, Submission)]
    errors = [each for each in outcomes if isinstance(each, HeraK8sError)]
    if not errors:
        return accepted
    first = next((each for each in errors if isinstance(each, SubmissionOutcomeUnknown)), errors[0])
    if len(manifests) == 1 or (not accepted and not isinstance(first, SubmissionOutcomeUnknown)):
        raise first
    said = f"{len(accepted)} of {len(manifests)} Jobs are known to be accepted; {first.wanted}: {first.found}"
    if isinstance(first, SubmissionOutcomeUnknown):
        raise SubmissionOutcomeUnknown(
            f"it is not known whether {run} was accepted",
            found=said,
            hint=f"{again} finds out, and never makes a second one",
        ) from first
    raise SubmittedInPart(
        f"{run} was submitted in part", found=said, hint=f"complete it: {again}; or stop it: {end}"
    ) from first


def open_jobs(context: Context) -> Jobs:
    """The Jobs of the context's namespace, over its Kubernetes client. Makes no request."""
    return Jobs(context.kubernetes, confirming=context.options.of(CoreSettings).confirm_timeout)


def main_container(pod: Json) -> str:
    """The container whose output is meant when none is named."""
    annotated = ((pod.get("metadata") or {}).get("annotations") or {}).get(_DEFAULT_CONTAINER)
    containers = (pod.get("spec") or {}).get("containers") or [{}]
    return str(annotated or containers[0].get("name") or "main")


def _name(pod: Json) -> str:
    return str(pod["metadata"]["name"])


def _gone(name: str) -> PlatformError:
    return PlatformError(f"waiting for {name}", found="the Job was deleted", trouble=ErrorKind.MISSING, status=404)
