"""Kubernetes: credentials, the client, and checkers for what an experiment may ask of a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hera_k8s_utils.declarations import CredentialProvider, Platform, ResourceChecker
from hera_k8s_utils.hookspecs import hookimpl

from . import claims, cluster_objects, keyed, platform, pull_secrets, rights
from .account_tokens import account_token
from .credentials import from_kubeconfig, from_pod
from .settings import AccountTokenSettings, InClusterSettings, KubeSettings

hera_k8s_hook_api = (1, 0)


@hookimpl
def credential_providers() -> Iterable[CredentialProvider]:
    """A kubeconfig that was asked for beats the pod's own account, which beats a kubeconfig that was found."""
    yield CredentialProvider(
        name="kubeconfig", target="kubernetes", load=from_kubeconfig, settings=KubeSettings, priority=10
    )
    yield CredentialProvider(
        name="in-cluster", target="kubernetes", load=from_pod, settings=InClusterSettings, priority=20
    )
    yield CredentialProvider(
        name="service-account-token", target="argo", load=account_token, settings=AccountTokenSettings, priority=10
    )


@hookimpl
def platforms() -> Iterable[Platform]:
    """The Kubernetes API server."""
    yield Platform(name="kubernetes", open=platform.open_client, close=platform.close_client, probe=platform.probe)


@hookimpl
def resource_checkers() -> Iterable[ResourceChecker[Any]]:
    """What experiments ask for, and what their workflows turn out to use."""
    yield claims.CHECKER
    yield keyed.CONFIG_MAP_CHECKER
    yield keyed.SECRET_CHECKER
    yield pull_secrets.CHECKER
    yield rights.ACCOUNT_CHECKER
    yield rights.RIGHT_CHECKER
    yield cluster_objects.NAMESPACE_CHECKER
    yield cluster_objects.STORAGE_CLASS_CHECKER
    yield cluster_objects.DEFINITION_CHECKER
    yield cluster_objects.WORKFLOW_TEMPLATE_CHECKER
