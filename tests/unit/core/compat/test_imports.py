"""The names of older versions: from the package and from its modules, in whatever order, at no cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from old_scripts import run_python

import hera_k8s_utils

ORDERS = """
import importlib, itertools, sys

STATEMENTS = [
    "import hera_k8s_utils.parser",
    "from hera_k8s_utils.parser import parser",
    "from hera_k8s_utils import parser, k8s_cluster, num_exp_environment",
    "from hera_k8s_utils.k8s_cluster import k8s_cluster",
    "import hera_k8s_utils.num_exp_environment",
    "import hera_k8s_utils.tests.parser",
    "from hera_k8s_utils import build_container",
]
NAMES = ["parser", "k8s_cluster", "argo_server", "num_exp_environment"]

for order in itertools.permutations(STATEMENTS, 2):
    for name in [name for name in sys.modules if name.partition(".")[0] == "hera_k8s_utils"]:
        del sys.modules[name]
    for statement in order:
        exec(statement, {})
    package = sys.modules["hera_k8s_utils"]
    for name in NAMES:
        module = importlib.import_module(f"hera_k8s_utils.{name}")
        assert getattr(package, name) is getattr(module, name), (order, name)
        assert isinstance(getattr(package, name), type), (order, name)
print("as they should be")
"""

LIGHT = """
import sys
import hera_k8s_utils
from hera_k8s_utils import argo_server, cluster, k8s_cluster, num_exp_environment, parse_arguments, parser, Struct
print(sorted({"hera", "kubernetes", "configargparse", "yaml", "requests", "dependency_injector"} & set(sys.modules)))
"""


def test_classes_are_classes_in_every_import_order(work: Path) -> None:
    assert run_python("-c", ORDERS, cwd=work).out == "as they should be\n"


def test_importing_them_imports_nothing_heavy(work: Path) -> None:
    assert run_python("-c", LIGHT, cwd=work).out == "[]\n"


@pytest.mark.parametrize("name", ["parser", "k8s_cluster", "cluster", "num_exp_environment", "Struct", "argo_server"])
def test_they_are_public(name: str) -> None:
    assert name in hera_k8s_utils.__all__
    assert isinstance(getattr(hera_k8s_utils, name), type)
