"""Tokens for the Argo server: as they are pasted, and what one says of itself. None is ever shown."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from hera_k8s_utils import CredentialError
from hera_k8s_utils.reading import parse_json

_CHARACTERS: Final = re.compile(r"[!-~]+")
"""What a header may hold of one word: visible ASCII."""


@dataclass(frozen=True)
class TokenFacts:
    """What a token says of itself, unverified: as whom, and until when (timezone-aware). Empty when it is opaque."""

    identity: str = ""
    expires_at: datetime | None = None


def bare_token(text: str, *, origin: str = "the token") -> str:
    """A token without the word `Bearer`, the quotes and the blanks that come along when it is pasted.

    origin: where it came from, for the message. Raises `CredentialError` for what cannot be a token.
    """
    token = text.strip()
    if len(token) > 1 and token[0] == token[-1] and token[0] in "'\"":
        token = token[1:-1].strip()
    word, blank, rest = token.partition(" ")
    if word.lower() == "bearer" and (blank or not rest):
        token = rest.strip()
    if not token:
        raise CredentialError(f"{origin} holds no token", hint="argo auth token prints one, and the Argo page `User`")
    if not _CHARACTERS.fullmatch(token):
        found = "it holds a blank or a character that no token has"
        raise CredentialError(f"{origin} holds something else than a token", found=found, hint="paste it whole, alone")
    return token


def facts_of(token: str) -> TokenFacts:
    """Read the claims of a JSON web token without verifying it; anything else, such as `v2:` ones, is opaque."""
    claims = _claims(token)
    return TokenFacts(_identity(claims), _moment(claims.get("exp")))


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
