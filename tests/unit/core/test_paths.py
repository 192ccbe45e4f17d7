"""Paths that begin with a tilde, and those that only hold one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hera_k8s_utils.paths import expand_path
from hera_k8s_utils.sweep.inputs import Inputs


@pytest.fixture(autouse=True)
def directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for each in ("home", "work/~", "work/~nobody-has-this-name"):
        (tmp_path / each).mkdir(parents=True)
        (tmp_path / each / "y").write_text(f"at\n{each}\n")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("text", ["~/y", "./~/y", ".//~/y", "././~/y", "./~nobody-has-this-name/y"])
def test_a_path_means_what_it_means_to_a_shell(text: str) -> None:
    expected = subprocess.run(["sh", "-c", f"cat {text}"], capture_output=True, text=True, check=True).stdout
    assert expand_path(text).read_text() == expected
    assert expand_path(expand_path(text)).read_text() == expected


def test_points_are_read_from_a_directory_that_is_called_tilde() -> None:
    assert [point["at"] for point in Inputs.from_file("./~/y")] == ["work/~"]
    assert [point["at"] for point in Inputs.from_file("~/y")] == ["home"]


@pytest.mark.parametrize(
    ("text", "found"), [("./~/y", "work/~/y"), ("~/y", "home/y"), ("a/~/y", "work/a/~/y"), ("y", "work/y")]
)
def test_a_relative_path_is_joined_to_a_directory(directories: Path, text: str, found: str) -> None:
    assert expand_path(text, directory=directories / "work") == directories / found
    assert expand_path("a/b") == Path("a/b")
