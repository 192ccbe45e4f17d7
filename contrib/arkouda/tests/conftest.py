"""What the tests of Arkouda share: the distribution in sight, the command, and an environment without its variables."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

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
if not INSTALLED:
    sys.path.insert(0, str(PROJECT / "src"))


class Told(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def no_variables_of_arkouda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of whoever runs the tests change nothing."""
    for name in list(os.environ):
        if name.startswith(("ARKOUDA_", "CHPL_", "KUBERNETES_URL")) or name.endswith("NUMBER_OF_LOCALES"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Directories for PYTHONPATH with which a fresh interpreter finds the plugin; none where it is installed."""
    if INSTALLED:
        return []
    directory = tmp_path_factory.mktemp("metadata")
    about = directory / "hera_k8s_arkouda-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: 0.1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[hera_k8s_utils]\narkouda = hera_k8s_arkouda.plugin\n", encoding="utf-8")
    return [str(PROJECT / "src"), str(directory)]


@pytest.fixture
def plugin(packages: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The plugin, in sight of this process and of its children; its name."""
    for path in packages:
        monkeypatch.syspath_prepend(path)
    if packages:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(packages))
    return "arkouda"


Command = Callable[..., Told]


@pytest.fixture
def arkouda(plugin: str, work: Path) -> Command:
    """Runs `hera-k8s arkouda WORDS` in a fresh process; `variables` are set besides."""

    def run(*words: str, variables: Mapping[str, str] | None = None, timeout: float = 110) -> Told:
        environ: dict[str, Any] = {**os.environ, "NO_COLOR": "1", **(variables or {})}
        command = [sys.executable, "-m", "hera_k8s_utils", "arkouda", *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=work, env=environ, timeout=timeout)
        assert "Traceback" not in done.stderr, done.stderr
        return Told(done.returncode, done.stdout, done.stderr)

    return run
