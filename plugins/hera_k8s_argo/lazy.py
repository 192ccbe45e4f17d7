"""Functions of this package that are imported when they are first called: `hera-k8s --help` imports every plugin."""

from __future__ import annotations

from typing import Any


def load_token(*arguments: Any) -> Any:
    """`load_token` of `hera_k8s_argo.credentials`."""
    from hera_k8s_argo.credentials import load_token

    return load_token(*arguments)


def load_anonymous(*arguments: Any) -> Any:
    """`load_anonymous` of `hera_k8s_argo.credentials`."""
    from hera_k8s_argo.credentials import load_anonymous

    return load_anonymous(*arguments)


def open_argo(*arguments: Any) -> Any:
    """`open_argo` of `hera_k8s_argo.client`."""
    from hera_k8s_argo.client import open_argo

    return open_argo(*arguments)


def close_argo(*arguments: Any) -> Any:
    """`close_argo` of `hera_k8s_argo.client`."""
    from hera_k8s_argo.client import close_argo

    return close_argo(*arguments)


def probe_argo(*arguments: Any) -> Any:
    """`probe_argo` of `hera_k8s_argo.probe`."""
    from hera_k8s_argo.probe import probe_argo

    return probe_argo(*arguments)


def open_argo_engine(*arguments: Any) -> Any:
    """`open_argo_engine` of `hera_k8s_argo.engines.server`."""
    from hera_k8s_argo.engines.server import open_argo_engine

    return open_argo_engine(*arguments)


def open_kubernetes_engine(*arguments: Any) -> Any:
    """`open_kubernetes_engine` of `hera_k8s_argo.engines.objects`."""
    from hera_k8s_argo.engines.objects import open_kubernetes_engine

    return open_kubernetes_engine(*arguments)


def workflow_error(*arguments: Any) -> Any:
    """`workflow_error` of `hera_k8s_argo.workflow.schema`."""
    from hera_k8s_argo.workflow.schema import workflow_error

    return workflow_error(*arguments)


def script_sources(*arguments: Any) -> Any:
    """`script_sources` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import script_sources

    return script_sources(*arguments)


def analyse_workflow(*arguments: Any) -> Any:
    """`WorkflowAnalysis` of `hera_k8s_argo.workflow.analysis`."""
    from hera_k8s_argo.workflow.analysis import WorkflowAnalysis

    return WorkflowAnalysis(*arguments)


def name_run(*arguments: Any) -> Any:
    """`name_run` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import name_run

    return name_run(*arguments)


def with_cron_spec(*arguments: Any) -> Any:
    """`with_cron_spec` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import with_cron_spec

    return with_cron_spec(*arguments)


def plan_workflow(*arguments: Any) -> Any:
    """`plan` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import plan

    return plan(*arguments)


def lint_workflow(*arguments: Any) -> Any:
    """`lint` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import lint

    return lint(*arguments)


def how_to_create_cron(*arguments: Any) -> Any:
    """`how_to_create_cron` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import how_to_create_cron

    return how_to_create_cron(*arguments)


def how_to_create_template(*arguments: Any) -> Any:
    """`how_to_create_template` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import how_to_create_template

    return how_to_create_template(*arguments)


def how_to_create_cluster_template(*arguments: Any) -> Any:
    """`how_to_create_cluster_template` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import how_to_create_cluster_template

    return how_to_create_cluster_template(*arguments)


def resume_command(*arguments: Any) -> Any:
    """`resume_command` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import resume_command

    return resume_command(*arguments)


def why_pods_go(*arguments: Any) -> Any:
    """`why_pods_go` of `hera_k8s_argo.workflow.kind`."""
    from hera_k8s_argo.workflow.kind import why_pods_go

    return why_pods_go(*arguments)
