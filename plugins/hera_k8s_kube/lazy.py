"""Functions of this package that are imported when they are first called: `hera-k8s --help` imports every plugin."""

from __future__ import annotations

from typing import Any


def from_pod(*arguments: Any) -> Any:
    """`from_pod` of `hera_k8s_kube.credentials`."""
    from hera_k8s_kube.credentials import from_pod

    return from_pod(*arguments)


def from_kubeconfig(*arguments: Any) -> Any:
    """`from_kubeconfig` of `hera_k8s_kube.credentials`."""
    from hera_k8s_kube.credentials import from_kubeconfig

    return from_kubeconfig(*arguments)


def account_token(*arguments: Any) -> Any:
    """`account_token` of `hera_k8s_kube.account_tokens`."""
    from hera_k8s_kube.account_tokens import account_token

    return account_token(*arguments)


def open_client(*arguments: Any) -> Any:
    """`open_client` of `hera_k8s_kube.platform`."""
    from hera_k8s_kube.platform import open_client

    return open_client(*arguments)


def close_client(*arguments: Any) -> Any:
    """`close_client` of `hera_k8s_kube.platform`."""
    from hera_k8s_kube.platform import close_client

    return close_client(*arguments)


def probe(*arguments: Any) -> Any:
    """`probe` of `hera_k8s_kube.platform`."""
    from hera_k8s_kube.platform import probe

    return probe(*arguments)


def configure_official_client(*arguments: Any) -> Any:
    """`configure_official_client` of `hera_k8s_kube.official_client`."""
    from hera_k8s_kube.official_client import configure_official_client

    return configure_official_client(*arguments)


def open_jobs_engine(*arguments: Any) -> Any:
    """`open_jobs_engine` of `hera_k8s_kube.jobs.engine`."""
    from hera_k8s_kube.jobs.engine import open_jobs_engine

    return open_jobs_engine(*arguments)


def check_claim(*arguments: Any) -> Any:
    """`check_claim` of `hera_k8s_kube.claims`."""
    from hera_k8s_kube.claims import check_claim

    return check_claim(*arguments)


def referenced_claims(*arguments: Any) -> Any:
    """`referenced_claims` of `hera_k8s_kube.claims`."""
    from hera_k8s_kube.claims import referenced_claims

    return referenced_claims(*arguments)


def build_claim(*arguments: Any) -> Any:
    """`build_claim` of `hera_k8s_kube.claims`."""
    from hera_k8s_kube.claims import build_claim

    return build_claim(*arguments)


def locate_claim(*arguments: Any) -> Any:
    """`locate_claim` of `hera_k8s_kube.claims`."""
    from hera_k8s_kube.claims import locate_claim

    return locate_claim(*arguments)


def check_config_map(*arguments: Any) -> Any:
    """`check_config_map` of `hera_k8s_kube.data_keys`."""
    from hera_k8s_kube.data_keys import check_config_map

    return check_config_map(*arguments)


def referenced_config_maps(*arguments: Any) -> Any:
    """`referenced_config_maps` of `hera_k8s_kube.data_keys`."""
    from hera_k8s_kube.data_keys import referenced_config_maps

    return referenced_config_maps(*arguments)


def build_config_map(*arguments: Any) -> Any:
    """`build_config_map` of `hera_k8s_kube.data_keys`."""
    from hera_k8s_kube.data_keys import build_config_map

    return build_config_map(*arguments)


def check_secret(*arguments: Any) -> Any:
    """`check_secret` of `hera_k8s_kube.data_keys`."""
    from hera_k8s_kube.data_keys import check_secret

    return check_secret(*arguments)


def referenced_secrets(*arguments: Any) -> Any:
    """`referenced_secrets` of `hera_k8s_kube.data_keys`."""
    from hera_k8s_kube.data_keys import referenced_secrets

    return referenced_secrets(*arguments)


def build_secret(*arguments: Any) -> Any:
    """`build_secret` of `hera_k8s_kube.data_keys`."""
    from hera_k8s_kube.data_keys import build_secret

    return build_secret(*arguments)


def check_pull_secret(*arguments: Any) -> Any:
    """`check_pull_secret` of `hera_k8s_kube.pull_secrets`."""
    from hera_k8s_kube.pull_secrets import check_pull_secret

    return check_pull_secret(*arguments)


def referenced_pull_secrets(*arguments: Any) -> Any:
    """`referenced_pull_secrets` of `hera_k8s_kube.pull_secrets`."""
    from hera_k8s_kube.pull_secrets import referenced_pull_secrets

    return referenced_pull_secrets(*arguments)


def check_service_account(*arguments: Any) -> Any:
    """`check_service_account` of `hera_k8s_kube.permissions`."""
    from hera_k8s_kube.permissions import check_service_account

    return check_service_account(*arguments)


def referenced_accounts(*arguments: Any) -> Any:
    """`referenced_accounts` of `hera_k8s_kube.permissions`."""
    from hera_k8s_kube.permissions import referenced_accounts

    return referenced_accounts(*arguments)


