"""Data stores: how a task gets into its pod, and its outcome back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from hera_k8s_utils import OptionsError, expand_path, is_dns_subdomain

Json = dict[str, Any]

FORMS: Final = "'' (Secret and log), /path, claim:NAME[/DIR]@/path-here, s3://bucket/prefix"
STORE: Final = "/run/covalent-store"
"""Mount path of the task's directory of a store in the pod."""


@dataclass(frozen=True)
class TaskBundle:
    """What a store adds to a pod.

    task: where the runner reads the task, for its ticket.
    outcome: where the runner writes the outcome, for its ticket.
    files: files for the task's Secret.
    keep: bytes of stdout and of stderr that are kept in the outcome.
    volumes: volumes of the pod.
    mounts: mounts of the container.
    """

    task: Json = field(repr=False)  # a signed URL grants access
    outcome: Json = field(repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    keep: int = 4 * 1024 * 1024
    volumes: list[Json] = field(default_factory=list)
    mounts: list[Json] = field(default_factory=list)


class Store(Protocol):
    """Blocking calls, each about one task by its unique name."""

    def send(self, name: str, payload: bytes) -> TaskBundle:
        """Store the task for its pod."""

    def fetch(self, name: str, nonce: str, log: Callable[[], Iterable[str]]) -> bytes | None:
        """The outcome; None if there is none (yet). Raises `StoreUnreadable` if the store cannot be read."""

    def remove(self, name: str) -> None:
        """Remove what is stored for the task, if anything."""


def open_store(data_store: str, *, region: str = "", lasting: float = 0) -> Store:
    """The store that the setting selects. Opens no connection.

    data_store: the setting.
    region: region of a bucket.
    lasting: seconds for which a pod must be able to use the store; 0: as long as possible.

    Raises `OptionsError` for an invalid setting.
    """
    if not data_store:
        from covalent_kubernetes_plugin.secret_store import SecretStore

        return SecretStore()
    scheme, found, rest = data_store.partition("://")
    if found:
        if scheme != "s3" or not rest.strip("/"):
            raise _unreadable(data_store)
        from covalent_kubernetes_plugin.bucket_store import BucketStore

        return BucketStore(data_store, region, lasting)
    from covalent_kubernetes_plugin.directory_store import DirectoryStore

    if data_store.startswith("claim:"):
        claim, directory, here = _claim(data_store)
        return DirectoryStore(here, _claim_volume(claim), directory)
    there, here = _path(data_store)
    return DirectoryStore(here, _host_volume(there), None)


def _claim(data_store: str) -> tuple[str, str, Path]:
    """The claim, the directory in it, and the path of that directory on this machine."""
    matched = re.fullmatch(r"claim:([^/@]+)(?:/([^@]*))?@([/~].*)", data_store)
    if matched is None:
        raise _unreadable(data_store)
    claim, directory, here = matched.groups()
    directory = (directory or "").strip("/")
    if not is_dns_subdomain(claim) or any(part in ("", ".", "..") for part in directory.split("/") if directory):
        raise _unreadable(data_store)
    return claim, directory, expand_path(here)


def _claim_volume(claim: str) -> Json:
    return {"persistentVolumeClaim": {"claimName": claim}}


def _path(data_store: str) -> tuple[Path, Path]:
    """The path of a directory on the nodes, and on this machine."""
    matched = re.fullmatch(r"([/~].*?)(?:@([/~].*))?", data_store)
    if matched is None:
        raise _unreadable(data_store)
    there = expand_path(matched[1])
    return there, expand_path(matched[2]) if matched[2] else there


def _host_volume(there: Path) -> Json:
    return {"hostPath": {"path": str(there), "type": "Directory"}}


def _unreadable(data_store: str) -> OptionsError:
    return OptionsError(f"data_store = {data_store!r} is not supported", found=f"supported are: {FORMS}")
