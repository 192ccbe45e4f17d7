"""Conditions: the expressions of `when`, as govaluate reads them for Argo.

Words without quotes are strings, numbers are numbers, and nothing converts one into the other: `1 == "1"` is false.
"""

from __future__ import annotations

import math
import operator as arithmetic
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from hera_k8s_sandbox.foundation.patterns import PatternError, compile_pattern


class ConditionError(ValueError):
    """A condition cannot be read or evaluated; the message is Argo's."""


class _Token(NamedTuple):
    kind: str
    value: Any


_TOKENS: Final = re.compile(
    r"""\s*(?:
    (?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w]))
    | (?P<double>"(?:\\.|[^"\\])*") | (?P<single>'(?:\\.|[^'\\])*')
    | (?P<operator>&&|\|\||==|!=|=~|!~|<=|>=|\*\*|[-<>!()+*/%,])
    | (?P<word>[^\W\d]\w*(?:\.\w+)*)
    )""",
    re.VERBOSE,
)


def holds(condition: str) -> bool:
    """Whether a condition, its tags replaced, is true; an empty one is. Raises ConditionError."""
    if not condition.strip():
        return True
    try:
        value = _Parser(_tokens(condition), condition).parse()
    except RecursionError:
        raise ConditionError("Invalid 'when' expression: it is nested too deeply") from None
    except _Unreadable as error:
        hint = ' (hint: try wrapping the affected expression in quotes ("))' if error.token else ""
        raise ConditionError(f"Invalid 'when' expression '{condition}': {error}{hint}") from None
    except _Unusable as error:
        raise ConditionError(f"Failed to evaluate 'when' expresion '{condition}': {error}") from None  # Argo's spelling
    if not isinstance(value, bool):
        raise ConditionError(f"Expected boolean evaluation for '{condition}'. Got {value}")
    return value


class _Unreadable(ValueError):
    def __init__(self, message: str, *, token: bool = False) -> None:
        super().__init__(message)
        self.token = token


class _Unusable(ValueError):
    pass


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            raise _Unreadable(f"Invalid token: '{text[position:].split()[0]}'", token=True)
        position = match.end()
        found.append(_token(match))
    return found


def _token(match: re.Match[str]) -> _Token:
    kind, text = str(match.lastgroup), match[str(match.lastgroup)]
    if kind == "number":
        return _Token("value", float(text))
    if kind in ("double", "single"):
        return _Token("value", re.sub(r"\\(.)", r"\1", text[1:-1]))
    if kind == "word":
        if text == "in":
            return _Token("operator", "in")
        return _Token("value", {"true": True, "false": False}.get(text, text))
    return _Token("operator", text)


_COMPARATORS: Final = ("==", "!=", "<", "<=", ">", ">=", "=~", "!~", "in")


class _Parser:
    """Recursive descent, a method for each precedence."""

    def __init__(self, tokens: list[_Token], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._position = 0

    def parse(self) -> Any:
        value = self._or()
        if self._position < len(self._tokens):
            raise _Unreadable(f"Cannot transition token types at '{self._tokens[self._position].value}'")
        return value

    def _or(self) -> Any:
        return self._chain(self._and, ("||",), lambda _, left, right: _boolean(left, "||") or _boolean(right, "||"))

    def _and(self) -> Any:
        return self._chain(
            self._comparison, ("&&",), lambda _, left, right: _boolean(left, "&&") and _boolean(right, "&&")
        )

    def _comparison(self) -> Any:
        return self._chain(self._sum, _COMPARATORS, _compare)

    def _sum(self) -> Any:
        return self._chain(self._product, ("+", "-"), _calculate)

    def _product(self) -> Any:
        return self._chain(self._prefix, ("*", "/", "%", "**"), _calculate)

    def _prefix(self) -> Any:
        if self._take("!"):
            return not _boolean(self._prefix(), "!")
        if self._take("-"):
            return -_number(self._prefix(), "-")
        return self._atom()

    def _atom(self) -> Any:
        if self._take("("):
            values = [self._or()]
            while self._take(","):
                values.append(self._or())
            if not self._take(")"):
                raise _Unreadable("Unbalanced parenthesis")
            return values if len(values) > 1 else values[0]
        if self._position == len(self._tokens):
            raise _Unreadable("Unexpected end of expression")
        token = self._tokens[self._position]
        if token.kind != "value":
            raise _Unreadable(f"Invalid token: '{token.value}'", token=True)
        self._position += 1
        return token.value

    def _chain(
        self, operand: Callable[[], Any], operators: tuple[str, ...], apply: Callable[[str, Any, Any], Any]
    ) -> Any:
        value = operand()
        while (operator := self._next_of(operators)) is not None:
            value = apply(operator, value, operand())
        return value

    def _next_of(self, operators: tuple[str, ...]) -> str | None:
        return next((operator for operator in operators if self._take(operator)), None)

    def _take(self, operator: str) -> bool:
        if self._position == len(self._tokens) or self._tokens[self._position] != ("operator", operator):
            return False
        self._position += 1
        return True


def _boolean(value: Any, operator: str) -> bool:
    if not isinstance(value, bool):
        raise _Unusable(f"Value '{value}' cannot be used with the logical operator '{operator}', it is not a bool")
    return value


def _number(value: Any, operator: str) -> float:
    if isinstance(value, bool) or not isinstance(value, float):
        raise _Unusable(f"Value '{value}' cannot be used with the modifier '{operator}', it is not a number")
    return value


def _compare(operator: str, left: Any, right: Any) -> bool:
    if operator == "in":
        return any(_same(left, each) for each in (right if isinstance(right, list) else [right]))
    if operator in ("==", "!="):
        return _same(left, right) == (operator == "==")
    if operator in ("=~", "!~"):
        return _matches(left, right) == (operator == "=~")
    if type(left) is not type(right) or isinstance(left, (bool, list)):
        culprit = right if isinstance(left, float) else left
        raise _Unusable(f"Value '{culprit}' cannot be used with the comparator '{operator}', it is not a number")
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _matches(value: Any, pattern: Any) -> bool:
    try:
        return compile_pattern(str(pattern), str(value)).search(str(value)) is not None
    except (PatternError, re.error) as error:
        raise _Unusable(f"Unable to compile regexp pattern '{pattern}': {error}") from None


def _calculate(operator: str, left: Any, right: Any) -> Any:
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        return f"{left}{right}"
    first, second = _number(left, operator), _number(right, operator)
    if operator in ("/", "%") and second == 0:
        raise _Unusable("division by zero")
    return _ARITHMETIC[operator](first, second)


_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": arithmetic.add,
    "-": arithmetic.sub,
    "*": arithmetic.mul,
    "/": arithmetic.truediv,
    "%": math.fmod,  # as in Go, the sign is the dividend's
    "**": arithmetic.pow,
}
