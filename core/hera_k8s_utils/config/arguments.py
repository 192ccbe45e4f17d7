"""The command line: one parser for each command, and what is said of unknown words.

ConfigArgParse patches argparse when it is imported, which happens here and nowhere else in the framework.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from hera_k8s_utils.config.conversion import switch
from hera_k8s_utils.config.declared import UnavailablePlugin
from hera_k8s_utils.config.global_flags import dashed, is_flag
from hera_k8s_utils.config.options import FlagOccurrence, OptionSpec, OptionType
from hera_k8s_utils.errors import OptionsError, join_names
from hera_k8s_utils.formatting import terminal_width
from hera_k8s_utils.names import nearest

if TYPE_CHECKING:
    from argparse import ArgumentParser
else:
    from configargparse import ArgumentParser

_HARMLESS: Final = re.compile(r"--[a-z]+(-[a-z]+)*")
"""What may be repeated of a flag that nobody knows: words in small letters; a token has digits or capitals."""
_NAME: Final = re.compile(r"--?[A-Za-z][\w-]{0,40}$")
OPTION: Final = "option "
"""Beginning of the attribute of a parsed command line under which a flag of an option is kept."""


# --- parsers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ParsedArguments:
    """A command line, taken apart.

    arguments: the command's own. given: by flag, for the flags of options. unknown: flags that nobody knows, each
    followed by the word that may be its value.
    """

    arguments: argparse.Namespace
    given: Mapping[str, Sequence[FlagOccurrence]] = field(repr=False)
    unknown: Sequence[str] = field(default=(), repr=False)

    @property
    def argv(self) -> list[str]:
        """The flags of options as a command line of their own, with those that nobody knows."""
        typed = sorted((each for many in self.given.values() for each in many), key=lambda each: each.position)
        return [*(each.word for each in typed), *self.unknown]


class CommandParser(ArgumentParser):
    """A parser that raises `OptionsError`, repeats no value, and takes `-` and `_` in flags for the same."""

    def __init__(self, program: str, description: str = "", epilog: str = "") -> None:
        extras: dict[str, Any] = {} if TYPE_CHECKING else {"add_config_file_help": False, "add_env_var_help": False}
        super().__init__(
            prog=program,
            description=description,
            epilog=epilog,
            usage=argparse.SUPPRESS,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
            add_help=False,
            **extras,
        )
        self._positionals.title = "arguments"
        self._optionals.title = "flags of this command"

    def error(self, message: str) -> NoReturn:
        raise OptionsError(without_values(message), hint=f"{self.prog} --help")

    def flags(self) -> list[str]:
        """Every flag that is known."""
        return list(self._option_string_actions)

    def positional_words(self) -> list[str]:
        """The arguments as a usage line shows them."""
        return [
            f"[{action.metavar or action.dest}]" if action.nargs in ("?", "*") else str(action.metavar or action.dest)
            for action in self._get_positional_actions()
        ]

    def add_options(self, title: str, specs: Sequence[OptionSpec]) -> None:
        """Add the flags of options under a title of the help; those that are there already stay as they are."""
        group = self.add_argument_group(title)
        for spec in specs:
            flags = [flag for flag in spec.flags if flag not in self._option_string_actions]
            if flags:
                group.add_argument(
                    *flags,
                    action=RecordFlag,
                    dest=OPTION + spec.name,
                    default=argparse.SUPPRESS,
                    nargs=0 if spec.kind is OptionType.SWITCH else None,
                    metavar=spec.info.metavar or _metavar(spec),
                    help=option_help(spec),
                )

    def read(self, words: Sequence[str]) -> ParsedArguments:
        """Take a line apart; raises `OptionsError` for anything but an unknown flag."""
        known, unknown = self._sorted(words)
        parsed, leftover = self._parsed(known)
        arguments = argparse.Namespace()
        given: dict[str, list[FlagOccurrence]] = {}
        for name, value in vars(parsed).items():
            if name.startswith(OPTION):
                for each in value:
                    given.setdefault(each.flag, []).append(each)
            else:
                setattr(arguments, name, value)
        if leftover and not unknown:
            raise _too_many(leftover, words, self.prog)
        return ParsedArguments(arguments, given, (*unknown, *leftover))

    def _parsed(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        if TYPE_CHECKING:
            return self.parse_known_args(list(words))
        # Variables and files are read by `resolve`, which knows where each value came from and repeats none.
        return self.parse_known_args(list(words), config_file_contents="", env_vars={})

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


class RecordFlag(argparse.Action):
    """Keeps the values of an option's flag as they were typed, with the flag; they are converted later."""

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
        position = sum(len(v) for name, v in vars(namespace).items() if name.startswith(OPTION))
        given = FlagOccurrence(
            flag, value, position, flag if switch else f"{flag}={value}" if flag[1] == "-" else flag + value
        )
        setattr(namespace, self.dest, [*getattr(namespace, self.dest, []), given])


def option_parser(specs: Sequence[OptionSpec]) -> CommandParser:
    """A parser for the flags of options alone."""
    parser = CommandParser("hera-k8s")
    parser.add_options("options", specs)
    return parser


def _as_switch(flag: str, value: str) -> str:
    negative = flag.startswith("--no-")
    plain = "--" + flag.removeprefix("--no-").removeprefix("--")
    try:
        on = switch(value) is not negative
    except ValueError as error:
        raise OptionsError(f"{flag} cannot be used", found=str(error), hint=f"{plain}, or --no-{plain[2:]}") from None
    return plain if on else f"--no-{plain[2:]}"


# --- what is said of unknown words -----------------------------------------------------------------------------


def unknown_words(
    unknown: Sequence[str],
    flags: Sequence[str],
    unloaded: Sequence[UnavailablePlugin],
    *,
    help: str = "hera-k8s --help",
) -> OptionsError:
    """The error for flags that nobody knows. Flags are named, values and words never: they may be secrets."""
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
    if not _HARMLESS.fullmatch(name):  # a value that was typed without its flag, or glued to it
        return OptionsError("a flag is unknown", found="it is like none that is known", hint=help)
    return OptionsError(f"{name} is unknown", hint=help)


def _too_many(leftover: Sequence[str], words: Sequence[str], program: str) -> OptionsError:
    flags = [word for word in leftover if is_flag(word)]
    if flags:
        return unknown_words(flags, [], [], help=f"{program} --help")
    places = [str(words.index(word) + 1) for word in leftover if word in words]
    return OptionsError(
        f"{'a word' if len(leftover) == 1 else f'{len(leftover)} words'} too many",
        found=f"word {join_names(places)} after `{program}`" if places else "",
        hint=f"{program} --help",
    )


def without_values(message: str) -> str:
    """argparse's messages without the value that was typed, which may be a secret after the wrong flag."""
    message = re.sub(r"invalid choice: .*\(choose from (.*)\)$", r"not one of \1", message, flags=re.DOTALL)
    message = re.sub(r"invalid (\S+) value: .*", r"not a valid \1", message, flags=re.DOTALL)
    message = re.sub(r"ignored explicit argument .*", "takes no value", message, flags=re.DOTALL)
    message = message.replace("expected one argument", "lacks its value (write --flag=VALUE if it begins with a dash)")
    return message.removeprefix("argument ")


# --- help ------------------------------------------------------------------------------------------------------


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal; of an option its first name, since the others only keep old files working."""

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
    """The help of one option: what it is, its default where there is one to tell, its variable."""
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
