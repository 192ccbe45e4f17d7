"""A sandbox with what a deployment of Arkouda needs, and the variables with which the commands find it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from arkouda_standins import write_stand_ins
from arkouda_support import README_VARIABLES

from hera_k8s_sandbox.server.launch import Address, running
from hera_k8s_utils import Context, Kubernetes, build_container

Json = dict[str, Any]


needs_mounts = pytest.mark.needs("user namespaces")
"""For pods of Arkouda: their launch scripts name absolute paths."""

INSTANCE: Final = README_VARIABLES["ARKOUDA_INSTANCE_NAME"]
NAMESPACE: Final = README_VARIABLES["ARKOUDA_NAMESPACE"]
ACCOUNT: Final = README_VARIABLES["ARKOUDA_SERVICEACCOUNT_NAME"]
KEY: Final = "-----BEGIN OPENSSH PRIVATE KEY-----"
_OPEN: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@dataclass(frozen=True)
class ArkoudaSandbox:
    """A sandbox: its address, the stand-ins for programs, and variables for commands."""

    address: Address
    programs: Path
    variables: dict[str, str] = field(repr=False)

    @property
    def broken(self) -> Path:
        """While this file is there, no pod of Arkouda comes up."""
        return self.programs / "broken"


@contextmanager
def arkouda_sandbox(directory: Path) -> Iterator[ArkoudaSandbox]:
    """A sandbox of our own in which Arkouda may be deployed."""
    state = directory / "state"
    with ExitStack() as stack:
        programs = Path(stack.enter_context(TemporaryDirectory(dir="/var/tmp")))  # pods have a /tmp of their own
        images = write_stand_ins(programs)
        address = stack.enter_context(running(state, images=images, lifetime=600, concurrency=16))
        variables = {
            **{name: value for name, value in README_VARIABLES.items() if name != "KUBERNETES_URL"},
            "ARKOUDA_NUMBER_OF_LOCALES": "1",
            "ARKOUDA_TOTAL_NUMBER_OF_LOCALES": "2",
            "ARKOUDA_CPU_CORES": "50m",
            "ARKOUDA_MEMORY": "32Mi",
            "ARKOUDA_USER": "bearsrus",  # stand-ins take the place of what `sudo` runs
            "ARKOUDA_READY_TIMEOUT": "200",
            "HERA_K8S_SANDBOX": "true",
            "HERA_K8S_SANDBOX_DIR": str(state),
        }
        found = ArkoudaSandbox(address, programs, variables)
        with context_of(found) as context:
            prepare(context.kubernetes)
        yield found


@contextmanager
def context_of(sandbox: ArkoudaSandbox) -> Iterator[Context]:
    """The context of declared functions, as the administrator of the sandbox."""
    directory = sandbox.variables["HERA_K8S_SANDBOX_DIR"]
    with build_container(environ={}, sandbox=True, sandbox_dir=directory, namespace=NAMESPACE) as container:
        yield container.context()


def prepare(kubernetes: Kubernetes) -> None:
    """What administrators and users make before the first deployment."""
    kubernetes.create("v1", "namespaces", {"metadata": {"name": NAMESPACE}}, scope="cluster")
    for kind in ("ServiceMonitor", "Prometheus"):
        definition = definition_of(kind)
        kubernetes.create("apiextensions.k8s.io/v1", "customresourcedefinitions", definition, scope="cluster")
    kubernetes.create("v1", "serviceaccounts", {"metadata": {"name": ACCOUNT}})
    kubernetes.create("v1", "secrets", token_secret(ACCOUNT, ACCOUNT))
    kubernetes.create("v1", "secrets", ssh_secret("arkouda-ssh"))


def definition_of(kind: str) -> Json:
    """The definition of a kind of the Prometheus operator."""
    plural = f"{kind.lower()}es" if kind.endswith("s") else f"{kind.lower()}s"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _OPEN}}
    return {
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


def token_secret(name: str, account: str) -> Json:
    """A secret that the cluster fills with an account's token."""
    annotations = {"kubernetes.io/service-account.name": account}
    return {"metadata": {"name": name, "annotations": annotations}, "type": "kubernetes.io/service-account-token"}


def ssh_secret(name: str, **data: str) -> Json:
    """A secret with what looks like ssh keys."""
    keys = {"id_rsa": f"{KEY}\n", "id_rsa.pub": "ssh-rsa AAAA\n"} | data
    return {
        "kind": "Secret",
        "metadata": {"name": name},
        "data": {k: base64.b64encode(v.encode()).decode() for k, v in keys.items()},
    }


def kubeconfig_of(box: ArkoudaSandbox, kubernetes: Kubernetes, name: str, path: Path, *rules: Json) -> Path:
    """A kubeconfig of an account that has just these rights."""
    kubernetes.apply("v1", "serviceaccounts", name, {"kind": "ServiceAccount", "metadata": {"name": name}})
    group = "rbac.authorization.k8s.io"
    role = {"kind": "Role", "metadata": {"name": name}, "rules": list(rules)}
    kubernetes.apply(f"{group}/v1", "roles", name, role)
    subject = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    reference = {"apiGroup": group, "kind": "Role", "name": name}
    binding = {"kind": "RoleBinding", "metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    kubernetes.apply(f"{group}/v1", "rolebindings", name, binding)
    request: Json = {"spec": {}}
    token = kubernetes.create("v1", "serviceaccounts", request, name=name, subresource="token")["status"]["token"]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": name, "namespace": NAMESPACE}}],
        "clusters": [{"name": "here", "cluster": {"server": box.address.url}}],
        "users": [{"name": name, "user": {"token": token}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config), encoding="utf-8")
    return path
