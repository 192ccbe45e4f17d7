"""The container: loads an experiment, builds it, and hands out its parts."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
