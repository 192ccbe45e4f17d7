"""The store in a directory that this machine and the pods share: on a claim, or a path of the nodes."""

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
    """A directory for each task below a shared one. A pod mounts only its own.

    here: the shared directory on this machine.
    volume: the volume that holds it.
    inside: its path within a claim; None for a path of the nodes.
    """

    def __init__(self, here: Path, volume: Json, inside: str | None) -> None:
        self._here = here
        self._volume = volume
        self._inside = inside

    def send(self, name: str, payload: bytes) -> TaskBundle:
        """Write the task. Raises `TaskFailed` if this is not possible."""
        directory = self._here / name
        try:
            self._here.mkdir(exist_ok=True)
            directory.mkdir()
            # On a claim, any user of the pod must be able to write; a path of the nodes is for root only.
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
        """The file that the pod wrote. Raises `StoreUnreadable` if the directory cannot be read."""
        directory = self._here / name
        try:
            os.listdir(directory)  # refreshes an NFS client's cache of absent files
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
        """Remove the task's directory."""
        shutil.rmtree(self._here / name, ignore_errors=True)
