"""Context, the argument of every declared function: options, platforms, HTTP, the experiment, the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from hera_k8s_utils.errors import NoCredential
from hera_k8s_utils.experiment.workload import PeakDemand
from hera_k8s_utils.plugins.clients import ARGO, KUBERNETES, Argo, Kubernetes, PlatformKey

if TYPE_CHECKING:
    from hera_k8s_utils.config.options import ResolvedOptions
    from hera_k8s_utils.experiment.model import BuiltExperiment
    from hera_k8s_utils.network.http import HttpClient
    from hera_k8s_utils.plugins.credentials import Credential

C = TypeVar("C")


class PlatformOpener(Protocol):
    """Opens platforms and finds credentials on behalf of a context; `PlatformRegistry` is the one in use."""

    def open(self, name: str, context: Context) -> Any:
        """The client of a platform, opened on first use. Raises `CredentialError` when nothing opens it."""

    def credential(self, target: str, context: Context) -> Credential:
        """The credential that opens a platform. Raises `NoCredential` without one."""

    def renew(self, target: str, context: Context, refused: Credential | None = None) -> Credential:
        """A fresh credential from the same provider."""


class PlatformAccess:
    """The platforms as a context sees them: `context.platforms[KEY]` opens on first use."""

    def __init__(self, platforms: PlatformOpener, context: Context) -> None:
        self._platforms = platforms
        self._context = context

    def __getitem__(self, key: PlatformKey[C]) -> C:
        return cast("C", self._platforms.open(key.name, self._context))

    def credential(self, target: str) -> Credential:
        """The credential in use for a platform."""
        return self._platforms.credential(target, self._context)

    def renew(self, target: str, refused: Credential | None = None) -> Credential:
        """A fresh credential from the same provider, or the present one when it is not the refused one any more."""
        return self._platforms.renew(target, self._context, refused)


@dataclass(frozen=True)
class Context:
    """The argument of every declared function; cheap until a platform is opened.

    options: the effective options of all plugins; `context.options.of(SomeSettings)`.
    registry: opens the platforms; use `platforms` instead.
    experiment: the built experiment; None before it is built, or without one.
    demand: the most that the run may use at one time; empty without an experiment.
    log: a logger for messages of plugins.
    """

    options: ResolvedOptions
    registry: PlatformOpener = field(repr=False)
    experiment: BuiltExperiment | None = field(default=None, repr=False)
    demand: PeakDemand = field(default_factory=PeakDemand)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("hera_k8s_utils.plugins"), repr=False)

    @property
    def platforms(self) -> PlatformAccess:
        """Clients by key, opened on first use."""
        return PlatformAccess(self.registry, self)

    @property
    def kubernetes(self) -> Kubernetes:
        """The Kubernetes API, opened on first use; raises `CredentialError` when nothing opens it."""
        return self.platforms[KUBERNETES]

    @property
    def argo(self) -> Argo:
        """The Argo server, opened on first use; raises `CredentialError` when nothing opens it."""
        return self.platforms[ARGO]

    @property
    def namespace(self) -> str:
        """The namespace: as set by an option, else the Kubernetes credential's, else `default`."""
        from hera_k8s_utils.config.settings import CoreSettings

        stated = self.options.of(CoreSettings).namespace
        if stated:
            return stated
        try:
            return self.platforms.credential(KUBERNETES.name).namespace or "default"
        except NoCredential:  # with an Argo token alone
            return "default"

    def http(self, url: str, **settings: Any) -> HttpClient:
        """A client for any other server, under the one network policy: CA, proxy, timeouts, retries."""
        from hera_k8s_utils.network.http import HttpClient, NetworkSettings

        return HttpClient(url, self.options.of(NetworkSettings), **settings)
