"""Data stores: how a task gets into its pod, and what came of it back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from hera_k8s_utils import OptionsError, is_dns_subdomain

Json = dict[str, Any]

FORMS: Final = "'' (Secret and log), /path, claim:NAME[/DIR]@/path-here, s3://bucket/prefix"
STORE: Final = "/run/covalent-store"
"""Where a pod finds the task's own directory of a store that it mounts."""


@dataclass(frozen=True)
class TaskBundle:
    """What a store adds to a pod.

    task, outcome: where the runner takes the one and leaves the other, for its ticket. files: for the task's Secret.
    volumes, mounts: of the pod. keep: bytes of each of the task's outputs that come back with what came of it.
    """

    task: Json = field(repr=False)  # an address may let whoever has it in
    outcome: Json = field(repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    keep: int = 4 * 1024 * 1024
    volumes: list[Json] = field(default_factory=list)
    mounts: list[Json] = field(default_factory=list)


class Store(Protocol):
    """Blocking calls, each about one task by its unique name."""

    def send(self, name: str, payload: bytes) -> TaskBundle:
        """Make the task available to a pod that is to come."""

    def fetch(self, name: str, nonce: str, log: Callable[[], Iterable[str]]) -> bytes | None:
        """The outcome; None when there is none (yet). Raises `StoreUnreadable` when that cannot be said."""

    def remove(self, name: str) -> None:
        """Remove what is stored for the task; what is gone is ignored."""


def open_store(data_store: str, *, region: str = "", lasting: float = 0) -> Store:
    """The store that a setting names. Opens no connection.

    region: of a bucket. lasting: seconds for which a pod must be able to use it; 0: as long as possible.
    Raises `OptionsError` for a text that names none.
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
    """The claim, the directory in it, and where this machine sees that directory."""
    matched = re.fullmatch(r"claim:([^/@]+)(?:/([^@]*))?@([/~].*)", data_store)
    if matched is None:
        raise _unreadable(data_store)
    claim, directory, here = matched.groups()
    directory = (directory or "").strip("/")
    if not is_dns_subdomain(claim) or any(part in ("", ".", "..") for part in directory.split("/") if directory):
        raise _unreadable(data_store)
    return claim, directory, Path(here).expanduser()


def _claim_volume(claim: str) -> Json:
    return {"persistentVolumeClaim": {"claimName": claim}}


def _path(data_store: str) -> tuple[Path, Path]:
    """A directory as nodes see it, and as this machine does."""
    matched = re.fullmatch(r"([/~].*?)(?:@([/~].*))?", data_store)
    if matched is None:
        raise _unreadable(data_store)
    there = Path(matched[1]).expanduser()
    return there, Path(matched[2]).expanduser() if matched[2] else there


def _host_volume(there: Path) -> Json:
    return {"hostPath": {"path": str(there), "type": "Directory"}}


def _unreadable(data_store: str) -> OptionsError:
    return OptionsError(
        f"data_store = {data_store!r} names no data store that is supported", found=f"there are: {FORMS}"
    )
