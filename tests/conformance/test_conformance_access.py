"""Access: tokens good, bad and gone, what roles allow, and the questions one may ask about it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from dialogue import Dialogue, until

Json = dict[str, Any]
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
SELF = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ARGO = "/apis/argoproj.io/v1alpha1/namespaces/{namespace}"


def rule(verbs: list[str], resources: list[str], groups: tuple[str, ...] = ("",), names: tuple[str, ...] = ()) -> Json:
    told: Json = {"verbs": verbs, "apiGroups": list(groups), "resources": resources}
    return told | ({"resourceNames": list(names)} if names else {})


def let(talk: Dialogue, user: str, *rules: Json, kind: str = "User", name: str = "some") -> None:
    """Give rights in the namespace to somebody, and wait until they hold."""
    subject: Json = {"kind": kind, "name": user}
    if kind == "ServiceAccount":
        subject["namespace"] = talk.namespace
    else:
        subject["apiGroup"] = "rbac.authorization.k8s.io"
    talk.create(f"{RBAC}/roles", {"metadata": {"name": name}, "rules": list(rules)}, remember=False)
    binding = {
        "metadata": {"name": name},
        "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
    }
    talk.create(f"{RBAC}/rolebindings", binding, remember=False)


def settled(talk: Dialogue, user: str, verb: str, resource: str, *, group: str = "", token: str | None = None) -> None:
    """Wait until a right holds: the API server's authorizer learns of roles a moment later."""
    question = asked(talk, verb=verb, resource=resource, group=group)

    def holds() -> bool:
        told = talk.send("POST", SELF, question, user=user, token=token, remember=False)
        return bool(told.body["status"]["allowed"])

    until(holds, f"{user} may {verb} {resource}")


def asked(talk: Dialogue, **attributes: str) -> Json:
    return {"spec": {"resourceAttributes": {"namespace": talk.namespace, **attributes}}}


def test_without_a_token_one_is_anonymous(talk: Dialogue) -> None:
    assert talk.get("{ns}/configmaps", user="").code == 403
    assert talk.get("{ns}/configmaps/settings", user="").code == 403
    assert talk.send("POST", "{ns}/configmaps", {"metadata": {"name": "a"}}, user="").code == 403
    assert talk.get("/api", user="").code == 403
    assert talk.get("/apis/example.com/v1/things", user="").code == 403


def test_a_wrong_token_is_unauthorized(talk: Dialogue) -> None:
    for token in ("wrong", "a.b.c", "eyJhbGciOiJub25lIn0.e30."):
        assert talk.get("{ns}/configmaps", token=token, user="a wrong token").code == 401
    assert talk.get("/version", token="wrong", user="a wrong token").code == 401


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_open_to_all(talk: Dialogue, path: str) -> None:
    assert talk.get(path, user="").body == "ok"


def test_the_version_is_open_to_all(talk: Dialogue) -> None:
    told = talk.get("/version", user="", remember=False)
    assert (told.body["major"], told.body["minor"]) == ("1", "36")


def test_refusals_say_who_may_not_do_what_where(talk: Dialogue) -> None:
    for method, path, body in (
        ("GET", "{ns}/configmaps", None),
        ("GET", "{ns}/configmaps?watch=1", None),
        ("GET", "{ns}/configmaps/settings", None),
        ("POST", "{ns}/configmaps", {"metadata": {"name": "settings"}}),
        ("PUT", "{ns}/configmaps/settings", {"metadata": {"name": "settings"}}),
        ("DELETE", "{ns}/configmaps/settings", None),
        ("DELETE", "{ns}/configmaps", None),
        ("GET", "{ns}/pods/one/log", None),
        ("POST", "{ns}/serviceaccounts/default/token", {}),
        ("GET", "/api/v1/nodes", None),
        ("GET", "/api/v1/namespaces", None),
        ("GET", "/api/v1/namespaces/{namespace}", None),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "settings"}}),
        ("GET", "/apis/storage.k8s.io/v1/storageclasses", None),
        ("GET", "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows", None),
        ("GET", "/apis/argoproj.io/v1alpha1/workflows", None),
        ("GET", "/api/v1/namespaces/{namespace}/things", None),
        ("GET", "/metrics", None),
    ):
        assert talk.send(method, path, body, user="bob").code == 403


