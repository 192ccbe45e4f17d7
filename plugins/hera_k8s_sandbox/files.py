"""The files of a state directory that tell about its server; those that hold secrets are 0600."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CLOCK: Final = "clock.json"
ADMIN_TOKEN: Final = "admin.token"  # noqa: S105  a file's name
DATABASE: Final = "state.sqlite"
KUBECONFIG: Final = "kubeconfig"
LOCK: Final = "server.lock"
LOG: Final = "sandbox.log"
SERVER: Final = "server.json"
SIGNING_KEY: Final = "signing.key"

PID_HEADER: Final = "X-Sandbox-Pid"  # by which a launcher knows that who answers is who wrote the file

# kubectl sends no token over plain http (client-go reads credentials for https only): its kubeconfig holds the
# token in the server's path, http://127.0.0.1:PORT/bearer/TOKEN.
TOKEN_PATH: Final = "bearer"  # noqa: S105

CLOCK_PATH: Final = "/sandbox/clock"  # where the time is read and advanced; no cluster has such a path


@dataclass(frozen=True)
class ServerFile:
    """What a running server writes about itself, as far as launchers need it: servers of other versions write more.

    mounts: how tasks see their mounts: `bubblewrap`, `rewrite`, or empty when the server does not say.
    """

    url: str
    pid: int
    mounts: str = ""


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
    """Tell where the server is; comes last of all at a start."""
    told = {"url": url, "pid": os.getpid(), "admin_token": str(directory / ADMIN_TOKEN), "mounts": mounts}
    write_private(directory / SERVER, json.dumps(told) + "\n")


def read_server(directory: Path) -> ServerFile | None:
    """What the last server told; None when there is nothing, or nothing legible."""
    try:
        told = json.loads((directory / SERVER).read_text(encoding="utf-8"))
        return ServerFile(str(told["url"]), int(told["pid"]), str(told.get("mounts") or ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remove_server(directory: Path) -> None:
    """Take the word back, when it is ours."""
    told = read_server(directory)
    if told is not None and told.pid == os.getpid():
        (directory / SERVER).unlink(missing_ok=True)
