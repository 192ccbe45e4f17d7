"""The Jobs of one namespace: submit each exactly once, follow them by one watch, wait for them, read and stop them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final, TypeVar

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
from hera_k8s_utils._moved import forward, renamed
from hera_k8s_utils.engines import CONFIRMING, SubmissionTarget, log_of_pod, skip_missing, stream_logs, submit_once
from hera_k8s_utils.labels import DIGEST_LABEL, STOPPED_ANNOTATION
from hera_k8s_utils.network import RetryPolicy

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

API: Final = "batch/v1"
RESOURCE: Final = "jobs"
JOB_LABEL: Final = "batch.kubernetes.io/job-name"
"""The label of a pod with the name of its Job (Kubernetes 1.27)."""
_WIDTH: Final = 8
"""Concurrent requests when many Jobs are changed."""
_STARTED: Final = ("Running", "Succeeded", "Failed")
_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"


class JobTimeout(HeraK8sError, TimeoutError):
    """A Job did not end within the timeout; it is still running."""


@dataclass(frozen=True)
class JobUpdate:
    """One change of a Job.

    kind: `added`, `modified` or `deleted`.
    job: the Job after the change; a deleted one in its last state.
    """

    kind: str
    job: Job


@renamed(hand_in="submit_raw", clean_up="delete_all")
@dataclass(frozen=True)
class Jobs:
    """The Jobs of one namespace. Safe to share between threads; calls block, each for a bounded time.

        jobs = open_jobs(context)
        jobs.submit(manifest)
        job = jobs.wait("hello", timeout=600)

    kubernetes: the client of the API server; its namespace is used.
    patience: retry policy of interrupted watches.
    confirming: seconds to look for a Job when the answer to its submission was lost; default 60.

    All methods but `submit` raise `PlatformError` when the server refuses a request, with 404 for a missing Job.
    """

    kubernetes: Kubernetes
    patience: RetryPolicy = field(default_factory=RetryPolicy)
    confirming: float = CONFIRMING

    @property
    def namespace(self) -> str:
        """The namespace of the Jobs."""
        return self.kubernetes.namespace

    # --- one Job -----------------------------------------------------------------------------------------------

    def submit(self, manifest: Json) -> Job:
        """Create a Job exactly once under its name; after a lost answer or a conflict, compare the existing one.

        manifest: a Job with `metadata.name`; a label with its digest is added, unless it has one.

        Raises `SubmitError` when another Job has the name, when the existing one is being deleted, and when the server
        refuses the Job.
        """
        submission = self.submit_raw(manifest)
        if submission.existed:
            return self.get(submission.name)
        metadata = manifest["metadata"]
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        return Job(name=submission.name, uid=submission.uid, labels=dict(labels), annotations=dict(annotations))

    def submit_raw(self, manifest: Json) -> Submission:
        """`submit` without reading the Job back: name, uid, and whether an earlier attempt had already created it."""
        wanted = self.prepared(manifest)
        target = SubmissionTarget(
            self.namespace,
            create=partial(self.kubernetes.create, API, RESOURCE),
            read=self._read_not_deleting,
            sleep=self.patience.sleep,
            noun="Job",
            confirming=self.confirming,
        )
        return submit_once(wanted, target)

    def _read_not_deleting(self, name: str) -> Json:
        """A Job that is not being deleted: one that is still occupies the name, but is not the submitted one."""
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
        from hera_k8s_utils.experiment import Manifest

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
        """Let the server validate a Job without creating it; raises `PlatformError` with the reason of a refusal."""
        self.kubernetes.create(API, RESOURCE, self.prepared(manifest), dry_run=True)

    def get(self, name: str) -> Job:
        """The Job of a name."""
        return Job.of(self.kubernetes.get(API, RESOURCE, name))

    def wait(self, name: str, *, timeout: float | None = None) -> Job:
        """The Job once it has ended. timeout: seconds; `JobTimeout` is raised after it, and the Job keeps running."""
        until = None if timeout is None else time.monotonic() + timeout
        for update in self._followed(name, until):
            if update.kind == "deleted":
                raise _gone(name)
            if update.job.over:
                return update.job
        raise JobTimeout(
            f"{name} did not end within {timeout:g} s" if timeout is not None else f"{name} did not end",
            found=self._reason(name),
            hint=f"it is still running: kubectl -n {self.namespace} get job {name}",
        )

    def wait_gone(self, name: str, *, timeout: float | None = None) -> None:
        """Wait until a Job that is being deleted is gone, so that its name is free. timeout: as for `wait`."""
        until = None if timeout is None else time.monotonic() + timeout
        try:
            there = self.kubernetes.get(API, RESOURCE, name)
        except PlatformError as error:
            if error.kind is not ErrorKind.MISSING:
                raise
            return
        for change in self._named(name).changes(self.patience, until=until, there=[there]):
            if change.kind == "deleted":
                return
        raise JobTimeout(f"{name} is still there after {timeout:g} s" if timeout is not None else f"{name} stays")

    def _reason(self, name: str) -> str:
        """Why its pods do not start, if that can be found out: it explains another error."""
        try:
            return self.why_pending(name)
        except PlatformError as error:
            log.info("why %s did not end cannot be found out: %s", name, error)
            return ""

    def why_pending(self, name: str) -> str:
        """Why its pods do not start; empty when nothing prevents it.

        From the pods' conditions and containers, else the latest warning about them or the Job (such as a quota).
        """
        job = self.get(name)
        if job.over:
            return ""
        if job.phase == "Suspended":
            return "Suspended: it was created suspended, or suspended later"
        return why_pods_wait(self.kubernetes, job.uid, self.pods(name))

    def pods(self, name: str) -> Iterator[Json]:
        """The pods of a Job, newest last."""
        return self.pods_with(f"{JOB_LABEL}={name}")

    def pods_with(self, label_selector: str) -> Iterator[Json]:
        """The pods with the labels, newest last."""
        found = list(self.kubernetes.list("v1", "pods", label_selector=label_selector))
        yield from sorted(found, key=lambda pod: (str(pod["metadata"].get("creationTimestamp") or ""), _name(pod)))

    def logs(self, name: str, *, container: str = "", follow: bool = False) -> Iterator[LogLine]:
        """The output of its pods, including those of retries and indexes, in the order of their start.

        container: default: the pod's first, or the one that its default-container annotation names.
        follow: interleave the lines of all pods as they come, until the Job has ended.

        Raises `PlatformError` when the Job has no pods, unless `follow` is set.
        """
        if follow:
            yield from stream_logs(partial(self.log, container=container, follow=True), self._started_pods(name))
            return
        yield from self.logs_of(name, self.pods(name), container=container)

    def logs_of(self, name: str, pods: Iterable[Json], *, container: str = "") -> Iterator[LogLine]:
        """The output of the pods of a Job, one after another; raises `PlatformError` when there are none."""
        none = True
        for pod in pods:
            none = False
            read = log_of_pod(self.kubernetes, _name(pod), follow=False, container=container or main_container(pod))
            yield from skip_missing(read)
        if none:
            raise PlatformError(
                f"logs of {name}",
                found="it has no pods: they were deleted, or none has started",
                hint=f"kubectl -n {self.namespace} describe job {name}",
                kind=ErrorKind.MISSING,
            )

    def log(self, pod: str, *, container: str = "", follow: bool = False) -> Iterator[LogLine]:
        """The output of one pod."""
        container = container or main_container(self.kubernetes.get("v1", "pods", pod))
        return log_of_pod(self.kubernetes, pod, follow=follow, container=container)

    def suspend(self, name: str) -> None:
        """Suspend a Job: its running pods are deleted; `resume` creates them again."""
        self.kubernetes.patch(API, RESOURCE, name, {"spec": {"suspend": True}})

    def resume(self, name: str) -> None:
        """Resume a suspended Job."""
        self.kubernetes.patch(API, RESOURCE, name, {"spec": {"suspend": False}})

    def stop(self, name: str) -> None:
        """Stop a Job and keep its object: a deadline in the past makes it fail with DeadlineExceeded.

        A suspended Job, which has no deadline, is deleted. Raises `RunAlreadyFinished` for one that has ended.
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
        """Delete a Job, and in the background its pods; does nothing when it is already gone."""
        try:
            self.kubernetes.delete(API, RESOURCE, name, propagation="Background")
        except PlatformError as error:
            if error.kind is not ErrorKind.MISSING:
                raise

    # --- many --------------------------------------------------------------------------------------------------

    def list(self, label_selector: str = "") -> Iterator[Job]:
        """The Jobs with the labels, oldest first."""
        found = [Job.of(each) for each in self.kubernetes.list(API, RESOURCE, label_selector=label_selector)]
        yield from sorted(found, key=lambda job: (job.created_at, job.name))

    def follow(self, label_selector: str = "", *, name: str = "") -> Iterator[JobUpdate]:
        """Changes of all Jobs with the labels, from one watch: first the existing Jobs, then each change, endlessly.

        An interrupted stream is resumed, also after a token was renewed or the resourceVersion expired (410).
        name: follow this one Job, until it has ended or is deleted; raises 404 when it does not exist.
        """
        if name:
            yield from self._followed(name)
            return
        for change in self._with(label_selector).changes(self.patience):
            yield JobUpdate(change.kind, change.object)

    def watch(self, label_selector: str) -> tuple[Sequence[Job], Iterator[JobUpdate]]:
        """The Jobs with the labels, and an endless iterator of later changes: the two parts of `follow`."""
        there = tuple(self.kubernetes.list(API, RESOURCE, label_selector=label_selector))

        def later() -> Iterator[JobUpdate]:
            changes = self._with(label_selector).changes(self.patience, there=there)
            for change in islice(changes, len(there), None):
                yield JobUpdate(change.kind, change.object)

        return [Job.of(each) for each in there], later()

    def _with(self, label_selector: str) -> ListWatch[Job]:
        return ListWatch(self.kubernetes, API, RESOURCE, Job.of, label_selector=label_selector, what="Jobs")

    def delete_all(self, label_selector: str) -> int:
        """Delete all Jobs with the labels, which must not be empty; returns how many there were."""
        if not label_selector.strip():
            raise HeraK8sError(
                "refusing to delete every Job of the namespace", hint="pass a label: delete_all('app=mine')"
            )
        names = [job.name for job in self.list(label_selector)]
        map_concurrently(self.cancel, names)
        return len(names)

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

    def _started_pods(self, name: str) -> Iterator[str]:
        """Each pod of the Job once it has started, until the Job has ended."""
        seen = set[str]()
        for update in self._followed(name):
            if update.kind == "deleted":
                return
            for pod in self.pods(name):
                if (pod.get("status") or {}).get("phase") in _STARTED and _name(pod) not in seen:
                    seen.add(_name(pod))
                    yield _name(pod)


