"""The options that version 0.1 knew, with their flags and variables."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

pass


class KnownOption(NamedTuple):
    """An option that every script has.

    is_path: `~` stands for the home directory.
    """

    name: str
    variable: str
    help: str
    metavar: str
    secret: bool = False
    is_path: bool = False


ARGO_OPTIONS: Final = (
    KnownOption("argo_server", "ARGO_SERVER", "the Argo server: HOST:PORT or a full URL", "ADDRESS"),
    KnownOption(
        "argo_token", "ARGO_TOKEN", "token for the Argo server, with or without the word Bearer", "TOKEN", secret=True
    ),
    KnownOption("argo_namespace", "ARGO_NAMESPACE", "namespace to submit workflows to", "NAME"),
    KnownOption(
        "argo_service_account", "ARGO_SERVICE_ACCOUNT", "service account that the workflow's pods run as", "NAME"
    ),
)


KUBERNETES_OPTIONS: Final = (
    KnownOption(
        "k8s_config_file",
        "KUBECONFIG",
        f"kubeconfig file of the cluster, or a list of files separated by {os.pathsep!r}",
        "FILE",
        is_path=True,
    ),
)