def test_a_user_may_do_what_a_role_says_and_no_more(talk: Dialogue) -> None:
    talk.create("{ns}/configmaps", {"metadata": {"name": "mine"}})
    talk.create("{ns}/configmaps", {"metadata": {"name": "other"}})
    let(talk, "bob", rule(["list", "create"], ["configmaps"]), rule(["get"], ["configmaps"], names=("mine",)))
    settled(talk, "bob", "list", "configmaps")
    assert talk.get("{ns}/configmaps?fieldSelector=metadata.name%3Dmine", user="bob").code == 200
    assert talk.get("{ns}/configmaps/mine", user="bob").code == 200
    assert talk.get("{ns}/configmaps/other", user="bob").code == 403
    assert talk.send("POST", "{ns}/configmaps", {"metadata": {"name": "new"}}, user="bob").code == 201
    assert talk.send("DELETE", "{ns}/configmaps/mine", user="bob").code == 403
    assert talk.get("/api/v1/configmaps", user="bob").code == 403
    assert talk.get("{ns}/secrets", user="bob").code == 403


def test_groups_have_rights_too(talk: Dialogue) -> None:
    let(talk, "researchers", rule(["list"], ["secrets"]), kind="Group")
    settled(talk, "alice", "list", "secrets")
    assert talk.get("{ns}/secrets", user="alice").code == 200
    assert talk.get("{ns}/secrets", user="bob").code == 403


def test_a_right_to_an_object_is_none_to_its_parts(talk: Dialogue) -> None:
    let(talk, "bob", rule(["*"], ["serviceaccounts"]))
    settled(talk, "bob", "create", "serviceaccounts")
    assert talk.get("{ns}/serviceaccounts/default", user="bob", remember=False).code == 200
    assert talk.send("POST", "{ns}/serviceaccounts/default/token", {}, user="bob").code == 403


