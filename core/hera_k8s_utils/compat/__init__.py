"""Version 0.1: its parser and classes, on top of the framework. Scripts written for 0.1 run unmodified.

The names below are also public for distributions that provide another script interface, as contrib/hera_utils does.
"""

from hera_k8s_utils.compat.known_options import ARGO_OPTIONS, KnownOption
from hera_k8s_utils.compat.parser import parse_arguments, parser, verified
from hera_k8s_utils.compat.servers import ScriptConnection, exiting_on_error

__all__ = [
    "ARGO_OPTIONS",
    "KnownOption",
    "ScriptConnection",
    "exiting_on_error",
    "parse_arguments",
    "parser",
    "verified",
]
