"""The registry of platforms: opens each once on first use, and records how its credential was found."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils.errors import (
    CredentialError,
    HeraK8sError,
    NoCredential,
    NotApplicable,
    OptionsError,
    attribute_errors_to,
)
from hera_k8s_utils.formatting import align_columns
from hera_k8s_utils.network.headers import bearer_token
from hera_k8s_utils.plugins.credentials import Credential
from hera_k8s_utils.plugins.records import CredentialProvider, Platform

if TYPE_CHECKING:
    from hera_k8s_utils.config.options import ResolvedOptions
    from hera_k8s_utils.plugins.context import Context

log = logging.getLogger(__name__)

_CLOSING: Final = 2.0
"""Seconds that closing waits for a thread that is still opening or renewing; one that hangs is left behind."""


@dataclass(frozen=True)
class ProviderAttempt:
    """One provider that was tried for a credential.

    target: the platform.
    provider: the provider's name.
    taken: whether its credential is in use.
    reason: why it was skipped; of the one in use, where its credential is from.
    """

    target: str
    provider: str
    taken: bool
    reason: str


class PlatformRegistry:
    """Opens each platform once, under a lock, and closes them in reverse order.

    platforms: their declarations, in order of preference.
    providers: the declarations of credential providers, in order of preference.
    resolved: the effective options.
    selected_providers: target -> provider, from `--credentials argo=service-account-token`.
    """

    def __init__(
        self,
        platforms: Sequence[Platform],
        providers: Sequence[CredentialProvider],
        resolved: ResolvedOptions,
        selected_providers: Mapping[str, str] | None = None,
    ) -> None:
        self._declared = _by_key(platforms)
        self._replaced = {platform.name: platform for platform in platforms if platform.replaces is None}
        self._providers = providers
        self._resolved = resolved
        self._selected_providers = dict(selected_providers or {})
        self._lock = threading.RLock()
        self._clients: dict[str, Any] = {}
        self._failures: dict[str, HeraK8sError] = {}
        self._credentials: dict[str, Credential] = {}
        self._absent: dict[str, NoCredential] = {}
        self._source: dict[str, CredentialProvider] = {}
        self._opening: list[str] = []
        self._resolving: list[str] = []
        self.trace: list[ProviderAttempt] = []
        self._check_choices()

    @property
    def names(self) -> list[str]:
        """The platforms that can be asked for."""
        return sorted(self._declared)

    def skipped(self, target: str) -> list[ProviderAttempt]:
        """The providers that were tried for a platform's credential and had none, each with its reason."""
        return [attempt for attempt in self.trace if attempt.target == target and not attempt.taken]

    @property
    def opened(self) -> list[str]:
        """The platforms that were opened, in order."""
        return list(self._clients)

    def declared(self, name: str) -> Platform:
        """The declaration that serves a platform; raises `OptionsError` for a name nobody declares."""
        try:
            return self._declared[name]
        except KeyError:
            raise OptionsError(
                f"no plugin declares a platform called {name}",
                found=f"there are: {', '.join(self.names) or 'none'}",
                hint="hera-k8s plugins",
            ) from None

    def settings(self, declaration: Any) -> Any:
        """The resolved settings of a declaration, None where it has none."""
        return self._resolved.of(declaration.settings) if declaration.settings else None

    def open(self, name: str, context: Context) -> Any:
        """The client of a platform. A failure is kept, so that it is found once and told the same way again."""
        with self._lock:
            if name in self._clients:
                return self._clients[name]
            if name in self._failures:
                raise self._failures[name]
            try:
                self._clients[name] = self._open(name, context)
            except HeraK8sError as error:
                self._failures[name] = error
                raise
            return self._clients[name]

    def activate(self, name: str, context: Context) -> None:
        """Run a platform's `activate`, if it declares one; else that of the platform that it replaces."""
        declaration = self.declared(name)
        if declaration.activate is None:
            declaration = self._replaced.get(name, declaration)
        if declaration.activate is not None:
            with attribute_errors_to(f"platform {declaration.name}"):
                declaration.activate(self.settings(declaration), context)

    def _open(self, name: str, context: Context) -> Any:
        declaration = self.declared(name)
        _guard_cycle(self._opening, name)
        self._opening.append(name)
        try:
            for needed in declaration.needs:
                self.open(needed, context)
            credential = self.credential(name, context)
            with attribute_errors_to(f"platform {declaration.name}"):
                return declaration.open(self.settings(declaration), credential, context)
        finally:
            self._opening.pop()

    def credential(self, target: str, context: Context) -> Credential:
        """The credential that opens a platform, from the first provider that has one.

        Raises `NoCredential` when none has; the providers are asked once, and it is told the same way again. Where one
        was asked for by name and has none, that is a `CredentialError`: nothing else is to be tried.
        """
        with self._lock:
            if target in self._absent:
                raise self._absent[target]
            if target not in self._credentials:
                try:
                    self._source[target], self._credentials[target] = self._find(target, context)
                except NoCredential as error:
                    self._absent[target] = error
                    raise
            return self._credentials[target]

    def renew(self, target: str, context: Context, refused: Credential | None = None) -> Credential:
        """Ask the provider that gave the credential for a fresh one.

        refused: the credential that no longer works; when another thread has renewed it meanwhile, that one is given.
        """
        with self._lock:
            present = self.credential(target, context)
            if refused is not None and present is not refused:
                return present
            provider = self._source[target]
            fresh = self._load(provider, context)
            self._credentials[target] = fresh
            log.info("renewed the credential for %s from %s", target, provider.name)
            return fresh

    def _find(self, target: str, context: Context) -> tuple[CredentialProvider, Credential]:
        _guard_cycle(self._resolving, target)
        self._resolving.append(target)
        try:
            return self._try_providers(target, context)
        finally:
            self._resolving.pop()

    def _try_providers(self, target: str, context: Context) -> tuple[CredentialProvider, Credential]:
        self.trace[:] = [attempt for attempt in self.trace if attempt.target != target]  # of a try that failed
        for provider in self._candidates(target):
            try:
                credential = self._load(provider, context)
            except NotApplicable as reason:
                self.trace.append(ProviderAttempt(target, provider.name, False, str(reason)))
                log.info("credential for %s: %s was passed over: %s", target, provider.name, reason)
                continue
            self.trace.append(ProviderAttempt(target, provider.name, True, credential.source))
            log.info("credential for %s: from %s, %s", target, provider.name, credential.source)
            return provider, credential
        tried = align_columns([(f"  {a.provider}", a.reason) for a in self.trace if a.target == target])
        if target in self._selected_providers:  # whoever asks for one provider does not want to go elsewhere without it
            raise CredentialError(
                f"no credential for {target} from the provider that was asked for",
                found="".join(f"\n{line}" for line in tried),
                hint=f"without --credentials {target}={self._selected_providers[target]} the others are asked too",
            )
        raise NoCredential(
            f"no credential for {target}",
            found="".join(f"\n{line}" for line in tried) or "no plugin provides one",
            hint=_how_to_get(target),
        )

    def _load(self, provider: CredentialProvider, context: Context) -> Credential:
        try:
            credential = provider.load(self.settings(provider), context)
        except (NotApplicable, HeraK8sError, KeyboardInterrupt):
            raise
        except BaseException as error:  # third-party code: name the provider, keep the program
            log.debug("credential provider %s failed", provider.name, exc_info=True)
            raise CredentialError(
                f"credential provider {provider.name} failed",
                found=f"{type(error).__name__} while loading (details with --debug)",
                hint=f"hera-k8s plugins, or --credentials {provider.target}=ANOTHER",
            ) from error
        if not isinstance(credential, Credential):
            raise CredentialError(
                f"credential provider {provider.name} failed",
                found=f"it returned a {type(credential).__name__}, not a Credential",
                hint=f"hera-k8s plugins, or --credentials {provider.target}=ANOTHER",
            )
        if not credential.source:
            credential = replace(credential, source=provider.name)
        if not credential.secret:
            return credential
        token = bearer_token(credential.secret, origin=credential.source, hint="hera-k8s plugins names its provider")
        return credential if token == credential.secret else replace(credential, secret=token)

    def _candidates(self, target: str) -> list[CredentialProvider]:
        """What was asked for explicitly comes first: flag, then environment, then config; then by priority."""
        mine = [provider for provider in self._providers if provider.target == target]
        if target in self._selected_providers:
            return [provider for provider in mine if provider.name == self._selected_providers[target]]
        return sorted(mine, key=lambda p: (self._resolved.selected(p.settings), -p.priority, p.name))

    def _check_choices(self) -> None:
        for target, name in self._selected_providers.items():
            mine = sorted(p.name for p in self._providers if p.target == target)
            if name not in mine:
                raise OptionsError(
                    f"--credentials {target}={name}",
                    found=f"credential providers for {target}: {', '.join(mine) or 'none'}",
                    hint="hera-k8s plugins",
                )

    def close(self) -> None:
        """Close what was opened, the last first; a failure to close is logged.

        A provider that hangs in another thread holds the lock, and does not keep the program alive.
        """
        alone = self._lock.acquire(timeout=_CLOSING)
        try:
            for name in reversed(list(self._clients)):
                self._close(name, self._clients.pop(name))
        finally:
            if alone:
                self._lock.release()

    def _close(self, name: str, client: Any) -> None:
        closing = self._declared[name].close
        try:
            if closing is not None:
                closing(client)
        except KeyboardInterrupt:
            raise
        except BaseException:
            log.warning("closing %s failed", name, exc_info=True)


def _guard_cycle(under_way: Sequence[str], name: str) -> None:
    if name in under_way:
        chain = " -> ".join([*under_way[under_way.index(name) :], name])
        raise CredentialError("credentials need each other", found=chain, hint=f"--credentials {name}=PROVIDER")


def _by_key(platforms: Sequence[Platform]) -> dict[str, Platform]:
    own = {platform.name: platform for platform in platforms if platform.replaces is None}
    for platform in platforms:
        if platform.replaces is not None:
            own[platform.replaces] = platform
    return own


def _how_to_get(target: str) -> str:
    if target == "kubernetes":
        return "set KUBECONFIG, or try without a cluster: --sandbox"
    if target == "argo":
        return "set ARGO_SERVER, then hera-k8s login; or try without a cluster: --sandbox"
    return f"--credentials {target}=PROVIDER"
