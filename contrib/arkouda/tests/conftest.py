"""What the tests of Arkouda share: the distribution in sight, the command, and an environment without its variables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from arkouda_support import DISTRIBUTION, INSTALLED, PROJECT, Command, Told

if not INSTALLED:
    sys.path.insert(0, str(PROJECT / "src"))


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
