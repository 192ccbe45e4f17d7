"""The order of a dag's tasks: what `depends` and `dependencies` say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_NAME: Final = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_]*")
_ALL_OF: Final = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_]*(?: *&& *[A-Za-z0-9_][-A-Za-z0-9_]*)*")
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
    if _ALL_OF.fullmatch(depends):
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


@dataclass(frozen=True)
class Dag:
    """The tasks of a dag template.

    graph: task -> what it waits for. order: tasks after all that they wait for, without those on or behind a cycle.
    """

    tasks: Mapping[str, Mapping[str, Any]]
    graph: Mapping[str, Sequence[str]]
    order: Sequence[str]

    @classmethod
    def of(cls, tasks: Iterable[Mapping[str, Any]]) -> Dag:
        """Read from tasks as the manifest holds them."""
        by_name = {str(task.get("name")): task for task in tasks}
        graph = {name: dependencies(task) for name, task in by_name.items()}
        return cls(by_name, graph, in_order(graph))


def in_order(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Tasks after all that they wait for; those on a cycle, or behind one, are left out. Unknown names are ignored.

    graph: task -> the tasks that it waits for.
    """
    missing = dict.fromkeys(graph, 0)
    followers: dict[str, list[str]] = {}
    for task, wanted in graph.items():
        for name in wanted:
            if name in graph:
                followers.setdefault(name, []).append(task)
                missing[task] += 1
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
