"""A real Kubernetes control plane on the loopback: built from Go modules once, started for the tests, ended with them.

Three processes: etcd, kube-apiserver, kube-controller-manager. Where pods are to run there is also a kubelet of ours
(`kubelet.py`), which stands for the scheduler and for a provisioner of claims, too. They serve TLS on 127.0.0.1,
authorize by RBAC, and know the users of one token file. Whatever ends the tests ends them too: they leave when their
standard input closes.
A further program is a directory beside tests/controlplane/kube, a row in go_programs.PROGRAMS, and its process here.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from argo_kinds import ARGO, argo_definitions
from go_programs import ETCD, KUBE, PROGRAMS, ControlPlaneError, build, build_seconds, built, missing
from processes import LOG_TAIL, READY_TIMEOUT, free_port, start_process, wait_for

__all__ = ["PROGRAMS", "ControlPlane", "ControlPlaneError", "build", "build_seconds", "built", "missing", "running"]

Json = dict[str, Any]

_END_TIMEOUT: Final = 10.0  # seconds for the kubelet to end what it runs
IMAGE_PROGRAMS: Final = "/.image"  # where containers see them; as in kubelet.py
_KUBELET: Final = Path(__file__).resolve().parents[1] / "kubelet" / "kubelet.py"


# Running


@dataclass(frozen=True)
class ControlPlane:
    """A control plane that runs: where, and the file of the certificate authority that it is to be trusted by.

    directory: with the logs of the processes, NAME.log. kubeconfig: the administrator's. claims: below it are the
    directories of claims, where a kubelet runs.
    """

    url: str
    ca: Path
    seconds_to_ready: float
    directory: Path
    kubeconfig: Path
    claims: Path | None = None


@contextlib.contextmanager
def running(
    users: Path,
    *,
    kubelet: bool = False,
    definitions: Iterable[Json] | None = None,
    images: Mapping[str, Json] | None = None,
    image_programs: Path | None = None,
) -> Iterator[ControlPlane]:
    """A control plane of our own for as long as the block lasts.

    users: a token file (`token,user,uid,"group1,group2"` a line); its first line must be of `system:masters`, as
    whom the controllers work. kubelet: whether pods run and claims of the class `standard` are bound; without it they
    wait, as what conformance is about does. definitions: of custom resources; by default of Argo's kinds without a
    schema. images: further rows of the kubelet's table of images. image_programs: a directory that each container
    sees at `IMAGE_PROGRAMS`, for these rows. Raises ControlPlaneError.
    """
    definitions = list(argo_definitions() if definitions is None else definitions)
    binaries = {program: build(program) for program in PROGRAMS}
    admin = users.read_text(encoding="ascii").split(",", 1)[0]
    with contextlib.ExitStack() as stack:
        # Short, for a socket's path may have a hundred characters at most.
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hk8s-", ignore_cleanup_errors=True)))
        began = time.monotonic()
        keys = _make_keys(directory)
        etcd = stack.enter_context(start_process(directory, "etcd", [str(binaries[ETCD]), *_etcd_flags(directory)]))
        wait_for(etcd, "etcd to be ready", lambda: b"ready" in etcd.log.read_bytes())
        url = f"https://127.0.0.1:{free_port()}"
        apiserver = [str(binaries[KUBE]), "apiserver", *_apiserver_flags(directory, keys, url, users)]
        server = stack.enter_context(start_process(directory, "apiserver", apiserver))
        api = stack.enter_context(requests.Session())
        api.trust_env = False
        api.verify = str(keys.ca)
        api.headers["Authorization"] = f"Bearer {admin}"
        wait_for(server, "the API server to be ready", lambda: _found(api, f"{url}/readyz"))
        config = _write_kubeconfig(directory, keys, url, admin)
        manager = [str(binaries[KUBE]), "controller-manager", *_manager_flags(config, keys)]
        controllers = stack.enter_context(start_process(directory, "controller-manager", manager))
        account = f"{url}/api/v1/namespaces/default/serviceaccounts/default"
        wait_for(controllers, "the controllers to be ready", lambda: _found(api, account))
        for definition in definitions:
            _create(api, f"{url}/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        for definition in definitions:
            served = f"{url}/apis/{ARGO}/{definition['spec']['names']['plural']}"
            wait_for(server, f"{served} to be served", lambda served=served: _found(api, served))
        claims = node = None
        if kubelet:
            claims = directory / "kubelet" / "claims"
            command = [sys.executable, str(_KUBELET), *_kubelet_flags(directory, keys, config)]
            if images:
                table = directory / "images.json"
                table.write_text(json.dumps(images), encoding="utf-8")
                command.append(f"--images={table}")
            if image_programs is not None:
                command.append(f"--image-programs={image_programs}")
            node = stack.enter_context(start_process(directory, "kubelet", command, seconds_to_end=_END_TIMEOUT))
            wait_for(node, "the kubelet to be ready", lambda: b"ready" in node.log.read_bytes())
        yield ControlPlane(url, keys.ca, time.monotonic() - began, directory, config, claims)
        if node is not None and node.child.poll() is not None:
            tail = node.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]
            raise ControlPlaneError(f"the kubelet ended with code {node.child.returncode} before its time\n{tail}")


@dataclass(frozen=True)
class Keys:
    """Files: a certificate authority, certificate and key of the API server and of the kubelet, the accounts' key."""

    ca: Path
    certificate: Path
    key: Path
    kubelet: Path
    kubelet_key: Path
    accounts: Path


