"""Paths as users write them: `~` and `~user` stand for home directories, in options, variables and files alike."""

from __future__ import annotations

import os
from pathlib import Path

from hera_k8s_utils.errors import OptionsError


def home_directory() -> Path | None:
    """This user's home directory: `HOME` (on Windows also `USERPROFILE`), else what the system knows.

    None for a user who has neither, such as the random uid of a pod.
    """
    stated = os.environ.get("HOME") or (os.environ.get("USERPROFILE") if os.name == "nt" else None)
    if stated:
        return Path(stated)
    try:
        import pwd

        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError):  # no such module on Windows, no such user
        return None


def expand_path(
    text: str | os.PathLike[str], *, home: str | None = None, directory: str | os.PathLike[str] = ""
) -> Path:
    """A path with `~` and `~user` at its beginning replaced; others as they are.

    `./~/x` names a directory called `~`: it becomes absolute, since a `Path` drops the `./` that says so.

    home: of this user; by default that of `home_directory`.
    directory: what a relative path is relative to, and is joined to; by default the working directory, which is not.

    Raises `OptionsError` when there is no such directory to put in its place.
    """
    path = Path(text)
    first = path.parts[0] if path.parts else ""
    if not first.startswith("~"):
        return Path(directory, path)
    if not os.fspath(text).startswith("~"):
        return Path(os.path.abspath(directory), path)
    own = home or home_directory()
    if first == "~" and own is not None:
        return Path(own, *path.parts[1:])
    expanded = os.path.expanduser(path) if first != "~" else str(path)
    if expanded == str(path):
        raise OptionsError(f"the path {path} cannot be used", found=_why(first), hint="write the whole path")
    return Path(expanded)


def _why(first: str) -> str:
    if first == "~":
        return "there is no home directory: HOME is not set, and the user has no entry in /etc/passwd"
    return f"there is no user {first[1:]} on this machine"


def expand_paths(texts: str) -> list[Path]:
    """The paths of a list such as `KUBECONFIG`, each expanded; empty entries are left out."""
    return [expand_path(text.strip()) for text in texts.split(os.pathsep) if text.strip()]
