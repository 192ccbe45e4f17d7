"""What Arkouda requires of a cluster: installed objects, a token, ssh keys, a Prometheus and capacity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from hera_k8s_utils import Json, Requirement

DIGEST: Final = "hera-k8s-arkouda/digest"
"""Annotation of installed objects: a digest of the object as this version writes it."""


@dataclass(frozen=True)
class Installed(Requirement):
    """An object of the installation: a workflow template, or the service account of the workflows and its role.

    body: the object; `hera-k8s provision` and `hera-k8s arkouda install` create it.
    """

    kind: ClassVar[str] = "ArkoudaInstallation"
    word: ClassVar[str] = "installed"

    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, hash=False, compare=False, repr=False)

    @classmethod
    def of(cls, body: Json) -> Installed:
        """The requirement of one object, with its digest."""
        kind, metadata = str(body["kind"]), body["metadata"]
        name = str(metadata["name"])
        annotations = {**(metadata.get("annotations") or {}), DIGEST: digest_of(body)}
        marked = {**body, "metadata": {**metadata, "annotations": annotations}}
        return cls(f"{kind}/{name}", bound=name, body=marked)

    @property
    def title(self) -> str:
        """`installed Role/arkouda-workflows`."""
        return f"{self.word} {self.role}"

    @property
    def identity(self) -> str:
        """Kind and name: a role and its binding have the same name."""
        return self.role


@dataclass(frozen=True)
class TokenSecret(Requirement):
    """The Secret with the token of Arkouda's service account.

    account: name of the service account.
    """

    kind: ClassVar[str] = "ArkoudaToken"
    word: ClassVar[str] = "token secret"

    account: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class SshKeys(Requirement):
    """The Secret with the keys that the server starts its locales with: `id_rsa` and `id_rsa.pub`."""

    kind: ClassVar[str] = "ArkoudaSshKeys"
    word: ClassVar[str] = "ssh secret"

    keys: ClassVar[tuple[str, str]] = ("id_rsa", "id_rsa.pub")


@dataclass(frozen=True)
class PrometheusSelection(Requirement):
    """A Prometheus that selects ServiceMonitors with a label in the namespace.

    key: key of the label.
    value: value of the label.
    """

    kind: ClassVar[str] = "PrometheusSelection"
    word: ClassVar[str] = "prometheus for"

    key: str = field(default="", kw_only=True)
    value: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Capacity(Requirement):
    """Capacity of the nodes for a number of equal pods.

    pods: number of pods.
    cpu: CPU of each pod, as a quantity.
    memory: memory of each pod, as a quantity.
    """

    kind: ClassVar[str] = "ArkoudaCapacity"
    word: ClassVar[str] = "room for"

    pods: int = field(default=1, kw_only=True)
    cpu: str = field(default="0", kw_only=True)
    memory: str = field(default="0", kw_only=True)


def digest_of(body: Mapping[str, Any]) -> str:
    """Prefix of the SHA-256 of an object's content, without annotations, namespace and status."""
    metadata = {key: body["metadata"].get(key) for key in ("name", "labels")}
    content = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    text = json.dumps({**content, "metadata": metadata}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
