"""What the framework asks of the kinds `Workflow`, `WorkflowTemplate`, `ClusterWorkflowTemplate`, `CronWorkflow`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hera_k8s_argo.workflow.lint import lint_workflow
from hera_k8s_argo.workflow.plan import planned_tasks, suspend_templates
from hera_k8s_utils import Finding, Json
from hera_k8s_utils.experiment import RunPlan, Source, Workload, merge_fields, with_labels, with_name


def script_sources(built: Any) -> dict[str, Source]:
    """The functions behind script templates, as Hera's objects hold them (`.templates[].name`, `.source`)."""
    found: dict[str, Source] = {}
    templates = () if isinstance(built, Mapping) else getattr(built, "templates", ())
    for template in templates if isinstance(templates, Sequence) else ():
        name, source = getattr(template, "name", None), getattr(template, "source", None)
        if isinstance(name, str) and callable(source):
            found[name] = source
    return found


def name_run(body: Json, name: str, labels: Mapping[str, str]) -> Json:
    """A Workflow as the run of this name, with labels."""
    return with_labels(with_name(body, name), labels)


def with_cron_spec(body: Json, fields: Json) -> Json:
    """A CronWorkflow with further fields in the spec of the workflows that it makes."""
    spec = body.get("spec") or {}
    return {**body, "spec": {**spec, "workflowSpec": merge_fields(spec.get("workflowSpec") or {}, fields)}}


def plan(body: Mapping[str, Any]) -> RunPlan:
    """The tasks of each template, and the templates that suspend the run."""
    return RunPlan(planned_tasks(body), suspend_templates(body))


def lint(workflow: Workload) -> Iterable[Finding]:
    """What is wrong with the workflow."""
    return lint_workflow(workflow.analysis, workflow.sources, workflow.size)


def how_to_create_cron(name: str, namespace: str) -> str:
    """What a user types to create a CronWorkflow, and to start a run of it now."""
    return (
        f"kubectl apply{_in(namespace)} -f -\nargo submit{_in(namespace)} --from cronwf/{name}    starts a run at once"
    )


def how_to_create_template(name: str, namespace: str) -> str:
    """What a user types to create a WorkflowTemplate, and to run it."""
    return f"kubectl apply{_in(namespace)} -f -\nargo submit{_in(namespace)} --from workflowtemplate/{name}"


def how_to_create_cluster_template(name: str, namespace: str) -> str:
    """What a user types to create a ClusterWorkflowTemplate, and to run it."""
    return f"kubectl apply -f -\nargo submit{_in(namespace)} --from clusterworkflowtemplate/{name}"


def _in(namespace: str) -> str:
    return f" -n {namespace}" if namespace else ""


def resume_command(name: str, namespace: str) -> str:
    """What a user types to resume a suspended workflow."""
    return f"argo resume {name} -n {namespace}"


def why_pods_go(body: Mapping[str, Any]) -> str:
    """Whether the workflow deletes its pods, and whether Argo keeps their logs."""
    spec = body.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    collector = spec.get("podGC")
    strategy = collector.get("strategy") if isinstance(collector, Mapping) else None
    why = f"the workflow deletes its pods (podGC: {strategy}); " if strategy else ""
    return f"{why}logs that Argo archived (archiveLogs) are read with --engine argo"
