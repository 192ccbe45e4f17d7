"""What a workflow is made of and what it uses, as the framework asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from hera_k8s_argo.workflow import references
from hera_k8s_argo.workflow.demand import peak_of
from hera_k8s_argo.workflow.variables import Resolver, each_template
from hera_k8s_utils import Json
from hera_k8s_utils.experiment import (
    ContainerUse,
    ObjectReference,
    PeakDemand,
    Resolution,
    ResourceAction,
    WorkloadAnalysis,
)

RUNNABLE_KINDS = ("Workflow", "CronWorkflow")
"""Kinds with an entry point of their own; the templates of the others may be called from elsewhere."""


class WorkflowAnalysis(WorkloadAnalysis):
    """A workflow, a workflow template or a cron workflow."""

    @property
    def spec(self) -> Json:
        """The specification of the workflow; for a CronWorkflow, of the workflows that it makes."""
        spec = super().spec
        return (spec.get("workflowSpec") or {}) if self.kind == "CronWorkflow" else spec

    @cached_property
    def resolver(self) -> Resolver:
        """Follows variables through arguments, defaults and items."""
        return Resolver(self.body, self.spec)

    def resolve(self, template: str, text: str) -> Resolution:
        """What a text in a template may stand for, over all its calls and items; an empty name is the workflow."""
        return self.resolver.resolve(template, text)

    @cached_property
    def _templates(self) -> tuple[tuple[str, Json], ...]:
        return tuple(each_template(self.spec))

    def templates(self) -> Iterator[tuple[str, Json]]:
        """Name and body of each template, those written inside a task or a step as `parent.task`."""
        return iter(self._templates)

    def used_templates(self) -> Iterator[tuple[str, Json]]:
        """The templates that a run can reach; all of them where others may call them too."""
        if self.kind in RUNNABLE_KINDS and self.spec.get("entrypoint"):
            reached = self.resolver.reached
            return ((name, template) for name, template in self.templates() if name in reached)
        return self.templates()

    def containers(self) -> Iterator[ContainerUse]:
        """Each container of the templates that a run can reach, with the volumes of its pod."""
        return references.containers(self.spec, self.used_templates())

    def service_accounts(self) -> Iterator[ObjectReference]:
        """The accounts that the workflow and its templates name; none when it is the namespace's default."""
        return references.service_accounts(self.spec, self.used_templates())

    def pull_secrets(self) -> Iterator[ObjectReference]:
        """The secrets that images are pulled with."""
        return references.pull_secrets(self.spec)

    def template_references(self) -> Iterator[ObjectReference]:
        """Workflow templates of the cluster that this workflow uses, whole or in part."""
        return references.template_references(self.spec, self.used_templates())

    def resources(self) -> Iterator[ResourceAction]:
        """The objects that `resource` templates act upon."""
        return references.resource_actions(self.used_templates())

    def demand(self) -> PeakDemand:
        """The most that a run may ask for at one time, from the requests of its containers and its parallelism."""
        return peak_of(self.spec, self.resolver)
