"""The Argo server that a script submits to."""

from __future__ import annotations

from typing import ClassVar

from hera_k8s_utils import argo_server as base_argo_server
from hera_utils.parser import parser


class argo_server(base_argo_server):
    """The Argo server that the arguments name. Creating one checks the server and points Hera at it.

        argo_server()            argo_server(args)            argo_server(cluster, args)

    Without arguments, the command line of the script is parsed. Every failure raises `hera_k8s_utils.ScriptExit`.
    """

    arguments: ClassVar[type[parser]] = parser
