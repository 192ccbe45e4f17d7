"""What the commands share: options, the namespace, the URL of the Kubernetes API for pods, confirmation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hera_k8s_arkouda.deployment import IN_CLUSTER_URL
from hera_k8s_arkouda.settings import ArkoudaSettings
from hera_k8s_utils import CredentialError, NoCredential, OptionsError

if TYPE_CHECKING:
    from hera_k8s_utils import OptionRow, Session

_FLAG = 0
"""The rank of a value that comes from a flag."""


@dataclass(frozen=True)
class ClusterContext:
    """Where a command works.

    namespace: namespace of the objects.
    url: URL of the API server as pods reach it.
    """

    namespace: str
    url: str


def settings_of(session: Session) -> ArkoudaSettings:
    """The effective options."""
    return session.options.of(ArkoudaSettings)


def account_of(session: Session) -> str:
    """The service account that `--service-account` names; empty: the default one."""
    return str(session.options.by_name("service-account") or "")


def namespace_option(session: Session, *, exporter: bool = False) -> str:
    """The namespace that an option names, or empty.

    Arkouda's options override the framework's, except for `-n` on the command line.
    """
    common = _row(session, "namespace")
    own = [_row(session, "arkouda-namespace")]
    if exporter:
        own.insert(0, _row(session, "arkouda-exporter-namespace"))
    configured = [row for row in own if row.value]
    typed = [row for row in (*configured, common) if row.value and row.origin.rank == _FLAG]
    if len({row.value for row in typed}) > 1:
        raise OptionsError(
            "two different namespaces are given",
            found=" and ".join(f"--{row.name} {row.value}" for row in typed),
            hint="give only one of them",
        )
    candidates = typed or configured or [common]
    return str(candidates[0].value or "")


def offline_cluster_context(session: Session) -> ClusterContext:
    """The context from options alone, without a request. Raises `OptionsError` if no option names the namespace."""
    namespace = namespace_option(session)
    if not namespace:
        raise OptionsError("no namespace is given", hint="--arkouda-namespace NAME, or ARKOUDA_NAMESPACE")
    return ClusterContext(namespace, settings_of(session).kubernetes_url or IN_CLUSTER_URL)


def find_cluster_context(session: Session, *, exporter: bool = False) -> ClusterContext:
    """The context from options and credentials. Pods of the sandbox use the same URL as this process."""
    namespace, url = namespace_option(session, exporter=exporter), settings_of(session).kubernetes_url
    if namespace and url:
        return ClusterContext(namespace, url)
    with session.container(None) as container:
        context = container.context()
        try:
            is_sandbox = context.platforms.credential("kubernetes").auto_provision
            server = context.kubernetes.server if is_sandbox else IN_CLUSTER_URL
        except NoCredential:
            server = IN_CLUSTER_URL
        return ClusterContext(namespace or context.namespace, url or server)


def settings_for(session: Session, cluster: ClusterContext) -> dict[str, Any]:
    """Container options that select the namespace."""
    current = _row(session, "namespace")
    return {} if current.value == cluster.namespace else {"namespace": cluster.namespace}


def can_read_cluster(container: Any) -> bool:
    """Whether Kubernetes can be reached, and not only an Argo server."""
    try:
        _ = container.context().kubernetes
    except CredentialError:
        return False
    return True


def confirm(session: Session, question: str, *, action: str, hint: str) -> bool:
    """Whether the user agrees; true with `--yes`. action: what is about to happen, for the error without a terminal."""
    if session.arguments.yes:
        return True
    console = session.console()
    if not console.can_ask:
        raise OptionsError(f"confirmation is required {action}", found="there is no terminal to ask on", hint=hint)
    return console.confirm(question)


def _row(session: Session, name: str) -> OptionRow:
    return next(row for row in session.options.rows() if row.name == name)
