"""The store: objects with resource versions, and subscriptions to their changes."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