def test_nobody_grants_what_he_has_not(talk: Dialogue) -> None:
    verbs = ["create", "update", "patch", "get"]  # neither `escalate` nor `bind`
    let(talk, "bob", rule(verbs, ["roles", "rolebindings"], ("rbac.authorization.k8s.io",)))
    settled(talk, "bob", "create", "roles", group="rbac.authorization.k8s.io")
    wide = {"metadata": {"name": "wide"}, "rules": [rule(["get"], ["secrets"])]}
    assert talk.send("POST", f"{RBAC}/roles", wide, user="bob").code == 403
    talk.create(f"{RBAC}/roles", wide)
    binding = {
        "metadata": {"name": "wide"},
        "subjects": [{"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "wide"},
    }
    assert talk.send("POST", f"{RBAC}/rolebindings", binding, user="bob").code == 403
    own = {"metadata": {"name": "own"}, "rules": [rule(["get"], ["roles"], ("rbac.authorization.k8s.io",))]}
    assert talk.send("POST", f"{RBAC}/roles", own, user="bob").code == 201
    assert talk.patch(f"{RBAC}/roles/own", {"rules": wide["rules"]}, user="bob").code == 403


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("role-kind", {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Thing", "name": "a"}}),
        ("role-none", {"roleRef": None}),
        ("role-nameless", {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ""}}),
        ("subject-kind", {"subjects": [{"kind": "Thing", "name": "a"}]}),
        ("subject-nameless", {"subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io"}]}),
        ("account-nowhere", {"subjects": [{"kind": "ServiceAccount", "name": "a"}]}),
        ("no-subjects", {"subjects": []}),
        ("defaults", {"subjects": [{"kind": "User", "name": "a"}], "roleRef": {"kind": "Role", "name": "a"}}),
        ("missing-role", {"roleRef": {"kind": "Role", "name": "nope"}}),
    ],
)
def test_bindings_that_break_a_rule(talk: Dialogue, case: str, change: Json) -> None:
    body: Json = {
        "metadata": {"name": "some"},
        "subjects": [{"kind": "User", "name": "a", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"},
    }
    assert talk.send("POST", f"{RBAC}/rolebindings", {**body, **change}).code in (201, 404, 422)


def test_a_bindings_role_stays(talk: Dialogue) -> None:
    let(talk, "bob", rule(["get"], ["secrets"]))
    changed = {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "other"}}
    assert talk.patch(f"{RBAC}/rolebindings/some", changed).code == 422


@pytest.mark.parametrize(
    ("case", "rules"),
    [
        ("no-verbs", [{"apiGroups": [""], "resources": ["pods"], "verbs": []}]),
        ("no-groups", [{"resources": ["pods"], "verbs": ["get"]}]),
        ("no-resources", [{"apiGroups": [""], "verbs": ["get"]}]),
        ("paths", [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]),
        ("none", []),
    ],
)
def test_rules_of_roles(talk: Dialogue, case: str, rules: list[Json]) -> None:
    assert talk.send("POST", f"{RBAC}/roles", {"metadata": {"name": "some"}, "rules": rules}).code in (201, 422)


def test_reviews_say_what_requests_would_meet(talk: Dialogue) -> None:
    let(
        talk,
        "bob",
        rule(["get", "list"], ["configmaps", "pods/log"]),
        rule(["create"], ["workflows"], ("argoproj.io",)),
    )
    settled(talk, "bob", "create", "workflows", group="argoproj.io")
    for attributes in (
        {"verb": "get", "resource": "configmaps"},
        {"verb": "get", "resource": "configmaps", "name": "settings"},
        {"verb": "delete", "resource": "configmaps"},
        {"verb": "get", "resource": "pods", "subresource": "log"},
        {"verb": "get", "resource": "pods"},
        {"verb": "create", "resource": "workflows", "group": "argoproj.io"},
        {"verb": "create", "resource": "workflows"},
        {"verb": "get", "resource": "configmaps", "namespace": ""},
        {"verb": "get", "resource": "things"},
    ):
        answer = talk.send("POST", SELF, asked(talk, **attributes), user="bob", remember=False)
        told = answer.body["status"]
        told.pop("reason", None)  # names the binding, in words that are no part of the API
        talk.remember(f"may bob {attributes}", code=answer.code, status=told)


@pytest.mark.parametrize(
    ("case", "spec"),
    [
        ("none", {}),
        ("both", {"resourceAttributes": {}, "nonResourceAttributes": {}}),
        ("path", {"nonResourceAttributes": {"path": "/version", "verb": "get"}}),
        ("closed-path", {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}),
    ],
)
def test_questions_about_access(talk: Dialogue, case: str, spec: Json) -> None:
    answer = talk.send("POST", SELF, {"spec": spec}, user="bob", remember=False)
    status = answer.body["status"]
    if answer.code == 201:
        status.pop("reason", None)  # names the binding, in words that are no part of the API
    talk.remember("a question", code=answer.code, answer=status if answer.code == 201 else answer.body)


def test_one_can_ask_about_others_with_the_right_to(talk: Dialogue) -> None:
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    question = {"spec": {"user": "bob", "resourceAttributes": {"verb": "get", "resource": "secrets"}}}
    assert talk.send("POST", path, question, user="bob").code == 403
    assert talk.send("POST", path, question).code == 201
    nobody = {"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}}
    assert talk.send("POST", path, nobody).code == 422
    local = f"/apis/authorization.k8s.io/v1/namespaces/{talk.namespace}/localsubjectaccessreviews"
    assert talk.send("POST", local, question).code in (201, 422)


def test_one_can_ask_who_one_is(talk: Dialogue) -> None:
    for user in ("admin", "alice", "bob"):
        assert talk.send("POST", WHOAMI, {}, user=user).body["status"]["userInfo"]["username"] == user
    assert talk.send("POST", WHOAMI, {}, user="").code == 403


def test_tokens_can_be_reviewed(talk: Dialogue) -> None:
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    good = talk.send("POST", path, {"spec": {"token": talk.cluster.token_of("alice")}}, remember=False)
    talk.remember("the review of a good token", code=good.code, status=good.body["status"])
    bad = talk.send("POST", path, {"spec": {"token": "wrong"}}, remember=False)
    talk.remember("the review of a bad token", code=bad.code, authenticated=bad.body["status"].get("authenticated"))
    assert talk.send("POST", path, {"spec": {}}).code == 400


@pytest.mark.parametrize(
    ("case", "spec"),
    [
        ("default", {}),
        ("ten-minutes", {"expirationSeconds": 600}),
        ("too-short", {"expirationSeconds": 599}),
        ("too-long", {"expirationSeconds": 1 << 33}),
        ("audience", {"audiences": ["vault"]}),
        ("bound-kind", {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "a"}}),
        ("bound-missing", {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "nope"}}),
    ],
)
def test_requested_tokens(talk: Dialogue, case: str, spec: Json) -> None:
    answer = talk.send("POST", "{ns}/serviceaccounts/default/token", {"spec": spec})
    if answer.code != 201:
        return
    claims = claims_of(answer.body["status"]["token"])
    told = {key: claims.get(key) for key in ("aud", "iss", "sub", "kubernetes.io")}
    life = claims["exp"] - claims["iat"]
    talk.remember("the claims of the token", **told, seconds=life, has={key: key in claims for key in ("nbf", "jti")})


