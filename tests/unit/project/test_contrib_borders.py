"""Distributions under contrib/ are written as a third party would: on public names only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

CONTRIB = Path(__file__).resolve().parents[3] / "contrib"
PUBLIC = ("hera_k8s_utils", "hera_k8s_utils.testing", "hera_k8s_kube", "hera_k8s_kube.jobs", "hera_k8s_argo")
COMPAT = "hera_k8s_utils.compat"
"""Public for distributions that provide another script interface on top of that of 0.1."""
ALLOWED = {"hera_utils": (*PUBLIC, COMPAT)}


def distributions() -> list[str]:
    return sorted(path.parent.name for path in CONTRIB.glob("*/pyproject.toml"))


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and name of each import of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("hera_k8s_"):
            yield from ((str(node.module), each.name) for each in node.names)
        elif isinstance(node, ast.Import):
            yield from ((each.name, "") for each in node.names if each.name.startswith("hera_k8s_"))


def is_public(distribution: str, module: str, name: str) -> bool:
    if module not in ALLOWED.get(distribution, PUBLIC):
        return False
    return not name or name in import_module(module).__all__


@pytest.mark.parametrize("name", distributions())
def test_a_distribution_is_written_on_public_names_only(name: str) -> None:
    sources = sorted((CONTRIB / name / "src").rglob("*.py"))
    assert sources
    own = {path.name for path in (CONTRIB / name / "src").iterdir()}
    found = {
        (str(path.relative_to(CONTRIB)), module, each)
        for path in sources
        for module, each in imported(ast.parse(path.read_text(encoding="utf-8")))
        if module.partition(".")[0] not in own and not is_public(name, module, each)
    }
    assert found == set()
