"""Bad credentials as users meet them: nothing configured, a kubeconfig that is none, tokens that have run out."""

from __future__ import annotations

import datetime
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from argo_peer import EVENTS, NAMESPACE, WORKFLOWS, ArgoPeer, jwt, refusal, state
from command_line import (
    SECRET,
    SMALL,
    CommandLine,
    kubeconfig,
    record,
    records,
    refuse_what_must_not_be_kept,
    refuse_what_must_not_be_said,
    write_kubeconfig,
)
from fault_server import FaultServer, Request, reply, sse, tls_context
from sandbox_api import Api, make_namespace

NOWHERE = "https://127.0.0.1:1"


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    (work / "experiment.py").write_text(SMALL)
    return CommandLine(capsys)


@pytest.fixture
def peer() -> Iterator[ArgoPeer]:
    with ArgoPeer() as server:
        yield server


def use(monkeypatch: pytest.MonkeyPatch, path: Path | str) -> None:
    monkeypatch.setenv("KUBECONFIG", str(path))


# --- nothing configured ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [["check"], ["run"], ["provision"], ["runs", "--server"], ["follow", "x"], ["logs", "x"], ["stop", "x"]],
    ids=lambda words: words[0],
)
def test_without_any_configuration_each_provider_says_why_and_what_to_set(hera: CommandLine, words: list[str]) -> None:
    told = hera(*words)
    assert told.code == 4
    assert told.out == ""
    names_a_run = words[-1] == "x"
    first = "no run is called x here, and no cluster is configured" if names_a_run else "no cluster is configured"
    assert told.lines[0] == first
    reasons = {line.split()[0]: line for line in told.lines[1:-1]}
    assert "ARGO_SERVER" in reasons["argo-token"]
    assert "KUBECONFIG is not set" in reasons["kubeconfig"]
    assert "not in a pod" in reasons["in-cluster"]
    assert told.lines[-1] == "  -> set KUBECONFIG or ARGO_SERVER, or try without a cluster: --sandbox"
    assert records() == []


def test_without_any_configuration_what_needs_no_cluster_works(hera: CommandLine) -> None:
    for words in (["render"], ["layout"], ["run", "--dry-run"], ["config"], ["plugins"], ["runs"]):
        assert hera(*words).code == 0, words
    assert records() == []


def test_programs_are_told_the_same_in_json(hera: CommandLine) -> None:
    told = hera("check", "--output", "json")
    error = json.loads(told.err)["error"]
    assert (told.code, error["exit_code"], error["type"]) == (4, 4, "CredentialError")
    assert error["found"].startswith("no credential for argo")
    assert "KUBECONFIG" in error["hint"]


def test_dev_null_means_none(hera: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, os.devnull)
    told = hera("check")
    assert told.code == 4
    assert "which means no kubeconfig" in told.err


# --- a kubeconfig that is none ---------------------------------------------------------------------------------

FILES: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "no such file"),
    "empty": (b"", "it is empty"),
    "binary": (bytes(range(256)), "not text in UTF-8"),
    "not YAML": (f"users:\n  - {{token: {SECRET}\n :".encode(), "not YAML"),
    "another document": (b"- one\n- two\n", "kubeconfig"),
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_file_that_is_no_kubeconfig_is_named(
    hera: CommandLine, monkeypatch: pytest.MonkeyPatch, case: str, command: str
) -> None:
    content, words = FILES[case]
    if content is not None:
        Path("my-cluster.yaml").write_bytes(content)
    use(monkeypatch, "my-cluster.yaml")
    told = hera(command)
    assert told.code == 4
    assert re.match(r"cannot (read|use) the kubeconfig my-cluster\.yaml", told.err)
    assert words in told.lines[0]
    assert told.lines[-1].startswith("  -> ")
    assert records() == []


def test_the_flag_and_a_configuration_file_name_it_too(hera: CommandLine) -> None:
    assert "no such file" in hera("check", "--k8s-config-file", "gone.yaml").err
    Path("hera.config").write_text("k8s_config_file = lost.yaml\n")
    told = hera("check")
    assert told.code == 4
    assert "lost.yaml" in told.err


