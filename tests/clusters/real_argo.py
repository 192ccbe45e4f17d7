"""A real Argo Workflows on the loopback: controller, server and executor of one release, for tests only.

They are built from Argo's Go module (`go_programs.ARGO`) and run beside the real control plane, whose test kubelet runs
Argo's pods as they are: `argoexec init`, `argoexec emissary -- COMMAND`, `argoexec wait`. Artifacts are kept by an
object store in memory, which speaks S3.

    with real_argo.running(users) as argo:          # as controlplane.running(users, kubelet=True)
        argo.prepare(kube)                          # in each namespace that runs workflows
        ... argo.plane.url, argo.url, argo.programs / "argo" ...

Argo Workflows 4.0.5 has known security advisories. Everything here listens on 127.0.0.1, lives no longer than the
tests, and is no part of a distribution.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
import yaml
from cluster_access import Access, Kube
from go_programs import ARGO, ARGO_PROGRAMS, S3, build, built
from go_programs import missing as missing_programs
from processes import Process, free_port, leashed, start_process, wait_for

import controlplane

Json = dict[str, Any]

VERSION: Final = "v4.0.5"
NAMESPACE: Final = "argo"
BUCKET: Final = "artifacts"
_CONFIG: Final = "workflow-controller-configmap"
_EXECUTOR_IMAGE: Final = f"quay.io/argoproj/argoexec:{VERSION}"
_SECRET: Final = "artifacts"
_CREDENTIALS: Final = {"accesskey": "tests", "secretkey": "for-the-loopback"}
_ARGOSAY: Final = "test/e2e/images/argosay/v2/argosay"

# What images run that have no command in a template, as the controller cannot ask a registry.
ENTRYPOINTS: Final[dict[str, Json]] = {
    "argoproj/argosay:v1": {"cmd": ["cowsay"]},
    "argoproj/argosay:v2": {"entrypoint": ["argosay"]},
    "docker/whalesay:latest": {"cmd": ["cowsay"]},
    "docker/whalesay": {"cmd": ["cowsay"]},
    "busybox": {"cmd": ["sh"]},
    "alpine:3.23": {"cmd": ["sh"]},
    "python:alpine3.23": {"cmd": ["python3"]},
    "python:3.12-slim": {"cmd": ["python3"]},
}
# The rights that an installation of Argo gives to the account of its pods (manifests/quick-start), and those that
# `resource` templates of the examples use.
_RULES: Final = [
    {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]},
    {"apiGroups": ["argoproj.io"], "resources": ["workflowtasksets"], "verbs": ["list", "watch"]},
    {"apiGroups": ["argoproj.io"], "resources": ["workflowtasksets/status"], "verbs": ["patch"]},
    {"apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks"], "verbs": ["list", "watch"]},
    {"apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks/status"], "verbs": ["patch"]},
    {"apiGroups": ["argoproj.io", "batch", "apps", ""], "resources": ["*"], "verbs": ["*"]},
]


def missing() -> str:
    """Why this machine cannot run it; empty when it can."""
    from machine import PRIVATE_ROOTS, lacking

    return missing_programs(ARGO_PROGRAMS) or lacking(PRIVATE_ROOTS)


def is_built() -> bool:
    """Whether its programs are in the cache."""
    return built(ARGO_PROGRAMS)


def build_all() -> None:
    """Build its programs. Raises ControlPlaneError."""
    for program in ARGO_PROGRAMS:
        build(program)


def image_rows(programs: str | Path) -> dict[str, Json]:
    """Rows of a kubelet's table of images, for those that Argo's pods and examples use; programs: as containers see."""
    argosay = f"{programs}/{_ARGOSAY}"
    cowsay = {"cowsay": "/bin/echo"}
    return {
        "quay.io/argoproj/argoexec": {"commands": {"argoexec": f"{programs}/argoexec"}},
        "argoproj/argosay": {"command": ["argosay"], "commands": cowsay | {"argosay": argosay}},
        "docker/whalesay": {"command": ["cowsay"], "commands": cowsay},
    }


@dataclass(frozen=True)
class RealArgo:
    """Argo beside its control plane.

    url: of its server, which takes any token of the API server. programs: the directory with `argo`, Argo's
    `examples` and its definitions. logs: of its processes, by name.
    """

    plane: controlplane.ControlPlane
    url: str
    programs: Path
    s3: str
    controller: Process
    server: Process

    def prepare(self, kube: Kube) -> None:
        """Let the default account of a namespace run workflows that have artifacts."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{kube.namespace}"
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "argo-pods"}
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": kube.namespace}
        kube.create(f"{path}/roles", {"metadata": {"name": role["name"]}, "rules": _RULES})
        body = {"metadata": {"name": role["name"]}, "subjects": [subject], "roleRef": role}
        kube.create(f"{path}/rolebindings", body)
        kube.create("{ns}/secrets", {"metadata": {"name": _SECRET}, "stringData": _CREDENTIALS})

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """The controller does nothing for as long as the block lasts."""
        group = self.controller.child.pid
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)


