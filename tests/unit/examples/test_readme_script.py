"""The README's script does what it says, in an empty directory with an experiment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hera_k8s_sandbox.server import launch


@pytest.fixture
def directory(work: Path, repository: Path) -> Iterator[Path]:
    """An empty directory with the example in it; the sandbox that is started there is ended."""
    shutil.copy(repository / "examples" / "logistic_map" / "experiment.py", work)
    yield work
    launch.stop(work / ".hera-k8s" / "sandbox")


def test_the_script_runs_as_it_stands(directory: Path, repository: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)
    script = next(block for block in blocks if "build_container" in block)
    few = script.replace("sandbox=True", "sandbox=True, set=['growth_rate=2.5,3.9', 'seed=1']")
    (directory / "script.py").write_text(few)
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Succeeded 3/3"
    assert list((directory / ".hera-k8s").rglob("bifurcation.png"))
