"""Tokens from every source: white space around them goes, what no header can hold is exit 4 and is never shown."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from command_line import SMALL, CommandLine, Json, kubeconfig, write_kubeconfig
from fault_server import FaultServer, reply

from hera_k8s_utils import KUBERNETES, Credential, CredentialError, CredentialProvider, build_container
from hera_k8s_utils.network.headers import bearer_token, require_basic_auth, sendable
from hera_k8s_utils.network.http import HttpClient, NetworkSettings

TOKEN = "tok-5kQ2vX9mLr7WcN4bYh"
BROKEN = {
    "a line feed": "tok-5kQ2vX9\nmLr7WcN4bYh",
    "a blank": "tok-5kQ2vX9 mLr7WcN4bYh",
    "an umlaut": "tok-5kQ2vX9ümLr7WcN",
}
PARTS = ("tok-5kQ2vX9", "mLr7WcN")
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts/bot"


@dataclass(frozen=True)
class Given:
    """What a source needs: the kubeconfig's user, variables, and words of the command line."""

    user: Json = field(default_factory=lambda: {"token": "mine-0123456789"})
    environ: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()


Source = Callable[[FaultServer, str], Given]


def token(server: FaultServer, text: str) -> Given:
    return Given({"token": text})


def token_file(server: FaultServer, text: str) -> Given:
    Path("tok").write_text(text, encoding="utf-8")
    return Given({"tokenFile": "tok"})


def exec_plugin(server: FaultServer, text: str) -> Given:
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": text}}
    Path("plugin.py").write_text(f"print({json.dumps(answer)!r})")
    plugin = {"apiVersion": answer["apiVersion"], "command": sys.executable, "args": ["plugin.py"]}
    return Given({"exec": {**plugin, "interactiveMode": "Never"}})


def auth_provider(server: FaultServer, text: str) -> Given:
    return Given({"auth-provider": {"name": "gcp", "config": {"access-token": text}}})


def argo_variable(server: FaultServer, text: str) -> Given:
    return Given(environ={"ARGO_SERVER": server.url, "ARGO_TOKEN": text})


def argo_file(server: FaultServer, text: str) -> Given:
    Path("tok").write_text(text, encoding="utf-8")
    return Given(environ={"ARGO_SERVER": server.url}, words=("--argo-token-file", "tok"))


def argo_login(server: FaultServer, text: str) -> Given:
    from hera_k8s_argo.token_store import user_logins

    user_logins().save(server.url, text)
    return Given(environ={"ARGO_SERVER": server.url})


def token_secret(server: FaultServer, text: str) -> Given:
    data = {"token": base64.b64encode(text.encode()).decode()}
    body = {"metadata": {"name": "s"}, "type": "kubernetes.io/service-account-token", "data": data}
    server.on("GET", "/api/v1/namespaces/default/secrets/s", reply(200, body))
    return Given(environ={"ARGO_SERVER": server.url}, words=("--argo-token-secret", "s"))


def token_request(server: FaultServer, text: str) -> Given:
    server.on("POST", f"{ACCOUNTS}/token", reply(201, {"status": {"token": text}}))
    return Given(environ={"ARGO_SERVER": server.url}, words=("--argo-token-account", "bot"))


SOURCES: list[Source] = [
    token,
    token_file,
    exec_plugin,
    auth_provider,
    argo_variable,
    argo_file,
    argo_login,
    token_secret,
    token_request,
]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    (work / "experiment.py").write_text(SMALL)
    return CommandLine(capsys, *PARTS)


def check(hera: CommandLine, server: FaultServer, monkeypatch: pytest.MonkeyPatch, given: Given, *words: str) -> Any:
    monkeypatch.setenv("KUBECONFIG", write_kubeconfig(Path("kc"), kubeconfig(server.url, given.user)))
    for name, value in given.environ.items():
        monkeypatch.setenv(name, value)
    return hera("check", *given.words, *words)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_white_space_around_a_token_is_not_sent(
    hera: CommandLine, server: FaultServer, monkeypatch: pytest.MonkeyPatch, source: Source
) -> None:
    check(hera, server, monkeypatch, source(server, f" \t{TOKEN}\r\n\n"))
    assert f"Bearer {TOKEN}" in {request.headers.get("authorization") for request in server.requests}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_a_token_that_no_header_can_hold_is_a_bad_credential(
    hera: CommandLine, server: FaultServer, monkeypatch: pytest.MonkeyPatch, source: Source, broken: str
) -> None:
    told = check(hera, server, monkeypatch, source(server, BROKEN[broken]))
    assert told.code == 4
    assert "holds something else than a token: it holds a blank or a character that no token has" in told.err
    as_json = check(hera, server, monkeypatch, source(server, BROKEN[broken]), "--output", "json")
    assert json.loads(as_json.err.splitlines()[-1])["error"]["exit_code"] == 4
    assert not any(PARTS[1] in str(request.headers) for request in server.requests)


