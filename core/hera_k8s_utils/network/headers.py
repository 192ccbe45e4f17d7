"""What a header may hold: one guard for all that is sent, so that no library meets a wrong value and repeats it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from hera_k8s_utils.errors import CredentialError
from hera_k8s_utils.redaction import register_secrets

_TOKEN: Final = re.compile(r"[!-~]+")
"""Visible ASCII: one word of a header (RFC 9110)."""
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
"""Visible ASCII, with blanks between."""
_WHOLE: Final = "was it copied whole, and nothing besides?"
_GET_ONE: Final = "argo auth token prints one, and the Argo page `User`"


def bearer_token(text: str, *, origin: str = "the token", hint: str = "paste it whole, alone") -> str:
    """A token without the word `Bearer`, the quotes and the white space that come along; it is remembered as a secret.

    origin: where it came from, for the message.
    hint: what to do about a wrong one.

    Raises `CredentialError` for what cannot be a token.
    """
    register_secrets([text])
    token = text.strip()
    if len(token) > 1 and token[0] == token[-1] and token[0] in "'\"":
        token = token[1:-1].strip()
    word, blank, rest = token.partition(" ")
    if word.lower() == "bearer" and (blank or not rest):
        token = rest.strip()
    if not token:
        raise CredentialError(f"{origin} holds no token", hint=_GET_ONE)
    if not _TOKEN.fullmatch(token):
        found = "it holds a blank or a character that no token has"
        raise CredentialError(f"{origin} holds something else than a token", found=found, hint=hint)
    register_secrets([token])
    return token


def sendable(headers: Mapping[str, str], *, origin: str = "the request") -> Mapping[str, str]:
    """The headers, when each can be sent. Raises `CredentialError`, which names the header and not its value."""
    for name, value in headers.items():
        require_sendable(name, value, origin=origin)
    return headers


def require_sendable(name: str, value: str, *, origin: str = "the request") -> None:
    """Raise `CredentialError` for a header that cannot be sent: what it holds is not repeated."""
    if not _NAME.fullmatch(name):
        raise CredentialError(f"{origin} cannot be sent", found="it has a header whose name no header has")
    if _VALUE.fullmatch(value):
        return
    what = "the token" if name.lower() == "authorization" else f"the header {name}"
    raise CredentialError(
        f"{origin} cannot be sent",
        found=f"{what} holds a character that no {'token' if what == 'the token' else 'header'} has",
        hint=_WHOLE,
    )


def require_basic_auth(user: str, password: str, *, origin: str) -> None:
    """Raise `CredentialError` for a user and a password that no header of basic authentication can hold (RFC 7617)."""
    wrong = "the user's name holds a colon" if ":" in user else ""
    try:
        f"{user}{password}".encode("latin-1")
    except UnicodeEncodeError:
        wrong = "the user's name or the password holds a character outside Latin-1"
    if wrong:
        raise CredentialError(f"{origin} cannot be used", found=wrong, hint=_WHOLE)
