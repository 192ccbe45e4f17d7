"""The user's own directory (`~/.config/hera-k8s`), and files in it that only the user can have written."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hera_k8s_utils.paths import home_directory
from hera_k8s_utils.trust.ownership import objection

_LARGEST: Final = 1 << 20
"""Bytes; no file of this directory comes near."""


def user_directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """`$XDG_CONFIG_HOME/hera-k8s`, else `~/.config/hera-k8s`; below `%APPDATA%` on Windows. It need not exist.

    None for a user without a home directory, such as the random uid of a pod.
    """
    stated = environ.get("XDG_CONFIG_HOME", "")
    if not stated and sys.platform == "win32":
        stated = environ.get("APPDATA", "")
    if stated and Path(stated).is_absolute():
        return Path(stated) / "hera-k8s"
    home = home_directory()
    return home / ".config" / "hera-k8s" if home else None


def read_own(path: Path, *, private: bool = False) -> str:
    """The text of a file that only the user can have written.

    private: nobody else may read it either.

    Raises `FileNotFoundError`, or another `OSError` whose `strerror` says what is wrong.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        reason = objection(path, status) or ("others may read it (chmod 600)" if private and _is_open(status) else "")
        if not stat.S_ISREG(status.st_mode):
            reason = "it is not a regular file"
        if reason:
            raise PermissionError(errno.EPERM, reason, str(path))
        return file.read(_LARGEST).decode("utf-8", errors="replace")


def _is_open(status: os.stat_result) -> bool:
    return os.name == "posix" and bool(status.st_mode & (stat.S_IRGRP | stat.S_IROTH))


def write_own(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file for the user alone (0600), whole or not at all.

    replace: False leaves one that is there as it is.

    Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600 by its contract
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if replace:
            os.replace(draft, path)
        else:
            _put(draft, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(draft)


def _put(draft: str, path: Path) -> None:
    """Give a finished file its name unless another has it: of two programs that start together one is first."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not path.exists():
            os.replace(draft, path)
