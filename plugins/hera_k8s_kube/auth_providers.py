"""Auth providers of kubeconfigs (`auth-provider`), from before exec plugins: the token of one, or what to do instead.

Kubernetes 1.26 removed `gcp` and `azure`; of its own providers `oidc` is left. The official Python client (37.0)
ignores providers that it does not know, and then sends no credential; here they are errors.
"""

from __future__ import annotations

import base64
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from hera_k8s_utils import CredentialError, HeraK8sError, Json, parse_timestamp
from hera_k8s_utils.network import HttpClient, NetworkSettings, expires_within, read_claims
from hera_k8s_utils.redaction import shown_address

log = logging.getLogger(__name__)

_REMOVED: Final = {
    "gcp": "install gke-gcloud-auth-plugin, then: gcloud container clusters get-credentials CLUSTER",
    "azure": "install kubelogin, then: kubelogin convert-kubeconfig",
}
"""The providers that Kubernetes 1.26 removed, and how a kubeconfig gets an exec plugin instead."""


def token_of_provider(provider: Any, context: str, keep: Callable[[Json], None], timeout: float) -> str:
    """The token that a provider gives; renews that of `oidc` if it has expired.

    context: name of the context, for messages.
    keep: (settings) -> stores new settings of the provider: an issuer may accept a refresh token only once.
    timeout: seconds for each answer of the issuer; no more than 30 are waited.

    Raises `CredentialError`, whose words hold no secret.
    """
    body: Json = provider if isinstance(provider, dict) else {}
    name, config = str(body.get("name") or ""), body.get("config")
    settings: Json = config if isinstance(config, dict) else {}
    if name == "oidc":
        return _of_oidc(settings, context, keep, timeout)
    if name in _REMOVED:
        return _of_removed(name, settings, context)
    raise _unusable(
        context,
        f"there is no auth provider {name!r}" if name else "its auth provider has no name",
        "ask the cluster's administrators for a kubeconfig with an exec plugin",
    )


def _of_removed(name: str, config: Json, context: str) -> str:
    """A token of `gcp` that is still valid; only other programs can renew it."""
    token, end = str(config.get("access-token") or ""), parse_timestamp(str(config.get("expiry") or ""))
    if name == "gcp" and token and not _is_over(end):
        return token
    expired = f"its token expired on {_day(end)}, and " if end and _is_over(end) else ""
    found = f"{expired}the auth provider {name} was removed from Kubernetes 1.26"
    raise _unusable(context, found, _REMOVED[name])


def _of_oidc(config: Json, context: str, keep: Callable[[Json], None], timeout: float) -> str:
    token = str(config.get("id-token") or "")
    end = read_claims(token).expires_at
    if token and end is not None and not _is_over(end):
        return token
    unfit = "its OIDC token is no JWT with an expiry" if token else "its auth provider oidc has no id-token"
    why = f"its OIDC token expired on {_day(end)}" if end else unfit
    missing = [key for key in ("refresh-token", "idp-issuer-url", "client-id") if not config.get(key)]
    if missing:
        raise _unusable(context, f"{why}, and it has no {missing[0]} to get another", _LOG_IN)
    return _renewed(config, context, why, keep, timeout)


_PATIENCE: Final = 30.0
"""Seconds for an answer of an issuer."""
_LOG_IN: Final = "log in to your cluster again, or get a fresh kubeconfig"


def _renewed(config: Json, context: str, why: str, keep: Callable[[Json], None], timeout: float) -> str:
    """The token that the issuer gives for the refresh token; the issuer's certificate is verified."""
    issuer = shown_address(str(config["idp-issuer-url"]))
    try:
        found = _asked(config, NetworkSettings(http_timeout=min(timeout, _PATIENCE), http_retries=1))
    except (HeraK8sError, ValueError, OSError) as error:
        log.debug("no new OIDC token: %s", type(error).__name__)
        raise _unusable(context, f"{why}, and {issuer} gave no new one ({_cause(error)})", _LOG_IN) from None
    token = str(found.get("id_token") or "")
    if not token or _is_over(read_claims(token).expires_at):
        raise _unusable(context, f"{why}, and {issuer} gave no new one", _LOG_IN)
    keep({"id-token": token, "refresh-token": str(found.get("refresh_token") or config["refresh-token"])})
    return token


def _asked(config: Json, network: NetworkSettings) -> Json:
    """What the issuer's token endpoint answers to the refresh token (OpenID Connect Core 1.0, section 12)."""
    identity, secret = str(config["client-id"]), str(config.get("client-secret") or "")
    form = {"grant_type": "refresh_token", "refresh_token": str(config["refresh-token"]), "client_id": identity}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with _authority_of(config) as authority:
        discovered = _mapping(_got(str(config["idp-issuer-url"]), network, authority))
        methods = discovered.get("token_endpoint_auth_methods_supported") or ("client_secret_basic",)
        if secret and "client_secret_basic" in methods:
            pair = f"{quote(identity, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif secret:
            form["client_secret"] = secret
        client = HttpClient(str(discovered.get("token_endpoint") or ""), network, ca_file=authority)
        with closing(client):
            return _mapping(client.post("", data=urlencode(form), headers=headers).json())


def _got(issuer: str, network: NetworkSettings, authority: str) -> Any:
    with closing(HttpClient(issuer, network, ca_file=authority)) as client:
        return client.get("/.well-known/openid-configuration").json()


@contextmanager
def _authority_of(config: Json) -> Iterator[str]:
    """The file of the authority that signed the issuer's certificate; empty for those that the system trusts."""
    data = config.get("idp-certificate-authority-data")
    if not data:
        yield str(config.get("idp-certificate-authority") or "")
        return
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "authority.pem"
        file.write_bytes(base64.b64decode(str(data)))
        yield str(file)


def _mapping(answer: Any) -> Json:
    if not isinstance(answer, dict):
        raise ValueError("no JSON object")
    return answer


def _cause(error: Exception) -> str:
    """Why there is no answer; what a server says in an error may hold secrets."""
    if not isinstance(error, HeraK8sError):
        return type(error).__name__
    status = getattr(error, "status", None)
    return f"answered {status}" if status else error.found or error.wanted


def _is_over(end: datetime | None) -> bool:
    return end is not None and expires_within(end, 0)


def _day(end: datetime | None) -> str:
    return f"{end:%Y-%m-%d %H:%M} UTC" if end else "an unknown day"


def _unusable(context: str, found: str, hint: str) -> CredentialError:
    return CredentialError(f"context {context} of the kubeconfig cannot be used", found=found, hint=hint)
