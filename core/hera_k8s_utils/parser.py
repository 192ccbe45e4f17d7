"""The path of `hera_k8s_utils.compat.parser` in version 0.1, which scripts import."""

from hera_k8s_utils.compat.known_options import KnownOption
from hera_k8s_utils.compat.parser import parse_arguments, parser

__all__ = ["KnownOption", "parse_arguments", "parser"]
