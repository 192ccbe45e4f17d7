"""A user's Python file as a module: its name, where its neighbours are, and how it is imported or run.

A file is called what `python -m` calls it where that is how it can be run, and else what `python FILE` calls it:

1. It imports relatively: `package.module`, below the last directory of its package, or else below the entry of
   `sys.path` (or the working directory) that is nearest.
2. It imports a neighbour by the neighbour's own name, as only `python FILE` can: `module`.
3. Its directory is a package (`__init__.py`): `package.module`.
4. Otherwise: `module`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from hera_k8s_utils.errors import BuildError

_MAIN: Final = "__main__"
_APPENDED: Final[set[str]] = set()
"""Directories that are at the end of `sys.path` because a file was loaded."""
_LEFT: Final[dict[str, ModuleType]] = {}
"""Modules of users' files that stay in `sys.modules`; a file finds those of another file only if it is imported."""


class _SourceLoader(SourceFileLoader):
    """Reads the file itself: Python takes cached bytecode for current if the second of the last change is the same."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


@contextmanager
def _children_print_to_stderr() -> Iterator[None]:
    """Programs that a file starts print to stderr; ours keep stdout for the result."""
    try:
        kept = os.dup(1)
    except OSError:  # stdout is closed
        yield
        return
    try:
        with suppress(OSError):  # stderr is closed
            os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@dataclass(frozen=True)
class UserFile:
    """A user's Python file.

    path: absolute.
    name: of its module, `package.module`.
    places: directories that its imports are looked up in first.
    package: that the module belongs to, empty for none.
    runs_main: it has code that runs only as a program, below `if __name__ == "__main__":`.
    """

    path: Path
    name: str
    places: tuple[str, ...]
    package: str = ""
    runs_main: bool = False
    _modules: dict[str, ModuleType] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, path: Path, tree: ast.Module) -> UserFile:
        """The file at a path, named after what its code says about how it is run."""
        full = path.resolve()
        here, root = full.parent, _root_of(full, tree)
        neighbours = _imports_neighbours(tree, here)
        in_package = root != here and (_imports_relatively(tree) or not neighbours)
        if not in_package or _is_taken(full.relative_to(root).parts[0], root):
            return cls(full, full.stem, (str(here),), runs_main=_has_main(tree))
        parts = full.relative_to(root).with_suffix("").parts
        names = parts[:-1] if parts[-1] == "__init__" else parts
        places = (str(root), str(here)) if neighbours else (str(root),)
        return cls(full, ".".join(names), places, ".".join(names[:-1]), _has_main(tree))

    @property
    def directory(self) -> Path:
        """Where it is."""
        return self.path.parent

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Let imports find the file and its neighbours first, as when Python runs it; what it prints is on stderr.

        Afterwards its directories are the last to be searched, and a neighbour called like a module of Python's or of
        an installed distribution is not what other code gets. Modules of other users' files are out of the way.
        """
        with redirect_stdout(sys.stderr), _children_print_to_stderr(), _first_on_path(self.places), self._own_modules():
            yield

    def load(self) -> ModuleType:
        """Import it. Within `importing`."""
        self._import_parents()
        loader = _SourceLoader(self.name, str(self.path))
        spec = importlib.util.spec_from_file_location(self.name, self.path, loader=loader)
        if spec is None or spec.loader is None:
            raise BuildError(f"{self.path} cannot be imported", found="its name does not end in .py")
        module = importlib.util.module_from_spec(spec)
        self._enter(self.name, module)
        spec.loader.exec_module(module)
        return module

    @property
    def loaded(self) -> ModuleType:
        """The module, once `load` has begun."""
        return self._modules[self.name]

    def run(self) -> ModuleType:
        """Run it as the program `__main__`. Within `importing`; the module is filled even if the program fails."""
        module = self.main_module()
        self._import_parents()
        sys.modules[_MAIN] = module
        _SourceLoader(_MAIN, str(self.path)).exec_module(module)
        return module

    def main_module(self) -> ModuleType:
        """The module `__main__` of this file: new when it has not run."""
        if _MAIN in self._modules:
            return self._modules[_MAIN]
        module = ModuleType(_MAIN)
        spec = ModuleSpec(self.name, None, origin=str(self.path)) if self.package else None
        vars(module).update(__file__=str(self.path), __spec__=spec, __package__=self.package or None)
        self._modules[_MAIN] = module
        return module

    def _import_parents(self) -> None:
        if self.package:
            importlib.import_module(self.package)

    def _enter(self, name: str, module: ModuleType) -> None:
        """Make a module of the file known, unless the name is taken by one that is not a user's."""
        self._modules[name] = module
        if name not in sys.modules and name not in sys.stdlib_module_names:
            sys.modules[name] = module

    @contextmanager
    def _own_modules(self) -> Iterator[None]:
        hidden = {name: each for name, each in _LEFT.items() if sys.modules.get(name) is each}
        hidden = {name: each for name, each in hidden.items() if self._modules.get(name) is not each}
        for name in hidden:
            del sys.modules[name]
        present, main = set(sys.modules), sys.modules[_MAIN]
        for name, module in self._modules.items():
            self._enter(name, module)
        sys.modules[_MAIN] = self._modules.get(_MAIN, main)
        try:
            yield
        finally:
            sys.modules[_MAIN] = main
            self._leave(present)
            for name, module in hidden.items():
                sys.modules.setdefault(name, module)

    def _leave(self, present: set[str]) -> None:
        """Remember the modules that came from the file's directories; take out those that hide others."""
        for name in sys.modules.keys() - present:
            top = sys.modules.get(name.partition(".")[0])
            if top is not None and _home_of(top) in self.places:
                self._modules[name] = sys.modules[name]
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module or name == _MAIN:
                continue
            if _is_elsewhere(name.partition(".")[0], self.places):
                del sys.modules[name]
            else:
                _LEFT[name] = module


