"""The store that is a directory, which this machine and the pods see: on a claim, or a path of the nodes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from covalent_kubernetes_plugin.errors import StoreUnreadable, TaskFailed
from covalent_kubernetes_plugin.stores import STORE, TaskBundle

Json = dict[str, Any]

_PRIVATE, _SHARED = 0o700, 0o777


class DirectoryStore:
    """A directory of its own for each task, below one that is shared; a pod sees its own alone.

    here: the shared directory on this machine. volume: it, or what it lies in, for a pod. inside: its path within a
    claim; None for a path of the nodes.
    """

    def __init__(self, here: Path, volume: Json, inside: str | None) -> None:
        self._here = here
        self._volume = volume
        self._inside = inside

    def send(self, name: str, payload: bytes) -> TaskBundle:
        """Write the task. Raises `TaskFailed` where this machine cannot."""
        directory = self._here / name
        try:
            self._here.mkdir(exist_ok=True)
            directory.mkdir()
            # On a claim whoever the pod runs as must be able to write; a path of the nodes is for root alone.
            directory.chmod(_PRIVATE if self._inside is None else _SHARED)
            with (directory / "task").open("xb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise TaskFailed(
                "the task cannot be written to the data store",
                found=f"{error.filename}: {(error.strerror or str(error)).lower()}",
                hint="data_store, or what follows its @, must be a directory that this machine can write to",
            ) from None
        volume, mount = self._mounted(name)
        return TaskBundle({"file": "task"}, {"file": "outcome"}, volumes=[volume], mounts=[mount])

    def _mounted(self, name: str) -> tuple[Json, Json]:
        mount: Json = {"name": "store", "mountPath": STORE}
        if self._inside is None:
            host = self._volume["hostPath"]
            return {"name": "store", "hostPath": {**host, "path": f"{host['path']}/{name}"}}, mount
        mount["subPath"] = f"{self._inside}/{name}".lstrip("/")
        return {"name": "store", **self._volume}, mount

    def fetch(self, name: str, nonce: str, log: Callable[[], Iterable[str]]) -> bytes | None:  # noqa: ARG002
        """The file that the pod left. Raises `StoreUnreadable` where this machine cannot say whether there is one."""
        directory = self._here / name
        try:
            os.listdir(directory)  # an NFS client remembers for a while what it did not find
            return (directory / "outcome").read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnreadable(
                "the task's outcome cannot be read from the data store",
                found=f"{directory / 'outcome'}: {(error.strerror or str(error)).lower()}",
                hint="data_store, or what follows its @, must be readable here; what is stored stays there until it is "
                "removed",
            ) from None

    def remove(self, name: str) -> None:
        """The task's directory, with what the pod left there."""
        shutil.rmtree(self._here / name, ignore_errors=True)
