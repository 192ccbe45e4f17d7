"""From a credential to connections: the configured `ApiClient`, its pool, proxy, retries and trust."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from hera_k8s_utils import Credential, CredentialError
from hera_k8s_utils._moved import forward
from hera_k8s_utils.network import (
    NetworkSettings,
    bearer_token,
    proxy_for,
    require_proxy,
    require_sendable,
    silence_unverified,
    tls_context,
)
from hera_k8s_utils.redaction import remember_address, shown_address, without_query

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

TOKEN_KEY: Final = "BearerToken"  # noqa: S105 - the name of the entry, not a token
_SCHEME: Final = "Bearer "
_GET_ANOTHER: Final = "log in to your cluster again, or get a fresh kubeconfig"


@dataclass(frozen=True)
class KubeconfigHandle:
    """What a kubeconfig provides besides a token.

    configuration: of the official client.
    proxy: the kubeconfig's `proxy-url`, which overrides the environment; empty when it has none.
    renews: whether the credential can be renewed by reading the kubeconfig again.
    impersonate: the user to impersonate; empty for none.
    """

    configuration: Configuration = field(repr=False)
    proxy: str = ""
    renews: bool = False
    impersonate: str = ""

    @property
    def certificate(self) -> str:
        """The file of the client certificate; empty where there is none."""
        return str(self.configuration.cert_file or "")

    @property
    def insecure(self) -> bool:
        """Whether the server's certificate goes unverified."""
        return self.configuration.host.startswith("https:") and not self.configuration.verify_ssl


@dataclass(frozen=True)
class Session:
    """A credential and the connections that were opened with it.

    credential: the credential.
    api: the official client's connections.
    server: the server's address without secrets, for messages.
    proxy: the proxy's address without secrets; empty for none.
    proxy_hint: what decides about the proxy, where that is not the environment.
    """

    credential: Credential
    api: ApiClient = field(repr=False)
    server: str
    proxy: str = field(default="", repr=False)
    proxy_hint: str = ""

    @property
    def secret(self) -> str:
        """The bearer token that is sent; empty when a certificate, or nothing, identifies the caller."""
        return str(self.api.configuration.api_key.get(TOKEN_KEY) or "").removeprefix(_SCHEME)


def open_session(credential: Credential, network: NetworkSettings, *, width: int) -> Session:
    """Connections for a credential; makes no request. width: how many requests run at once."""
    from kubernetes.client import ApiClient

    from hera_k8s_utils.network import limit_connections

    handle = credential.handle
    configuration = handle.configuration if isinstance(handle, KubeconfigHandle) else _configuration(credential)
    _require_address(configuration.host, credential)
    configuration.host = without_query(configuration.host)  # as kubectl does: paths are appended to it
    guard_token(configuration, credential.source)
    own = handle.proxy if isinstance(handle, KubeconfigHandle) else ""
    remember_address(own)
    proxy = _with_remote_names(own) or proxy_for(configuration.host)
    require_proxy(proxy)
    _apply_policy(configuration, network, proxy, width)
    api: Any = ApiClient(configuration)
    limit_connections(api.rest_client.pool_manager)
    api.user_agent = "hera-k8s-utils"
    if isinstance(handle, KubeconfigHandle) and handle.impersonate:
        require_sendable("Impersonate-User", handle.impersonate, origin=credential.source or "the credential")
        api.set_default_header("Impersonate-User", handle.impersonate)
    hint = f"is the proxy-url of the {credential.source or 'kubeconfig'} right?" if own else ""
    return Session(credential, api, shown_address(configuration.host), shown_address(proxy), hint)


def _with_remote_names(proxy: str) -> str:
    """A kubeconfig's `proxy-url` for urllib3: kubectl lets a `socks5` proxy resolve names, as `socks5h` does."""
    return re.sub(r"^socks5://", "socks5h://", proxy)


def guard_token(configuration: Configuration, origin: str) -> None:
    """Make the token that a configuration sends one that a header can hold; raises `CredentialError` otherwise.

    A token that is read from a file ends in a line feed, and the official client (37.0) sends it as it is.
    """
    value = str(configuration.api_key.get(TOKEN_KEY) or "")
    if value.startswith(_SCHEME):
        token = bearer_token(value, origin=origin or "the credential", hint=_GET_ANOTHER)
        configuration.api_key[TOKEN_KEY] = _SCHEME + token
    elif value:
        require_sendable("Authorization", value, origin=origin or "the credential")


def _require_address(server: str, credential: Credential) -> None:
    remember_address(server)
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or is too large
        usable = False
    if not usable:
        raise CredentialError(
            "invalid server address",
            found=f"{credential.source or 'the credential'} names {_without_path(server)!r}",
            hint="https://HOST:PORT",
        )


def _without_path(server: str) -> str:
    """What stands where the host belongs: a path may hold a token."""
    scheme, separator, rest = shown_address(server).rpartition("://")
    return scheme + separator + rest.partition("/")[0]


def _configuration(credential: Credential) -> Configuration:
    """The configuration for a credential that is an address and a token."""
    from kubernetes.client import Configuration

    if not credential.server:
        raise CredentialError(
            "the credential for kubernetes has no server address",
            found=f"it came from {credential.source or 'a plugin'}",
            hint="use another: --credentials kubernetes=PROVIDER",
        )
    configuration = Configuration(host=credential.server.rstrip("/"))
    configuration.ssl_ca_cert = credential.certificate_authority or None
    if credential.secret:
        configuration.api_key[TOKEN_KEY] = _SCHEME + credential.secret.removeprefix(_SCHEME)
    return configuration


def _apply_policy(configuration: Configuration, network: NetworkSettings, proxy: str, width: int) -> None:
    from hera_k8s_utils.network import safe_retry

    configuration.proxy = proxy or None  # also keeps the client (37.0) from choosing one by itself
    configuration.no_proxy = ""
    configuration.refresh_api_key_hook = None  # it reloads in every thread at once; we renew under one lock
    configuration.connection_pool_maxsize = max(1, width)
    configuration.keep_alive = True
    if not configuration.verify_ssl:
        silence_unverified()  # the probe reports it once
    if network.ca_file and not configuration.ssl_ca_cert:
        tls_context(
            str(network.ca_file)
        )  # reports what is wrong with the file, which is read again for each connection
        configuration.ssl_ca_cert = str(network.ca_file)
    # patches are merged or applied, never lists of steps: twice is as good as once
    configuration.retries = safe_retry(network.http_retries, also=("PATCH",))


def token_of(configuration: Any) -> str:
    """The bearer token in a configuration, empty when there is none or it is another scheme's."""
    value = str(configuration.api_key.get(TOKEN_KEY) or "")
    return value.removeprefix(_SCHEME) if value.startswith(_SCHEME) else ""


globals()["__getattr__"] = forward(__name__)  # old names; not as a `def`, or type checkers would accept any name
