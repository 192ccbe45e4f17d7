"""The ConfigArgParse parser behind `parser`: options that may be added again, and errors that repeat no value.

ConfigArgParse patches argparse when it is imported: import this module only where arguments are parsed.
"""

from __future__ import annotations

import argparse
import glob
import io
import logging
import os
import re
import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final, NoReturn, TextIO

from hera_k8s_utils.compat.known_options import KnownOption
from hera_k8s_utils.compat.servers import exiting_on_error, script_environment
from hera_k8s_utils.config.arguments import unknown_words, without_values
from hera_k8s_utils.config.conversion import switch
from hera_k8s_utils.config.files import Entry, parse_config, read_config, read_config_files
from hera_k8s_utils.config.global_flags import dashed, is_flag
from hera_k8s_utils.config.options import canonical
from hera_k8s_utils.config.resolution import nearest_key
from hera_k8s_utils.errors import OptionsError, ScriptExit, join_names
from hera_k8s_utils.paths import expand_path
from hera_k8s_utils.redaction import redact, register_secrets
from hera_k8s_utils.sanitize import visible

if TYPE_CHECKING:
    from argparse import ArgumentParser

    ConfigFileParser = object
else:
    from configargparse import ArgumentParser, ConfigFileParser

_DESCRIPTION: Final = (
    "Each option can also be set by its variable, or by a line NAME = VALUE of hera.config: the file that $ARGOCONFIG "
    "names, ./hera.config or ~/hera.config. A flag beats a variable, a variable beats a file."
)


def config_paths() -> list[str]:
    """The configuration files that exist, the weakest first. Raises `OptionsError` for one that cannot be read."""
    return [str(file.path) for file in reversed(read_config_files(None, script_environment()))]


class ScriptParser(ArgumentParser):
    """A parser with known options that a script may add again, with another default or destination.

    options: those that it has from the start; without any it is a sub-command's, and reads no file by itself.
    logger: gets warnings about unknown keys, and about a secret on the command line.
    settings: as for ConfigArgParse.
    """

    def __init__(
        self, options: Sequence[KnownOption] = (), logger: logging.Logger | None = None, **settings: Any
    ) -> None:
        self._files: list[str] = []
        self._known: dict[str, KnownOption] = {}
        self._logger = logger or logging.getLogger(__name__)
        if options and not TYPE_CHECKING:
            settings |= {
                "description": _DESCRIPTION,
                "default_config_files": self._files,  # filled in when arguments are parsed
                "config_file_parser_class": type(
                    "HeraConfig", (ConfigFormat,), {"parser": self, "logger": self._logger}
                ),
                "config_file_open_func": _opened,
                "add_config_file_help": False,
            }
        super().__init__(conflict_handler="resolve", **settings)
        self.know(options)

    def know(self, options: Iterable[KnownOption]) -> None:
        """Add known options, those that are there already excepted."""
        for option in options:
            self._known.setdefault(option.name, option)
            if f"--{option.name}" not in self._option_string_actions:
                _add(self, option)

    def parse_known_args(self, args: Any = None, namespace: Any = None, **settings: Any) -> Any:
        """As ConfigArgParse does it, with the framework's files and their order; an empty variable is an unset one."""
        with exiting_on_error():
            reads = bool(self._known) and not _asks_for_help(args)
            self._files[:] = [glob.escape(path) for path in config_paths()] if reads else []
            self._keep_variables()
            if not TYPE_CHECKING:
                variables = settings.get("env_vars", os.environ)
                settings["env_vars"] = {name: value for name, value in variables.items() if value}
            words = _words(args)
            self._warn_of_secrets(words)
            parsed, unknown = super().parse_known_args(self._spelled(words), namespace, **settings)
            self._complete(parsed)
            return parsed, unknown

    def format_help(self) -> str:
        """The help, which names the script, made visible."""
        return visible(super().format_help())

    def format_usage(self) -> str:
        """The usage, which names the script, made visible."""
        return visible(super().format_usage())

    def error(self, message: str) -> NoReturn:
        """Raise `ScriptExit`; what was typed is not repeated, since it may be a secret."""
        help = f"python {self.prog} --help"
        unrecognized = message.partition("unrecognized arguments: ")[2]
        if unrecognized:
            words = unrecognized.split()
            refused = unknown_words(words, list(self._option_string_actions), [], help=help)
            typed = next((word.partition("=")[0] for word in words if is_flag(word)), "")
            wanted = refused.wanted.replace(dashed(typed), typed) if typed else refused.wanted
            raise ScriptExit(wanted, found=refused.found, hint=refused.hint)
        raise ScriptExit(redact(_discreet(message)), hint=help)

    def _keep_variables(self) -> None:
        """A known option that a script added again without a variable keeps its own."""
        for name, option in self._known.items():
            action: Any = self._option_string_actions.get(f"--{name}")
            if action is not None and not getattr(action, "env_var", None):
                action.env_var = option.variable

    def _spelled(self, words: Sequence[str]) -> list[str]:
        """`--argo-server` as `--argo_server`: dashes and underscores are one."""
        spelled: list[str] = []
        for position, word in enumerate(words):
            if word == "--":
                return [*spelled, *words[position:]]
            flag, equals, value = word.partition("=")
            other = "--" + flag[2:].replace("-", "_")
            known = flag.startswith("--") and flag not in self._option_string_actions
            spelled.append(other + equals + value if known and other in self._option_string_actions else word)
        return spelled

    def _warn_of_secrets(self, words: Sequence[str]) -> None:
        typed = {word.partition("=")[0].replace("-", "_") for word in words}
        for option in self._known.values():
            if option.secret and f"__{option.name}" in typed:
                self._logger.warning(
                    "--%s: visible to every user in the process list, and kept in the shell history; set %s instead",
                    option.name,
                    option.variable,
                )

    def _complete(self, parsed: argparse.Namespace) -> None:
        """Known options under their own names too, where a script gave them another destination."""
        for name, option in self._known.items():
            action = self._option_string_actions.get(f"--{name}")
            if action is not None and not hasattr(parsed, name):
                setattr(parsed, name, getattr(parsed, action.dest, None))
            value = getattr(parsed, name, None)
            if option.secret and isinstance(value, str):
                register_secrets([value])
            if option.is_path and isinstance(value, str):
                setattr(parsed, name, expanded(value))


