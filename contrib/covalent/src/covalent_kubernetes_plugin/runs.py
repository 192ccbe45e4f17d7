"""A task on the cluster, from the creation of its objects to their removal. All calls block."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from covalent_kubernetes_plugin import manifests
from covalent_kubernetes_plugin.manifests import SealingKey, TaskSpec
from covalent_kubernetes_plugin.results import Outcome, unseal
from hera_k8s_utils import DIGEST_LABEL, ErrorKind, PlatformError, SubmissionTarget, submit_once

if TYPE_CHECKING:
    from covalent_kubernetes_plugin.cluster import Cluster
    from covalent_kubernetes_plugin.stores import Store
    from covalent_kubernetes_plugin.tasks import Task
    from hera_k8s_kube.jobs import Job

Json = dict[str, Any]
log = logging.getLogger(__name__)

CONTAINER = "task"


def new_sealing() -> SealingKey:
    """A new key and nonce."""
    return SealingKey(secrets.token_bytes(32), secrets.token_hex(8))


@dataclass
class Run:
    """A run of a task.

    cluster: where it runs.
    store: its data store.
    spec: the values of its Job.
    task: the packed task.
    pull: content of a pull secret; None: none.
    sealing: authenticates its outcome.
    """

    cluster: Cluster
    store: Store
    spec: TaskSpec
    task: Task = field(repr=False)
    pull: Json | None = field(default=None, repr=False)
    sealing: SealingKey = field(default_factory=new_sealing)
    _secrets: list[str] = field(default_factory=list)

    def submit(self) -> Job:
        """Store the task, create the Secrets and then the Job, which becomes their owner, so that they are removed
        with it even without this process.

        Raises `HeraK8sError`; `clean` removes what was created.
        """
        bundle = self.store.send(self.spec.unique, self.task.payload)
        digest = hashlib.sha256(self.task.payload).hexdigest()
        self._create_secret(manifests.task_secret(self.spec, self.task, digest, bundle, self.sealing))
        if self.pull is not None:
            self._create_secret(manifests.pull_secret(self.spec, self.pull))
        job = self.cluster.jobs.submit(manifests.job(self.spec, bundle, pull=self.pull is not None))
        owner = manifests.owned_by(job.name, job.uid)
        for name in self._secrets:
            self._try(
                "not given to its Job: Secret",
                name,
                partial(self.cluster.kubernetes.patch, "v1", "secrets", name, owner),
            )
        return job

    def _create_secret(self, secret: Json) -> None:
        kubernetes = self.cluster.kubernetes
        secret["metadata"]["labels"][DIGEST_LABEL] = self.sealing.nonce  # identifies this try
        self._secrets.append(secret["metadata"]["name"])
        target = SubmissionTarget(
            kubernetes.namespace,
            create=partial(kubernetes.create, "v1", "secrets"),
            read=partial(kubernetes.get, "v1", "secrets"),
            noun="Secret",
        )
        submit_once(secret, target)

    def outcome(self) -> Outcome | None:
        """The outcome; None if there is none (yet)."""
        block = self.store.fetch(self.spec.unique, self.sealing.nonce, self.log)
        return None if block is None else unseal(block, self.sealing.key)

    def log(self) -> Iterator[str]:
        """The log lines of its pod; none without a pod."""
        try:
            for line in self.cluster.jobs.logs(self.spec.name, container=CONTAINER):
                yield line.text
        except PlatformError as error:
            if error.kind not in (ErrorKind.MISSING, ErrorKind.INVALID):
                raise

    def pods(self) -> list[Json]:
        """Its pods that still exist."""
        return list(self.cluster.jobs.pods(self.spec.name))

    def clean(self, *, keep_stored: bool = False) -> None:
        """Remove all objects. Failures are logged and never hide the outcome of the task.

        keep_stored: keep what is in the data store.
        """
        self._try("not removed: Job", self.spec.name, self._delete_job)
        for name in self._secrets:
            self._try("not removed: Secret", name, partial(self._delete_secret, name))
        if not keep_stored:
            self._try("not removed: stored task", self.spec.unique, partial(self.store.remove, self.spec.unique))

    def _delete_job(self) -> None:
        """Delete the Job, unless another one has the name, which is why this one was rejected."""
        try:
            found = self.cluster.jobs.get(self.spec.name)
        except PlatformError as error:
            if error.kind is not ErrorKind.MISSING:
                raise
            return
        if found.labels.get(manifests.ATTEMPT) == self.spec.attempt:
            self.cluster.jobs.cancel(self.spec.name)

    def _delete_secret(self, name: str) -> None:
        try:
            self.cluster.kubernetes.delete("v1", "secrets", name)
        except PlatformError as error:
            if error.kind is not ErrorKind.MISSING:
                raise

    @staticmethod
    def _try(otherwise: str, name: str, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            log.warning("%s %s: %s", otherwise, name, error)
