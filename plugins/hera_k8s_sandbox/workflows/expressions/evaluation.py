"""Evaluation: the value of an expression's tree."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cmp_to_key
from typing import Any, Final

from hera_k8s_sandbox.foundation.patterns import compile_pattern, search_cost
from hera_k8s_sandbox.workflows.expressions import times
from hera_k8s_sandbox.workflows.expressions.bounds import EXCEEDED, Budget, bounded, cost_of
from hera_k8s_sandbox.workflows.expressions.errors import ExpressionError, UnknownFunction
from hera_k8s_sandbox.workflows.expressions.functions import FUNCTIONS
from hera_k8s_sandbox.workflows.expressions.syntax import PREDICATES, TOO_DEEP, Tree
from hera_k8s_sandbox.workflows.expressions.values import compare, is_number, kind_of

_MAKING: Final = frozenset(("call", "binary", "unary", "list", "map", "slice"))  # kinds of trees that make values
_MISSING: Final = object()


def functions_of(tree: Tree) -> Iterator[str]:
    """The names of all functions that a tree calls."""
    if tree.kind == "call":
        yield str(tree.value)
    for part in tree.parts:
        yield from functions_of(part)


def methods_of(tree: Tree) -> Iterator[str]:
    """The names of all methods that a tree calls."""
    if tree.kind == "method":
        yield str(tree.value)
    for part in tree.parts:
        yield from methods_of(part)


def names_of(tree: Tree, bound: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names that a tree takes from outside."""
    if tree.kind == "name" and tree.value not in bound:
        yield str(tree.value)
    if tree.kind == "let":
        yield from names_of(tree.parts[0], bound)
        yield from names_of(tree.parts[1], bound | {tree.value})
        return
    for part in tree.parts:
        yield from names_of(part, bound)


def require_functions(tree: Tree) -> None:
    """Raises UnknownFunction for one that is not there."""
    for name in functions_of(tree):
        if name not in FUNCTIONS and name not in PREDICATES:
            raise UnknownFunction(name)
    for name in methods_of(tree):
        if name not in times.METHODS:
            raise UnknownFunction(name)


def value_of(tree: Tree, names: Mapping[str, Any]) -> Any:
    """The value of a tree. Raises ExpressionError."""
    try:
        return _Evaluator(names).value(tree)
    except RecursionError:
        raise ExpressionError(TOO_DEEP) from None
    except MemoryError:
        raise ExpressionError(EXCEEDED) from None
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError, re.error) as error:
        if isinstance(error, ExpressionError):
            raise
        raise ExpressionError(str(error)) from None


