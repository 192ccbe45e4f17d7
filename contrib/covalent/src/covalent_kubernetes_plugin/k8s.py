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

from covalent_kubernetes_plugin.settings import DEFAULTS, settled
from hera_k8s_utils import ErrorKind, PlatformError

if TYPE_CHECKING:
    from covalent_kubernetes_plugin import failures
    from covalent_kubernetes_plugin.cluster import Cluster, Where
    from covalent_kubernetes_plugin.following import Updates
    from covalent_kubernetes_plugin.results import Outcome
    from covalent_kubernetes_plugin.runs import Run
    from hera_k8s_kube.jobs import Job

log = logging.getLogger(__name__)

EXECUTOR_PLUGIN_NAME = "KubernetesExecutor"
_EXECUTOR_PLUGIN_DEFAULTS = dict(DEFAULTS)  # what Covalent writes into its configuration, and changes there

_LEAST: Final = 1.0
"""Seconds between two looks, where poll_freq asks for fewer."""
_PULLS: Final = 3
"""Times poll_freq that an image may resist being pulled: by default 30 s, in which a kubelet tries three times."""
_LOOKS: Final = 7
"""Looks for an outcome that the pod says it has left: a shared file system may take half a minute to show it."""
_PASSING: Final = (ErrorKind.UNREACHABLE, ErrorKind.TIMEOUT, ErrorKind.THROTTLED, ErrorKind.SERVER)
_LOOKS_AT_LOG: Final = 3
"""Further looks at a log whose last lines are missing: it is written beside the container's end."""


