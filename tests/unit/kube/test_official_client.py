"""The official client after `k8s_cluster(args)`: same server, same rights, same credential as our own connections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fault_server import FaultServer, reply
from kubernetes import client

from hera_k8s_utils import k8s_cluster

TOKEN = "a-token-of-the-test"


@pytest.fixture(autouse=True)
def official_defaults() -> Iterator[None]:
    """The defaults of the official client are global: they are put back."""
    yield
    client.Configuration.set_default(None)
    shared: Any = client.ApiClient
    shared.set_default(None)


def answers(server: FaultServer) -> None:
    """What is asked before a cluster is used."""
    server.on("GET", "/version", reply(200, {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}))
    known = {"status": {"userInfo": {"username": "ada"}}}
    server.on("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", reply(201, known))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        answers(server)
        server.on("GET", "/apis/batch/v1/namespaces/default/jobs", reply(200, {"items": []}))
        yield server


def kubeconfig(path: Path, server: str, **user: Any) -> dict[str, str]:
    """Arguments of a script that names a kubeconfig with one user."""
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    cluster = {"name": "c", "cluster": {"server": server}}
    body = {
        "current-context": "c",
        "contexts": [context],
        "clusters": [cluster],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(body))
    path.chmod(0o600)
    return {"k8s_config_file": str(path)}


def test_it_sends_the_credential(server: FaultServer, tmp_path: Path) -> None:
    k8s_cluster(kubeconfig(tmp_path / "config", server.url, token=TOKEN))
    assert client.BatchV1Api().list_namespaced_job("default").items == []
    assert server.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"
    assert "impersonate-user" not in server.requests[-1].headers


def test_a_token_file_that_ends_in_a_line_feed_works(server: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    k8s_cluster(kubeconfig(tmp_path / "config", server.url, tokenFile=str(tmp_path / "token")))
    client.BatchV1Api().list_namespaced_job("default")
    assert server.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"


def test_who_impersonates_has_no_more_rights_through_it(server: FaultServer, tmp_path: Path) -> None:
    k8s_cluster(kubeconfig(tmp_path / "config", server.url, token=TOKEN, **{"as": "bob"}))
    client.BatchV1Api().list_namespaced_job("default")
    assert server.requests[-1].headers["impersonate-user"] == "bob"
    k8s_cluster(kubeconfig(tmp_path / "other", server.url, token=TOKEN))
    client.BatchV1Api().list_namespaced_job("default")
    assert "impersonate-user" not in server.requests[-1].headers


def test_the_last_cluster_is_the_one_in_use(server: FaultServer, tmp_path: Path) -> None:
    with FaultServer() as first:
        answers(first)
        k8s_cluster(kubeconfig(tmp_path / "config", first.url, token="another"))
        k8s_cluster(kubeconfig(tmp_path / "other", server.url, token=TOKEN))
        before = len(first.requests)
        client.BatchV1Api().list_namespaced_job("default")
        assert len(first.requests) == before
