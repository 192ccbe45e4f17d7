"""The points of an indexed Job: a line for each index, in config maps that its pods see as files.

A line holds shell words, `growth_rate=2.5 seed=1 output=/results/...`, so that a shell reads it by `eval` and Python
by `shlex.split`. A thousand lines are one key of a config map, `00000`, `00001`, ...; as many keys as fit are one map.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hera_k8s_utils import BuildError, Inputs, Json, Point
from hera_k8s_utils._moved import forward
from hera_k8s_utils.labels import POINTS_LABEL, TASK_LABEL
from hera_k8s_utils.reading import parse_json
from hera_k8s_utils.sweep import TYPES, short_repr, to_text

LINES: Final = 1000
"""Lines of one key."""
MOST: Final = 100_000
"""Indexes of one Job."""
ROOM: Final = 900_000
"""Bytes of the values of one config map, which may have 1 MiB in all."""
DIRECTORY: Final = "/hera-k8s/points"
VARIABLE: Final = "HERA_K8S_POINTS"
"""The variable that names the directory in the pod."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_QUOTING: Final = frozenset("'\"\\")

Argument = Callable[[Point], Any] | Any
"""An argument of a task besides its point: a value, or a function of the point such as `layout.path`."""


def values_of(point: Point, arguments: Mapping[str, Argument]) -> dict[str, Any]:
    """The arguments of one task: its point, and the values of the other arguments for it."""
    given = dict(zip(point.names, point.values_tuple, strict=True))
    for name, value in arguments.items():
        if name in given:
            raise BuildError(f"arguments {{{name!r}: ...}}: {name} is already a parameter", hint="use another name")
        given[name] = value(point) if callable(value) else value
    return given


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """The arguments of one task as strings. Raises `BuildError` for names and values that cannot be passed."""
    return {_named(name): _text(name, value) for name, value in values.items()}


def _named(name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    raise BuildError(
        f"{name!r} cannot be an argument of a Job's task",
        found="it is not a valid variable name",
        hint=re.sub(r"\W", "_", name) or "letters, digits and underscores",
    )


def _text(name: str, value: Any) -> str:
    text = to_text(value) if type(value) in TYPES else value
    if not isinstance(text, str):
        raise BuildError(f"{name}={short_repr(value)} cannot be passed to a task", found=f"a {type(value).__name__}")
    if "\n" in text or "\r" in text:
        raise BuildError(f"{name}={short_repr(text)} cannot be passed to a task", found="it contains a line break")
    return text


def point_maps(
    name: str, task: str, inputs: Inputs, arguments: Mapping[str, Argument]
) -> tuple[list[Json], dict[str, set[type]]]:
    """The config maps that hold a line for each point, and the types of what the tasks are given, by name.

    Raises `BuildError` when there are more than 100,000 points.
    """
    if len(inputs) > MOST:
        raise BuildError(
            f"{len(inputs)} points are too many for one indexed Job",
            found=f"the maximum is {MOST}",
            hint="split the sweep: --set, --points, or several Jobs",
        )
    types: dict[str, set[type]] = {}
    lines = []
    for point in inputs:
        values = values_of(point, arguments)
        for given, value in values.items():
            types.setdefault(given, set()).add(type(value))
        lines.append(_line(texts_of(values)))
    blocks = {f"{n // LINES:05d}": "".join(lines[n : n + LINES]) for n in range(0, len(lines), LINES)}
    return [_config_map(f"{name}-points-{n}", task, data) for n, data in enumerate(_shared_out(blocks))], types


def _line(texts: Mapping[str, str]) -> str:
    return " ".join(f"{name}={shlex.quote(text)}" for name, text in texts.items()) + "\n"


def _shared_out(blocks: Mapping[str, str]) -> Iterator[dict[str, str]]:
    data: dict[str, str] = {}
    room = ROOM
    for key, text in blocks.items():
        size = len(text.encode())
        if size > ROOM:
            raise BuildError(
                f"the arguments of {LINES} tasks take {size} bytes",
                found=f"the maximum is {ROOM}",
                hint="pass shorter arguments",
            )
        if data and size > room:
            yield data
            data, room = {}, ROOM
        data[key] = text
        room -= size
    yield data


def _config_map(name: str, task: str, data: Mapping[str, str]) -> Json:
    metadata = {"name": name, "labels": {POINTS_LABEL: "true", TASK_LABEL: task}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": True, "data": dict(data)}


def volume_of(maps: Sequence[Json]) -> tuple[Json, Json]:
    """The volume, and its mount, in which a pod sees the points."""
    sources = [{"configMap": {"name": each["metadata"]["name"]}} for each in maps]
    volume = {"name": "hera-k8s-points", "projected": {"sources": sources}}
    return volume, {"name": "hera-k8s-points", "mountPath": DIRECTORY, "readOnly": True}


# --- in the pod --------------------------------------------------------------------------------------------------

SHELL: Final = f"""_line="$(sed -n "$((JOB_COMPLETION_INDEX % {LINES} + 1))p" \
"${VARIABLE}/$(printf %05d $((JOB_COMPLETION_INDEX / {LINES})))")"
test -n "$_line" || {{ echo "index $JOB_COMPLETION_INDEX has no point" >&2; exit 1; }}
eval "export $_line"
"""
"""What a shell does first, under `-e`: it exports what its index was given, and ends where it was given nothing."""

PYTHON: Final = f'''
def _given_to_this_index():
    import itertools, os, shlex
    index = int(os.environ["JOB_COMPLETION_INDEX"])
    name = os.path.join(os.environ["{VARIABLE}"], "%05d" % (index // {LINES}))
    with open(name, encoding="utf-8", newline="\\n") as lines:
        line = next(itertools.islice(lines, index % {LINES}, None))
    return dict(word.split("=", 1) for word in shlex.split(line))
'''
"""What a Python program does first."""


# --- read back ---------------------------------------------------------------------------------------------------


def lines_of(maps: Iterable[Json]) -> list[str]:
    """The lines of all points, by index."""
    blocks = {key: text for each in maps for key, text in (each.get("data") or {}).items()}
    return [line for key in sorted(blocks) for line in blocks[key].split("\n")[:-1]]


def parsed(line: str) -> dict[str, str]:
    """The arguments on a line; none when it is not one of these lines."""
    try:
        words = line.split() if _QUOTING.isdisjoint(line) else shlex.split(line)  # the latter takes ten times as long
    except ValueError:
        return {}
    return {name: text for name, equals, text in (word.partition("=") for word in words) if equals}


def of_annotation(text: str) -> dict[str, str]:
    """The arguments in the annotation of a Job."""
    try:
        found = parse_json(text) if text else {}
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


globals()["__getattr__"] = forward(__name__)  # old names; not as a `def`, or type checkers would accept any name
