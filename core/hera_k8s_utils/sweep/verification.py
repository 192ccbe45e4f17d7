"""The steps of the proof that a layout fits a sweep; none trusts the strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from hera_k8s_utils.errors import BuildError
from hera_k8s_utils.sweep.inputs import Point
from hera_k8s_utils.sweep.values import short_repr

if TYPE_CHECKING:
    from hera_k8s_utils.sweep.layout import Layout

SEGMENT_LIMIT: Final = 255
_BITS_A_POINT: Final = 32
_MOST_BITS: Final = 1 << 29  # 64 MiB


def check_collisions(layout: Layout, room: int) -> None:
    """Raise `BuildError` for two points with one path, or a path that leaves the root or exceeds a limit.

    Exact, in two passes: the first sets a bit for the hash of each path and keeps the few bits that were set before, by
    equal paths or by chance; the second compares the paths behind those.
    room: bytes that a path may have below the root.
    """
    bits = min(_MOST_BITS, 1 << max(10, (len(layout.inputs) * _BITS_A_POINT - 1).bit_length()))
    seen = bytearray(bits // 8)
    suspects: set[int] = set()
    short = min(SEGMENT_LIMIT, room)  # bytes; a character has at most 4
    for point, path in zip(layout.inputs, layout.paths(), strict=True):
        if not _is_plain(path) or len(path) * 4 > short:
            _refuse_unfit(layout, point, path, room)
        bit = hash(path) % bits
        mask = 1 << (bit & 7)
        if seen[bit >> 3] & mask:
            suspects.add(bit)
        else:
            seen[bit >> 3] |= mask
    if suspects:
        _compare(layout, suspects, bits)


def _is_plain(path: str) -> bool:
    """A quick look that lets most paths pass: nothing in it can be one of the names that a closer look refuses."""
    if not isinstance(path, str):
        return False
    inside = "//" not in path and "./" not in path and "\0" not in path
    return inside and path[:1] != "/" and path[-1:] not in ("/", ".", "")


def _compare(layout: Layout, suspects: set[int], bits: int) -> None:
    first: dict[str, int] = {}
    for position, path in enumerate(layout.paths()):
        if hash(path) % bits not in suspects:
            continue
        if path in first:
            _refuse_pair(layout, first[path], position, path)
        first[path] = position


def _refuse_pair(layout: Layout, one: int, other: int, path: str) -> NoReturn:
    points = layout.inputs[one], layout.inputs[other]
    if points[0] == points[1]:
        raise BuildError(
            f"points {one + 1} and {other + 1} of the sweep are the same",
            found=f"both are {points[0]}",
            hint="list each value, and each point, once",
        )
    left_out = [name for name in layout.inputs.names if points[0][name] != points[1][name]]
    raise BuildError(
        f"the layout {layout.strategy} gives two points one path",
        found=f"({points[0]}) and ({points[1]}) both have {short_repr(path, most=200)}",
        hint=f"the points differ in {', '.join(left_out)}: name it in the path, behind a separator, or use hive",
    )


def _refuse_unfit(layout: Layout, point: Point, path: str, room: int) -> None:
    """Raise `BuildError` for a path that leaves the root or is too long; an empty one is the one point's own root."""
    if not isinstance(path, str):
        raise BuildError(f"the layout {layout.strategy} gives no path", found=f"({point}) has {short_repr(path)}")
    segments = path.split("/")
    wrong = ""
    if path.startswith("/"):
        wrong = "it is absolute"
    elif ".." in segments:
        wrong = "it holds '..'"
    elif (not path and layout.inputs.names) or (path and "" in segments):
        wrong = "it has an empty segment"
    elif "." in segments:
        wrong = "it holds '.'"
    elif "\0" in path:
        wrong = "it holds a NUL"
    if wrong:
        raise BuildError(
            f"the layout {layout.strategy} leads out of its root",
            found=f"({point}) has the path {short_repr(path, most=200)}: {wrong}",
        )
    _refuse_long(layout, point, path, room)


def _refuse_long(layout: Layout, point: Point, path: str, room: int) -> None:
    longest = max(path.split("/"), key=lambda segment: len(segment.encode()))
    size = len(longest.encode())
    if size > SEGMENT_LIMIT:
        found = f"({point}) needs a name of {size} bytes, {short_repr(longest)}; file systems take {SEGMENT_LIMIT}"
    elif len(path.encode()) > room:
        found = f"({point}) needs a path of {len(path.encode())} bytes below the root; {room} are left"
    else:
        return
    raise BuildError(
        f"the layout {layout.strategy} makes too long a path", found=found, hint="--layout hashed, or shorter values"
    )


def check_readable(layout: Layout, most: int) -> int:
    """Read paths back to their points, all or about `most` of them; returns how many.

    Raises `BuildError` with the first that comes back as another point.
    """
    count = len(layout.inputs)
    chosen = range(0, count, max(1, -(-count // most)))
    for position in chosen:
        _read_back(layout, layout.inputs[position])
    if chosen[-1] != count - 1:
        _read_back(layout, layout.inputs[count - 1])
        return len(chosen) + 1
    return len(chosen)


def _read_back(layout: Layout, point: Point) -> None:
    path = layout.relative(point)
    try:
        found = layout.point(path)
    except BuildError as error:
        raise BuildError(
            f"the layout {layout.strategy} cannot read its paths back",
            found=f"({point}) has {short_repr(path, most=200)}: {error.wanted}: {error.found}",
        ) from None
    if found != point:
        raise BuildError(
            f"the layout {layout.strategy} cannot read its paths back",
            found=f"({point}) has {short_repr(path, most=200)}, which is read as ({found})",
            hint="separate the parameters by a character that their values do not hold",
        )