class _Evaluator:
    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = dict(names)
        self._items: list[dict[str, Any]] = []
        self._budget = Budget()

    def value(self, tree: Tree) -> Any:
        self._budget.spend(1)
        find: Callable[[Tree], Any] = getattr(self, f"_{tree.kind}")
        found = find(tree)
        if tree.kind in _MAKING:
            self._budget.take(found)
        return found

    def _value(self, tree: Tree) -> Any:
        return tree.value

    def _name(self, tree: Tree) -> Any:
        if tree.value == "$env":
            return self._names
        if tree.value not in self._names:
            raise ExpressionError(f"unknown name {tree.value}")
        return self._names[tree.value]

    def _pointer(self, tree: Tree) -> Any:
        if not self._items or tree.value not in self._items[-1]:
            raise ExpressionError(f"cannot use pointer accessor {tree.value} outside predicate")
        return self._items[-1][tree.value]

    def _let(self, tree: Tree) -> Any:
        before = self._names.get(tree.value, _MISSING)
        self._names[tree.value] = self.value(tree.parts[0])
        try:
            return self.value(tree.parts[1])
        finally:
            if before is _MISSING:
                del self._names[tree.value]
            else:
                self._names[tree.value] = before

    def _list(self, tree: Tree) -> list[Any]:
        return [self.value(part) for part in tree.parts]

    def _map(self, tree: Tree) -> dict[str, Any]:
        keys, values = tree.parts[::2], tree.parts[1::2]
        return {str(self.value(key)): self.value(value) for key, value in zip(keys, values, strict=True)}

    def _choose(self, tree: Tree) -> Any:
        condition = self.value(tree.parts[0])
        if not isinstance(condition, bool):
            raise ExpressionError(f"non-bool expression (type {kind_of(condition)}) used as condition")
        return self.value(tree.parts[1] if condition else tree.parts[2])

    def _unary(self, tree: Tree) -> Any:
        value = self.value(tree.parts[0])
        if tree.value == "not":
            return not _boolean("not", value)
        if not is_number(value):
            raise ExpressionError(f"invalid operation: {tree.value} (mismatched type {kind_of(value)})")
        return -value if tree.value == "-" else value

    def _member(self, tree: Tree) -> Any:
        holder, key = self.value(tree.parts[0]), self.value(tree.parts[1])
        if holder is None:
            if tree.value:
                return None
            raise ExpressionError(f"cannot fetch {key} from <nil>")
        if isinstance(holder, dict):
            return holder.get(key)
        if isinstance(holder, (list, str)) and isinstance(key, int) and not isinstance(key, bool):
            if not -len(holder) <= key < len(holder):
                raise ExpressionError(f"index out of range: {key} (array length is {len(holder)})")
            return holder[key]
        raise ExpressionError(f"type {kind_of(holder)} has no field {key}")

    def _slice(self, tree: Tree) -> Any:
        holder, start, end = (self.value(part) for part in tree.parts)
        if not isinstance(holder, (list, str)):
            raise ExpressionError(f"cannot slice {kind_of(holder)}")
        return holder[start:end]

    def _binary(self, tree: Tree) -> Any:
        operator = tree.value
        left = self._try(tree.parts[0]) if operator == "??" else self.value(tree.parts[0])
        if operator == "??":
            return self.value(tree.parts[1]) if left is None else left
        if operator == "||":
            return _boolean("||", left) or _boolean("||", self.value(tree.parts[1]))
        if operator == "&&":
            return _boolean("&&", left) and _boolean("&&", self.value(tree.parts[1]))
        right = self.value(tree.parts[1])
        if times.is_time(left) or times.is_time(right):
            return times.calculate(operator, left, right)
        self._budget.spend(cost_of(left, right))
        if operator == "matches":
            self._pay_for_search(right, left)
        return _OPERATORS[operator](left, right)

    def _try(self, tree: Tree) -> Any:
        """What may be missing on its way: expr-lang makes each step of a member before `??` optional."""
        if tree.kind == "member":
            holder = self._try(tree.parts[0])
            if holder is None:
                return None
        return self.value(tree)

    def _call(self, tree: Tree) -> Any:
        if tree.value in PREDICATES:
            return self._predicated(tree)
        function = FUNCTIONS.get(tree.value)
        if function is None:
            raise UnknownFunction(tree.value)
        given = [self.value(part) for part in tree.parts]
        self._budget.spend(cost_of(*given))
        if tree.value.startswith("sprig.regex"):
            self._pay_for_search(*given[:2])
        return function(*given)

    def _pay_for_search(self, *pattern_and_text: Any) -> None:
        if len(pattern_and_text) == 2 and all(isinstance(one, str) for one in pattern_and_text):
            self._budget.spend(search_cost(*pattern_and_text))

    def _method(self, tree: Tree) -> Any:
        if len(tree.parts) > 1:
            raise ExpressionError(f"too many arguments to call {tree.value}")
        return times.method(self.value(tree.parts[0]), str(tree.value))

    def _predicate(self, _: Tree) -> Any:
        raise ExpressionError("a predicate stands where a value is wanted")

    # Functions that are given a predicate

    def _predicated(self, tree: Tree) -> Any:
        if not tree.parts:
            raise ExpressionError(f"not enough arguments to call {tree.value}")
        items = self.value(tree.parts[0])
        if not isinstance(items, list):
            raise ExpressionError(f"builtin {tree.value} takes only array (got {kind_of(items)})")
        if tree.value == "reduce":
            return self._reduce(tree, items)
        if len(tree.parts) < 2:
            if tree.value == "sum":
                return sum(items)
            if tree.value == "count":
                return sum(1 for item in items if _boolean("count", item))
            raise ExpressionError(f"not enough arguments to call {tree.value}")
        body = tree.parts[1].parts[0]

        def of(index: int) -> Any:
            return self._within(body, {"#": items[index], "#index": index})

        if tree.value in ("map", "sum"):
            found = [of(index) for index in range(len(items))]
            return found if tree.value == "map" else sum(found)
        if tree.value == "groupBy":
            groups: dict[Any, list[Any]] = {}
            for index, item in enumerate(items):
                groups.setdefault(of(index), []).append(item)
            return groups
        if tree.value == "sortBy":
            return self._sort_by(tree, items, of)
        return _picked(tree.value, items, of)

    def _sort_by(self, tree: Tree, items: list[Any], of: Callable[[int], Any]) -> list[Any]:
        backwards = len(tree.parts) > 2 and self.value(tree.parts[2]) == "desc"
        rank: dict[int, Any] = {index: of(index) for index in range(len(items))}

        def before(one: int, two: int) -> int:
            return compare(rank[one], rank[two])

        return [items[index] for index in sorted(rank, key=cmp_to_key(before), reverse=backwards)]

    def _reduce(self, tree: Tree, items: list[Any]) -> Any:
        body = tree.parts[1].parts[0]
        if len(tree.parts) > 2:
            total, rest = self.value(tree.parts[2]), list(enumerate(items))
        elif items:
            total, rest = items[0], list(enumerate(items))[1:]
        else:
            raise ExpressionError("reduce of empty array with no initial value")
        for index, item in rest:
            total = self._within(body, {"#": item, "#index": index, "#acc": total})
        return total

    def _within(self, body: Tree, pointers: dict[str, Any]) -> Any:
        self._items.append(pointers)
        try:
            return self.value(body)
        finally:
            self._items.pop()