def test_a_kubeconfig_without_the_context_names_those_it_has(
    hera: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, write_kubeconfig(Path("config"), kubeconfig(NOWHERE)))
    told = hera("run", "--k8s-context", "lyom")
    assert told.code == 4
    assert "no context lyom" in told.err
    assert told.lines[-1] == "  -> --k8s-context lyon"


def test_an_expired_certificate_is_told_before_any_server_is_asked(
    hera: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("jane", not_after=datetime.datetime(2026, 1, 2))
    issued.cert_chain_pems[0].write_to_path("jane.pem")
    issued.private_key_pem.write_to_path("jane.key")
    user = {"client-certificate": "jane.pem", "client-key": "jane.key"}
    with FaultServer(tls=tls_context(authority)) as server:
        use(monkeypatch, write_kubeconfig(Path("config"), kubeconfig(server.url, user)))
        told = hera("run")
        assert server.requests == []
    assert told.code == 4
    assert "has expired" in told.err
    assert "2026-01-02" in told.err
    assert "fresh kubeconfig" in told.lines[-1]
    assert records() == []


EXEC: dict[str, tuple[list[str], str]] = {
    "fails": (["-c", "import sys; sys.exit('the session is over: run acme login')"], "the session is over"),
    "says nonsense": (["-c", f"print('token {SECRET}')"], "not JSON"),
    "gives nothing": (["-c", "print('{}')"], "exec plugin"),
    "does not exist": ([], "command not found"),
}


@pytest.mark.parametrize("case", EXEC)
def test_an_exec_plugin_that_gives_no_token_is_named(
    hera: CommandLine, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    arguments, words = EXEC[case]
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable if arguments else "acme-login-that-nobody-has",
        "args": arguments,
        "interactiveMode": "Never",
        "installHint": "brew install acme-login",
    }
    use(monkeypatch, write_kubeconfig(Path("config"), kubeconfig(NOWHERE, {"exec": plugin})))
    told = hera("run")
    assert told.code == 4
    assert "exec plugin" in told.err
    assert words in told.err
    assert told.lines[-1].startswith("  -> ")
    assert records() == []


def test_a_run_never_goes_elsewhere_because_a_credential_failed(
    hera: CommandLine, peer: ArgoPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_SERVER", peer.url)
    monkeypatch.setenv("ARGO_TOKEN", SECRET)
    use(monkeypatch, "gone.yaml")
    told = hera("run")
    assert told.code == 4
    assert "gone.yaml" in told.err
    assert peer.workflows == {}


# --- tokens of the Argo server -----------------------------------------------------------------------------------


@pytest.fixture
def argo(peer: ArgoPeer, monkeypatch: pytest.MonkeyPatch) -> ArgoPeer:
    monkeypatch.setenv("ARGO_SERVER", peer.url)
    monkeypatch.setenv("ARGO_NAMESPACE", NAMESPACE)
    return peer


def test_a_server_without_a_token_says_how_to_log_in(hera: CommandLine, argo: ArgoPeer) -> None:
    told = hera("run")
    assert told.code == 4
    assert "hera-k8s login" in told.lines[-1]
    assert argo.requests == []


def test_a_token_file_that_is_not_there_is_named(
    hera: CommandLine, argo: ArgoPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERA_K8S_ARGO_TOKEN_FILE", "my-token")
    told = hera("check")
    assert told.code == 4
    assert "my-token" in told.err


def expired(request: Request, handler: Any) -> None:
    refusal(401, "token not valid", 16)(request, handler)


def test_a_token_that_expired_before_the_run_forbids_it(
    hera: CommandLine, argo: ArgoPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = jwt(sub="jane", exp=int(time.time()) - 3600)
    monkeypatch.setenv("ARGO_TOKEN", old)
    hera.secrets += (old,)
    argo.otherwise = expired
    for method, path in (("GET", "/api/v1/version"), ("GET", "/api/v1/userinfo"), ("GET", WORKFLOWS)):
        argo.on(method, path, expired)
    argo.on("POST", WORKFLOWS, expired)
    told = hera("run")
    assert told.code == 5
    assert "expired" in told.err
    assert "hera-k8s login" in told.err
    assert "Nothing was submitted" in told.err
    assert argo.workflows == {}
    assert records() == []


def test_a_kubernetes_token_that_expired_forbids_the_run(hera: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    old = jwt(sub="jane", exp=int(time.time()) - 3600)
    hera.secrets += (old,)
    with FaultServer() as server:
        server.otherwise = reply(401, {"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "no"})
        use(monkeypatch, write_kubeconfig(Path("config"), kubeconfig(server.url, {"token": old})))
        told = hera("run")
        assert not [request for request in server.requests if request.path.endswith("/workflows")]
    assert told.code == 4
    assert "expired" in told.err
    assert records() == []


def running(name: str, phase: str = "Running") -> Any:
    return {"result": {"type": "MODIFIED", "object": state(phase, name=name, uid=f"uid-{name}")}}


def test_a_token_that_expires_during_a_run_is_read_again(
    hera: CommandLine, argo: ArgoPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever renews the file (a sidecar, `hera-k8s login`) renews the run that is followed."""
    fresh = "fresh-token-that-nobody-may-see"
    hera.secrets += (fresh,)
    Path("token").write_text(SECRET)
    monkeypatch.setenv("HERA_K8S_ARGO_TOKEN_FILE", "token")

    def only_fresh(request: Request, handler: Any) -> None:
        Path("token").write_text(fresh)
        if request.headers["authorization"] == f"Bearer {fresh}":
            sse([running("hello-r1"), running("hello-r1", "Succeeded")])(request, handler)
        else:
            expired(request, handler)

    argo.on("GET", EVENTS, only_fresh)
    told = hera("run", "--run-id", "r1")
    assert told.code == 0
    assert record("r1")["outcome"]["phase"] == "Succeeded"
    assert len(argo.workflows) == 1


def test_a_token_that_cannot_be_renewed_leaves_the_run_and_says_how_to_come_back(
    hera: CommandLine, argo: ArgoPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_TOKEN", SECRET)

    def end_of_the_token(request: Request, handler: Any) -> None:
        argo.otherwise = expired
        expired(request, handler)

    argo.on("GET", EVENTS, end_of_the_token)
    told = hera("run", "--run-id", "r1")
    assert told.code == 9
    assert "lost connection to hello-r1; it is still running" in told.err
    assert "hera-k8s follow r1" in told.err
    assert "401" in told.err
    assert "outcome" not in record("r1")
    argo.workflows["hello-r1"]["status"] = state("Succeeded")["status"]
    argo.otherwise = argo._get
    assert hera("follow", "r1").code == 0
    assert record("r1")["outcome"]["phase"] == "Succeeded"


def test_an_accounts_token_that_expires_during_a_run_is_asked_for_again(
    hera: CommandLine, argo: ArgoPeer, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account's token comes from a cluster (the sandbox), and is refused as old while the run is followed."""
    api = Api(sandbox.url, sandbox.token)
    make_namespace(api, NAMESPACE)
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "default-edits"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}],
    }
    api.create(f"/apis/{group}/v1/namespaces/{NAMESPACE}/rolebindings", binding)
    body = kubeconfig(sandbox.url, {"token": sandbox.token}, namespace=NAMESPACE)
    use(monkeypatch, write_kubeconfig(Path("config"), body))
    monkeypatch.setenv("HERA_K8S_ARGO_TOKEN_ACCOUNT", "default")
    seen: list[str] = []

    def another_each_time(request: Request, handler: Any) -> None:
        seen.append(request.headers["authorization"])
        if len(set(seen)) == 1:
            expired(request, handler)
        else:
            sse([running("hello-r2"), running("hello-r2", "Succeeded")])(request, handler)

    argo.on("GET", EVENTS, another_each_time)
    told = hera("run", "--run-id", "r2")
    hera.secrets += (*(each.removeprefix("Bearer ") for each in seen), sandbox.token)
    refuse_what_must_not_be_said(told.text, hera.secrets)
    refuse_what_must_not_be_kept(hera.secrets)
    assert told.code == 0, told.err
    assert len(set(seen)) == 2
    assert record("r2")["outcome"]["phase"] == "Succeeded"