class KubernetesExecutor(AsyncBaseExecutor):  # type: ignore[misc]
    """Runs each task as a Job of one pod, once.

    An argument that is not given, or is None, is taken from `[executors.k8s]` of Covalent's configuration. One that is
    given counts, also when it is empty.

    base_image: of the pod; needs python3, of the minor version that the task was pickled by.
    k8s_config_file, k8s_context, namespace: which cluster; empty: as kubectl finds it, in a pod the pod's account.
    registry, registry_credentials_file, region: a login for a pull secret; region also of a bucket.
    data_store: how tasks travel: '' (a Secret and the log), /path, claim:NAME[/DIR]@/path-here, s3://bucket/prefix.
    vcpu, memory: requested and limited, as quantities of Kubernetes; empty: neither.
    poll_freq: seconds between two looks at a task that is pending, or while the watch is down.
    pending_limit: seconds that a task may be kept from starting by a known reason. time_limit: seconds; -1: none.
    service_account: of the pod; empty: the namespace's own, and without its token.
    image_repo, cache_dir: kept from covalent-kubernetes-plugin; no image is built and nothing is staged here.
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
        values = settled({**named, **settings})
        super().__init__(
            **{name: values.pop(name) for name in ("log_stdout", "log_stderr", "cache_dir", "time_limit", "retries")}
        )
        self.__dict__.update(values)  # Covalent sends the attributes to its server, and takes them up there

    # --- what the dispatcher calls ------------------------------------------------------------------------------

    async def run(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], task_metadata: dict[str, Any]
    ) -> Any:
        """Run a task on the cluster, and return its result.

        Raises Covalent's `TaskRuntimeError` when the task's own code failed and `TaskCancelledError` when its Job was
        deleted; a `HeraK8sError` with the cause for everything else. Whatever happens, nothing of it is left on the
        cluster, and nothing in the data store but an outcome that could not be read (`StoreUnreadable` says where).
        """
        from covalent_kubernetes_plugin.cluster import holding, shared

        await self._heed_cancelling()
        cluster = await asyncio.to_thread(shared, self._where())
        run = await cluster.call(self._prepare, cluster, function, args, kwargs, task_metadata)
        with holding(run.wanted.name, cluster):
            return await self._through(cluster, run)

    async def cancel(self, task_metadata: dict[str, Any], job_handle: Any) -> bool:  # noqa: ARG002
        """Delete the Job; whoever waits for it notices. False when the task has no Job yet."""
        from covalent_kubernetes_plugin.cluster import of_job, shared

        if not isinstance(job_handle, dict) or not job_handle.get("job"):
            return False
        cluster = of_job(job_handle["job"])
        if cluster is None:
            cluster = await asyncio.to_thread(shared, self._where(job_handle.get("namespace")))
        await cluster.call(cluster.jobs.cancel, job_handle["job"])
        return True

    # --- how ----------------------------------------------------------------------------------------------------

    async def _through(self, cluster: Cluster, run: Run) -> Any:
        """Submit, wait, read what came of it, clean up."""
        from covalent_kubernetes_plugin.errors import StoreUnreadable

        name, keep_stored = run.wanted.name, False
        updates = cluster.followed.add(name)
        submitting = asyncio.ensure_future(cluster.call(run.submit))
        try:
            await asyncio.shield(submitting)
            cluster.followed.start()
            await self._tell_handle({"job": name, "namespace": cluster.jobs.namespace})
            await self._heed_cancelling()
            job, pending = await self._ended(cluster, name, updates)
            outcome = await self._outcome(cluster, run, job, pending)
            return await cluster.call(self._result, run, outcome)
        except StoreUnreadable:  # what was computed may lie there
            keep_stored = True
            raise
        finally:
            await asyncio.shield(self._clean(cluster, run, submitting, keep_stored=keep_stored))

    def _where(self, namespace: str | None = None) -> Where:
        """The cluster of the settings; namespace: in place of theirs."""
        from covalent_kubernetes_plugin.cluster import Where

        return Where(self.k8s_config_file, self.k8s_context, namespace or self.namespace)

    def _prepare(
        self,
        cluster: Cluster,
        function: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        task_metadata: dict[str, Any],
    ) -> Run:
        """The run of a task; in a thread, since pickling and AWS take their time."""
        from covalent_kubernetes_plugin.manifests import TaskSpec
        from covalent_kubernetes_plugin.names import job_name
        from covalent_kubernetes_plugin.registries import docker_config
        from covalent_kubernetes_plugin.runs import Run
        from covalent_kubernetes_plugin.stores import open_store
        from covalent_kubernetes_plugin.tasks import pack

        dispatch_id, node_id = str(task_metadata["dispatch_id"]), str(task_metadata["node_id"])
        wanted = TaskSpec(
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
        store = open_store(self.data_store, region=self.region, lasting=wanted.time_limit)
        pull = docker_config(self.registry_credentials_file, self.registry, self.region)
        return Run(cluster, store, wanted, pack(function, args, kwargs), pull)

    async def _heed_cancelling(self) -> None:
        """A dispatcher that is too busy to answer within Covalent's five seconds fails no task."""
        try:
            requested = await self.get_cancel_requested()
        except asyncio.TimeoutError:
            log.warning("the dispatcher does not say whether a task is to be cancelled")
            return
        if requested:
            raise TaskCancelledError

    async def _tell_handle(self, handle: dict[str, str]) -> None:
        try:
            await self.set_job_handle(handle)
        except asyncio.TimeoutError:
            log.warning("the dispatcher does not take the handle of %s, which cannot be cancelled by it", handle["job"])

    async def _ended(self, cluster: Cluster, name: str, updates: Updates) -> tuple[Job, str]:
        """The Job once it is over, and why it was pending. The watch says so; while it is silent, pending tasks are
        looked at, and while it is down, all are."""
        from covalent_kubernetes_plugin.failures import PendingLimit

        pause = max(_LEAST, float(self.poll_freq))
        patience = PendingLimit(name, self.base_image, limit=float(self.pending_limit), soon=_PULLS * pause)
        phase = "Pending"
        while True:
            update = await updates.next(pause)
            if update is not None:
                job = update.job
                if update.kind == "deleted":
                    raise TaskCancelledError
            elif phase != "Pending" and not cluster.followed.failed:
                continue
            else:
                found = await self._looked_at(cluster, name, patience)
                if found is None:
                    continue
                job = found
            if job.over:
                return job, patience.reason if phase == "Pending" else ""
            phase = job.phase

    async def _looked_at(self, cluster: Cluster, name: str, patience: failures.PendingLimit) -> Job | None:
        """The Job as it is; None when it cannot be seen now. Raises `TaskPending` when it will not begin."""
        try:
            job = await cluster.call(cluster.jobs.get, name)
            if job.phase == "Pending":
                reason = await cluster.call(cluster.jobs.why_pending, name)
                patience.consider(reason, asyncio.get_running_loop().time())
        except PlatformError as error:
            if error.trouble is ErrorKind.MISSING:
                raise TaskCancelledError from None
            log.warning("the task %s cannot be looked at: %s", name, error)
            return None
        return job

    async def _outcome(self, cluster: Cluster, run: Run, job: Job, pending: str) -> Outcome:
        """What came of it. Raises `TaskFailed` with the cause when there is none."""
        from covalent_kubernetes_plugin import failures
        from covalent_kubernetes_plugin.errors import OutcomeIncomplete, StoreUnreadable
        from covalent_kubernetes_plugin.runner import DONE, FAILED

        pods: list[dict[str, Any]] = []
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(2 ** (look - 1))
            try:
                pods = await cluster.call(run.pods)
                outcome = await cluster.call(run.outcome)
            except OutcomeIncomplete:
                if look >= _LOOKS_AT_LOG:
                    raise
                continue
            except StoreUnreadable as error:
                if look == _LOOKS - 1:
                    raise
                log.warning("the task %s is over, and is looked at again: %s", run.wanted.name, error)
                continue
            except PlatformError as error:  # what a task has computed is not thrown away for a server that restarts
                if error.trouble not in _PASSING or look == _LOOKS - 1:
                    raise
                continue
            if outcome is not None:
                return outcome
            if failures.exit_code(pods) not in (DONE, FAILED):
                break
        lines = await cluster.call(lambda: list(run.log()))
        raise failures.of_job(run.wanted.name, job, pods, lines, limit=float(self.time_limit), pending=pending)

    def _result(self, run: Run, outcome: Outcome) -> Any:
        """The result that an outcome holds; what the task printed is printed to where Covalent looks for it."""
        from covalent_kubernetes_plugin import failures
        from covalent_kubernetes_plugin.tasks import result_of

        header = outcome.header
        if outcome.state == "refused":
            raise failures.of_refusal(run.wanted.name, outcome, image=self.base_image, python=run.task.python)
        stdout, stderr = str(header.get("stdout") or ""), str(header.get("stderr") or "")
        if outcome.state == "done":
            self._print(stdout, stderr)
            return result_of(run.task, outcome)
        why = failures.told(outcome, image=self.base_image)
        self._print(stdout, stderr + why)
        raise TaskRuntimeError(why)

    def _print(self, stdout: str, stderr: str) -> None:
        for text, stream in ((stdout, self.task_stdout), (stderr, self.task_stderr)):
            if stream is not None:
                stream.write(text)

    async def _clean(self, cluster: Cluster, run: Run, submitting: asyncio.Future[Job], *, keep_stored: bool) -> None:
        await asyncio.wait([submitting])  # what is being created can be removed when it is there
        cluster.followed.remove(run.wanted.name)
        await cluster.call(run.clean, keep_stored=keep_stored)
