"""Volumes and environment: what a pod's container is given, from claims, config maps and secrets."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hera_k8s_sandbox import claims
from hera_k8s_sandbox.mounts import Mount
from hera_k8s_sandbox.resources import CLAIMS, CONFIG_MAPS, SECRETS, Resource
from hera_k8s_sandbox.state import SandboxState

Json = dict[str, Any]

_DEFAULT_MODE: Final = 0o644
_REFERENCE: Final = re.compile(r"\$(\$\(|\((?P<name>[A-Za-z_][\w.-]*)\))")
_VARIABLE: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


class Waits(Exception):
    """A pod cannot start yet; reason and message as kubelet or scheduler give them."""

    def __init__(self, reason: str, message: str, *, event: str = "", told: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.event = event or reason
        self.told = told or message


def require_claims(state: SandboxState, pod: Json) -> dict[str, Path]:
    """The directories of a pod's claims by volume; binds those that wait for their first pod. Raises Waits."""
    namespace = pod["metadata"]["namespace"]
    found: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or ():
        source = volume.get("persistentVolumeClaim")
        if source is None:
            continue
        name = source["claimName"]
        if state.store.find(CLAIMS, namespace, name) is None:
            raise _unschedulable(f'persistentvolumeclaim "{name}" not found')
        directory = claims.bind_for_pod(state, namespace, name)
        if directory is None:
            raise _unschedulable("pod has unbound immediate PersistentVolumeClaims")
        found[volume["name"]] = directory
    return found


def _unschedulable(why: str) -> Waits:
    message = (
        f"0/1 nodes are available: {why}. preemption: 0/1 nodes are available: "
        "1 Preemption is not helpful for scheduling."
    )
    return Waits("Unschedulable", message, event="FailedScheduling")


@dataclass(frozen=True)
class Container:
    """What a container is given besides its command."""

    env: Mapping[str, str]
    mounts: tuple[Mount, ...]


def furnish(state: SandboxState, pod: Json, claim_directories: Mapping[str, Path], directory: Path) -> Container:
    """Write a pod's volumes below `directory` and resolve its environment. Raises Waits."""
    container = pod["spec"]["containers"][0]
    sources = {
        volume["name"]: _volume(state, pod, volume, claim_directories, directory)
        for volume in pod["spec"].get("volumes") or ()
    }
    env = _environment(state, pod, container)
    mounts = [_mount(mount, *sources[mount["name"]], env) for mount in container.get("volumeMounts") or ()]
    return Container(env, tuple(mounts))


def expand_references(text: str, env: Mapping[str, str]) -> str:
    """A text in which `$(NAME)` is replaced as in a container's command; `$$(` stands for `$(`."""

    def replacement(found: re.Match[str]) -> str:
        name = found["name"]
        return "$(" if name is None else env.get(name, found[0])

    return _REFERENCE.sub(replacement, text)


# Volumes


def _volume(
    state: SandboxState, pod: Json, volume: Json, claim_directories: Mapping[str, Path], directory: Path
) -> tuple[Path, bool]:
    """Where a volume's files are, and whether they may only be read."""
    name, target = volume["name"], directory / "volumes" / volume["name"]
    if name in claim_directories:
        return claim_directories[name], bool(volume["persistentVolumeClaim"].get("readOnly"))
    if "emptyDir" in volume:
        target.mkdir(parents=True, exist_ok=True)
        return target, False
    for kind, resource, key in (("configMap", CONFIG_MAPS, "name"), ("secret", SECRETS, "secretName")):
        if kind in volume:
            _project(state, pod, volume[kind], resource, volume[kind].get(key, ""), target, name)
            return target, True
    unknown = next((key for key in volume if key != "name"), "nothing")
    raise Waits("ContainerCreating", "", event="FailedMount", told=f"the sandbox does not support volumes of {unknown}")


def _project(
    state: SandboxState, pod: Json, source: Json, resource: Resource, name: str, target: Path, volume: str
) -> None:
    """Write a config map or secret as files."""
    found = state.store.find(resource, pod["metadata"]["namespace"], name)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    if found is None:
        if source.get("optional"):
            return
        raise _failed_mount(volume, f'{resource.singular} "{name}" not found')
    data = _data(resource, found)
    items = source.get("items") or [{"key": key, "path": key} for key in data]
    mode = int(source.get("defaultMode") or _DEFAULT_MODE)
    for item in items:
        if item["key"] not in data:
            if source.get("optional"):
                continue
            raise _failed_mount(volume, f"references non-existent {resource.singular} key: {item['key']}")
        _write(target, str(item["path"]), data[item["key"]], int(item.get("mode") or mode), volume)


def _failed_mount(volume: str, why: str) -> Waits:
    told = f'MountVolume.SetUp failed for volume "{volume}" : {why}'
    return Waits("ContainerCreating", "", event="FailedMount", told=told)


