"""One command is run: its line is read, its options are resolved, and it gets a session."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal

from hera_k8s_cli.help import command_help, command_parser, essential
from hera_k8s_utils.config.arguments import ParsedArguments, unknown_words
from hera_k8s_utils.config.declared import all_specs, owner_title
from hera_k8s_utils.config.global_flags import HELP, HELP_ALL, PYTHON_FILE, GlobalFlags, is_flag
from hera_k8s_utils.config.options import ParsedFlags, specs_of
from hera_k8s_utils.config.resolution import resolve
from hera_k8s_utils.container.request import ContainerRequest, resolve_for
from hera_k8s_utils.container.session import TAKES_EXPERIMENT, DefaultFile, Session
from hera_k8s_utils.errors import HeraK8sError, PluginError
from hera_k8s_utils.offline.guards import RequestGuard
from hera_k8s_utils.output.streams import show
from hera_k8s_utils.plugins.manager import ThirdPartyPluginError, is_builtin
from hera_k8s_utils.plugins.plugin_options import owners_of, unloaded_plugins
from hera_k8s_utils.trust.directories import refuse_foreign_experiment

if TYPE_CHECKING:
    from hera_k8s_utils.config.arguments import CommandParser
    from hera_k8s_utils.config.options import OptionSpec, ResolvedOptions
    from hera_k8s_utils.experiment.model import Experiment
    from hera_k8s_utils.plugins.manager import PluginManager, Registration
    from hera_k8s_utils.plugins.records import Command

log = logging.getLogger(__name__)

_HIGHEST_EXIT_CODE: Final = 255
"""A shell sees the rest of a division by 256: 256 would be 0."""


def run_command(
    declared: Registration[Command], words: Sequence[str], plugins: PluginManager, common: GlobalFlags
) -> int:
    """Read the words after a command's name and run it; returns its exit code."""
    command = declared.record
    specs = specs_for(command, plugins)
    parser = command_parser(declared, specs)
    if _asks_for_help(words):
        show(_help(declared, parser, specs, words, plugins))
        return 0
    words, script_arguments = _without_script_arguments(words) if parser.get_default(TAKES_EXPERIMENT) else (words, ())
    line = parser.read(words)
    tolerant = bool(line.arguments.__dict__.pop(TAKES_EXPERIMENT, False))
    line = _with_experiment_file(line) if tolerant else line
    if tolerant:
        _refuse_foreign_default(line.arguments.file)
    unknown = line.flags.unknown
    if unknown and not (tolerant and _is_there(line.arguments.file)):
        raise unknown_words(unknown, parser.flags(), unloaded_plugins(plugins), help=f"{parser.prog} --help")
    tolerant = tolerant and line.arguments.file is not None
    session = _session(declared, line, plugins, common, _options(command, line, plugins, common, tolerant=tolerant))
    return _exit_code(_run(declared, replace(session, script_arguments=script_arguments)), declared)


