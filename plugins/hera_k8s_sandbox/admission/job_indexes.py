"""Indexes of jobs: sets of completion indexes in the form that a Job's status holds them, such as `0,2-5`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def parse_indexes(text: str | None, completions: int) -> set[int]:
    """The indexes below `completions` that a text names; what cannot be read in it is left out."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, dash, last = part.partition("-")
        if first.isdigit() and (last.isdigit() or not dash):
            found.update(range(int(first), min(int(last or first), completions - 1) + 1))
    return found


def format_indexes(indexes: Iterable[int]) -> str:
    """The text of a set: three or more in a row are an interval."""
    return ",".join(_runs(sorted(indexes)))


def _runs(ordered: list[int]) -> Iterator[str]:
    start = 0
    for place, index in enumerate(ordered):
        if place + 1 < len(ordered) and ordered[place + 1] == index + 1:
            continue
        first = ordered[start]
        if index == first:
            yield str(index)
        else:
            yield f"{first},{index}" if index == first + 1 else f"{first}-{index}"
        start = place + 1


def first_missing(taken: set[int], count: int, completions: int) -> list[int]:
    """The first `count` indexes below `completions` that are not taken."""
    found: list[int] = []
    for index in range(completions):
        if len(found) >= count:
            break
        if index not in taken:
            found.append(index)
    return found


def count_indexes(text: str, completions: int) -> int:
    """How many indexes a text names that a user wrote. Raises ValueError in the API server's words."""
    total, previous = 0, None
    for part in text.split(",") if text else ():
        first, last = _interval(part, completions)
        if previous is not None and previous >= first:
            raise _unordered(previous, first)
        total, previous = total + last - first + 1, last
    return total


def _interval(text: str, completions: int) -> tuple[int, int]:
    limits = text.split("-")
    if len(limits) > 2:
        rule = "an index interval can have at most two parts separated by '-'"
        raise ValueError(f'the fragment "{text}" violates the requirement that {rule}')
    numbers = [_limit(each, completions) for each in limits]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise _unordered(numbers[0], numbers[1])
    return numbers[0], numbers[-1]


def _limit(text: str, completions: int) -> int:
    if not text.isdigit():
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise ValueError(f'too large index: "{text}"')
    return int(text)


def _unordered(previous: int, current: int) -> ValueError:
    return ValueError(f"non-increasing order, previous: {previous}, current: {current}")
