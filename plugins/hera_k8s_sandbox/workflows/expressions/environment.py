"""Environment: the flat values of a workflow's tags as the nested names of an expression, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hera_k8s_sandbox.workflows.expressions.errors import ExpressionError
from hera_k8s_sandbox.workflows.expressions.evaluation import names_of, require_functions, value_of
from hera_k8s_sandbox.workflows.expressions.syntax import TOO_DEEP, parse
from hera_k8s_sandbox.workflows.expressions.values import formatted, kind_of


def check(text: str) -> None:
    """Whether an expression can be read and calls only what is there. Raises ExpressionError, UnknownFunction."""
    tree = parse(text)
    try:
        require_functions(tree)
    except RecursionError:
        raise ExpressionError(TOO_DEEP) from None


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression; values: those of tags, by their dotted names. Raises ExpressionError."""
    tree = parse(text)
    try:
        names = set(names_of(tree))
    except RecursionError:
        raise ExpressionError(TOO_DEEP) from None
    return value_of(tree, environment(values, names))


def holds(text: str, values: Mapping[str, Any]) -> bool:
    """Whether a condition such as a hook's is true. Raises ExpressionError."""
    found = evaluate(text, values)
    if not isinstance(found, bool):
        raise ExpressionError(f"unable to cast expression result '{formatted(found)}' to bool ({kind_of(found)})")
    return found


def shown(text: str, values: Mapping[str, Any]) -> str | None:
    """What stands in place of `{{=text}}`; None where it cannot be had yet, or never."""
    try:
        found = evaluate(text, values)
    except ExpressionError:
        return None
    return None if found is None else formatted(found)


def environment(values: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """Nested maps from dotted names, of those roots only that are wanted.

    Where one name is the beginning of another, the longer is taken, as Argo does.
    """
    roots = set(wanted)
    nested: dict[str, Any] = {}
    for name in values:
        root, _, rest = name.partition(".")
        if root not in roots:
            continue
        holder, key = nested, root
        for part in rest.split(".") if rest else ():
            below = holder.get(key)
            if not isinstance(below, dict):
                below = holder[key] = {}
            holder, key = below, part
        if not isinstance(holder.get(key), dict):
            holder[key] = values[name]
    return nested
