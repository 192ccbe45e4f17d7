"""What every declared function is given: the namespace, the platforms, HTTP, the experiment, the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from hera_k8s_utils.errors import NoCredential
from hera_k8s_utils.experiment.workload import PeakDemand
from hera_k8s_utils.plugins.clients import ARGO, KUBERNETES, Argo, Kubernetes, PlatformKey
from hera_k8s_utils.plugins.platforms import PlatformRegistry, client

if TYPE_CHECKING:
    from hera_k8s_utils.config.options import ResolvedOptions
    from hera_k8s_utils.experiment.model import BuiltExperiment
    from hera_k8s_utils.network.http import HttpClient
    from hera_k8s_utils.plugins.credentials import Credential

C = TypeVar("C")


class PlatformAccess:
    """The platforms as a context sees them: `context.platforms[KEY]` opens on first use."""

    def __init__(self, platforms: PlatformRegistry, context: Context) -> None:
        self._platforms = platforms
        self._context = context

    def __getitem__(self, key: PlatformKey[C]) -> C:
        return client(self._platforms, key, self._context)

    def credential(self, target: str) -> Credential:
        """The credential in use for a platform."""
        return self._platforms.credential(target, self._context)

    def renew(self, target: str, refused: Credential | None = None) -> Credential:
        """A fresh credential from the same provider, or the present one when it is not the refused one any more."""
        return self._platforms.renew(target, self._context, refused)


@dataclass(frozen=True)
class Context:
    """Given to every declared function; cheap until a platform is asked for.

    options: the effective options of all plugins; `context.options.of(SomeSettings)`.
    experiment: what was built, None before that or without one.
    demand: the most that the run may ask for.
    """

    options: ResolvedOptions
    registry: PlatformRegistry = field(repr=False)
    experiment: BuiltExperiment | None = field(default=None, repr=False)
    demand: PeakDemand = field(default_factory=PeakDemand)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("hera_k8s_utils.plugins.manager"), repr=False)

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
