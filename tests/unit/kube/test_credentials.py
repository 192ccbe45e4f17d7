"""Credentials for Kubernetes: every kubeconfig that people have, good and bad, and the account of a pod."""

from __future__ import annotations

import base64
import datetime
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme
from fault_server import FaultServer, Request, reply, tls_context

from hera_k8s_kube.certificates import read_certificate
from hera_k8s_kube.credentials import from_kubeconfig, from_pod
from hera_k8s_kube.platform import credential_result, probe
from hera_k8s_kube.settings import InClusterSettings, KubeSettings
from hera_k8s_utils import Credential, CredentialError, NoCredential, NotApplicable, PlatformError, build_container
from hera_k8s_utils.formatting import parse_timestamp

TOKEN = "tok-5d2e88aa"
NO_CONTEXT: Any = None
V1 = "client.authentication.k8s.io/v1"


def config(
    *, server: str = "https://127.0.0.1:6443", user: dict[str, Any] | None = None, name: str = "lyon", **context: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "jane", **context}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "jane", "user": {"token": TOKEN} if user is None else user}],
    }


def write(path: Path, body: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body))  # JSON is YAML
    return path


def load(path: Path | str, **options: Any) -> Credential:
    return from_kubeconfig(KubeSettings(config_file=str(path), **options), NO_CONTEXT)


def refused(path: Path | str, **options: Any) -> str:
    with pytest.raises(CredentialError) as caught:
        load(path, **options)
    assert TOKEN not in str(caught.value)
    assert caught.value.exit_code == 4
    assert not isinstance(caught.value, NoCredential)
    return str(caught.value)


# --- a good one ------------------------------------------------------------------------------------------------


def test_the_current_context_says_where_as_whom_and_in_which_namespace(tmp_path: Path) -> None:
    found = load(write(tmp_path / "config", config(namespace="vcity")))
    assert (found.server, found.namespace, found.identity) == ("https://127.0.0.1:6443", "vcity", "jane")
    assert found.source == "kubeconfig, context lyon"
    assert found.secret == TOKEN
    assert TOKEN not in repr(found)


def test_a_context_can_be_named(tmp_path: Path) -> None:
    body = config()
    body["contexts"].append({"name": "paris", "context": {"cluster": "c", "user": "jane", "namespace": "other"}})
    assert load(write(tmp_path / "config", body), context="paris").namespace == "other"


def test_several_files_are_one_and_the_first_that_says_something_counts(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {"current-context": "lyon", "users": [{"name": "jane", "user": {"token": TOKEN}}]})
    second = write(tmp_path / "b", config(server="https://127.0.0.1:1", user={"token": "other"}, name="other"))
    third = write(tmp_path / "c", config(namespace="vcity"))
    found = load(os.pathsep.join(map(str, (first, tmp_path / "not-there", second, third))))
    assert (found.secret, found.namespace, found.server) == (TOKEN, "vcity", "https://127.0.0.1:1")


def test_files_that_it_names_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "etc" / "config", config(user={"tokenFile": "tokens/mine"}))
    (tmp_path / "etc" / "tokens").mkdir()
    (tmp_path / "etc" / "tokens" / "mine").write_text(TOKEN)
    monkeypatch.chdir(tmp_path / "etc")
    for stated in (path, "config"):
        assert load(stated).secret == TOKEN


def test_a_home_directory_may_be_written_as_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path.home() / "clusters" / "config", config())
    assert load("~/clusters/config").secret == TOKEN


