"""Old import paths: they work for one release, with a `DeprecationWarning` that names the new path.

A package lists where its modules and names went in a module `_moved_paths`, and calls `install`. A module whose place
a package of the same name has taken is forwarded by that package: `__getattr__ = forward(__name__)`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

_MODULES: dict[str, str] = {}
_NAMES: dict[str, str] = {}


def install(modules: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Let old paths be imported.

    modules: old dotted path -> new one. names: `old.module.name` -> `new.module.name`, for names that are not in the
    module that took the place of theirs, or are called otherwise there; and for all names of a module whose place a
    package of the same name has taken.
    """
    _MODULES.update(modules)
    _NAMES.update(names)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def forward(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package that took the name of an old module."""

    def get(name: str) -> Any:
        return moved(package, name, stacklevel=3)

    return get


def moved(package: str, name: str, *, stacklevel: int = 2) -> Any:
    """What a name of a package is now, with a warning. Raises AttributeError.

    stacklevel: whose line is warned of, as `warnings.warn` counts; 2 is the caller's.
    """
    if f"{package}.{name}" not in _NAMES:  # the import system asks for each submodule here before it looks for it
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    found, now = _attribute(package, name)
    warnings.warn(_message(f"{package}.{name}", now), DeprecationWarning, stacklevel=stacklevel)
    return found


def renamed(**names: str) -> Callable[[type[T]], type[T]]:
    """Class decorator: keep old names of attributes, methods and keyword arguments of the constructor.

    @renamed(bear="record_failure")
    class FailureBudget: ...
    """

    def decorate(cls: type[T]) -> type[T]:
        for old, new in names.items():
            setattr(cls, old, _OldName(f"{cls.__name__}.{old}", new))
        _accept_old_keywords(cls, names)
        return cls

    return decorate


class _OldName:
    """An attribute by its old name."""

    def __init__(self, old: str, new: str) -> None:
        self._old = old
        self._new = new

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        found = getattr(owner if instance is None else instance, self._new)
        warnings.warn(_message(self._old, self._new), DeprecationWarning, stacklevel=2)
        return found


def _accept_old_keywords(cls: type, names: Mapping[str, str]) -> None:
    made: Callable[..., None] = cls.__init__  # type: ignore[misc]
    parameters = made.__code__.co_varnames
    old_keywords = {old: new for old, new in names.items() if new in parameters}
    if not old_keywords:
        return

    @wraps(made)
    def init(self: Any, *arguments: Any, **keywords: Any) -> None:
        for old in old_keywords.keys() & keywords.keys():
            new = old_keywords[old]
            warnings.warn(_message(f"{cls.__name__}({old}=)", f"{new}="), DeprecationWarning, stacklevel=2)
            keywords[new] = keywords.pop(old)
        made(self, *arguments, **keywords)

    cls.__init__ = init  # type: ignore[misc]


class _Finder(MetaPathFinder):
    """Finds modules at their old paths. It comes last, and so is asked only for what does not exist."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the interface of finders
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if name not in _MODULES:
            return None
        return ModuleSpec(name, _Loader(), is_package=any(other.startswith(f"{name}.") for other in _MODULES))


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        warnings.warn(_message(spec.name, _MODULES[spec.name]), DeprecationWarning, stacklevel=2)
        return _OldModule(spec.name, f"The old path of `{_MODULES[spec.name]}`.")

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is to be executed: its names are looked up in the module that took its place."""


class _OldModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found, now = _attribute(self.__name__, name)
        if f"{self.__name__}.{name}" in _NAMES:  # the module's own new path does not lead to it
            warnings.warn(_message(f"{self.__name__}.{name}", now), DeprecationWarning, stacklevel=2)
        return found

    def __dir__(self) -> list[str]:
        return dir(import_module(_MODULES[self.__name__]))


def _attribute(old: str, name: str) -> tuple[Any, str]:
    """A name of an old module, and its path now. Raises AttributeError."""
    now = _NAMES.get(f"{old}.{name}") or f"{_MODULES.get(old, '')}.{name}"
    module, _, attribute = now.rpartition(".")
    try:
        return getattr(import_module(module), attribute), now
    except (AttributeError, ValueError):  # ValueError: of an empty module, for a name that never was
        raise AttributeError(f"module {old!r} has no attribute {name!r}") from None


def _message(old: str, new: str) -> str:
    return f"{old} is now {new}; the old path works until version 0.3"
