"""Service account tokens for the Argo server: requested by TokenRequest, or read from a token Secret."""

from __future__ import annotations

import base64
from datetime import datetime

from hera_k8s_kube.settings import AccountTokenSettings
from hera_k8s_utils import (
    Context,
    CoreSettings,
    Credential,
    CredentialError,
    ErrorKind,
    Json,
    NoCredential,
    NotApplicable,
    PlatformError,
    parse_timestamp,
)
from hera_k8s_utils.network import bearer_token, read_claims

TOKEN_SECRET = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secret


def account_token(settings: AccountTokenSettings, context: Context) -> Credential:
    """A service account's token.

    With `--argo-token-secret` it is read from that Secret, else the server is asked for a fresh one; where it refuses
    that, the Secret that the account itself lists is read (clusters before Kubernetes 1.24 made one for each).
    Raises `NotApplicable` when no account is named, or there is no Argo server, or no cluster to ask; the last is a
    `CredentialError` where the account or the Secret was named for this purpose.
    """
    account = settings.account or context.options.of(CoreSettings).service_account
    if not account and not settings.secret:
        raise NotApplicable("no service account is configured: --argo-token-account or --service-account")
    if not context.options.by_name("argo_server"):
        raise NotApplicable("no Argo server is configured: --argo-server")
    try:
        _ = context.kubernetes
    except NoCredential as error:
        raise _unaskable(settings, error) from None
    if settings.secret:
        return _from_secret(context, settings.secret, account)
    try:
        return _requested(context, account, settings.lifetime)
    except PlatformError as error:
        if error.kind is not ErrorKind.FORBIDDEN:
            raise _failed(account, error) from error
        return _from_listed_secret(context, account, error)


def _unaskable(settings: AccountTokenSettings, reason: NoCredential) -> Exception:
    """An error when an account or Secret was named explicitly: another identity must not be used silently instead."""
    if not settings.account and not settings.secret:
        return NotApplicable("no cluster is configured to request the account's token")
    wanted = f"Secret {settings.secret}" if settings.secret else f"service account {settings.account}"
    return CredentialError(
        f"no cluster is configured to request the token of {wanted}",
        found=reason.found,
        hint="--k8s-config-file FILE, or KUBECONFIG",
    )


def _requested(context: Context, account: str, lifetime: int) -> Credential:
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": lifetime},
    }
    answer = context.kubernetes.create("v1", "serviceaccounts", body, name=account, subresource="token")
    status: Json = answer.get("status") or {}
    token = str(status.get("token") or "")
    if not token:
        raise CredentialError(f"the token of service account {account}", found="the server's answer contains none")
    end = parse_timestamp(str(status.get("expirationTimestamp") or "")) or read_claims(token).expires_at
    return _credential(token, context, account, end, f"TokenRequest for {account}")


def _from_listed_secret(context: Context, account: str, refused: PlatformError) -> Credential:
    """The token in a Secret that the account lists; the refusal of TokenRequest stands when there is none."""
    try:
        listed = context.kubernetes.get("v1", "serviceaccounts", account).get("secrets") or ()
    except PlatformError:
        raise _failed(account, refused) from refused
    for each in listed:
        try:
            return _from_secret(context, str(each.get("name") or ""), account)
        except (CredentialError, PlatformError):
            continue  # accounts list Secrets of other types too
    raise _failed(account, refused) from refused


def _from_secret(context: Context, name: str, account: str) -> Credential:
    found = _secret(context, name)
    if found.get("type") != TOKEN_SECRET:
        raise CredentialError(
            f"Secret {name} does not contain a service account token",
            found=f"its type is {found.get('type')}",
            hint=f"its type must be {TOKEN_SECRET}",
        )
    owner = ((found.get("metadata") or {}).get("annotations") or {}).get("kubernetes.io/service-account.name", "")
    if account and owner and owner != account:
        raise CredentialError(
            f"Secret {name} contains the token of service account {owner}",
            found=f"expected {account}",
            hint=f"--argo-token-account {owner}, or another Secret",
        )
    try:
        token = base64.b64decode((found.get("data") or {}).get("token") or "").decode()
    except ValueError:
        token = ""
    if not token:
        raise CredentialError(
            f"Secret {name} contains no token",
            found="the cluster has not generated it",
            hint=f"kubectl -n {context.namespace} describe secret {name}",
        )
    return _credential(token, context, owner or account, read_claims(token).expires_at, f"Secret {name}")


def _secret(context: Context, name: str) -> Json:
    try:
        return context.kubernetes.get("v1", "secrets", name)
    except PlatformError as error:
        if error.kind in (ErrorKind.MISSING, ErrorKind.FORBIDDEN):
            there = f"kubectl -n {context.namespace} get secrets --field-selector type={TOKEN_SECRET}"
            raise CredentialError(
                f"cannot read the token in Secret {name}", found=error.found, hint=error.hint or there
            ) from error
        raise


def _credential(token: str, context: Context, account: str, end: datetime | None, source: str) -> Credential:
    token = bearer_token(token, origin=source, hint="use another account: --argo-token-account NAME")
    return Credential(
        secret=token,
        identity=read_claims(token).identity or f"system:serviceaccount:{context.kubernetes.namespace}:{account}",
        namespace=context.kubernetes.namespace,
        expires_at=end,
        source=source,
    )


def _failed(account: str, error: PlatformError) -> CredentialError:
    another = "use another account: --argo-token-account NAME"
    if error.kind is ErrorKind.INVALID:
        another = "--argo-token-lifetime SECONDS: at least 600, and no more than the cluster allows"
    return CredentialError(
        f"no token for service account {account}", found=error.found or error.wanted, hint=error.hint or another
    )
