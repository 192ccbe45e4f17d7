"""Filters of JSON paths: `?(@.kind=='a' && !(@.ready))`.

An item that lacks what its filter names does not pass, whatever else the filter says. In Argo's `jsonpath()`, `&&`,
`||` and `!` take booleans, `?(@.ready)` asks whether the value is true, and only numbers have an order. kubectl has a
single comparison, `?(@.ready)` asks whether the value is there, and texts have an order.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Find = Callable[[str], Any]
"""The value at a path of the item, or of the whole document. Raises FilterError."""
Expression = Callable[[Find], Any]

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<operator>&&|\|\||==|!=|<=|>=|[<>!()])
    | (?P<path>[@$](?:\.{1,2}[\w*-]+|\[(?:'[^']*'|"[^"]*"|[^\]'"])*\])*)
    | (?P<string>'[^']*'|"[^"]*")
    | (?P<word>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null)(?![\w.])
    )""",
    re.VERBOSE,
)
_ORDER: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class FilterError(ValueError):
    """A filter cannot be read, or cannot be applied to an item."""


class Filter:
    """One filter.

    text: what stands between `?(` and `)`.
    kubectl: whether it is one of kubectl's, not of Argo's `jsonpath()`.

    Raises FilterError when it cannot be read.
    """

    def __init__(self, text: str, *, kubectl: bool) -> None:
        self._kubectl = kubectl
        self._tokens = _tokens(text)
        self._position = 0
        if kubectl and sum(kind == "operator" for kind, _ in self._tokens) > 1:
            raise FilterError(f"unrecognized filter: kubectl has no && and || ({text})")
        try:
            self._expression = self._either()
        except RecursionError:
            raise FilterError("the filter is nested too deeply") from None
        if self._position < len(self._tokens):
            raise FilterError(f"unexpected {self._tokens[self._position][1]} in the filter {text}")

    def passes(self, find: Find) -> bool:
        """Whether an item passes."""
        try:
            found = self._expression(find)
        except FilterError:
            return False
        if self._kubectl and len(self._tokens) == 1:
            return True
        return found if isinstance(found, bool) else found is not None

    def _either(self) -> Expression:
        return self._joined("||", self._both, any)

    def _both(self) -> Expression:
        return self._joined("&&", self._negated, all)

    def _joined(self, sign: str, operand: Callable[[], Expression], join: Callable[[list[bool]], bool]) -> Expression:
        terms = [operand()]
        while self._take(sign):
            terms.append(operand())
        return terms[0] if len(terms) == 1 else lambda find: join([_boolean(term(find)) for term in terms])

    def _negated(self) -> Expression:
        if self._take("!"):
            term = self._negated()
            return lambda find: not _boolean(term(find))
        left = self._value()
        for sign in ("==", "!=", *_ORDER):
            if self._take(sign):
                return self._comparison(sign, left, self._value())
        return left

    def _value(self) -> Expression:
        if self._take("("):
            inner = self._either()
            if not self._take(")"):
                raise FilterError("a ) is missing in a filter")
            return inner
        kind, word = self._tokens[self._position] if self._position < len(self._tokens) else ("operator", "its end")
        self._position += 1
        if kind == "path":
            return lambda find: find(word)
        if kind == "operator":
            raise FilterError(f"unexpected {word} in a filter")
        constant = word[1:-1] if kind == "string" else json.loads(word)
        return lambda _: constant

    def _comparison(self, sign: str, left: Expression, right: Expression) -> Expression:
        ordered = (float, str) if self._kubectl else (float,)

        def compare(find: Find) -> bool:
            first, second = left(find), right(find)
            same = _kind(first) is _kind(second)
            if sign in ("==", "!="):
                return (same and first == second) == (sign == "==")
            if not same or _kind(first) not in ordered:
                raise FilterError(f"{sign} cannot compare these values")
            return bool(_ORDER[sign](first, second))

        return compare

    def _take(self, sign: str) -> bool:
        if self._position == len(self._tokens) or self._tokens[self._position] != ("operator", sign):
            return False
        self._position += 1
        return True


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(
                f"the sandbox does not support {text[position:].strip()[:100]} in the filter of a JSON path"
            )
        position = match.end()
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
    return found


def _kind(value: Any) -> type:
    return float if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise FilterError("it is no boolean")
    return value
