"""Covalent tasks as Kubernetes Jobs.

from covalent_kubernetes_plugin.k8s import KubernetesExecutor
"""

# Covalent finds its plugins while it is imported, and would find this one half imported if it were not there first.
import covalent.executor as _  # noqa: F401