@contextlib.contextmanager
def running(users: Path) -> Iterator[RealArgo]:
    """Argo and its control plane for as long as the block lasts; users: as for `controlplane.running`."""
    programs = build(ARGO)
    (programs / _ARGOSAY).chmod(0o755)
    plane = controlplane.running(
        users,
        kubelet=True,
        definitions=list(_definitions(programs)),
        images=image_rows(controlplane.IMAGE_PROGRAMS),
        image_programs=programs,
    )
    with plane as started, contextlib.ExitStack() as stack:
        yield _start(stack, started, programs, users.read_text(encoding="ascii").split(",", 1)[0])


def _start(stack: contextlib.ExitStack, plane: controlplane.ControlPlane, programs: Path, admin: str) -> RealArgo:
    store = stack.enter_context(start_process(plane.directory, "s3", [str(build(S3)), BUCKET]))
    wait_for(store, "the object store to be ready", lambda: b"ready" in store.log.read_bytes())
    s3 = store.log.read_text(encoding="ascii").split()[1]
    kube = Kube(Access(plane.url, str(plane.ca), admin), NAMESPACE)
    kube.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    kube.create("{ns}/configmaps", {"metadata": {"name": _CONFIG}, "data": _configuration(s3)})
    flags = [f"--kubeconfig={plane.kubeconfig}", f"--namespace={NAMESPACE}", f"--configmap={_CONFIG}"]
    controller = stack.enter_context(
        start_process(
            plane.directory,
            "workflow-controller",
            leashed([str(programs / "workflow-controller"), *flags, f"--executor-image={_EXECUTOR_IMAGE}"]),
            env=_environment() | {"LEADER_ELECTION_DISABLE": "true", "DEFAULT_REQUEUE_TIME": "500ms"},
        )
    )
    port = free_port()
    serve = ["server", *flags, "--auth-mode=client", "--secure=false", f"--port={port}"]
    server = stack.enter_context(
        start_process(
            plane.directory,
            "argo-server",
            leashed([str(programs / "argo"), *serve]),
            env=_environment() | {"KUBECONFIG": str(plane.kubeconfig)},  # the flag is not for its clients' requests
        )
    )
    url = f"http://127.0.0.1:{port}"
    wait_for(server, "Argo's server to be ready", lambda: _answers(url, admin))
    return RealArgo(plane, url, programs, s3, controller, server)


def _environment() -> dict[str, str]:
    """Without proxies and without what the person who runs the tests has set for Argo and Kubernetes."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _answers(url: str, token: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        with contextlib.suppress(requests.RequestException):
            headers = {"Authorization": f"Bearer {token}"}
            return session.get(f"{url}/api/v1/version", headers=headers, timeout=5).status_code == 200
    return False


def _definitions(programs: Path) -> Iterator[Json]:
    """Argo's own, in their minimal form: the full schemas of workflows have 10 MB, which take a busy server minutes."""
    for path in sorted((programs / "manifests/base/crds/minimal").glob("argoproj.io_*.yaml")):
        yield yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _configuration(s3: str) -> dict[str, str]:
    secret = {key: {"name": _SECRET, "key": key} for key in _CREDENTIALS}
    store = {
        "bucket": BUCKET,
        "endpoint": s3,
        "insecure": True,
        "region": "us-east-1",
        "accessKeySecret": secret["accesskey"],
        "secretKeySecret": secret["secretkey"],
    }
    # The executor looks every 5 s whether what a `resource` template made has come to its end.
    executor = {"env": [{"name": "RESOURCE_STATE_CHECK_INTERVAL", "value": "500ms"}]}
    metrics = {"enabled": False}  # which would be served on all interfaces
    values: dict[str, Any] = {
        "metricsConfig": metrics,
        "telemetryConfig": metrics,
        "images": ENTRYPOINTS,
        "artifactRepository": {"s3": store},
        "executor": executor,
    }
    return {key: json.dumps(value) for key, value in values.items()}


def _serve_by_hand() -> None:
    """`python tests/clusters/real_argo.py`: run until Ctrl-C, for a look at a real Argo."""
    import secrets
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        token = secrets.token_urlsafe(24)
        users = Path(name) / "tokens.csv"
        users.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
        users.write_text(f"{token},admin,admin-uid,system:masters\n", encoding="ascii")
        with running(users) as argo:
            kube = Kube(Access(argo.plane.url, str(argo.plane.ca), token), "default")
            argo.prepare(kube)
            print(f"KUBECONFIG={argo.plane.kubeconfig}\nARGO_SERVER={argo.url}\nARGO_TOKEN={token}")
            print(f"logs and claims: {argo.plane.directory}\nprograms: {argo.programs}", flush=True)
            lasting = float(sys.argv[1]) if sys.argv[1:] else 3600
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(lasting)


if __name__ == "__main__":
    _serve_by_hand()