# --- its name --------------------------------------------------------------------------------------------------


def _root_of(file: Path, tree: ast.Module) -> Path:
    """The directory that the file's dotted name begins below."""
    root = file.parent
    while (root / "__init__.py").is_file() and root.parent != root:
        root = root.parent
    if root != file.parent or not _imports_relatively(tree):
        return root
    entries = {Path(entry or ".").resolve() for entry in (*sys.path, ".")} - {Path(each) for each in _APPENDED}
    return max(
        (each for each in entries if each in file.parent.parents), key=lambda each: len(each.parts), default=root
    )


def _imports_relatively(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))


def _imports_neighbours(tree: ast.Module, directory: Path) -> bool:
    """Whether it imports a file or a package beside it by its own name."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    names -= sys.stdlib_module_names
    return any((directory / f"{name}.py").is_file() or (directory / name / "__init__.py").is_file() for name in names)


def _is_taken(package: str, root: Path) -> bool:
    """Whether a top-level package was imported from elsewhere; it is not replaced."""
    module = sys.modules.get(package)
    return module is not None and module is not _LEFT.get(package) and _home_of(module) != str(root)


def _has_main(tree: ast.Module) -> bool:
    """Whether any code compares `__name__`."""
    return any(
        isinstance(node, ast.Compare) and any(getattr(each, "id", "") == "__name__" for each in ast.walk(node))
        for node in ast.walk(tree)
    )


# --- where modules are -----------------------------------------------------------------------------------------


def _home_of(module: ModuleType) -> str:
    """The directory in which a top-level module or package was found; empty for one that is no file."""
    file = getattr(module, "__file__", None)
    if file:
        path = Path(file)
        return str(path.parent.parent if path.name == "__init__.py" else path.parent)
    paths = list(getattr(module, "__path__", ()))
    return str(Path(paths[0]).parent) if paths else ""


def _is_elsewhere(top: str, places: tuple[str, ...]) -> bool:
    """Whether other code that imports this name means another module."""
    others = [entry for entry in sys.path if str(Path(entry or ".").resolve()) not in places]
    return top in sys.stdlib_module_names or PathFinder.find_spec(top, others) is not None


@contextmanager
def _first_on_path(places: tuple[str, ...]) -> Iterator[None]:
    """Search these directories first; afterwards last, unless others put them into `sys.path`.

    Those of the file before are not searched any more: they belong to another experiment.
    """
    ours = [place for place in places if place not in sys.path or place in _APPENDED]
    _set_path(lambda others: [*ours, *others])
    _APPENDED.update(ours)
    try:
        yield
    finally:
        _set_path(lambda others: [*others, *ours])
        _APPENDED.update(ours)


def _set_path(arranged: Callable[[list[str]], list[str]]) -> None:
    sys.path[:] = arranged([place for place in sys.path if place not in _APPENDED])
    _APPENDED.clear()
