"""Toolkit for linting workloads: problems, and the source of inline Python functions."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
