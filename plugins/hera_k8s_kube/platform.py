"""The platform `kubernetes`: opening its client, and checking access to the server."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Final

from hera_k8s_kube.certificates import EXTRA, can_read_certificates
from hera_k8s_kube.client import KubernetesClient
from hera_k8s_kube.cluster_objects import check_namespace
from hera_k8s_kube.requirements import Namespace
from hera_k8s_kube.session import KubeconfigHandle
from hera_k8s_utils import (
    KUBERNETES,
    CheckResult,
    Context,
    CoreSettings,
    Credential,
    ErrorKind,
    Finding,
    PlatformError,
    Verdict,
    ok,
    warn,
)
from hera_k8s_utils.network import NetworkSettings

log = logging.getLogger(__name__)

_SOON: Final = timedelta(minutes=15)
"""A token that ends within this time is worth a warning."""


def open_client(settings: None, credential: Credential, context: Context) -> KubernetesClient:
    """A client with a connection for each concurrent check, under the common network settings."""
    return KubernetesClient(
        credential,
        namespace=context.namespace,
        network=context.options.of(NetworkSettings),
        width=context.options.of(CoreSettings).concurrency,
        renew=lambda refused: context.platforms.renew(KUBERNETES.name, refused),
    )


def close_client(client: KubernetesClient) -> None:
    """Close its connections."""
    client.close()


def probe(settings: None, context: Context) -> Iterable[Finding]:
    """Whether the server answers, its version, the caller's identity, and when the credential expires."""
    client = context.kubernetes
    version = str(client.version().get("gitVersion") or "").removeprefix("v") or "version unknown"
    name = who_am_i(context)
    if name:
        client.identity = name
    yield Finding("kubernetes", credential_result(version, context.platforms.credential(KUBERNETES.name)))
    yield from _namespace_findings(context)


def _namespace_findings(context: Context) -> Iterator[Finding]:
    """What is wrong with the namespace at hand, where the caller may read it; most users of a namespace may not."""
    wanted = Namespace(context.kubernetes.namespace)
    try:
        result = check_namespace(None, context, wanted)
    except PlatformError as error:
        log.debug("namespace %s was not checked: %s", wanted.name, error)
        return
    if result.verdict is not Verdict.PASSED:
        yield Finding(wanted.title, result)


def who_am_i(context: Context) -> str:
    """The caller's name as the server sees it; empty where it does not report it. Raises for a refused credential."""
    api = "authentication.k8s.io/v1"
    try:
        answer = context.kubernetes.create(
            api, "selfsubjectreviews", {"apiVersion": api, "kind": "SelfSubjectReview"}, scope="cluster"
        )
    except PlatformError as error:
        if error.kind not in (ErrorKind.MISSING, ErrorKind.FORBIDDEN):
            raise
        _prove_known(context)  # before Kubernetes 1.28 there was no such review
        return ""
    return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")


def _prove_known(context: Context) -> None:
    """Raise for a refused credential: the server answers a review of one's own access to any known user, else 401."""
    api = "authorization.k8s.io/v1"
    spec = {"resourceAttributes": {"namespace": context.kubernetes.namespace, "verb": "get", "resource": "pods"}}
    body = {"apiVersion": api, "kind": "SelfSubjectAccessReview", "spec": spec}
    context.kubernetes.create(api, "selfsubjectaccessreviews", body, scope="cluster")


def credential_result(version: str, credential: Credential) -> CheckResult:
    what = "certificate" if not credential.secret and credential.expires_at else "token"
    end = credential.expires_at
    handle = credential.handle
    if isinstance(handle, KubeconfigHandle) and handle.insecure:
        return warn(
            f"{version}; its certificate is not verified",
            hint="set certificate-authority instead of insecure-skip-tls-verify",
        )
    if isinstance(handle, KubeconfigHandle) and handle.renews:
        return ok(f"{version}; {what} is renewed automatically")
    if end is None and isinstance(handle, KubeconfigHandle) and handle.certificate and not can_read_certificates():
        return ok(f"{version}; certificate's expiry unknown (pip install '{EXTRA}' to read it)")
    if end is None:
        return ok(f"{version}; {what}'s expiry unknown (opaque)" if credential.secret else version)
    left = end - datetime.now(timezone.utc)
    if left < _SOON:
        minutes = max(0, int(left.total_seconds() // 60))
        return warn(f"{version}; {what} expires in {minutes} min", hint="log in again before a long run")
    return ok(f"{version}; {what} expires {end:%Y-%m-%d %H:%M} UTC")
