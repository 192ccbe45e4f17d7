"""`hera-k8s layout`: the inputs, the tree of their paths, and the proof that they fit. Asks no server."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from hera_k8s_utils.container.session import Session, experiment_argument
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hera_k8s_cli.terminal.console import Console
    from hera_k8s_cli.terminal.stream import Glyphs
    from hera_k8s_utils.container.container import ExperimentContainer

_MOST_POINTS: Final = 20_000
"""Points whose paths make up the tree; a longer sweep shows the tree of its first ones, and says so."""
_HEAD, _TAIL = 3, 2
"""Entries shown at the beginning and at the end of each directory."""


def arguments(parser: ArgumentParser) -> None:
    """Which experiment."""
    experiment_argument(parser)
    parser.add_argument("--all", action="store_true", help="list every path, one per line, instead of the tree")


def run(session: Session) -> int:
    """Show what the experiment is made of and where each point would write."""
    from hera_k8s_cli.terminal.console import console_of

    console = console_of(session)
    with session.container(session.file) as container:
        if console.json:
            _for_programs(container, console)
        elif session.arguments.all:
            for path in container.layout().paths():
                console.result(path)
        else:
            _for_people(container, console)
    return 0


def _for_programs(container: ExperimentContainer, console: Console) -> None:
    from hera_k8s_utils.experiment.model import requirement_fields

    layout, inputs = container.layout(), container.inputs()
    proof = layout.verify()
    console.document(
        {
            "experiment": container.described().name,
            "inputs": inputs.to_json(),
            "layout": layout.strategy,
            "root": _root(container, layout),
            "proof": {"points": proof.points, "paths": proof.paths, "detail": proof.detail},
            "requirements": [requirement_fields(r) for r in container.environment().requirements],
            "paths": list(layout.paths()),
        }
    )


def _for_people(container: ExperimentContainer, console: Console) -> None:
    from hera_k8s_cli.commands.run import requirement_line
    from hera_k8s_cli.terminal.stream import Span

    inputs, experiment = container.inputs(), container.described()
    loaded = container.definition()
    console.head([(experiment.name, inputs.describe(), loaded.source if loaded else "")])
    for name, values in inputs.parameters.items():
        console.result(f"  {name:18} ", _few([_legible(value) for value in values]))
    for name, value in inputs.constants.items():
        console.result(f"  {name:18} ", f"{_legible(value)}  (constant)")
    if requirements := container.environment().requirements:
        console.result()
        console.result(Span("Environment", "strong"))
    for requirement in requirements:
        console.result(f"  {requirement_line(requirement)}")
    if inputs.names:
        _show_paths(container, console)


def _show_paths(container: ExperimentContainer, console: Console) -> None:
    from hera_k8s_cli.terminal.stream import Span

    layout = container.layout()
    root = _root(container, layout) or "nothing is mounted, so there is no root"
    console.result()
    console.result(Span(f"Layout {layout.strategy}", "strong"), f"   {root}")
    for line in tree_lines(tree(islice(layout.paths(), _MOST_POINTS)), console.out.glyphs):
        console.result(f"  {line}")
    if len(layout.inputs) > _MOST_POINTS:
        console.result(f"  (the tree shows the first {_MOST_POINTS} points)")
    console.result()
    detail = layout.verify().detail.replace(container.run_id(), _shown_run(container))
    console.result(Span(console.out.glyphs.passed, "good"), f" {detail}")


def _root(container: ExperimentContainer, layout: Any) -> str:
    """The results' root; a run id that was made up for the occasion is shown as `<run>`."""
    from hera_k8s_utils.errors import BuildError

    try:
        root = str(layout.root)
    except BuildError:
        return ""
    return root.replace(container.run_id(), _shown_run(container))


def _shown_run(container: ExperimentContainer) -> str:
    return container.core().run_id or "<run>"


def _legible(value: object) -> str:
    """A value as text; one that would not be seen, such as the empty text, as Python writes it."""
    text = str(value)
    return text if text.strip() == text and text.isprintable() and text else repr(value)


def _few(texts: list[str]) -> str:
    if len(texts) <= _HEAD + _TAIL + 1:
        return ", ".join(texts)
    return f"{', '.join(texts[:_HEAD])}, ..., {', '.join(texts[-_TAIL:])}  ({len(texts)} values)"


# --- the tree --------------------------------------------------------------------------------------------------


def tree(paths: Iterable[str]) -> dict[str, Any]:
    """Relative paths as nested dicts, in their order."""
    root: dict[str, Any] = {}
    for path in paths:
        here = root
        for segment in path.split("/") if path else ():
            here = here.setdefault(segment, {})
    return root


def tree_lines(children: dict[str, Any], signs: Glyphs) -> list[str]:
    """The tree as people draw it; what is in the middle of a long directory is counted, not shown."""
    names = list(children)
    hidden = len(names) - _HEAD - _TAIL
    shown: list[str | None] = [*names]
    if hidden > 1:
        shown = [*names[:_HEAD], None, *names[-_TAIL:]]
    lines: list[str] = []
    for position, name in enumerate(shown):
        last = position == len(shown) - 1
        if name is None:
            lines.append(f"{signs.branch}{signs.ellipsis} {hidden} more")
            continue
        lines.append(f"{signs.last if last else signs.branch}{name}")
        indent = "   " if last else signs.trunk
        lines += [indent + line for line in tree_lines(children[name], signs)]
    return lines


COMMAND = Command(
    name="layout",
    run=run,
    summary="show inputs and the verified tree of paths, offline",
    example="hera-k8s layout\nhera-k8s layout --layout hashed --set seed=1,2,3 --output json",
    arguments=arguments,
)
