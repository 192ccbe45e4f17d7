"""Import paths and names of 0.2 work, and warn of their new ones; those of 0.1 work and say nothing."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings

import pytest

import hera_k8s_utils

PACKAGES = ("hera_k8s_utils", "hera_k8s_argo", "hera_k8s_kube", "hera_k8s_sandbox")
TABLES = {name: importlib.import_module(f"{name}._moved_paths") for name in PACKAGES}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_old_module_is_found_at_its_new_place(package: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module(package)
        for old, new in TABLES[package].MODULES.items():
            module, moved = importlib.import_module(old), importlib.import_module(new)
            if getattr(module, "__file__", None) is None:  # otherwise a package has taken its place
                assert set(dir(moved)) <= set(dir(module)), old


@pytest.mark.parametrize("package", PACKAGES)
def test_every_old_name_is_what_the_new_one_is(package: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module(package)
        for old, new in TABLES[package].NAMES.items():
            found = [getattr(importlib.import_module(m), n) for m, _, n in (old.rpartition("."), new.rpartition("."))]
            assert found[0] is found[1], old


@pytest.mark.parametrize(
    ("line", "new"),
    [
        ("from hera_k8s_utils.http import HttpClient", "hera_k8s_utils.network.http"),
        ("from hera_k8s_utils.runs import RunRecord", "hera_k8s_utils.runs.records.RunRecord"),
        ("from hera_k8s_utils.declarations import CheckResult", "hera_k8s_utils.plugins.records"),
        ("from hera_k8s_utils.errors import Trouble", "hera_k8s_utils.errors.ErrorKind"),
        ("from hera_k8s_utils import Desk", "hera_k8s_utils.SubmissionTarget"),
        ("import hera_k8s_utils.commands.run", "hera_k8s_cli.commands.run"),
        ("from hera_k8s_kube import Right", "hera_k8s_kube.Permission"),
        ("from hera_k8s_sandbox import launch", "hera_k8s_sandbox.server.launch"),
    ],
)
def test_an_old_path_warns_once_of_its_new_one(line: str, new: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default::DeprecationWarning:__main__", "-c", line],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert f"is now {new}; the old path works until version 0.3" in done.stderr


def test_paths_of_version_0_1_do_not_warn() -> None:
    program = (
        "from hera_k8s_utils.parser import parser\n"
        "from hera_k8s_utils.k8s_cluster import k8s_cluster, cluster\n"
        "from hera_k8s_utils.argo_server import argo_server\n"
        "from hera_k8s_utils.num_exp_environment import num_exp_environment, Struct\n"
        "from hera_k8s_utils import parser, argo_server, k8s_cluster, num_exp_environment, Struct\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_names_that_never_were_are_not_found() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hera_k8s_utils.nothing  # noqa: B018
    with pytest.raises(ImportError):
        importlib.import_module("hera_k8s_utils.nothing")
