"""Syntax: from the text of an expression to its tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from hera_k8s_sandbox.workflows.expressions.errors import ExpressionError
from hera_k8s_sandbox.workflows.expressions.values import LARGEST_INTEGER


@dataclass(frozen=True, slots=True)
class Tree:
    """One node of a tree.

    kind: which.
    parts: trees below.
    value: a literal, a name or an operator.
    """

    kind: str
    parts: tuple[Tree, ...] = ()
    value: Any = None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, name, operator, end
    value: Any
    place: int


_TOKENS: Final = re.compile(
    r"""\s*(?:
    (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<hex>0[xX][0-9a-fA-F_]+)
    | (?P<float>\d[\d_]*\.\d[\d_]*(?:[eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.\d+(?:[eE][-+]?\d+)?)
    | (?P<integer>\d[\d_]*)
    | (?P<double>"(?:\\.|[^"\\])*") | (?P<single>'(?:\\.|[^'\\])*') | (?P<raw>`[^`]*`)
    | (?P<pointer>\#\w*)
    | (?P<name>[^\W\d$][\w$]*|\$\w*)
    | (?P<operator>\?\.|\?\?|\?:|\.\.|\*\*|&&|\|\||==|!=|<=|>=|[-+*/%^<>!?:.,;=|()\[\]{}])
    )""",
    re.VERBOSE | re.DOTALL,
)
_NAMESPACE: Final = "sprig"  # whose members are functions; those of values are methods
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)

# precedences as expr-lang's documentation orders them
_BINARY: Final = {
    "|": 0,
    "||": 10,
    "or": 10,
    "&&": 15,
    "and": 15,
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">=", "in", "matches", "contains", "startsWith", "endsWith"), 20),
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
_RIGHT: Final = ("**", "^")
_NEGATABLE: Final = ("in", "matches", "contains", "startsWith", "endsWith")
_UNARY: Final = {"not": 50, "!": 50, "-": 90, "+": 90}
PREDICATES: Final = frozenset(
    ("all", "any", "one", "none", "map", "filter", "find", "findIndex", "findLast", "findLastIndex")
) | {"count", "sum", "groupBy", "sortBy", "reduce"}
_DEEPEST: Final = 100
TOO_DEEP: Final = "the expression is nested too deeply"
_MOST_DIGITS: Final = 1000


@lru_cache(maxsize=2048)
def parse(text: str) -> Tree:
    """The tree of an expression. Raises ExpressionError."""
    try:
        return _Parser(text).parse()
    except (RecursionError, MemoryError):
        raise ExpressionError(TOO_DEEP) from None


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    while (position := _blank_from(text, position)) < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            raise ExpressionError(f"unrecognized character {text[position]!r} (1:{position + 1})")
        position, kind = match.end(), str(match.lastgroup)
        if kind != "comment":
            found.append(_token(kind, match[kind], match.start(kind)))
    return [*found, _Token("end", "", len(text))]


def _blank_from(text: str, position: int) -> int:
    """The position after spaces."""
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _token(kind: str, text: str, place: int) -> _Token:
    if kind in ("hex", "integer"):
        digits = text.replace("_", "")
        if len(digits) > _MOST_DIGITS or (value := int(digits, 16 if kind == "hex" else 10)) > LARGEST_INTEGER:
            raise ExpressionError(f"integer literal is too large (1:{place + 1})")
        return _Token("number", value, place)
    if kind == "float":
        return _Token("number", float(text.replace("_", "")), place)
    if kind == "raw":
        return _Token("text", text[1:-1], place)
    if kind in ("double", "single"):
        return _Token("text", _ESCAPE.sub(_unescaped, text[1:-1]), place)
    return _Token(kind, text, place)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else _ESCAPES.get(found[3], found[3])


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._position = 0
        self._depth = 0

    def parse(self) -> Tree:
        tree = self._sequence()
        if self._now.kind != "end":
            raise self._unexpected()
        return tree

    @property
    def _now(self) -> _Token:
        return self._tokens[self._position]

    def _unexpected(self) -> ExpressionError:
        token = self._now
        if token.kind == "end":
            return ExpressionError(f"unexpected end of expression (1:{token.place + 1})")
        return ExpressionError(f"unexpected token {token.value!r} (1:{token.place + 1})")

    def _is(self, *values: str) -> bool:
        return self._now.kind in ("operator", "name") and self._now.value in values

    def _take(self, *values: str) -> bool:
        if self._is(*values):
            self._position += 1
            return True
        return False

    def _need(self, value: str) -> None:
        if not self._take(value):
            raise self._unexpected()

    def _name(self) -> str:
        token = self._now
        if token.kind != "name":
            raise self._unexpected()
        self._position += 1
        return str(token.value)

    def _sequence(self) -> Tree:
        if self._now.kind == "name" and self._is("let"):
            self._position += 1
            name = self._name()
            self._need("=")
            value = self._expression()
            self._need(";")
            return Tree("let", (value, self._sequence()), name)
        return self._expression()

    def _expression(self, least: int = 0) -> Tree:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionError(TOO_DEEP)
        left = self._prefix()
        while True:
            token = self._now
            operator = token.value if token.kind in ("operator", "name") else ""
            negated = operator == "not" and self._tokens[self._position + 1].value in _NEGATABLE
            if negated:
                operator = self._tokens[self._position + 1].value
            precedence = _BINARY.get(operator, -1)
            if precedence < least:
                break
            self._position += 2 if negated else 1
            left = self._binary(left, operator, precedence)
            if negated:
                left = Tree("unary", (left,), "not")
        if least == 0:
            left = self._conditional(left)
        self._depth -= 1
        return left

    def _binary(self, left: Tree, operator: str, precedence: int) -> Tree:
        if operator == "|":
            return self._postfix(self._call(self._name(), (left,)))
        right = self._expression(precedence if operator in _RIGHT else precedence + 1)
        return Tree("binary", (left, right), {"or": "||", "and": "&&", "^": "**"}.get(operator, operator))

    def _conditional(self, condition: Tree) -> Tree:
        if self._take("?:"):
            return Tree("choose", (condition, condition, self._expression()))
        if not self._take("?"):
            return condition
        first = self._expression()
        self._need(":")
        return Tree("choose", (condition, first, self._expression()))

    def _prefix(self) -> Tree:
        token = self._now
        if token.kind in ("operator", "name") and token.value in _UNARY:
            self._position += 1
            tree = Tree("unary", (self._expression(_UNARY[token.value]),), {"!": "not"}.get(token.value, token.value))
            return self._postfix(tree)
        return self._postfix(self._atom())

    def _atom(self) -> Tree:
        token = self._now
        if self._take("("):
            inner = self._sequence()
            self._need(")")
            return inner
        if self._take("["):
            return Tree("list", self._many("]"))
        if self._take("{"):
            return self._map()
        if self._is(".") and self._tokens[self._position + 1].kind == "name":  # within a predicate: of its item
            return Tree("pointer", value="#")
        if token.kind == "end" or token.kind == "operator":
            raise self._unexpected()
        self._position += 1
        if token.kind in ("number", "text"):
            return Tree("value", value=token.value)
        if token.kind == "pointer":
            return Tree("pointer", value=token.value)
        constants: dict[str, Any] = {"true": True, "false": False, "nil": None, "null": None}
        if token.value in constants:
            return Tree("value", value=constants[token.value])
        if self._is("("):
            return self._call(token.value)
        return Tree("name", value=token.value)

    def _call(self, name: str, given: tuple[Tree, ...] = ()) -> Tree:
        path = name
        while given and self._take("."):  # x | sprig.trim()
            path = f"{path}.{self._name()}"
        self._need("(")
        return Tree("call", (*given, *self._arguments(path, len(given))), path)

    def _arguments(self, name: str, given: int) -> tuple[Tree, ...]:
        if name not in PREDICATES:
            return self._many(")")
        found: list[Tree] = []
        while not self._take(")"):
            if found:
                self._need(",")
                if self._take(")"):
                    break
            found.append(self._predicate() if given + len(found) == 1 else self._expression())
        return tuple(found)

    def _predicate(self) -> Tree:
        if self._take("{"):
            body = self._sequence()
            self._need("}")
            return Tree("predicate", (body,))
        return Tree("predicate", (self._expression(),))

    def _many(self, closing: str) -> tuple[Tree, ...]:
        found: list[Tree] = []
        while not self._take(closing):
            if found:
                self._need(",")
                if self._take(closing):
                    break
            found.append(self._expression())
        return tuple(found)

    def _map(self) -> Tree:
        found: list[Tree] = []
        while not self._take("}"):
            if found:
                self._need(",")
                if self._take("}"):
                    break
            found.append(self._key())
            self._need(":")
            found.append(self._expression())
        return Tree("map", tuple(found))

    def _key(self) -> Tree:
        token = self._now
        if self._take("("):
            inner = self._expression()
            self._need(")")
            return inner
        if token.kind not in ("name", "text", "number"):
            raise self._unexpected()
        self._position += 1
        return Tree("value", value=str(token.value))

    def _postfix(self, tree: Tree) -> Tree:
        while True:
            if self._take("."):
                tree = self._member(tree, optional=False)
            elif self._take("?."):
                tree = self._index(tree, optional=True) if self._take("[") else self._member(tree, optional=True)
            elif self._take("["):
                tree = self._index(tree, optional=False)
            else:
                return tree

    def _member(self, tree: Tree, *, optional: bool) -> Tree:
        name = self._name()
        if self._is("("):
            path = _path(tree)
            if path == _NAMESPACE:
                return self._call(f"{path}.{name}")
            self._need("(")
            return Tree("method", (tree, *self._many(")")), name)
        return Tree("member", (tree, Tree("value", value=name)), optional)

    def _index(self, tree: Tree, *, optional: bool) -> Tree:
        start = None if self._is(":") else self._expression()
        if self._take(":"):
            end = None if self._is("]") else self._expression()
            self._need("]")
            nothing = Tree("value")
            return Tree("slice", (tree, start or nothing, end or nothing))
        self._need("]")
        assert start is not None
        return Tree("member", (tree, start), optional)


def _path(tree: Tree) -> str:
    """`sprig.trim` of a function that is a member; empty for what is none."""
    if tree.kind == "name":
        return str(tree.value)
    if tree.kind == "member" and tree.parts[1].kind == "value":
        before = _path(tree.parts[0])
        return f"{before}.{tree.parts[1].value}" if before else ""
    return ""