def check_permission(*arguments: Any) -> Any:
    """`check_permission` of `hera_k8s_kube.permissions`."""
    from hera_k8s_kube.permissions import check_permission

    return check_permission(*arguments)


def referenced_permissions(*arguments: Any) -> Any:
    """`referenced_permissions` of `hera_k8s_kube.permissions`."""
    from hera_k8s_kube.permissions import referenced_permissions

    return referenced_permissions(*arguments)


def check_namespace(*arguments: Any) -> Any:
    """`check_namespace` of `hera_k8s_kube.cluster_objects`."""
    from hera_k8s_kube.cluster_objects import check_namespace

    return check_namespace(*arguments)


def check_storage_class(*arguments: Any) -> Any:
    """`check_storage_class` of `hera_k8s_kube.cluster_objects`."""
    from hera_k8s_kube.cluster_objects import check_storage_class

    return check_storage_class(*arguments)


def referenced_storage_classes(*arguments: Any) -> Any:
    """`referenced_storage_classes` of `hera_k8s_kube.cluster_objects`."""
    from hera_k8s_kube.cluster_objects import referenced_storage_classes

    return referenced_storage_classes(*arguments)


def check_definition(*arguments: Any) -> Any:
    """`check_definition` of `hera_k8s_kube.cluster_objects`."""
    from hera_k8s_kube.cluster_objects import check_definition

    return check_definition(*arguments)


def check_workflow_template(*arguments: Any) -> Any:
    """`check_workflow_template` of `hera_k8s_kube.cluster_objects`."""
    from hera_k8s_kube.cluster_objects import check_workflow_template

    return check_workflow_template(*arguments)


def referenced_workflow_templates(*arguments: Any) -> Any:
    """`referenced_workflow_templates` of `hera_k8s_kube.cluster_objects`."""
    from hera_k8s_kube.cluster_objects import referenced_workflow_templates

    return referenced_workflow_templates(*arguments)


def is_client_model(*arguments: Any) -> Any:
    """`is_client_model` of `hera_k8s_kube.jobs.manifest`."""
    from hera_k8s_kube.jobs.manifest import is_client_model

    return is_client_model(*arguments)


def read_model(*arguments: Any) -> Any:
    """`read_model` of `hera_k8s_kube.jobs.kind`."""
    from hera_k8s_kube.jobs.kind import read_model

    return read_model(*arguments)


def is_several(*arguments: Any) -> Any:
    """`is_several` of `hera_k8s_kube.jobs.kind`."""
    from hera_k8s_kube.jobs.kind import is_several

    return is_several(*arguments)


def combine(*arguments: Any) -> Any:
    """`combine` of `hera_k8s_kube.jobs.manifest`."""
    from hera_k8s_kube.jobs.manifest import combine

    return combine(*arguments)


def complete_list(*arguments: Any) -> Any:
    """`complete_list` of `hera_k8s_kube.jobs.manifest`."""
    from hera_k8s_kube.jobs.manifest import complete_list

    return complete_list(*arguments)


def job_error(*arguments: Any) -> Any:
    """`job_error` of `hera_k8s_kube.jobs.schema`."""
    from hera_k8s_kube.jobs.schema import job_error

    return job_error(*arguments)


def list_error(*arguments: Any) -> Any:
    """`list_error` of `hera_k8s_kube.jobs.schema`."""
    from hera_k8s_kube.jobs.schema import list_error

    return list_error(*arguments)


def analyse_jobs(*arguments: Any) -> Any:
    """`JobsAnalysis` of `hera_k8s_kube.jobs.kind`."""
    from hera_k8s_kube.jobs.kind import JobsAnalysis

    return JobsAnalysis(*arguments)


def name_jobs(*arguments: Any) -> Any:
    """`for_run` of `hera_k8s_kube.jobs.manifest`."""
    from hera_k8s_kube.jobs.manifest import for_run

    return for_run(*arguments)


def with_pod_spec(*arguments: Any) -> Any:
    """`with_pod_spec` of `hera_k8s_kube.jobs.kind`."""
    from hera_k8s_kube.jobs.kind import with_pod_spec

    return with_pod_spec(*arguments)


def plan_jobs(*arguments: Any) -> Any:
    """`plan` of `hera_k8s_kube.jobs.kind`."""
    from hera_k8s_kube.jobs.kind import plan

    return plan(*arguments)


def lint_jobs(*arguments: Any) -> Any:
    """`lint` of `hera_k8s_kube.jobs.kind`."""
    from hera_k8s_kube.jobs.kind import lint

    return lint(*arguments)


def why_pods_go(*arguments: Any) -> Any:
    """`why_pods_go` of `hera_k8s_kube.jobs.kind`."""
    from hera_k8s_kube.jobs.kind import why_pods_go

    return why_pods_go(*arguments)
