"""Argo's own examples run on Argo: lint finds no mistake in them. They are read from Argo's Go module, never copied."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hera_k8s_utils import Manifest, Verdict
from hera_k8s_utils.checks.lint import lint

MODULE = "github.com/argoproj/argo-workflows/v4@v4.0.5"
KINDS = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of Argo's examples; skips where the module cannot be had."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    command = [go, "mod", "download", "-json", MODULE]
    try:
        done = subprocess.run(
            command, cwd=tmp_path_factory.mktemp("go"), capture_output=True, text=True, timeout=300, check=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"Argo's module cannot be downloaded: {error}")
    return Path(json.loads(done.stdout)["Dir"]) / "examples"


def objects(directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(directory.rglob("*.yaml")):
        for body in yaml.safe_load_all(path.read_text()):
            if isinstance(body, dict) and body.get("kind") in KINDS:
                yield path.name, body


def test_argos_examples_have_no_mistake(examples: Path) -> None:
    named = [(name, {**body, "metadata": {"name": "example", **body["metadata"]}}) for name, body in objects(examples)]
    assert len(named) > 150
    said = [
        (name, finding.result.verdict, finding.result.detail)
        for name, body in named
        for finding in lint(Manifest.of(body))
        if finding.result.verdict is not Verdict.PASSED
    ]
    assert [each for each in said if each[1] is not Verdict.WARNING] == []
    superfluous = [each for each in said if "passes seconds to acquire-lock" in each[2]]
    assert said == superfluous, "Argo ignores an argument that a template does not take; we warn"
