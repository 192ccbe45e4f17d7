"""What the tests of Arkouda share: where the project is, the variables of old, how a command ended."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
DISTRIBUTION = "hera-k8s-arkouda"
README_VARIABLES = {
    "KUBERNETES_URL": "https://localhost:6443",
    "ARKOUDA_MEMORY": "2048Mi",
    "ARKOUDA_CPU_CORES": "2000m",
    "CHPL_NUM_THREADS_PER_LOCALE": "2",
    "CHPL_MEM_MAX": "1000000000",
    "ARKOUDA_SERVICEACCOUNT_NAME": "arkouda-on-k8s",
    "ARKOUDA_SERVICEACCOUNT_TOKEN_NAME": "arkouda-on-k8s",
    "ARKOUDA_SSH_SECRET": "arkouda-ssh",
    "ARKOUDA_NAMESPACE": "arkouda",
    "ARKOUDA_NUMBER_OF_LOCALES": "2",
    "ARKOUDA_TOTAL_NUMBER_OF_LOCALES": "3",
    "ARKOUDA_METRICS_SERVICE_PORT": "5556",
    "ARKOUDA_VERSION": "v2024.04.19",
    "ARKOUDA_IMAGE_POLICY": "IfNotPresent",
    "ARKOUDA_INSTANCE_NAME": "arkouda-on-k8s",
    "ARKOUDA_SERVER_NAME": "arkouda-on-k8s",
    "ARKOUDA_LAUNCHER": "kubernetes",
    "ARKOUDA_METRICS_POLLING_INTERVAL": "15",
    "ARKOUDA_METRICS_SERVICE_HOST": "arkouda-on-k8s-metrics",
    "ARKOUDA_EXPORTER_APP_NAME": "arkouda-on-k8s-exporter",
    "ARKOUDA_EXPORTER_SERVICE_NAME": "arkouda-on-k8s-exporter",
    "ARKOUDA_PROMETHEUS_MATCH_LABEL": "release: kube-stack",
}
"""What users of the shell scripts export."""


def _installed() -> bool:
    try:
        importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


INSTALLED = _installed()


class Told(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Command = Callable[..., Told]
