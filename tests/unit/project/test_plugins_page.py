"""The example of a workload kind in docs/plugins.md works as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hera_k8s_utils import Manifest, WorkloadKind
from hera_k8s_utils.checks.lint import lint
from hera_k8s_utils.plugins.manager import PluginManager
from hera_k8s_utils.testing import WorkloadKindContract

RAY_JOB = {
    "apiVersion": "ray.io/v1",
    "kind": "RayJob",
    "metadata": {"name": "sweep"},
    "spec": {"entrypoint": "python run.py", "rayClusterSpec": {"workerGroupSpecs": [{"maxReplicas": 4}]}},
}


@pytest.fixture(scope="module")
def plugins(repository: Path) -> PluginManager:
    page = (repository / "docs" / "plugins.md").read_text()
    section = page[page.index("## Workload kinds") :]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None
    module = ModuleType("ray_of_the_page")
    exec(code[1], module.__dict__)
    return PluginManager.load(extra={"ray": module})


def test_its_objects_are_named_measured_and_linted(plugins: PluginManager) -> None:
    assert plugins.problems == []
    manifest = Manifest.of(RAY_JOB).for_run("sweep-k3f9", {"a": "b"})
    assert manifest.metadata == {"name": "sweep-k3f9", "labels": {"a": "b"}}
    assert (manifest.is_runnable, manifest.demand().pods) == (True, 5)
    assert [(each.title, each.result.detail) for each in lint(manifest)] == [("entrypoint", "python run.py")]


class TestContract(WorkloadKindContract):
    @pytest.fixture
    def kind(self, plugins: PluginManager) -> WorkloadKind:
        return plugins.named("workload_kinds", "RayJob")  # type: ignore[no-any-return]

    @pytest.fixture
    def body(self) -> Any:
        return RAY_JOB
