"""The options of the Kubernetes plugin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hera_k8s_utils import option

ACCOUNT_DIRECTORY = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the token, the CA and the namespace of its account."""


@dataclass(frozen=True, kw_only=True)
class KubeSettings:
    """Which cluster to use, and the names of its claim and config map. Setting file or context selects `kubeconfig`."""

    prefix: ClassVar[str] = "k8s"

    config_file: str = option(
        "",
        help="kubeconfig file, or a list of files to merge (default: ~/.kube/config; /dev/null: no kubeconfig)",
        env="KUBECONFIG",
        metavar="FILE[:FILE]",
        selects_provider=True,
    )
    context: str = option(
        "", help="kubeconfig context to use (default: its current context)", metavar="NAME", selects_provider=True
    )
    volume_claim_name: str = option(
        "",
        help="name of the experiment's only claim on this cluster",
        env="KUBEVOLUMECLAIMNAME",
        metavar="NAME",
    )
    configmap_name: str = option(
        "",
        help="name of the experiment's only config map on this cluster",
        env="KUBECONFIGMAP",
        metavar="NAME",
    )
    exec_timeout: float = option(
        180.0,
        help="timeout of a kubeconfig's exec plugin, including an interactive login, in seconds",
        metavar="SECONDS",
    )


@dataclass(frozen=True, kw_only=True)
class InClusterSettings:
    """The cluster of the pod that this runs in; Kubernetes sets the variables in every pod."""

    prefix: ClassVar[str] = "in-cluster"

    host: str = option(
        "", help="address of the API server, inside a pod", env="KUBERNETES_SERVICE_HOST", metavar="HOST"
    )
    port: str = option("443", help="port of the API server, inside a pod", env="KUBERNETES_SERVICE_PORT")
    directory: Path = option(
        ACCOUNT_DIRECTORY, help="directory with token, ca.crt and namespace of the pod's account", metavar="DIR"
    )


@dataclass(frozen=True, kw_only=True)
class AccountTokenSettings:
    """A service account token for the Argo server, obtained through Kubernetes."""

    prefix: ClassVar[str] = "argo-token"

    account: str = option(
        "",
        help="service account whose token is used for the Argo server (default: the one that workflows run as)",
        metavar="NAME",
        selects_provider=True,
    )
    secret: str = option(
        "",
        help="Secret of type kubernetes.io/service-account-token to read the token from, instead of requesting one",
        metavar="NAME",
        selects_provider=True,
    )
    lifetime: int = option(3600, help="lifetime of a requested token in seconds, at least 600", metavar="SECONDS")
