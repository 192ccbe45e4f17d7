"""The Kubernetes client: every way in which a server can fail has a name, and nothing unsafe is repeated."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import trustme
from fault_server import FaultServer, cut, hang, html_login, refused_port, reply, stream, tls_context

from hera_k8s_kube.client import KubernetesClient
from hera_k8s_kube.session import open_session
from hera_k8s_utils import Credential, CredentialError, ErrorKind, PlatformError
from hera_k8s_utils.network.http import NetworkSettings

TOKEN = "tok-3b1f0c9d"
MAP = "/api/v1/namespaces/default/configmaps/x"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as opened:
        yield opened


def connect(url: str, *, token: str = TOKEN, **options: Any) -> KubernetesClient:
    network = NetworkSettings(http_timeout=options.pop("timeout", 20.0), http_retries=2)
    return KubernetesClient(Credential(server=url, secret=token, source="test"), network=network, **options)


def failure(client: KubernetesClient, ask: Callable[[KubernetesClient], Any] | None = None) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        (ask or (lambda c: c.get("v1", "configmaps", "x")))(client)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(client)
    return caught.value


# --- no answer -------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_unreachable() -> None:
    port = refused_port()
    error = failure(connect(f"http://127.0.0.1:{port}"))
    assert error.kind is ErrorKind.UNREACHABLE
    assert f"127.0.0.1:{port} refused the connection" in str(error)
    assert "get configmaps x in default" in str(error)


def test_a_slow_server_is_a_timeout(server: FaultServer) -> None:
    server.on("GET", MAP, hang())
    error = failure(connect(server.url, timeout=0.2))
    assert error.kind is ErrorKind.TIMEOUT
    assert len(server.asked("GET")) == 1, "what took too long is not asked again"


def test_a_server_without_tls_is_a_protocol_error(server: FaultServer) -> None:
    error = failure(connect(server.url.replace("http:", "https:")))
    assert error.kind is ErrorKind.PROTOCOL
    assert "does not speak TLS" in str(error)


def test_an_untrusted_certificate_is_not_called_unreachable() -> None:
    with FaultServer(tls=tls_context(trustme.CA())) as server:
        error = failure(connect(server.url))
    assert error.kind is ErrorKind.UNTRUSTED
    assert "--ca-file" in error.hint


def test_the_ca_file_makes_a_certificate_trusted(tmp_path: Any) -> None:
    authority = trustme.CA()
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    with FaultServer(tls=tls_context(authority)) as server:
        server.on("GET", MAP, reply(200, {"kind": "ConfigMap"}))
        client = KubernetesClient(Credential(server=server.url), network=NetworkSettings(ca_file=pem))
        assert client.get("v1", "configmaps", "x") == {"kind": "ConfigMap"}


def test_a_lost_connection_is_unreachable(server: FaultServer) -> None:
    server.on("GET", MAP, cut())
    assert failure(connect(server.url)).kind is ErrorKind.UNREACHABLE


# --- answers that are none -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        html_login(),
        reply(404, "<html><title>No such page</title>", headers={"Content-Type": "text/html"}),
        reply(302, headers={"Location": "https://login.example/?code=1"}),
        reply(200, [1, 2]),
        reply(200, ""),
    ],
    ids=["login page", "404 page", "redirect", "list", "empty"],
)
def test_what_is_no_object_is_a_protocol_error(server: FaultServer, answer: Any) -> None:
    server.on("GET", MAP, answer)
    assert failure(connect(server.url)).kind is ErrorKind.PROTOCOL


@pytest.mark.parametrize(
    ("status", "body", "trouble", "words"),
    [
        (400, {"message": "bad selector", "reason": "BadRequest"}, ErrorKind.INVALID, "bad selector"),
        (
            401,
            {"message": "Unauthorized", "reason": "Unauthorized"},
            ErrorKind.UNAUTHORIZED,
            "log in to your cluster again",
        ),
        (
            403,
            {"message": 'User "jane" cannot get', "reason": "Forbidden"},
            ErrorKind.FORBIDDEN,
            "kubectl auth can-i get",
        ),
        (
            403,
            {"message": 'User "system:anonymous" cannot', "reason": "Forbidden"},
            ErrorKind.UNAUTHORIZED,
            "anonymous",
        ),
        (404, {"message": 'configmaps "x" not found', "reason": "NotFound"}, ErrorKind.MISSING, 'configmaps "x"'),
        (404, "404 page not found\n", ErrorKind.MISSING, "no such API"),
        (409, {"message": "exists", "reason": "AlreadyExists"}, ErrorKind.CONFLICT, "exists"),
        (409, {"message": "modified", "reason": "Conflict"}, ErrorKind.CONFLICT, "modified"),
        (422, {"message": "data: invalid", "reason": "Invalid"}, ErrorKind.INVALID, "data: invalid"),
        (500, {"message": f"panic at {TOKEN}", "reason": "InternalError"}, ErrorKind.SERVER, "<redacted>"),
    ],
)
def test_each_status_has_its_trouble(
    server: FaultServer, status: int, body: Any, trouble: ErrorKind, words: str
) -> None:
    server.on("GET", MAP, reply(status, body))
    error = failure(connect(server.url))
    assert (error.kind, error.status) == (trouble, status)
    assert words in str(error)
    assert error.reason == (body.get("reason", "") if isinstance(body, dict) else "")


def test_an_absent_api_group_is_named(server: FaultServer) -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows/x"
    server.on("GET", path, reply(404, "404 page not found\n"))
    error = failure(connect(server.url), lambda c: c.get("argoproj.io/v1alpha1", "workflows", "x"))
    assert "no API group argoproj.io" in str(error)


# --- what is repeated ------------------------------------------------------------------------------------------


def test_a_throttled_request_is_repeated_after_the_time_that_the_server_asks_for(server: FaultServer) -> None:
    slow_down = reply(429, "Too many requests, please try again later.", headers={"Retry-After": "0"})
    server.on("POST", PODS, slow_down, reply(201, {"kind": "Pod"}))
    assert connect(server.url).create("v1", "pods", {"kind": "Pod"}) == {"kind": "Pod"}
    server.on("GET", MAP, slow_down)
    error = failure(connect(server.url))
    assert error.kind is ErrorKind.THROTTLED
    assert len(server.asked("GET", MAP)) == 3


def test_a_lost_answer_to_a_create_is_never_repeated(server: FaultServer) -> None:
    server.on("POST", PODS, cut())
    error = failure(connect(server.url), lambda c: c.create("v1", "pods", {"kind": "Pod"}))
    assert error.kind is ErrorKind.UNREACHABLE
    assert len(server.asked("POST")) == 1


def test_a_get_whose_answer_was_lost_is_repeated_once(server: FaultServer) -> None:
    server.on("GET", MAP, cut(), reply(200, {"kind": "ConfigMap"}))
    assert connect(server.url).get("v1", "configmaps", "x") == {"kind": "ConfigMap"}


# --- what is asked ---------------------------------------------------------------------------------------------


def test_requests_carry_the_token_and_go_where_kubernetes_wants_them(server: FaultServer) -> None:
    server.on("PATCH", MAP, reply(200, {}))
    server.on("DELETE", "/apis/storage.k8s.io/v1/storageclasses/fast", reply(200, {}))
    server.on("POST", "/api/v1/namespaces/other/serviceaccounts/bot/token", reply(201, {}))
    client = connect(server.url)
    client.apply("v1", "configmaps", "x", {"kind": "ConfigMap"}, force=True)
    client.patch("v1", "configmaps", "x", {"data": {}})
    client.delete("storage.k8s.io/v1", "storageclasses", "fast", scope="cluster")
    client.create("v1", "serviceaccounts", {}, name="bot", subresource="token", namespace="other", dry_run=True)
    applied, patched, deleted, created = server.requests
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {TOKEN}"}
    assert applied.headers["content-type"] == "application/apply-patch+yaml"
    assert applied.query == {"fieldManager": "hera-k8s-utils", "force": "true"}
    assert applied.json() == {"apiVersion": "v1", "kind": "ConfigMap"}
    assert patched.headers["content-type"] == "application/merge-patch+json"
    assert deleted.json() == {"propagationPolicy": "Background"}
    assert created.query["dryRun"] == "All"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_name_that_would_lead_elsewhere_is_not_asked_for(server: FaultServer, name: str) -> None:
    error = failure(connect(server.url), lambda c: c.get("v1", "pods", name))
    assert error.kind is ErrorKind.INVALID
    assert server.requests == []


@pytest.mark.parametrize("namespace", [".", "..", "a/b", "Upper", "a b"])
def test_a_namespace_that_would_lead_elsewhere_is_not_asked_for(server: FaultServer, namespace: str) -> None:
    """A kubeconfig's context may hold any text: `..` would ask for the objects of the whole cluster."""
    error = failure(connect(server.url, namespace=namespace))
    assert error.kind is ErrorKind.INVALID
    assert repr(namespace) in error.found
    assert server.requests == []


