"""Credentials for Kubernetes: from a kubeconfig, or from the service account of the pod that this runs in."""

from __future__ import annotations

import base64
import logging
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from hera_k8s_kube import kubeconfig
from hera_k8s_kube.auth_providers import token_of_provider
from hera_k8s_kube.certificates import can_read_certificates, has_certificate, read_certificate
from hera_k8s_kube.exec_plugin import run_plugin
from hera_k8s_kube.known_secrets import remember_user
from hera_k8s_kube.kubeconfig import Entry, SelectedContext
from hera_k8s_kube.session import KubeconfigHandle, guard_token, token_of
from hera_k8s_kube.settings import InClusterSettings, KubeSettings
from hera_k8s_utils import Context, Credential, CredentialError, HeraK8sError, Json, NotApplicable, parse_timestamp
from hera_k8s_utils.network import bearer_token, expires_within, read_claims, require_basic_auth
from hera_k8s_utils.plugins import admit
from hera_k8s_utils.reading import LARGEST_AUTHORITIES, LARGEST_TOKEN, read_file, read_text, require_file
from hera_k8s_utils.redaction import remember_address, shown_address, without_query
from hera_k8s_utils.trust import Consequence, sends

if TYPE_CHECKING:
    from kubernetes.client import Configuration

log = logging.getLogger(__name__)


def from_kubeconfig(settings: KubeSettings, context: Context) -> Credential:
    """The credential of the chosen context.

    Raises `NotApplicable` when there is no kubeconfig, `CredentialError` when there is one that cannot be used.
    """
    files = kubeconfig.find_files(settings.config_file, asked=bool(settings.context))
    if not settings.config_file.strip() and not settings.context and not any(file.stat().st_size for file in files):
        raise NotApplicable("~/.kube/config is empty")
    selected = kubeconfig.select_context(kubeconfig.read(files), settings.context)
    for consequence in _consequences(selected):
        admit(context, KubeSettings, "config_file", consequence)
    return credential_of(selected, exec_timeout=settings.exec_timeout)


def _consequences(selected: SelectedContext) -> Iterator[Consequence]:
    """What a context does besides naming a server: a program that it runs, a file whose content it sends.

    kubectl's own directory belongs to the user: a file in it is what kubectl would use anyway.
    """
    user = selected.user.body if selected.user else {}
    if selected.user is None or kubeconfig.is_kubectls(selected.user.file):
        return
    named = f"the kubeconfig {selected.cluster.file.absolute()}"
    plugin, provider = user.get("exec"), user.get("auth-provider")
    if isinstance(plugin, dict):
        yield Consequence(named, "runs", str(plugin.get("command")), "would run")
    if isinstance(provider, dict):
        yield Consequence(named, "asks the auth provider", str(provider.get("name")), "would ask the auth provider")
    if user.get("tokenFile"):
        yield sends(f"the token in {user['tokenFile']}", str(selected.cluster.body.get("server")))


def credential_of(selected: SelectedContext, *, exec_timeout: float) -> Credential:
    """The credential of a context; runs its exec plugin, if it has one."""
    if selected.user is not None:
        remember_user(selected.user.body)
    for key in ("server", "proxy-url"):
        remember_address(str(selected.cluster.body.get(key) or ""))
    selected = _with_scheme(selected)
    _require_proxy_url(selected)
    user, expires_at = _user(selected, exec_timeout)
    _require_password(selected, user)
    configuration = _configuration(selected, user)
    configuration.host = without_query(configuration.host)
    guard_token(configuration, f"context {selected.name} of the kubeconfig {selected.cluster.file}")
    token = token_of(configuration)
    claims = read_claims(token)
    _require_authority(selected, configuration)
    certificate_end, common_name = _client_certificate(selected, configuration)
    ends = [end for end in (expires_at, claims.expires_at, certificate_end) if end is not None]
    end = min(ends, default=None)
    if end is not None and expires_within(end, 0):
        raise CredentialError(
            f"the token of context {selected.name} has expired",
            found=f"on {end:%Y-%m-%d %H:%M} UTC",
            hint="log in to your cluster again, or get a fresh kubeconfig",
        )
    handle = KubeconfigHandle(
        configuration,
        proxy=str(selected.cluster.body.get("proxy-url") or ""),
        renews=_renews(selected),
        impersonate=_impersonated_user(selected),
    )
    return Credential(
        handle=handle,
        secret=token,
        server=shown_address(configuration.host),
        certificate_authority=configuration.ssl_ca_cert or "",
        identity=handle.impersonate or claims.identity or common_name or selected.user_name,
        namespace=selected.namespace,
        expires_at=end,
        source=selected.source,
    )