def test_its_proxy_and_its_authority_are_used(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with FaultServer(tls=tls_context(authority)) as server, FaultServer() as proxy:
        server.on("GET", "/version", reply(200, {"gitVersion": "v1.36.2"}))
        body = config(server=server.url)
        body["clusters"][0]["cluster"]["certificate-authority"] = "ca.pem"
        path = write(tmp_path / "config", body)
        with build_container(environ={"KUBECONFIG": str(path)}) as container:
            assert container.context().kubernetes.version() == {"gitVersion": "v1.36.2"}
        body["clusters"][0]["cluster"] = {"server": "http://cluster.example", "proxy-url": proxy.url}
        proxy.on("GET", "/version", reply(200, {"gitVersion": "v1"}))
        write(path, body)
        with build_container(environ={"KUBECONFIG": str(path)}) as container:
            assert container.context().kubernetes.version() == {"gitVersion": "v1"}


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("proxy.univ:3128", "it has no scheme"),
        ("me:hunter2@proxy.univ:3128", "it has no scheme"),
        ("ftp://proxy.univ", "ftp:// is not the scheme of a proxy"),
        ("http://", "it names no host"),
        ("http://proxy.univ:port", "its port is no port"),
    ],
)
def test_a_proxy_url_that_is_none_is_an_error_of_the_kubeconfig(tmp_path: Path, proxy: str, says: str) -> None:
    body = config()
    body["clusters"][0]["cluster"]["proxy-url"] = proxy
    path = write(tmp_path / "config", body)
    with pytest.raises(CredentialError, match="the proxy-url of context lyon cannot be used") as caught:
        load(path)
    assert (caught.value.exit_code, says in caught.value.found, str(path) in caught.value.hint) == (4, True, True)
    assert "hunter2" not in str(caught.value)


def test_a_dead_proxy_of_a_kubeconfig_is_not_blamed_on_the_environment(tmp_path: Path) -> None:
    with FaultServer() as gone:
        proxy = gone.url
    body = config(server="https://cluster.example")
    body["clusters"][0]["cluster"]["proxy-url"] = proxy
    path = write(tmp_path / "config", body)
    with build_container(environ={"KUBECONFIG": str(path)}) as container, pytest.raises(PlatformError) as caught:
        container.context().kubernetes.version()
    assert proxy in caught.value.found
    assert "proxy-url" in caught.value.hint
    assert "HTTPS_PROXY" not in caught.value.hint


def test_impersonation_is_honoured(tmp_path: Path) -> None:
    with FaultServer() as server:
        server.on("GET", "/version", reply(200, {}))
        path = write(tmp_path / "config", config(server=server.url, user={"token": TOKEN, "as": "bob"}))
        with build_container(environ={"KUBECONFIG": str(path)}) as container:
            container.context().kubernetes.version()
            assert container.context().kubernetes.identity == "bob"
        assert server.requests[0].headers["impersonate-user"] == "bob"
    write(path, config(user={"token": TOKEN, "as": "bob", "as-groups": ["g"]}))
    assert "impersonates groups" in refused(path)


# --- none, and bad ones ----------------------------------------------------------------------------------------


def test_a_missing_file_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "config")


@pytest.mark.parametrize("stated", ["/dev/null", "/dev/null:/dev/null"])
def test_dev_null_means_none(stated: str) -> None:
    with pytest.raises(NotApplicable, match="means no kubeconfig"):
        load(stated)


def test_without_any_file_the_reason_is_told() -> None:
    with pytest.raises(NotApplicable, match=r"~/\.kube/config does not exist"):
        load("")
    assert "no kubeconfig" in refused("", context="lyon"), "a context was asked for: nothing else may take its place"


def test_the_file_in_the_home_directory_is_found_and_may_be_empty() -> None:
    path = Path.home() / ".kube" / "config"
    write(path, config())
    assert load("").secret == TOKEN
    path.write_text("")
    with pytest.raises(NotApplicable, match="is empty"):
        load("")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"   \n", "it is empty"),
        (b"apiVersion: v1\nkind: Config\n", "it has no contexts"),
        (b"\x00\x01\x02\xff" * 20, "not text in UTF-8: byte 0xff in line 1"),
        (b"\xff\xfe\xfa token", "not text in UTF-16"),
        (f"users:\n - token: {TOKEN}\n  bad: [".encode(), "not YAML, line 3"),
        (b"- just\n- a list\n", "not a kubeconfig"),
        (b"contexts: 5\n", "are not a list"),
        (b"contexts: [{context: {}}]\n", "has no name or no body"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "config"
    path.write_bytes(content)
    said = refused(path)
    assert words in said
    assert str(path) in said


def test_a_directory_is_no_kubeconfig(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path)


def test_an_absent_context_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "config", config(name="vcity-lyon"))
    said = refused(path, context="vcity-lion")
    assert "has no context vcity-lion" in said
    assert "--k8s-context vcity-lyon" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda body: body.pop("current-context"), "no current context"),
        (lambda body: body.pop("clusters"), "refers to the cluster c, which does not exist"),
        (lambda body: body.pop("users"), "refers to the user jane, which does not exist"),
        (lambda body: body["clusters"][0].update(cluster={}), "has no server"),
        (lambda body: body["contexts"][0].update(context={"user": "jane"}), "has no cluster"),
        (lambda body: body["clusters"][0]["cluster"].update({"certificate-authority": "gone.pem"}), "gone.pem"),
        (lambda body: body["clusters"][0]["cluster"].update({"certificate-authority-data": "%%%"}), "authority"),
        (lambda body: body["clusters"][0]["cluster"].update({"certificate-authority-data": "a"}), "not valid base64"),
        (lambda body: body["users"][0].update(user={"tokenFile": "gone"}), "gone: no such file"),
    ],
)
def test_what_is_missing_inside_is_named(tmp_path: Path, change: Any, words: str) -> None:
    body = config()
    change(body)
    assert words in refused(write(tmp_path / "config", body))


