"""Artifact files: those of one pod, put where its container expects them, and taken from where it left them."""

from __future__ import annotations

import asyncio
import posixpath
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hera_k8s_sandbox.artifacts.store import ArtifactMissing, ArtifactStore, set_mode
from hera_k8s_sandbox.kubelet.mounts import Mount, holder, through
from hera_k8s_sandbox.workflows.model.artifacts import location_of
from hera_k8s_utils._types import Json

LOGS: Final = "main-logs"
_UNKEPT: Final = (ArtifactMissing, OSError, ValueError, tarfile.TarError)


class ArtifactRefused(Exception):
    """An input is not put where its template wants it."""


class ArtifactFiles:
    """The artifacts of one pod.

    store: where they are kept.
    template: the pod's annotation.
    """

    def __init__(self, store: ArtifactStore, pod: Json, template: Json) -> None:
        self._store = store
        self._namespace = pod["metadata"]["namespace"]
        self._prefix = template.get("keyPrefix") or pod["metadata"]["name"]
        self._inputs: list[Json] = (template.get("inputs") or {}).get("artifacts") or []
        self._outputs: list[Json] = (template.get("outputs") or {}).get("artifacts") or []
        self._archives_logs = bool(template.get("archiveLogs"))
        self._staged: dict[str, Path] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the container leaves its outputs."""
        return tuple(_normal(one["path"]) for one in self._outputs)

    async def stage(self, directory: Path) -> None:
        """Put the inputs below a directory. Raises ArtifactMissing, ArtifactRefused.

        A name is no part of a path: who may create pods may write anything into their annotations.
        """
        for number, one in enumerate(self._inputs):
            if not location_of(one):  # it is optional
                continue
            base = posixpath.basename(_normal(one["path"]))
            if base in ("", ".", ".."):
                raise ArtifactRefused(f"the path {one['path']!r} of an input artifact names no file or directory")
            target = directory / str(number) / base
            try:
                await asyncio.to_thread(self._stage, one, target)
            except ArtifactMissing:
                if not one.get("optional"):
                    raise
            else:
                self._staged[_normal(one["path"])] = target

    async def mounts(self, present: tuple[Mount, ...]) -> tuple[Mount, ...]:
        """How the container sees its inputs; what lies on a volume is put there, as Argo does.

        Raises ArtifactRefused for a volume that may only be read, and for a path that leads out of it by a link.
        """
        found = []
        for path, source in self._staged.items():
            mount = holder(present, path)
            if mount is None:
                found.append(Mount(source, path, given=True))
            else:
                await asyncio.to_thread(self._put, source, mount, path)
        return tuple(found)

    async def collect(self, places: Mapping[str, Path], *, succeeded: bool) -> tuple[list[Json], str]:
        """Keep what the container has left; the artifacts, and what is wrong with them."""
        found, problem = [], ""
        for one in self._outputs:
            path = _normal(one["path"])
            source = places.get(path)
            if source is None or not source.exists():
                if not one.get("optional") and succeeded:
                    problem = problem or f"open /var/run/argo/outputs/artifacts{path}.tgz: no such file or directory"
                continue
            key = (one.get("s3") or {}).get("key") or f"{self._prefix}/{_file_name(one)}"
            try:
                await asyncio.to_thread(self._store.save, self._namespace, key, source, one.get("archive") or {})
            except _UNKEPT as error:
                problem = problem or f"failed to save artifact {one['name']}: {error}"
                continue
            found.append({**one, "s3": {"key": key}})
        return found, problem

    async def keep_logs(self, parts: list[Path]) -> tuple[list[Json], str]:
        """Keep the container's log if archiveLogs is set; the artifact, and what is wrong with it."""
        if not self._archives_logs:
            return [], ""
        key = f"{self._prefix}/main.log"
        try:
            await asyncio.to_thread(self._store.save_text, self._namespace, key, parts)
        except _UNKEPT as error:
            return [], f"failed to save artifact {LOGS}: {error}"
        return [{"name": LOGS, "s3": {"key": key}}], ""

    def _stage(self, artifact: Json, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if artifact.get("raw"):
            target.write_text(str(artifact["raw"].get("data", "")), encoding="utf-8")
        else:
            self._store.load(self._namespace, str(artifact["s3"]["key"]), target, artifact.get("archive") or {})
        if artifact.get("mode") is not None:
            set_mode(target, int(artifact["mode"]), recursive=bool(artifact.get("recurseMode")))

    def _put(self, source: Path, mount: Mount, path: str) -> None:
        if mount.read_only:
            raise ArtifactRefused(f"the input artifact at {path} cannot be written: {mount.target} is read-only")
        inside = through([mount], path)
        assert inside is not None
        real = inside.resolve()
        if not real.is_relative_to(mount.source.resolve()):
            raise ArtifactRefused(f"the path {path} of an input artifact leads out of {mount.target} by a link")
        self._store.copy(source, real)


def _file_name(artifact: Json) -> str:
    """What an artifact is called in the repository, as Argo's executor calls it."""
    archive = artifact.get("archive") or {}
    if archive.get("none") is not None:
        return posixpath.basename(_normal(artifact["path"]))
    return f"{artifact['name']}.{'zip' if archive.get('zip') is not None else 'tgz'}"


def _normal(path: Any) -> str:
    return posixpath.normpath(str(path))
