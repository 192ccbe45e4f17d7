"""One command: its parser with its own arguments and all options, and the help of both."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hera_k8s_cli.help import PROGRAM, epilog, table
from hera_k8s_utils.config.arguments import CommandParser
from hera_k8s_utils.config.declared import owner_title
from hera_k8s_utils.config.global_flags import COMMON_HELP, RESERVED
from hera_k8s_utils.container.session import TAKES_EXPERIMENT
from hera_k8s_utils.errors import PluginError
from hera_k8s_utils.formatting import terminal_width

if TYPE_CHECKING:
    from hera_k8s_utils.config.options import OptionSpec
    from hera_k8s_utils.plugins.manager import Registration
    from hera_k8s_utils.plugins.records import Command

_EXPERIMENT: Final = "\n       (the options that the experiment declares are flags too, after FILE)"


def command_parser(declared: Registration[Command], specs: Sequence[OptionSpec]) -> CommandParser:
    """The parser of one command: its own arguments, then the options, by who declared them.

    Raises `PluginError` when the command and an option want the same flag, or when adding arguments fails.
    """
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


def command_help(parser: CommandParser) -> str:
    """The help of one command."""
    common = "flags of every command:\n" + table(COMMON_HELP)
    usage = " ".join(["usage:", parser.prog, *parser.positional_words(), "[flags]"])
    note = _EXPERIMENT if parser.get_default(TAKES_EXPERIMENT) else ""
    return "\n\n".join(filter(None, [usage + note, parser.format_help().strip(), common, epilog()]))


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
                f"two declare the flag {shared[0]}",
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
