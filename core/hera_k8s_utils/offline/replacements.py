"""Replaces functions of other libraries while an offline phase runs, also in modules that are imported later."""

from __future__ import annotations

import importlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from hera_k8s_utils.errors import attribute_errors_to
from hera_k8s_utils.offline.guards import Replacement, RequestGuard


@dataclass(frozen=True)
class _Original:
    """What a replacement took the place of; `_ABSENT` where the owner had no such attribute of its own."""

    replacement: Replacement
    value: Any

    def restore(self) -> None:
        """Put the original back, unless other code has replaced the attribute meanwhile."""
        owner, name = self.replacement.owner, self.replacement.name
        if vars(owner).get(name) is not self.replacement.value:
            return
        if self.value is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, self.value)


_ABSENT: Final = object()


class Replacements:
    """The guards in use in this process. A module is changed when it is there or gets imported; none is imported here.

    Safe between threads; each guard is counted, and undone when its last user leaves.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users: Counter[RequestGuard] = Counter()
        self._changed: dict[tuple[RequestGuard, str], list[_Original]] = {}
        self._finder = _Finder(self._imported)

    @contextmanager
    def using(self, guards: Sequence[RequestGuard]) -> Iterator[None]:
        """Keep guards in place for the length of a `with` block."""
        self.acquire(guards)
        try:
            yield
        finally:
            self.release(guards)

    def acquire(self, guards: Sequence[RequestGuard]) -> None:
        """Put guards in place; `release` undoes it. Raises `PluginError` for one that cannot be put in place."""
        with self._lock:
            self._users.update(guards)
            self._finder.watch({module for guard in self._users for module in guard.modules})
        try:
            for guard in guards:
                self._apply(guard)
        except BaseException:
            self.release(guards)
            raise

    def release(self, guards: Sequence[RequestGuard]) -> None:
        """One user less of each guard; what nobody uses any more is undone."""
        with self._lock:
            self._users.subtract(guards)
            for guard in [guard for guard, users in self._users.items() if users <= 0]:
                del self._users[guard]
                for module in guard.modules:
                    for original in reversed(self._changed.pop((guard, module), [])):
                        original.restore()
            self._finder.watch({module for guard in self._users for module in guard.modules})

    def _apply(self, guard: RequestGuard) -> None:
        for name in guard.modules:
            if sys.modules.get(name) is not None:
                # Waits, without our lock, for another thread that is in the middle of importing it
                self._change(guard, name, importlib.import_module(name))

    def _imported(self, module: ModuleType) -> None:
        for guard in list(self._users):
            if module.__name__ in guard.modules:
                self._change(guard, module.__name__, module)

    def _change(self, guard: RequestGuard, name: str, module: ModuleType) -> None:
        with self._lock:
            if guard not in self._users or (guard, name) in self._changed:
                return
            with attribute_errors_to(f"the request guard {guard.name}"):
                replacements = list(guard.replace(module))
            self._changed[guard, name] = [_put(replacement) for replacement in replacements]


def _put(replacement: Replacement) -> _Original:
    original = _Original(replacement, vars(replacement.owner).get(replacement.name, _ABSENT))
    setattr(replacement.owner, replacement.name, replacement.value)
    return original


class _Finder(MetaPathFinder):
    """Finds watched modules where they are found otherwise, and calls back when each was imported."""

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self._imported = imported
        self._watched: frozenset[str] = frozenset()

    def watch(self, modules: Iterable[str]) -> None:
        """The modules to watch from now on; none takes this finder out of the way of imports."""
        self._watched = frozenset(modules)
        present = self in sys.meta_path
        if self._watched and not present:
            sys.meta_path.insert(0, self)
        elif present and not self._watched:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own spec, with a loader that calls back; None for modules that are not watched."""
        if fullname not in self._watched:
            return None
        others = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._imported)
        return spec


class _Loader(Loader):
    """Gives the module its own loader back, loads it with that one, and calls back."""

    def __init__(self, loader: Loader, imported: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._imported = imported

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the module's own loader does, and call back."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._imported(module)
