"""What is declared for Argo: credentials, the platform, two engines, and the command `login`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_utils import Command, CredentialProvider, ExecutionEngine, Platform, RequestGuard, hookimpl

hera_k8s_hook_api = (1, 0)


def _later(module: str, function: str) -> Callable[..., Any]:
    """A function of this package whose module is imported when it is first called."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module(f"{__package__}.{module}"), function)(*arguments)

    return call


@hookimpl
def credential_providers() -> Iterator[CredentialProvider]:
    """A token of the user's; last of all the word that none is needed, or the error that one is missing."""
    yield CredentialProvider(
        name="argo-token", target="argo", load=_later("credentials", "load_token"), settings=ArgoSettings, priority=20
    )
    yield CredentialProvider(
        name="anonymous",
        target="argo",
        load=_later("credentials", "load_anonymous"),
        settings=ArgoSettings,
        priority=-100,
    )


@hookimpl
def platforms() -> Iterator[Platform]:
    """The Argo server."""
    yield Platform(
        name="argo",
        open=_later("client", "open_argo"),
        close=_later("client", "close_argo"),
        probe=_later("probe", "probe_argo"),
        settings=ArgoSettings,
    )


@hookimpl
def execution_engines() -> Iterator[ExecutionEngine]:
    """Through the Argo server where there is one, else through Workflow objects."""
    yield ExecutionEngine(
        name="argo",
        open=_later("engines.server", "open_argo_engine"),
        runs=["Workflow"],
        platforms=["argo"],
        priority=10,
        settings=ArgoSettings,
    )
    yield ExecutionEngine(
        name="kubernetes",
        open=_later("engines.objects", "open_kubernetes_engine"),
        runs=["Workflow"],
        platforms=["kubernetes"],
        settings=ArgoSettings,
    )


@hookimpl
def request_guards() -> Iterator[RequestGuard]:
    """Hera's services, and the objects that use them."""
    from hera_k8s_argo.request_guard import CREATION_GUARD, GUARD

    yield GUARD
    yield CREATION_GUARD


@hookimpl
def commands() -> Iterator[Command]:
    """`hera-k8s login`."""
    from hera_k8s_argo.login import COMMAND

    yield COMMAND
