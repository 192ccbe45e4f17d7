"""The token store of `hera-k8s login`: one file of the user, outside any repository, readable only by the user."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hera_k8s_utils import CredentialError, NotApplicable
from hera_k8s_utils.reading import MIB, parse_json, read_file
from hera_k8s_utils.trust import user_directory


@dataclass(frozen=True)
class StoredToken:
    """A stored token.

    token: the token.
    saved: when it was stored, timezone-aware.
    """

    token: str = field(repr=False)
    saved: datetime


class TokenStore:
    """Tokens by the server's address. directory: of the file; created when the first token is stored."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "logins.json"

    def find(self, server: str) -> StoredToken | None:
        """The token for a server, None when there is none."""
        entry = self._read().get(server)
        if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
            return None
        return StoredToken(entry["token"], _moment(entry.get("saved")))

    def save(self, server: str, token: str) -> None:
        """Keep a token. Raises `CredentialError` when the directory lies in a repository or cannot be written."""
        repository = _repository_around(self.path.parent)
        if repository is not None:
            raise CredentialError(
                "the token was not stored",
                found=f"{self.path.parent} is inside the repository {repository}",
                hint="set XDG_CONFIG_HOME=DIRECTORY outside it, or ARGO_TOKEN",
            )
        kept = self._read()
        kept[server] = {"token": token, "saved": datetime.now(timezone.utc).isoformat(timespec="seconds")}
        self._write(kept)

    def remove(self, server: str) -> bool:
        """Forget a token; whether there was one."""
        kept = self._read()
        if kept.pop(server, None) is None:
            return False
        self._write(kept)
        return True

    def _read(self) -> dict[str, Any]:
        try:
            _require_private(self.path)
            kept = parse_json(read_file(self.path, most=MIB))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._unusable(error) from None
        if not isinstance(kept, dict):
            raise self._unusable(ValueError())
        return kept

    def _write(self, kept: Mapping[str, Any]) -> None:
        """Replace the file in one step: another process reads the old one or the new one, never half of it."""
        import tempfile

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".logins-")  # 0600 by its contract
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(kept, file, indent=1)
                os.replace(temporary, self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> CredentialError:
        found = f"{error.strerror}" if isinstance(error, OSError) else "it was not written by hera-k8s login"
        hint = f"chmod 600 {self.path}, or remove it" if isinstance(error, _Exposed) else "fix or remove it"
        return CredentialError(f"cannot use the token store {self.path}", found=found, hint=hint)


def user_logins(environ: Mapping[str, str] = os.environ) -> TokenStore:
    """The store of this user: below `$XDG_CONFIG_HOME`, else `~/.config`; below `%APPDATA%` on Windows."""
    directory = user_directory(environ)
    if directory is None:
        raise NotApplicable("no home directory to store tokens in")
    return TokenStore(directory)


class _Exposed(OSError):
    """Others can use the tokens."""


def _require_private(path: Path) -> None:
    """Raise when others may read or replace the tokens of the store."""
    mode = path.stat().st_mode
    if os.name == "posix" and mode & 0o077:
        raise _Exposed(errno.EPERM, f"other users can read or write it (mode {mode & 0o777:o})", str(path))


def _repository_around(directory: Path) -> Path | None:
    for parent in [directory, *directory.parents]:
        if (parent / ".git").exists():
            return parent
    return None


def _moment(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0, timezone.utc)
