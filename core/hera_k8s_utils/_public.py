"""Packages with one public face: their names are imported from their modules on first use.

A package states each name twice: for type checkers under `TYPE_CHECKING`, and in the table for `names_of`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from hera_k8s_utils import _moved


def names_of(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package: its public names first, then those of the module that had its name in 0.2.

    modules: name of a module of the package -> the names of it that are public.
    """
    homes = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in homes:
            return _moved.moved(package, name, stacklevel=3)
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
