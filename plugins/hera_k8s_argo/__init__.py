"""The Argo server: credentials, a client, checks, and the engines that run workflows through it or without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_k8s_argo import _moved_paths
from hera_k8s_utils._moved import install

if TYPE_CHECKING:
    from hera_k8s_utils import Context

install(_moved_paths.MODULES, _moved_paths.NAMES)


def configure_hera(context: Context) -> None:
    """Set Hera's global configuration to the Argo server of a context: for scripts that call `Workflow.create()`."""
    from hera_k8s_argo.hera_config import configure_hera as configure

    configure(context)


__all__ = ["configure_hera"]
