"""The state that all parts of a running sandbox share."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hera_k8s_sandbox.foundation.trash import Trash
from hera_k8s_sandbox.store.pod_quota import PodQuota

if TYPE_CHECKING:
    from hera_k8s_sandbox.rbac.authorizer import Authorizer
    from hera_k8s_sandbox.store.store import Store


def two_for_each_processor() -> int:
    """The default number of tasks that run at a time."""
    return 2 * (os.cpu_count() or 1)


@dataclass(frozen=True)
class SandboxState:
    """What belongs to one sandbox.

    directory: where its files are.
    runner_kind: how tasks see their mounts: `auto`, `bubblewrap`, `unshare` or `rewrite`.
    concurrency: how many tasks run at a time.
    images: a file that maps more images to local commands.
    """

    directory: Path
    store: Store
    access: Authorizer
    runner_kind: str = "auto"
    concurrency: int = field(default_factory=two_for_each_processor)
    images: Path | None = None

    @cached_property
    def pod_quota(self) -> PodQuota:
        """How many more pods there may be."""
        return PodQuota(self.store)

    @cached_property
    def trash(self) -> Trash:
        """Where directories go that are no longer wanted."""
        return Trash(self.directory / "trash")

    def claim_directory(self, namespace: str, claim: str) -> Path:
        """Where the files of a persistent volume claim are; made when the claim is bound."""
        return self.directory / "claims" / namespace / claim

    def pod_directory(self, namespace: str, pod: str) -> Path:
        """Where the files and logs of a pod are."""
        return self.directory / "pods" / namespace / pod