def claims_of(token: str) -> Json:
    middle = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


def test_a_requested_token_works_until_its_account_goes(talk: Dialogue) -> None:
    talk.create("{ns}/serviceaccounts", {"metadata": {"name": "runner"}})
    let(talk, "runner", rule(["list"], ["secrets"]), kind="ServiceAccount")
    token = talk.create("{ns}/serviceaccounts/runner/token", {"spec": {}}, remember=False)["status"]["token"]
    settled(talk, "runner", "list", "secrets", token=token)
    assert talk.get("{ns}/secrets", token=token, user="runner").code == 200
    assert talk.get("{ns}/pods", token=token, user="runner").code == 403
    assert talk.send("POST", WHOAMI, {}, token=token, user="runner").code == 201
    talk.send("DELETE", "{ns}/serviceaccounts/runner")
    until(lambda: talk.get("{ns}/secrets", token=token, remember=False).code == 401, "the token to end")


def test_a_token_for_others_is_none_for_the_api(talk: Dialogue) -> None:
    body = {"spec": {"audiences": ["vault"]}}
    token = talk.create("{ns}/serviceaccounts/default/token", body, remember=False)["status"]["token"]
    assert talk.get("{ns}/secrets", token=token, user="a token for vault").code == 401


def test_a_token_bound_to_a_secret_ends_with_it(talk: Dialogue) -> None:
    talk.create("{ns}/secrets", {"metadata": {"name": "anchor"}})
    body = {"spec": {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "anchor"}}}
    token = talk.create("{ns}/serviceaccounts/default/token", body)["status"]["token"]
    assert talk.send("POST", WHOAMI, {}, token=token, remember=False).code == 201
    talk.send("DELETE", "{ns}/secrets/anchor", remember=False)
    until(lambda: talk.send("POST", WHOAMI, {}, token=token, remember=False).code == 401, "the token to end")


def test_impersonation_needs_the_right_to_it(talk: Dialogue) -> None:
    bob = talk.cluster.token_of("bob")
    assert talk.send("POST", WHOAMI, {}, user="bob", token=bob, Impersonate_User="alice").code == 403
    assert talk.send("POST", WHOAMI, {}, Impersonate_User="alice").code == 201
    account = f"system:serviceaccount:{talk.namespace}:default"
    assert talk.send("POST", WHOAMI, {}, Impersonate_User=account).code == 201


def test_the_roles_that_clusters_come_with(talk: Dialogue) -> None:
    for name in ("view", "edit", "admin"):
        subject = {"kind": "User", "name": f"user-{name}", "apiGroup": "rbac.authorization.k8s.io"}
        binding = {
            "metadata": {"name": name},
            "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        }
        talk.create(f"{RBAC}/rolebindings", binding, remember=False)
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

    def may(name: str, verb: str, resource: str, group: str = "") -> bool:
        attributes = {"verb": verb, "resource": resource, "group": group, "namespace": talk.namespace}
        question = {"spec": {"user": f"user-{name}", "resourceAttributes": attributes}}
        return bool(talk.send("POST", path, question, remember=False).body["status"]["allowed"])

    until(lambda: may("view", "get", "configmaps") and may("admin", "create", "roles", RBAC.split("/")[2]), "the roles")
    for verb, resource, group in (
        ("get", "configmaps", ""),
        ("get", "secrets", ""),
        ("create", "secrets", ""),
        ("get", "pods", ""),
        ("create", "pods", ""),
        ("delete", "persistentvolumeclaims", ""),
        ("get", "serviceaccounts", ""),
        ("create", "serviceaccounts", ""),
        ("impersonate", "serviceaccounts", ""),
        ("create", "roles", "rbac.authorization.k8s.io"),
        ("get", "namespaces", ""),
        ("delete", "namespaces", ""),
        ("get", "nodes", ""),
        ("get", "events", ""),
        ("get", "storageclasses", "storage.k8s.io"),
    ):
        allowed = {name: may(name, verb, resource, group) for name in ("view", "edit", "admin")}
        talk.remember(f"{verb} {resource}", **allowed)
