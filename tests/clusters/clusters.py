"""The clusters that tests meet: pytest's options for them, and fixtures for a namespace in each.

    pytest tests/e2e                                   # the sandbox
    pytest tests/e2e --real                            # and a real control plane, built here, with a test kubelet
    pytest tests/e2e --kubeconfig FILE --context NAME --argo-server URL     # in its place a cluster of yours

`real_cluster` is a namespace in the real one, skipped where none was asked for; `each_cluster` is one in each, for a
test that is to hold on the sandbox, too. Both are a `ClusterSpace`: its administrator's `kubeconfig`, its `namespace`,
plain requests (`kube`), accounts with rights of their own (`account`), and what its Argo part is, if it has one.

    def test_something(real_cluster):
        rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "watch"]}]
        kubeconfig = real_cluster.account("runner", rules)          # a file; its context names the namespace

On the control plane that is built here pods run as they do in the sandbox (see `kubelet.py`), claims of the class
`standard` are bound, Jobs and Deployments are the real controllers' work, and workflows are a real Argo's
(`real_argo.py`), where bubblewrap or user namespaces let its executor run; the reason is given where they do not.
The servers are started once for all tests of a run, in about ten seconds; each test has a namespace of its own.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pytest
import real_argo
from cluster_access import Access, Kube, access_of, make_account, wait_until, write_kubeconfig
from real_argo import RealArgo

import controlplane

Json = dict[str, Any]

SERVERS: Final = ("sandbox", "real")
_TOKEN: Final = pytest.StashKey[str]()
_SANDBOX_MARK: Final = "X-Sandbox-Pid"
_EXECUTOR: Final = [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]
_CONTROLLER: Final = "/api/v1/pods?labelSelector=app%3Dworkflow-controller"
_CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
_DEFINITION: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workflows.argoproj.io"


# Options


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the tests of all directories take."""
    group = parser.getgroup("clusters")
    group.addoption("--real", action="store_true", help="also on a real control plane, which is built from Go modules")
    group.addoption("--kubeconfig", metavar="FILE", help="also on this cluster, as its administrator")
    group.addoption("--context", metavar="NAME", help="the context of --kubeconfig (default: its current one)")
    group.addoption(
        "--argo-server", metavar="URL", help="the Argo server of --kubeconfig's cluster; its token: $ARGO_TOKEN"
    )
    group.addoption(
        "--require-controlplane",
        action="store_true",
        help="--real, and fail, not skip, when it or its Argo Workflows cannot be had",
    )
    group.addoption(
        "--floor", metavar="SERVER=N", action="append", default=[], help="fail when fewer than N tests of a server pass"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read what a test's environment will not have any more, and refuse what contradicts itself."""
    config.stash[_TOKEN] = os.environ.get("ARGO_TOKEN", "")
    given = config.getoption("--kubeconfig")
    if given and (config.getoption("--real") or config.getoption("--require-controlplane")):
        raise pytest.UsageError("--kubeconfig is in place of --real and --require-controlplane")
    if not given and (config.getoption("--argo-server") or config.getoption("--context")):
        raise pytest.UsageError("--argo-server and --context need --kubeconfig")
    if given and not Path(given).exists():
        raise pytest.UsageError(f"--kubeconfig: there is no {given}")
    for floor in config.getoption("--floor"):
        server, _, number = floor.partition("=")
        if server not in SERVERS or not number.isdigit():
            raise pytest.UsageError(f"--floor {floor}: expected {' or '.join(f'{each}=N' for each in SERVERS)}")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Build before the first test, whose time is bounded."""
    config = session.config
    ours = (
        config.getoption("--real") or config.getoption("--require-controlplane") or config.getoption("--record", None)
    )
    if not ours or config.option.collectonly:
        return
    if not controlplane.built() and not controlplane.missing():
        print("building the control plane from Go modules: some minutes, this once")
        for program in controlplane.PROGRAMS:
            controlplane.build(program)
    if not real_argo.is_built() and not real_argo.missing():
        print("building Argo Workflows from its Go module: some minutes, this once")
        real_argo.build_all()


def wants_real(config: pytest.Config) -> bool:
    """Whether there is to be a real cluster."""
    return any(config.getoption(name) for name in ("--real", "--require-controlplane", "--kubeconfig"))


def require_controlplane(config: pytest.Config) -> None:
    """Skip where no control plane can be had, or fail where it must be."""
    lacking = controlplane.missing()
    if lacking and config.getoption("--require-controlplane"):
        pytest.fail(f"no control plane: {lacking}", pytrace=False)
    if lacking:
        pytest.skip(f"no control plane: {lacking}")


def _lacks_argo(config: pytest.Config) -> str:
    """Why Argo cannot run beside the control plane that is built here; fails where it must."""
    lacking = real_argo.missing()
    if lacking and config.getoption("--require-controlplane"):
        pytest.fail(f"no Argo Workflows: {lacking}", pytrace=False)
    return lacking


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many tests of each server passed, where a floor is held."""
    for server, floor in _floors(config).items():
        passed = _passed(terminalreporter, server)
        verdict = "enough" if passed >= floor else "TOO FEW"
        terminalreporter.write_line(f"{server}: {passed} tests passed, {floor} are the least: {verdict}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Fail below a floor: what was skipped or not collected must not pass for what agrees."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    floors = _floors(session.config)
    short = reporter is not None and any(_passed(reporter, server) < floor for server, floor in floors.items())
    if short and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)


def _floors(config: pytest.Config) -> dict[str, int]:
    pairs = (floor.partition("=") for floor in config.getoption("--floor"))
    return {server: int(number) for server, _, number in pairs}


def _passed(reporter: Any, server: str) -> int:
    parameter = re.compile(rf"[\[-]{server}[\]-]")
    return sum(bool(parameter.search(report.nodeid)) for report in reporter.stats.get("passed", ()))


# Clusters


@dataclass(frozen=True)
class Argo:
    """An Argo server, and how one may talk to it."""

    url: str
    token: str = field(repr=False)


def is_sandbox(access: Access) -> bool:
    """Whether a server is a sandbox, however one came to it."""
    return _SANDBOX_MARK in Kube(access, "default").send("GET", "/readyz").headers


@dataclass(frozen=True)
class Server:
    """A cluster that is there for all tests.

    name: `sandbox` or `real`. own: started by the tests, so that nobody else uses it. claims: below it are the
    directories of claims, where they are on this machine. real_argo: the processes of Argo, where they are ours.
    lacks_argo: why they are not there.
    """

    name: str
    access: Access
    own: bool
    argo: Argo | None = None
    claims: Path | None = None
    real_argo: RealArgo | None = None
    lacks_argo: str = ""

    @cached_property
    def without_controller(self) -> str:
        """Why no workflow would run here; empty when a controller is there."""
        if self.real_argo is not None or is_sandbox(self.access):
            return ""
        if self.lacks_argo:
            return self.lacks_argo
        kube = Kube(self.access, "default")
        if kube.find(_DEFINITION) is None:
            return "Argo Workflows is not installed on this cluster"
        if not kube.get(_CONTROLLER)["items"]:
            return "no Argo controller runs on this cluster (it has no pod with the label app=workflow-controller)"
        return ""


@dataclass(frozen=True)
class ClusterSpace:
    """A namespace of a test, and its administrator's ways to it."""

    server: Server
    namespace: str
    directory: Path

    @property
    def name(self) -> str:
        """`sandbox` or `real`."""
        return self.server.name

    @cached_property
    def kube(self) -> Kube:
        """Plain requests as the administrator."""
        return Kube(self.server.access, self.namespace)

    @cached_property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, whose context names the namespace."""
        return write_kubeconfig(self.directory / "admin.kubeconfig", self.server.access, self.namespace)

    @property
    def argo(self) -> Argo:
        """The Argo server; skips the test where there is none."""
        self.require_controller()
        if self.server.argo is None:
            pytest.skip("no Argo server was given: --argo-server URL, with its token in $ARGO_TOKEN")
        return self.server.argo

    def require_controller(self) -> None:
        """Skip the test where no workflow would run."""
        if why := self.server.without_controller:
            pytest.skip(f"needs a real Argo controller: {why}; give one by --kubeconfig and --argo-server")

    def account(self, name: str, rules: list[Mapping[str, Any]]) -> Path:
        """The kubeconfig of a new service account with these rights and no others."""
        access = make_account(self.kube, name, rules)
        return write_kubeconfig(self.directory / f"{name}.kubeconfig", access, self.namespace, user=name)

    def claim_directory(self, name: str) -> Path:
        """Where the files of a bound claim are on this machine; skips the test where they are elsewhere."""
        if self.server.claims is None:
            pytest.skip("the claims of this cluster are not on this machine")
        if self.name == "sandbox":
            return self.server.claims / self.namespace / name
        claim = self.kube.get(f"{{ns}}/persistentvolumeclaims/{name}")
        return self.server.claims / self.namespace / f"{name}-{claim['metadata']['uid'][:8]}"


@pytest.fixture(scope="session")
def real_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real cluster of this run."""
    config = request.config
    if not wants_real(config):
        pytest.skip("needs a real cluster: --real, or --kubeconfig FILE")
    if given := config.getoption("--kubeconfig"):
        url = config.getoption("--argo-server")
        argo = Argo(url.rstrip("/"), config.stash[_TOKEN]) if url else None
        yield Server("real", access_of(given, config.getoption("--context")), own=False, argo=argo)
        return
    require_controlplane(config)
    token = secrets.token_urlsafe(24)
    users = tmp_path_factory.mktemp("users") / "tokens.csv"
    users.touch(mode=0o600)
    users.write_text(f"{token},admin,admin-uid,system:masters\n", encoding="ascii")
    lacking = _lacks_argo(config)
    if lacking:
        with controlplane.running(users, kubelet=True) as plane:
            access = Access(plane.url, str(plane.ca), token)
            yield Server("real", access, own=True, claims=plane.claims, lacks_argo=lacking)
        return
    with real_argo.running(users) as running:
        access, argo = Access(running.plane.url, str(running.plane.ca), token), Argo(running.url, token)
        yield Server("real", access, own=True, argo=argo, claims=running.plane.claims, real_argo=running)


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The sandbox of this run."""
    if os.name != "posix":
        pytest.skip("the sandbox is for POSIX systems")
    from hera_k8s_sandbox.server.launch import running

    with running(tmp_path_factory.mktemp("sandbox"), lifetime=3600) as address:
        access = Access(address.url, token=address.token)
        claims = address.directory / "claims"
        yield Server("sandbox", access, own=True, argo=Argo(address.url, address.token), claims=claims)


@pytest.fixture
def real_cluster(real_server: Server, tmp_path: Path) -> Iterator[ClusterSpace]:
    """A namespace in the real cluster."""
    yield from _space(real_server, tmp_path)


@pytest.fixture
def each_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ClusterSpace]:
    """A namespace in the sandbox, and with a real cluster another one there. The test need not know which it has."""
    yield from _space(request.getfixturevalue(f"{request.param}_server"), tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with `each_cluster` is run on each."""
    if "each_cluster" in metafunc.fixturenames:
        servers = SERVERS if wants_real(metafunc.config) else SERVERS[:1]
        metafunc.parametrize("each_cluster", servers, indirect=True)


def _space(server: Server, directory: Path) -> Iterator[ClusterSpace]:
    space = ClusterSpace(server, f"test-{secrets.token_hex(4)}", directory)
    kube = space.kube
    kube.create("/api/v1/namespaces", {"metadata": {"name": space.namespace}})
    try:
        wait_until(lambda: kube.find("{ns}/serviceaccounts/default") is not None, "the default account")
        if server.real_argo is None:
            _let_run_workflows(kube)
        else:
            server.real_argo.prepare(kube)
        yield space
    finally:
        kube.delete(f"/api/v1/namespaces/{space.namespace}")


def provision(space: ClusterSpace, run: Callable[..., Any], *words: str) -> None:
    """`hera-k8s provision`, and wait until the claims are bound, which may take a cluster some time."""
    told = run("provision", *words, "--yes")
    assert told.code == 0, told.text
    for claim in space.kube.get("{ns}/persistentvolumeclaims")["items"]:
        path = f"{{ns}}/persistentvolumeclaims/{claim['metadata']['name']}"
        of = space.kube.find(f"{_CLASSES}/{claim['spec'].get('storageClassName')}") or {}
        if of.get("volumeBindingMode") == "WaitForFirstConsumer":
            continue
        space.kube.until(path, lambda found: found["status"].get("phase") == "Bound")


def _let_run_workflows(kube: Kube) -> None:
    """Let the namespace's account report the results of tasks, as an installation of Argo lets some."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{kube.namespace}"
    kube.create(f"{path}/roles", {"metadata": {"name": "executor"}, "rules": _EXECUTOR})
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": kube.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "executor"}
    kube.create(f"{path}/rolebindings", {"metadata": {"name": "executor"}, "subjects": [subject], "roleRef": role})
