"""Session, the argument of a command: its arguments, the options, a console, and containers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from hera_k8s_utils.config.options import ParsedFlags
from hera_k8s_utils.errors import PluginError
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import Action, ArgumentParser, Namespace

    from hera_k8s_utils.config.options import ResolvedOptions
    from hera_k8s_utils.container.console import Console
    from hera_k8s_utils.container.container import ExperimentContainer
    from hera_k8s_utils.plugins.manager import PluginManager


EXPERIMENT_FILE: Final = "experiment.py"


@dataclass(frozen=True, kw_only=True)
class Session:
    """The argument of a command.

    command: its declaration.
    arguments: its own positionals and flags, as its `arguments` function added them.
    options: the effective options; those that only an experiment declares are known to its container, not here.
    plugins: the loaded plugins.
    script_arguments: the words after `--`, which are the script's in FILE.
    flags: the flags of options that were given, also those that only an experiment knows.
    environ: environment variables, by default the process's own.
    config: the file named by `--config`.
    output: `json` for `--output json`, else `text`.
    debug: whether `--debug` was given.
    verbosity: the number of `-v`.
    console_factory: makes the console; the command line passes its own.
    """

    command: Command
    arguments: Namespace
    options: ResolvedOptions
    plugins: PluginManager
    flags: ParsedFlags = field(default_factory=ParsedFlags, repr=False)
    script_arguments: Sequence[str] = field(default=(), repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    config: str | None = None
    output: Literal["text", "json"] = "text"
    debug: bool = False
    verbosity: int = 0
    console_factory: Callable[[], Console] | None = field(default=None, repr=False)

    @property
    def file(self) -> str:
        """FILE[:NAME] of the experiment, for commands that called `experiment_argument`."""
        return str(self.arguments.file)

    @property
    def argv(self) -> Sequence[str]:
        """The flags of options as a command line."""
        return self.flags.argv

    @property
    def json(self) -> bool:
        """Whether results are for programs: one JSON document (or one a line) on stdout."""
        return self.output == "json"

    def console(self) -> Console:
        """A console on the standard streams. Raises `PluginError` for a session that no command line made."""
        if self.console_factory is None:
            raise PluginError("this session has no console", hint="Session(console_factory=...)")
        return self.console_factory()

    def container(self, experiment: Any = None, **settings: Any) -> AbstractContextManager[ExperimentContainer]:
        """`build_container` under this command line.

        experiment: usually `session.file`; None for commands that only talk to servers.
        settings: options by name, as strong as flags.
        """
        from hera_k8s_utils.container.container import build_container

        return build_container(
            experiment,
            argv=self.flags,
            environ=self.environ,
            config=self.config,
            plugins=self.plugins,
            script_arguments=self.script_arguments,
            **settings,
        )


def experiment_argument(parser: ArgumentParser, *, default: str | None = EXPERIMENT_FILE) -> Action:
    """Add the positional `file`, FILE[:NAME], and let flags pass that only the experiment in it can know.

    default: the file when none is named; None: the command does without one.
    """
    shown = f" (default: {default})" if default else ""
    action = parser.add_argument(
        "file",
        nargs="?",
        default=DefaultFile(default) if default else None,
        metavar="FILE[:NAME]",
        help=f"experiment, or any script that builds or submits a Hera workflow; -- ARGUMENTS are the script's{shown}",
    )
    parser.set_defaults(**{TAKES_EXPERIMENT: True})
    return action


class DefaultFile(str):
    """The default file, told apart from the same name when it was typed."""

    __slots__ = ()


TAKES_EXPERIMENT: Final = "_takes_experiment"
"""Attribute of a parsed command line: its unknown flags may be the experiment's own."""
