"""From a credential to connections: the configured `ApiClient`, its pool, proxy, retries and trust."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from hera_k8s_utils.declarations import Credential
from hera_k8s_utils.errors import CredentialError
from hera_k8s_utils.http import NetworkSettings, silence_unverified, without_password
from hera_k8s_utils.log import remember
from hera_k8s_utils.proxies import proxy_for

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

TOKEN_KEY: Final = "BearerToken"  # noqa: S105 - the name of the entry, not a token
_SCHEME: Final = "Bearer "


@dataclass(frozen=True)
class Handle:
    """What a kubeconfig gives besides a token: a configuration of the official client.

    proxy: the kubeconfig's own `proxy-url`, which beats the environment. renews: a later look gives a fresh credential.
    acts_as: the user to impersonate.
    """

    configuration: Configuration = field(repr=False)
    proxy: str = ""
    renews: bool = False
    acts_as: str = ""

    @property
    def insecure(self) -> bool:
        """Whether the server's certificate goes unverified."""
        return self.configuration.host.startswith("https:") and not self.configuration.verify_ssl


@dataclass(frozen=True)
class Session:
    """A credential and the connections that it opened. `server`: the address without secrets, for messages."""

    credential: Credential
    api: ApiClient = field(repr=False)
    server: str
    proxy: str = field(default="", repr=False)

    @property
    def secret(self) -> str:
        """The token that is sent, empty when a certificate or nothing says who we are."""
        return str(self.api.configuration.api_key.get(TOKEN_KEY) or "").removeprefix(_SCHEME)


def open_session(credential: Credential, network: NetworkSettings, *, width: int) -> Session:
    """Connections for a credential; makes no request. width: how many requests run at once."""
    from kubernetes.client import ApiClient

    handle = credential.handle
    configuration = handle.configuration if isinstance(handle, Handle) else _configuration(credential)
    _require_address(configuration.host, credential)
    own = handle.proxy if isinstance(handle, Handle) else ""
    proxy = own or proxy_for(configuration.host)
    _apply_policy(configuration, network, proxy, width)
    api: Any = ApiClient(configuration)
    api.user_agent = "hera-k8s-utils"
    if isinstance(handle, Handle) and handle.acts_as:
        api.set_default_header("Impersonate-User", handle.acts_as)
    session = Session(credential, api, "", without_password(proxy))
    remember([session.secret])
    return Session(credential, api, shown(configuration.host, session.secret), session.proxy)


def _require_address(server: str, credential: Credential) -> None:
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or is too large
        usable = False
    if not usable:
        raise CredentialError(
            "the server's address cannot be used",
            found=f"{credential.source or 'the credential'} names {_without_path(server)!r}",
            hint="https://HOST:PORT",
        )


def _without_path(server: str) -> str:
    """What stands where the host belongs: a path may hold a token."""
    scheme, separator, rest = server.rpartition("://")
    return scheme + separator + rest.partition("/")[0].rpartition("@")[2]


def _configuration(credential: Credential) -> Configuration:
    """The configuration for a credential that is an address and a token."""
    from kubernetes.client import Configuration

    if not credential.server:
        raise CredentialError(
            "the credential for kubernetes names no server",
            found=f"it came from {credential.source or 'a plugin'}",
            hint="--credentials kubernetes=PROVIDER takes another",
        )
    configuration = Configuration(host=credential.server.rstrip("/"))
    configuration.ssl_ca_cert = credential.certificate_authority or None
    if credential.secret:
        configuration.api_key[TOKEN_KEY] = _SCHEME + credential.secret.removeprefix(_SCHEME)
    return configuration


def _apply_policy(configuration: Configuration, network: NetworkSettings, proxy: str, width: int) -> None:
    from hera_k8s_utils.transport import safe_retry

    configuration.proxy = proxy or None  # also keeps the client (37.0) from choosing one by itself
    configuration.no_proxy = ""
    configuration.refresh_api_key_hook = None  # it reloads in every thread at once; we renew under one lock
    configuration.connection_pool_maxsize = max(1, width)
    configuration.keep_alive = True
    if not configuration.verify_ssl:
        silence_unverified()  # the probe says it once
    if network.ca_file and not configuration.ssl_ca_cert:
        configuration.ssl_ca_cert = str(network.ca_file)
    # patches are merged or applied, never lists of steps: twice is as good as once
    configuration.retries = safe_retry(network.http_retries, also=("PATCH",))


def shown(server: str, secret: str = "") -> str:
    """An address that may be shown: without user, password and token, wherever in it they stand."""
    parts = urlsplit(without_password(server))
    path = parts.path.replace(secret, "<redacted>") if secret else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path.rstrip("/"), "", ""))


def token_of(configuration: Any) -> str:
    """The bearer token in a configuration, empty when there is none or it is another scheme's."""
    value = str(configuration.api_key.get(TOKEN_KEY) or "")
    return value.removeprefix(_SCHEME) if value.startswith(_SCHEME) else ""
