"""The interface of hera_utils 0.2: the parser, the Argo server, and a few helpers for Hera.

from hera_utils import argo_server, parser

args = parser().parse_args()
argo_server(args)  # from now on, Hera's `Workflow.create()` uses this server
"""

from __future__ import annotations

from hera_k8s_utils import k8s_cluster
from hera_utils.argo_server import argo_server
from hera_utils.parser import parse_arguments, parser
from hera_utils.versions import assert_version, check_version, print_version
from hera_utils.workflow_templates import clear_workflow_template

__version__ = "0.3.0"

__all__ = [
    "__version__",
    "argo_server",
    "assert_version",
    "check_version",
    "clear_workflow_template",
    "k8s_cluster",
    "parse_arguments",
    "parser",
    "print_version",
]
