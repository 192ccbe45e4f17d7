"""What Kubernetes would refuse of Jobs, or would do otherwise than meant: names, labels, numbers, containers, size.

The rules are those of `batch/v1` (Kubernetes 1.36), stated here anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hera_k8s_kube.jobs import manifest as batch
from hera_k8s_utils import Json, is_dns_label, is_dns_subdomain, parse_quantity
from hera_k8s_utils.lint import Problem, lint_error, lint_suggestion, lint_warning, source_problems

MOST_INDEXES: Final = 100_000
"""Completions of an indexed Job whose pods may all run at once; nothing here asks for more."""
_OBJECT_LIMIT: Final = 1_500_000
"""Bytes of an object: what etcd takes of one request by default is 1.5 MiB, which JSON comes near."""
_MAP_LIMIT: Final = 1024 * 1024
_ANNOTATIONS_LIMIT: Final = 256 * 1024
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PYTHON: Final = re.compile(r"(.*/)?python[0-9.]*")
_SOON: Final = 60
"""Seconds after which a Job that ended may be deleted before its result has been read."""
_NUMBERS: Final = (
    "completions",
    "parallelism",
    "backoffLimit",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
)


def job_problems(objects: Iterable[Json]) -> Iterator[Problem]:
    """What is wrong with Jobs, and with the config maps beside them, before a server has seen them."""
    programs: set[str] = set()
    for item in objects:
        name = batch.name_of(item)
        what = f"{item.get('kind')} {name}"
        if not is_dns_subdomain(name):
            yield lint_error(
                f"a {item.get('kind')} cannot be called {name!r}", hint="lower-case letters, digits, dashes"
            )
        yield from _labels(what, item.get("metadata") or {})
        yield from _size(what, item)
        if item.get("kind") == batch.JOB:
            yield from _job(what, name, item)
            yield from _programs(name, item, programs)


def _labels(what: str, metadata: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in (metadata.get("labels") or {}).items():
        prefix, slash, own = key.rpartition("/")
        if not _LABEL_NAME.fullmatch(own) or (slash and not is_dns_subdomain(prefix)):
            yield lint_error(f"{what}: a label cannot be called {key!r}")
        if not _LABEL_VALUE.fullmatch(value):
            rule = "at most 63 letters, digits, dashes, dots and underscores, the ends letters or digits"
            yield lint_error(f"{what}: label {key} cannot be {value!r}", hint=rule)
    size = sum(len(k.encode()) + len(str(v).encode()) for k, v in (metadata.get("annotations") or {}).items())
    if size > _ANNOTATIONS_LIMIT:
        yield lint_error(f"{what}: annotations of {size} bytes, 256 KiB are the most", hint="a config map takes 1 MiB")


def _size(what: str, item: Json) -> Iterator[Problem]:
    limit = _MAP_LIMIT if item.get("kind") == "ConfigMap" else _OBJECT_LIMIT
    size = len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode())
    if size > limit:
        yield lint_error(f"{what} has {size} bytes, {limit} are the most", hint="split the sweep into several runs")


# --- the Job -----------------------------------------------------------------------------------------------------


def _job(what: str, name: str, job: Json) -> Iterator[Problem]:
    spec = job.get("spec") or {}
    if len(name) > 63:
        yield lint_error(
            f"{what}: the name has {len(name)} characters, 63 are the most", hint="its pods carry it as label"
        )
    for key in _NUMBERS:
        if spec.get(key) is not None and spec[key] < 0:
            yield lint_error(f"{what}: {key} cannot be {spec[key]}")
    yield from _indexes(what, name, spec)
    if "selector" in spec and not spec.get("manualSelector"):
        yield lint_error(f"{what} names a selector, which the cluster makes itself", hint="leave it out")
    if spec.get("ttlSecondsAfterFinished") is not None and spec["ttlSecondsAfterFinished"] < _SOON:
        seconds = spec["ttlSecondsAfterFinished"]
        yield lint_warning(f"{what} is deleted {seconds} s after its end, perhaps before its result has been read")
    template = spec.get("template") or {}
    yield from _labels(f"the pods of {what}", template.get("metadata") or {})
    yield from _pod(what, template.get("spec") or {})


def _indexes(what: str, name: str, spec: Json) -> Iterator[Problem]:
    mode, completions = spec.get("completionMode") or "NonIndexed", spec.get("completions")
    if mode not in ("Indexed", "NonIndexed"):
        yield lint_error(
            f"{what}: completionMode cannot be {mode!r}", hint=lint_suggestion(mode, ("Indexed", "NonIndexed"))
        )
    if mode != "Indexed":
        for key in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(key) is not None:
                yield lint_error(f"{what}: {key} needs completionMode: Indexed")
        return
    if completions is None:
        yield lint_error(f"{what} is indexed and does not say how many indexes there are", hint="completions")
        return
    longest = 63 - 1 - len(str(max(0, completions - 1)))
    if len(name) > longest:
        yield lint_error(f"{what}: with its index the name is too long for a pod's, {longest} are the most")
    for key in ("completions", "parallelism"):
        if (spec.get(key) or 0) > MOST_INDEXES:
            yield lint_error(
                f"{what}: {key} is {spec[key]}, {MOST_INDEXES} are the most", hint="split it into several Jobs"
            )


def _programs(name: str, job: Json, seen: set[str]) -> Iterator[Problem]:
    """Python that stands in a command, each program once."""
    for _, container in batch.containers(job):
        words = [str(word) for word in [*(container.get("command") or ()), *(container.get("args") or ())]]
        if len(words) > 2 and _PYTHON.fullmatch(words[0]) and words[1] == "-c" and words[2] not in seen:
            seen.add(words[2])
            yield from source_problems(f"of Job {name}", words[2].replace("$$", "$"))


# --- its pods ----------------------------------------------------------------------------------------------------


def _pod(what: str, pod: Json) -> Iterator[Problem]:
    policy = pod.get("restartPolicy")
    if policy not in ("Never", "OnFailure"):
        found = f"restartPolicy {policy}" if policy else "no restartPolicy, which means Always"
        yield lint_error(f"{what} has {found}", hint="Never (each try is a new pod) or OnFailure")
    containers = [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]
    if not pod.get("containers"):
        yield lint_error(f"{what} has no container")
    volumes = [str(volume.get("name")) for volume in pod.get("volumes") or ()]
    yield from _names(what, "volume", volumes)
    yield from _names(what, "container", [str(container.get("name") or "") for container in containers])
    for container in containers:
        yield from _container(f"{what}, container {container.get('name')}", container, set(volumes))


def _names(what: str, kind: str, names: list[str]) -> Iterator[Problem]:
    for name in dict.fromkeys(names):
        if not is_dns_label(name):
            yield lint_error(f"{what}: a {kind} cannot be called {name!r}", hint="lower-case letters, digits, dashes")
        if names.count(name) > 1:
            yield lint_error(f"{what}: {names.count(name)} {kind}s are called {name!r}")


def _container(what: str, container: Json, volumes: set[str]) -> Iterator[Problem]:
    if not container.get("image"):
        yield lint_error(f"{what} has no image", hint="image= of the experiment")
    paths: dict[str, str] = {}
    for mount in container.get("volumeMounts") or ():
        name, path = str(mount.get("name")), str(mount.get("mountPath") or "")
        if name not in volumes:
            yield lint_error(
                f"{what} mounts {name}, which is not a volume of its pod", hint=lint_suggestion(name, volumes)
            )
        if path in paths:
            yield lint_error(f"{what} mounts both {paths[path]} and {name} at {path}")
        if not path:
            yield lint_error(f"{what} mounts {name} nowhere", hint="mountPath")
        paths[path] = name
    yield from _resources(what, container.get("resources") or {})


def _resources(what: str, resources: Mapping[str, Any]) -> Iterator[Problem]:
    amounts: dict[str, dict[str, Any]] = {}
    for kind in ("requests", "limits"):
        for resource, text in (resources.get(kind) or {}).items():
            try:
                amounts.setdefault(resource, {})[kind] = parse_quantity(text)
            except ValueError as error:
                yield lint_error(f"{what}: {kind} of {resource}: {error}")
    yield from _more_than_allowed(what, amounts.items())


def _more_than_allowed(what: str, amounts: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Problem]:
    for resource, amount in amounts:
        if len(amount) == 2 and amount["requests"] > amount["limits"]:
            yield lint_error(f"{what} requests more {resource} than its limit allows")
