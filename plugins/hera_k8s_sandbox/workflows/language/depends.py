"""Depends: on which results of which tasks a task of a DAG waits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hera_k8s_utils._types import Json

Lookup = Callable[[str, str], bool]  # whether a task has a result
Expression = Callable[[Lookup], bool]

RESULTS: Final = frozenset(
    {"Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed"}
)
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<operator>&&|\|\||!|\(|\))|(?P<task>[A-Za-z0-9_][-A-Za-z0-9_]*)(?:\.(?P<result>[A-Za-z]+))?)"
)


class DependsError(ValueError):
    """A `depends` cannot be read."""


@dataclass(frozen=True)
class Depends:
    """What a task waits for.

    tasks: in the order in which they are named.
    holds: whether it should run.

    items: tasks of which AnySucceeded or AllFailed is asked, which only a fanned-out task has.
    """

    tasks: tuple[str, ...]
    holds: Expression
    items: frozenset[str] = frozenset()


def depends_of(task: Json, tasks: Mapping[str, Json]) -> Depends:
    """The dependencies of one task of a DAG; `tasks`: all of the DAG by name. Raises DependsError."""
    text = task.get("depends") or " && ".join(task.get("dependencies") or ())
    if not text.strip():
        return Depends((), lambda _: True)
    parser = _Parser(text, tasks)
    try:
        expression = parser.parse()
    except RecursionError:
        raise DependsError("depends is nested too deeply") from None
    return Depends(tuple(dict.fromkeys(parser.names)), expression, frozenset(parser.items))


class _Parser:
    def __init__(self, text: str, tasks: Mapping[str, Json]) -> None:
        self._text = text
        self._tasks = tasks
        self._tokens = self._split(text)
        self._position = 0
        self.names: list[str] = []
        self.items: list[str] = []

    def parse(self) -> Expression:
        expression = self._or()
        if self._position < len(self._tokens):
            raise DependsError(f"unexpected '{self._tokens[self._position][0]}' in depends '{self._text}'")
        return expression

    def _split(self, text: str) -> list[tuple[str, str, str]]:
        tokens, position = [], 0
        text = text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise DependsError(f"unexpected '{text[position:].strip()[0]}' in depends '{text}'")
            tokens.append((found[0].strip(), found["task"] or "", found["result"] or ""))
            position = found.end()
        return tokens

    def _or(self) -> Expression:
        terms = [self._and()]
        while self._take("||"):
            terms.append(self._and())
        return terms[0] if len(terms) == 1 else lambda lookup: any(term(lookup) for term in terms)

    def _and(self) -> Expression:
        terms = [self._not()]
        while self._take("&&"):
            terms.append(self._not())
        return terms[0] if len(terms) == 1 else lambda lookup: all(term(lookup) for term in terms)

    def _not(self) -> Expression:
        if self._take("!"):
            term = self._not()
            return lambda lookup: not term(lookup)
        if self._take("("):
            inner = self._or()
            if not self._take(")"):
                raise DependsError(f"missing ')' in depends '{self._text}'")
            return inner
        return self._result()

    def _result(self) -> Expression:
        if self._position == len(self._tokens) or not self._tokens[self._position][1]:
            raise DependsError(f"a task's name is missing in depends '{self._text}'")
        _, task, result = self._tokens[self._position]
        self._position += 1
        self.names.append(task)
        if not result:
            wanted = _default_results(self._tasks.get(task, {}))
            return lambda lookup: any(lookup(task, each) for each in wanted)
        if result not in RESULTS:
            raise DependsError(f"task result '{result}' for task '{task}' is invalid")
        if result in ("AnySucceeded", "AllFailed"):
            self.items.append(task)
        return lambda lookup: lookup(task, result)

    def _take(self, operator: str) -> bool:
        if self._position == len(self._tokens) or self._tokens[self._position][0] != operator:
            return False
        self._position += 1
        return True


def _default_results(task: Json) -> tuple[str, ...]:
    """What a bare task name means; `continueOn` of the named task widens it."""
    goes_on = task.get("continueOn") or {}
    wanted = ["Succeeded", "Skipped", "Daemoned"]
    if goes_on.get("error"):
        wanted.append("Errored")
    if goes_on.get("failed"):
        wanted.append("Failed")
    return tuple(wanted)
