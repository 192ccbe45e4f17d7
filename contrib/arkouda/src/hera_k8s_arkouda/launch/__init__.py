"""The launch scripts of pods: shell for Arkouda's, Python for the verification."""

from __future__ import annotations

import hashlib
from importlib.resources import files

LOCALE = "start-arkouda-locale.sh"
SERVER = "start-arkouda-server.sh"
VERIFY = "verify_locales.py"


def source(name: str) -> str:
    """The text of a script."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def digest(name: str) -> str:
    """Prefix of its SHA-256; a pod whose script changed is replaced."""
    return hashlib.sha256(source(name).encode()).hexdigest()[:16]
