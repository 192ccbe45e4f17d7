"""The executor: each task of a lattice is a Kubernetes Job.

import covalent as ct
from covalent_kubernetes_plugin.k8s import KubernetesExecutor

@ct.electron(executor=KubernetesExecutor(base_image="python:3.11-slim", vcpu="100m", memory="500Mi"))
def join_words(a, b):
    return ", ".join([a, b])
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from covalent._shared_files.exceptions import TaskCancelledError, TaskRuntimeError
from covalent.executor.base import AsyncBaseExecutor

from covalent_kubernetes_plugin.settings import DEFAULTS, resolve_settings
from hera_k8s_utils import ErrorKind, PlatformError

if TYPE_CHECKING:
    from covalent_kubernetes_plugin import failures
    from covalent_kubernetes_plugin.cluster import Cluster, ClusterSelection
    from covalent_kubernetes_plugin.job_watcher import Updates
    from covalent_kubernetes_plugin.results import Outcome
    from covalent_kubernetes_plugin.runs import Run
    from hera_k8s_kube.jobs import Job

log = logging.getLogger(__name__)

EXECUTOR_PLUGIN_NAME = "KubernetesExecutor"
_EXECUTOR_PLUGIN_DEFAULTS = dict(DEFAULTS)  # what Covalent writes into its configuration, and changes there

_MIN_POLL_INTERVAL: Final = 1.0
"""Minimum seconds between two polls."""
_PULL_ATTEMPTS: Final = 3
"""Multiple of poll_freq for pulling an image: 30 s by default, in which a kubelet tries three times."""
_OUTCOME_ATTEMPTS: Final = 7
"""Attempts to read an outcome that the pod has written: a shared file system may take half a minute."""
_TRANSIENT: Final = (ErrorKind.UNREACHABLE, ErrorKind.TIMEOUT, ErrorKind.THROTTLED, ErrorKind.SERVER)
_LOG_ATTEMPTS: Final = 3
"""Further attempts to read a log without its last lines: the log may lag behind the container's end."""


