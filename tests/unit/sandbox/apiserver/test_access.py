"""The sandbox's access: tokens, roles, reviews, and the sentences in which it refuses."""

from __future__ import annotations

import base64
import time
import uuid
from pathlib import Path

import pytest
from sandbox_api import Api, Json, config_map, make_namespace

from hera_k8s_sandbox.server.launch import running

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def api(sandbox) -> Api:
    return Api(sandbox.url, sandbox.token)


@pytest.fixture
def space(api: Api) -> str:
    return make_namespace(api, f"t-{uuid.uuid4().hex[:12]}")


def token_of(api: Api, space: str, name: str, **spec: object) -> Json:
    return api.create(f"{space}/serviceaccounts/{name}/token", {"spec": spec})["status"]


def grant(api: Api, space: str, account: str, **rule: list[str]) -> None:
    """A Role of one rule, and its binding to the account."""
    name, namespace = f"r-{uuid.uuid4().hex[:8]}", space.rpartition("/")[2]
    group = f"{RBAC}/namespaces/{namespace}"
    api.create(f"{group}/roles", {"metadata": {"name": name}, "rules": [{"apiGroups": [""]} | rule]})
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    api.create(f"{group}/rolebindings", {"metadata": {"name": name}, "subjects": [subject], "roleRef": role})


def review(api: Api, **attributes: str) -> bool:
    body = {"spec": {"resourceAttributes": attributes}}
    return api.create(f"{REVIEWS}/selfsubjectaccessreviews", body)["status"]["allowed"]


def test_without_a_token_one_is_anonymous(sandbox) -> None:
    answer = Api(sandbox.url, None).send("GET", "/api/v1/namespaces/default/configmaps/x")
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        'configmaps "x" is forbidden: User "system:anonymous" cannot get resource "configmaps" in API group "" '
        'in the namespace "default"'
    )


def test_a_wrong_token_is_unauthorized(sandbox) -> None:
    answer = Api(sandbox.url, "wrong").send("GET", "/api/v1/namespaces/default/configmaps/x")
    assert (answer.status_code, answer.json()["message"], answer.json()["reason"]) == (
        401,
        "Unauthorized",
        "Unauthorized",
    )


def test_health_and_version_are_open_to_all(sandbox) -> None:
    anonymous = Api(sandbox.url, None)
    assert anonymous.send("GET", "/readyz").text == "ok"
    assert anonymous.get("/version")["gitVersion"].startswith("v1.")
    assert anonymous.send("GET", "/apis").json()["message"] == (
        'forbidden: User "system:anonymous" cannot get path "/apis"'
    )


def test_an_account_may_do_what_its_role_says_and_no_more(api: Api, space: str, sandbox) -> None:
    api.create(f"{space}/configmaps", config_map("settings"))
    grant(api, space, "default", resources=["configmaps"], verbs=["get"], resourceNames=["settings"])
    account = Api(sandbox.url, token_of(api, space, "default")["token"])
    namespace = space.rpartition("/")[2]

    assert account.get(f"{space}/configmaps/settings")
    assert account.send("GET", f"{space}/configmaps/other").status_code == 403
    refused = account.send("GET", f"{space}/configmaps").json()
    assert refused["message"] == (
        f'configmaps is forbidden: User "system:serviceaccount:{namespace}:default" cannot list resource '
        f'"configmaps" in API group "" in the namespace "{namespace}"'
    )
    assert refused["details"] == {"kind": "configmaps"}
    assert account.send("GET", "/api/v1/nodes").json()["message"].endswith("at the cluster scope")


def test_reviews_say_what_requests_would_meet(api: Api, space: str, sandbox) -> None:
    grant(api, space, "default", resources=["pods", "pods/log"], verbs=["get"])
    account = Api(sandbox.url, token_of(api, space, "default")["token"])
    namespace = space.rpartition("/")[2]

    assert review(account, verb="get", resource="pods", namespace=namespace)
    assert review(account, verb="get", resource="pods", subresource="log", namespace=namespace)
    assert not review(account, verb="delete", resource="pods", namespace=namespace)
    assert not review(account, verb="get", resource="pods", namespace="default")
    assert review(api, verb="delete", resource="pods", namespace="default")


def test_only_those_who_may_review_others(api: Api, space: str, sandbox) -> None:
    namespace = space.rpartition("/")[2]
    grant(api, space, "default", resources=["configmaps"], verbs=["create"])
    body = {
        "spec": {
            "user": f"system:serviceaccount:{namespace}:default",
            "resourceAttributes": {"verb": "create", "resource": "configmaps", "namespace": namespace},
        }
    }
    assert api.create(f"{REVIEWS}/subjectaccessreviews", body)["status"] == {"allowed": True}
    account = Api(sandbox.url, token_of(api, space, "default")["token"])
    assert account.send("POST", f"{REVIEWS}/subjectaccessreviews", body).status_code == 403


