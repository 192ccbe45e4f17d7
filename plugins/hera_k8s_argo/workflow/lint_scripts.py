"""Python in script templates, and the arguments that it reads.

Hera 7 puts lines before the body of a function that read its parameters with `json.loads`: text that looks like JSON
arrives as what it looks like.
"""

from __future__ import annotations

import ast
import json
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import PurePath
from typing import Any, Final

from hera_k8s_argo.workflow.analysis import WorkflowAnalysis
from hera_k8s_argo.workflow.variables import as_text
from hera_k8s_utils import Json
from hera_k8s_utils.experiment import Source
from hera_k8s_utils.lint import Problem, line_of, lint_error, lint_warning, source_problems
from hera_k8s_utils.reading import parse_json

_VARIABLE: Final = re.compile(
    r"\{\{\s*(?:=|inputs\.|outputs\.|workflow\.|tasks\.|steps\.|item\b|pod\.|retries\b)[^{}]*\}\}"
)
_PYTHON: Final = re.compile(r"python[0-9.]*|pypy[0-9.]*")
_MAY_BE_JSON: Final = re.compile(r"""\s*(?:[-0-9\[{"]|true|false|null|NaN|Infinity)""")
_ITEM: Final = re.compile(r"\{\{\s*item\.([-A-Za-z0-9_]+)\s*\}\}")
_MOST_VALUES: Final = 10_000
"""Values of one parameter that are checked."""
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
    """The problems of a workflow's scripts.

    problems: what is wrong.
    summary: what a report says when nothing is.
    """

    problems: Sequence[Problem]
    summary: str


def script_problems(workflow: WorkflowAnalysis, sources: Mapping[str, Source]) -> ScriptReport:
    """Check every Python script that the workflow carries.

    sources: the functions behind the scripts, by template, where they are known.
    """
    problems: list[Problem] = []
    checked = 0
    for name, template in workflow.templates():
        text = python_source(template)
        if text is None:
            continue
        checked += 1
        function = sources.get(name)
        problems.extend(_source_problems(name, text, function))
        if function is not None:
            problems.extend(_argument_problems(workflow, name, text, function))
    return ScriptReport(problems, "no name from outside, no return" if checked else "none")


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


def _source_problems(name: str, written: str, function: Source | None) -> Iterator[Problem]:
    plain = _VARIABLE.sub("0", written)
    source = _filled_in(written)
    error = _error_of(source)
    parameter = _HERAS_LINE.match(line_of(written, error)) if error else None
    if parameter and not parameter[1].isidentifier():
        yield lint_error(
            f"script {name}: parameter {parameter[1]} cannot become a Python name",
            hint="name it as Python does, with underscores, or read it from an env variable",
        )
    elif error or source == plain:  # names that stand in for variables are no names of the program's
        yield from source_problems(name, source, function, written=written)


_HERAS_LINE: Final = re.compile(r"(?:try|except): *([^=]*?) *= *.*\{\{inputs\.")
"""How Hera reads a parameter, whatever its name is."""
_STAND_INS: Final = ("0", "x", "", "==", "pass")
"""What a variable may stand for: a value, a name, nothing, an operator, a statement."""
_MOST_TOGETHER: Final = 3
"""Variables at one place for which all combinations are tried."""


def _filled_in(written: str) -> str:
    """A program with stand-ins for its variables with which it can be parsed, or as far as with any."""
    text = written
    while error := _error_of(_VARIABLE.sub("0", text)):
        first, last = _lines_of(error)
        lines = text.split("\n")
        before, here, after = lines[: first - 1], "\n".join(lines[first - 1 : last]), lines[last:]
        variables = len(_VARIABLE.findall(here))
        if variables > _MOST_TOGETHER:
            return ""  # whether it is Python is seen when it runs
        tries = product(_STAND_INS, repeat=variables) if variables else ()
        texts = ("\n".join([*before, _with(here, words), *after]) for words in tries)
        readable = next((each for each in texts if _is_readable_until(each, last)), None)
        if readable is None:
            break
        text = readable
    return _VARIABLE.sub("0", text)


def _with(text: str, words: Iterable[str]) -> str:
    """A text with the words in place of its variables."""
    rest = iter(words)
    return _VARIABLE.sub(lambda _: next(rest), text)


def _is_readable_until(text: str, line: int) -> bool:
    error = _error_of(_VARIABLE.sub("0", text))
    return error is None or _lines_of(error)[0] > line


def _lines_of(error: Exception) -> tuple[int, int]:
    """The first and the last line of what cannot be parsed, from 1."""
    first = getattr(error, "lineno", None) or 1
    return first, max(first, getattr(error, "end_lineno", None) or first)


def _error_of(source: str) -> Exception | None:
    """Why a program cannot be parsed; None when it can."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError) as error:
        return error
    return None


# --- arguments ---


def _argument_problems(workflow: WorkflowAnalysis, name: str, source: str, function: Source) -> Iterator[Problem]:
    """Values that the script reads as another type than the function says, or that break its first lines."""
    for parameter, accepted in accepted_types(function).items():
        if f"json.loads(r'''{{{{inputs.parameters.{parameter}}}}}''')" not in source:
            continue
        values = islice(_values(workflow, name, parameter), _MOST_VALUES)
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


def _values(workflow: WorkflowAnalysis, name: str, parameter: str) -> Iterator[str]:
    """The texts that a parameter gets, over all calls and items, as far as they are known."""
    resolver = workflow.resolver
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
