"""Credentials for Kubernetes: from a kubeconfig, and from the account of the pod that this runs in."""

from __future__ import annotations

import base64
import logging
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_k8s_kube import kubeconfig
from hera_k8s_kube.exec_plugin import run_plugin
from hera_k8s_kube.known_secrets import remember_user
from hera_k8s_kube.kubeconfig import SelectedContext
from hera_k8s_kube.session import KubeconfigHandle, guard_token, token_of
from hera_k8s_kube.settings import InClusterSettings, KubeSettings
from hera_k8s_kube.tokens import expiry_of, parse_time, read_certificate, subject_of
from hera_k8s_utils.errors import CredentialError, HeraK8sError, NotApplicable
from hera_k8s_utils.network.headers import bearer_token, require_basic_auth
from hera_k8s_utils.plugins.context import Context
from hera_k8s_utils.plugins.credentials import Credential
from hera_k8s_utils.plugins.option_admission import admit
from hera_k8s_utils.reading import LARGEST_AUTHORITIES, LARGEST_TOKEN, read_file, require_file
from hera_k8s_utils.redaction import remember_address, shown_address, without_query
from hera_k8s_utils.trust.consequences import Consequence, sends

if TYPE_CHECKING:
    from kubernetes.client import Configuration

Json = dict[str, Any]
log = logging.getLogger(__name__)


def from_kubeconfig(settings: KubeSettings, context: Context) -> Credential:
    """The credential of the chosen context.

    Raises `NotApplicable` when there is no kubeconfig, `CredentialError` when there is one that cannot be used.
    """
    files = kubeconfig.find_files(settings.config_file, asked=bool(settings.context))
    if not settings.config_file.strip() and not settings.context and not any(file.stat().st_size for file in files):
        raise NotApplicable("~/.kube/config is empty")
    choice = kubeconfig.select_context(kubeconfig.read(files), settings.context)
    for consequence in _consequences(choice):
        admit(context, KubeSettings, "config_file", consequence)
    return credential_of(choice, exec_timeout=settings.exec_timeout)


def _consequences(choice: SelectedContext) -> Iterator[Consequence]:
    """What a context does besides naming a server: a program that it runs, a file whose content it sends.

    kubectl's own directory is the user's: whoever names a file in it names what kubectl would use.
    """
    user = choice.user.body if choice.user else {}
    if choice.user is None or kubeconfig.is_kubectls(choice.user.file):
        return
    named = f"the kubeconfig {choice.cluster.file.absolute()}"
    plugin, provider = user.get("exec"), user.get("auth-provider")
    if isinstance(plugin, dict):
        yield Consequence(named, "runs", str(plugin.get("command")), "would run")
    if isinstance(provider, dict):
        yield Consequence(named, "asks the auth provider", str(provider.get("name")), "would ask the auth provider")
    if user.get("tokenFile"):
        yield sends(f"the token in {user['tokenFile']}", str(choice.cluster.body.get("server")))


def credential_of(choice: SelectedContext, *, exec_timeout: float) -> Credential:
    """The credential of a context; runs its exec plugin, if it has one."""
    if choice.user is not None:
        remember_user(choice.user.body)
    for key in ("server", "proxy-url"):
        remember_address(str(choice.cluster.body.get(key) or ""))
    user, expires_at = _user(choice, exec_timeout)
    _require_password(choice, user)
    configuration = _configuration(choice, user)
    configuration.host = without_query(configuration.host)
    guard_token(configuration, f"context {choice.name} of the kubeconfig {choice.cluster.file}")
    token = token_of(configuration)
    _require_authority(choice, configuration)
    certificate_end, common_name = _client_certificate(choice, configuration)
    ends = [end for end in (expires_at, expiry_of(token), certificate_end) if end is not None]
    end = min(ends, default=None)
    if end is not None and end <= datetime.now(timezone.utc):
        raise CredentialError(
            f"the token of context {choice.name} has expired",
            found=f"on {end:%Y-%m-%d %H:%M} UTC",
            hint="log in again as your cluster wants it, or get a fresh kubeconfig",
        )
    handle = KubeconfigHandle(
        configuration,
        proxy=str(choice.cluster.body.get("proxy-url") or ""),
        renews=_renews(choice),
        acts_as=_acts_as(choice),
    )
    return Credential(
        handle=handle,
        secret=token,
        server=shown_address(configuration.host),
        certificate_authority=configuration.ssl_ca_cert or "",
        identity=handle.acts_as or subject_of(token) or common_name or choice.user_name,
        namespace=choice.namespace,
        expires_at=end,
        source=choice.source,
    )


def _user(choice: SelectedContext, exec_timeout: float) -> tuple[Json, datetime | None]:
    """The user's entry with the answer of its exec plugin in the plugin's place, and when that ends."""
    if choice.user is None:
        return {}, None
    user = dict(choice.user.body)
    spec = user.pop("exec", None)
    if not isinstance(spec, dict) or user.get("token") or user.get("tokenFile"):
        return user, None
    status = run_plugin(spec, choice.cluster.body, choice.user.file.absolute().parent, timeout=exec_timeout)
    if status.get("token"):
        user["token"] = str(status["token"])
    if status.get("clientCertificateData"):
        user["client-certificate-data"] = _encoded(status["clientCertificateData"])
        user["client-key-data"] = _encoded(status.get("clientKeyData") or "")
    return user, parse_time(str(status.get("expirationTimestamp") or ""))


