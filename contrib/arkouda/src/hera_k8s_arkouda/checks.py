"""Checkers of what Arkouda needs. What may not be looked at is unknown, by the framework's own rule for a 403."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from hera_k8s_arkouda.capacity import free_places
from hera_k8s_arkouda.install import resource_of
from hera_k8s_arkouda.requirements import DIGEST, Capacity, Installed, PrometheusSelection, SshKeys, TokenSecret
from hera_k8s_arkouda.rights import in_namespace
from hera_k8s_arkouda.selectors import matches
from hera_k8s_utils import CheckResult, Context, ErrorKind, PlatformError, fail, ok, unknown, warn

Json = dict[str, Any]

_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105  a type, no token
_MONITORING = "monitoring.coreos.com/v1"


def check_installed(settings: None, context: Context, wanted: Installed) -> CheckResult:
    """Read the one object; one of another version is told from one that is missing."""
    found = find(context, wanted.body["apiVersion"], resource_of(wanted.body), wanted.name)
    rights = wanted.body["kind"] in ("Role", "RoleBinding")
    if found is None and rights:
        return warn("not there; what the account may do is looked at by itself", hint="hera-k8s arkouda install")
    if found is None:
        return fail(f"not found in {context.kubernetes.namespace}", hint="hera-k8s arkouda install")
    if wanted.body["kind"] == "ServiceAccount":
        return ok("there")
    annotations = found["metadata"].get("annotations") or {}
    if annotations.get(DIGEST) != wanted.body["metadata"]["annotations"][DIGEST]:
        return warn(
            "another version than this one, or changed by hand", hint="hera-k8s arkouda install brings this one"
        )
    return ok("this version")


def provide_installed(settings: None, context: Context, wanted: Installed) -> Json:
    """The object to create."""
    return in_namespace(dict(wanted.body), context.kubernetes.namespace)


def check_token(settings: None, context: Context, wanted: TokenSecret) -> CheckResult:
    """Read the one secret: its type, whose token it holds, and whether the cluster has filled it in."""
    found = find(context, "v1", "secrets", wanted.name)
    if found is None:
        return fail(f"{wanted.name} not found in {context.kubernetes.namespace}", hint=_make_token(context, wanted))
    if found.get("type") != _TOKEN_TYPE:
        return fail(f"{wanted.name} is of type {found.get('type')}, {_TOKEN_TYPE} is wanted")
    account = (found["metadata"].get("annotations") or {}).get("kubernetes.io/service-account.name")
    if account != wanted.account:
        return fail(f"{wanted.name} holds the token of {account}, that of {wanted.account} is wanted")
    if not (found.get("data") or {}).get("token"):
        return fail(f"{wanted.name} holds no token yet", hint="does the account exist? the cluster fills it in")
    return ok(f"{wanted.name}: token of {account}")


def _make_token(context: Context, wanted: TokenSecret) -> str:
    return (
        f"kubectl -n {context.kubernetes.namespace} create -f -    with a Secret {wanted.name} of type {_TOKEN_TYPE} "
        f"and the annotation kubernetes.io/service-account.name: {wanted.account}"
    )


def check_ssh_keys(settings: None, context: Context, wanted: SshKeys) -> CheckResult:
    """Read the one secret: both keys are there and look like keys. They are shown nowhere."""
    found = find(context, "v1", "secrets", wanted.name)
    if found is None:
        make = f"create secret generic {wanted.name} --from-file=id_rsa --from-file=id_rsa.pub"
        by_hand = f"ssh-keygen -t rsa -N '' -f id_rsa && kubectl -n {context.kubernetes.namespace} {make}"
        return fail(f"{wanted.name} not found in {context.kubernetes.namespace}", hint=by_hand)
    data = found.get("data") or {}
    missing = [key for key in wanted.keys if not data.get(key)]
    if missing:
        return fail(f"{wanted.name} lacks {' and '.join(missing)}", hint=f"kubectl edit secret {wanted.name}")
    if not _decoded(data, "id_rsa").startswith("-----BEGIN "):
        return fail(f"{wanted.name}: id_rsa is no private key", hint="a file that ssh-keygen wrote")
    if not _decoded(data, "id_rsa.pub").startswith(("ssh-", "ecdsa-", "sk-")):
        return fail(f"{wanted.name}: id_rsa.pub is no public key", hint="a file that ssh-keygen wrote")
    return ok(f"{wanted.name}: id_rsa and id_rsa.pub")


def _decoded(data: Mapping[str, str], key: str) -> str:
    try:
        return base64.b64decode(data[key]).decode("utf-8", "replace").lstrip()
    except (binascii.Error, ValueError):
        return ""


def check_prometheus(settings: None, context: Context, wanted: PrometheusSelection) -> CheckResult:
    """Look through the Prometheus objects of the cluster for one that selects the label in our namespace."""
    label = f"{wanted.key}: {wanted.value}"
    try:
        found = list(context.kubernetes.list(_MONITORING, "prometheuses", scope="cluster"))
    except PlatformError as error:
        if error.trouble is not ErrorKind.MISSING:
            raise
        return unknown("this cluster has no Prometheus objects to look at")
    here = context.kubernetes.namespace
    selecting = [each for each in found if _selects(each, "serviceMonitorSelector", {wanted.key: wanted.value})]
    if not selecting:
        names = ", ".join(each["metadata"]["name"] for each in found) or "none"
        return warn(f"no Prometheus selects {label} (there are: {names})", hint="--arkouda-prometheus-match-label")
    namespaces = {each["metadata"]["name"]: _looks_into(context, each, here) for each in selecting}
    looking = [name for name, looks in namespaces.items() if looks]
    if looking:
        return ok(f"{looking[0]} selects {label}")
    if None in namespaces.values():
        return unknown(f"{label} is selected; whether in {here}, too, is not ours to look at")
    return warn(
        f"{label} is selected, but not in namespace {here}", hint="serviceMonitorNamespaceSelector of Prometheus"
    )


def _selects(prometheus: Json, field: str, labels: Mapping[str, str]) -> bool:
    """By the operator's rule: an empty selector takes all, an absent one none."""
    selector = (prometheus.get("spec") or {}).get(field)
    return selector is not None and matches(selector, labels)