def _picked(name: str, items: list[Any], of: Callable[[int], Any]) -> Any:
    order = range(len(items))
    if name in ("findLast", "findLastIndex"):
        order = range(len(items) - 1, -1, -1)
    hits = (index for index in order if _boolean(name, of(index)))
    if name == "any":
        return next(hits, None) is not None
    if name == "none":
        return next(hits, None) is None
    if name == "all":
        return all(_boolean(name, of(index)) for index in order)
    if name in ("find", "findLast"):
        return next((items[index] for index in hits), None)
    if name in ("findIndex", "findLastIndex"):
        return next(hits, -1)
    found = [items[index] for index in hits]
    return {"filter": found, "count": len(found), "one": len(found) == 1}[name]


def _boolean(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(f"invalid operation: {where} (mismatched type {kind_of(value)})")
    return value


def _mismatched(operator: str, left: Any, right: Any) -> ExpressionError:
    return ExpressionError(f"invalid operation: {operator} (mismatched types {kind_of(left)} and {kind_of(right)})")


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _ordered(operator: str, wanted: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    def apply(left: Any, right: Any) -> bool:
        if not (is_number(left) and is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
            raise _mismatched(operator, left, right)
        return wanted(compare(left, right))

    return apply


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return _calculated("+", lambda a, b: a + b)(left, right)


def _calculated(operator: str, apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def calculate(left: Any, right: Any) -> Any:
        if not is_number(left) or not is_number(right):
            raise _mismatched(operator, left, right)
        return apply(left, right)

    return calculate


def _divide(left: float, right: float) -> float:
    if right == 0:  # as floats of Go divide
        return math.nan if left == 0 else math.copysign(math.inf, left)
    return left / right


def _remainder(left: Any, right: Any) -> int:
    if not isinstance(left, int) or not isinstance(right, int):
        raise _mismatched("%", left, right)
    if right == 0:
        raise ExpressionError("integer divide by zero")
    return int(math.fmod(left, right))


def _power(left: float, right: float) -> float:
    if abs(right) > 10_000:
        raise ExpressionError("the exponent is too large")
    return math.pow(left, right)


def _range(left: Any, right: Any) -> list[int]:
    if not isinstance(left, int) or not isinstance(right, int):
        raise _mismatched("..", left, right)
    bounded(right - left)
    return list(range(left, right + 1))


def _in(left: Any, right: Any) -> bool:
    if right is None:
        return False
    if isinstance(right, dict):
        return left in right
    if isinstance(right, list):
        return any(_equal(left, each) for each in right)
    raise ExpressionError(f'operator "in" not defined on {kind_of(right)}')


def _on_texts(operator: str, apply: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def check(left: Any, right: Any) -> bool:
        if not isinstance(left, str) or not isinstance(right, str):
            raise _mismatched(operator, left, right)
        return apply(left, right)

    return check


_OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered("<", lambda found: found < 0),
    "<=": _ordered("<=", lambda found: found <= 0),
    ">": _ordered(">", lambda found: found > 0),
    ">=": _ordered(">=", lambda found: found >= 0),
    "in": _in,
    "matches": _on_texts("matches", lambda left, right: compile_pattern(right, left).search(left) is not None),
    "contains": _on_texts("contains", lambda left, right: right in left),
    "startsWith": _on_texts("startsWith", str.startswith),
    "endsWith": _on_texts("endsWith", str.endswith),
    "..": _range,
    "+": _add,
    "-": _calculated("-", lambda left, right: left - right),
    "*": _calculated("*", lambda left, right: left * right),
    "/": _calculated("/", _divide),
    "%": _calculated("%", _remainder),
    "**": _calculated("**", _power),
}
