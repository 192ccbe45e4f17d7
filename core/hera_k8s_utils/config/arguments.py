"""The ConfigArgParse parsers that read the options: flags, environment variables and configuration files.

`OptionParser` reads all three for `resolve`, and so for `build_container`; `CommandParser` parses the command line of
one command, once: `resolve` takes its flags as they are. What ConfigArgParse finds in variables and files is taken from
its `get_source_to_settings_dict()`: values as written, which `conversion` turns into the types of the options.

Three of ConfigArgParse's extension points are used, each for something that its own behaviour would lose:

- `config_file_parser_class` is `ConfigFormat`. It keeps line numbers and repeated keys, and its errors quote no line.
- `get_possible_config_keys` takes `-` and `_` for the same.
- `convert_item_to_command_line_arg` puts no value on the command line, where it would hide what weaker sources hold for
  the same option: lists of NAME=VALUE are merged over all sources, and an overridden secret must be masked as well. For
  the same reason flags are parsed in one call, variables and files in another; `resolve` ranks them.

ConfigArgParse patches argparse when it is imported, which happens here and in `compat.argument_parser` only.
"""

from __future__ import annotations

import argparse
import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from hera_k8s_utils.config.conversion import switch
from hera_k8s_utils.config.declared import UnavailablePlugin
from hera_k8s_utils.config.files import ConfigFile, Entry
from hera_k8s_utils.config.global_flags import dashed, is_flag
from hera_k8s_utils.config.options import FlagOccurrence, OptionSpec, OptionType, ParsedFlags, canonical
from hera_k8s_utils.errors import OptionsError
from hera_k8s_utils.formatting import terminal_width
from hera_k8s_utils.names import nearest

if TYPE_CHECKING:
    from argparse import ArgumentParser

    ConfigFileParser = object
else:
    from configargparse import ArgumentParser, ConfigFileParser

_HARMLESS: Final = re.compile(r"--[a-z]+(-[a-z]+)*")
"""What a message may quote of an unknown flag: lower-case words; a token has digits or capitals."""
_NAME: Final = re.compile(r"--?[A-Za-z][\w-]{0,40}$")
_OPTION: Final = "option "
"""Prefix of the attributes of a parsed command line that hold flags of options."""
_READ: Final = "--\0read"
"""A flag that stands for a value from a variable or a file; nobody can type it."""


# --- parsers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ParsedArguments:
    """A parsed command line.

    arguments: the command's own arguments.
    flags: the flags of options.
    """

    arguments: argparse.Namespace
    flags: ParsedFlags = field(repr=False)


class ConfigFormat(ConfigFileParser):
    """The format of configuration files, for ConfigArgParse. A key's value is a list of `Entry`, one for each line."""

    def parse(self, stream: ConfigFile) -> Mapping[str, list[Entry]]:
        """The entries of a file by canonical key. Raises `OptionsError` naming the line that cannot be read."""
        found: dict[str, list[Entry]] = {}
        for entry in stream.entries:
            found.setdefault(canonical(entry.key), []).append(entry)
        return found


