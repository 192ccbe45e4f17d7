"""Kubernetes for experiments: what a cluster must have, how it is asked, and as whom."""

from hera_k8s_kube import _moved_paths
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
from hera_k8s_utils._moved import forward, install

install(_moved_paths.MODULES, _moved_paths.NAMES)
__getattr__ = forward(__name__)

__all__ = [
    "ConfigMap",
    "CustomResourceDefinition",
    "Namespace",
    "Permission",
    "PersistentVolumeClaim",
    "PullSecret",
    "Rule",
    "Secret",
    "ServiceAccount",
    "StorageClass",
    "WorkflowTemplate",
]
