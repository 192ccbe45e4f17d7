"""Tokens for the Argo server: as they are pasted, and what one says of itself. None is ever shown."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from hera_k8s_utils.network.headers import bearer_token as bare_token
from hera_k8s_utils.reading import parse_json

__all__ = ["TokenClaims", "bare_token", "read_claims"]


@dataclass(frozen=True)
class TokenClaims:
    """What a token says of itself, unverified: as whom, and until when (timezone-aware). Empty when it is opaque."""

    identity: str = ""
    expires_at: datetime | None = None


def read_claims(token: str) -> TokenClaims:
    """Read the claims of a JSON web token without verifying it; anything else, such as `v2:` ones, is opaque."""
    claims = _claims(token)
    return TokenClaims(_identity(claims), _moment(claims.get("exp")))


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = parse_json(payload)
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _identity(claims: dict[str, Any]) -> str:
    for claim in ("email", "preferred_username", "name", "sub"):
        value = claims.get(claim)
        if isinstance(value, str) and value.isprintable() and value:
            account = value.removeprefix("system:serviceaccount:")
            return value if account == value else f"service account {account.replace(':', '/', 1)}"
    return ""


def _moment(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
