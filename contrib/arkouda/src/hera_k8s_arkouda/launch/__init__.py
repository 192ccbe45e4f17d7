"""The programs that pods start with, as files: shell for Arkouda's own, Python for the verification."""

from __future__ import annotations

import hashlib
from importlib.resources import files

LOCALE = "start-arkouda-locale.sh"
SERVER = "start-arkouda-server.sh"
VERIFY = "verify_locales.py"


def source(name: str) -> str:
    """The text of one of the programs above."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def digest(name: str) -> str:
    """The beginning of its SHA-256: a pod whose program changed is made anew."""
    return hashlib.sha256(source(name).encode()).hexdigest()[:16]
