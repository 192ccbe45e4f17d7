"""The graph of a template as SVG, drawn from the template itself.

    python -m hera_k8s_arkouda.graph_svg docs

writes a file for each template that deploys. Tasks are placed in columns, as late as their dependents allow; edges
implied by others are left out.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from hera_k8s_arkouda.templates import DEPLOY, DEPLOY_EXPORTER, METRICS_ENABLED, VERIFY_TASK, template_bodies
from hera_k8s_utils import Json, Manifest

Graph = dict[str, list[str]]

GRAPH_FILES: Final[Mapping[str, str]] = {DEPLOY: "deploy-arkouda.svg", DEPLOY_EXPORTER: "deploy-exporter.svg"}
"""The file of each template."""

_CHAR_WIDTH = 7  # approximately
_HEIGHT = 46
_GAP_X, _GAP_Y, _MARGIN = 54, 14, 16
_SHORT: Final = {"{{workflow.parameters.arkouda-instance-name}}": "I"}
_STYLE: Final = """
  text { font: 13px sans-serif; fill: #1f2933; }
  .what { font-size: 11px; fill: #52606d; }
  rect { fill: #f5f7fa; stroke: #7b8794; }
  .waits rect { fill: #e3f8ff; stroke: #1992d4; }
  .sometimes rect { stroke-dasharray: 5 3; }
  path { fill: none; stroke: #7b8794; stroke-width: 1.3px; marker-end: url(#arrow); }
"""


def draw(body: Json) -> str:
    """The SVG of a template's entry point, which must be a DAG."""
    tasks = _tasks(body)
    graph = _transitive_reduction({name: _dependencies(task) for name, task in tasks.items()})
    columns = _columns(graph)
    captions = _captions(body)
    wide = max(len(name) for name in tasks) * _CHAR_WIDTH + 20
    positions = _positions(columns, wide)
    width = _MARGIN * 2 + len(columns) * wide + (len(columns) - 1) * _GAP_X
    height = _MARGIN * 2 + max(map(len, columns)) * (_HEIGHT + _GAP_Y) - _GAP_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{escape(body['metadata']['name'])}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" style="fill:#7b8794;stroke:none;marker-end:none"/></marker></defs>',
        *(_arrow(positions[before], positions[name], wide) for name, needs in graph.items() for before in needs),
        *(
            _box(name, tasks[name], captions.get(str(tasks[name]["template"]), ""), at, wide)
            for name, at in positions.items()
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main(directory: str) -> None:
    """Write the files into a directory."""
    bodies = template_bodies()
    for name, file in GRAPH_FILES.items():
        Path(directory, file).write_text(draw(bodies[name]), encoding="utf-8")


def _tasks(body: Json) -> dict[str, Json]:
    entry = next(t for t in body["spec"]["templates"] if t["name"] == body["spec"]["entrypoint"])
    return {str(task["name"]): task for task in entry["dag"]["tasks"]}


def _dependencies(task: Json) -> list[str]:
    depends = str(task.get("depends") or "")
    return [word.removesuffix(".Succeeded") for word in depends.split(" && ") if word]


def _captions(body: Json) -> dict[str, str]:
    """What each template creates: `Deployment I-locale`."""
    found = {}
    for part in Manifest.of(body).resources():
        name = part.name
        for long, short in _SHORT.items():
            name = name.replace(long, short)
        found[part.template] = f"{part.kind} {name.replace('{{workflow.parameters.', '').replace('}}', '')}"
    return {VERIFY_TASK: "waits until all locales are ready", **found}


# --- layout --------------------------------------------------------------------------------------------------------


def _transitive_reduction(graph: Graph) -> Graph:
    """The graph without edges that others imply."""
    return {
        name: [n for n in needs if not any(n in _ancestors(graph, other) for other in needs if other != n)]
        for name, needs in graph.items()
    }


def _ancestors(graph: Graph, name: str) -> set[str]:
    found: set[str] = set()
    pending = list(graph[name])
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending += graph[one]
    return found


def _columns(graph: Graph) -> list[list[str]]:
    """Tasks by column; within a column, close to their dependencies."""
    followers: Graph = {name: [each for each, needs in graph.items() if name in needs] for name in graph}
    early: dict[str, int] = {}
    for name in _in_order(graph):
        early[name] = max((early[n] + 1 for n in graph[name]), default=0)
    column = dict(early)
    for name in reversed(_in_order(graph)):
        if followers[name]:
            column[name] = min(column[each] for each in followers[name]) - 1
    columns = [[name for name in graph if column[name] == index] for index in range(max(column.values()) + 1)]
    for before, here in itertools.pairwise(columns):
        rows = {name: row for row, name in enumerate(before)}
        here.sort(key=lambda name: _mean([rows[n] for n in graph[name] if n in rows], len(before)))
    return columns


def _in_order(graph: Graph) -> list[str]:
    """Every task after its dependencies."""
    return sorted(graph, key=lambda name: len(_ancestors(graph, name)))


def _mean(rows: Sequence[int], otherwise: float) -> float:
    return sum(rows) / len(rows) if rows else otherwise


def _positions(columns: Sequence[Sequence[str]], wide: int) -> dict[str, tuple[int, int]]:
    tallest = max(map(len, columns))
    positions = {}
    for index, names in enumerate(columns):
        left = _MARGIN + index * (wide + _GAP_X)
        top = _MARGIN + (tallest - len(names)) * (_HEIGHT + _GAP_Y) // 2
        for row, name in enumerate(names):
            positions[name] = (left, top + row * (_HEIGHT + _GAP_Y))
    return positions


# --- shapes --------------------------------------------------------------------------------------------------------


def _box(name: str, task: Json, what: str, place: tuple[int, int], wide: int) -> str:
    left, top = place
    kind = "waits" if name == VERIFY_TASK else "sometimes" if task.get("when") == METRICS_ENABLED else "makes"
    return (
        f'<g class="{kind}"><rect x="{left}" y="{top}" width="{wide}" height="{_HEIGHT}" rx="6"/>'
        f'<text x="{left + 10}" y="{top + 19}">{escape(name)}</text>'
        f'<text class="what" x="{left + 10}" y="{top + 36}">{escape(what)}</text></g>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int], wide: int) -> str:
    x1, y1 = start[0] + wide, start[1] + _HEIGHT // 2
    x2, y2 = end[0], end[1] + _HEIGHT // 2
    bend = (x2 - x1) // 2
    return f'<path d="M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"/>'


if __name__ == "__main__":
    main(sys.argv[1])