def _without_script_arguments(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """A command line without the words after `--`, and these: they are the script's.

    A first word that is a file is FILE nevertheless, unless FILE comes before: `check -- script.py`.
    """
    if "--" not in words:
        return words, ()
    before, after = words[: words.index("--")], words[words.index("--") + 1 :]
    named = any(PYTHON_FILE.search(word) for word in before)
    if after and not named and _is_there(after[0]):
        return [*before, "--", after[0]], after[1:]
    return before, after


def _run(declared: Registration[Command], session: Session) -> Any:
    try:
        return declared.record.run(session)
    except (HeraK8sError, BrokenPipeError, KeyboardInterrupt):  # a closed pipe is nobody's fault
        raise
    except SystemExit as leaving:
        if leaving.code:
            raise
        raise _unfinished(declared, f"it ended the program{_where(leaving)}") from leaving
    except BaseException as error:
        if is_builtin(declared.distribution):
            raise
        raise ThirdPartyPluginError(f"plugin {declared.plugin} ({declared.distribution})") from error


def _exit_code(code: Any, declared: Registration[Command]) -> int:
    """What a command returned, which must be an exit code: 0 is for work that is done, and nothing else is taken so."""
    if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= _HIGHEST_EXIT_CODE:
        raise _unfinished(declared, f"it returned {'nothing' if code is None else f'a {type(code).__name__}'}")
    return int(code)


def _unfinished(declared: Registration[Command], found: str) -> PluginError:
    return PluginError(
        f"command {declared.record.name} of plugin {declared.plugin} ({declared.distribution}) gave no exit code",
        found=f"{found}; whether its work is done is not known",
        hint="a command returns 0 when its work is done; --debug shows more",
    )


def _where(error: BaseException) -> str:
    """The line that raised it, ` at acme.py, line 3`."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" at {Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}" if trace else ""


def specs_for(command: Command, plugins: PluginManager) -> list[OptionSpec]:
    """The options that a command takes besides its own arguments."""
    every = all_specs(owners_of(plugins))
    return [
        spec
        for spec in every
        if spec.owner.settings is command.settings
        or spec.owner.command == command.name
        or (command.configures and not spec.owner.command)
    ]


def _asks_for_help(words: Sequence[str]) -> bool:
    before = words[: words.index("--")] if "--" in words else words
    return any(word in HELP for word in before)


def _help(
    declared: Registration[Command],
    parser: CommandParser,
    specs: Sequence[OptionSpec],
    words: Sequence[str],
    plugins: PluginManager,
) -> str:
    """The help of a command: its own options, or all; and those of an experiment, if its file stands on the line."""
    shown = specs if HELP_ALL in words else [spec for spec in specs if essential(declared, parser, spec)]
    shorter = command_parser(declared, shown)
    experiment = _named_experiment(parser, [word for word in words if word not in HELP], plugins)
    if experiment is not None and experiment.options is not None:
        owner = owners_of(plugins, experiment)[-1]
        shorter.add_options(owner_title(owner), specs_of(owner))
    return command_help(shorter, [spec for spec in specs if spec not in shown])


def _named_experiment(parser: CommandParser, words: Sequence[str], plugins: PluginManager) -> Experiment | None:
    """The experiment whose file was typed; its file is imported, with requests held back. A failure is a warning."""
    file = None
    try:
        line = parser.read(words)
        line = _with_experiment_file(line) if parser.get_default(TAKES_EXPERIMENT) else line
        file = getattr(line.arguments, "file", None)
        if not parser.get_default(TAKES_EXPERIMENT) or isinstance(file, DefaultFile) or not _is_there(file):
            return None
        from hera_k8s_utils.experiment.loading import load_experiment  # for this help alone

        return load_experiment(str(file), plugins.records("request_guards", RequestGuard)).experiment
    except HeraK8sError as error:
        if file is not None:
            log.warning("the options of %s are not shown: %s", file, error.wanted)
        return None


def _with_experiment_file(line: ParsedArguments) -> ParsedArguments:
    """A Python file after a flag that only the experiment knows is the experiment: `run --fast experiment.py`."""
    if not isinstance(line.arguments.file, (DefaultFile, NoneType)):
        return line
    unknown = line.flags.unknown
    files = [i for i, word in enumerate(unknown) if not is_flag(word) and PYTHON_FILE.search(word)]
    if len(files) != 1:
        return line
    line.arguments.file = unknown[files[0]]
    rest = [word for i, word in enumerate(unknown) if i != files[0]]
    return ParsedArguments(line.arguments, ParsedFlags(line.flags.given, rest))


def _refuse_foreign_default(file: str | None) -> None:
    """A file that was named is run; the one that is only found must be the user's own, as `./hera.config` must."""
    if isinstance(file, DefaultFile) and Path(file).exists():
        refuse_foreign_experiment(Path(file))


def _is_there(file: str | None) -> bool:
    return file is not None and any(Path(name).exists() for name in (file, file.rpartition(":")[0]) if name)


def _options(
    command: Command, line: ParsedArguments, plugins: PluginManager, common: GlobalFlags, *, tolerant: bool
) -> ResolvedOptions:
    if command.configures:
        request = ContainerRequest(plugins=plugins, argv=line.flags, config=common.config, ignore_unknown=tolerant)
        return resolve_for(request)
    own = [owner for owner in owners_of(plugins) if owner.settings is command.settings]
    return resolve(own, argv=line.flags, config=common.config, ignore_unknown=True)


def _console(output: Literal["text", "json"]) -> Any:
    from hera_k8s_cli.terminal.console import Console

    return Console(output=output)


def _session(
    declared: Registration[Command],
    line: ParsedArguments,
    plugins: PluginManager,
    common: GlobalFlags,
    options: ResolvedOptions,
) -> Session:
    output: Literal["text", "json"] = "json" if common.output == "json" else "text"
    return Session(
        command=declared.record,
        arguments=line.arguments,
        options=options,
        plugins=plugins,
        flags=line.flags,
        config=common.config,
        output=output,
        debug=common.debug,
        verbosity=common.verbosity,
        console_factory=partial(_console, output),
    )
