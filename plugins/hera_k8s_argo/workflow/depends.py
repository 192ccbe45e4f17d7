"""The order of a dag's tasks: what `depends` and `dependencies` say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
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

    tasks: the tasks by name, as the manifest holds them.
    graph: task -> what it waits for.
    order: tasks after all that they wait for, without those on or behind a cycle.
    cycle: one cycle, from a task to itself along what each waits for; empty without one.
    """

    tasks: Mapping[str, Mapping[str, Any]]
    graph: Mapping[str, Sequence[str]]
    order: Sequence[str]
    cycle: Sequence[str] = ()

    @classmethod
    def of(cls, tasks: Iterable[Mapping[str, Any]]) -> Dag:
        """Read from tasks as the manifest holds them."""
        by_name = {str(task.get("name")): task for task in tasks}
        graph = {name: dependencies(task) for name, task in by_name.items()}
        return cls(by_name, graph, *sort_tasks(graph))


def sort_tasks(graph: Mapping[str, Iterable[str]]) -> tuple[list[str], list[str]]:
    """Tasks after all that they wait for, and one cycle among them, if there is any.

    Those on a cycle, or behind one, are left out of the order. The cycle is a path that ends where it began: each task
    waits for the next. Unknown names are ignored.

    graph: task -> the tasks that it waits for.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(graph, ()))
    for task, wanted in graph.items():
        sorter.add(task, *(name for name in wanted if name in graph))
    cycle: list[str] = []
    try:
        sorter.prepare()
    except CycleError as error:  # as much as possible can be sorted all the same
        cycle = _from_first(graph, error.args[1][::-1])
    order: list[str] = []
    while ready := sorter.get_ready():
        order.extend(ready)
        sorter.done(*ready)
    return order, cycle


def _from_first(graph: Iterable[str], cycle: list[str]) -> list[str]:
    """The same cycle from the task on it that is written first."""
    tasks = cycle[:-1]
    start = tasks.index(next(task for task in graph if task in tasks))
    return [*tasks[start:], *tasks[:start], tasks[start]]
