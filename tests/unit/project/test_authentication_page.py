"""docs/authentication.md quotes what is printed: each of its quotations is provoked here, and must stand there.

Ports, times of day and the home directory differ from one machine to another, and are written in one way (`tidy`).
"""

from __future__ import annotations

import base64
import datetime
import io
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from argo_peer import EVENTS, NAMESPACE, ArgoPeer, jwt, refusal
from command_line import SMALL, CommandLine, Told, kubeconfig, write_kubeconfig
from fault_server import FaultServer, Request, html_login, refused_port, reply, tls_context
from sandbox_api import Api, make_namespace

from hera_k8s_sandbox.server.launch import running

PAGE = Path(__file__).resolve().parents[3] / "docs" / "authentication.md"
JANE = "jane-token-that-nobody-may-see"
ACCOUNT_TOKEN = "kubernetes.io/service-account-token"
CORE = "/api/v1/namespaces/default"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
YEAR_2099 = int(datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc).timestamp())


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster with an account `bot` that may run workflows, Secrets of tokens, and jane, who may do nothing."""
    users = tmp_path_factory.mktemp("users") / "users.csv"
    users.write_text(f"{JANE},jane,1\n")
    users.chmod(0o600)
    with running(tmp_path_factory.mktemp("sandbox"), lifetime=600, users=users) as address:
        furnish(Api(address.url, address.token))
        yield address


def furnish(api: Api) -> None:
    for name in ("bot", "listed", "other"):
        api.create(f"{CORE}/serviceaccounts", {"metadata": {"name": name}})
        metadata = {"name": f"{name}-token", "annotations": {"kubernetes.io/service-account.name": name}}
        api.create(f"{CORE}/secrets", {"metadata": metadata, "type": ACCOUNT_TOKEN})
        allow(api, name, {"kind": "ServiceAccount", "name": name, "namespace": "default"}, "edit")
    assert api.patch(f"{CORE}/serviceaccounts/listed", {"secrets": [{"name": "listed-token"}]}).ok
    api.create(f"{CORE}/secrets", {"metadata": {"name": "settings"}, "stringData": {"token": "x"}})
    rules = [
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"], "resourceNames": ["listed"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["listed-token"]},
    ]
    api.create(f"{RBAC}/roles", {"metadata": {"name": "reads-listed"}, "rules": rules})
    allow(
        api, "jane", {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}, "reads-listed", "Role"
    )


def allow(api: Api, name: str, subject: dict[str, str], role: str, kind: str = "ClusterRole") -> None:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    api.create(f"{RBAC}/rolebindings", {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]})


class Stage:
    """Where a case is played: a user's directory, a sandbox, and servers that fail."""

    def __init__(self, sandbox: Any, monkeypatch: pytest.MonkeyPatch, hera: CommandLine, stack: ExitStack) -> None:
        self.sandbox, self.monkeypatch, self.hera, self._stack = sandbox, monkeypatch, hera, stack
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()

    def set(self, **variables: str) -> None:
        """Variables, and no others of ours."""
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def argo(self, server: str = "", **variables: str) -> None:
        """An Argo server, the sandbox's unless another one is named."""
        self.set(ARGO_SERVER=server or self.sandbox.url, ARGO_NAMESPACE="default", **variables)

    def cluster(self, user: dict[str, Any] | None = None, server: str = "") -> None:
        """A kubeconfig for the sandbox, as its administrator unless a user is given."""
        body = kubeconfig(server or self.sandbox.url, user or {"token": self.sandbox.token}, namespace="default")
        self.set(KUBECONFIG=write_kubeconfig(Path("my-cluster.yaml"), body))

    def serve(self, server: FaultServer) -> Any:
        """A server that answers until the case is over."""
        return self._stack.enter_context(server)

    def type(self, *words: str, stdin: str = "") -> Told:
        """A command, with what is piped into it."""
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        return self.hera(*words)


