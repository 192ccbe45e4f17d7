"""The seal of a run's record: it shows that this user wrote the record on this machine.

Ownership shows less: whatever `git clone` or `unzip` writes belongs to whoever types it. The key is in the user's own
directory, 0600, and is made when the first run is recorded.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hera_k8s_utils.trust.user_files import read_own, user_directory, write_own

log = logging.getLogger(__name__)

FIELD: Final = "seal"
"""The key of a document that holds its seal."""
_FILE: Final = "record.key"
_DIGITS: Final = 64
_NO_SEAL: Final = "the record gets no seal, so that `hera-k8s follow` needs the flags of this command"


def sealed(document: Mapping[str, Any], *, of: str) -> dict[str, Any]:
    """A copy of a JSON document with its seal; without one where no key can be kept.

    of: what the document is, with the run's id, so that no other document passes for it.
    """
    bare = {name: value for name, value in document.items() if name != FIELD}
    key = _key(make=True)
    return {**bare, FIELD: _digest(bare, of, key)} if key else bare


def is_sealed(document: Mapping[str, Any], *, of: str) -> bool:
    """Whether a document has this user's seal, and is as it was sealed."""
    stated = document.get(FIELD)
    key = _key() if isinstance(stated, str) and stated.isascii() else None
    if not key:
        return False
    bare = {name: value for name, value in document.items() if name != FIELD}
    return hmac.compare_digest(str(stated), _digest(bare, of, key))


def fingerprint(text: str) -> str:
    """A digest by which this user can tell whether two secrets are the same, 16 hex digits; empty without a key.

    It needs the user's key, so that nobody who reads it can find a short secret by trying.
    """
    key = _key(make=True)
    return (
        hmac.new(key, b"fingerprint " + text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:16]
        if key
        else ""
    )


def _digest(document: Mapping[str, Any], of: str, key: bytes) -> str:
    text = json.dumps([of, document], sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _key(*, make: bool = False) -> bytes | None:
    directory = user_directory()
    if directory is None:
        if make:
            log.warning("%s: there is no home directory", _NO_SEAL)
        return None
    path = directory / _FILE
    try:
        return _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return _made(path) if make else None
    except OSError as error:
        log.warning("%s is not used: %s", path, error.strerror or error)
        return None


def _read(path: Path) -> bytes | None:
    text = read_own(path, private=True).strip()
    return bytes.fromhex(text) if len(text) == _DIGITS and not set(text) - set("0123456789abcdef") else None


def _made(path: Path) -> bytes | None:
    try:
        write_own(path, secrets.token_hex(_DIGITS // 2) + "\n", replace=False)
        return _read(path)
    except OSError as error:
        log.warning("%s: %s cannot be written: %s", _NO_SEAL, path, error.strerror or error)
        return None
