"""Credential: what a provider returns to open a platform with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hera_k8s_utils._moved import renamed


@renamed(provisions="auto_provision")
@dataclass(frozen=True, kw_only=True)
class Credential:
    """What opens a platform.

    secret: a bearer token; never shown.
    handle: an object that only the platform understands, such as a configured client; never shown.
    server: the platform's address, where the provider knows it; it then beats the settings. Its path may hold a secret.
    certificate_authority: path of a PEM file that the server's certificate is verified with.
    identity: the user or service account; empty when unknown.
    namespace: the namespace that comes with the credential (a kubeconfig's context has one).
    expires_at: timezone-aware; None when unknown.
    source: where it was found, as the user would say it: `kubeconfig, context lyon`.
    auto_provision: the platform is the user's own (the sandbox): missing resources are created without asking.
    """

    secret: str = field(default="", repr=False)
    handle: Any = field(default=None, repr=False)
    server: str = field(default="", repr=False)
    certificate_authority: str = ""
    identity: str = ""
    namespace: str = ""
    expires_at: datetime | None = None
    source: str = ""
    auto_provision: bool = False