def _require_password(choice: SelectedContext, user: Json) -> None:
    if user.get("username") and user.get("password"):
        origin = f"the user of context {choice.name} of the kubeconfig {choice.cluster.file}"
        require_basic_auth(str(user["username"]), str(user["password"]), origin=origin)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _configuration(choice: SelectedContext, user: Json) -> Configuration:
    """The official client's own reading of the context: certificates, token files, auth providers."""
    from kubernetes import config as official
    from kubernetes.client import Configuration

    config = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": choice.cluster.body}],
        "users": [{"name": "it", "user": user}],
    }
    configuration = Configuration(proxy="", no_proxy="")
    try:
        _require_files(choice)
        load: Any = official.load_kube_config_from_dict
        load(config, client_configuration=configuration, persist_config=False)
    except HeraK8sError:
        raise
    except Exception as error:  # it meets whatever people write into these files with any kind of error
        log.debug("the kubeconfig cannot be used: %s", type(error).__name__)
        told = str(error) if isinstance(error, official.ConfigException) else _in_words(error)
        raise CredentialError(
            f"context {choice.name} of the kubeconfig {choice.cluster.file} cannot be used",
            found=told,
            hint="get it again from those who run the cluster",
        ) from None
    return configuration


def _require_files(choice: SelectedContext) -> None:
    """What the official client and TLS read: regular files of a reasonable size. Raises `OSError`."""
    for entry, keys in ((choice.cluster, kubeconfig.FILES["cluster"]), (choice.user, kubeconfig.FILES["user"])):
        for path in [entry.body.get(key) for key in keys] if entry else ():
            if isinstance(path, str) and path:
                require_file(path, most=LARGEST_AUTHORITIES)


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {(error.strerror or 'cannot be read').lower()}"
    if isinstance(error, ValueError):
        return "a certificate or key in it is not base64"
    return f"it is not as the official client wants it ({type(error).__name__})"


def _client_certificate(choice: SelectedContext, configuration: Any) -> tuple[datetime | None, str]:
    """When the client certificate ends, and whose it is. Raises `CredentialError` for one that is not valid now."""
    if not configuration.cert_file:
        return None, ""
    found = read_certificate(read_file(configuration.cert_file, most=LARGEST_TOKEN))
    if found is None:
        raise CredentialError(
            f"the client certificate of context {choice.name} cannot be read",
            found="it is no certificate in PEM form",
            hint="get a fresh kubeconfig from those who run the cluster",
        )
    now = datetime.now(timezone.utc)
    if not found.not_before <= now <= found.not_after:
        late = now > found.not_after
        raise CredentialError(
            f"the client certificate of context {choice.name} {'has expired' if late else 'is not valid yet'}",
            found=f"it was valid until {found.not_after:%Y-%m-%d %H:%M} UTC"
            if late
            else f"it is valid from {found.not_before:%Y-%m-%d %H:%M} UTC; is this machine's clock right?",
            hint="get a fresh kubeconfig from those who run the cluster",
        )
    _require_key(choice, configuration)
    return found.not_after, found.common_name


def _require_authority(choice: SelectedContext, configuration: Any) -> None:
    """A broken CA would otherwise be met at the first request, as a failure of TLS."""
    if not configuration.ssl_ca_cert:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(configuration.ssl_ca_cert)
    except (OSError, ssl.SSLError):
        raise CredentialError(
            f"the certificate authority of context {choice.name} cannot be read",
            found="it holds no certificate in PEM form",
            hint="get a fresh kubeconfig from those who run the cluster",
        ) from None


def _require_key(choice: SelectedContext, configuration: Any) -> None:
    try:
        nobody_is_asked = ""  # for the password of an encrypted key
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            configuration.cert_file, configuration.key_file, password=nobody_is_asked
        )
    except (OSError, ssl.SSLError, ValueError):
        raise CredentialError(
            f"the client certificate of context {choice.name} cannot be used",
            found="the key does not fit the client certificate, is missing or is encrypted",
            hint="get a fresh kubeconfig from those who run the cluster",
        ) from None


def _renews(choice: SelectedContext) -> bool:
    user = choice.user.body if choice.user else {}
    return any(key in user for key in ("exec", "tokenFile", "auth-provider"))


def _acts_as(choice: SelectedContext) -> str:
    user = choice.user.body if choice.user else {}
    if user.get("as-groups") or user.get("as-user-extra") or user.get("as-uid"):
        raise CredentialError(
            f"context {choice.name} of the kubeconfig impersonates groups",
            found="only `as`, a user's name, is supported",
            hint="--k8s-context NAME takes another context",
        )
    return str(user.get("as") or "")


def from_pod(settings: InClusterSettings, context: Context) -> Credential:
    """The account of the pod that this runs in; its token is read afresh each time, since Kubernetes replaces it."""
    if not settings.host:
        raise NotApplicable("KUBERNETES_SERVICE_HOST is not set: not in a pod")
    text = _read(settings.directory / "token")
    if not text:
        raise NotApplicable(f"no token in {settings.directory}: the pod has no account")
    token = bearer_token(text, origin=f"file {settings.directory / 'token'}", hint="does the pod have an account?")
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
        identity=subject_of(token),
        namespace=_read(settings.directory / "namespace"),
        expires_at=expiry_of(token),
        source="in-cluster",
    )


def _read(file: Path) -> str:
    try:
        return read_file(file, most=LARGEST_TOKEN).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