def jwt(**claims: Any) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({}, claims)]
    return ".".join([*parts, "c2ln"])


def test_a_token_says_whose_it_is_and_until_when(tmp_path: Path) -> None:
    path = write(tmp_path / "config", config(user={"token": jwt(sub="u-x7k2", exp=4102444800)}))
    found = load(path)
    assert found.identity == "u-x7k2"
    assert found.expires_at == datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc)
    write(path, config(user={"token": jwt(sub="u-x7k2", exp=1_000_000_000)}))
    assert "has expired" in refused(path)


@pytest.mark.parametrize("inline", [True, False])
def test_an_expired_client_certificate_is_told_with_its_date(tmp_path: Path, inline: bool) -> None:
    past = datetime.datetime(2024, 5, 6, 7, 8, tzinfo=datetime.timezone.utc)
    assert "has expired: it was valid until 2024-05-06 07:08 UTC" in refused(certified(tmp_path, past, inline))


def test_a_client_certificate_says_whose_it_is_and_until_when(tmp_path: Path) -> None:
    end = datetime.datetime(2055, 5, 6, tzinfo=datetime.timezone.utc)  # beyond 2049 the time has another form
    found = load(certified(tmp_path, end, inline=True))
    assert (found.identity, found.expires_at, found.secret) == ("jane-of-lyon", end, "")


def test_without_the_extra_a_client_certificate_is_used_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = datetime.datetime(2055, 5, 6, tzinfo=datetime.timezone.utc)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    found = load(certified(tmp_path, end, inline=True))
    assert (found.identity, found.expires_at) == ("jane", None)
    assert "pip install 'hera-k8s-utils[certificates]'" in credential_result("1.34", found).detail


def certified(tmp_path: Path, end: datetime.datetime, inline: bool) -> Path:
    issued = trustme.CA().issue_cert("127.0.0.1", common_name="jane-of-lyon", not_after=end)
    certificate, key = issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()
    if inline:
        user = {
            "client-certificate-data": base64.b64encode(certificate).decode(),
            "client-key-data": base64.b64encode(key).decode(),
        }
    else:
        (tmp_path / "me.pem").write_bytes(certificate)
        (tmp_path / "me.key").write_bytes(key)
        user = {"client-certificate": "me.pem", "client-key": "me.key"}
    return write(tmp_path / "config", config(user=user))


@pytest.mark.parametrize(
    "content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_not_read(tmp_path: Path, content: bytes) -> None:
    assert read_certificate(content) is None
    user = {"client-certificate-data": base64.b64encode(content or b" ").decode(), "client-key-data": "eA=="}
    assert "not a PEM certificate" in refused(write(tmp_path / "config", config(user=user)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-20T10:42:00Z", 0.0),
        ("2026-11-20T11:42:00+01:00", 0.0),
        ("2026-11-20T10:42:00.123456789Z", 0.123456),
        ("2026-11-20T10:42:00.5Z", 0.5),
    ],
)
def test_times_of_kubernetes_are_read(text: str, seconds: float) -> None:
    expected = datetime.datetime(2026, 11, 20, 10, 42, tzinfo=datetime.timezone.utc)
    assert parse_timestamp(text) == expected + datetime.timedelta(seconds=seconds)
    assert parse_timestamp("soon") is None


# --- exec plugins ----------------------------------------------------------------------------------------------


def with_plugin(tmp_path: Path, program: str, **spec: Any) -> Path:
    script = tmp_path / "get-token"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{program}\n")
    script.chmod(0o700)
    return write(tmp_path / "config", config(user={"exec": {"apiVersion": V1, "command": "./get-token", **spec}}))


def answer(**status: Any) -> str:
    return f"print(json.dumps({ {'apiVersion': V1, 'kind': 'ExecCredential', 'status': status}!r}))"


def test_an_exec_plugin_gives_a_token_and_its_end(tmp_path: Path) -> None:
    found = load(with_plugin(tmp_path, answer(token=TOKEN, expirationTimestamp="2100-01-01T00:00:00Z")))
    assert found.secret == TOKEN
    assert found.expires_at == datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc)


