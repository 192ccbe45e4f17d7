"""The `auth-provider` of a kubeconfig: a token that is still valid, a renewed one, or what to do instead."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme
import yaml
from fault_server import FaultServer, hang, reply, tls_context

from hera_k8s_kube.credentials import from_kubeconfig
from hera_k8s_kube.settings import KubeSettings
from hera_k8s_utils import Credential, CredentialError

NO_CONTEXT: Any = None
SECRET = "client-secret-4f1c9a"


def jwt(end: float) -> str:
    parts = [{"alg": "none"}, {"exp": int(end), "sub": "jane"}]
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts) + ".c2ln"
    )


VALID, EXPIRED = jwt(time.time() + 3600), jwt(1_600_000_000)


def kubeconfig(directory: Path, provider: dict[str, Any], **user: Any) -> Path:
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lyon",
        "contexts": [{"name": "lyon", "context": {"cluster": "c", "user": "jane"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "jane", "user": {"auth-provider": provider, **user}}],
    }
    path = directory / "config"
    path.write_text(json.dumps(body))
    return path


def load(path: Path, **settings: Any) -> Credential:
    return from_kubeconfig(KubeSettings(config_file=str(path), **settings), NO_CONTEXT)


def refused(path: Path, **settings: Any) -> str:
    with pytest.raises(CredentialError) as caught:
        load(path, **settings)
    said = str(caught.value)
    assert len(said) < 500
    assert not [secret for secret in (SECRET, EXPIRED, VALID) if secret in said]
    return said


def oidc(issuer: str = "https://127.0.0.1:9", **config: str) -> dict[str, Any]:
    whole = {"idp-issuer-url": issuer, "client-id": "k", "client-secret": SECRET, "refresh-token": "r-77aa", **config}
    return {"name": "oidc", "config": {key: value for key, value in whole.items() if value}}


def test_a_valid_token_of_oidc_is_used(tmp_path: Path) -> None:
    found = load(kubeconfig(tmp_path, oidc(**{"id-token": VALID})))
    assert found.secret == VALID
    assert found.expires_at is not None


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"id-token": EXPIRED}, "expired on 2020-09-13 12:26 UTC, and https://127.0.0.1:9 gave no new one"),
        ({"id-token": EXPIRED, "refresh-token": ""}, "expired on 2020-09-13 12:26 UTC, and it has no refresh-token"),
        ({"id-token": ""}, "its auth provider oidc has no id-token"),
        ({"id-token": "opaque", "refresh-token": ""}, "is no JWT with an expiry"),
    ],
)
def test_a_token_of_oidc_that_cannot_be_renewed_is_told(tmp_path: Path, config: dict[str, str], words: str) -> None:
    said = refused(kubeconfig(tmp_path, oidc(**config)))
    assert words in said
    assert "log in to your cluster again" in said


def test_an_expired_token_of_oidc_is_renewed_at_its_issuer_whose_certificate_is_verified(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with FaultServer(tls=tls_context(authority)) as server:
        server.on("GET", "/.well-known/openid-configuration", reply(200, {"token_endpoint": f"{server.url}/token"}))
        answer = {"id_token": VALID, "refresh_token": "r-2", "access_token": "a", "token_type": "Bearer"}
        server.on("POST", "/token", reply(200, answer))
        pem = base64.b64encode((tmp_path / "ca.pem").read_bytes()).decode()
        for trusted in ({"-authority": str(tmp_path / "ca.pem")}, {"-authority-data": pem}):
            config = {"id-token": EXPIRED, **{f"idp-certificate{key}": value for key, value in trusted.items()}}
            assert load(kubeconfig(tmp_path, oidc(server.url, **config))).secret == VALID
        said = refused(kubeconfig(tmp_path, oidc(server.url, **{"id-token": EXPIRED})))
        assert "gave no new one (its certificate is not trusted" in said
        assert len(server.asked("POST")) == 2


@pytest.fixture
def issuer() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.on("GET", "/.well-known/openid-configuration", reply(200, {"token_endpoint": f"{server.url}/token"}))
        server.on("POST", "/token", reply(200, {"id_token": VALID, "refresh_token": "r-2", "access_token": "a"}))
        yield server


def test_what_the_issuer_gives_is_kept_in_the_kubeconfig_as_kubectl_does(tmp_path: Path, issuer: FaultServer) -> None:
    """An issuer that rotates refresh tokens takes each but once."""
    path = kubeconfig(tmp_path, oidc(issuer.url, **{"id-token": EXPIRED}))
    before = json.loads(path.read_text())
    assert load(path).secret == VALID
    assert load(path).secret == VALID
    (asked,) = issuer.asked("POST")
    form = {"grant_type": ["refresh_token"], "refresh_token": ["r-77aa"], "client_id": ["k"]}
    assert parse_qs(asked.body.decode()) == form
    assert base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode() == f"k:{SECRET}"
    after = yaml.safe_load(path.read_text())
    before["users"][0]["user"]["auth-provider"]["config"].update({"id-token": VALID, "refresh-token": "r-2"})
    assert after == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config"]


def test_a_kubeconfig_that_another_program_changes_is_left_alone(
    tmp_path: Path, issuer: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    path = kubeconfig(tmp_path, oidc(issuer.url, **{"id-token": EXPIRED}))
    before = path.read_text()
    (tmp_path / "config.lock").touch()
    assert load(path).secret == VALID
    assert path.read_text() == before
    assert "the new token is not kept" in caplog.text
    assert (tmp_path / "config.lock").exists()


def test_a_secret_is_sent_in_the_form_to_an_issuer_that_wants_it_there(tmp_path: Path, issuer: FaultServer) -> None:
    methods = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    known = {"token_endpoint": f"{issuer.url}/token", **methods}
    issuer.on("GET", "/.well-known/openid-configuration", reply(200, known))
    assert load(kubeconfig(tmp_path, oidc(issuer.url, **{"id-token": EXPIRED}))).secret == VALID
    (asked,) = issuer.asked("POST")
    assert parse_qs(asked.body.decode())["client_secret"] == [SECRET]
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(400, {"error": "invalid_grant", "error_description": SECRET}), "gave no new one (answered 400)"),
        (reply(200, ["id_token"]), "gave no new one (ValueError)"),
        (reply(200, {"id_token": EXPIRED}), "gave no new one"),
        (hang(), "gave no new one ("),
    ],
)
def test_an_issuer_that_gives_no_token_is_told_in_time(
    tmp_path: Path, issuer: FaultServer, answer: Any, words: str
) -> None:
    issuer.on("POST", "/token", answer)
    path = kubeconfig(tmp_path, oidc(issuer.url, **{"id-token": EXPIRED}))
    before = path.read_text()
    assert words in refused(path, exec_timeout=1.0)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        (
            {"name": "azure", "config": {"access-token": "t-00aa", "expires-on": "1600000000"}},
            "azure was removed from Kubernetes 1.26\n  -> install kubelogin",
        ),
        ({"name": "gcp"}, "gcp was removed from Kubernetes 1.26\n  -> install gke-gcloud-auth-plugin"),
        (
            {"name": "gcp", "config": {"access-token": "t-00aa", "expiry": "2020-01-01T00:00:00Z", "cmd-path": "ls"}},
            "its token expired on 2020-01-01 00:00 UTC, and the auth provider gcp was removed",
        ),
        ({"name": "acme"}, "there is no auth provider 'acme'"),
        ({"config": {}}, "its auth provider has no name"),
    ],
)
def test_a_provider_that_kubernetes_has_not_is_told_with_what_to_do(
    tmp_path: Path, provider: dict[str, Any], words: str
) -> None:
    assert words in refused(kubeconfig(tmp_path, provider))


def test_a_token_of_gcp_is_used_while_it_is_valid(tmp_path: Path) -> None:
    provider = {"name": "gcp", "config": {"access-token": "tok-5d2e88aa", "expiry": "2100-01-01T00:00:00Z"}}
    assert load(kubeconfig(tmp_path, provider)).secret == "tok-5d2e88aa"


def test_a_token_beside_a_provider_counts_as_for_kubectl(tmp_path: Path) -> None:
    assert load(kubeconfig(tmp_path, {"name": "acme"}, token="tok-5d2e88aa")).secret == "tok-5d2e88aa"
