"""Distributions of strangers: built and installed for real, met in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "{version}"
[project.entry-points.hera_k8s_utils]
{plugin} = "{module}"
[tool.hatch.build.targets.wheel]
only-include = ["{module}.py"]
"""


def write_distribution(where: Path, name: str, *, plugin: str, source: str, version: str = "1.0") -> Path:
    """A project of one module, named after the distribution, whose entry point is `plugin`."""
    project = where / name
    project.mkdir(parents=True)
    module = name.replace("-", "_")
    (project / f"{module}.py").write_text(source, encoding="utf-8")
    text = _PROJECT.format(name=name, version=version, plugin=plugin, module=module)
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    return project


@dataclass(frozen=True)
class Site:
    """A directory of installed distributions, and commands run in an interpreter that sees them."""

    packages: Path

    def install(self, *projects: Path) -> None:
        """Build and install projects as pip does, without looking for their dependencies."""
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
        command += ["--disable-pip-version-check", "--no-index", "--target", str(self.packages)]
        subprocess.run([*command, *map(str, projects)], check=True, timeout=180)

    def run(self, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """`hera-k8s ARGUMENTS` in a directory, with the installed distributions in sight."""
        environ = {**os.environ, "PYTHONPATH": str(self.packages), "NO_COLOR": "1", **variables}
        command = [sys.executable, "-m", "hera_k8s_utils", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environ, timeout=120)

    def plugins(self, *arguments: str, cwd: Path, **variables: str) -> dict[str, Any]:
        """What `hera-k8s plugins` lists, by name; several of one name as a list."""
        done = self.run("plugins", "--output", "json", *arguments, cwd=cwd, **variables)
        assert done.returncode == 0, done.stderr
        listed: dict[str, Any] = {}
        for plugin in json.loads(done.stdout)["plugins"]:
            listed.setdefault(plugin["name"], []).append(plugin)
        return {name: found[0] if len(found) == 1 else found for name, found in listed.items()}
