"""Argo's kinds as its minimal definitions have them: any field is kept, none is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Json = dict[str, Any]

ARGO: Final = "argoproj.io/v1alpha1"
ARGO_KINDS: Final = {
    "workflows": ("Workflow", ("wf",)),
    "workflowtemplates": ("WorkflowTemplate", ("wftmpl",)),
    "clusterworkflowtemplates": ("ClusterWorkflowTemplate", ("clusterwftmpl", "cwft")),
    "cronworkflows": ("CronWorkflow", ("cwf", "cronwf")),
    "workflowtaskresults": ("WorkflowTaskResult", ()),
}


def argo_definitions() -> Iterator[Json]:
    """The CustomResourceDefinitions of Argo's kinds."""
    group, _, version = ARGO.partition("/")
    for plural, (kind, short) in ARGO_KINDS.items():
        names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "names": names | {"shortNames": list(short)},
                "scope": "Cluster" if kind.startswith("Cluster") else "Namespaced",
                "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        }