def _found(api: requests.Session, url: str) -> bool:
    try:
        return api.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _create(api: requests.Session, url: str, obj: Json) -> None:
    answer = api.post(url, json=obj, timeout=READY_TIMEOUT)
    if answer.status_code != 201:
        raise ControlPlaneError(f"{obj['metadata']['name']}: {answer.text}")


def _make_keys(directory: Path) -> Keys:
    import trustme
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    names = ("ca", "server", "server-key", "kubelet", "kubelet-key", "accounts-key")
    keys = Keys(*(directory / f"{name}.pem" for name in names))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(keys.ca)
    for certificate, key in ((keys.certificate, keys.key), (keys.kubelet, keys.kubelet_key)):
        issued = authority.issue_cert("127.0.0.1", "localhost")
        issued.private_key_pem.write_to_path(key)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(certificate, append=True)
    signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = signing.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    keys.accounts.write_bytes(text)
    for path in (keys.key, keys.kubelet_key, keys.accounts):
        path.chmod(0o600)
    return keys


def _etcd_flags(directory: Path) -> list[str]:
    return [
        f"-data-dir={directory / 'etcd'}",
        "-client-url=unix://client:0",  # sockets in its directory; it insists on what looks like host and port
        "-peer-url=unix://peer:0",
    ]


def _apiserver_flags(directory: Path, keys: Keys, url: str, users: Path) -> list[str]:
    return [
        f"--etcd-servers=unix://{directory / 'client:0'}",
        "--bind-address=127.0.0.1",
        f"--secure-port={url.rpartition(':')[2]}",
        "--endpoint-reconciler-type=none",  # nobody asks for the service `kubernetes`
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--cert-dir={directory}",
        f"--tls-cert-file={keys.certificate}",
        f"--tls-private-key-file={keys.key}",
        f"--kubelet-certificate-authority={keys.ca}",
        f"--kubelet-client-certificate={keys.certificate}",
        f"--kubelet-client-key={keys.key}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--token-auth-file={users}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys.accounts}",
        f"--service-account-signing-key-file={keys.accounts}",
        "--profiling=false",
    ]


def _write_kubeconfig(directory: Path, keys: Keys, url: str, token: str) -> Path:
    path = directory / "admin.kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": url, "certificate-authority": str(keys.ca)}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
        "current-context": "here",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _kubelet_flags(directory: Path, keys: Keys, config: Path) -> list[str]:
    return [
        f"--kubeconfig={config}",
        f"--directory={directory / 'kubelet'}",
        f"--port={free_port()}",
        f"--certificate={keys.kubelet}",
        f"--key={keys.kubelet_key}",
        f"--client-ca={keys.ca}",
    ]


def _manager_flags(config: Path, keys: Keys) -> list[str]:
    return [
        f"--kubeconfig={config}",
        f"--root-ca-file={keys.ca}",
        f"--service-account-private-key-file={keys.accounts}",
        "--leader-elect=false",
        "--secure-port=0",
        # What the sandbox has no part of stays out: it would cost start-up time and answer nothing.
        "--controllers=*,-cloud-node-lifecycle,-service-lb-controller,-node-route-controller,-node-ipam-controller",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--concurrent-gc-syncs=5",
    ]
