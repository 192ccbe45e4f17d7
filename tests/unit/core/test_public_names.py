"""The names of `hera_k8s_utils` itself: all there, and none of them heavy before it is used."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import hera_k8s_utils


@pytest.mark.parametrize("name", hera_k8s_utils.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(hera_k8s_utils, name) is not None


def test_a_name_that_is_not_public_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Experimnt'"):
        _ = hera_k8s_utils.Experimnt  # type: ignore[attr-defined]


def test_importing_the_framework_imports_nothing_heavy() -> None:
    heavy = ("hera", "kubernetes", "requests", "urllib3", "aiohttp", "rich", "yaml", "dependency_injector")
    code = f"import sys, hera_k8s_utils; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["checks", "engines", "network", "plugins", "redaction", "trust"])
def test_every_public_name_of_a_package_is_there(package: str) -> None:
    face = importlib.import_module(f"hera_k8s_utils.{package}")
    assert [name for name in face.__all__ if getattr(face, name, None) is None] == []
