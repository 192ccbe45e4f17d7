"""Kubernetes for experiments: requirements on a cluster, credentials, the client, and plain Jobs."""

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
