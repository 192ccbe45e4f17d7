"""What a plugin may declare. A plugin is a module named by an entry point of the group `hera_k8s_utils`.

    [project.entry-points.hera_k8s_utils]
    acme = "acme_hera_k8s.plugin"

Each hook returns (or yields) records of `hera_k8s_utils.plugins.records`; the core calls the functions in them.
Importing a plugin must be cheap: import kubernetes, hera and the like inside the functions that need them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from hera_k8s_utils.offline.guards import RequestGuard
    from hera_k8s_utils.plugins.records import (
        Command,
        CredentialProvider,
        ExecutionEngine,
        LifecycleEvent,
        Platform,
        ResourceChecker,
        Site,
        WorkloadKind,
    )
    from hera_k8s_utils.sweep.path_encoder import LayoutStrategy

PROJECT: Final = "hera_k8s_utils"
HOOK_API: Final = (1, 1)
"""Version of these hooks. A plugin states the one it was built for as `hera_k8s_hook_api = (1, 1)`; a plugin that
states another major version is refused by name, one that states none is taken as built for this one."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def credential_providers() -> Iterable[CredentialProvider]:
    """Ways to a credential.

    @hookimpl
    def credential_providers():
        yield CredentialProvider(name="acme-vault", target="kubernetes", load=token_from_vault, settings=Vault)
    """
    return ()


@hookspec
def platforms() -> Iterable[Platform]:
    """Servers that a client can be opened for.

    @hookimpl
    def platforms():
        yield Platform(name="acme-argo", open=open_behind_gateway, replaces="argo")
    """
    return ()


@hookspec
def resource_checkers() -> Iterable[ResourceChecker[Any]]:
    """Kinds of resource that an experiment can ask for.

    @hookimpl
    def resource_checkers():
        yield ResourceChecker(kind="Quota", requirement=Quota, check=check_quota)
    """
    return ()


@hookspec
def layout_strategies() -> Iterable[LayoutStrategy]:
    """Ways of naming directories after points.

    @hookimpl
    def layout_strategies():
        yield LayoutStrategy(name="dated", build=dated)
    """
    return ()


@hookspec
def execution_engines() -> Iterable[ExecutionEngine]:
    """Ways to run a manifest.

    @hookimpl
    def execution_engines():
        yield ExecutionEngine(name="jobs", open=open_jobs, runs=["Job"], platforms=["kubernetes"])
    """
    return ()


@hookspec
def workload_kinds() -> Iterable[WorkloadKind]:
    """Kinds of object that a builder may return. Since 1.1.

    @hookimpl
    def workload_kinds():
        yield WorkloadKind(name="RayJob", is_runnable=True, for_run=name_ray_job, lint=lint_ray_job)
    """
    return ()


@hookspec
def commands() -> Iterable[Command]:
    """Commands of `hera-k8s`.

    @hookimpl
    def commands():
        yield Command(name="acme quota", run=show_quota, summary="what is left of the group's quota")
    """
    return ()


@hookspec
def sites() -> Iterable[Site]:
    """What a platform team settles for its users.

    @hookimpl
    def sites():
        yield Site(name="acme", defaults={"registry": "harbor.acme.example"}, requires=[Quota()])
    """
    return ()


@hookspec
def request_guards() -> Iterable[RequestGuard]:
    """How the requests of one library are held back while an experiment is loaded and built.

    @hookimpl
    def request_guards():
        yield RequestGuard(name="acme", modules=["acme_client.http"], replace=replace_send)
    """
    return ()


@hookspec
def configure_container(container: Any) -> None:
    """May override providers of the container before anything is built.

    @hookimpl
    def configure_container(container):
        container.runs.override(providers.Singleton(RunsInADatabase))
    """


@hookspec
def on_event(event: LifecycleEvent) -> None:
    """Observes the life of a run; what it raises is logged and never ends the run.

    @hookimpl
    def on_event(event):
        if event.name == "finished":
            notify(event.data["phase"])
    """
