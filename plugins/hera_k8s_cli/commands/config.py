"""`hera-k8s config`: every effective value and where it came from."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from hera_k8s_utils.config.options import SourcePriority
from hera_k8s_utils.container.session import Session, experiment_argument
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from hera_k8s_utils.config.options import OptionRow, ResolvedOptions


def arguments(parser: ArgumentParser) -> None:
    """FILE, for the options that an experiment declares."""
    experiment_argument(parser, default=None)
    parser.add_argument("--set-only", action="store_true", help="omit options at their default")


def run(session: Session) -> int:
    """Show the options; those of an experiment too when one is named."""
    resolved = _resolved(session)
    rows = [
        row for row in resolved.rows() if not (session.arguments.set_only and row.origin.rank == SourcePriority.DEFAULT)
    ]
    if session.json:
        session.console().document({"files": list(resolved.files), "options": [_plain(row) for row in rows]})
        return 0
    _show(session, resolved, rows)
    return 0


def _resolved(session: Session) -> ResolvedOptions:
    if session.arguments.file is None:
        return session.options
    with session.container(session.file) as container:
        return container.settings()


def _plain(row: OptionRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "value": row.value,
        "source": row.origin.where,
        "rank": row.origin.rank,
        "secret": row.secret,
        "owner": row.owner,
        "variables": list(row.variables),
        "help": row.help,
    }


def _show(session: Session, resolved: ResolvedOptions, rows: list[OptionRow]) -> None:
    from hera_k8s_cli.terminal.stream import Span
    from hera_k8s_utils.formatting import align_columns

    console = session.console()
    lines = align_columns([(row.name, _text(row.value), row.origin.where) for row in rows], gap=2)
    owner = ""
    for row, line in zip(rows, lines, strict=True):
        if row.owner != owner:
            console.result(Span(row.owner, "strong"))
            owner = row.owner
        console.result("  ", Span(line, "dim" if row.origin.rank == SourcePriority.DEFAULT else "plain"))
    console.result()
    console.result("configuration files: ", ", ".join(resolved.files) or "none")


def _text(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


COMMAND = Command(
    name="config",
    run=run,
    summary="show options, values and their sources; secrets are hidden",
    example="hera-k8s config --set-only\nHERA_K8S_REGISTRY=harbor.example hera-k8s config --output json",
    arguments=arguments,
)
