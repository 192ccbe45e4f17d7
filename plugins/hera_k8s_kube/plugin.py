"""Kubernetes: credentials, the client, and checkers for what an experiment may ask of a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from hera_k8s_kube import lazy
from hera_k8s_kube.requirements import (
    ConfigMap,
    CustomResourceDefinition,
    KubeRequirement,
    Namespace,
    Permission,
    PersistentVolumeClaim,
    PullSecret,
    Secret,
    ServiceAccount,
    StorageClass,
    WorkflowTemplate,
)
from hera_k8s_kube.settings import AccountTokenSettings, InClusterSettings, KubeSettings
from hera_k8s_utils import CredentialProvider, ExecutionEngine, Platform, RequestGuard, ResourceChecker, hookimpl
from hera_k8s_utils.experiment import WorkloadKind

hera_k8s_hook_api: Final = (1, 1)


@hookimpl
def credential_providers() -> Iterable[CredentialProvider]:
    """A kubeconfig that was asked for beats the pod's own account, which beats a kubeconfig that was found."""
    yield CredentialProvider(
        name="in-cluster",
        target="kubernetes",
        load=lazy.from_pod,
        settings=InClusterSettings,
        priority=20,
    )
    yield CredentialProvider(
        name="kubeconfig",
        target="kubernetes",
        load=lazy.from_kubeconfig,
        settings=KubeSettings,
        priority=10,
    )
    yield CredentialProvider(
        name="service-account-token",
        target="argo",
        load=lazy.account_token,
        settings=AccountTokenSettings,
        priority=10,
    )


@hookimpl
def platforms() -> Iterable[Platform]:
    """The Kubernetes API server."""
    yield Platform(
        name="kubernetes",
        open=lazy.open_client,
        close=lazy.close_client,
        probe=lazy.probe,
        activate=lazy.configure_official_client,
    )


@hookimpl
def execution_engines() -> Iterable[ExecutionEngine]:
    """Plain Jobs, without Argo."""
    yield ExecutionEngine(
        name="jobs",
        open=lazy.open_jobs_engine,
        runs=["Job"],
        platforms=["kubernetes"],
        priority=-10,
    )


@hookimpl
def workload_kinds() -> Iterable[WorkloadKind]:
    """One Job, and a List of several with the config maps that they read."""
    job = WorkloadKind(
        name="Job",
        is_runnable=True,
        recognises=lazy.is_client_model,
        read=lazy.read_model,
        validate=lazy.job_error,
        analyse=lazy.analyse_jobs,
        for_run=lazy.name_jobs,
        with_spec=lazy.with_pod_spec,
        plan=lazy.plan_jobs,
        lint=lazy.lint_jobs,
        why_pods_go=lazy.why_pods_go,
        when_stopped="its Jobs end as failed",
        when_terminated="its Jobs are deleted",
    )
    yield job
    yield replace(
        job,
        name="List",
        engine_kind="Job",
        noun="Job",
        recognises=lazy.is_several,
        read=lazy.combine,
        validate=lazy.list_error,
        complete=lazy.complete_list,
    )


@hookimpl
def resource_checkers() -> Iterable[ResourceChecker[Any]]:
    """What experiments ask for, and what their workflows turn out to use."""
    yield _checker(
        PersistentVolumeClaim,
        check=lazy.check_claim,
        references=lazy.referenced_claims,
        provision=lazy.build_claim,
        locate=lazy.locate_claim,
    )
    yield _checker(
        ConfigMap,
        check=lazy.check_config_map,
        references=lazy.referenced_config_maps,
        provision=lazy.build_config_map,
    )
    yield _checker(
        Secret,
        check=lazy.check_secret,
        references=lazy.referenced_secrets,
        provision=lazy.build_secret,
    )
    yield _checker(PullSecret, check=lazy.check_pull_secret, references=lazy.referenced_pull_secrets)
    yield _checker(ServiceAccount, check=lazy.check_service_account, references=lazy.referenced_accounts)
    yield _checker(Permission, check=lazy.check_permission, references=lazy.referenced_permissions)
    yield _checker(Namespace, check=lazy.check_namespace)
    yield _checker(
        StorageClass,
        check=lazy.check_storage_class,
        references=lazy.referenced_storage_classes,
    )
    yield _checker(CustomResourceDefinition, check=lazy.check_definition)
    yield _checker(
        WorkflowTemplate,
        check=lazy.check_workflow_template,
        references=lazy.referenced_workflow_templates,
    )


@hookimpl
def request_guards() -> Iterable[RequestGuard]:
    """The official client, synchronous and not."""
    from hera_k8s_kube.request_guard import GUARD

    yield GUARD


def _checker(requirement: type[KubeRequirement], **functions: Any) -> ResourceChecker[Any]:
    return ResourceChecker(kind=requirement.kind, requirement=requirement, **functions)