def test_the_role_edit_covers_workflows_and_not_roles(api: Api, space: str, sandbox) -> None:
    namespace = space.rpartition("/")[2]
    binding = {
        "metadata": {"name": "editor"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        "roleRef": {"kind": "ClusterRole", "name": "edit"},
    }
    api.create(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    account = Api(sandbox.url, token_of(api, space, "default")["token"])
    group = {"group": "argoproj.io", "resource": "workflows", "namespace": namespace}
    assert review(account, verb="create", **group)
    assert review(account, verb="get", resource="pods", namespace=namespace)
    assert not review(account, verb="create", resource="roles", group="rbac.authorization.k8s.io", namespace=namespace)


def test_the_default_account_of_default_may_report_results(api: Api) -> None:
    asked = {"verb": "patch", "group": "argoproj.io", "resource": "workflowtaskresults", "namespace": "default"}
    body = {"spec": {"user": "system:serviceaccount:default:default", "resourceAttributes": asked}}
    assert api.create(f"{REVIEWS}/subjectaccessreviews", body)["status"]["allowed"]


def test_rules_are_listed_for_a_namespace(api: Api, space: str, sandbox) -> None:
    grant(api, space, "default", resources=["configmaps"], verbs=["get"])
    account = Api(sandbox.url, token_of(api, space, "default")["token"])
    body = {"spec": {"namespace": space.rpartition("/")[2]}}
    status = account.create(f"{REVIEWS}/selfsubjectrulesreviews", body)["status"]
    assert {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]} in status["resourceRules"]
    assert not status["incomplete"]


def test_one_can_ask_who_one_is(api: Api, space: str, sandbox) -> None:
    account = Api(sandbox.url, token_of(api, space, "default")["token"])
    status = account.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})["status"]
    namespace = space.rpartition("/")[2]
    assert status["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"
    assert f"system:serviceaccounts:{namespace}" in status["userInfo"]["groups"]


def test_requested_tokens_say_when_they_expire(api: Api, space: str) -> None:
    status = token_of(api, space, "default", expirationSeconds=900)
    expires = time.mktime(time.strptime(status["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert 800 < expires - time.time() <= 901


def test_tokens_of_less_than_ten_minutes_are_refused(api: Api, space: str) -> None:
    answer = api.send("POST", f"{space}/serviceaccounts/default/token", {"spec": {"expirationSeconds": 60}})
    assert answer.status_code == 422
    assert "may not specify a duration less than 10 minutes" in answer.json()["message"]


def test_tokens_of_a_missing_account_are_not_found(api: Api, space: str) -> None:
    answer = api.send("POST", f"{space}/serviceaccounts/nobody/token", {"spec": {}})
    assert (answer.status_code, answer.json()["message"]) == (404, 'serviceaccounts "nobody" not found')


def test_a_token_dies_with_its_account(api: Api, space: str, sandbox) -> None:
    api.create(f"{space}/serviceaccounts", {"metadata": {"name": "bob"}})
    bob = Api(sandbox.url, token_of(api, space, "bob")["token"])
    assert bob.send("GET", "/apis").status_code == 200
    api.send("DELETE", f"{space}/serviceaccounts/bob")
    assert bob.send("GET", "/apis").status_code == 401


def test_a_token_secret_is_filled_in(api: Api, space: str, sandbox) -> None:
    meta = {"name": "lasting", "annotations": {"kubernetes.io/service-account.name": "default"}}
    body = {"metadata": meta, "type": "kubernetes.io/service-account-token"}
    api.create(f"{space}/secrets", body)
    data = api.get(f"{space}/secrets/lasting")["data"]
    token = base64.b64decode(data["token"]).decode()
    assert Api(sandbox.url, token).send("GET", "/apis").status_code == 200
    api.send("DELETE", f"{space}/secrets/lasting")
    assert Api(sandbox.url, token).send("GET", "/apis").status_code == 401


def test_a_token_secret_must_name_its_account(api: Api, space: str) -> None:
    body = {"metadata": {"name": "s"}, "type": "kubernetes.io/service-account-token"}
    answer = api.send("POST", f"{space}/secrets", body)
    assert "metadata.annotations[kubernetes.io/service-account.name]: Required value" in answer.json()["message"]


def test_impersonation_needs_the_right_to_it(api: Api, space: str, sandbox) -> None:
    as_bob = {"Impersonate_User": "bob"}
    assert api.send("GET", f"{space}/configmaps", **as_bob).status_code == 403
    account = Api(sandbox.url, token_of(api, space, "default")["token"])
    refused = account.send("GET", f"{space}/configmaps", **as_bob).json()
    assert 'cannot impersonate resource "users"' in refused["message"]


def test_a_changed_token_is_not_accepted(api: Api, space: str, sandbox) -> None:
    token = token_of(api, space, "default")["token"]
    header, claims, signature = token.split(".")
    decoded = base64.urlsafe_b64decode(claims + "==").replace(b":default", b":other")
    forged = base64.urlsafe_b64encode(decoded).rstrip(b"=").decode()
    answer = Api(sandbox.url, f"{header}.{forged}.{signature}").send("GET", "/apis")
    assert answer.status_code == 401


def test_a_short_life_of_tokens_and_fixed_users_can_be_asked_for(tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text('secret-of-jane,jane,1,"team,system:masters"\n')
    with running(tmp_path / "state", users=users, longest_token=1) as address:
        jane = Api(address.url, "secret-of-jane")
        status = jane.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})["status"]
        assert status["userInfo"]["username"] == "jane"
        account = Api(address.url, token_of(jane, "/api/v1/namespaces/default", "default")["token"])
        deadline = time.monotonic() + 30
        while account.send("GET", "/apis").status_code != 401:
            assert time.monotonic() < deadline


def test_secrets_of_the_server_are_its_owners_only(sandbox) -> None:
    for name in ("admin.token", "signing.key", "server.json", "sandbox.log"):
        assert (sandbox.directory / name).stat().st_mode & 0o077 == 0, name
    assert sandbox.token not in repr(sandbox)
    assert sandbox.token not in (sandbox.directory / "sandbox.log").read_text()
