"""Checkers of what Arkouda needs. The framework reports what cannot be read (403) as unknown."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from hera_k8s_arkouda.capacity import pods_that_fit
from hera_k8s_arkouda.install import resource_of
from hera_k8s_arkouda.lookup import find_object
from hera_k8s_arkouda.permissions import in_namespace
from hera_k8s_arkouda.requirements import DIGEST, Capacity, Installed, PrometheusSelection, SshKeys, TokenSecret
from hera_k8s_arkouda.selectors import matches
from hera_k8s_utils import CheckResult, Context, ErrorKind, Json, PlatformError, fail, ok, unknown, warn

_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105  a type, not a token
_MONITORING = "monitoring.coreos.com/v1"


def check_installed(settings: None, context: Context, wanted: Installed) -> CheckResult:
    """Read the object; another version gives a warning, a missing object fails."""
    found = find_object(context, wanted.body["apiVersion"], resource_of(wanted.body), wanted.name)
    is_rbac = wanted.body["kind"] in ("Role", "RoleBinding")
    if found is None and is_rbac:
        return warn("not found; the permissions of the account are checked separately", hint="hera-k8s arkouda install")
    if found is None:
        return fail(f"not found in {context.kubernetes.namespace}", hint="hera-k8s arkouda install")
    if wanted.body["kind"] == "ServiceAccount":
        return ok("exists")
    annotations = found["metadata"].get("annotations") or {}
    if annotations.get(DIGEST) != wanted.body["metadata"]["annotations"][DIGEST]:
        return warn("another version, or changed by hand", hint="hera-k8s arkouda install updates it")
    return ok("this version")


def build_installed(settings: None, context: Context, wanted: Installed) -> Json:
    """The object to create."""
    return in_namespace(dict(wanted.body), context.kubernetes.namespace)


def check_token(settings: None, context: Context, wanted: TokenSecret) -> CheckResult:
    """Read the secret: its type, the account of its token, and whether the cluster has filled it in."""
    found = find_object(context, "v1", "secrets", wanted.name)
    if found is None:
        return fail(
            f"{wanted.name} not found in {context.kubernetes.namespace}", hint=_create_token_hint(context, wanted)
        )
    if found.get("type") != _TOKEN_TYPE:
        return fail(f"{wanted.name} has the type {found.get('type')}, not {_TOKEN_TYPE}")
    account = (found["metadata"].get("annotations") or {}).get("kubernetes.io/service-account.name")
    if account != wanted.account:
        return fail(f"{wanted.name} holds the token of {account}, not of {wanted.account}")
    if not (found.get("data") or {}).get("token"):
        return fail(f"{wanted.name} holds no token yet", hint="does the account exist? the cluster creates the token")
    return ok(f"{wanted.name}: token of {account}")


def _create_token_hint(context: Context, wanted: TokenSecret) -> str:
    return (
        f"kubectl -n {context.kubernetes.namespace} create -f -    with a Secret {wanted.name} of type {_TOKEN_TYPE} "
        f"and the annotation kubernetes.io/service-account.name: {wanted.account}"
    )


def check_ssh_keys(settings: None, context: Context, wanted: SshKeys) -> CheckResult:
    """Read the secret: both keys exist and look like keys. They are never shown."""
    found = find_object(context, "v1", "secrets", wanted.name)
    if found is None:
        create = f"create secret generic {wanted.name} --from-file=id_rsa --from-file=id_rsa.pub"
        by_hand = f"ssh-keygen -t rsa -N '' -f id_rsa && kubectl -n {context.kubernetes.namespace} {create}"
        return fail(f"{wanted.name} not found in {context.kubernetes.namespace}", hint=by_hand)
    data = found.get("data") or {}
    missing = [key for key in wanted.keys if not data.get(key)]
    if missing:
        return fail(f"{wanted.name} lacks {' and '.join(missing)}", hint=f"kubectl edit secret {wanted.name}")
    if not _decoded(data, "id_rsa").startswith("-----BEGIN "):
        return fail(f"{wanted.name}: id_rsa is not a private key", hint="use a file that ssh-keygen wrote")
    if not _decoded(data, "id_rsa.pub").startswith(("ssh-", "ecdsa-", "sk-")):
        return fail(f"{wanted.name}: id_rsa.pub is not a public key", hint="use a file that ssh-keygen wrote")
    return ok(f"{wanted.name}: id_rsa and id_rsa.pub")


def _decoded(data: Mapping[str, str], key: str) -> str:
    try:
        return base64.b64decode(data[key]).decode("utf-8", "replace").lstrip()
    except (binascii.Error, ValueError):
        return ""


def check_prometheus(settings: None, context: Context, wanted: PrometheusSelection) -> CheckResult:
    """Find a Prometheus object in the cluster that selects the label in the namespace."""
    label = f"{wanted.key}: {wanted.value}"
    try:
        found = list(context.kubernetes.list(_MONITORING, "prometheuses", scope="cluster"))
    except PlatformError as error:
        if error.kind is not ErrorKind.MISSING:
            raise
        return unknown("this cluster does not have the kind Prometheus")
    here = context.kubernetes.namespace
    selecting = [each for each in found if _selects(each, "serviceMonitorSelector", {wanted.key: wanted.value})]
    if not selecting:
        names = ", ".join(each["metadata"]["name"] for each in found) or "none"
        return warn(f"no Prometheus selects {label} (found: {names})", hint="--arkouda-prometheus-match-label")
    covered = {each["metadata"]["name"]: _covers_namespace(context, each, here) for each in selecting}
    matching = [name for name, covers in covered.items() if covers]
    if matching:
        return ok(f"{matching[0]} selects {label}")
    if None in covered.values():
        return unknown(f"{label} is selected; not permitted to read whether in {here}, too")
    return warn(
        f"{label} is selected, but not in namespace {here}", hint="serviceMonitorNamespaceSelector of Prometheus"
    )


def _selects(prometheus: Json, field: str, labels: Mapping[str, str]) -> bool:
    """By the operator's rule: an empty selector matches everything, an absent one nothing."""
    selector = (prometheus.get("spec") or {}).get(field)
    return selector is not None and matches(selector, labels)


def _covers_namespace(context: Context, prometheus: Json, namespace: str) -> bool | None:
    """Whether a Prometheus covers a namespace; None if reading the namespace's labels is forbidden."""
    selector = (prometheus.get("spec") or {}).get("serviceMonitorNamespaceSelector")
    if selector is None:
        return bool(prometheus["metadata"].get("namespace") == namespace)
    if not selector:
        return True
    try:
        found = context.kubernetes.get("v1", "namespaces", namespace, scope="cluster")
    except PlatformError as error:
        if error.kind is ErrorKind.FORBIDDEN:
            return None
        raise
    return matches(selector, {"kubernetes.io/metadata.name": namespace, **(found["metadata"].get("labels") or {})})


def check_capacity(settings: None, context: Context, wanted: Capacity) -> CheckResult:
    """Compare what the nodes can allocate with what their pods request; needs permission to list both."""
    nodes = list(context.kubernetes.list("v1", "nodes", scope="cluster"))
    pods = context.kubernetes.list("v1", "pods", scope="cluster")
    fitting = pods_that_fit(nodes, pods, wanted.cpu, wanted.memory)
    if fitting is None:
        return unknown("the nodes do not report what they can allocate")
    size = f"{wanted.pods} pods of {wanted.cpu} cores and {wanted.memory}"
    if fitting < wanted.pods:
        return warn(
            f"room for {fitting} of {size}",
            hint="use fewer or smaller locales, or a cluster that adds nodes automatically",
        )
    return ok(f"room for {size}")
