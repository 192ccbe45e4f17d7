"""The experiment of each command: the workflow, and what it requires of the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hera_k8s_arkouda.deployment import ArkoudaDeployment, ArkoudaExporter, Subject
from hera_k8s_arkouda.fields import label_pair
from hera_k8s_arkouda.install import installation
from hera_k8s_arkouda.permissions import required_verbs
from hera_k8s_arkouda.requirements import Capacity, PrometheusSelection, SshKeys, TokenSecret
from hera_k8s_arkouda.templates import WORKFLOWS_ACCOUNT
from hera_k8s_arkouda.workflows import workflow
from hera_k8s_utils import Experiment, Requirement

MONITORS = "servicemonitors.monitoring.coreos.com"
_EXPORTER_SIZE = ("2000m", "2048Mi")


def experiment_for(subject: Subject, account: str = "") -> Experiment:
    """The experiment that deploys or deletes an instance or exporter.

    account: service account of the workflow; empty: the default one.
    """
    service_account = account or WORKFLOWS_ACCOUNT

    def build(environment: Any, inputs: Any, layout: Any) -> Any:
        return workflow(subject, service_account)

    return Experiment(name=subject.template, workflow=build, requires=requirements_for(subject, service_account))


def requirements_for(subject: Subject, account: str = WORKFLOWS_ACCOUNT) -> Sequence[Requirement]:
    """The installation, the permissions of its account, what the pods mount, Prometheus and capacity."""
    found: list[Requirement] = [*installation(account, templates=[subject.template]), *_permissions(account)]
    if isinstance(subject, ArkoudaDeployment):
        found += _deployment_requirements(subject)
        if subject.collect_metrics:
            found += _metrics_requirements(subject.prometheus_match_label)
    elif isinstance(subject, ArkoudaExporter):
        found += _metrics_requirements(subject.prometheus_match_label)
        cpu, memory = _EXPORTER_SIZE
        found.append(Capacity("the exporter", cpu=cpu, memory=memory))
    return found


def _permissions(account: str) -> list[Requirement]:
    from hera_k8s_kube import Permission

    return [
        Permission(f"{resource}.{group}" if group else resource, verbs=tuple(sorted(verbs)), account=account)
        for (group, resource), verbs in sorted(required_verbs().items())
    ]


def _deployment_requirements(deployment: ArkoudaDeployment) -> list[Requirement]:
    from hera_k8s_kube import ServiceAccount

    account = deployment.serviceaccount_name
    return [
        ServiceAccount("arkouda-account", bound=account, runs_workflows=False),
        TokenSecret("arkouda-token", bound=deployment.serviceaccount_token_name, account=account),
        SshKeys("arkouda-ssh-keys", bound=deployment.ssh_secret),
        Capacity(
            "locales and server",
            pods=deployment.number_of_locales + 1,
            cpu=deployment.cpu_cores,
            memory=deployment.memory,
        ),
    ]


def _metrics_requirements(label: str) -> list[Requirement]:
    from hera_k8s_kube import CustomResourceDefinition

    key, value = label_pair(label) or ("", "")
    return [
        CustomResourceDefinition("ServiceMonitor", bound=MONITORS, version="v1"),
        PrometheusSelection(label, key=key, value=value),
    ]
