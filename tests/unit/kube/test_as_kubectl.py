"""Kubeconfigs as kubectl reads them, which is the judge where it is installed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from fault_server import FaultServer, reply, tls_context

from hera_k8s_kube.credentials import from_kubeconfig
from hera_k8s_kube.settings import KubeSettings
from hera_k8s_utils import Credential, CredentialError, build_container

NO_CONTEXT: Any = None
TOKEN = "tok-5d2e88aa"
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def kubeconfig(directory: Path, cluster: dict[str, Any], user: dict[str, Any] | None = None) -> Path:
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path = directory / "config"
    path.write_text(yaml.safe_dump(body))
    return path


def load(path: Path) -> Credential:
    return from_kubeconfig(KubeSettings(config_file=str(path)), NO_CONTEXT)


def kubectl(path: Path, *words: str) -> str:
    command = ["kubectl", "--kubeconfig", str(path), "--request-timeout=5s", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


def version(path: Path) -> Any:
    with build_container(environ={"KUBECONFIG": str(path)}) as container:
        return container.context().kubernetes.version()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_kubeconfig_of_windows_is_read(tmp_path: Path, encoding: str) -> None:
    path = kubeconfig(tmp_path, {"server": "https://127.0.0.1:6443"}, {"token": TOKEN})
    path.write_text(path.read_text().replace("\n", "\r\n"), encoding=encoding)
    assert load(path).secret == TOKEN


@needs_kubectl
def test_a_server_without_scheme_is_http(tmp_path: Path) -> None:
    found = {"gitVersion": "v1.36.2"}
    with FaultServer() as server:
        server.on("GET", "/version", reply(200, found))
        for host in ("localhost", "127.0.0.1"):
            path = kubeconfig(tmp_path, {"server": f"{host}:{server.port}"})
            assert json.loads(kubectl(path, "get", "--raw", "/version")) == found
            assert version(path) == found


@needs_kubectl
@pytest.mark.parametrize("concerned", ["token", "authority"])
def test_nothing_secret_is_sent_to_a_server_without_scheme(tmp_path: Path, concerned: str) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority = {"certificate-authority": "ca.pem"} if concerned == "authority" else {}
    with FaultServer() as server:
        server.on("GET", "/version", reply(200, {"gitVersion": "v1"}))
        cluster = {"server": f"localhost:{server.port}", **authority}
        path = kubeconfig(tmp_path, cluster, {"token": TOKEN} if concerned == "token" else {})
        assert json.loads(kubectl(path, "get", "--raw", "/version")) == {"gitVersion": "v1"}  # by plain http
        assert not [request for request in server.requests if "authorization" in request.headers]
    with pytest.raises(CredentialError, match="has no scheme") as caught:
        load(path)
    assert "write https:// before it" in caught.value.hint


@needs_kubectl
def test_an_exec_plugin_gets_what_kubectl_gives_it(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    plugin = tmp_path / "get-token"
    plugin.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "given = {'info': json.loads(os.environ['KUBERNETES_EXEC_INFO']), 'arguments': sys.argv[1:]}\n"
        "given['variables'] = {name: os.environ.get(name) for name in ('REGION', 'NOTHING')}\n"
        f"open({str(tmp_path / 'given')!r}, 'w').write(json.dumps(given))\n"
        "status = {'token': 'tok-5d2e88aa'}\n"
        "print(json.dumps({'apiVersion': given['info']['apiVersion'], 'kind': 'ExecCredential', 'status': status}))\n"
    )
    plugin.chmod(0o700)
    spec = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(plugin),
        "args": ["login", ""],
        "env": [{"name": "REGION", "value": "lyon"}, {"name": "NOTHING", "value": None}],
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }
    extensions = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}]
    with FaultServer(tls=tls_context(authority)) as server:
        cluster = {"server": server.url, "certificate-authority": "ca.pem", "tls-server-name": "localhost"}
        path = kubeconfig(tmp_path, {**cluster, "extensions": extensions}, {"exec": spec})
        kubectl(path, "get", "--raw", "/version")
        theirs = json.loads((tmp_path / "given").read_text())
        (tmp_path / "given").unlink()
        assert load(path).secret == TOKEN
        assert json.loads((tmp_path / "given").read_text()) == theirs
    data = theirs["info"]["spec"]["cluster"]["certificate-authority-data"]
    assert base64.b64decode(data) == (tmp_path / "ca.pem").read_bytes()
    assert theirs["variables"] == {"REGION": "lyon", "NOTHING": ""}


def test_an_authority_that_cannot_be_read_is_named_before_the_plugin_runs(tmp_path: Path) -> None:
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": "never-run", "provideClusterInfo": True}
    cluster = {"server": "https://127.0.0.1:6443", "certificate-authority": "gone.pem"}
    with pytest.raises(CredentialError, match=r"gone.pem cannot be read: no such file"):
        load(kubeconfig(tmp_path, cluster, {"exec": spec}))


@needs_kubectl
def test_a_token_file_counts_more_than_a_token(tmp_path: Path) -> None:
    (tmp_path / "tok").write_text("tok-of-the-file\n", encoding="utf-8")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with FaultServer(tls=tls_context(authority)) as server:
        server.on("GET", "/version", reply(200, {"gitVersion": "v1"}))
        cluster = {"server": server.url, "certificate-authority": "ca.pem"}
        path = kubeconfig(tmp_path, cluster, {"token": TOKEN, "tokenFile": "tok"})
        kubectl(path, "get", "--raw", "/version")
        version(path)
        assert {request.headers["authorization"] for request in server.requests} == {"Bearer tok-of-the-file"}
        assert len(server.requests) >= 2
    assert load(path).secret == "tok-of-the-file"
    (tmp_path / "tok").unlink()
    assert load(path).secret == TOKEN


@needs_kubectl
@pytest.mark.parametrize("content", ["", "\n", " \r\n\t"])
def test_nothing_is_sent_without_the_token_that_a_file_should_hold(tmp_path: Path, content: str) -> None:
    (tmp_path / "tok").write_text(content, encoding="utf-8")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with FaultServer(tls=tls_context(authority)) as server:
        cluster = {"server": server.url, "certificate-authority": "ca.pem"}
        path = kubeconfig(tmp_path, cluster, {"tokenFile": "tok", "as": "u"})
        kubectl(path, "get", "--raw", "/version")
        with pytest.raises(CredentialError, match=r"tok: it is empty"):
            version(path)
        assert server.requests == []
    assert load(kubeconfig(tmp_path, cluster, {"token": TOKEN, "tokenFile": "tok"})).secret == TOKEN
