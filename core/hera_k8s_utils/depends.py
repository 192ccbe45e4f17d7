"""The order of a dag's tasks: what `depends` and `dependencies` say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_NAME: Final = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_]*")
_OPERAND: Final = re.compile(r"([A-Za-z0-9_][-A-Za-z0-9_]*)(?:\.([A-Za-z]+))?")
_EXPRESSION: Final = re.compile(r"\s*(?:(&&|\|\||!|\(|\))|([A-Za-z0-9_][-A-Za-z0-9_]*(?:\.[A-Za-z]+)?))")

RESULTS: Final = frozenset(
    {"Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed"}
)
"""What may follow a task's name in `depends` (Argo 4.1, enhanced depends logic)."""


def dependencies(task: Mapping[str, Any]) -> Sequence[str]:
    """The tasks that a task waits for, each once."""
    depends = task.get("depends")
    if depends:
        if _NAME.fullmatch(depends):
            return (depends,)
        return list(dict.fromkeys(name for name, _ in _OPERAND.findall(depends)))
    return task.get("dependencies") or ()


def results(depends: str) -> list[tuple[str, str]]:
    """Each task of a `depends` expression with the result that is asked of it, or an empty text."""
    return _OPERAND.findall(depends)


def well_formed(depends: str) -> bool:
    """Whether an expression of `depends` is one: names joined by `&&` and `||`, with `!` and brackets."""
    if _NAME.fullmatch(depends):
        return True
    open_brackets, wants_name, position = 0, True, 0
    text = depends.rstrip()
    while position < len(text):
        token = _EXPRESSION.match(text, position)
        if token is None:
            return False
        sign, position = token[1], token.end()
        if wants_name:
            if sign in ("&&", "||", ")"):
                return False
            open_brackets += sign == "("
            wants_name = sign is not None
        else:
            if sign in (None, "!", "("):
                return False
            open_brackets -= sign == ")"
            wants_name = sign != ")"
        if open_brackets < 0:
            return False
    return not wants_name and open_brackets == 0


def in_order(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Tasks after all that they wait for; those on a cycle, or behind one, are left out. Unknown names are ignored.

    graph: task -> the tasks that it waits for.
    """
    waiting_for = {task: [name for name in wanted if name in graph] for task, wanted in graph.items()}
    missing = {task: len(wanted) for task, wanted in waiting_for.items()}
    followers: dict[str, list[str]] = {}
    for task, wanted in waiting_for.items():
        for name in wanted:
            followers.setdefault(name, []).append(task)
    order = [task for task, number in missing.items() if number == 0]
    for task in order:  # grows while it is read
        for follower in followers.get(task, ()):
            missing[follower] -= 1
            if missing[follower] == 0:
                order.append(follower)
    return order


def cycle(graph: Mapping[str, Iterable[str]], order: Iterable[str]) -> list[str]:
    """One cycle among the tasks that `in_order` left out, as a path that ends where it began; empty without one."""
    left = dict.fromkeys(graph)
    for task in order:
        left.pop(task, None)
    if not left:
        return []
    path: dict[str, None] = {}
    task = next(iter(left))
    while task not in path:
        path[task] = None
        task = next(name for name in graph[task] if name in left)
    tasks = list(path)
    return [*tasks[tasks.index(task) :], task]