class ConfigFormat(ConfigFileParser):
    """The framework's reader of configuration files as ConfigArgParse calls it; keys of others are left out.

    ConfigArgParse takes a class and makes the object, so that the parser is an attribute of a class of its own.
    """

    parser: ClassVar[ArgumentParser]
    logger: ClassVar[logging.Logger]

    def get_syntax_description(self) -> str:
        """What the help would say of the format."""
        return "Lines of the form NAME = VALUE."

    def parse(self, stream: TextIO) -> Mapping[str, str | list[str]]:
        """The keys that the parser knows, with their values. Raises `OptionsError` for a near miss."""
        shown = os.path.relpath(stream.name) if stream.name.startswith(os.getcwd() + os.sep) else stream.name
        return known_keys(self.parser, list(parse_config(stream.read(), shown)), shown, self.logger)

    def serialize(self, items: Mapping[str, Any]) -> str:
        """The text of a file that holds these items."""
        return "".join(f"{key} = {_written(value)}\n" for key, value in items.items())


def known_keys(
    parser: ArgumentParser, entries: Sequence[Entry], shown: str, logger: logging.Logger
) -> Mapping[str, str | list[str]]:
    """What the entries of a file say of a parser's options, each under the name that the parser knows it by.

    Raises `OptionsError` for a key that is nearly an option's; warns of those that nobody knows.
    """
    names = {canonical(flag): flag.lstrip("-") for flag in parser._option_string_actions if flag.startswith("--")}
    found: OrderedDict[str, str | list[str]] = OrderedDict()
    strange: list[Entry] = []
    for entry in entries:
        name = canonical(entry.key)
        if name not in names:
            strange.append(entry)
        elif isinstance(entry.value, tuple):
            found[names[name]] = list(entry.value)
        else:
            found[names[name]] = "true" if entry.value is None else entry.value
    if strange:
        _judge(strange, names, shown, logger)
    return found


