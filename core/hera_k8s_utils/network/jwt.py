"""Claims of JSON Web Tokens (RFC 7519), read without verifying them: only the server can do that."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from hera_k8s_utils.reading import parse_json

_IDENTITY_CLAIMS: Final = ("email", "preferred_username", "sub")
"""Claims that name the caller, the best known first. `name` is not among them: several people may share one."""


@dataclass(frozen=True)
class TokenClaims:
    """What a token says about itself; unverified.

    identity: the caller as the server knows it, such as `system:serviceaccount:NAMESPACE:NAME`; empty when unknown.
    expires_at: timezone-aware; None when the token does not say.
    """

    identity: str = ""
    expires_at: datetime | None = None


def read_claims(token: str) -> TokenClaims:
    """Who a token belongs to and when it expires; an opaque token, such as Argo's `v2:...`, says neither."""
    claims = decode_claims(token)
    return TokenClaims(_identity(claims), _expiry(claims.get("exp")))


def decode_claims(token: str) -> dict[str, Any]:
    """All claims of a token; empty for an opaque one."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = parse_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def expires_within(moment: datetime | None, seconds: float) -> bool:
    """Whether a moment has passed or will within that many seconds; an unknown one (None) never does."""
    return moment is not None and datetime.now(timezone.utc) >= moment - timedelta(seconds=seconds)


def _identity(claims: dict[str, Any]) -> str:
    values = (claims.get(claim) for claim in _IDENTITY_CLAIMS)
    return next((value for value in values if isinstance(value, str) and value and value.isprintable()), "")


def _expiry(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
