"""`hera-k8s trust`: allow a directory whose files another user can have written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hera_k8s_utils.container.session import Session
from hera_k8s_utils.errors import OptionsError
from hera_k8s_utils.paths import expand_path
from hera_k8s_utils.plugins.records import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser


def arguments(parser: ArgumentParser) -> None:
    """The directory, and what to do with it."""
    parser.add_argument("directory", nargs="?", default="", metavar="DIR", help="directory, including subdirectories")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--remove", action="store_true", help="stop trusting it")
    what.add_argument("--list", action="store_true", help="list trusted directories")


def run(session: Session) -> int:
    """Keep a directory in the user's own list, take it out, or show the list. No configuration file is read."""
    from hera_k8s_utils.trust.directories import allow, allowed_directories, disallow

    console = session.console()
    if session.arguments.list:
        return _show(session, allowed_directories())
    directory = _directory(session.arguments.directory)
    if session.arguments.remove:
        removed = disallow(directory)
        if session.json:
            console.document({"directory": str(directory), "trusted": False, "removed": removed})
        else:
            console.success(f"{directory} is {'no longer trusted' if removed else 'not in the list'}")
        return 0
    kept = allow(directory)
    if session.json:
        console.document({"directory": str(directory), "trusted": True, "list": str(kept)})
        return 0
    console.success(f"hera.config and experiment.py in {directory} and below are used")
    console.hint(f"kept in {kept}; hera-k8s trust --remove {directory} takes it back")
    return 0


def _directory(stated: str) -> Path:
    if not stated:
        raise OptionsError("which directory is trusted?", hint="hera-k8s trust DIR, for this one: hera-k8s trust .")
    directory = expand_path(stated).resolve()
    if not directory.is_dir():
        raise OptionsError(f"{stated} is not a directory", hint="hera-k8s trust DIR")
    return directory


def _show(session: Session, directories: list[str]) -> int:
    console = session.console()
    if session.json:
        console.document({"directories": directories})
        return 0
    for directory in directories:
        console.result(directory)
    if not directories:
        console.info("no directory is trusted besides those that only you can write to")
    return 0


COMMAND = Command(
    name="trust",
    run=run,
    summary="trust hera.config and experiment.py in a shared directory",
    example="hera-k8s trust .\nhera-k8s trust --list",
    arguments=arguments,
    configures=False,
)
