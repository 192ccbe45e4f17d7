"""Credentials for the Argo server: the user's token, or none where the user states that none is needed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from hera_k8s_argo.address import Address
from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_argo.token_store import StoredToken, user_logins
from hera_k8s_utils import Context, CoreSettings, Credential, CredentialError, NotApplicable
from hera_k8s_utils.network import bearer_token, read_claims
from hera_k8s_utils.reading import LARGEST_TOKEN, read_text


def load_token(settings: ArgoSettings, context: Context) -> Credential:
    """The token from an option or its variable, from a file, or from `hera-k8s login`."""
    server = _server(settings)
    if settings.anonymous:
        raise NotApplicable("--argo-anonymous: send no token")
    text, source = _token(settings, context, server)
    token = bearer_token(text, origin=source)
    claims = read_claims(token)
    return Credential(
        secret=token, server=str(server), identity=claims.identity, expires_at=claims.expires_at, source=source
    )


def load_anonymous(settings: ArgoSettings, context: Context) -> Credential:
    """No token, when that was said; the last provider to be asked, so that a server without a token is an error."""
    server = _server(settings)
    if settings.anonymous or "argo=anonymous" in context.options.of(CoreSettings).credentials:
        return Credential(server=str(server), identity="the server's own account", source="no token")
    raise CredentialError(
        f"no token for the Argo server {server}",
        found=f"ARGO_TOKEN is not set, no token file is configured, and there is no login for {server.netloc}",
        hint="hera-k8s login, or --argo-anonymous if the server requires none",
    )


def _server(settings: ArgoSettings) -> Address:
    address = settings.address
    if address is None:
        raise NotApplicable("no Argo server is configured (ARGO_SERVER)")
    return address


def _token(settings: ArgoSettings, context: Context, server: Address) -> tuple[str, str]:
    """The token as it is written, and where; the option that was set more explicitly counts."""
    stated, file = (context.options.origin(ArgoSettings, field) for field in ("token", "token_file"))
    if settings.token and (settings.token_file is None or stated.rank <= file.rank):
        return settings.token, stated.where
    if settings.token_file is not None:
        return _read(settings.token_file), f"file {settings.token_file}"
    login = _login(server)
    if login is None:
        raise NotApplicable(
            f"ARGO_TOKEN is not set, no token file is configured, and there is no login for {server.netloc}"
        )
    return login.token, f"login, {_shortly(login.saved)}"


def _login(server: Address) -> StoredToken | None:
    try:
        return user_logins().find(str(server))
    except NotApplicable:  # no home directory, so there is no login
        return None


def _read(file: Path) -> str:
    try:
        return read_text(file, most=LARGEST_TOKEN, pipe=True)
    except OSError as error:
        found = error.strerror or "it cannot be read"
    except ValueError:
        found = "its name has a null byte"
    raise CredentialError(f"cannot read the token file {file}", found=found, hint="--argo-token-file FILE")


def _shortly(moment: datetime) -> str:
    local, now = moment.astimezone(), datetime.now().astimezone()
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%Y-%m-%d}"
