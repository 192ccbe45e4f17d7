"""The distribution, built and installed as its users install it: the command is there, and its files are."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from arkouda_support import INSTALLED, PROJECT, Command

PROGRAMS = ("start-arkouda-locale.sh", "start-arkouda-server.sh", "verify_locales.py")


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed")
@pytest.mark.skipif(INSTALLED, reason="it is installed already: every other test shows that it works")
def test_a_wheel_holds_all_that_the_commands_need(tmp_path: Path) -> None:
    from strangers import Site

    project = shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    site = Site(tmp_path / "packages")
    site.install(project)
    launch = site.packages / "hera_k8s_arkouda" / "launch"
    assert all((launch / name).is_file() for name in PROGRAMS)
    listed = site.plugins(cwd=tmp_path)["arkouda"]
    assert (listed["state"], listed["distribution"].split()[0]) == ("loaded", "hera-k8s-arkouda")
    told = site.run("arkouda", "render", "--arkouda-namespace", "here", "--output", "json", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert len(json.loads(told.stdout)) == 7


def test_the_commands_are_listed_with_a_line_each(arkouda: Command) -> None:
    told = arkouda("--help")
    assert told.code == 0
    for name in ("install", "deploy", "status", "delete", "exporter deploy", "exporter delete", "schedule", "render"):
        assert f"arkouda {name} " in told.out


@pytest.mark.parametrize("command", ["deploy", "delete", "exporter deploy", "schedule", "render", "install", "status"])
def test_each_command_has_its_help(arkouda: Command, command: str) -> None:
    told = arkouda(*command.split(), "--help")
    assert told.code == 0
    assert "ARKOUDA_NAMESPACE" in told.out
