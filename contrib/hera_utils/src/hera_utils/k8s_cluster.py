"""The Kubernetes cluster of version 0.1: `from hera_utils.k8s_cluster import k8s_cluster`."""

from hera_k8s_utils import k8s_cluster

__all__ = ["k8s_cluster"]
