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
    """Which cluster, and what its claim and config map are called. Setting file or context asks for `kubeconfig`."""

    prefix: ClassVar[str] = "k8s"

    config_file: str = option(
        "",
        help="kubeconfig file, or a list of files to merge; without it, ~/.kube/config; /dev/null means none",
        env="KUBECONFIG",
        metavar="FILE[:FILE]",
        selects_provider=True,
    )
    context: str = option(
        "", help="context of the kubeconfig to use, instead of its current one", metavar="NAME", selects_provider=True
    )
    volume_claim_name: str = option(
        "",
        help="what the experiment's only claim is called on this cluster",
        env="KUBEVOLUMECLAIMNAME",
        metavar="NAME",
    )
    configmap_name: str = option(
        "",
        help="what the experiment's only config map is called on this cluster",
        env="KUBECONFIGMAP",
        metavar="NAME",
    )
    exec_timeout: float = option(
        180.0, help="seconds that a kubeconfig's exec plugin may take, a login of yours included", metavar="SECONDS"
    )


@dataclass(frozen=True, kw_only=True)
class InClusterSettings:
    """Where a pod finds its cluster; Kubernetes sets the variables in every pod."""

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
    """A service account's token for the Argo server, got through Kubernetes."""

    prefix: ClassVar[str] = "argo-token"

    account: str = option(
        "",
        help="service account whose token opens the Argo server; without it, the one that workflows run as",
        metavar="NAME",
        selects_provider=True,
    )
    secret: str = option(
        "",
        help="Secret of type kubernetes.io/service-account-token that holds the token, instead of a fresh one",
        metavar="NAME",
        selects_provider=True,
    )
    lifetime: int = option(3600, help="seconds that a token which is asked for lasts; at least 600", metavar="SECONDS")
