"""Credential: what a provider returns to open a platform with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hera_k8s_utils._moved import renamed

if TYPE_CHECKING:
    from hera_k8s_utils.plugins.context import Context
    from hera_k8s_utils.results import Finding


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
    inspect: (context) -> findings about the experiment that hold on this server alone, such as images that it cannot
        run; nothing when there is nothing to say. None (default): there is nothing to inspect.
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
    inspect: Callable[[Context], Iterable[Finding]] | None = field(default=None, repr=False, compare=False)
