"""The server process: its routes, its start and end, and its command line."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