def test_a_listing_goes_through_all_pages_and_says_the_kind(server: FaultServer) -> None:
    first = {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "c1"}, "items": [{"n": 1}]}
    second = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [{"n": 2}]}
    server.on("GET", PODS, reply(200, first), reply(200, second))
    items = list(connect(server.url).list("v1", "pods", label_selector="a=b", page=1))
    assert items == [{"apiVersion": "v1", "kind": "Pod", "n": n} for n in (1, 2)]
    assert [request.query.get("continue") for request in server.requests] == [None, "c1"]
    assert server.requests[1].query["labelSelector"] == "a=b"


def test_one_client_serves_many_threads(server: FaultServer) -> None:
    server.on("GET", MAP, reply(200, {"kind": "ConfigMap"}))
    client, answers = connect(server.url, width=16), list[Any]()
    threads = [threading.Thread(target=lambda: answers.append(client.get("v1", "configmaps", "x"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [{"kind": "ConfigMap"}] * 16


# --- streams ---------------------------------------------------------------------------------------------------


def test_a_watch_gives_events_until_the_server_ends_it(server: FaultServer) -> None:
    event = '{"type":"ADDED","object":{"a":"line\\u2028separator"}}'
    server.on("GET", PODS, stream([event, "", '{"type":"DELETED","object":{}}']))
    client = connect(server.url)
    events = list(client.watch("v1", "pods", field_selector="metadata.name=x", resource_version="7", timeout=5))
    assert events == [("ADDED", {"a": "line\u2028separator"}), ("DELETED", {})]
    asked = server.requests[0].query
    assert (asked["resourceVersion"], asked["timeoutSeconds"], asked["watch"]) == ("7", "5", "true")


def test_an_expired_resource_version_is_told_by_an_event(server: FaultServer) -> None:
    gone = '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}'
    server.on("GET", PODS, stream([gone]))
    error = failure(connect(server.url), lambda c: list(c.watch("v1", "pods", resource_version="1")))
    assert (error.status, error.reason) == (410, "Expired")


@pytest.mark.parametrize(("end", "trouble"), [("cut", ErrorKind.UNREACHABLE), ("silent", ErrorKind.TIMEOUT)])
def test_a_broken_watch_gives_what_came_and_then_an_error(server: FaultServer, end: Any, trouble: ErrorKind) -> None:
    server.on("GET", PODS, stream(['{"type":"ADDED","object":{}}'], end=end))
    events = connect(server.url, timeout=0.2).watch("v1", "pods", timeout=0.1)
    assert next(events) == ("ADDED", {})
    with pytest.raises(PlatformError) as caught:
        next(events)
    assert caught.value.kind is trouble


def test_logs_come_line_by_line_as_they_are_written(server: FaultServer) -> None:
    go_on = threading.Event()
    server.on("GET", f"{PODS}/p/log", stream(["one", go_on, "two", "{not json"], content_type="text/plain"))
    lines = connect(server.url).logs("p", follow=True)
    assert next(lines) == "one"
    go_on.set()
    assert list(lines) == ["two", "{not json"]
    assert server.requests[0].query == {"container": "main", "follow": "true"}


# --- renewal ---------------------------------------------------------------------------------------------------


UNAUTHORIZED = reply(401, {"message": "Unauthorized", "reason": "Unauthorized"})


class Renewals:
    """Gives the next token at each renewal."""

    def __init__(self, url: str, *tokens: str) -> None:
        self.url = url
        self.tokens = list(tokens)
        self.refused: list[Credential] = []

    def __call__(self, refused: Credential) -> Credential:
        self.refused.append(refused)
        if not self.tokens:
            raise CredentialError("no other token")
        return Credential(server=self.url, secret=self.tokens.pop(0))


def test_a_refused_token_is_renewed_once_and_the_request_repeated(server: FaultServer) -> None:
    server.on("POST", PODS, UNAUTHORIZED, reply(201, {"kind": "Pod"}))
    renewals = Renewals(server.url, "fresh")
    client = connect(server.url, renew=renewals)
    assert client.create("v1", "pods", {}) == {"kind": "Pod"}
    assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {TOKEN}", "Bearer fresh"]
    assert [credential.secret for credential in renewals.refused] == [TOKEN]
    assert client.credential.secret == "fresh"


def test_a_token_that_stays_refused_is_not_renewed_for_ever(server: FaultServer) -> None:
    server.on("GET", MAP, UNAUTHORIZED)
    renewals = Renewals(server.url, *(f"fresh-{n}" for n in range(20)))
    client = connect(server.url, renew=renewals)
    for _ in range(5):
        assert failure(client).kind is ErrorKind.UNAUTHORIZED
    assert len(renewals.refused) == 1


def test_where_no_token_can_be_had_the_refusal_stands(server: FaultServer) -> None:
    server.on("GET", MAP, UNAUTHORIZED)
    renewals = Renewals(server.url)
    client = connect(server.url, renew=renewals)
    for _ in range(3):
        assert failure(client).kind is ErrorKind.UNAUTHORIZED
    assert len(renewals.refused) == 1


def test_a_token_is_renewed_before_it_ends(server: FaultServer) -> None:
    server.on("GET", MAP, reply(200, {}))
    renewals = Renewals(server.url, "fresh")
    soon = datetime.now(timezone.utc) + timedelta(seconds=20)
    client = KubernetesClient(Credential(server=server.url, secret=TOKEN, expires_at=soon), renew=renewals)
    client.get("v1", "configmaps", "x")
    client.get("v1", "configmaps", "x")
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer fresh"] * 2


# --- where it goes -----------------------------------------------------------------------------------------------


def test_a_proxy_is_used_unless_no_proxy_names_the_server(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on("GET", f"http://cluster.example{MAP}", reply(200, {"kind": "ConfigMap"}))
    server.on("GET", MAP, reply(200, {"kind": "ConfigMap"}))
    monkeypatch.setenv("HTTP_PROXY", server.url)
    connect("http://cluster.example").get("v1", "configmaps", "x")
    assert server.requests[0].headers["host"] == "cluster.example"
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,cluster.example")
    for address in ("http://cluster.example", "http://10.1.2.3"):
        assert open_session(Credential(server=address), NetworkSettings(), width=1).proxy == ""


@pytest.mark.parametrize("address", ["", "cluster.example", "https://cluster.example:99999", "ftp://x", "https://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(CredentialError):
        connect(address)


def test_secrets_in_an_address_are_not_shown() -> None:
    client = connect(f"https://me:pass@cluster.example/bearer/{TOKEN}/")
    assert client.server == "https://cluster.example/bearer/<redacted>"


def test_a_line_that_has_no_end_ends_the_stream(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hera_k8s_utils.network.bodies.LONGEST_LINE", 100_000)
    server.on("GET", f"{PODS}/p/log", stream(["x" * 90_000, "y" * 300_000], content_type="text/plain"))
    lines = connect(server.url).logs("p")
    assert len(next(lines)) == 90_000
    with pytest.raises(PlatformError, match="one line has no end") as caught:
        next(lines)
    assert caught.value.kind is ErrorKind.PROTOCOL


# --- requests that may have been carried out -------------------------------------------------------------------------


def status(code: int, reason: str = "") -> Any:
    return reply(code, {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": reason})


@pytest.mark.parametrize("lost", [cut(), reply(503, "")])
def test_a_deletion_whose_answer_was_lost_has_succeeded(server: FaultServer, lost: Any) -> None:
    server.on("DELETE", MAP, lost, status(404, "NotFound"))
    connect(server.url).delete("v1", "configmaps", "x")
    server.on("DELETE", MAP, status(404, "NotFound"))
    assert failure(connect(server.url), lambda c: c.delete("v1", "configmaps", "x")).kind is ErrorKind.MISSING


@pytest.mark.parametrize("lost", [cut(), reply(502, "")])
def test_a_patch_whose_answer_was_lost_is_sent_again(server: FaultServer, lost: Any) -> None:
    server.on("PATCH", MAP, lost, reply(200, {"kind": "ConfigMap"}))
    assert connect(server.url).patch("v1", "configmaps", "x", {"data": {"A": "1"}}) == {"kind": "ConfigMap"}


@pytest.mark.parametrize("lost", [cut(), reply(503, "")])
def test_a_token_that_got_lost_is_asked_for_again(server: FaultServer, lost: Any) -> None:
    path = "/api/v1/namespaces/default/serviceaccounts/bot/token"
    server.on("POST", path, lost, reply(201, {"kind": "TokenRequest"}))
    found = connect(server.url).create("v1", "serviceaccounts", {}, name="bot", subresource="token")
    assert found == {"kind": "TokenRequest"}


@pytest.mark.parametrize(
    ("answer", "conclusive"),
    [
        (status(403, "Forbidden"), True),
        (status(404, "NotFound"), True),
        (status(422, "Invalid"), True),
        (status(500, "InternalError"), False),
        (status(504, "Timeout"), False),
        (status(408, "RequestTimeout"), False),
        (reply(403, "<html></html>"), False),
        (reply(404, "default backend - 404"), False),
        (reply(401, {"type": "error", "message": "must authenticate"}), False),
        (reply(302, "", headers={"Location": "https://login.example/"}), False),
        (html_login(), False),
        (cut(), False),
    ],
)
def test_only_the_servers_own_words_are_a_refusal(server: FaultServer, answer: Any, conclusive: bool) -> None:
    server.on("POST", MAP.removesuffix("/x"), answer)
    error = failure(connect(server.url), lambda c: c.create("v1", "configmaps", {"metadata": {"name": "x"}}))
    assert error.conclusive is conclusive


def test_an_answer_that_is_lost_behind_a_proxy_is_no_refusal(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = MAP.removesuffix("/x")
    for path in (f"http://cluster.example{maps}", maps):
        server.on("POST", path, cut())
    monkeypatch.setenv("HTTP_PROXY", server.url)
    error = failure(connect("http://cluster.example"), lambda c: c.create("v1", "configmaps", {}))
    assert len(server.requests) == 1
    assert not error.conclusive


def test_a_request_that_was_never_sent_had_no_effect() -> None:
    error = failure(connect(f"http://127.0.0.1:{refused_port()}"), lambda c: c.create("v1", "configmaps", {}))
    assert error.conclusive
    authority = trustme.CA()
    with FaultServer(tls=tls_context(authority)) as server:
        assert failure(connect(server.url), lambda c: c.create("v1", "configmaps", {})).conclusive
    with FaultServer() as server:
        plain = server.url.replace("http://", "https://")
        assert failure(connect(plain), lambda c: c.create("v1", "configmaps", {})).conclusive
