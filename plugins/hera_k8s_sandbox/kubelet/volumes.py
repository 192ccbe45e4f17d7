"""Volumes: the files that a pod's containers are given, from claims, config maps, secrets and fields."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hera_k8s_sandbox.kubelet.environment import config_error, data_of, expand_references, field_of, resource_of
from hera_k8s_sandbox.kubelet.mounts import Mount
from hera_k8s_sandbox.kubelet.pod_context import TOKEN_SECONDS, PodBlocked, Sources
from hera_k8s_utils._types import Json

_DEFAULT_MODE: Final = 0o644
_TOKEN_MODE: Final = 0o600  # the process that reads it is its owner


@dataclass(frozen=True)
class Volume:
    """Where a volume's files are, whether they may only be read, and whether they are written for the pod."""

    path: Path
    read_only: bool = False
    given: bool = False


@dataclass(frozen=True)
class _File:
    path: str
    content: bytes
    mode: int | None


def write_volumes(pod: Json, sources: Sources, directory: Path) -> dict[str, Volume]:
    """Write a pod's volumes below `directory`; by their names. Raises PodBlocked."""
    return {volume["name"]: _volume(pod, volume, sources, directory) for volume in pod["spec"].get("volumes") or ()}


def mounts_of(container: Json, volumes: Mapping[str, Volume], env: Mapping[str, str]) -> tuple[Mount, ...]:
    """Where a container sees its volumes. Raises PodBlocked."""
    if container.get("volumeDevices"):
        raise config_error("the sandbox does not support volumeDevices", event_message=None)
    return tuple(_mount(mount, volumes[mount["name"]], env) for mount in container.get("volumeMounts") or ())


def _volume(pod: Json, volume: Json, sources: Sources, directory: Path) -> Volume:
    name, target = volume["name"], directory / volume["name"]
    kind = next((key for key, value in volume.items() if key != "name" and value is not None), "emptyDir")
    if kind == "persistentVolumeClaim":
        return Volume(sources.claims[volume[kind]["claimName"]], bool(volume[kind].get("readOnly")))
    if kind == "emptyDir":
        target.mkdir(parents=True, exist_ok=True)
        return Volume(target)
    source = volume[kind]
    if kind == "configMap":
        files = _object_files(name, "ConfigMap", source.get("name", ""), source, sources)
    elif kind == "secret":
        files = _object_files(name, "Secret", source.get("secretName", ""), source, sources)
    elif kind == "downwardAPI":
        files = _field_files(pod, source)
    elif kind == "projected":
        files = (file for part in source.get("sources") or () for file in _part_files(pod, name, part, sources))
    else:
        message = f"the sandbox does not support volumes of {kind}"
        raise PodBlocked("ContainerCreating", "", event="FailedMount", event_message=message)
    _write(target, list(files), int(source.get("defaultMode") or _DEFAULT_MODE), name)
    return Volume(target, read_only=True, given=True)


def _part_files(pod: Json, volume: str, part: Json, sources: Sources) -> Iterator[_File]:
    """The files of one source of a projected volume."""
    kind = next((key for key, value in part.items() if value is not None), "nothing")
    source = part.get(kind) or {}
    if kind == "configMap":
        yield from _object_files(volume, "ConfigMap", source.get("name", ""), source, sources)
    elif kind == "secret":
        yield from _object_files(volume, "Secret", source.get("name", ""), source, sources)
    elif kind == "downwardAPI":
        yield from _field_files(pod, source)
    elif kind == "serviceAccountToken":
        key = (source.get("audience") or "", int(source.get("expirationSeconds") or TOKEN_SECONDS))
        yield _File(str(source["path"]), sources.tokens[key].encode(), _TOKEN_MODE)
    else:
        message = f"the sandbox does not support projected volumes of {kind}"
        raise PodBlocked("ContainerCreating", "", event="FailedMount", event_message=message)


def _object_files(volume: str, kind: str, name: str, source: Json, sources: Sources) -> Iterator[_File]:
    found = sources.objects.get((kind, name))
    if found is None:
        if source.get("optional"):
            return
        raise _failed_mount(volume, f'{kind.lower()} "{name}" not found')
    data = data_of(kind, found)
    for item in source.get("items") or [{"key": key, "path": key} for key in data]:
        if item["key"] in data:
            yield _File(str(item["path"]), data[item["key"]], item.get("mode"))
        elif not source.get("optional"):
            raise _failed_mount(volume, f"references non-existent {kind.lower()} key: {item['key']}")


def _field_files(pod: Json, source: Json) -> Iterator[_File]:
    for item in source.get("items") or ():
        if item.get("resourceFieldRef"):
            text = resource_of(pod, item["resourceFieldRef"])
        else:
            text = field_of(pod, (item.get("fieldRef") or {}).get("fieldPath", ""))
        yield _File(str(item["path"]), text.encode(), item.get("mode"))


def _write(target: Path, files: list[_File], mode: int, volume: str) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    for file in files:
        relative = Path(file.path)
        if relative.is_absolute() or ".." in relative.parts:
            raise _failed_mount(volume, f"invalid path: {file.path}")
        path = target / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(file.content)
        path.chmod(int(file.mode or mode) | 0o400)


def _failed_mount(volume: str, why: str) -> PodBlocked:
    message = f'MountVolume.SetUp failed for volume "{volume}" : {why}'
    return PodBlocked("ContainerCreating", "", event="FailedMount", event_message=message)


def _mount(mount: Json, volume: Volume, env: Mapping[str, str]) -> Mount:
    source = volume.path
    part = mount.get("subPath") or expand_references(mount.get("subPathExpr") or "", env)
    if part:
        if Path(part).is_absolute() or ".." in Path(part).parts:
            raise config_error(f"subPath {part} must be below the volume", event_message=None)
        source = source / part
        if not source.exists() and not volume.read_only:
            source.mkdir(parents=True, exist_ok=True)
        if not source.resolve().is_relative_to(volume.path.resolve()):
            raise config_error(f"subPath {part} leads out of the volume by a link", event_message=None)
    target = "/" + mount["mountPath"].strip("/")
    return Mount(source, target, volume.read_only or bool(mount.get("readOnly")), volume.given)
