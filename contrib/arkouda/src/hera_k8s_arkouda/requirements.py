"""What a cluster must have for Arkouda: installed objects, a token, ssh keys, a Prometheus that looks, and room."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from hera_k8s_utils import Requirement

Json = dict[str, Any]

DIGEST: Final = "hera-k8s-arkouda/digest"
"""Annotation of what is installed: a digest of the object as this version writes it."""


@dataclass(frozen=True)
class Installed(Requirement):
    """An object of the installation: a workflow template, or one of the account's that runs the workflows.

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
        """Kind and name: a role and its binding have one name."""
        return self.role


@dataclass(frozen=True)
class TokenSecret(Requirement):
    """The secret with the token of Arkouda's own account. account: whose token it must be."""

    kind: ClassVar[str] = "ArkoudaToken"
    word: ClassVar[str] = "token secret"

    account: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class SshKeys(Requirement):
    """The secret with the keys by which the server starts its locales: `id_rsa` and `id_rsa.pub`."""

    kind: ClassVar[str] = "ArkoudaSshKeys"
    word: ClassVar[str] = "ssh secret"

    keys: ClassVar[tuple[str, str]] = ("id_rsa", "id_rsa.pub")


@dataclass(frozen=True)
class PrometheusSelection(Requirement):
    """A Prometheus that looks for monitors with a label, in our namespace. key, value: of the label."""

    kind: ClassVar[str] = "PrometheusSelection"
    word: ClassVar[str] = "prometheus for"

    key: str = field(default="", kw_only=True)
    value: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Capacity(Requirement):
    """Room on the nodes for a number of equal pods. cpu, memory: quantities of each."""

    kind: ClassVar[str] = "ArkoudaCapacity"
    word: ClassVar[str] = "room for"

    pods: int = field(default=1, kw_only=True)
    cpu: str = field(default="0", kw_only=True)
    memory: str = field(default="0", kw_only=True)


def digest_of(body: Mapping[str, Any]) -> str:
    """The beginning of the SHA-256 of an object's content, without annotations, namespace and status."""
    metadata = {key: body["metadata"].get(key) for key in ("name", "labels")}
    content = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    text = json.dumps({**content, "metadata": metadata}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