def _with_scheme(selected: SelectedContext) -> SelectedContext:
    """The context with a whole URL of its server: `HOST:PORT` is http for kubectl, which then ignores all credentials.

    Where there are any, or an authority, https was meant: this is an error.
    """
    cluster = selected.cluster
    server = str(cluster.body["server"])
    if "://" in server:
        return selected
    if any(cluster.body.get(key) for key in _SIGNS_OF_TLS) or (selected.user and selected.user.body):
        raise CredentialError(
            f"the server of context {selected.name} has no scheme",
            found="kubectl uses http:// then, and sends no credentials",
            hint=f"write https:// before it in {cluster.file}",
        )
    return replace(selected, cluster=Entry({**cluster.body, "server": f"http://{server}"}, cluster.file))


def _require_proxy_url(selected: SelectedContext) -> None:
    """Raise `CredentialError` for a `proxy-url` that is no URL of a proxy. It may hold a password, and is not shown."""
    proxy = str(selected.cluster.body.get("proxy-url") or "")
    scheme = proxy.partition("://")[0].lower() if "://" in proxy else ""
    found = ""
    if proxy and not scheme:
        found = "it has no scheme"
    elif proxy and scheme not in _PROXY_SCHEMES:
        found = f"{scheme}:// is not the scheme of a proxy"
    elif proxy and not _has_host(proxy):
        found = "it names no host, or its port is no port"
    if found:
        raise CredentialError(
            f"the proxy-url of context {selected.name} cannot be used",
            found=found,
            hint=f"write it as http://HOST:PORT, https:// or socks5:// in {selected.cluster.file}",
        )


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


_PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h", "socks4", "socks4a")
_SIGNS_OF_TLS: Final = ("certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify")


def _user(selected: SelectedContext, exec_timeout: float) -> tuple[Json, datetime | None]:
    """The user's entry with the answer of its exec plugin in the plugin's place, and when that ends."""
    if selected.user is None:
        return {}, None
    user = dict(selected.user.body)
    spec, provider = user.pop("exec", None), user.pop("auth-provider", None)
    if user.get("tokenFile"):
        user["token"] = _token_in_file(selected, user)
    if user.get("token"):
        return user, None
    if provider and not spec:
        keep = partial(kubeconfig.keep_settings, selected.user.file, selected.user_name)
        return {**user, "token": token_of_provider(provider, selected.name, keep, exec_timeout)}, None
    if not isinstance(spec, dict):
        return user, None
    status = run_plugin(spec, selected.cluster.body, selected.user.file.absolute().parent, timeout=exec_timeout)
    if status.get("token"):
        user["token"] = str(status["token"])
    if status.get("clientCertificateData"):
        user["client-certificate-data"] = _encoded(status["clientCertificateData"])
        user["client-key-data"] = _encoded(status.get("clientKeyData") or "")
    return user, parse_timestamp(str(status.get("expirationTimestamp") or ""))


def _token_in_file(selected: SelectedContext, user: Json) -> str:
    """The token of `tokenFile`, which counts more than `token`, as for kubectl; that one if the file gives none."""
    file = str(user.pop("tokenFile"))
    try:
        token, found = read_text(file, most=LARGEST_TOKEN).strip(), "it is empty"
    except OSError as error:
        token, found = "", (error.strerror or "cannot be read").lower()
    token = token or str(user.get("token") or "").strip()
    if not token:
        raise CredentialError(
            f"context {selected.name} of the kubeconfig {selected.cluster.file} cannot be used",
            found=f"{file}: {found}",
            hint="ask the cluster's administrators for a new one",
        )
    return token


def _require_password(selected: SelectedContext, user: Json) -> None:
    if user.get("username") and user.get("password"):
        origin = f"the user of context {selected.name} of the kubeconfig {selected.cluster.file}"
        require_basic_auth(str(user["username"]), str(user["password"]), origin=origin)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _configuration(selected: SelectedContext, user: Json) -> Configuration:
    """The official client's own reading of the context: certificates, token files, auth providers."""
    from kubernetes import config as official
    from kubernetes.client import Configuration

    config = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": selected.cluster.body}],
        "users": [{"name": "it", "user": user}],
    }
    configuration = Configuration(proxy="", no_proxy="")
    try:
        _require_files(selected, user)
        load: Any = official.load_kube_config_from_dict
        load(config, client_configuration=configuration, persist_config=False)
    except HeraK8sError:
        raise
    except Exception as error:  # it meets whatever people write into these files with any kind of error
        log.debug("the kubeconfig cannot be used: %s", type(error).__name__)
        found = str(error) if isinstance(error, official.ConfigException) else _in_words(error)
        raise CredentialError(
            f"context {selected.name} of the kubeconfig {selected.cluster.file} cannot be used",
            found=found,
            hint="ask the cluster's administrators for a new one",
        ) from None
    return configuration


