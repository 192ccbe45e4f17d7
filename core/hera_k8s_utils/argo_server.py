"""The path of `hera_k8s_utils.compat.argo_server` in version 0.1, which scripts import."""

from hera_k8s_utils.compat.argo_server import argo_server

__all__ = ["argo_server"]
