"""One task on the cluster, from its objects to their removal: blocking calls, for threads."""

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
from covalent_kubernetes_plugin.results import Outcome, unsealed
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
    """The key and the word of one task."""
    return SealingKey(secrets.token_bytes(32), secrets.token_hex(8))


@dataclass
class Run:
    """A task that is to run, runs or ran.

    pull: the content of a pull secret, None without one.
    """

    cluster: Cluster
    store: Store
    wanted: TaskSpec
    task: Task = field(repr=False)
    pull: Json | None = field(default=None, repr=False)
    sealing: SealingKey = field(default_factory=new_sealing)
    _secrets: list[str] = field(default_factory=list)

    def submit(self) -> Job:
        """Store the task, then create the Secrets that its pod needs, then the Job, which from then on owns them: they
        go with it also when this process is not there to remove them.

        Raises `HeraK8sError`; what was created until then is removed by `clean`.
        """
        parcel = self.store.send(self.wanted.unique, self.task.payload)
        digest = hashlib.sha256(self.task.payload).hexdigest()
        self._create_secret(manifests.task_secret(self.wanted, self.task, digest, parcel, self.sealing))
        if self.pull is not None:
            self._create_secret(manifests.pull_secret(self.wanted, self.pull))
        job = self.cluster.jobs.submit(manifests.job(self.wanted, parcel, pull=self.pull is not None))
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
        secret["metadata"]["labels"][DIGEST_LABEL] = self.sealing.nonce  # told apart by what only this try knows
        self._secrets.append(secret["metadata"]["name"])
        desk = SubmissionTarget(
            kubernetes.namespace,
            create=partial(kubernetes.create, "v1", "secrets"),
            read=partial(kubernetes.get, "v1", "secrets"),
            noun="Secret",
        )
        submit_once(secret, desk)

    def outcome(self) -> Outcome | None:
        """What came of it; None when there is no word of it (yet)."""
        block = self.store.fetch(self.wanted.unique, self.sealing.nonce, self.log)
        return None if block is None else unsealed(block, self.sealing.key)

    def log(self) -> Iterator[str]:
        """The lines of its pod; none when it has none."""
        try:
            for line in self.cluster.jobs.logs(self.wanted.name, container=CONTAINER):
                yield line.text
        except PlatformError as error:
            if error.trouble not in (ErrorKind.MISSING, ErrorKind.INVALID):
                raise

    def pods(self) -> list[Json]:
        """Its pod, where it is still there."""
        return list(self.cluster.jobs.pods(self.wanted.name))

    def clean(self, *, keep_stored: bool = False) -> None:
        """Remove all that there is of it. What cannot be removed is logged, and never hides what came of the task.

        keep_stored: leave what lies in the data store.
        """
        self._try("not removed: Job", self.wanted.name, self._delete_job)
        for name in self._secrets:
            self._try("not removed: Secret", name, partial(self._delete_secret, name))
        if not keep_stored:
            self._try("not removed: stored task", self.wanted.unique, partial(self.store.remove, self.wanted.unique))

    def _delete_job(self) -> None:
        """Under the name there may be a Job of somebody else's, which is why ours was refused."""
        try:
            found = self.cluster.jobs.get(self.wanted.name)
        except PlatformError as error:
            if error.trouble is not ErrorKind.MISSING:
                raise
            return
        if found.labels.get(manifests.ATTEMPT) == self.wanted.attempt:
            self.cluster.jobs.cancel(self.wanted.name)

    def _delete_secret(self, name: str) -> None:
        try:
            self.cluster.kubernetes.delete("v1", "secrets", name)
        except PlatformError as error:
            if error.trouble is not ErrorKind.MISSING:
                raise

    @staticmethod
    def _try(otherwise: str, name: str, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            log.warning("%s %s: %s", otherwise, name, error)
