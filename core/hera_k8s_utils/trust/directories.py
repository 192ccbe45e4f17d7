"""Files that may come from someone else: which directories the user allowed, and what is refused elsewhere.

The model is git's `safe.directory`. Only the user's own places allow anything: `hera-k8s trust DIR`, which writes to
the user's own directory, and the variable `HERA_K8S_SAFE_DIRECTORY`; never a file in the directory in question.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from hera_k8s_utils.errors import OptionsError
from hera_k8s_utils.paths import expand_path
from hera_k8s_utils.trust.ownership import objection_to_any, open_to_all
from hera_k8s_utils.trust.user_files import read_own, user_directory, write_own

log = logging.getLogger(__name__)

SAFE: Final = "HERA_K8S_SAFE_DIRECTORY"
"""The variable that allows directories, as a list like `PATH`; `*` allows all, for containers that serve one user."""
_DIRECTORIES: Final = "safe-directories"


# --- directories that are allowed ------------------------------------------------------------------------------


def is_allowed(directory: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user allowed a directory, or one above it."""
    real = directory.resolve()
    allowed = {*_from_variable(environ), *allowed_directories(environ)}
    return "*" in allowed or any(str(place) in allowed for place in (real, *real.parents))


def _from_variable(environ: Mapping[str, str]) -> Iterator[str]:
    for text in environ.get(SAFE, "").split(os.pathsep):
        if text.strip():
            yield text.strip() if text.strip() == "*" else str(expand_path(text.strip()).resolve())


def allowed_directories(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What `hera-k8s trust` keeps."""
    return own_lines(_DIRECTORIES, environ)


def allow(directory: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Allow a directory and all below it; where that is kept. Raises `OptionsError` when it cannot be kept."""
    return _keep([*allowed_directories(environ), str(directory.resolve())], environ)


def disallow(directory: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Take a directory out of the list again; whether it was in it."""
    kept, gone = allowed_directories(environ), str(directory.resolve())
    if gone not in kept:
        return False
    _keep([each for each in kept if each != gone], environ)
    return True


def _keep(directories: list[str], environ: Mapping[str, str]) -> Path:
    place = user_directory(environ)
    if place is None:
        raise OptionsError("this cannot be kept", found="there is no home directory", hint=f"set {SAFE}=DIRECTORY")
    try:
        write_own(place / _DIRECTORIES, "".join(f"{each}\n" for each in dict.fromkeys(directories)))
    except OSError as error:
        found = f"{place / _DIRECTORIES}: {error.strerror or error}"
        raise OptionsError("this cannot be kept", found=found, hint=f"set {SAFE}=DIRECTORY") from None
    return place / _DIRECTORIES


def own_lines(name: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The lines of a file in the user's own directory; none where another user can have written it."""
    directory = user_directory(environ)
    if directory is None:
        return []
    try:
        return [line for line in read_own(directory / name).split("\n") if line]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        log.warning("%s is not used: %s", directory / name, error.strerror or error)
        return []


# --- files whose words count -----------------------------------------------------------------------------------


def refuse_foreign_config(path: Path, shown: str, *, named: bool, environ: Mapping[str, str] = os.environ) -> None:
    """Raise `OptionsError` for a configuration file that another user can have written.

    named: the user named it, or it is in the home directory: that says that its owner is trusted, yet not everyone.
    """
    reason = open_to_all(path) if named else objection_to_any(path, environ)
    if reason and not is_allowed(path.absolute().parent, environ):
        raise OptionsError(f"the configuration file {shown} is not used", found=reason, hint=how_to_allow(path))


def refuse_foreign_experiment(path: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Raise `OptionsError` for an experiment that was not named, in a directory where another user can have put it."""
    reason = objection_to_any(path, environ)
    if reason and not is_allowed(path.absolute().parent, environ):
        hint = f"{how_to_allow(path)}; to run it this time, name it: hera-k8s COMMAND {path}"
        raise OptionsError(f"{path} of this directory is not run", found=reason, hint=hint)


def how_to_allow(path: Path) -> str:
    """What to type so that the files beside a path are used."""
    directory = shlex.quote(str(path.absolute().parent.resolve()))
    return f"once you have read it: hera-k8s trust {directory} (or {SAFE}={directory})"
