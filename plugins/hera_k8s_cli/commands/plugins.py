"""`hera-k8s plugins`: what is installed, what each plugin declares, and why one is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hera_k8s_utils.container.session import Session
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from hera_k8s_cli.terminal.console import Console
    from hera_k8s_cli.terminal.stream import Style
    from hera_k8s_utils.plugins.manager import PluginInfo


def run(session: Session) -> int:
    """List the plugins."""
    from hera_k8s_cli.terminal.console import console_of

    listing = session.plugins.listing()
    console = console_of(session)
    if session.json:
        problems = list(session.plugins.problems)
        console.document({"plugins": [_plain(info) for info in listing], "problems": problems})
        return 0
    widest = max((len(info.name) for info in listing), default=0)
    for info in listing:
        _show(console, info, widest)
    for clash in session.plugins.clashes:
        console.result()
        console.result(clash)
    return 0


def _plain(info: PluginInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "distribution": info.distribution,
        "module": info.module,
        "state": info.state,
        "reason": info.reason,
        "declares": {hook: list(names) for hook, names in info.declares.items()},
    }


def _show(console: Console, info: PluginInfo, widest: int) -> None:
    from hera_k8s_cli.terminal.stream import Span

    style: Style = "good" if info.state == "loaded" else "warn" if info.state == "disabled" else "bad"
    console.result(Span(info.name.ljust(widest), "strong"), "  ", Span(info.state, style), f"  {info.distribution}")
    indent = " " * (widest + 2)
    if info.reason:
        console.result(indent, info.reason)
    for hook, names in info.declares.items():
        console.result(indent, Span(hook.replace("_", " "), "dim"), f": {', '.join(names)}" if names else "")


COMMAND = Command(
    name="plugins",
    run=run,
    summary="list plugins, what they declare, and why one is unused",
    example="hera-k8s plugins\nhera-k8s plugins --output json",
    configures=False,
)
