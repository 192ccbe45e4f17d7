"""A service account's token for the Argo server: asked for, or read from a Secret, through Kubernetes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from command_line import SMALL
from fault_server import FaultServer, reply

from hera_k8s_cli.main import main
from hera_k8s_kube.client import KubernetesClient
from hera_k8s_sandbox.server.launch import Address, kubeconfig
from hera_k8s_utils import Context, Credential, CredentialError, PlatformError, build_container

PROVIDER = "argo=service-account-token"
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/bot"
FORBIDDEN = reply(403, {"message": 'User "jane" cannot create', "reason": "Forbidden"})


@contextmanager
def connected(server: str, config: Path, **options: Any) -> Iterator[Context]:
    settings = {"argo_server": server, "credentials": (PROVIDER,), **options}
    with build_container(environ={"KUBECONFIG": str(config)}, **settings) as container:
        yield container.context()


def write(path: Path, server: str) -> Path:
    cluster, user = {"server": server}, {"token": "mine"}
    body = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(body))
    return path


@pytest.fixture
def config(sandbox: Address, tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(kubeconfig(sandbox))
    return path


def account(context: Context, name: str) -> None:
    try:
        context.kubernetes.create("v1", "serviceaccounts", {"metadata": {"name": name}})
    except PlatformError as error:
        if error.reason != "AlreadyExists":
            raise


def whom(sandbox: Address, token: str) -> str:
    """As whom the server takes the bearer of a token."""
    api = "authentication.k8s.io/v1"
    client = KubernetesClient(Credential(server=sandbox.url, secret=token))
    answer = client.create(api, "selfsubjectreviews", {"apiVersion": api, "kind": "SelfSubjectReview"}, scope="cluster")
    return str(answer["status"]["userInfo"]["username"])


def test_a_token_is_asked_for_and_says_when_it_ends(sandbox: Address, config: Path) -> None:
    with connected(sandbox.url, config, argo_token_account="bot", argo_token_lifetime=900) as context:
        account(context, "bot")
        found = context.platforms.credential("argo")
        assert whom(sandbox, found.secret) == "system:serviceaccount:default:bot"
        assert found.identity == "system:serviceaccount:default:bot"
        assert found.source == "TokenRequest for bot"
        assert found.secret not in repr(found)
        assert found.expires_at is not None
        left = found.expires_at - datetime.now(timezone.utc)
        assert timedelta(minutes=10) < left <= timedelta(minutes=15)
        again = context.platforms.renew("argo", found)
        assert again is not found
        assert again.expires_at is not None


def test_the_account_of_the_workflows_is_taken_where_no_other_is_named(sandbox: Address, config: Path) -> None:
    with connected(sandbox.url, config, argo_service_account="bot") as context:
        account(context, "bot")
        assert context.platforms.credential("argo").source == "TokenRequest for bot"


def test_a_token_is_read_from_its_secret(sandbox: Address, config: Path) -> None:
    with connected(sandbox.url, config, argo_token_secret="bot-token") as context:
        account(context, "bot")
        metadata = {"name": "bot-token", "annotations": {"kubernetes.io/service-account.name": "bot"}}
        body = {"metadata": metadata, "type": "kubernetes.io/service-account-token"}
        context.kubernetes.create("v1", "secrets", body)
        found = context.platforms.credential("argo")
        assert whom(sandbox, found.secret) == "system:serviceaccount:default:bot"
        assert (found.source, found.expires_at) == ("Secret bot-token", None)


def test_a_secret_of_another_type_is_refused(sandbox: Address, config: Path) -> None:
    with connected(sandbox.url, config, argo_token_secret="plain") as context:
        context.kubernetes.create("v1", "secrets", {"metadata": {"name": "plain"}, "stringData": {"token": "x"}})
        with pytest.raises(CredentialError, match="its type is Opaque"):
            context.platforms.credential("argo")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"argo_token_account": "nobody"}, "no token for service account nobody"),
        ({"argo_token_secret": "gone"}, "cannot read the token in Secret gone"),
        ({"argo_token_account": "bot", "argo_token_lifetime": 5}, "10 minutes"),
    ],
)
def test_what_cannot_be_had_is_named(sandbox: Address, config: Path, options: dict[str, Any], words: str) -> None:
    with connected(sandbox.url, config, **options) as context:
        account(context, "bot")
        with pytest.raises(CredentialError) as caught:
            context.platforms.credential("argo")
    assert words in str(caught.value)


def test_where_no_token_may_be_asked_for_the_listed_secret_is_read(tmp_path: Path) -> None:
    with FaultServer() as server:
        server.on("POST", f"{ACCOUNT}/token", FORBIDDEN)
        server.on("GET", ACCOUNT, reply(200, {"secrets": [{"name": "bot-dockercfg"}, {"name": "bot-token-x"}]}))
        secrets = "/api/v1/namespaces/default/secrets"
        server.on("GET", f"{secrets}/bot-dockercfg", reply(200, {"type": "kubernetes.io/dockercfg"}))
        token = base64.b64encode(b"from-the-secret").decode()
        kind = "kubernetes.io/service-account-token"
        server.on("GET", f"{secrets}/bot-token-x", reply(200, {"type": kind, "data": {"token": token}}))
        with connected(server.url, write(tmp_path / "c", server.url), argo_token_account="bot") as context:
            assert context.platforms.credential("argo").secret == "from-the-secret"


def test_where_nothing_is_allowed_the_refusal_is_told(tmp_path: Path) -> None:
    with FaultServer() as server:
        server.on("POST", f"{ACCOUNT}/token", FORBIDDEN)
        server.on("GET", ACCOUNT, FORBIDDEN)
        with (
            connected(server.url, write(tmp_path / "c", server.url), argo_token_account="bot") as context,
            pytest.raises(CredentialError) as caught,
        ):
            context.platforms.credential("argo")
    assert 'User "jane" cannot create' in str(caught.value)
    assert "kubectl auth can-i create serviceaccounts/token -n default" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "no service account is configured"),
        ({"argo_token_account": "bot", "argo_server": ""}, "no Argo server is configured"),
    ],
)
def test_it_does_not_apply_where_nothing_was_said(
    sandbox: Address, config: Path, options: dict[str, Any], words: str
) -> None:
    with connected(sandbox.url, config, **options) as context, pytest.raises(CredentialError) as caught:
        context.platforms.credential("argo")
    assert words in str(caught.value)


@pytest.mark.parametrize("options", [{"argo_token_account": "bot"}, {"argo_token_secret": "bot-token"}])
def test_whoever_names_an_account_does_not_go_on_as_somebody_else_for_want_of_a_cluster(
    options: dict[str, Any],
) -> None:
    settings = {"argo_server": "https://argo.example", "k8s_config_file": "/dev/null", **options}
    with (
        build_container(environ={"ARGO_TOKEN": "of-jane"}, **settings) as container,
        pytest.raises(CredentialError, match="no cluster is configured to request the token of") as caught,
    ):
        container.context().platforms.credential("argo")
    assert "which means no kubeconfig" in str(caught.value)
    assert "KUBECONFIG" in caught.value.hint


def test_the_account_that_pods_run_as_is_asked_for_its_token_only_where_there_is_a_cluster() -> None:
    settings = {"argo_server": "https://argo.example", "service_account": "bot", "k8s_config_file": "/dev/null"}
    with build_container(environ={"ARGO_TOKEN": "of-jane"}, **settings) as container:
        assert container.context().platforms.credential("argo").secret == "of-jane"


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"argo_token_secret": "gone"}, "get secrets"),
        ({"argo_token_account": "bot", "argo_token_lifetime": 5}, "--argo-token-lifetime"),
        ({"argo_token_account": "nobody"}, "--argo-token-account"),
    ],
)
def test_what_cannot_be_had_says_what_to_type_next(
    sandbox: Address, config: Path, options: dict[str, Any], hint: str
) -> None:
    with connected(sandbox.url, config, **options) as context:
        account(context, "bot")
        with pytest.raises(CredentialError) as caught:
            context.platforms.credential("argo")
    assert hint in caught.value.hint


def test_a_provider_that_was_asked_for_by_name_and_has_none_ends_the_command(
    sandbox: Address, config: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through Kubernetes the workflow could be created, as somebody else."""
    (work / "experiment.py").write_text(SMALL)
    flags = ["--argo-server", sandbox.url, "--k8s-config-file", str(config)]
    assert main(["check", *flags, "--credentials", PROVIDER]) == 4
    said = capsys.readouterr().err
    assert "no credential for argo from the provider that was asked for" in said
    assert "no service account is configured" in said
    assert f"--credentials {PROVIDER}" in said
