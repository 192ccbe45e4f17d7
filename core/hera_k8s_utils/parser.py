"""The path of `hera_k8s_utils.compat.parser` in version 0.1, which scripts import."""

from hera_k8s_utils.compat.known_options import ARGO_OPTIONS, KUBERNETES_OPTIONS, KnownOption
from hera_k8s_utils.compat.parser import parse_arguments, parser, verified

__all__ = ["ARGO_OPTIONS", "KUBERNETES_OPTIONS", "KnownOption", "parse_arguments", "parser", "verified"]
