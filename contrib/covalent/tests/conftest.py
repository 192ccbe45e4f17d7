"""Covalent reads and writes its files, from its import on, in a directory of the tests' own."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("covalent") is not None:
    _HOME = tempfile.TemporaryDirectory(prefix="covalent-tests-")  # removed when Python ends
    for _name in ("CONFIG_DIR", "LOGDIR", "CACHE_DIR", "EXECUTOR_DIR", "DISPATCH_CACHE_DIR", "RESULTS_DIR", "DATA_DIR"):
        os.environ[f"COVALENT_{_name}"] = f"{_HOME.name}/{_name.lower()}"
    os.environ["COVALENT_DATABASE"] = f"{_HOME.name}/database.sqlite"
    os.environ["COVALENT_HEARTBEAT_FILE"] = f"{_HOME.name}/heartbeat"


@pytest.fixture
def dispatcher(tmp_path: Path) -> Any:
    """Covalent's side of an executor."""
    from covalent_tasks import Dispatcher

    return Dispatcher(tmp_path)


@pytest.fixture
def executor(each_cluster: Any) -> Callable[..., Any]:
    """Makes executors for a namespace of a cluster, as an account that may do what the README asks for."""
    from covalent_kubernetes_plugin.k8s import KubernetesExecutor
    from covalent_tasks import RULES

    kubeconfig = each_cluster.account("covalent", RULES)

    def make(**settings: Any) -> Any:
        usual = {"k8s_config_file": str(kubeconfig), "vcpu": "50m", "memory": "64Mi", "poll_freq": 1}
        return KubernetesExecutor(**{**usual, **settings})

    return make


@pytest.fixture
def nothing_left(each_cluster: Any) -> Iterator[Callable[[], None]]:
    """Asserts that no Job and no Secret of a task is there any more, also at the end of a test."""

    def look() -> None:
        selector = "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dhera-k8s-covalent"
        for path in (f"/apis/batch/v1/namespaces/{each_cluster.namespace}/jobs", "{ns}/secrets"):
            left = each_cluster.kube.get(f"{path}?{selector}")["items"]
            assert [each["metadata"]["name"] for each in left] == []

    yield look
    look()


@pytest.fixture
def claim(each_cluster: Any) -> Path:
    """The directory of a bound claim called `data`, on this machine."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    body = {"metadata": {"name": "data"}, "spec": spec | {"storageClassName": "standard"}}
    each_cluster.kube.create("{ns}/persistentvolumeclaims", body)
    each_cluster.kube.until("{ns}/persistentvolumeclaims/data", lambda found: found["status"].get("phase") == "Bound")
    directory: Path = each_cluster.claim_directory("data")
    directory.mkdir(parents=True, exist_ok=True)
    return directory
