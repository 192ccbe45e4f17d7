"""The experiment and what it builds: the model, the manifest, what a workload needs, and the state of a run."""

from typing import TYPE_CHECKING

from hera_k8s_utils._public import names_of

if TYPE_CHECKING:
    from hera_k8s_utils.experiment.bodies import merge_fields, with_labels, with_name
    from hera_k8s_utils.experiment.manifest import Manifest
    from hera_k8s_utils.experiment.pod_requests import Amount, pod_request, stated_request
    from hera_k8s_utils.experiment.schema import CONTAINER, METADATA, NAMED, Shape, object_error, shape_error
    from hera_k8s_utils.experiment.workload import (
        UNKNOWN,
        ContainerUse,
        ObjectReference,
        PeakDemand,
        PlannedTasks,
        Resolution,
        ResourceAction,
        RunPlan,
        Source,
        Unresolved,
    )
    from hera_k8s_utils.experiment.workload_kinds import Workload, WorkloadAnalysis, WorkloadKind

__getattr__ = names_of(
    __name__,
    {
        "bodies": ["merge_fields", "with_labels", "with_name"],
        "manifest": ["Manifest"],
        "pod_requests": ["Amount", "pod_request", "stated_request"],
        "schema": ["CONTAINER", "METADATA", "NAMED", "Shape", "object_error", "shape_error"],
        "workload": [
            "ContainerUse",
            "ObjectReference",
            "PeakDemand",
            "PlannedTasks",
            "Resolution",
            "ResourceAction",
            "RunPlan",
            "Source",
            "UNKNOWN",
            "Unresolved",
        ],
        "workload_kinds": ["Workload", "WorkloadAnalysis", "WorkloadKind"],
    },
)

__all__ = [
    "CONTAINER",
    "METADATA",
    "NAMED",
    "UNKNOWN",
    "Amount",
    "ContainerUse",
    "Manifest",
    "ObjectReference",
    "PeakDemand",
    "PlannedTasks",
    "Resolution",
    "ResourceAction",
    "RunPlan",
    "Shape",
    "Source",
    "Unresolved",
    "Workload",
    "WorkloadAnalysis",
    "WorkloadKind",
    "merge_fields",
    "object_error",
    "pod_request",
    "shape_error",
    "stated_request",
    "with_labels",
    "with_name",
]