def test_a_token_file_is_judged_anew_when_it_is_read_again(work: Path, server: FaultServer) -> None:
    file, path = Path("tok"), "/api/v1/namespaces/default/configmaps/x"
    file.write_text("first-0123456789\n")
    write_kubeconfig(Path("kc"), kubeconfig(server.url, {"tokenFile": "tok"}))
    server.on("GET", path, reply(401, {}), reply(200, {}))
    with build_container(environ={"KUBECONFIG": "kc"}) as container:
        client = container.context().kubernetes
        file.write_text(f"\n{TOKEN}\n")
        client.get("v1", "configmaps", "x")
    assert [r.headers["authorization"] for r in server.requests] == ["Bearer first-0123456789", f"Bearer {TOKEN}"]


def test_the_account_of_a_pod_is_judged_too(
    hera: CommandLine, server: FaultServer, monkeypatch: pytest.MonkeyPatch, work: Path
) -> None:
    (work / "token").write_text(BROKEN["a line feed"])
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    told = hera("check", "--in-cluster-directory", str(work))
    assert told.code == 4
    assert "holds something else than a token" in told.err


def test_the_secret_of_a_plugin_is_judged_too(work: Path, server: FaultServer) -> None:
    from hera_k8s_utils.plugins.platforms import PlatformRegistry

    given = Credential(secret=f"Bearer {TOKEN}\n", server=server.url)
    provider = CredentialProvider(name="vault", target=KUBERNETES.name, load=lambda settings, context: given)
    with build_container(environ={}) as container:
        context = container.context()
        assert PlatformRegistry([], [provider], container.settings()).credential("kubernetes", context).secret == TOKEN
        given = Credential(secret=BROKEN["a blank"], server=server.url)
        with pytest.raises(CredentialError, match="vault holds something else than a token") as refused:
            PlatformRegistry([], [provider], container.settings()).credential("kubernetes", context)
    assert not any(part in str(refused.value) for part in PARTS)


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ({"token": TOKEN, "as": "jane\nX-Evil: 1"}, "the header Impersonate-User holds a character that no header has"),
        ({"username": "jane", "password": "tok-5kQ2vX9\u2026mLr7WcN"}, "holds a character outside Latin-1"),
    ],
)
def test_other_headers_are_judged_as_well(
    hera: CommandLine, server: FaultServer, monkeypatch: pytest.MonkeyPatch, user: Json, found: str
) -> None:
    told = check(hera, server, monkeypatch, Given(user))
    assert told.code == 4
    assert found in told.err
    assert server.requests == []


@pytest.mark.parametrize(
    "headers", [{"Cookie": f"s={TOKEN}\r\nX: 1"}, {"X-Key": f"{TOKEN} "}, {"X-Key": "ü"}, {"a b": "c"}]
)
def test_a_plugins_headers_are_judged_and_not_repeated(server: FaultServer, headers: Mapping[str, str]) -> None:
    with pytest.raises(CredentialError) as refused:
        HttpClient(server.url, NetworkSettings()).get("x", headers=headers)
    assert TOKEN not in str(refused.value)
    assert server.requests == []


def test_a_proxys_password_is_judged_before_anything_is_sent() -> None:
    with pytest.raises(CredentialError) as refused:
        HttpClient("https://argo.example", NetworkSettings(), proxy="http://me:tok-5kQ2%E2%80%A6vX9@proxy.example:3128")
    assert "the proxy http://proxy.example:3128 cannot be used" in str(refused.value)
    assert "tok-5kQ2" not in str(refused.value)


def test_hera_is_given_the_token_as_it_is_sent(work: Path, server: FaultServer) -> None:
    from hera.shared import global_config

    from hera_k8s_argo import configure_hera

    address = f"{server.url}/bearer/S3CRETtokenABCDEF0123456789"
    before = dict(vars(global_config))
    try:
        with build_container(environ={"ARGO_SERVER": address, "ARGO_TOKEN": f'"Bearer {TOKEN}"\n'}) as container:
            configure_hera(container.context())
        assert global_config.token == TOKEN
        assert global_config.host == f"{address}/"
    finally:
        vars(global_config).update(before)  # it is one for all tests of this process


def test_what_can_be_sent_is_left_alone() -> None:
    headers = {"Accept": "application/json", "Cookie": "a=b; c=d", "X-Empty": ""}
    assert sendable(headers) == headers
    assert bearer_token(f"Bearer {TOKEN}") == TOKEN
    require_basic_auth("jane", "p\u00e4ss w:rd", origin="x")
