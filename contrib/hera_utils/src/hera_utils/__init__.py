"""The interface of hera_utils 0.1 and 0.2: the parser, the Argo server, and a few helpers for Hera.

from hera_utils import argo_server, parser

args = parser().parse_args()
argo_server(args)  # from now on, Hera's `Workflow.create()` uses this server
"""

from __future__ import annotations

from hera_utils.argo_server import argo_server
from hera_utils.define_parser import define_parser
from hera_utils.k8s_cluster import k8s_cluster
from hera_utils.num_exp_environment import Struct, num_exp_environment
from hera_utils.parse_arguments import parse_arguments, verify_args
from hera_utils.parser import parser
from hera_utils.utils import assert_version, check_version, clear_workflow_template, print_version
from hera_utils.version import version

__version__ = version
__title__ = "hera_utils"

__all__ = [
    "Struct",
    "__title__",
    "__version__",
    "argo_server",
    "assert_version",
    "check_version",
    "clear_workflow_template",
    "define_parser",
    "k8s_cluster",
    "num_exp_environment",
    "parse_arguments",
    "parser",
    "print_version",
    "verify_args",
    "version",
]
