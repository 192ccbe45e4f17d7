"""Offline phases: while an experiment is loaded and built, client libraries can send nothing."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
