"""Python programs that a workload carries: what would only fail in the pod.

A program may be the body of a function, as Hera sends it: there is no function to return from, and nothing of the
module around it.
"""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
import sysconfig
import types
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

from hera_k8s_utils.experiment.workload import Source
from hera_k8s_utils.lint.problems import Problem, lint_error, lint_warning

_ALWAYS_THERE: Final = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "__annotations__", "__builtins__"}
_EXECUTED: Final = ("function", "class")
"""Kinds of scopes whose names are looked up when the script runs; Python 3.14 has some that are not."""


def source_problems(name: str, source: str, function: Source | None = None, *, written: str = "") -> Iterator[Problem]:
    """What is wrong with a Python program.

    name: what a message calls it.
    source: the program.
    function: what it was made from, where that is known.
    written: the program as the user wrote it, where `source` has something in place of variables.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        yield _unreadable(name, written or source, error)
        return
    try:
        compile(tree, name, "exec")
    except (SyntaxError, ValueError) as error:
        yield _misplaced(name, error)
    yield from _names_from_outside(name, source, tree, function)
    yield from _local_imports(name, tree, function)


def line_of(source: str, error: Exception) -> str:
    """The line of a program that a `SyntaxError` names."""
    line = (source.splitlines() or [""])[(getattr(error, "lineno", None) or 1) - 1 :][:1]
    return line[0].strip() if line else ""


def _unreadable(name: str, source: str, error: Exception) -> Problem:
    said = getattr(error, "msg", None) or str(error)
    return lint_error(f"script {name}: {said}: {line_of(source, error)[:80]}")


def _misplaced(name: str, error: Exception) -> Problem:
    said = getattr(error, "msg", None) or str(error)
    if "'return' outside function" in said:
        return lint_error(
            f"script {name} uses `return`, but in the pod it is not inside a function",
            hint="put the rest under an `if`, print the result, or leave by sys.exit(0)",
        )
    return lint_error(f"script {name}: {said}", hint="Hera sends the body of the function, without the function")


def _names_from_outside(name: str, text: str, tree: ast.Module, function: Source | None) -> Iterator[Problem]:
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)):
        return
    try:
        table = symtable.symtable(text, name, "exec")
    except (SyntaxError, ValueError):
        return
    given, wanted = _given_and_wanted(table)
    missing = [name for name in wanted if name not in given and name not in _ALWAYS_THERE]
    for outside in missing:
        yield lint_error(f"script {name} uses {outside}, which is not there in the pod", hint=_bring(outside, function))


def _given_and_wanted(module: symtable.SymbolTable) -> tuple[set[str], list[str]]:
    """Names that the script binds at its top level, and names that it reads from there, in order."""
    given: set[str] = set()
    wanted: dict[str, None] = {}
    waiting = [module]
    while waiting:
        table = waiting.pop()
        waiting.extend(child for child in table.get_children() if child.get_type() in _EXECUTED)
        top = table is module
        for symbol in table.get_symbols():
            binds = symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
            if binds and (top or symbol.is_declared_global()):
                given.add(symbol.get_name())
            if symbol.is_referenced() and (symbol.is_global() or (top and not binds)):
                wanted[symbol.get_name()] = None
    return given, sorted(wanted)


def _bring(outside: str, function: Source | None) -> str:
    """How a name gets into the script, judged by what it is around the function."""
    value = getattr(function, "__globals__", {}).get(outside)
    inside = getattr(function, "__name__", "the function")
    if isinstance(value, types.ModuleType):
        as_name = "" if value.__name__ == outside else f" as {outside}"
        return f"import {value.__name__}{as_name} inside {inside}"
    if callable(value):
        return f"define or import {outside} inside {inside}"
    return f"define it inside {inside}, or pass it as a parameter"


# --- imports that the image lacks ---


def _local_imports(name: str, tree: ast.Module, function: Source | None) -> Iterator[Problem]:
    """Modules that are files of the user's: Hera sends none of them."""
    for module, used in _imported(tree).items():
        if not module:
            yield lint_error(f"script {name} imports relatively, and is in no package in the pod")
        elif path := _local_file(module, used, _file_of(function)):
            yield lint_warning(
                f"script {name} imports {module}, a file of this machine ({path})",
                hint=f"put {module} into the image, or its code into the function",
            )


def _imported(tree: ast.Module) -> dict[str, set[str]]:
    """The top-level modules that a program imports, with the names that it takes from each; empty for its own package.

    What it takes is the name in `from module import name`, in `import module.name` and in `module.name`.
    """
    found: dict[str, set[str]] = {}
    known_as: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module, _, rest = alias.name.partition(".")
                found.setdefault(module, set()).update(filter(None, [rest.partition(".")[0]]))
                known_as[alias.asname if alias.asname and not rest else module] = module
        elif isinstance(node, ast.ImportFrom):
            module, _, rest = ("" if node.level else node.module or "").partition(".")
            taken = [rest.partition(".")[0]] if rest else [alias.name for alias in node.names]
            found.setdefault(module, set()).update(taken)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known_as:
            found[known_as[node.value.id]].add(node.attr)
    return found


def _file_of(function: Source | None) -> Path | None:
    code = getattr(function, "__code__", None)
    return Path(code.co_filename) if code is not None else None


def _local_file(module: str, used: set[str], script: Path | None) -> str:
    """The file or directory that a module is, when it belongs neither to Python nor to an installed distribution.

    A file that is only called like the module that is meant, such as the script itself, has none of the names used;
    a directory that is only called like it holds no Python.
    """
    if module in sys.stdlib_module_names:
        return ""
    places = [*([str(script.parent)] if script else []), *(place or "." for place in sys.path)]
    found = PathFinder.find_spec(module, places)
    if found is None:
        return ""
    origins = [found.origin] if found.origin else list(found.submodule_search_locations or ())
    if not origins or _is_installed(origins[0]) or _is_distribution(module):
        return ""
    origin = Path(origins[0])
    if not _may_be_meant(origin, used, certain=origin != script):
        return ""
    return str(origin.parent if origin.name == "__init__.py" else origin)


def _may_be_meant(origin: Path, used: set[str], *, certain: bool) -> bool:
    """Whether a file, or a directory of files, has any of the names that a program takes from a module.

    certain: what is assumed when the program takes none, or the file cannot be read.
    """
    if origin.is_dir():
        return any(origin.rglob("*.py"))
    if origin.name == "__init__.py":
        return True
    if not used or used == {"*"}:
        return certain
    try:
        table = symtable.symtable(origin.read_text(encoding="utf-8"), str(origin), "exec")
    except (OSError, SyntaxError, ValueError):
        return certain
    names = {each.get_name() for each in table.get_symbols() if each.is_assigned() or each.is_imported()}
    names |= {each.get_name() for each in table.get_symbols() if each.is_namespace()}
    return bool(used & names) or "__getattr__" in names


def _is_installed(path: str) -> bool:
    parts = Path(path).parts
    if "site-packages" in parts or "dist-packages" in parts:
        return True
    return Path(path).is_relative_to(sysconfig.get_path("stdlib"))


def _is_distribution(module: str) -> bool:
    """Whether an installed distribution brings the module, as an editable one does from anywhere."""
    from importlib.metadata import packages_distributions

    return module in packages_distributions()
