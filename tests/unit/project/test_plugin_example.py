"""docs/plugins.md begins with a plugin and ends with its tests: both work as they stand once it is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_api import Api

from hera_k8s_sandbox.server import launch

PAGE = Path(__file__).resolve().parents[3] / "docs" / "plugins.md"


def example(text: str) -> str:
    """The example of the page that contains a text."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if text in block)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    """A directory for PYTHONPATH that contains the page's plugin as pip would install it."""
    package, metadata = tmp_path / "acme_hera_k8s", tmp_path / "acme_hera_k8s-1.0.dist-info"
    package.mkdir()
    metadata.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(example("class Quota(Requirement)"))
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-hera-k8s\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[hera_k8s_utils]\nacme = acme_hera_k8s.plugin\n")
    yield tmp_path
    launch.stop(tmp_path / ".hera-k8s" / "sandbox")


def test_the_plugin_passes_its_own_tests(installed: Path) -> None:
    (installed / "test_acme.py").write_text(example("class TestQuota(CheckerContract)"))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py"]
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(words, cwd=installed, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[1-9]\d* passed", done.stdout, re.MULTILINE), done.stdout


def test_the_command_prints_what_is_left(installed: Path) -> None:
    module = installed / "acme_hera_k8s" / "plugin.py"
    module.write_text(example('name="acme quota"'))
    environ = {**os.environ, "PYTHONPATH": str(installed), "HOME": str(installed)}

    def hera(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hera_k8s_utils", "acme", "quota", "--sandbox", *words],
            cwd=installed,
            env=environ,
            capture_output=True,
            text=True,
            timeout=100,
        )

    assert "configmaps" in hera().stderr
    home = launch.ensure_running(installed / ".hera-k8s" / "sandbox")
    body = {"metadata": {"name": "quota"}, "data": {"pods": "7"}}
    Api(home.url, home.token).create("/api/v1/namespaces/default/configmaps", body)
    assert hera().stdout == "7 pods left\n"
    assert json.loads(hera("--output", "json").stdout) == {"pods": 7}
    assert hera("--minimum", "8").returncode == 5
    assert "Show what is left of the quota" in hera("--help").stdout
