"""Patterns: regular expressions as Go's regexp takes them, refused where matching them could take ever longer.

Go matches in time that grows with the text alone; Python tries one way after another. A pattern is therefore analysed
before it is used: the number of ways to match a text of some length must stay within bounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

try:
    from re import _parser as _syntax  # type: ignore[attr-defined]
except ImportError:  # before Python 3.11
    import sre_parse as _syntax

_WAYS: Final = 8.0  # powers of ten: ways that may be tried in one search
_WAYS_OF_STEP: Final = 2.0  # powers of ten
_LONGEST: Final = 1_000_000  # characters of a text
_LONGEST_PATTERN: Final = 10_000  # characters
_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT")
_NOT_IN_GO: Final = ("ASSERT", "ASSERT_NOT", "GROUPREF", "GROUPREF_EXISTS", "ATOMIC_GROUP", "POSSESSIVE_REPEAT")


class PatternError(ValueError):
    """Matching the regular expression could take too long, or Go does not know it."""


def compile_pattern(pattern: str, text: str) -> re.Pattern[str]:
    """The compiled pattern, for a search in the text. Raises PatternError where it could take long, re.error."""
    found, power, ways = _analyse(pattern)
    longest = _longest(power, ways)
    if len(text) > longest:
        raise PatternError(f"the text is too long for the regular expression {pattern!r}: {longest} at most")
    return found


def search_cost(pattern: str, text: str) -> int:
    """The steps of an evaluation that a search costs. Raises as `compile_pattern` does."""
    compile_pattern(pattern, text)
    _, power, ways = _analyse(pattern)
    tried = power * math.log10(max(len(text), 1)) - math.log10(math.factorial(power)) + ways
    return int(10 ** (tried - _WAYS_OF_STEP))


def _longest(power: int, ways: float) -> int:
    if power == 0:
        return _LONGEST
    return min(_LONGEST, int(10 ** ((_WAYS - ways + math.log10(math.factorial(power))) / power)))


@lru_cache(maxsize=512)
def _analyse(pattern: str) -> tuple[re.Pattern[str], int, float]:
    """The compiled pattern, the power of a text's length with which the ways grow, their factor in powers of ten."""
    if len(pattern) > _LONGEST_PATTERN:
        raise PatternError("the regular expression is too long")
    tree = _syntax.parse(pattern)
    nodes = list(tree)
    while nodes and str(nodes[-1][0]) in _REPEATS and _is_plain(nodes[-1][1]):
        nodes.pop()  # at the very end it takes what it finds, and never has to give back
    anchored = bool(nodes) and str(nodes[0][1]) in ("AT_BEGINNING", "AT_BEGINNING_STRING")
    anchored = anchored and not tree.state.flags & re.MULTILINE
    endless, ways = _measure(nodes, pattern)
    power = endless + (0 if anchored else 1)
    if _WAYS - ways < power:
        raise PatternError(f"there are too many ways to match the regular expression {pattern!r}")
    return re.compile(pattern), power, ways


def _is_plain(repeat: tuple[Any, ...]) -> bool:
    return len(repeat[2]) == 1 and str(repeat[2][0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN")


def _measure(nodes: Iterable[Any], pattern: str) -> tuple[int, float]:
    """Repeats without bound on one way through, and how many ways there are besides, in powers of ten."""
    endless, ways = 0, 0.0
    for operator, argument in nodes:
        name = str(operator)
        if name in _NOT_IN_GO:
            raise PatternError(f"error parsing regexp: invalid or unsupported Perl syntax in {pattern!r}")
        if name in _REPEATS:
            more, other = _of_repeat(argument, pattern)
        elif name == "BRANCH":
            more, other = _of_branches(argument[1], pattern)
        elif name == "SUBPATTERN":
            more, other = _measure(argument[-1], pattern)
        else:
            more, other = 0, 0.0
        endless, ways = endless + more, ways + other
    return endless, ways


def _of_repeat(repeat: tuple[Any, ...], pattern: str) -> tuple[int, float]:
    least, most, body = repeat
    endless, ways = _measure(body, pattern)
    if most == _syntax.MAXREPEAT:
        if endless or ways:
            raise PatternError(f"the sandbox does not support nested quantifiers: {pattern!r}")
        return 1, 0.0
    return endless * int(most), ways * int(most) + math.log10(int(most) - int(least) + 1)


def _of_branches(branches: list[Any], pattern: str) -> tuple[int, float]:
    measured = [_measure(each, pattern) for each in branches]
    first = [str(each[0][1]).lower() if len(each) and str(each[0][0]) == "LITERAL" else "" for each in branches]
    decided = all(first) and len(set(first)) == len(first)  # by the next character
    choice = 0.0 if decided else math.log10(len(branches))
    return max(one for one, _ in measured), max(other for _, other in measured) + choice
