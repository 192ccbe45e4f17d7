"""Auth providers of kubeconfigs (`auth-provider`), from before exec plugins: the token of one, or what to do instead.

Kubernetes 1.26 removed `gcp` and `azure`; of its own providers `oidc` is left. The official Python client (37.0)
ignores providers that it does not know, and then sends no credential; here they are errors.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Final

from hera_k8s_utils import CredentialError, Json, parse_timestamp
from hera_k8s_utils.network import expires_within, read_claims
from hera_k8s_utils.redaction import shown_address

log = logging.getLogger(__name__)

_REMOVED: Final = {
    "gcp": "install gke-gcloud-auth-plugin, then: gcloud container clusters get-credentials CLUSTER",
    "azure": "install kubelogin, then: kubelogin convert-kubeconfig",
}
"""The providers that Kubernetes 1.26 removed, and how a kubeconfig gets an exec plugin instead."""


def token_of_provider(provider: Any, context: str) -> str:
    """The token that a provider gives; renews that of `oidc` if it has expired.

    context: name of the context, for messages. Raises `CredentialError`, whose words hold no secret.
    """
    body: Json = provider if isinstance(provider, dict) else {}
    name, config = str(body.get("name") or ""), body.get("config")
    settings: Json = config if isinstance(config, dict) else {}
    if name == "oidc":
        return _of_oidc(settings, context)
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


def _of_oidc(config: Json, context: str) -> str:
    token = str(config.get("id-token") or "")
    end = read_claims(token).expires_at
    if token and end is not None and not _is_over(end):
        return token
    unfit = "its OIDC token is no JWT with an expiry" if token else "its auth provider oidc has no id-token"
    why = f"its OIDC token expired on {_day(end)}" if end else unfit
    missing = [key for key in ("refresh-token", "idp-issuer-url", "client-id") if not config.get(key)]
    if missing:
        raise _unusable(context, f"{why}, and it has no {missing[0]} to get another", _LOG_IN)
    return _renewed(config, context, why)


_EXPIRED: Final = "e30.eyJleHAiOjB9.e30"
"""A JWT with the claim `"exp": 0`."""
_LOG_IN: Final = "log in to your cluster again, or get a fresh kubeconfig"


def _renewed(config: Json, context: str, why: str) -> str:
    """The token that the official client gets from the issuer, whose certificate is verified."""
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config_from_dict
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    # without an authority, the client would not verify the issuer's certificate; it renews only an expired token
    defaults = {"client-secret": "", "idp-certificate-authority": DEFAULT_CA_BUNDLE_PATH}
    verified = {**defaults, **config, "id-token": _EXPIRED}
    entry = {"auth-provider": {"name": "oidc", "config": verified}}
    kubeconfig = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": "https://127.0.0.1"}}],
        "users": [{"name": "it", "user": entry}],
    }
    configuration: Any = Configuration()
    load: Any = load_kube_config_from_dict
    issuer = shown_address(str(config["idp-issuer-url"]))
    try:
        load(kubeconfig, client_configuration=configuration, persist_config=False)
    except Exception as error:  # of several libraries, whose texts hold addresses and tokens
        log.debug("no new OIDC token: %s", type(error).__name__)
        raise _unusable(context, f"{why}, and {issuer} gave no new one ({_cause(error)})", _LOG_IN) from None
    token = str(configuration.api_key.get("BearerToken") or "").removeprefix("Bearer ")
    if not token or _is_over(read_claims(token).expires_at):
        raise _unusable(context, f"{why}, and {issuer} gave no new one", _LOG_IN)
    return token


def _cause(error: Exception) -> str:
    """The last cause of an error, by the name of its type: `ConnectionRefusedError`."""
    found: BaseException = getattr(error, "reason", None) or error
    while isinstance(inner := found.__cause__ or found.__context__, Exception):
        found = inner
    return type(found).__name__


def _is_over(end: datetime | None) -> bool:
    return end is not None and expires_within(end, 0)


def _day(end: datetime | None) -> str:
    return f"{end:%Y-%m-%d %H:%M} UTC" if end else "an unknown day"


def _unusable(context: str, found: str, hint: str) -> CredentialError:
    return CredentialError(f"context {context} of the kubeconfig cannot be used", found=found, hint=hint)
