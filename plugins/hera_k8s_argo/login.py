"""`hera-k8s login`: stores a token for an Argo server, so that it is in no configuration file and no shell history."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import TYPE_CHECKING, Final, TextIO

from hera_k8s_argo.address import Address
from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_argo.token_store import TokenStore, user_logins
from hera_k8s_utils import Command, CredentialError, NotApplicable, OptionsError
from hera_k8s_utils.network import TokenClaims, bearer_token, expires_within, read_claims

if TYPE_CHECKING:
    from hera_k8s_utils import Session

_LONGEST: Final = 256 * 1024
"""Characters that are read of standard input: no header holds a longer token."""


def add_arguments(parser: ArgumentParser) -> None:
    """The flags that only this command has."""
    parser.add_argument("--remove", action="store_true", help="remove the stored token for this server")


def login(session: Session) -> int:
    """Read a token from the terminal without echo, or from standard input, and store it for the server."""
    address = session.options.of(ArgoSettings).address
    if address is None:
        raise OptionsError("no Argo server to log in to", hint="--argo-server HOST:PORT, or set ARGO_SERVER")
    logins = _logins()
    if session.arguments.remove:
        return _removed(session, address, logins.remove(str(address)))
    token = bearer_token(read_token(address, sys.stdin), origin="what was given")
    claims = read_claims(token)
    if claims.expires_at is not None and expires_within(claims.expires_at, 0):
        raise CredentialError(
            "the token was not stored",
            found=f"it expired at {_moment(claims.expires_at)}",
            hint="get a fresh one: `argo auth token`, or the page `User` of Argo's UI",
        )
    logins.save(str(address), token)
    return _saved(session, address, claims, str(logins.path))


def _logins() -> TokenStore:
    try:
        return user_logins()
    except NotApplicable as reason:
        hint = "set XDG_CONFIG_HOME=DIRECTORY, or ARGO_TOKEN"
        raise CredentialError("cannot store the token", found=str(reason), hint=hint) from None


def read_token(address: Address, stdin: TextIO) -> str:
    """A token from standard input; at a terminal one line of it, asked for and not shown."""
    if not stdin.isatty():
        text = stdin.read(_LONGEST + 1)
        if len(text) > _LONGEST:
            raise CredentialError("the token was not stored", found="the input is longer than any token")
        return text
    import getpass

    from hera_k8s_utils import one_line

    try:
        return getpass.getpass(f"Token for {one_line(address.netloc)} (not shown): ")
    except EOFError:
        return ""


def _saved(session: Session, address: Address, claims: TokenClaims, path: str) -> int:
    console = session.console()
    expires = claims.expires_at.isoformat() if claims.expires_at else None
    if session.json:
        console.document({"server": str(address), "identity": claims.identity, "expires_at": expires, "path": path})
        return 0
    who = f" as {claims.identity}" if claims.identity else ""
    until = f"until {_moment(claims.expires_at)}" if claims.expires_at else "expiry unknown"
    console.success(f"logged in to {address}{who}, {until}")
    console.hint(f"stored in {path}, readable only by you; test it: hera-k8s check")
    return 0


def _removed(session: Session, address: Address, there_was_one: bool) -> int:
    console = session.console()
    if session.json:
        console.document({"server": str(address), "removed": there_was_one})
    elif there_was_one:
        console.success(f"removed the token for {address}")
    else:
        console.info(f"no token was stored for {address}")
    return 0


def _moment(when: datetime) -> str:
    return f"{when.astimezone():%Y-%m-%d %H:%M}"


COMMAND = Command(
    name="login",
    run=login,
    summary="store a token for the Argo server, outside configuration files",
    example="hera-k8s login --argo-server argo.example:2746\nargo auth token | hera-k8s login",
    arguments=add_arguments,
    settings=ArgoSettings,
)
