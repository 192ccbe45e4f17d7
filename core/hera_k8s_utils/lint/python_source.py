"""Python in script templates: what would only fail in the pod.

Hera 7 sends the body of a function as the source, behind lines that read its parameters with `json.loads`: there is no
function to return from, nothing of the module around it, and text that looks like JSON arrives as what it looks like.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
import symtable
import sys
import sysconfig
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, Final

from hera_k8s_argo.workflow.variables import as_text
from hera_k8s_utils._types import Json
from hera_k8s_utils.experiment.manifest import Manifest, Source
from hera_k8s_utils.lint.problems import Problem, lint_error, lint_warning
from hera_k8s_utils.reading import parse_json

_VARIABLE: Final = re.compile(
    r"\{\{\s*(?:=|inputs\.|outputs\.|workflow\.|tasks\.|steps\.|item\b|pod\.|retries\b)[^{}]*\}\}"
)
_PYTHON: Final = re.compile(r"python[0-9.]*|pypy[0-9.]*")
_ALWAYS_THERE: Final = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "__annotations__", "__builtins__"}
_MAY_BE_JSON: Final = re.compile(r"""\s*(?:[-0-9\[{"]|true|false|null|NaN|Infinity)""")
_ITEM: Final = re.compile(r"\{\{\s*item\.([-A-Za-z0-9_]+)\s*\}\}")
_EXECUTED: Final = ("function", "class")
"""Kinds of scopes whose names are looked up when the script runs; Python 3.14 has some that are not."""
_MOST_VALUES: Final = 10_000
"""Values of one parameter that are looked at."""
_WORD: Final[Mapping[type, str]] = {
    str: "text",
    int: "an int",
    float: "a float",
    bool: "a bool",
    list: "a list",
    dict: "a dict",
    type(None): "None",
}


@dataclass(frozen=True)
class ScriptReport:
    """What the scripts of a workflow came to. summary: for a line that says all is well."""

    problems: Sequence[Problem]
    summary: str


def script_problems(manifest: Manifest, sources: Mapping[str, Source]) -> ScriptReport:
    """Look into every Python script that the workflow carries.

    sources: the functions behind the scripts, by template, where they are known.
    """
    problems: list[Problem] = []
    looked_at = 0
    for name, template in manifest.templates():
        text = python_source(template)
        if text is None:
            continue
        looked_at += 1
        function = sources.get(name)
        problems.extend(source_problems(name, text, function))
        if function is not None:
            problems.extend(_argument_problems(manifest, name, text, function))
    return ScriptReport(problems, "no name from outside, no return" if looked_at else "none")


def python_source(template: Json) -> str | None:
    """The Python that a template carries; None for other languages and for Hera's runner, which imports it."""
    script = template.get("script")
    if not isinstance(script, dict):
        return None
    command = script.get("command") or [""]
    if not _PYTHON.fullmatch(PurePath(str(command[0])).name):
        return None
    source = str(script.get("source") or "")
    return source if _VARIABLE.sub("", source).strip() else None


# --- the source ------------------------------------------------------------------------------------------------


def source_problems(name: str, source: str, function: Source | None = None) -> Iterator[Problem]:
    """What is wrong with a Python program. name: of what carries it. function: what it was made from, where known."""
    text = _VARIABLE.sub("0", source)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        yield _unreadable(name, source, error)
        return
    try:
        compile(tree, name, "exec")
    except (SyntaxError, ValueError) as error:
        yield _misplaced(name, error)
    yield from _names_from_outside(name, text, tree, function)
    yield from _local_imports(name, tree, function)


def _unreadable(name: str, source: str, error: Exception) -> Problem:
    line = (source.splitlines() or [""])[(getattr(error, "lineno", None) or 1) - 1 :][:1]
    shown = line[0].strip() if line else ""
    said = getattr(error, "msg", None) or str(error)
    if "{{inputs.parameters." in shown and shown.startswith(("try:", "except:")):
        parameter = shown.partition(":")[2].partition("=")[0].strip()
        return lint_error(
            f"script {name}: parameter {parameter} cannot become a Python name",
            hint="name it as Python does, with underscores, or read it from an env variable",
        )
    return lint_error(f"script {name}: {said}: {shown[:80]}")


def _misplaced(name: str, error: Exception) -> Problem:
    said = getattr(error, "msg", None) or str(error)
    if "'return' outside function" in said:
        return lint_error(
            f"script {name} returns, and there is no function around it in the pod",
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


# --- imports that the image lacks ------------------------------------------------------------------------------


def _local_imports(name: str, tree: ast.Module, function: Source | None) -> Iterator[Problem]:
    """Modules that are files of the user's: Hera sends none of them."""
    near = _directory(function)
    for module in dict.fromkeys(_imported(tree)):
        if not module:
            yield lint_error(f"script {name} imports relatively, and is in no package in the pod")
        elif path := _local_file(module, near):
            yield lint_warning(
                f"script {name} imports {module}, a file of this machine ({path})",
                hint=f"put {module} into the image, or its code into the function",
            )


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "" if node.level else (node.module or "").partition(".")[0]


def _directory(function: Source | None) -> str:
    code = getattr(function, "__code__", None)
    return str(Path(code.co_filename).parent) if code is not None else ""


def _local_file(module: str, near: str) -> str:
    """The file or directory that a module is, when it belongs neither to Python nor to an installed distribution."""
    if module in sys.stdlib_module_names:
        return ""
    places = [*([near] if near else []), *(place or "." for place in sys.path)]
    found = PathFinder.find_spec(module, places)
    if found is None:
        return ""
    origins = [found.origin] if found.origin else list(found.submodule_search_locations or ())
    if not origins or _is_installed(origins[0]) or _is_distribution(module):
        return ""
    origin = Path(origins[0])
    return str(origin.parent if origin.name == "__init__.py" else origin)


def _is_installed(path: str) -> bool:
    parts = Path(path).parts
    if "site-packages" in parts or "dist-packages" in parts:
        return True
    return Path(path).is_relative_to(sysconfig.get_path("stdlib"))


def _is_distribution(module: str) -> bool:
    """Whether an installed distribution brings the module, as an editable one does from anywhere."""
    from importlib.metadata import packages_distributions

    return module in packages_distributions()


# --- arguments -------------------------------------------------------------------------------------------------


def _argument_problems(manifest: Manifest, name: str, source: str, function: Source) -> Iterator[Problem]:
    """Values that the script reads as another type than the function says, or that break its first lines."""
    for parameter, accepted in accepted_types(function).items():
        if f"json.loads(r'''{{{{inputs.parameters.{parameter}}}}}''')" not in source:
            continue
        values = islice(_values(manifest, name, parameter), _MOST_VALUES)
        found = (_value_problem(name, parameter, value, accepted) for value in values)
        yield from {problem.verdict: problem for problem in found if problem}.values()  # one of each weight


def accepted_types(function: Source) -> dict[str, tuple[type, ...]]:
    """The plain types that each parameter's annotation allows; parameters with any other annotation are left out."""
    try:
        annotations = getattr(function, "__annotations__", {})
    except NameError:  # Python 3.14 reads annotations when asked
        return {}
    found = {name: _plain_types(annotation) for name, annotation in annotations.items() if name != "return"}
    return {name: accepted for name, accepted in found.items() if accepted}


_BY_NAME: Final[Mapping[str, type]] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}


def _plain_types(annotation: Any) -> tuple[type, ...]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _plain_types(typing.get_args(annotation)[0])
    if origin is typing.Union or origin is types.UnionType:
        parts = [_plain_types(part) for part in typing.get_args(annotation)]
        return tuple(kind for part in parts for kind in part) if all(parts) else ()
    if annotation is None or annotation is type(None):
        return (type(None),)
    plain = _BY_NAME.get(annotation) if isinstance(annotation, str) else origin or annotation
    return tuple(kind for kind in _BY_NAME.values() if kind is plain)


def _values(manifest: Manifest, name: str, parameter: str) -> Iterator[str]:
    """The texts that a parameter gets, over all calls and items, as far as they can be told."""
    resolver = manifest.resolver
    for call in resolver.callers.get(name, ()):
        text = resolver.argument(name, call, parameter)
        if text is None:
            continue
        if "{{" not in text:
            yield text
        elif (key := _ITEM.fullmatch(text)) and isinstance(call.body.get("withItems"), list):
            items = call.body["withItems"]
            yield from (as_text(item[key[1]]) for item in items if isinstance(item, dict) and key[1] in item)
        elif _begins_like_json(text):
            yield from sorted(resolver.over_call(call, text).values)


def _begins_like_json(text: str) -> bool:
    """Whether a text may become JSON once its variables are known: a path with variables in it may not."""
    return text.lstrip().startswith("{{") or _MAY_BE_JSON.match(text) is not None or _breaks_quotes(text)


def _breaks_quotes(value: str) -> bool:
    """Whether a value ends the raw string that Hera puts it into."""
    backslashes = len(value) - len(value.rstrip("\\"))
    return "'''" in value or value.endswith("'") or backslashes % 2 == 1


def _value_problem(name: str, parameter: str, value: str, accepted: tuple[type, ...]) -> Problem | None:
    shown = value if len(value) <= 40 else f"{value[:37]}..."
    if _breaks_quotes(value):
        return lint_error(
            f"script {name}: {parameter} is {shown}, which ends the string literal that it is put into",
            hint="no ''' in a value, and neither ' nor a backslash at its end",
        )
    arrives = _type_of(value)
    if arrives in accepted or (arrives is int and float in accepted):
        return None
    wanted = " or ".join(_WORD[kind] for kind in accepted)
    return lint_warning(
        f"script {name}: {parameter} is {shown}, which arrives as {_WORD[arrives]}, not as {wanted}",
        hint=_said_well(parameter, value, accepted),
    )


def _type_of(value: str) -> type:
    """What `json.loads` makes of a text, else the text itself."""
    if not _MAY_BE_JSON.match(value):
        return str
    try:
        return type(parse_json(value))
    except ValueError:
        return str


def _said_well(parameter: str, value: str, accepted: tuple[type, ...]) -> str:
    """How a value is written so that it arrives as the function says."""
    if str in accepted:
        return f"{parameter} = str({parameter}) in the function, or quote the value as JSON does: {json.dumps(value)}"
    if bool in accepted and value.lower() in ("true", "false"):
        return f"write {value.lower()}, as JSON does"
    return ""