def map_concurrently(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Call a function for each item, a few at a time; after a failure or Ctrl-C no further call is started.

    Raises the first failure, in the order of the items.
    """
    with ThreadPoolExecutor(_WIDTH, thread_name_prefix="jobs") as pool:
        done = [pool.submit(function, item) for item in items]
        try:
            return [each.result() for each in done]
        except BaseException:
            for each in done:
                each.cancel()
            raise


def submit_all(jobs: Jobs, manifests: Sequence[Json], run: str, *, again: str, end: str) -> list[Submission]:
    """Submit the Jobs of one run, each once and a few at a time; after a failure no further one is submitted.

    jobs: the Jobs of the namespace.
    manifests: the Jobs to create.
    run: name of the run, for messages.
    again: the command that completes an interrupted submission.
    end: the command that stops the accepted Jobs.

    Raises `SubmissionOutcomeUnknown` when the outcome of any is unknown, else `SubmittedInPart` when only some were
    accepted, else the first error.
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
    """The container whose output is read by default."""
    annotated = ((pod.get("metadata") or {}).get("annotations") or {}).get(_DEFAULT_CONTAINER)
    containers = (pod.get("spec") or {}).get("containers") or [{}]
    return str(annotated or containers[0].get("name") or "main")


def _name(pod: Json) -> str:
    return str(pod["metadata"]["name"])


def _gone(name: str) -> PlatformError:
    return PlatformError(f"waiting for {name}", found="the Job was deleted", kind=ErrorKind.MISSING, status=404)


globals()["__getattr__"] = forward(__name__)  # old names; not as a `def`, or type checkers would accept any name