def _require_files(selected: SelectedContext, user: Json) -> None:
    """What the official client and TLS read: regular files of a reasonable size. Raises `OSError`."""
    for body, keys in ((selected.cluster.body, kubeconfig.FILES["cluster"]), (user, kubeconfig.FILES["user"])):
        for path in [body.get(key) for key in keys]:
            if isinstance(path, str) and path:
                require_file(path, most=LARGEST_AUTHORITIES)


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {(error.strerror or 'cannot be read').lower()}"
    if isinstance(error, ValueError):
        return "a certificate or key is not valid base64"
    return f"the kubernetes client rejected it ({type(error).__name__})"


def _client_certificate(selected: SelectedContext, configuration: Any) -> tuple[datetime | None, str]:
    """When the client certificate expires, and whose it is; (None, "") where certificates cannot be read.

    Raises `CredentialError` for one that is not valid now.
    """
    if not configuration.cert_file:
        return None, ""
    content = read_file(configuration.cert_file, most=LARGEST_TOKEN)
    if not can_read_certificates() and has_certificate(content):
        _require_key(selected, configuration)
        return None, ""
    found = read_certificate(content) if can_read_certificates() else None
    if found is None:
        raise CredentialError(
            f"cannot read the client certificate of context {selected.name}",
            found="it is not a PEM certificate",
            hint="ask the cluster's administrators for a fresh kubeconfig",
        )
    now = datetime.now(timezone.utc)
    if not found.not_before <= now <= found.not_after:
        late = now > found.not_after
        raise CredentialError(
            f"the client certificate of context {selected.name} {'has expired' if late else 'is not valid yet'}",
            found=f"it was valid until {found.not_after:%Y-%m-%d %H:%M} UTC"
            if late
            else f"it is valid from {found.not_before:%Y-%m-%d %H:%M} UTC; is this machine's clock correct?",
            hint="ask the cluster's administrators for a fresh kubeconfig",
        )
    _require_key(selected, configuration)
    return found.not_after, found.common_name


def _require_authority(selected: SelectedContext, configuration: Any) -> None:
    """A broken CA would otherwise be met at the first request, as a failure of TLS."""
    if not configuration.ssl_ca_cert:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(configuration.ssl_ca_cert)
    except (OSError, ssl.SSLError):
        raise CredentialError(
            f"cannot read the certificate authority of context {selected.name}",
            found="it contains no PEM certificate",
            hint="ask the cluster's administrators for a fresh kubeconfig",
        ) from None


def _require_key(selected: SelectedContext, configuration: Any) -> None:
    try:
        nobody_is_asked = ""  # for the password of an encrypted key
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            configuration.cert_file, configuration.key_file, password=nobody_is_asked
        )
    except (OSError, ssl.SSLError, ValueError):
        raise CredentialError(
            f"cannot use the client certificate of context {selected.name}",
            found="its key is missing, encrypted or of another certificate",
            hint="ask the cluster's administrators for a fresh kubeconfig",
        ) from None


def _renews(selected: SelectedContext) -> bool:
    user = selected.user.body if selected.user else {}
    return any(key in user for key in ("exec", "tokenFile", "auth-provider"))


def _impersonated_user(selected: SelectedContext) -> str:
    user = selected.user.body if selected.user else {}
    if user.get("as-groups") or user.get("as-user-extra") or user.get("as-uid"):
        raise CredentialError(
            f"context {selected.name} of the kubeconfig impersonates groups",
            found="only `as`, a user's name, is supported",
            hint="use another context: --k8s-context NAME",
        )
    return str(user.get("as") or "")


def from_pod(settings: InClusterSettings, context: Context) -> Credential:
    """The account of the pod that this runs in; its token is read afresh each time, since Kubernetes replaces it."""
    if not settings.host:
        raise NotApplicable("KUBERNETES_SERVICE_HOST is not set: not in a pod")
    text = _read(settings.directory / "token")
    if not text:
        raise NotApplicable(f"no token in {settings.directory}: the pod has no service account")
    token = bearer_token(
        text, origin=f"file {settings.directory / 'token'}", hint="does the pod have a service account?"
    )
    claims = read_claims(token)
    from kubernetes.client import Configuration

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    configuration = Configuration(host=f"https://{host}:{settings.port}", proxy="", no_proxy="")
    authority = settings.directory / "ca.crt"
    configuration.ssl_ca_cert = str(authority) if authority.exists() else None
    configuration.api_key["BearerToken"] = f"Bearer {token}"
    return Credential(
        handle=KubeconfigHandle(configuration, renews=True),
        secret=token,
        server=configuration.host,
        certificate_authority=configuration.ssl_ca_cert or "",
        identity=claims.identity,
        namespace=_read(settings.directory / "namespace"),
        expires_at=claims.expires_at,
        source="in-cluster",
    )


def _read(file: Path) -> str:
    try:
        return read_text(file, most=LARGEST_TOKEN).strip()
    except OSError:
        return ""
