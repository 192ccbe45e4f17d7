"""The four workflows and the two cron workflows, each referring to its template."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_arkouda.deployment import ArkoudaDeletion, ArkoudaDeployment, Subject
from hera_k8s_arkouda.templates import WORKFLOWS_ACCOUNT

if TYPE_CHECKING:
    from hera.workflows import CronWorkflow, Workflow

INSTANCE_LABEL: Final = "hera-k8s-arkouda/instance"
ACTION_LABEL: Final = "hera-k8s-arkouda/action"
PARAMETERS_LABEL: Final = "hera-k8s-arkouda/parameters"
"""Labels of workflows: the instance or exporter, the action, and a digest of the parameters."""

DEPLOY_AT: Final = "0 06 * * *"
DELETE_AT: Final = "0 18 * * *"
TIMEZONE: Final = "America/New_York"
HISTORY: Final = 4


def instance_of(subject: Subject) -> str:
    """The name of the instance, or of the exporter's application."""
    return subject.instance_name if isinstance(subject, ArkoudaDeployment | ArkoudaDeletion) else subject.app_name


def labels_of(subject: Subject) -> dict[str, str]:
    """The labels that identify the workflows of an instance."""
    text = json.dumps(subject.parameters(), sort_keys=True)
    return {
        INSTANCE_LABEL: instance_of(subject),
        ACTION_LABEL: subject.template,
        PARAMETERS_LABEL: hashlib.sha256(text.encode()).hexdigest()[:40],
    }


def workflow(subject: Subject, service_account: str = WORKFLOWS_ACCOUNT) -> Workflow:
    """The workflow that deploys or deletes an instance or exporter."""
    from hera.workflows import Workflow

    return Workflow(generate_name=f"{subject.template}-", labels=labels_of(subject), **_spec(subject, service_account))


def cron_workflow(
    subject: ArkoudaDeployment | ArkoudaDeletion,
    *,
    schedule: str = "",
    timezone: str = TIMEZONE,
    suspend: bool = False,
    service_account: str = WORKFLOWS_ACCOUNT,
) -> CronWorkflow:
    """The workflow on a schedule.

    schedule: five cron fields; empty: 6:00 to deploy, 18:00 to delete.
    timezone: name of the tz database.
    suspend: whether the schedule is suspended.
    service_account: service account of the workflows.
    """
    from hera.workflows import CronWorkflow
    from hera.workflows.models import WorkflowMetadata

    default = DEPLOY_AT if isinstance(subject, ArkoudaDeployment) else DELETE_AT
    labels = labels_of(subject)
    children = WorkflowMetadata(labels=labels)
    return CronWorkflow(
        name=subject.template,
        labels=labels,
        schedules=[schedule or default],
        timezone=timezone,
        starting_deadline_seconds=0,
        concurrency_policy="Replace",
        successful_jobs_history_limit=HISTORY,
        failed_jobs_history_limit=HISTORY,
        cron_suspend=suspend,
        workflow_metadata=children,
        **_spec(subject, service_account),
    )


def _spec(subject: Subject, service_account: str) -> dict[str, Any]:
    from hera.workflows import Parameter
    from hera.workflows.models import PodGC, WorkflowTemplateRef

    fields = {
        "service_account_name": service_account,
        "pod_gc": PodGC(strategy="OnWorkflowSuccess"),
        "workflow_template_ref": WorkflowTemplateRef(name=subject.template),
        "arguments": [Parameter(name=name, value=value) for name, value in subject.parameters().items()],
    }
    if isinstance(subject, ArkoudaDeployment):
        fields["active_deadline_seconds"] = deadline_of(subject)
    return fields


def deadline_of(deployment: ArkoudaDeployment) -> int:
    """Seconds after which a running deployment is ended: the timeouts of locales and server, and 300 s to start."""
    return 2 * deployment.ready_timeout + 300
