"""Argo's own examples: read from its module, where the tests have built it, and chosen by what a machine can run.

Nothing of them is kept here. What needs a network, an image's own programs or another system is left out by rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

Json = dict[str, Any]

KINDS: Final = {
    "WorkflowTemplate": "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflowtemplates",
    "ClusterWorkflowTemplate": "/apis/argoproj.io/v1alpha1/clusterworkflowtemplates",
    "ConfigMap": "{ns}/configmaps",
    "Secret": "{ns}/secrets",
    "PersistentVolumeClaim": "{ns}/persistentvolumeclaims",
}
"""What workflows of the examples refer to, and where it is created."""
_IMAGES: Final = ("busybox", "alpine", "python", "argoproj/argosay", "debian", "ubuntu", "docker/whalesay", "{{")
"""Of which this machine's programs can stand for those that the examples use."""
_STORES: Final = ("azure", "gcs", "git", "hdfs", "http", "oss", "artifactory", "plugin")
_ELSEWHERE: Final = (
    ("http", "an HTTP request"),
    ("plugin", "a plugin of the executor"),
    ("data", "objects of a store"),
)
# Files whose programs ask the network in their text.
_BY_NAME: Final = {
    "ci.yaml": "clones a repository",
    "forever.yaml": "has no end",
    "gc-ttl.yaml": "waits for minutes",
    "colored-logs.yaml": "installs a program",
    "fun-with-gifs.yaml": "images of animations",
}


@dataclass(frozen=True)
class Document:
    """One workflow of an example; name: `file.yaml`, or `file.yaml#2` for the second of a file."""

    name: str
    body: Json


def documents(examples: Path) -> list[Document]:
    """The workflows of all examples that need nothing from elsewhere."""
    return [document for document in _workflows(examples) if not obstacle(document)]


def left_out(examples: Path) -> dict[str, str]:
    """The others, with the reason."""
    return {document.name: why for document in _workflows(examples) if (why := obstacle(document))}


def referenced(examples: Path) -> list[Json]:
    """The objects that workflows refer to."""
    found = (body for _, body in _objects(examples) if body["kind"] in KINDS)
    return sorted(found, key=lambda body: list(KINDS).index(body["kind"]), reverse=True)


def obstacle(document: Document) -> str:
    """What a workflow needs that the tests do not have; empty when it needs nothing."""
    if why := _BY_NAME.get(document.name.partition("#")[0]):
        return why
    for image in sorted(set(_values(document.body, "image"))):
        if isinstance(image, str) and not image.startswith(_IMAGES):
            return f"the programs of image {image}"
    for template in document.body["spec"].get("templates") or ():
        for field, what in _ELSEWHERE:
            if field in template:
                return what
    for way in ("inputs", "outputs", "arguments"):
        for place in _values(document.body, way):
            for artifact in (place or {}).get("artifacts") or ():
                if store := next((each for each in _STORES if each in artifact), None):
                    return f"a store of the kind {store}"
                if (artifact.get("s3") or {}).get("endpoint"):
                    return "a store of its own"
    if "database" in json.dumps(_values_list(document.body, "synchronization")):
        return "a database"
    return ""


def _workflows(examples: Path) -> Iterator[Document]:
    counts: dict[str, int] = {}
    for name, body in _objects(examples):
        if body["kind"] == "Workflow":
            counts[name] = counts.get(name, 0) + 1
            yield Document(name if counts[name] == 1 else f"{name}#{counts[name]}", body)


def _objects(examples: Path) -> Iterator[tuple[str, Json]]:
    for path in sorted(examples.rglob("*.yaml")):
        for body in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if isinstance(body, dict) and body.get("kind"):
                yield path.relative_to(examples).as_posix(), body


def _values_list(value: Any, key: str) -> list[Any]:
    return list(_values(value, key))


def _values(value: Any, key: str) -> Iterator[Any]:
    """What a key has anywhere within."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for each in value.values():
            yield from _values(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from _values(each, key)