def _write(directory: Path, relative: str, content: bytes, mode: int, volume: str) -> None:
    path = directory / relative
    if Path(relative).is_absolute() or ".." in Path(relative).parts:
        raise _failed_mount(volume, f"invalid path: {relative}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
    path.chmod(mode | 0o400)


def _data(resource: Resource, obj: Json) -> dict[str, bytes]:
    plain = obj.get("data") or {}
    if resource is SECRETS:
        return {key: base64.b64decode(value or "") for key, value in plain.items()}
    coded = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {key: value.encode() for key, value in plain.items()} | coded


def _mount(mount: Json, source: Path, read_only: bool, env: Mapping[str, str]) -> Mount:
    part = mount.get("subPath") or expand_references(mount.get("subPathExpr") or "", env)
    if part:
        if Path(part).is_absolute() or ".." in Path(part).parts:
            raise Waits("CreateContainerConfigError", f"subPath {part} must be below the volume", event="Failed")
        source = source / part
        if not read_only:
            source.mkdir(parents=True, exist_ok=True) if not source.exists() else None
    target = "/" + mount["mountPath"].strip("/")
    return Mount(source, target, read_only or bool(mount.get("readOnly")))


# Environment


def _environment(state: SandboxState, pod: Json, container: Json) -> dict[str, str]:
    env: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for key, value in _all_of(state, pod, source).items():
            env[f"{source.get('prefix', '')}{key}"] = value
    for one in container.get("env") or ():
        if one.get("valueFrom"):
            found = _one_of(state, pod, container, one["valueFrom"])
            if found is None:  # optional
                continue
        else:
            found = expand_references(str(one.get("value") or ""), env)
        env[one["name"]] = found
    return env


def _all_of(state: SandboxState, pod: Json, source: Json) -> dict[str, str]:
    for kind, resource in (("configMapRef", CONFIG_MAPS), ("secretRef", SECRETS)):
        if kind in source:
            found = _find(state, pod, resource, source[kind])
            data = {} if found is None else _data(resource, found)
            return {key: _text(value) for key, value in data.items() if _VARIABLE.fullmatch(key)}
    return {}


def _one_of(state: SandboxState, pod: Json, container: Json, source: Json) -> str | None:
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"].get("fieldPath", ""))
    if "resourceFieldRef" in source:
        wanted = str(source["resourceFieldRef"].get("resource", ""))
        kind, _, name = wanted.partition(".")
        return str(((container.get("resources") or {}).get(kind) or {}).get(name, "0"))
    for kind, resource in (("configMapKeyRef", CONFIG_MAPS), ("secretKeyRef", SECRETS)):
        if kind in source:
            return _key(state, pod, resource, source[kind])
    raise Waits("CreateContainerConfigError", f"the sandbox does not support env from {sorted(source)}", event="Failed")


def _key(state: SandboxState, pod: Json, resource: Resource, reference: Json) -> str | None:
    found = _find(state, pod, resource, reference)
    if found is None:
        return None
    data = _data(resource, found)
    if reference["key"] in data:
        return _text(data[reference["key"]])
    if reference.get("optional"):
        return None
    namespace = pod["metadata"]["namespace"]
    message = f"couldn't find key {reference['key']} in {resource.kind} {namespace}/{reference['name']}"
    raise _config_error(message)


def _find(state: SandboxState, pod: Json, resource: Resource, reference: Json) -> Json | None:
    name = reference.get("name", "")
    found = state.store.find(resource, pod["metadata"]["namespace"], name)
    if found is None and not reference.get("optional"):
        raise _config_error(f'{resource.singular} "{name}" not found')
    return found


def _config_error(message: str) -> Waits:
    return Waits("CreateContainerConfigError", message, event="Failed", told=f"Error: {message}")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape").replace("\0", "")


_FIELDS: Final[Mapping[str, Callable[[Json], Any]]] = {
    "metadata.name": lambda pod: pod["metadata"]["name"],
    "metadata.namespace": lambda pod: pod["metadata"]["namespace"],
    "metadata.uid": lambda pod: pod["metadata"]["uid"],
    "metadata.labels": lambda pod: _listed(pod["metadata"].get("labels") or {}),
    "metadata.annotations": lambda pod: _listed(pod["metadata"].get("annotations") or {}),
    "spec.nodeName": lambda pod: pod["spec"].get("nodeName", ""),
    "spec.serviceAccountName": lambda pod: pod["spec"].get("serviceAccountName", ""),
    "status.hostIP": lambda _: "127.0.0.1",
    "status.podIP": lambda _: "127.0.0.1",
}
_KEYED: Final = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def _field(pod: Json, path: str) -> str:
    if path in _FIELDS:
        return str(_FIELDS[path](pod))
    keyed = _KEYED.fullmatch(path)
    if keyed is None:
        raise _config_error(f"unsupported fieldPath: {path}")
    return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))


def _listed(pairs: Mapping[str, str]) -> str:
    lines: Iterable[str] = (f"{key}={json.dumps(value)}" for key, value in sorted(pairs.items()))
    return "\n".join(lines)
