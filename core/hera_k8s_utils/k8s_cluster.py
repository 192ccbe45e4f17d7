"""The path of `hera_k8s_utils.compat.kubernetes_cluster` in version 0.1, which scripts import."""

from hera_k8s_utils.compat.kubernetes_cluster import cluster, k8s_cluster

__all__ = ["cluster", "k8s_cluster"]
