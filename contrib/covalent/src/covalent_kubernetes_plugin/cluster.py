"""The cluster as all tasks of this process share it: one client, one watch, a few threads that may block."""

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

from covalent_kubernetes_plugin.following import Followed
from covalent_kubernetes_plugin.manifests import GROUP
from covalent_kubernetes_plugin.settings import KUBECONFIG

if TYPE_CHECKING:
    from hera_k8s_utils import Connection, Kubernetes

T = TypeVar("T")

_WIDTH: Final = 16
"""Requests that are under way at once, for however many tasks."""


@dataclass(frozen=True)
class Where:
    """Which cluster, as settings name it. The same settings share a client.

    config_file: empty or `~/.kube/config`: what kubectl would take, and in a pod the pod's account.
    context: empty: the current one. namespace: empty: the context's.
    """

    config_file: str
    context: str
    namespace: str

    @property
    def options(self) -> dict[str, Any]:
        """As options of hera_k8s_utils; those that are left out are its to find."""
        options: dict[str, str] = {"k8s_context": self.context, "namespace": self.namespace}
        config = os.path.expanduser(self.config_file)
        if config and config != os.path.expanduser(KUBECONFIG):
            options["k8s_config_file"] = config
        return {name: value for name, value in options.items() if value}

    @property
    def state(self) -> tuple[object, ...]:
        """What changes when the kubeconfig does, be it that somebody chose another context in it."""
        stated = self.options.get("k8s_config_file") or os.environ.get("KUBECONFIG") or os.path.expanduser(KUBECONFIG)
        return (stated, *(_version(file) for file in stated.split(os.pathsep)))


def _version(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(os.path.expanduser(file))
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class Cluster:
    """A connection, and what runs over it. The first request is made by who uses it."""

    def __init__(self, connection: Connection) -> None:
        from hera_k8s_kube.jobs import open_jobs

        context = connection.container.context()
        self.kubernetes: Kubernetes = context.kubernetes
        self.jobs = open_jobs(context)
        self.process = secrets.token_hex(8)
        self.followed = Followed(self.jobs, f"{GROUP}/process={self.process}")
        self._threads = ThreadPoolExecutor(_WIDTH, thread_name_prefix="covalent-k8s")

    async def call(self, function: Callable[..., T], *args: object, **kwargs: object) -> T:
        """Run something that blocks in a thread of this cluster's."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *args, **kwargs))


@dataclass
class _Shared:
    """The cluster of some settings, and the state of the kubeconfig that it was opened with."""

    lock: threading.Lock
    state: tuple[object, ...] = ()
    cluster: Cluster | None = None


_guard = threading.Lock()
_shared: dict[tuple[int, Where], _Shared] = {}
_of_jobs: dict[str, Cluster] = {}


def shared(where: Where) -> Cluster:
    """The cluster of these settings, opened on first use, and anew when the kubeconfig was changed.

    Blocks; a login that waits for somebody holds up only those who want the same. Raises `HeraK8sError`: a context that
    is not there, no credential, a plugin that failed. The next task tries again.
    """
    with _guard:  # connections and threads do not survive a fork
        entry = _shared.setdefault((os.getpid(), where), _Shared(threading.Lock()))
    with entry.lock:
        state = where.state
        if entry.cluster is None or entry.state != state:
            entry.cluster, entry.state = _open(where), state
        return entry.cluster


def of_job(name: str) -> Cluster | None:
    """Where a Job of this process is, whatever the kubeconfig says now; None for a Job of another process."""
    return _of_jobs.get(name)


@contextmanager
def holding(name: str, cluster: Cluster) -> Iterator[None]:
    """For as long as the block lasts, a Job of this name is in this cluster."""
    _of_jobs[name] = cluster
    try:
        yield
    finally:
        del _of_jobs[name]


def _open(where: Where) -> Cluster:
    from hera_k8s_utils import connect

    connection = connect(tolerant=True, **where.options)
    try:
        return Cluster(connection)
    except BaseException:
        connection.close()
        raise
