"""Kubernetes: credentials, the client, and checkers for what an experiment may ask of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final

from hera_k8s_kube.requirements import (
    ConfigMap,
    CustomResourceDefinition,
    KubeRequirement,
    Namespace,
    PersistentVolumeClaim,
    PullSecret,
    Right,
    Secret,
    ServiceAccount,
    StorageClass,
    WorkflowTemplate,
)
from hera_k8s_kube.settings import AccountTokenSettings, InClusterSettings, KubeSettings
from hera_k8s_utils.offline.guards import RequestGuard
from hera_k8s_utils.plugins.hookspecs import hookimpl
from hera_k8s_utils.plugins.records import CredentialProvider, ExecutionEngine, Platform, ResourceChecker

hera_k8s_hook_api: Final = (1, 0)


def _later(place: str) -> Callable[..., Any]:
    """`module.function` of this package, imported when it is first called: `--help` imports every plugin."""
    module, _, name = place.rpartition(".")

    def call(*arguments: Any) -> Any:
        return getattr(import_module(f"{__package__}.{module}"), name)(*arguments)

    call.__name__ = name
    return call


@hookimpl
def credential_providers() -> Iterable[CredentialProvider]:
    """A kubeconfig that was asked for beats the pod's own account, which beats a kubeconfig that was found."""
    yield CredentialProvider(
        name="in-cluster",
        target="kubernetes",
        load=_later("credentials.from_pod"),
        settings=InClusterSettings,
        priority=20,
    )
    yield CredentialProvider(
        name="kubeconfig",
        target="kubernetes",
        load=_later("credentials.from_kubeconfig"),
        settings=KubeSettings,
        priority=10,
    )
    yield CredentialProvider(
        name="service-account-token",
        target="argo",
        load=_later("account_tokens.account_token"),
        settings=AccountTokenSettings,
        priority=10,
    )


@hookimpl
def platforms() -> Iterable[Platform]:
    """The Kubernetes API server."""
    yield Platform(
        name="kubernetes",
        open=_later("platform.open_client"),
        close=_later("platform.close_client"),
        probe=_later("platform.probe"),
    )


@hookimpl
def execution_engines() -> Iterable[ExecutionEngine]:
    """Plain Jobs, without Argo."""
    yield ExecutionEngine(
        name="jobs",
        open=_later("jobs.engine.open_jobs_engine"),
        runs=["Job"],
        platforms=["kubernetes"],
        priority=-10,
    )


@hookimpl
def resource_checkers() -> Iterable[ResourceChecker[Any]]:
    """What experiments ask for, and what their workflows turn out to use."""
    yield _checker(
        PersistentVolumeClaim,
        check="claims.check_claim",
        references="claims.referenced_claims",
        provision="claims.provide_claim",
        locate="claims.locate_claim",
    )
    yield _checker(
        ConfigMap,
        check="data_keys.check_config_map",
        references="data_keys.referenced_config_maps",
        provision="data_keys.provide_config_map",
    )
    yield _checker(
        Secret,
        check="data_keys.check_secret",
        references="data_keys.referenced_secrets",
        provision="data_keys.provide_secret",
    )
    yield _checker(
        PullSecret, check="pull_secrets.check_pull_secret", references="pull_secrets.referenced_pull_secrets"
    )
    yield _checker(ServiceAccount, check="permissions.check_service_account", references="rights.referenced_accounts")
    yield _checker(Right, check="permissions.check_right", references="rights.referenced_rights")
    yield _checker(Namespace, check="cluster_objects.check_namespace")
    yield _checker(
        StorageClass,
        check="cluster_objects.check_storage_class",
        references="cluster_objects.referenced_storage_classes",
    )
    yield _checker(CustomResourceDefinition, check="cluster_objects.check_definition")
    yield _checker(
        WorkflowTemplate,
        check="cluster_objects.check_workflow_template",
        references="cluster_objects.referenced_workflow_templates",
    )


@hookimpl
def request_guards() -> Iterable[RequestGuard]:
    """The official client, synchronous and not."""
    from hera_k8s_kube.request_guard import GUARD

    yield GUARD


def _checker(requirement: type[KubeRequirement], **places: str) -> ResourceChecker[Any]:
    functions: dict[str, Any] = {role: _later(place) for role, place in places.items()}
    return ResourceChecker(kind=requirement.kind, requirement=requirement, **functions)