def _looks_into(context: Context, prometheus: Json, namespace: str) -> bool | None:
    """Whether a Prometheus looks into a namespace; None when the namespace's labels may not be read."""
    selector = (prometheus.get("spec") or {}).get("serviceMonitorNamespaceSelector")
    if selector is None:
        return bool(prometheus["metadata"].get("namespace") == namespace)
    if not selector:
        return True
    try:
        found = context.kubernetes.get("v1", "namespaces", namespace, scope="cluster")
    except PlatformError as error:
        if error.trouble is ErrorKind.FORBIDDEN:
            return None
        raise
    return matches(selector, {"kubernetes.io/metadata.name": namespace, **(found["metadata"].get("labels") or {})})


def check_capacity(settings: None, context: Context, wanted: Capacity) -> CheckResult:
    """Add up what the nodes can give and what their pods ask for; needs the right to list both."""
    nodes = list(context.kubernetes.list("v1", "nodes", scope="cluster"))
    pods = context.kubernetes.list("v1", "pods", scope="cluster")
    places = free_places(nodes, pods, wanted.cpu, wanted.memory)
    if places is None:
        return unknown("the nodes do not say what they can give")
    said = f"{wanted.pods} pods of {wanted.cpu} cores and {wanted.memory}"
    if places < wanted.pods:
        return warn(
            f"room for {places} of {said}", hint="fewer locales, smaller ones, or a cluster that adds nodes by itself"
        )
    return ok(f"room for {said}")


def find(context: Context, api_version: str, resource: str, name: str) -> Json | None:
    """The object, None when there is none, or when the cluster does not know its kind."""
    try:
        return context.kubernetes.get(api_version, resource, name)
    except PlatformError as error:
        if error.trouble is ErrorKind.MISSING:
            return None
        raise
