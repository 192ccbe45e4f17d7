"""The help of the program and of each command; and the parser of a command."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from hera_k8s_utils._version import __version__
from hera_k8s_utils.config.declared import owner_title
from hera_k8s_utils.config.global_flags import COMMON_HELP, HELP_ALL, RESERVED
from hera_k8s_utils.container.session import TAKES_EXPERIMENT
from hera_k8s_utils.errors import PluginError, join_names
from hera_k8s_utils.formatting import terminal_width
from hera_k8s_utils.plugins.manager import is_builtin

if TYPE_CHECKING:
    from hera_k8s_utils.config.arguments import CommandParser
    from hera_k8s_utils.config.options import OptionSpec
    from hera_k8s_utils.plugins.manager import Registration
    from hera_k8s_utils.plugins.records import Command

PROGRAM: Final = "hera-k8s"

EXIT_CODES: Final = (
    (0, "done"),
    (1, "unexpected error"),
    (2, "options"),
    (3, "plugins"),
    (4, "credentials"),
    (5, "checks failed"),
    (6, "build"),
    (7, "submit"),
    (8, "workflow failed"),
    (9, "server error"),
    (10, "submission outcome unknown"),
    (11, "output could not be written"),
    (12, "no longer following"),
    (13, "run cannot be recorded"),
    (130, "interrupted"),
)

_OPTIONS: Final = """\
An option can be set by a flag (--argo-server), a variable ($ARGO_SERVER) or a key of a configuration file
(argo_server = ...), in this order of precedence; then come defaults of the site's plugin and built-in defaults. `-` and
`_` are equivalent. Lists in files and variables are written [a, b]. Files in order of precedence: --config FILE,
$ARGOCONFIG, ./hera.config, ~/hera.config. `hera-k8s config` shows values and their sources."""
_PURPOSE: Final = "write a numerical experiment once, run it on any cluster with Argo Workflows"
_VERSION: Final = ("--version", "show the version")
_JSON: Final = "With --output json, the last line on stderr is a JSON object."
_EXPERIMENT: Final = "\n       (options of the experiment are flags too: FILE --help shows them)"
_EXAMPLES: Final = (
    ("hera-k8s run --sandbox", "run ./experiment.py on this machine"),
    ("hera-k8s check script.py:w", "check the Hera Workflow w on the cluster"),
)


# --- of the program --------------------------------------------------------------------------------------------


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


# --- of one command --------------------------------------------------------------------------------------------


def command_parser(declared: Registration[Command], specs: Sequence[OptionSpec]) -> CommandParser:
    """The parser of one command: its own arguments, then the options, by who declared them.

    Raises `PluginError` when the command and an option want the same flag, or when adding arguments fails.
    """
    # Slow to import, and the list of commands does without.
    from hera_k8s_utils.config.arguments import CommandParser

    command = declared.record
    program = f"{PROGRAM} {command.name}"
    parser = CommandParser(program, _description(command), "")
    if command.arguments is not None:
        try:
            command.arguments(parser)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(
                f"command {command.name} of plugin {declared.plugin} ({declared.distribution}) has unusable arguments",
                found=f"{type(error).__name__}: {error}",
                hint=f"--no-plugin {declared.plugin}",
            ) from error
    _refuse_shared_flags(declared, parser.flags(), specs)
    _refuse_reserved_flags(declared, parser.flags())
    for title in dict.fromkeys(owner_title(spec.owner) for spec in specs):
        parser.add_options(title, [spec for spec in specs if owner_title(spec.owner) == title])
    return parser


def command_help(parser: CommandParser, hidden: Sequence[OptionSpec] = ()) -> str:
    """The help of one command.

    hidden: options that the parser does not show; without any, the sources of options and exit codes are shown too.
    """
    common = "flags of every command:\n" + table(COMMON_HELP)
    usage = " ".join(["usage:", parser.prog, *parser.positional_words(), "[flags]"])
    note = _EXPERIMENT if parser.get_default(TAKES_EXPERIMENT) else ""
    last = _more(parser, hidden) if hidden else epilog()
    return "\n\n".join(filter(None, [usage + note, parser.format_help().strip(), common, last]))


def essential(declared: Registration[Command], parser: CommandParser, spec: OptionSpec) -> bool:
    """Whether `--help` shows an option: the command's own, and those about experiments where it is about one."""
    from hera_k8s_utils.config.settings import CoreSettings

    own = spec.owner.command == declared.record.name or spec.owner.settings is declared.record.settings
    about_experiments = spec.owner.settings is CoreSettings and bool(parser.get_default(TAKES_EXPERIMENT))
    return own or about_experiments


def _more(parser: CommandParser, hidden: Sequence[OptionSpec]) -> str:
    owners = join_names(list(dict.fromkeys(spec.owner.plugin or "hera-k8s-utils" for spec in hidden)))
    return _filled("more", f"`{parser.prog} {HELP_ALL}` also lists {len(hidden)} options of {owners}, and exit codes.")


def _description(command: Command) -> str:
    summary = textwrap.fill(command.summary[:1].upper() + command.summary[1:] + ".", terminal_width())
    if not command.example:
        return summary
    lines = command.example.strip().splitlines()
    return summary + "\n\nexample:\n" + "\n".join(f"  {line.strip()}" for line in lines)


def _refuse_shared_flags(declared: Registration[Command], own: Sequence[str], specs: Sequence[OptionSpec]) -> None:
    for spec in specs:
        shared = [flag for flag in spec.flags if flag in own]
        if shared:
            plugin = spec.owner.plugin or declared.plugin
            raise PluginError(
                f"flag {shared[0]} is declared twice",
                found=f"command {declared.record.name} of plugin {declared.plugin} ({declared.distribution}) and "
                f"{spec.owner.display_name}",
                hint=f"--no-plugin {plugin}",
            )


def _refuse_reserved_flags(declared: Registration[Command], own: Sequence[str]) -> None:
    reserved = sorted(RESERVED.intersection(own))
    if reserved:
        raise PluginError(
            f"command {declared.record.name} of plugin {declared.plugin} ({declared.distribution}) cannot be used",
            found=f"it declares {reserved[0]}, which is a flag of every command",
            hint=f"--no-plugin {declared.plugin}",
        )


# --- of both ---------------------------------------------------------------------------------------------------


def epilog() -> str:
    """Sources of options, and exit codes."""
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
        filled = textwrap.wrap(text, max(20, terminal_width() - len(indent)), break_on_hyphens=False)
        lines.append(first + f"\n{indent}".join(filled))
    return "\n".join(lines)
