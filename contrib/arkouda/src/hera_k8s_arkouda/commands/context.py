"""Where a command works: the namespace, and the address of the Kubernetes API as pods reach it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hera_k8s_arkouda.deployment import ANYWHERE
from hera_k8s_arkouda.settings import ArkoudaSettings
from hera_k8s_utils import CredentialError, NoCredential, OptionsError

if TYPE_CHECKING:
    from hera_k8s_utils import OptionRow, Session

_GIVEN = 0
"""The rank of a flag."""


@dataclass(frozen=True)
class ClusterContext:
    """namespace: of the objects. url: of the API server, for pods."""

    namespace: str
    url: str


def settings_of(session: Session) -> ArkoudaSettings:
    """The options, with their effective values."""
    return session.options.of(ArkoudaSettings)


def account_of(session: Session) -> str:
    """The account of the workflows that `--service-account` names; empty: the usual one."""
    return str(session.options.by_name("service-account") or "")


def said_namespace(session: Session, *, exporter: bool = False) -> str:
    """The namespace that an option names, or empty. Ours beat the framework's, but for `-n` on the command line."""
    general = _row(session, "namespace")
    ours = [_row(session, "arkouda-namespace")]
    if exporter:
        ours.insert(0, _row(session, "arkouda-exporter-namespace"))
    said = [row for row in ours if row.value]
    typed = [row for row in (*said, general) if row.value and row.origin.rank == _GIVEN]
    if len({row.value for row in typed}) > 1:
        raise OptionsError(
            "the namespace is said twice",
            found=" and ".join(f"--{row.name} {row.value}" for row in typed),
            hint="one of them is enough",
        )
    best = typed or said or [general]
    return str(best[0].value or "")


def offline_place(session: Session) -> ClusterContext:
    """The place without asking anybody; raises `OptionsError` where no option names the namespace."""
    namespace = said_namespace(session)
    if not namespace:
        raise OptionsError("which namespace is not said", hint="--arkouda-namespace NAME, or ARKOUDA_NAMESPACE")
    return ClusterContext(namespace, settings_of(session).kubernetes_url or ANYWHERE)


def find_place(session: Session, *, exporter: bool = False) -> ClusterContext:
    """The place as options and credentials say. In the sandbox pods reach the API where we do."""
    namespace, url = said_namespace(session, exporter=exporter), settings_of(session).kubernetes_url
    if namespace and url:
        return ClusterContext(namespace, url)
    with session.container(None) as container:
        context = container.context()
        try:
            own = context.platforms.credential("kubernetes").auto_provision
            server = context.kubernetes.server if own else ANYWHERE
        except NoCredential:
            server = ANYWHERE
        return ClusterContext(namespace or context.namespace, url or server)


def settings_for(session: Session, place: ClusterContext) -> dict[str, Any]:
    """Options of the container that works in the place."""
    given = _row(session, "namespace")
    return {} if given.value == place.namespace else {"namespace": place.namespace}


def can_look(container: Any) -> bool:
    """Whether there is a way to Kubernetes, and not to an Argo server alone."""
    try:
        _ = container.context().kubernetes
    except CredentialError:
        return False
    return True


def _row(session: Session, name: str) -> OptionRow:
    return next(row for row in session.options.rows() if row.name == name)
