"""Checks: what an experiment requires is collected, checked all at once, and provisioned where asked."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
