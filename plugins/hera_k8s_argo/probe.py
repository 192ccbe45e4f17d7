"""Access to the Argo server: reachable, trusted, its version, the namespace, and until when it is authorised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_utils import (
    ARGO,
    Argo,
    CheckResult,
    Context,
    Credential,
    ErrorKind,
    Finding,
    PlatformError,
    fail,
    ok,
    warn,
)
from hera_k8s_utils.network import is_loopback

T = TypeVar("T")

SOON: Final = timedelta(minutes=30)
"""A token that expires within this time is reported before a run is started."""
_CHEAP: Final = "items.metadata.name"
_TITLE: Final = "argo"
_ELSEWHERE: Final = "is this the address of an Argo server? if it is below a path: --argo-base-href"


def probe_argo(settings: ArgoSettings, context: Context) -> Iterator[Finding]:
    """Whether workflows can be run there. A server that cannot be talked to at all is raised as `PlatformError`."""
    yield Finding(_TITLE, _look(settings, context))


def _look(settings: ArgoSettings, context: Context) -> CheckResult:
    expired = _expired(context.platforms.credential(ARGO.name))
    try:
        return _looked(settings, context)
    except PlatformError as error:
        if error.kind is ErrorKind.UNAUTHORIZED and expired:
            return fail(expired, hint="hera-k8s login, or a fresh ARGO_TOKEN")
        if error.kind is ErrorKind.MISSING:
            return fail(f"{error.wanted}: {error.found}", hint=error.hint or _ELSEWHERE)
        raise


def _looked(settings: ArgoSettings, context: Context) -> CheckResult:
    argo = context.argo
    version = _unless_forbidden(argo.version, "").removeprefix("v") or "version unknown"
    info: dict[str, Any] = _unless_forbidden(argo.info, {})
    managed = info.get("managedNamespace") or ""
    if managed and managed != argo.namespace:
        return fail(f"{version}, manages only namespace {managed}, not {argo.namespace}", hint=f"-n {managed}")
    try:
        next(argo.list(limit=1, fields=_CHEAP), None)
    except PlatformError as error:
        if error.kind is ErrorKind.FORBIDDEN:
            return fail(f"{version}, but not authorised: {error.found}", hint=error.hint)
        raise
    credential = context.platforms.credential(ARGO.name)  # it may have been renewed meanwhile
    if not argo.identity:
        argo.identity = _whom(argo)
    return _result(f"{version}, authorised", [*_warnings(settings, credential, argo)])


def _unless_forbidden(ask: Callable[[], T], otherwise: T) -> T:
    """An answer about the server itself; the default when it is forbidden: only access to workflows matters."""
    try:
        return ask()
    except PlatformError as error:
        if error.kind is ErrorKind.FORBIDDEN:
            return otherwise
        raise


def _whom(argo: Argo) -> str:
    """The caller's identity where the server reports it: with single sign-on, and for service accounts."""
    try:
        said = argo.userinfo()
    except PlatformError:
        return ""
    account = f"service account {said['serviceAccountName']}" if said.get("serviceAccountName") else ""
    return str(said.get("email") or said.get("name") or account or said.get("subject") or "")


def _result(detail: str, worries: list[tuple[str, str]]) -> CheckResult:
    if not worries:
        return ok(detail)
    said = "; ".join([detail, *(worry for worry, _ in worries)])
    return warn(said, hint=next((hint for _, hint in worries if hint), ""))


def _warnings(settings: ArgoSettings, credential: Credential, argo: Any) -> Iterator[tuple[str, str]]:
    """What may go wrong later, each with what to do."""
    expiry = _expired(credential) or _expires_soon(credential)
    if expiry:
        yield expiry, "hera-k8s login"
    address = urlsplit(argo.server)
    if address.scheme == "http" and credential.secret and not is_loopback(address.hostname or ""):
        yield "the token is sent unencrypted", f"https://{address.netloc} if it is served there"
    if settings.insecure_skip_verify and address.scheme == "https":
        yield "its certificate is not verified", "--ca-file PEM instead of --argo-insecure-skip-verify"


def _expired(credential: Credential) -> str:
    left = _left(credential)
    return f"token expired {_minutes(-left)} ago" if left is not None and left <= timedelta(0) else ""


def _expires_soon(credential: Credential) -> str:
    left = _left(credential)
    return f"token expires in {_minutes(left)}" if left is not None and left <= SOON else ""


def _left(credential: Credential) -> timedelta | None:
    return None if credential.expires_at is None else credential.expires_at - datetime.now(timezone.utc)


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes >= 48 * 60:
        return f"{minutes // 1440} days"
    if minutes >= 120:
        return f"{minutes // 60} h"
    return f"{minutes} min" if minutes else "less than a minute"
