"""The cluster as all tasks of this process share it: one client, one watch, a few threads that may block."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .following import Followed
from .manifests import GROUP
from .settings import KUBECONFIG

if TYPE_CHECKING:
    from hera_k8s_utils.container import Connection
    from hera_k8s_utils.platforms import Kubernetes

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


_opening = threading.Lock()
_opened: dict[tuple[object, ...], Cluster] = {}
_locks: dict[tuple[object, ...], threading.Lock] = {}


def shared(where: Where) -> Cluster:
    """The cluster of these settings, opened on first use. Blocks; a login that asks people holds up nobody else's.

    Raises `HeraK8sError`: a context that is not there, no credential, a plugin that failed. The next task tries again.
    """
    key = (os.getpid(), where, os.environ.get("KUBECONFIG"))  # threads and connections do not survive a fork
    with _opening:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        if key not in _opened:
            _opened[key] = _open(where)
        return _opened[key]


def _open(where: Where) -> Cluster:
    from hera_k8s_utils import connect

    connection = connect(tolerant=True, **where.options)
    try:
        return Cluster(connection)
    except BaseException:
        connection.close()
        raise
