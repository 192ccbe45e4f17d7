"""What the framework asks of the kinds `Job` and `List` (of Jobs)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from hera_k8s_kube.jobs.lint import job_problems
from hera_k8s_kube.jobs.manifest import demand_of, each_pod, from_client_model, jobs_of, members, task_counts
from hera_k8s_utils import Finding, Json
from hera_k8s_utils.experiment import PeakDemand, PlannedTasks, RunPlan, Workload, WorkloadAnalysis, merge_fields
from hera_k8s_utils.lint import NAMES, findings_of, format_size


class JobsAnalysis(WorkloadAnalysis):
    """Jobs, and the config maps beside them."""

    @property
    def objects(self) -> Sequence[Json]:
        """The items of a List, else the Job."""
        return members(self.body)

    def demand(self) -> PeakDemand:
        """The most that the Jobs may ask for at one time."""
        return demand_of(jobs_of(self.body))


def read_model(model: Any, read_item: Callable[[Any], Mapping[str, Any]]) -> Json:
    """A model of the official client as the API has it."""
    return from_client_model(model)


def is_several(value: Any) -> bool:
    """Whether a builder returned several objects; Hera's models can be iterated over too, field by field."""
    one = isinstance(value, (str, bytes)) or hasattr(value, "to_dict") or hasattr(value, "model_dump")
    return isinstance(value, Iterable) and not one


def with_pod_spec(body: Json, fields: Json) -> Json:
    """The same Jobs with further fields in the spec of their pods."""
    return each_pod(body, partial(_merged, fields))


def _merged(fields: Json, pod: Json) -> Json:
    return merge_fields(pod, fields)


def plan(body: Mapping[str, Any]) -> RunPlan:
    """What the work of the Jobs is called, and how many tasks (Jobs, or indexes of one) it has."""
    return RunPlan([PlannedTasks(name, total) for name, total in task_counts(body).items()])


def lint(jobs: Workload) -> Iterable[Finding]:
    """What is wrong with the Jobs."""
    number = len(jobs_of(jobs.body))
    passed = f"{number} Job{'s' * (number != 1)}, {format_size(jobs.size)}"
    return findings_of(NAMES, job_problems(jobs.analysis.objects), passed)


def why_pods_go(_body: Mapping[str, Any]) -> str:
    """When Kubernetes deletes the pods of a Job."""
    return "Kubernetes deletes the pods of a Job that is stopped, fails or is deleted; it archives no logs"