class CommandParser(ArgumentParser):
    """A parser that raises `OptionsError`, quotes no value, and takes `-` and `_` in flags for the same."""

    def __init__(self, program: str, description: str = "", epilog: str = "") -> None:
        self._files: dict[str, ConfigFile] = {}
        self._paths: list[str] = []
        self._opened: set[str] = set()
        ours: dict[str, Any] = {
            "default_config_files": self._paths,  # filled in by `OptionParser.read_sources`
            "config_file_open_func": self._open,
            "config_file_parser_class": ConfigFormat,
            "ignore_unknown_config_file_keys": True,  # `resolve` reports them
            "add_config_file_help": False,
            "add_env_var_help": False,
        }
        super().__init__(
            prog=program,
            description=description,
            epilog=epilog,
            usage=argparse.SUPPRESS,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
            add_help=False,
            **({} if TYPE_CHECKING else ours),
        )
        self._positionals.title = "arguments"
        self._optionals.title = "flags of this command"

    def _open(self, path: str) -> ConfigFile:
        self._opened.add(path)
        return self._files[path]

    def error(self, message: str) -> NoReturn:
        raise OptionsError(without_values(message), hint=f"{self.prog} --help")

    def flags(self) -> list[str]:
        """Every known flag."""
        return [flag for flag in self._option_string_actions if "\0" not in flag]

    def positional_words(self) -> list[str]:
        """The arguments as a usage line shows them."""
        return [
            f"[{action.metavar or action.dest}]" if action.nargs in ("?", "*") else str(action.metavar or action.dest)
            for action in self._get_positional_actions()
        ]

    def add_options(self, title: str, specs: Sequence[OptionSpec]) -> None:
        """Add options, their flags under a title of the help. A flag that exists already is left as it is."""
        group: Any = self.add_argument_group(title)
        for spec in specs:
            flags = [flag for flag in spec.flags if flag not in self._option_string_actions]
            group.add_argument(
                *(flags or [f"--\0{spec.owner.command}.{spec.name}"]),  # of two commands: variables and keys remain
                action=RecordFlag,
                spec=spec,
                dest=_OPTION + spec.name,
                default=argparse.SUPPRESS,
                nargs=0 if spec.kind is OptionType.SWITCH else None,
                metavar=spec.info.metavar or _metavar(spec),
                help=option_help(spec),
            )

    def read(self, words: Sequence[str]) -> ParsedArguments:
        """Parse the words of a command line. Raises `OptionsError` for anything but an unknown flag."""
        known, unknown = self._sorted(words)
        parsed, leftover = self._parse(known, {})
        arguments = argparse.Namespace()
        given: dict[str, list[FlagOccurrence]] = {}
        for name, value in vars(parsed).items():
            if name.startswith(_OPTION):
                for each in value:
                    given.setdefault(each.flag, []).append(each)
            else:
                setattr(arguments, name, value)
        if leftover and not unknown:
            raise _too_many(leftover, words, self.prog)
        return ParsedArguments(arguments, ParsedFlags(given, (*unknown, *leftover)))

    def _parse(self, words: Sequence[str], environ: Mapping[str, str]) -> tuple[argparse.Namespace, list[str]]:
        if TYPE_CHECKING:
            return self.parse_known_args(list(words))
        return self.parse_known_args(list(words), env_vars=environ)

    def _sorted(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """Words that the parser knows, with flags as it spells them, and unknown flags with what may be their value."""
        known: list[str] = []
        unknown: list[str] = []
        left = list(words)
        while left:
            word = left.pop(0)
            if word == "--":
                return [*known, word, *left], unknown
            if not is_flag(word):
                known.append(word)
                continue
            spelled = self._spelled(word)
            if spelled is not None:
                known += self._with_its_value(spelled, left)
                continue
            unknown.append(word)
            if "=" not in word and left and not is_flag(left[0]):
                unknown.append(left.pop(0))
        return known, unknown

    def _spelled(self, word: str) -> str | None:
        flag, equals, value = word.partition("=")
        if not word.startswith("--"):
            return word if word in self._option_string_actions or word[:2] in self._option_string_actions else None
        for name in (flag, dashed(flag), flag.replace("-", "_").replace("__", "--", 1)):
            if name in self._option_string_actions:
                return name + equals + value
        return None

    def _with_its_value(self, word: str, left: list[str]) -> list[str]:
        """A long flag and its one value as one word, a switch with a value as a switch without."""
        flag, equals, value = word.partition("=")
        action = self._option_string_actions.get(flag)
        if isinstance(action, RecordFlag) and action.nargs == 0 and equals:
            return [_as_switch(flag, value)]
        takes_one = action is not None and action.nargs is None and flag.startswith("--")
        if takes_one and not equals and left and not is_flag(left[0]):
            return [f"{flag}={left.pop(0)}"]
        return [word]


@dataclass(frozen=True)
class SourceSettings:
    """What variables and files hold for the declared options, as written.

    variables: the text of each variable that is set and not empty.
    files: for each file, the strongest first, the entries of each canonical key.
    """

    variables: Mapping[str, str] = field(repr=False)
    files: Sequence[tuple[ConfigFile, Mapping[str, Sequence[Entry]]]] = field(repr=False)


class OptionParser(CommandParser):
    """A parser of options alone: of their flags, variables and keys in files."""

    def __init__(self, specs: Sequence[OptionSpec]) -> None:
        super().__init__("hera-k8s")
        self.add_options("options", specs)
        self.add_argument(_READ, nargs=0, action=_Ignore)

    def read_sources(self, environ: Mapping[str, str], files: Sequence[ConfigFile]) -> SourceSettings:
        """What variables and files hold for the options.

        files: the strongest first. Raises `OptionsError` for a file that cannot be read.
        """
        for action in self._actions:
            if isinstance(action, RecordFlag):  # an empty variable is an unset one, as for kubectl
                action.env_var = next((name for name in action.spec.env if environ.get(name)), None)
        self._files = {file.name: file for file in reversed(files)}
        self._paths[:] = map(glob.escape, self._files)
        self._parse([], environ)
        for file in files:  # ConfigArgParse finds paths with `[`, `*` or `?` by listing their directories
            if file.name not in self._opened:
                raise OptionsError(f"{file.shown} cannot be read", found="its directory cannot be listed")
        parser: Any = self  # to mypy it is one of argparse's
        found = parser.get_source_to_settings_dict()
        variables = {name: text for name, (_, text) in found.get("environment_variables", {}).items()}
        read = [(file, found.get(f"config_file|{file.name}", {})) for file in files]
        return SourceSettings(variables, [(file, {key: at[1] for key, at in keys.items()}) for file, keys in read])

    def get_possible_config_keys(self, action: argparse.Action) -> list[str]:
        """The keys of an option in files, as `ConfigFormat` spells them."""
        return list(action.spec.names) if isinstance(action, RecordFlag) else []

    def convert_item_to_command_line_arg(self, action: argparse.Action, key: str, value: Any) -> list[str]:  # noqa: ARG002
        """What a value of a variable or a file adds to the command line."""
        return [_READ]  # ConfigArgParse 1.7 forgets variables that add nothing


class _Ignore(argparse.Action):
    def __call__(self, *_: Any) -> None:
        """Nothing is to be done."""


class RecordFlag(argparse.Action):
    """Keeps the values of an option's flag as they were typed, with the flag; they are converted later."""

    env_var: str | None = None

    def __init__(self, *arguments: Any, spec: OptionSpec, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.spec = spec

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 (argparse gives it)
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        flag = option_string or self.option_strings[-1]
        switch = self.nargs == 0
        value = str(not flag.startswith("--no-")).lower() if switch else str(values)
        position = sum(len(v) for name, v in vars(namespace).items() if name.startswith(_OPTION))
        given = FlagOccurrence(
            flag, value, position, flag if switch else f"{flag}={value}" if flag[1] == "-" else flag + value
        )
        setattr(namespace, self.dest, [*getattr(namespace, self.dest, []), given])


def _as_switch(flag: str, value: str) -> str:
    negative = flag.startswith("--no-")
    plain = "--" + flag.removeprefix("--no-").removeprefix("--")
    try:
        on = switch(value) is not negative
    except ValueError as error:
        raise OptionsError(f"{flag} cannot be used", found=str(error), hint=f"{plain}, or --no-{plain[2:]}") from None
    return plain if on else f"--no-{plain[2:]}"


# --- errors ----------------------------------------------------------------------------------------------------


def unknown_words(
    unknown: Sequence[str],
    flags: Sequence[str],
    unloaded: Sequence[UnavailablePlugin],
    *,
    help: str = "hera-k8s --help",
) -> OptionsError:
    """The error for unknown flags. Flags are quoted, other words never: they may be secrets."""
    first = next((word for word in unknown if is_flag(word)), "")
    name = dashed(first.partition("=")[0])
    if not _NAME.match(name):
        return OptionsError("a flag is unknown", found="it is not of the form --name", hint=help)
    owner = next((each for each in unloaded if each.has(name.lstrip("-"))), None)
    if owner is not None:
        return OptionsError(
            f"{name} is unknown", found=f"it belongs to plugin {owner.display_name}, which is {owner.state}", hint=help
        )
    if name == "--output":
        return OptionsError("--output cannot be used", found="not one of text, json")
    if len(name) == 2 or not name.startswith("--"):
        return OptionsError(f"{name[:2]} is unknown", hint=help)
    near = nearest(name, [flag for flag in flags if flag.startswith("--")])
    if near:
        return OptionsError(f"{name} is unknown", hint=f"did you mean {near}?")
    if not _HARMLESS.fullmatch(name):  # a value without its flag, or glued to it
        return OptionsError("a flag is unknown", found="it resembles no known flag", hint=help)
    return OptionsError(f"{name} is unknown", hint=help)


def _too_many(leftover: Sequence[str], words: Sequence[str], program: str) -> OptionsError:
    flags = [word for word in leftover if is_flag(word)]
    if flags:
        return unknown_words(flags, [], [], help=f"{program} --help")
    places = [str(words.index(word) + 1) for word in leftover if word in words]
    counted = f" ({' and '.join(filter(None, [', '.join(places[:-1]), *places[-1:]]))})" if places else ""
    return OptionsError(f"unexpected argument{'s' if len(leftover) > 1 else ''}{counted}", hint=f"{program} --help")


def without_values(message: str) -> str:
    """A message of argparse without the value that was typed: after a wrong flag it may be a secret."""
    message = re.sub(r"invalid choice: .*\(choose from (.*)\)$", r"not one of \1", message, flags=re.DOTALL)
    message = re.sub(r"invalid (\S+) value: .*", r"not a valid \1", message, flags=re.DOTALL)
    message = re.sub(r"ignored explicit argument .*", "takes no value", message, flags=re.DOTALL)
    message = message.replace("expected one argument", "requires a value (write --flag=VALUE if it begins with a dash)")
    return message.removeprefix("argument ")


# --- help ------------------------------------------------------------------------------------------------------


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal. Of an option it shows the first name; the others keep old files working."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, **{**settings, "width": terminal_width(), "max_help_position": 34})

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not isinstance(action, RecordFlag):
            return super()._format_action_invocation(action)
        long = next(flag for flag in action.option_strings if flag.startswith("--"))
        short = next((f"{flag}, " for flag in action.option_strings if not flag.startswith("--")), "")
        if action.nargs == 0:
            return f"{short}--[no-]{long[2:]}"
        return f"{short}{long} {action.metavar}"


def option_help(spec: OptionSpec) -> str:
    """The help of one option: what it is, its default if it has one, its variable."""
    notes = [note for note in (_default_note(spec), _choices_note(spec), f"${spec.env[0]}") if note]
    return f"{spec.info.help} [{'; '.join(notes)}]".replace("%", "%%")


def _default_note(spec: OptionSpec) -> str:
    if spec.kind is OptionType.SWITCH:
        return "default: on" if spec.default is True else ""
    plain = isinstance(spec.default, (str, int, float)) and spec.default != ""
    return f"default: {spec.default}" if plain and not spec.info.secret else ""


def _choices_note(spec: OptionSpec) -> str:
    return f"one of {', '.join(spec.info.choices)}" if spec.info.choices and spec.info.metavar else ""


def _metavar(spec: OptionSpec) -> str:
    if spec.info.choices:
        return "|".join(spec.info.choices)
    words = {OptionType.WHOLE: "N", OptionType.NUMBER: "NUMBER", OptionType.PATH: "PATH"}
    return words.get(spec.kind, spec.field.upper())
