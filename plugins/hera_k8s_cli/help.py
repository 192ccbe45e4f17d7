"""What `hera-k8s --help` shows: the commands by who declared them, and what holds for all of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from hera_k8s_utils._version import __version__
from hera_k8s_utils.config.global_flags import COMMON_HELP
from hera_k8s_utils.formatting import terminal_width
from hera_k8s_utils.plugins.manager import is_builtin

if TYPE_CHECKING:
    from hera_k8s_utils.plugins.manager import Registration
    from hera_k8s_utils.plugins.records import Command

PROGRAM: Final = "hera-k8s"

EXIT_CODES: Final = (
    (0, "done"),
    (1, "unexpected"),
    (2, "options"),
    (3, "plugins"),
    (4, "credentials"),
    (5, "checks failed"),
    (6, "build"),
    (7, "submit"),
    (8, "workflow failed"),
    (9, "a server refused or did not answer"),
    (10, "the submission's outcome is unknown"),
    (11, "the output could not be written"),
    (130, "interrupted"),
)

_OPTIONS: Final = """\
An option is a flag (--argo-server), a variable ($ARGO_SERVER) or a key of a configuration file (argo_server = ...); the
first of these counts, then the site's plugin, then the default. `-` and `_` are one. In files and variables a list is
written [a, b]. Files, the strongest first: --config FILE, $ARGOCONFIG, ./hera.config, ~/hera.config. `hera-k8s config`
shows what counts and why."""
_PURPOSE: Final = "write a numerical experiment once, run it on any cluster with Argo Workflows"
_VERSION: Final = ("--version", "version of this program")
_JSON: Final = "With --output json an error is a JSON object, the last line on stderr."
_EXAMPLES: Final = (
    ("hera-k8s run --sandbox", "experiment.py of this directory, on this machine"),
    ("hera-k8s check script.py:w", "what a Hera Workflow would lack on the cluster"),
)


def overview(commands: Sequence[Registration[Command]]) -> str:
    """The help of the program."""
    blocks = [
        textwrap.fill(f"{PROGRAM} {__version__}: {_PURPOSE}", terminal_width()),
        f"  {PROGRAM} COMMAND [FILE[:NAME]] [flags]\n  {PROGRAM} COMMAND --help",
        *_listings(commands),
        "examples:\n" + table(_EXAMPLES),
        "flags of every command, anywhere on the line:\n" + table([*COMMON_HELP, _VERSION]),
        epilog(),
    ]
    return "\n\n".join(blocks)


def group_overview(words: Sequence[str], commands: Sequence[Registration[Command]]) -> str:
    """The help of the first words of several commands."""
    return "\n\n".join([f"{PROGRAM} {' '.join(words)} ...", *_listings(commands)])


def _listings(commands: Sequence[Registration[Command]]) -> list[str]:
    blocks = []
    for title in dict.fromkeys(_title(each) for each in commands):
        mine = [each.record for each in commands if _title(each) == title]
        blocks.append(f"{title}:\n" + table([(command.name, command.summary) for command in mine]))
    return blocks


def _title(declared: Registration[Command]) -> str:
    return (
        "commands"
        if is_builtin(declared.distribution)
        else f"commands of plugin {declared.plugin} ({declared.distribution})"
    )


def epilog() -> str:
    """What holds for all commands: where options come from, and exit codes."""
    codes = ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES)
    return "\n\n".join([_filled("options", _OPTIONS), _filled("exit codes", f"{codes}. {_JSON}")])


def _filled(title: str, text: str) -> str:
    filled = textwrap.fill(text, terminal_width(), initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return f"{title}:\n{filled}"


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Two columns, the second filled to the width of the terminal."""
    rows = list(rows)
    left = min(max(len(name) for name, _ in rows), 30)
    indent = " " * (left + 4)
    lines = []
    for name, text in rows:
        head = f"  {name.ljust(left)}  "
        first = head if len(name) <= left else f"  {name}\n{indent}"
        lines.append(first + textwrap.fill(text, max(20, terminal_width() - len(indent)), subsequent_indent=indent))
    return "\n".join(lines)
