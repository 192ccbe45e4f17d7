"""Tokens of service accounts: which are believed, until when, and what is told about others."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from dialogue import Dialogue, until

Json = dict[str, Any]
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
signed = pytest.mark.alone("tokens are signed with its key")


def claims_of(token: str) -> Json:
    middle = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


def issued(talk: Dialogue, account: str = "default", **spec: Any) -> str:
    """A token that the server issued."""
    path = f"{{ns}}/serviceaccounts/{account}/token"
    return str(talk.create(path, {"spec": spec}, remember=False)["status"]["token"])


def ask(talk: Dialogue, token: str, what: str) -> int:
    """Who the token says one is; kept without what a server makes up."""
    answer = talk.send("POST", WHOAMI, {}, token=token, remember=False)
    body = answer.body
    if answer.code == 201:
        body = {key: body["status"]["userInfo"][key] for key in ("username", "groups")}
    talk.remember(what, code=answer.code, answer=body)
    return answer.code


def later(seconds: float) -> int:
    return int(time.time() + seconds)


CHANGES: dict[str, Callable[[Json], Json]] = {
    "unchanged": lambda claims: claims,
    "expired": lambda claims: claims | {"exp": later(-600), "iat": later(-1200), "nbf": later(-1200)},
    "not-yet-valid": lambda claims: claims | {"nbf": later(600)},
    "issued-later": lambda claims: claims | {"iat": later(600)},
    "without-end": lambda claims: {key: value for key, value in claims.items() if key != "exp"},
    "without-beginning": lambda claims: {key: value for key, value in claims.items() if key not in ("nbf", "iat")},
    "other-audience": lambda claims: claims | {"aud": ["vault"]},
    "one-of-two-audiences": lambda claims: claims | {"aud": ["vault", *claims["aud"]]},
    "no-audience": lambda claims: claims | {"aud": []},
    "audience-as-text": lambda claims: claims | {"aud": claims["aud"][0]},
    "other-issuer": lambda claims: claims | {"iss": "https://elsewhere.example"},
    "other-account": lambda claims: claims | {"sub": claims["sub"].replace(":default", ":other")},
    "other-uid": lambda claims: claims | {"kubernetes.io": _about(claims, uid="0")},
    "account-not-there": lambda claims: (
        claims
        | {
            "sub": claims["sub"].replace(":default", ":nobody"),
            "kubernetes.io": _about(claims, name="nobody"),
        }
    ),
    "nothing-about-kubernetes": lambda claims: {key: claims[key] for key in claims if key != "kubernetes.io"},
    "pod-not-there": lambda claims: (
        claims | {"kubernetes.io": claims["kubernetes.io"] | {"pod": {"name": "nobody", "uid": "0"}}}
    ),
}


def _about(claims: Json, **account: str) -> Json:
    about = claims["kubernetes.io"]
    return {**about, "serviceaccount": about["serviceaccount"] | account}


@signed
@pytest.mark.parametrize("case", CHANGES)
def test_what_a_token_must_say(talk: Dialogue, case: str) -> None:
    assert talk.cluster.sign is not None
    token = talk.cluster.sign(CHANGES[case](claims_of(issued(talk))))
    code = ask(talk, token, case)
    assert code in (201, 401)
    review = talk.send("POST", REVIEWS, {"spec": {"token": token}}, remember=False)
    talk.remember("its review", code=review.code, authenticated=review.body["status"].get("authenticated", False))


@signed
def test_clocks_may_differ_by_a_minute(talk: Dialogue) -> None:
    assert talk.cluster.sign is not None
    claims = claims_of(issued(talk))
    assert ask(talk, talk.cluster.sign(claims | {"nbf": later(30), "iat": later(30)}), "valid in a moment") == 201


@signed
def test_a_token_lives_a_minute_longer_than_it_says(talk: Dialogue) -> None:
    assert talk.cluster.sign is not None
    claims = claims_of(issued(talk))
    ask(talk, talk.cluster.sign(claims | {"exp": later(-30), "iat": later(-900), "nbf": later(-900)}), "just expired")


def test_tokens_that_nobody_signed(talk: Dialogue) -> None:
    token = issued(talk)
    head, middle, tail = token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    forged = claims_of(token) | {"sub": f"system:serviceaccount:{talk.namespace}:other"}
    text = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
    for what, given in {
        "without a signature": f"{head}.{middle}.",
        "without an algorithm": f"{none}.{middle}.",
        "with another content": f"{head}.{text}.{tail}",
        "with half a signature": f"{head}.{middle}.{tail[:20]}",
        "in two parts": f"{head}.{middle}",
        "not a token": "wrong",
        "of dots": "..",
    }.items():
        assert ask(talk, given, what) == 401


def test_a_token_of_an_account_that_was_made_anew(talk: Dialogue) -> None:
    talk.create("{ns}/serviceaccounts", {"metadata": {"name": "runner"}}, remember=False)
    token = issued(talk, "runner")
    assert ask(talk, token, "while it is there") == 201
    talk.send("DELETE", "{ns}/serviceaccounts/runner", remember=False)
    talk.create("{ns}/serviceaccounts", {"metadata": {"name": "runner"}}, remember=False)
    until(lambda: talk.send("POST", WHOAMI, {}, token=token, remember=False).code == 401, "the token to end")
    ask(talk, token, "of the one before")
    assert ask(talk, issued(talk, "runner"), "of the new one") == 201


def test_a_token_that_is_bound_to_a_pod_ends_with_it(talk: Dialogue) -> None:
    spec = {"schedulerName": "nobody", "automountServiceAccountToken": False}
    containers = [{"name": "main", "image": "busybox"}]
    pod = talk.create(
        "{ns}/pods", {"metadata": {"name": "one"}, "spec": {**spec, "containers": containers}}, remember=False
    )
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "one", "uid": pod["metadata"]["uid"]}
    token = issued(talk, boundObjectRef=bound)
    about = claims_of(token)["kubernetes.io"]
    talk.remember("what it says of the pod", pod=about["pod"], of=sorted(about))
    assert ask(talk, token, "while the pod is there") == 201
    talk.send("DELETE", "{ns}/pods/one", remember=False)
    until(lambda: talk.send("POST", WHOAMI, {}, token=token, remember=False).code == 401, "the token to end")
    ask(talk, token, "after the pod")


def test_a_token_can_be_bound_to_another_object_only_by_its_uid(talk: Dialogue) -> None:
    talk.create("{ns}/secrets", {"metadata": {"name": "anchor"}}, remember=False)
    bound = {"kind": "Secret", "apiVersion": "v1", "name": "anchor", "uid": "00000000-0000-0000-0000-000000000000"}
    answer = talk.send("POST", "{ns}/serviceaccounts/default/token", {"spec": {"boundObjectRef": bound}})
    assert answer.code == 409


def test_reviews_of_tokens_for_audiences(talk: Dialogue) -> None:
    own, vault = issued(talk), issued(talk, audiences=["vault", "other"])
    for what, token, audiences in (
        ("of the server's own", own, None),
        ("of the server's own, for vault", own, ["vault"]),
        ("of vault's, for the server", vault, None),
        ("of vault's, for vault", vault, ["vault"]),
        ("of vault's, for vault and another", vault, ["vault", "third"]),
    ):
        spec = {"token": token} | ({"audiences": audiences} if audiences else {})
        answer = talk.send("POST", REVIEWS, {"spec": spec}, remember=False)
        status = answer.body["status"]
        told = {key: status.get(key) for key in ("authenticated", "audiences")}
        talk.remember(what, code=answer.code, status=told, user=(status.get("user") or {}).get("username"))


@pytest.mark.parametrize("header", ["Bearer ", "bearer {token}", "Basic YTpi", "{token}", "Bearer {token} more"])
def test_headers_that_hold_no_token(talk: Dialogue, header: str) -> None:
    given = header.replace("{token}", issued(talk))
    answer = talk.send("POST", WHOAMI, {}, user="", remember=False, Authorization=given)
    who = answer.body["status"]["userInfo"]["username"] if answer.code == 201 else answer.body
    talk.remember(header, code=answer.code, who=who)


@pytest.mark.alone("requests of a user are refused there for a while")
def test_who_asks_too_often_is_told_when_to_come_again(talk: Dialogue) -> None:
    name = f"{talk.namespace}-none"
    limited = {"nominalConcurrencyShares": 0, "limitResponse": {"type": "Reject"}}
    level = {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited}}
    assert talk.send("POST", f"{FLOW}/prioritylevelconfigurations", level, remember=False).code == 201
    paths = {"verbs": ["*"], "nonResourceURLs": ["*"]}
    objects = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    rule = {
        "subjects": [{"kind": "User", "user": {"name": "alice"}}],
        "resourceRules": [objects],
        "nonResourceRules": [paths],
    }
    spec = {"priorityLevelConfiguration": {"name": name}, "matchingPrecedence": 2, "rules": [rule]}
    schema = {"metadata": {"name": name}, "spec": spec}
    assert talk.send("POST", f"{FLOW}/flowschemas", schema, remember=False).code == 201
    try:
        with unfinished_request(talk, "alice"):  # the only one that she may have at a time
            until(lambda: talk.get("{ns}/pods", user="alice", remember=False).code == 429, "alice to be refused")
            tell_refusals(talk)
    finally:
        for kind in ("flowschemas", "prioritylevelconfigurations"):
            talk.send("DELETE", f"{FLOW}/{kind}/{name}", remember=False)


@contextlib.contextmanager
def unfinished_request(talk: Dialogue, user: str) -> Iterator[None]:
    """A request whose body does not come while the block lasts; where the server ends it, another one."""
    over = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"{"
        over.wait(60)

    def send() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = talk.cluster.verify
            headers = {"Content-Type": "application/json", **talk.cluster.headers_of(user)}
            while not over.is_set():
                with contextlib.suppress(requests.RequestException):
                    session.post(talk.cluster.url + WHOAMI, data=body(), headers=headers, timeout=60)
                over.wait(0.05)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def tell_refusals(talk: Dialogue) -> None:
    """Keep how each kind of request is refused."""
    for method in ("GET", "POST"):
        talk.send(method, "{ns}/configmaps", {} if method == "POST" else None, user="alice")
    talk.get("/version", user="alice")
