"""Whose a file is, and who else may write to it: this decides whether what it says counts.

A file counts as the user's own when it belongs to the effective user or to root and nobody else may write to it. On
systems without numeric users (Windows) nothing is checked: the home directory's access list protects it there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_POSIX: Final = hasattr(os, "geteuid")
_ROOT: Final = 0


def objection(path: Path, status: os.stat_result | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """Why another user can have written a file or directory, as a sentence; empty when only this user and root can.

    status: of the opened file, so that it cannot be replaced between the look and the use. A path that does not exist
    raises no objection.
    """
    if not _POSIX:
        return ""
    try:
        found = path.stat() if status is None else status
    except OSError:
        return ""
    if not _is_owner_trusted(found.st_uid, environ):
        return f"{path} belongs to {_user(found.st_uid)}, and you are {_user(os.geteuid())}"
    return open_to_all(path, found) or _open_to_group(path, found)


def open_to_all(path: Path, status: os.stat_result | None = None) -> str:
    """A sentence when everyone on this machine may write to a file or directory, else nothing.

    In a directory with the sticky bit, such as /tmp, nobody can replace the files of another.
    """
    if not _POSIX:
        return ""
    try:
        found = path.stat() if status is None else status
    except OSError:
        return ""
    if found.st_mode & stat.S_IWOTH and not _is_sticky(found.st_mode):
        return f"everyone on this machine may write to {path} (chmod o-w)"
    return ""


def objection_to_any(path: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The first objection to a file, to its directory, or to what a link leads to and the directory of that."""
    if _POSIX and path.is_symlink() and not _is_owner_trusted(path.lstat().st_uid, environ):
        return f"{path} is a link of {_user(path.lstat().st_uid)}"
    real = path.resolve()
    places = dict.fromkeys([path.parent.absolute(), real.parent, real])
    return next((reason for place in places if (reason := objection(place, environ=environ))), "")


def _is_owner_trusted(owner: int, environ: Mapping[str, str]) -> bool:
    """Root can change any file anyway; under sudo the files of the user who called it are as good as root's own."""
    me = os.geteuid()
    called_by = environ.get("SUDO_UID", "") if me == _ROOT else ""
    return owner in (me, _ROOT) or str(owner) == called_by


def _open_to_group(path: Path, found: os.stat_result) -> str:
    if not found.st_mode & stat.S_IWGRP or _is_sticky(found.st_mode) or _is_group_private(found.st_gid):
        return ""
    return f"group {_group(found.st_gid)} may write to {path} (chmod g-w)"


def _is_sticky(mode: int) -> bool:
    return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX)


def _is_group_private(gid: int) -> bool:
    """Whether nobody but the user is in a group.

    Distributions with umask 002 give each user a group of the same name. Root's group is root's. A user without a
    name, as in a pod with a random uid, shares the machine with nobody who has one.
    """
    import grp
    import pwd

    if gid == _ROOT:
        return True
    try:
        me = pwd.getpwuid(os.geteuid())
    except KeyError:
        return gid in (os.getegid(), *os.getgroups())
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return False
    return gid == me.pw_gid and group.gr_name == me.pw_name and set(group.gr_mem) <= {me.pw_name}


def _user(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def _group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
