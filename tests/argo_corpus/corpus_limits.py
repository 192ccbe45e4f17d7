"""Examples of Argo whose outcome differs on the sandbox, and why that is to be expected."""

from __future__ import annotations

from typing import Final

LIMITS: Final[dict[str, str]] = {}