def test_an_exec_plugin_gets_its_arguments_variables_and_the_cluster(tmp_path: Path) -> None:
    program = (
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "token = '|'.join([sys.argv[1], os.environ['REGION'], info['spec']['cluster']['server']])\n"
        f"print(json.dumps({{'apiVersion': {V1!r}, 'kind': 'ExecCredential', 'status': {{'token': token}}}}))"
    )
    env = [{"name": "REGION", "value": "lyon"}]
    path = with_plugin(tmp_path, program, args=["login"], env=env, provideClusterInfo=True)
    assert load(path).secret == "login|lyon|https://127.0.0.1:6443"


def test_an_exec_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1", common_name="jane-of-lyon")
    certificate, key = issued.cert_chain_pems[0].bytes().decode(), issued.private_key_pem.bytes().decode()
    found = load(with_plugin(tmp_path, answer(clientCertificateData=certificate, clientKeyData=key)))
    assert found.identity == "jane-of-lyon"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("sys.exit('please log in: acme login')", "exit status 1: please log in: acme login"),
        (f"print('{TOKEN}')", "not JSON"),
        ("print('[]')", "not an ExecCredential"),
        (answer(), "neither a token nor a certificate"),
        (answer(clientCertificateData="x"), "neither a token nor a certificate"),
        (answer(token=TOKEN).replace("/v1'", "/v1beta1'"), "its apiVersion is client.authentication.k8s.io/v1beta1"),
        (answer(token=TOKEN, expirationTimestamp="2020-01-01T00:00:00Z"), "has expired"),
    ],
)
def test_an_exec_plugin_that_fails_stops_and_says_what_it_said(tmp_path: Path, program: str, words: str) -> None:
    assert words in refused(with_plugin(tmp_path, program))


def test_an_exec_plugin_that_hangs_is_given_up(tmp_path: Path) -> None:
    said = refused(with_plugin(tmp_path, "time.sleep(60)"), exec_timeout=0.3)
    assert "no answer within 0.3 s" in said
    assert "--k8s-exec-timeout" in said


def test_a_missing_exec_plugin_is_told_with_how_to_install_it(tmp_path: Path) -> None:
    path = with_plugin(tmp_path, "", command="acme-login-x", installHint="pipx install acme-login")
    said = refused(path)
    assert "acme-login-x failed: command not found" in said
    assert "pipx install acme-login" in said


def test_an_exec_plugin_that_must_ask_needs_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert "no terminal" in refused(with_plugin(tmp_path, "", interactiveMode="Always"))


def test_a_token_refused_during_a_run_is_asked_for_again(tmp_path: Path) -> None:
    count = tmp_path / "count"
    program = (
        f"n = os.path.exists({str(count)!r})\n"
        f"open({str(count)!r}, 'a').write('x')\n"
        f"print(json.dumps({{'apiVersion': {V1!r}, 'kind': 'ExecCredential', 'status': {{'token': f'token-{{n}}'}}}}))"
    )
    path = with_plugin(tmp_path, program)
    with FaultServer() as server:
        unauthorized = reply(401, {"message": "Unauthorized", "reason": "Unauthorized"})
        server.on("GET", "/version", unauthorized, reply(200, {"gitVersion": "v1"}))
        body = json.loads(path.read_text())
        body["clusters"][0]["cluster"]["server"] = server.url
        write(path, body)
        with build_container(environ={"KUBECONFIG": str(path)}) as container:
            assert container.context().kubernetes.version() == {"gitVersion": "v1"}
        assert [r.headers["authorization"] for r in server.requests] == ["Bearer token-False", "Bearer token-True"]


