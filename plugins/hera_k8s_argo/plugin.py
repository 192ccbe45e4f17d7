"""What is declared for Argo: credentials, the platform, two engines, four kinds, and the command `login`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hera_k8s_argo import lazy
from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_utils import Command, Context, CredentialProvider, ExecutionEngine, Platform, RequestGuard, hookimpl
from hera_k8s_utils.experiment import WorkloadKind

hera_k8s_hook_api = (1, 1)


def _configure_hera(settings: ArgoSettings, context: Context) -> None:
    from hera_k8s_argo.hera_config import configure_hera

    configure_hera(context)


@hookimpl
def credential_providers() -> Iterator[CredentialProvider]:
    """A token of the user's; last of all the word that none is needed, or the error that one is missing."""
    yield CredentialProvider(name="argo-token", target="argo", load=lazy.load_token, settings=ArgoSettings, priority=20)
    yield CredentialProvider(
        name="anonymous",
        target="argo",
        load=lazy.load_anonymous,
        settings=ArgoSettings,
        priority=-100,
    )


@hookimpl
def platforms() -> Iterator[Platform]:
    """The Argo server."""
    yield Platform(
        name="argo",
        open=lazy.open_argo,
        close=lazy.close_argo,
        probe=lazy.probe_argo,
        activate=_configure_hera,
        settings=ArgoSettings,
    )


@hookimpl
def execution_engines() -> Iterator[ExecutionEngine]:
    """Through the Argo server where there is one, else through Workflow objects."""
    yield ExecutionEngine(
        name="argo",
        open=lazy.open_argo_engine,
        runs=["Workflow"],
        platforms=["argo"],
        priority=10,
        settings=ArgoSettings,
    )
    yield ExecutionEngine(
        name="kubernetes",
        open=lazy.open_kubernetes_engine,
        runs=["Workflow"],
        platforms=["kubernetes"],
        settings=ArgoSettings,
    )


@hookimpl
def workload_kinds() -> Iterator[WorkloadKind]:
    """`Workflow` runs; the templates and the CronWorkflow are checked and rendered, and created by other programs."""
    template = WorkloadKind(
        name="WorkflowTemplate",
        engine_kind="Workflow",
        noun="workflow",
        validate=lazy.workflow_error,
        validates_models=False,
        sources=lazy.script_sources,
        analyse=lazy.analyse_workflow,
        plan=lazy.plan_workflow,
        lint=lazy.lint_workflow,
        resume_command=lazy.resume_command,
        why_pods_go=lazy.why_pods_go,
        when_stopped="its exit handlers still run",
        when_terminated="without its exit handlers",
    )
    yield replace(template, name="Workflow", is_runnable=True, for_run=lazy.name_run)
    yield replace(template, how_to_create=lazy.how_to_create_template)
    yield replace(template, name="ClusterWorkflowTemplate", how_to_create=lazy.how_to_create_cluster_template)
    yield replace(template, name="CronWorkflow", with_spec=lazy.with_cron_spec, how_to_create=lazy.how_to_create_cron)


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
