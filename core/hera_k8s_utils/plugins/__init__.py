"""The hook kernel: hooks, the records that they return, and the manager that loads plugins."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