def test_a_token_that_many_threads_find_refused_is_renewed_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        f"n = os.path.getsize({str(log)!r}) if os.path.exists({str(log)!r}) else 0\n"
        f"open({str(log)!r}, 'a').write('x')\n"
        f"print(json.dumps({{'apiVersion': {V1!r}, 'kind': 'ExecCredential', 'status': {{'token': f'token-{{n}}'}}}}))"
    )
    path = with_plugin(tmp_path, program)
    together = threading.Barrier(8, timeout=30)

    def only_the_second(request: Request, handler: Any) -> None:
        known = request.headers["authorization"] == "Bearer token-1"
        if not known:
            together.wait()
        handler.send_whole(200 if known else 401, {"gitVersion": "v1"}, {})

    with FaultServer() as server:
        server.on("GET", "/version", only_the_second)
        body = json.loads(path.read_text())
        body["clusters"][0]["cluster"]["server"] = server.url
        write(path, body)
        with build_container(environ={"KUBECONFIG": str(path)}) as container:
            client = container.context().kubernetes
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda _: client.version(), range(8)))
    assert answers == [{"gitVersion": "v1"}] * 8
    assert log.read_text() == "xx"


def test_an_unverified_certificate_is_a_warning(tmp_path: Path) -> None:
    with FaultServer(tls=tls_context(trustme.CA())) as server:
        server.on("GET", "/version", reply(200, {"gitVersion": "v1.36.2"}))
        reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        server.on("POST", reviews, reply(201, {"status": {"userInfo": {"username": "jane"}}}))
        body = config(server=server.url)
        body["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
        with build_container(environ={"KUBECONFIG": str(write(tmp_path / "config", body))}) as container:
            (finding,) = probe(None, container.context())
    assert finding.result.verdict.value == "warning"
    assert "1.36.2; its certificate is not verified" in finding.result.detail


# --- the account of a pod --------------------------------------------------------------------------------------


def pod(tmp_path: Path, token: str = TOKEN) -> InClusterSettings:
    (tmp_path / "token").write_text(token)
    (tmp_path / "namespace").write_text("vcity\n")
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    return InClusterSettings(host="fd00::1", port="6443", directory=tmp_path)


def test_a_pod_finds_its_own_account(tmp_path: Path) -> None:
    found = from_pod(pod(tmp_path, jwt(sub="system:serviceaccount:vcity:runner", exp=4102444800)), NO_CONTEXT)
    assert found.server == "https://[fd00::1]:6443"
    assert (found.namespace, found.identity) == ("vcity", "system:serviceaccount:vcity:runner")
    assert found.source == "in-cluster"


def test_outside_a_pod_the_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="not in a pod"):
        from_pod(InClusterSettings(), NO_CONTEXT)
    with pytest.raises(NotApplicable, match="has no service account"):
        from_pod(InClusterSettings(host="10.0.0.1", directory=tmp_path), NO_CONTEXT)


def test_a_kubeconfig_that_was_asked_for_beats_the_pod_and_one_that_was_found_does_not(tmp_path: Path) -> None:
    pod(tmp_path)
    in_pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HERA_K8S_IN_CLUSTER_DIRECTORY": str(tmp_path)}
    write(Path.home() / ".kube" / "config", config(name="found"))
    asked = write(tmp_path / "asked", config(name="asked"))

    def source(**variables: str) -> str:
        with build_container(environ={**in_pod, **variables}) as container:
            return container.context().platforms.credential("kubernetes").source

    assert source() == "in-cluster"
    assert source(KUBECONFIG=str(asked)) == "kubeconfig, context asked"
    assert source(HERA_K8S_K8S_CONTEXT="found") == "kubeconfig, context found"


def test_without_any_credential_each_provider_says_why() -> None:
    with build_container(environ={}) as container, pytest.raises(NoCredential) as caught:
        _ = container.context().kubernetes
    assert "KUBERNETES_SERVICE_HOST is not set" in str(caught.value)
    assert "no kubeconfig file" in str(caught.value)
