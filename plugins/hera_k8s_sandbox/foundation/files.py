"""The files of a state directory that describe its server; those that hold secrets are 0600."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hera_k8s_utils.trust.ownership import objection
from hera_k8s_utils.trust.seals import is_sealed, sealed
from hera_k8s_utils.trust.user_files import user_directory

CLOCK: Final = "clock.json"
ADMIN_TOKEN: Final = "admin.token"  # noqa: S105  a file's name
DATABASE: Final = "state.sqlite"
KUBECONFIG: Final = "kubeconfig"
LOCK: Final = "server.lock"
LOG: Final = "sandbox.log"
OWNER: Final = "owner.json"
SERVER: Final = "server.json"
SIGNING_KEY: Final = "signing.key"

PID_HEADER: Final = "X-Sandbox-Pid"  # by which a launcher knows that who answers is who wrote the file

# kubectl sends no token over plain http (client-go reads credentials for https only): its kubeconfig holds the
# token in the server's path, http://127.0.0.1:PORT/bearer/TOKEN.
TOKEN_PATH: Final = "bearer"  # noqa: S105

_STATE: Final = "the state of a sandbox"  # what the seal in OWNER is of

CLOCK_PATH: Final = "/sandbox/clock"  # where the time is read and advanced; no cluster has such a path
IMAGES_PATH: Final = "/sandbox/images"  # where clients ask whether containers can be started
MOST_CONTAINERS: Final = 1000  # of one such request


@dataclass(frozen=True)
class ServerFile:
    """What a running server writes about itself, as far as launchers need it: servers of other versions write more.

    mounts: how tasks see their mounts: `bubblewrap`, `rewrite`, or empty when the server does not say.
    """

    url: str
    pid: int
    mounts: str = ""


class ForeignStateError(OSError):
    """A state directory that another user can have made or filled."""


def require_own(directory: Path) -> None:
    """Raise `ForeignStateError` unless a state directory is empty, or was filled by this user's own sandbox.

    Its secrets are 0600, which `git clone` makes under few umasks only. See `require_sealed` for what a server runs.
    """
    reason = objection(directory) or (
        _exposed(directory) if (directory / ADMIN_TOKEN).exists() else _filled_by_another(directory)
    )
    if reason:
        raise ForeignStateError(f"{directory} is not used: {reason}; remove it, or take another --sandbox-dir")


def require_sealed(directory: Path) -> None:
    """Raise `ForeignStateError` unless this user's own sandbox wrote the state, if any, on this machine.

    A server runs what it finds there, with the user's rights, and `tar` and `unzip` restore modes and owners. For a
    user without a home directory, who has no key, modes and owners decide.
    """
    if user_directory() is None or not (directory / ADMIN_TOKEN).exists():
        return
    try:
        token = _digest((directory / ADMIN_TOKEN).read_text(encoding="ascii").strip())
        owner = json.loads((directory / OWNER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        token, owner = "", None
    if not isinstance(owner, dict) or owner.get("token") != token or not is_sealed(owner, of=_STATE):
        found = "no sandbox of yours wrote what it holds, on this machine and with this version"
        raise ForeignStateError(f"{directory} is not used: {found}; remove it, or take another --sandbox-dir")


def seal(directory: Path, token: str) -> str:
    """Name the token of a new state under the user's seal, before the token is written; the token."""
    if user_directory() is not None:
        write_private(directory / OWNER, json.dumps(sealed({"token": _digest(token)}, of=_STATE)) + "\n")
    return token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _exposed(directory: Path) -> str:
    """What is wrong with the files that hold secrets, or programs to run."""
    for name in (ADMIN_TOKEN, SIGNING_KEY, DATABASE):
        try:
            status = (directory / name).lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return f"{name} is not a file of yours"
        if status.st_mode & 0o077 and name != DATABASE:
            return f"others may read or write {name} (mode {status.st_mode & 0o777:o})"
    return ""


def _filled_by_another(directory: Path) -> str:
    """What no sandbox of the user's left in a directory in which none has been started."""
    for path in sorted(directory.iterdir()):
        if path.name not in (LOG, LOCK, OWNER, SERVER, ".gitignore") or path.is_symlink():
            return f"it holds {path.name}, and no sandbox of yours was started in it"
    return ""


def secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in a file; made and written (0600) when there is none."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii").strip()
    value = make()
    write_private(path, value + "\n")
    return value


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")  # threads of one program may write at a time
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def write_server(directory: Path, url: str, mounts: str) -> None:
    """Publish the address of the server; the last step of a start."""
    server = {
        "url": url,
        "pid": os.getpid(),
        "admin_token": str(directory / ADMIN_TOKEN),
        "mounts": mounts,
    }
    write_private(directory / SERVER, json.dumps(server) + "\n")


def read_server(directory: Path) -> ServerFile | None:
    """The address that the last server published; None when there is none, or it cannot be read."""
    try:
        server = json.loads((directory / SERVER).read_text(encoding="utf-8"))
        return ServerFile(str(server["url"]), int(server["pid"]), str(server.get("mounts") or ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remove_server(directory: Path) -> None:
    """Take the word back, when it is ours."""
    server = read_server(directory)
    if server is not None and server.pid == os.getpid():
        (directory / SERVER).unlink(missing_ok=True)
