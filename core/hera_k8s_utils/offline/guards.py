"""Request guards: which functions of a client library may send nothing while an experiment is loaded and built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Replacement:
    """An attribute of a class or a module, and what takes its place while requests are held back."""

    owner: Any
    name: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class RequestGuard:
    """How the requests of one library are held back while experiments are loaded and built.

    modules: those that send. Each is changed when it is there or gets imported, and put back afterwards; a guard never
        imports one.
    replace: module -> the attributes to replace. What takes a function's place calls the original when
        `hera_k8s_utils.offline_phase()` is None, and else hands the request to the phase's `hold`. An error of it
        ends the build: a library that cannot be held back must not be used by an experiment.
    """

    name: str
    modules: Sequence[str]
    replace: Callable[[ModuleType], Iterable[Replacement]]

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.modules)))
