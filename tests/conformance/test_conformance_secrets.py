"""Secrets: each type with what it must hold."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from dialogue import Dialogue, until

Json = dict[str, Any]
DOCKER = json.dumps({"auths": {"registry.example.com": {"auth": "YTpi"}}})


def secret(kind: str | None = None, **data: str) -> Json:
    body: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secret"}, "stringData": data}
    return body if kind is None else body | {"type": kind}


@pytest.mark.parametrize(
    ("case", "kind", "data"),
    [
        ("opaque", None, {"a": "1"}),
        ("own", "example.com/own", {"a": "1"}),
        ("basic", "kubernetes.io/basic-auth", {"username": "a", "password": "b"}),
        ("basic-name", "kubernetes.io/basic-auth", {"username": "a"}),
        ("basic-none", "kubernetes.io/basic-auth", {"other": "a"}),
        ("ssh", "kubernetes.io/ssh-auth", {"ssh-privatekey": "k"}),
        ("ssh-none", "kubernetes.io/ssh-auth", {"other": "k"}),
        ("tls", "kubernetes.io/tls", {"tls.crt": "c", "tls.key": "k"}),
        ("tls-half", "kubernetes.io/tls", {"tls.crt": "c"}),
        ("tls-none", "kubernetes.io/tls", {}),
        ("docker", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": DOCKER}),
        ("docker-none", "kubernetes.io/dockerconfigjson", {"other": "{}"}),
        ("docker-text", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": "no json"}),
        ("docker-empty", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": ""}),
        ("dockercfg", "kubernetes.io/dockercfg", {".dockercfg": "{}"}),
        ("dockercfg-none", "kubernetes.io/dockercfg", {}),
        ("token-nameless", "kubernetes.io/service-account-token", {}),
        ("key", None, {"no key": "1"}),
    ],
)
def test_types(talk: Dialogue, case: str, kind: str | None, data: dict[str, str]) -> None:
    assert talk.send("POST", "{ns}/secrets", secret(kind, **data)).code in (201, 422)


def test_string_data_becomes_data_and_wins(talk: Dialogue) -> None:
    body = secret(None, a="1") | {"data": {"a": base64.b64encode(b"2").decode(), "b": "Yg=="}}
    assert base64.b64decode(talk.create("{ns}/secrets", body)["data"]["a"]) == b"1"
    assert talk.patch("{ns}/secrets/secret", {"stringData": {"c": "3"}}).body["data"]["c"] == "Mw=="


def test_bad_base64(talk: Dialogue) -> None:
    for value in ("%", "YQ", "Y Q==", "YQ==\n"):
        talk.send("POST", "{ns}/secrets?dryRun=All", {"metadata": {"name": "s"}, "data": {"a": value}})


def test_the_type_stays(talk: Dialogue) -> None:
    talk.create("{ns}/secrets", secret(None, a="1"))
    assert talk.patch("{ns}/secrets/secret", {"type": "example.com/own"}).code == 422


def test_an_immutable_secret_stays(talk: Dialogue) -> None:
    talk.create("{ns}/secrets", secret(None, a="1") | {"immutable": True})
    assert talk.patch("{ns}/secrets/secret", {"data": {"a": "Mg=="}}).code == 422
    assert talk.patch("{ns}/secrets/secret", {"immutable": None}).code == 422
    assert talk.send("DELETE", "{ns}/secrets/secret").code == 200


def test_secrets_are_selected_by_type(talk: Dialogue) -> None:
    talk.create("{ns}/secrets", secret(None, a="1"))
    body = secret("kubernetes.io/ssh-auth", **{"ssh-privatekey": "k"})
    body["metadata"]["name"] = "key"
    talk.create("{ns}/secrets", body)
    assert talk.get("{ns}/secrets?fieldSelector=type%3Dkubernetes.io/ssh-auth").names == ["key"]


def test_a_token_secret_is_filled_and_its_token_works(talk: Dialogue) -> None:
    body = secret("kubernetes.io/service-account-token")
    body["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "default"}
    talk.create("{ns}/secrets", body)
    until(lambda: "token" in talk.get("{ns}/secrets/secret", remember=False).body.get("data", {}), "the token")
    filled = talk.get("{ns}/secrets/secret", remember=False).body
    assert base64.b64decode(filled["data"]["namespace"]).decode() == talk.namespace
    account = talk.get("{ns}/serviceaccounts/default", remember=False).body
    assert filled["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"]
    token = base64.b64decode(filled["data"]["token"]).decode()
    whoami = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    told = talk.send("POST", path, whoami, token=token, user="default")
    assert told.body["status"]["userInfo"]["username"] == f"system:serviceaccount:{talk.namespace}:default"
    talk.send("DELETE", "{ns}/secrets/secret")
    until(lambda: talk.send("POST", path, whoami, token=token, remember=False).code == 401, "the token to end")


def test_a_token_secret_of_a_missing_account_goes(talk: Dialogue) -> None:
    body = secret("kubernetes.io/service-account-token")
    body["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "nobody"}
    talk.create("{ns}/secrets", body)
    until(lambda: talk.get("{ns}/secrets/secret", remember=False).code == 404, "the secret to go")
