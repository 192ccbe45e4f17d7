"""The environment of version 0.1, which scripts derive theirs from."""

from __future__ import annotations

from typing import Any

from hera_k8s_utils import Struct
from hera_k8s_utils import num_exp_environment as base_environment

__all__ = ["Struct", "num_exp_environment"]


class num_exp_environment(base_environment):
    """The environment of execution; creating one checks both servers and points Hera at the Argo server.

    cluster.docker_registry: the option `registry`, with a slash at its end; without one, the registry that
        version 0.1 named.

    Otherwise as `hera_k8s_utils.num_exp_environment`. Every failure raises `hera_k8s_utils.ScriptExit`.
    """

    def __init__(self, args: Any = None, verbose: bool = False) -> None:
        super().__init__(args, verbose)
        registry = self.k8s.servers.option("registry") or "harbor.pagoda.os.univ-lyon1.fr"
        self.cluster.docker_registry = f"{registry.rstrip('/')}/"