def _judge(strange: Sequence[Entry], names: Iterable[str], shown: str, logger: logging.Logger) -> None:
    from hera_k8s_utils.config.declared import all_specs
    from hera_k8s_utils.plugins.manager import PluginManager
    from hera_k8s_utils.plugins.plugin_options import owners_of

    framework = {name for spec in all_specs(owners_of(PluginManager.load())) for name in spec.names}
    known = {*names, *framework}
    unknown = [entry for entry in strange if canonical(entry.key) not in known]
    for entry in unknown:
        near = nearest_key(canonical(entry.key), known)
        if near is not None:
            raise OptionsError(
                f"{shown}, line {entry.line}: unknown key {entry.key}",
                hint=f"did you mean {near.replace('-', '_')}?",
            )
    if unknown:
        logger.warning(
            "%s: unknown keys ignored: %s", shown, join_names([entry.key for entry in unknown if entry.value])
        )


# --- an existing parser ----------------------------------------------------------------------------------------


def extended(existing: ArgumentParser, options: Sequence[KnownOption], logger: logging.Logger) -> ArgumentParser:
    """An existing parser with the options; options that it has already are left as they are.

    What variables and files say becomes the default of its options, so that its own `parse_args` gives it.
    """
    if isinstance(existing, ScriptParser):
        existing.know(options)
        return existing
    for option in options:
        if f"--{option.name}" not in existing._option_string_actions:
            _add(existing, option)
    said: dict[str, Any] = {}
    for file in reversed(read_config_files(None, script_environment())):
        said.update(known_keys(existing, file.entries, file.shown, logger))
    said.update({o.name: os.environ[o.variable] for o in options if os.environ.get(o.variable)})
    for name, value in said.items():
        action = existing._option_string_actions[f"--{name}"]
        existing.set_defaults(**{action.dest: _as_default(action, name, value)})
        action.required = False
    register_secrets([said[o.name] for o in options if o.secret and o.name in said])
    return existing


def _as_default(action: argparse.Action, name: str, value: str | list[str]) -> Any:
    if action.nargs != 0 or not isinstance(value, str):
        return expanded(value) if name == "k8s_config_file" and isinstance(value, str) else value
    try:
        yes = switch(value)
    except ValueError as error:
        raise OptionsError(f"{name} in the configuration file cannot be used", found=str(error)) from None
    return action.const if yes else action.default


# --- words and values ------------------------------------------------------------------------------------------


def _add(parser: Any, option: KnownOption) -> None:
    """One flag alone: a script that adds it again takes it over whole."""
    flag = f"--{option.name}"
    parser.add_argument(flag, env_var=option.variable, default=None, help=option.help, metavar=option.metavar)


def _opened(path: str, mode: str = "r") -> IO[str]:
    """A configuration file as a stream; ConfigArgParse also opens the file that it is asked to write."""
    if mode != "r":
        return open(path, mode, encoding="utf-8")
    stream = io.StringIO(read_config(Path(path), path, pipe=True))
    stream.name = path
    return stream


def _words(args: Any) -> list[str]:
    if args is None:
        return [] if _is_of_kernel(sys.argv[1:]) else sys.argv[1:]
    return args.split() if isinstance(args, str) else list(args)


def _is_of_kernel(words: Sequence[str]) -> bool:
    """Whether words are the command line of a notebook's kernel, `-f FILE` and more, and so not the script's."""
    kernels = sys.modules.get("ipykernel.kernelapp")
    if kernels is None or not kernels.IPKernelApp.initialized():
        return False
    return list(words) == list(kernels.IPKernelApp.instance().argv)


def _asks_for_help(args: Any) -> bool:
    return any(word in ("-h", "--help") for word in _words(args))


def expanded(paths: str) -> str:
    """A list of paths with `~` expanded in each."""
    return os.pathsep.join(str(expand_path(path)) if path else path for path in paths.split(os.pathsep))


def _written(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, (list, tuple)) else str(value)


def _discreet(message: str) -> str:
    """A message of argparse's or ConfigArgParse's without the value that it quotes."""
    message = re.sub(r"can't be set to a list '.*' unless .*", "takes one value, not a list", message, flags=re.DOTALL)
    message = re.sub(
        r"Unexpected value for (\S+): '.*'\. Expecting.*", r"\1: neither true nor false", message, flags=re.S
    )
    return without_values(message)
