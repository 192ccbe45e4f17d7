"""The cluster, shared by all tasks of the process: one client, one watch, and a thread pool for blocking calls."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from covalent_kubernetes_plugin.job_watcher import JobWatcher
from covalent_kubernetes_plugin.manifests import GROUP
from covalent_kubernetes_plugin.settings import KUBECONFIG

if TYPE_CHECKING:
    from hera_k8s_utils import Connection, Kubernetes

T = TypeVar("T")

_MAX_THREADS: Final = 16
"""Concurrent requests of all tasks."""


@dataclass(frozen=True)
class ClusterSelection:
    """The settings that select a cluster. Equal settings share a client.

    config_file: kubeconfig; empty or `~/.kube/config`: as kubectl finds it, in a pod the pod's service account.
    context: context of the kubeconfig; empty: the current one.
    namespace: namespace; empty: the context's.
    """

    config_file: str
    context: str
    namespace: str

    @property
    def options(self) -> dict[str, Any]:
        """The options for hera_k8s_utils, which finds those that are omitted."""
        options: dict[str, str] = {"k8s_context": self.context, "namespace": self.namespace}
        config = os.path.expanduser(self.config_file)
        if config and config != os.path.expanduser(KUBECONFIG):
            options["k8s_config_file"] = config
        return {name: value for name, value in options.items() if value}

    @property
    def state(self) -> tuple[object, ...]:
        """A value that changes with the kubeconfig, for example when another context is selected."""
        files = self.options.get("k8s_config_file") or os.environ.get("KUBECONFIG") or os.path.expanduser(KUBECONFIG)
        return (files, *(_version(file) for file in files.split(os.pathsep)))


def _version(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(os.path.expanduser(file))
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


class Cluster:
    """A connection, with its clients and the watch. Creating it sends no request."""

    def __init__(self, connection: Connection) -> None:
        from hera_k8s_kube.jobs import open_jobs

        context = connection.container.context()
        self.kubernetes: Kubernetes = context.kubernetes
        self.jobs = open_jobs(context)
        self.process = secrets.token_hex(8)
        self.watcher = JobWatcher(self.jobs, f"{GROUP}/process={self.process}")
        self._threads = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="covalent-k8s")

    async def call(self, function: Callable[..., T], *args: object, **kwargs: object) -> T:
        """Run a blocking function in a thread of this cluster."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *args, **kwargs))


@dataclass
class _Shared:
    """The cluster of some settings, and the state of the kubeconfig it was opened with."""

    lock: threading.Lock
    state: tuple[object, ...] = ()
    cluster: Cluster | None = None


_guard = threading.Lock()
_shared: dict[tuple[int, ClusterSelection], _Shared] = {}
_clusters_of_jobs: dict[str, Cluster] = {}


def shared_cluster(where: ClusterSelection) -> Cluster:
    """The cluster of these settings, opened on first use and reopened when the kubeconfig changes.

    Blocks; an interactive login delays only tasks with the same settings. Raises `HeraK8sError` for a missing context,
    a missing credential or a failed plugin. The next task tries again.
    """
    with _guard:  # connections and threads do not survive a fork
        entry = _shared.setdefault((os.getpid(), where), _Shared(threading.Lock()))
    with entry.lock:
        state = where.state
        if entry.cluster is None or entry.state != state:
            entry.cluster, entry.state = _open(where), state
        return entry.cluster


def cluster_of_job(name: str) -> Cluster | None:
    """The cluster of a Job of this process, even if the kubeconfig has changed; None for other Jobs."""
    return _clusters_of_jobs.get(name)


@contextmanager
def tracking_job(name: str, cluster: Cluster) -> Iterator[None]:
    """Record the cluster of a Job for the duration of the block."""
    _clusters_of_jobs[name] = cluster
    try:
        yield
    finally:
        del _clusters_of_jobs[name]


def _open(where: ClusterSelection) -> Cluster:
    from hera_k8s_utils import connect

    connection = connect(tolerant=True, **where.options)
    try:
        return Cluster(connection)
    except BaseException:
        connection.close()
        raise