class KubernetesExecutor(AsyncBaseExecutor):  # type: ignore[misc]
    """Runs each task as a Job of one pod, once.

    An argument that is omitted or None is read from `[executors.k8s]` of Covalent's configuration. Any other value is
    used, even if empty.

    base_image: image of the pod, with python3 of the minor version that pickled the task.
    k8s_config_file, k8s_context, namespace: the cluster; empty: as kubectl finds it, in a pod its service account.
    registry, registry_credentials_file, region: a login for a pull secret; region also applies to a bucket.
    data_store: '' (a Secret and the log), /path, claim:NAME[/DIR]@/path-here or s3://bucket/prefix.
    vcpu, memory: requested and limited, as Kubernetes quantities; empty: neither.
    poll_freq: seconds between two polls of a pending task, or of any task while the watch is down.
    pending_limit: seconds that a task may be pending for a known reason.
    time_limit: seconds; -1: none.
    service_account: service account of the pod; empty: the namespace's default, without its token.
    image_repo, cache_dir: accepted for compatibility with covalent-kubernetes-plugin, without effect.
    """

    def __init__(
        self,
        base_image: str | None = None,
        k8s_config_file: str | None = None,
        k8s_context: str | None = None,
        image_repo: str | None = None,
        registry: str | None = None,
        registry_credentials_file: str | None = None,
        data_store: str | None = None,
        region: str | None = None,
        poll_freq: float | None = None,
        vcpu: str | None = None,
        memory: str | None = None,
        **settings: Any,
    ) -> None:
        named = {
            "base_image": base_image,
            "k8s_config_file": k8s_config_file,
            "k8s_context": k8s_context,
            "image_repo": image_repo,
            "registry": registry,
            "registry_credentials_file": registry_credentials_file,
            "data_store": data_store,
            "region": region,
            "poll_freq": poll_freq,
            "vcpu": vcpu,
            "memory": memory,
        }
        values = resolve_settings({**named, **settings})
        super().__init__(
            **{name: values.pop(name) for name in ("log_stdout", "log_stderr", "cache_dir", "time_limit", "retries")}
        )
        self.__dict__.update(values)  # Covalent sends the attributes to its server, which restores them

    # --- called by the dispatcher -------------------------------------------------------------------------------

    async def run(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], task_metadata: dict[str, Any]
    ) -> Any:
        """Run a task on the cluster and return its result.

        Raises Covalent's `TaskRuntimeError` if the task's code failed, `TaskCancelledError` if its Job was deleted, and
        a `HeraK8sError` with the cause otherwise. In any case all objects on the cluster are removed, and everything in
        the data store except an outcome that could not be read (`StoreUnreadable` names it).
        """
        from covalent_kubernetes_plugin.cluster import shared_cluster, tracking_job

        await self._check_cancel_requested()
        cluster = await asyncio.to_thread(shared_cluster, self._where())
        run = await cluster.call(self._prepare, cluster, function, args, kwargs, task_metadata)
        with tracking_job(run.spec.name, cluster):
            return await self._run_task(cluster, run)

    async def cancel(self, task_metadata: dict[str, Any], job_handle: Any) -> bool:  # noqa: ARG002
        """Delete the Job, which ends `run`. False if the task has no Job yet."""
        from covalent_kubernetes_plugin.cluster import cluster_of_job, shared_cluster

        if not isinstance(job_handle, dict) or not job_handle.get("job"):
            return False
        cluster = cluster_of_job(job_handle["job"])
        if cluster is None:
            cluster = await asyncio.to_thread(shared_cluster, self._where(job_handle.get("namespace")))
        await cluster.call(cluster.jobs.cancel, job_handle["job"])
        return True

    # --- internals ----------------------------------------------------------------------------------------------

    async def _run_task(self, cluster: Cluster, run: Run) -> Any:
        """Submit, wait, read the outcome, clean up."""
        from covalent_kubernetes_plugin.errors import StoreUnreadable

        name, keep_stored = run.spec.name, False
        updates = cluster.watcher.add(name)
        submitting = asyncio.ensure_future(cluster.call(run.submit))
        try:
            await asyncio.shield(submitting)
            cluster.watcher.start()
            await self._send_handle({"job": name, "namespace": cluster.jobs.namespace})
            await self._check_cancel_requested()
            job, pending = await self._wait_for_end(cluster, name, updates)
            outcome = await self._read_outcome(cluster, run, job, pending)
            return await cluster.call(self._result, run, outcome)
        except StoreUnreadable:  # the result may be in the store
            keep_stored = True
            raise
        finally:
            await asyncio.shield(self._clean(cluster, run, submitting, keep_stored=keep_stored))

    def _where(self, namespace: str | None = None) -> ClusterSelection:
        """The cluster of the settings. namespace: overrides theirs."""
        from covalent_kubernetes_plugin.cluster import ClusterSelection

        return ClusterSelection(self.k8s_config_file, self.k8s_context, namespace or self.namespace)

    def _prepare(
        self,
        cluster: Cluster,
        function: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        task_metadata: dict[str, Any],
    ) -> Run:
        """The run of a task. Blocks, since pickling and AWS are slow."""
        from covalent_kubernetes_plugin.manifests import TaskSpec
        from covalent_kubernetes_plugin.names import job_name
        from covalent_kubernetes_plugin.registries import docker_config
        from covalent_kubernetes_plugin.runs import Run
        from covalent_kubernetes_plugin.stores import open_store
        from covalent_kubernetes_plugin.tasks import pack

        dispatch_id, node_id = str(task_metadata["dispatch_id"]), str(task_metadata["node_id"])
        spec = TaskSpec(
            name=job_name(dispatch_id, node_id),
            attempt=secrets.token_hex(4),
            process=cluster.process,
            dispatch_id=dispatch_id,
            node_id=node_id,
            image=self.base_image,
            vcpu=self.vcpu,
            memory=self.memory,
            time_limit=max(0, math.ceil(self.time_limit)),
            service_account=self.service_account,
        )
        store = open_store(self.data_store, region=self.region, lasting=spec.time_limit)
        pull = docker_config(self.registry_credentials_file, self.registry, self.region)
        return Run(cluster, store, spec, pack(function, args, kwargs), pull)

    async def _check_cancel_requested(self) -> None:
        """Raise if cancellation was requested. A dispatcher that does not answer within 5 s is ignored."""
        try:
            requested = await self.get_cancel_requested()
        except asyncio.TimeoutError:
            log.warning("the dispatcher does not say whether to cancel a task")
            return
        if requested:
            raise TaskCancelledError

    async def _send_handle(self, handle: dict[str, str]) -> None:
        try:
            await self.set_job_handle(handle)
        except asyncio.TimeoutError:
            log.warning(
                "the dispatcher does not accept the handle of %s, which can therefore not be cancelled", handle["job"]
            )

    async def _wait_for_end(self, cluster: Cluster, name: str, updates: Updates) -> tuple[Job, str]:
        """The finished Job, and why it was pending. Updates come from the watch; pending tasks are also polled, and
        while the watch is down, all tasks are."""
        from covalent_kubernetes_plugin.failures import PendingLimit

        pause = max(_MIN_POLL_INTERVAL, float(self.poll_freq))
        pending_limit = PendingLimit(
            name, self.base_image, limit=float(self.pending_limit), soon=_PULL_ATTEMPTS * pause
        )
        phase = "Pending"
        while True:
            update = await updates.next(pause)
            if update is not None:
                job = update.job
                if update.kind == "deleted":
                    raise TaskCancelledError
            elif phase != "Pending" and not cluster.watcher.failed:
                continue
            else:
                found = await self._read_job(cluster, name, pending_limit)
                if found is None:
                    continue
                job = found
            if job.over:
                return job, pending_limit.reason if phase == "Pending" else ""
            phase = job.phase

    async def _read_job(self, cluster: Cluster, name: str, pending_limit: failures.PendingLimit) -> Job | None:
        """The current Job; None if it cannot be read now. Raises `TaskPending` if it will not start."""
        try:
            job = await cluster.call(cluster.jobs.get, name)
            if job.phase == "Pending":
                reason = await cluster.call(cluster.jobs.why_pending, name)
                pending_limit.consider(reason, asyncio.get_running_loop().time())
        except PlatformError as error:
            if error.kind is ErrorKind.MISSING:
                raise TaskCancelledError from None
            log.warning("the task %s cannot be read: %s", name, error)
            return None
        return job

    async def _read_outcome(self, cluster: Cluster, run: Run, job: Job, pending: str) -> Outcome:
        """The outcome. Raises `TaskFailed` with the cause if there is none."""
        from covalent_kubernetes_plugin import failures
        from covalent_kubernetes_plugin.errors import OutcomeIncomplete, StoreUnreadable
        from covalent_kubernetes_plugin.runner import DONE, FAILED

        pods: list[dict[str, Any]] = []
        for attempt in range(_OUTCOME_ATTEMPTS):
            if attempt:
                await asyncio.sleep(2 ** (attempt - 1))
            try:
                pods = await cluster.call(run.pods)
                outcome = await cluster.call(run.outcome)
            except OutcomeIncomplete:
                if attempt >= _LOG_ATTEMPTS:
                    raise
                continue
            except StoreUnreadable as error:
                if attempt == _OUTCOME_ATTEMPTS - 1:
                    raise
                log.warning("the outcome of the finished task %s is read again: %s", run.spec.name, error)
                continue
            except PlatformError as error:  # a restarting server must not lose the result of a task
                if error.kind not in _TRANSIENT or attempt == _OUTCOME_ATTEMPTS - 1:
                    raise
                continue
            if outcome is not None:
                return outcome
            if failures.exit_code(pods) not in (DONE, FAILED):
                break
        lines = await cluster.call(lambda: list(run.log()))
        raise failures.of_job(run.spec.name, job, pods, lines, limit=float(self.time_limit), pending=pending)

    def _result(self, run: Run, outcome: Outcome) -> Any:
        """The result in an outcome. The task's output is printed where Covalent expects it."""
        from covalent_kubernetes_plugin import failures
        from covalent_kubernetes_plugin.tasks import result_of

        header = outcome.header
        if outcome.state == "refused":
            raise failures.of_refusal(run.spec.name, outcome, image=self.base_image, python=run.task.python)
        stdout, stderr = str(header.get("stdout") or ""), str(header.get("stderr") or "")
        if outcome.state == "done":
            self._print(stdout, stderr)
            return result_of(run.task, outcome)
        why = failures.stderr_note(outcome, image=self.base_image)
        self._print(stdout, stderr + why)
        raise TaskRuntimeError(why)

    def _print(self, stdout: str, stderr: str) -> None:
        for text, stream in ((stdout, self.task_stdout), (stderr, self.task_stderr)):
            if stream is not None:
                stream.write(text)

    async def _clean(self, cluster: Cluster, run: Run, submitting: asyncio.Future[Job], *, keep_stored: bool) -> None:
        await asyncio.wait([submitting])  # objects that are being created can only be removed afterwards
        cluster.watcher.remove(run.spec.name)
        await cluster.call(run.clean, keep_stored=keep_stored)
