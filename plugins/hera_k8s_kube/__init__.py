"""Kubernetes for experiments: what a cluster must have, how it is asked, and as whom."""

from hera_k8s_kube.requirements import (
    ConfigMap,
    CustomResourceDefinition,
    Namespace,
    Permission,
    PersistentVolumeClaim,
    PullSecret,
    Rule,
    Secret,
    ServiceAccount,
    StorageClass,
    WorkflowTemplate,
)

__all__ = [
    "ConfigMap",
    "CustomResourceDefinition",
    "Namespace",
    "PersistentVolumeClaim",
    "PullSecret",
    "Permission",
    "Rule",
    "Secret",
    "ServiceAccount",
    "StorageClass",
    "WorkflowTemplate",
]