@pytest.fixture
def stage(
    sandbox: Any, work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    (work / "experiment.py").write_text(SMALL)
    with ExitStack() as stack:
        yield Stage(sandbox, monkeypatch, CommandLine(capsys, JANE, sandbox.token), stack)
    monkeypatch.undo()
    time.tzset()


def tidy(text: str) -> str:
    """The same on every machine."""
    text = re.sub(r"(127\.0\.0\.1|localhost):\d+", "127.0.0.1:32746", text)
    text = text.replace(str(Path.home()), "~").replace("~/hera-k8s/", "~/.config/hera-k8s/")
    text = text.replace(str(Path.cwd()), "~/my-experiment")
    return re.sub(r"login, \d\d:\d\d", "login, 09:12", text)


def excerpt(told: Told) -> str:
    """What the page shows of an output: of a report the platforms and what was found of them, of a listing nothing."""
    lines = [line.rstrip() for line in told.text.splitlines()]
    if "Access" in lines:
        first = next(position for position, line in enumerate(lines) if line.startswith(("argo ", "kubernetes ")))
        lines = lines[first : lines.index("Environment")]
    elif told.code == 9:  # what was followed until then depends on who was quicker
        lines = lines[next(position for position, line in enumerate(lines) if line.startswith("! ")) :]
    elif told.out.startswith("hera-k8s-utils"):
        lines = told.lines
    return tidy("\n".join(lines))


# --- a token given by hand ---------------------------------------------------------------------------------------


def login(stage: Stage) -> Told:
    stage.argo()
    return stage.type("login", stdin=jwt(sub="jdoe", exp=YEAR_2099))


def login_is_used(stage: Stage) -> Told:
    stage.argo()
    stage.type("login", stdin=bot_token(stage))
    return stage.type("check")


def bot_token(stage: Stage) -> str:
    secret = Api(stage.sandbox.url, stage.sandbox.token).get(f"{CORE}/secrets/bot-token")
    return base64.b64decode(secret["data"]["token"]).decode()


def no_token(stage: Stage) -> Told:
    stage.argo()
    return stage.type("check")


def not_a_token(stage: Stage) -> Told:
    stage.argo(ARGO_TOKEN="paste your token here")
    return stage.type("check")


def nothing_piped(stage: Stage) -> Told:
    stage.argo()
    return stage.type("login")


def expired_at_login(stage: Stage) -> Told:
    stage.argo()
    return stage.type("login", stdin=jwt(sub="jdoe", exp=1_760_000_000))


def expired(stage: Stage) -> Told:
    stage.argo(ARGO_TOKEN=jwt(sub="jdoe", exp=int(time.time()) - 3 * 3600 - 60))
    return stage.type("check")


def expires_soon(stage: Stage) -> Told:
    with_exp = jwt(sub="jdoe", exp=int(time.time()) + 12 * 60 + 50)
    peer = stage.serve(ArgoPeer())
    stage.argo(peer.url, ARGO_TOKEN=with_exp)
    stage.set(ARGO_NAMESPACE="vcity")
    return stage.type("check")


def ends_during_a_run(stage: Stage) -> Told:
    peer = stage.serve(ArgoPeer())
    stage.argo(peer.url, ARGO_TOKEN="v2:mine")
    stage.set(ARGO_NAMESPACE="vcity")
    no_more = refusal(401, "token not valid for running mode", 16)

    def end(request: Request, handler: Any) -> None:
        peer.otherwise = no_more
        no_more(request, handler)

    peer.on("GET", EVENTS, end)
    return stage.type("run", "--run-id", "k3f9")


def refused(stage: Stage) -> Told:
    stage.argo(ARGO_TOKEN="v2:of-another-server")
    return stage.type("check")


def forbidden(stage: Stage) -> Told:
    stage.argo(ARGO_TOKEN=JANE)
    return stage.type("check")


def token_file_missing(stage: Stage) -> Told:
    stage.argo()
    return stage.type("check", "--argo-token-file", "my-token")


def exposed(stage: Stage) -> Told:
    stage.argo()
    Path("hera.config").write_text("argo_token = v2:of-another-server\n")
    Path("hera.config").chmod(0o644)
    return stage.type("config")


def anonymous(stage: Stage) -> Told:
    peer = stage.serve(ArgoPeer())
    stage.argo(peer.url)
    stage.set(ARGO_NAMESPACE="vcity")
    return stage.type("check", "--argo-anonymous")


def login_page(stage: Stage) -> Told:
    server = stage.serve(FaultServer())
    server.otherwise = html_login()
    stage.argo(server.url, ARGO_TOKEN="v2:mine")
    return stage.type("check")


def unknown_authority(stage: Stage) -> Told:
    server = stage.serve(FaultServer(tls=tls_context(trustme.CA())))
    stage.argo(server.url, ARGO_TOKEN="v2:mine")
    return stage.type("check")


def nobody_listens(stage: Stage) -> Told:
    stage.argo(f"http://127.0.0.1:{refused_port()}", ARGO_TOKEN="v2:mine")
    return stage.type("check")


def address_is_wrong(stage: Stage) -> Told:
    stage.argo("argo.example/workflows?limit=50", ARGO_TOKEN="v2:mine")
    return stage.type("check")


# --- a token in a Secret -------------------------------------------------------------------------------------------


def secret(stage: Stage, name: str, *words: str, user: dict[str, Any] | None = None) -> Told:
    stage.argo()
    stage.cluster(user)
    return stage.type("check", "--argo-token-secret", name, *words)


def secret_is_used(stage: Stage) -> Told:
    return secret(stage, "bot-token")


def secret_missing(stage: Stage) -> Told:
    return secret(stage, "bots-token")


def secret_forbidden(stage: Stage) -> Told:
    return secret(stage, "bot-token", user={"token": JANE})


def secret_of_another_type(stage: Stage) -> Told:
    return secret(stage, "settings")


def secret_of_another_account(stage: Stage) -> Told:
    return secret(stage, "other-token", "--argo-token-account", "bot")


def secret_not_filled(stage: Stage) -> Told:
    server = stage.serve(FaultServer())
    server.on("GET", f"{CORE}/secrets/bot-token", reply(200, {"type": ACCOUNT_TOKEN, "metadata": {}}))
    stage.argo()
    stage.cluster(server=server.url)
    return stage.type("check", "--argo-token-secret", "bot-token")


# --- a token that is asked for ---------------------------------------------------------------------------------------


def request(stage: Stage, account: str, *words: str, user: dict[str, Any] | None = None) -> Told:
    stage.argo()
    stage.cluster(user)
    return stage.type("check", "--argo-token-account", account, *words)


def request_is_used(stage: Stage) -> Told:
    return request(stage, "bot")


def request_without_account(stage: Stage) -> Told:
    return request(stage, "boot")


def request_forbidden(stage: Stage) -> Told:
    return request(stage, "bot", user={"token": JANE})


def request_falls_back(stage: Stage) -> Told:
    return request(stage, "listed", user={"token": JANE})


def request_too_short(stage: Stage) -> Told:
    return request(stage, "bot", "--argo-token-lifetime", "60")


def request_without_cluster(stage: Stage) -> Told:
    stage.argo()
    return stage.type("check", "--argo-token-account", "bot")


def request_insisted_on(stage: Stage) -> Told:
    stage.argo()
    return stage.type("check", "--credentials", "argo=service-account-token")


# --- Kubernetes ------------------------------------------------------------------------------------------------------


def nothing_at_all(stage: Stage) -> Told:
    return stage.type("check")


def kubeconfig_missing(stage: Stage) -> Told:
    stage.set(KUBECONFIG="my-cluster.yaml")
    return stage.type("check")


def kubeconfig_is_used(stage: Stage) -> Told:
    stage.cluster()
    return stage.type("check")


def context_missing(stage: Stage) -> Told:
    stage.cluster()
    return stage.type("check", "--k8s-context", "lyom")


def certificate_expired(stage: Stage) -> Told:
    issued = trustme.CA().issue_cert("jane", not_after=datetime.datetime(2026, 1, 2))
    issued.cert_chain_pems[0].write_to_path("jane.pem")
    issued.private_key_pem.write_to_path("jane.key")
    stage.cluster({"client-certificate": "jane.pem", "client-key": "jane.key"}, "https://cluster.example:6443")
    return stage.type("check")


def exec_plugin(stage: Stage, **more: Any) -> Told:
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", **more}
    stage.cluster({"exec": spec})
    return stage.type("check")


def exec_plugin_fails(stage: Stage) -> Told:
    Path("acme-login").write_text("#!/bin/sh\necho 'your session is over: acme login' >&2\nexit 1\n")
    Path("acme-login").chmod(0o755)
    return exec_plugin(stage, command="./acme-login")


def exec_plugin_missing(stage: Stage) -> Told:
    return exec_plugin(stage, command="acme-login", installHint="brew install acme-login")


def cluster_refuses(stage: Stage) -> Told:
    stage.cluster({"token": "of-last-year"})
    return stage.type("check")


def token_of_kubeconfig_expired(stage: Stage) -> Told:
    stage.cluster({"token": jwt(sub="jdoe", exp=1_760_000_000)})
    return stage.type("check")


def pod(stage: Stage) -> Told:
    authority = trustme.CA()
    server = stage.serve(FaultServer(tls=tls_context(authority)))
    server.otherwise = reply(403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"})
    server.on("GET", "/version", reply(200, {"gitVersion": "v1.36.2"}))
    account = {"username": "system:serviceaccount:vcity:runner"}
    reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    server.on("POST", reviews, reply(201, {"status": {"userInfo": account}}))
    server.on("POST", f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/workflows", reply(201, {}))
    files = Path("pod")
    files.mkdir()
    authority.cert_pem.write_to_path(str(files / "ca.crt"))
    (files / "token").write_text(jwt(sub="system:serviceaccount:vcity:runner", exp=YEAR_2099))
    (files / "namespace").write_text(NAMESPACE)
    host, _, port = server.url.removeprefix("https://").partition(":")
    stage.set(KUBERNETES_SERVICE_HOST=host, KUBERNETES_SERVICE_PORT=port)
    return stage.type("check", "--in-cluster-directory", str(files))


def pod_without_account(stage: Stage) -> Told:
    stage.set(KUBERNETES_SERVICE_HOST="10.43.0.1")
    return stage.type("check", "--in-cluster-directory", "no-such-directory")


def another_provider(stage: Stage) -> Told:
    stage.cluster()
    return stage.type("check", "--credentials", "kubernetes=in-clustre")


CASES: dict[Callable[[Stage], Told], int] = {
    login: 0,
    login_is_used: 0,
    no_token: 4,
    not_a_token: 4,
    nothing_piped: 4,
    expired_at_login: 4,
    expired: 5,
    expires_soon: 0,
    ends_during_a_run: 9,
    refused: 5,
    forbidden: 5,
    token_file_missing: 4,
    exposed: 0,
    anonymous: 0,
    login_page: 5,
    unknown_authority: 5,
    nobody_listens: 5,
    address_is_wrong: 2,
    secret_is_used: 0,
    secret_missing: 4,
    secret_forbidden: 4,
    secret_of_another_type: 4,
    secret_of_another_account: 4,
    secret_not_filled: 4,
    request_is_used: 0,
    request_without_account: 4,
    request_forbidden: 4,
    request_falls_back: 0,
    request_too_short: 4,
    request_without_cluster: 4,
    request_insisted_on: 4,
    nothing_at_all: 4,
    kubeconfig_missing: 4,
    kubeconfig_is_used: 0,
    context_missing: 4,
    certificate_expired: 4,
    exec_plugin_fails: 4,
    exec_plugin_missing: 4,
    cluster_refuses: 5,
    token_of_kubeconfig_expired: 4,
    pod: 0,
    pod_without_account: 4,
    another_provider: 2,
}


def quotations() -> set[str]:
    """The outputs on the page, without the commands above them."""
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {"\n".join(line for line in block.splitlines() if not line.startswith("$ ")) for block in blocks}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_page_quotes_what_is_printed(stage: Stage, case: Callable[[Stage], Told]) -> None:
    told = case(stage)
    assert told.code == CASES[case], told.text
    assert excerpt(told) in quotations()


def test_the_page_quotes_nothing_else() -> None:
    assert len(quotations()) == len(CASES)


def test_the_options_on_the_page_are_there(stage: Stage) -> None:
    page = re.sub(r"^```console\n.*?^```$", "", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    help_of = stage.type("run", "--help-all").out + stage.type("login", "--help-all").out
    help_of = re.sub(r"--\[no-\]([\w-]+)", r"--\1 --no-\1", help_of)
    flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", page))
    assert flags <= set(re.findall(r"--[a-z][\w-]+", help_of))
    variables = set(re.findall(r"\b(?:HERA_K8S|ARGO|KUBE)[A-Z0-9_]+\b", page))
    assert variables <= set(re.findall(r"\$(\w+)", help_of)) | {"KUBECONFIG", "ARGO_TOKEN"}
    rows = re.findall(r"^\|.*`--([\w-]+).*\| `([a-z0-9_]+)(?: = \w+)?` \|$", page, flags=re.MULTILINE)
    assert len(rows) >= 10
    for flag, key in rows:
        assert flag.removeprefix("no-").replace("-", "_") == key


# --- the manifests ---------------------------------------------------------------------------------------------------


PATHS = {
    "ServiceAccount": "/api/v1/namespaces/vcity/serviceaccounts",
    "Secret": "/api/v1/namespaces/vcity/secrets",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/vcity/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/vcity/rolebindings",
}


def manifest(name: str) -> list[dict[str, Any]]:
    page = PAGE.read_text(encoding="utf-8")
    return list(yaml.safe_load_all(page.split(f"<!-- manifest: {name} -->\n```yaml\n")[1].partition("```")[0]))


@pytest.fixture(scope="module")
def vcity(sandbox: Any) -> Api:
    """A namespace with what an administrator is told to create; its pods may report their results."""
    api = Api(sandbox.url, sandbox.token)
    make_namespace(api, "vcity")
    for body in manifest("account"):
        api.create(PATHS[body["kind"]], body)
    rules = [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]
    api.create(PATHS["Role"], {"metadata": {"name": "reports"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "vcity"}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reports"}
    api.create(PATHS["RoleBinding"], {"metadata": {"name": "reports"}, "roleRef": ref, "subjects": [subject]})
    return api


@pytest.mark.parametrize(
    ("rights", "flag"),
    [("reader", "--argo-token-secret=submitter-token"), ("requester", "--argo-token-account=submitter")],
)
def test_with_the_manifests_of_the_page_jane_can_run_a_workflow(
    stage: Stage, vcity: Api, rights: str, flag: str
) -> None:
    stage.argo(stage.sandbox.url)
    stage.set(ARGO_NAMESPACE="vcity")
    stage.cluster({"token": JANE})
    assert stage.type("run", flag, "--run-id", rights).code == 4
    for body in manifest(rights):
        vcity.create(PATHS[body["kind"]], body)
    told = stage.type("run", flag, "--run-id", rights)
    assert told.code == 0, told.text
    assert stage.type("logs", flag, rights).code == 0
    assert "as system:serviceaccount:vcity:submitter" in stage.type("check", flag).text
