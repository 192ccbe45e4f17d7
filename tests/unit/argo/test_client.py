"""The client of the Argo server: what it asks for, what it makes of failures, and tokens that are renewed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import trustme
from argo_peer import EVENTS, NAMESPACE, TOKEN, WORKFLOWS, ArgoPeer, argo_context, hello, jwt, refusal
from fault_server import FaultServer, html_login, refused_port, reply, sse, stream, tls_context

from hera_k8s_argo.token_refresh import RefreshingToken
from hera_k8s_utils import Context, ErrorKind, OptionsError, PlatformError


@pytest.fixture
def peer() -> Iterator[ArgoPeer]:
    with ArgoPeer() as peer:
        yield peer


@pytest.fixture
def context(peer: ArgoPeer) -> Iterator[Context]:
    with argo_context(peer.url) as context:
        yield context


def failure(context: Context) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        context.argo.version()
    assert TOKEN not in str(caught.value)
    return caught.value


def test_the_base_path_is_kept() -> None:
    with FaultServer() as server, argo_context(f"{server.url}/argo/") as context:
        server.on("GET", "/argo/api/v1/version", reply(200, {"version": "v4.1.2"}))
        assert context.argo.version() == "v4.1.2"
        assert context.argo.url("hello") == f"{server.url}/argo/workflows/{NAMESPACE}/hello"


def test_nothing_is_asked_before_it_is_needed(peer: ArgoPeer, context: Context) -> None:
    assert context.argo.server == peer.url
    assert context.argo.namespace == NAMESPACE
    assert peer.requests == []


def test_no_token_is_sent_to_a_server_that_asks_for_none(peer: ArgoPeer) -> None:
    with argo_context(peer.url, argo_anonymous=True) as context:
        context.argo.version()
    assert "authorization" not in peer.requests[0].headers


def test_create_sends_the_workflow_as_it_is(peer: ArgoPeer, context: Context) -> None:
    created = context.argo.create(hello())
    assert created["metadata"]["uid"] == "uid-hello"
    assert peer.asked("POST")[0].json() == {"namespace": NAMESPACE, "serverDryRun": False, "workflow": hello()}


@pytest.mark.parametrize("namespace", [".", "..", "a/b", "Upper", "a b"])
def test_a_namespace_that_would_lead_elsewhere_is_not_asked_for(
    namespace: str, peer: ArgoPeer, context: Context
) -> None:
    """A kubeconfig's context may hold any text."""
    argo = context.argo
    for ask in (
        partial(argo.create, hello()),
        partial(argo.lint, hello()),
        partial(argo.get, "hello"),
        partial(argo.delete, "hello"),
        partial(argo.delete_template, "hello"),
        partial(argo.act, "hello", "stop"),
        argo.list,
        partial(argo.watch, "hello"),
        partial(argo.logs, "hello"),
        partial(argo.artifact, "hello", "node", "main-logs"),
    ):
        with pytest.raises(OptionsError, match="is not the name of a namespace"):
            list(ask(namespace=namespace))
    assert peer.requests == []


def test_a_listing_is_fetched_page_by_page(peer: ArgoPeer, context: Context) -> None:
    first = reply(200, {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]})
    last = reply(200, {"metadata": {}, "items": [{"metadata": {"name": "b"}}]})
    peer.on("GET", WORKFLOWS, first, last)
    found = [w["metadata"]["name"] for w in context.argo.list(label_selector="x=y", fields="items.metadata.name")]
    assert found == ["a", "b"]
    one, two = peer.asked("GET", WORKFLOWS)
    assert one.query["listOptions.labelSelector"] == "x=y"
    assert one.query["fields"] == "metadata,items.metadata.name"
    assert two.query["listOptions.continue"] == "more"


def test_a_limited_listing_asks_for_no_more_than_that(peer: ArgoPeer, context: Context) -> None:
    items = [{"metadata": {"name": name}} for name in "abc"]
    peer.on("GET", WORKFLOWS, reply(200, {"metadata": {"continue": "more"}, "items": items}))
    assert len(list(context.argo.list(limit=2))) == 2
    assert [r.query["listOptions.limit"] for r in peer.asked("GET", WORKFLOWS)] == ["2"]


def test_resubmitting_is_not_repeated_when_its_answer_is_lost(peer: ArgoPeer, context: Context) -> None:
    peer.on("PUT", f"{WORKFLOWS}/hello/resubmit", refusal(503, "later"))
    with pytest.raises(PlatformError):
        context.argo.act("hello", "resubmit")
    assert len(peer.asked("PUT")) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "Hello", "a?b"])
def test_what_is_no_name_is_not_asked_for(peer: ArgoPeer, context: Context, name: str) -> None:
    with pytest.raises(OptionsError):
        context.argo.get(name)
    assert peer.requests == []


@pytest.mark.parametrize(
    ("status", "code", "trouble"),
    [
        (400, 3, ErrorKind.INVALID),
        (401, 16, ErrorKind.UNAUTHORIZED),
        (403, 7, ErrorKind.FORBIDDEN),
        (404, 5, ErrorKind.MISSING),
        (409, 6, ErrorKind.CONFLICT),
        (429, 8, ErrorKind.THROTTLED),
        (500, 13, ErrorKind.SERVER),
    ],
)
def test_an_error_is_told_in_the_servers_words(
    peer: ArgoPeer, context: Context, status: int, code: int, trouble: ErrorKind
) -> None:
    peer.on("GET", "/api/v1/version", refusal(status, "the reason", code, headers={"Retry-After": "0"}))
    error = failure(context)
    assert (error.kind, error.status) == (trouble, status)
    assert "the reason" in error.found


def test_a_refused_token_says_how_to_log_in(peer: ArgoPeer, context: Context) -> None:
    peer.on("GET", "/api/v1/version", refusal(401, f"token {TOKEN} not valid", 16))
    assert "hera-k8s login" in failure(context).hint


def test_a_login_page_is_told_as_such(peer: ArgoPeer, context: Context) -> None:
    peer.on("GET", "/api/v1/version", html_login())
    error = failure(context)
    assert error.kind is ErrorKind.PROTOCOL
    assert "web page" in error.found


def test_a_server_that_is_down_is_unreachable() -> None:
    with argo_context(f"http://localhost:{refused_port()}") as context:
        assert failure(context).kind is ErrorKind.UNREACHABLE


def test_a_server_without_tls_is_told_as_such(peer: ArgoPeer) -> None:
    with argo_context(f"localhost:{peer.port}") as context:
        error = failure(context)
    assert error.kind is ErrorKind.PROTOCOL
    assert peer.url in error.hint


def test_a_certificate_is_verified_unless_told_otherwise(tmp_path: Path) -> None:
    authority = trustme.CA()
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    with ArgoPeer(tls=tls_context(authority)) as peer:
        with argo_context(f"localhost:{peer.port}") as context:
            assert failure(context).kind is ErrorKind.UNTRUSTED
        with argo_context(f"localhost:{peer.port}", ca_file=str(pem)) as context:
            assert context.argo.version() == "v4.1.2"
        with argo_context(f"localhost:{peer.port}", argo_insecure_skip_verify=True) as context:
            assert context.argo.version() == "v4.1.2"


def test_a_token_that_has_expired_is_renewed_and_the_request_repeated(peer: ArgoPeer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    def expired(request, handler) -> None:
        file.write_text("new")
        refusal(401, "expired", 16)(request, handler)

    peer.on("POST", WORKFLOWS, expired, peer.accept)
    with argo_context(peer.url, argo_token_file=str(file)) as context:
        context.argo.create(hello())
        assert context.platforms.credential("argo").secret == "new"
    assert [r.headers["authorization"] for r in peer.asked("POST")] == ["Bearer old", "Bearer new"]
    assert list(peer.workflows) == ["hello"]


def test_a_token_that_is_about_to_end_is_renewed_before_it_is_used(peer: ArgoPeer, tmp_path: Path) -> None:
    soon, later = (jwt(exp=time.time() + seconds) for seconds in (30, 3600))
    file = tmp_path / "token"
    file.write_text(soon)
    with argo_context(peer.url, argo_token_file=str(file)) as context:
        argo = context.argo
        file.write_text(later)
        argo.version()
    assert [r.headers["authorization"] for r in peer.asked("GET")] == [f"Bearer {later}"]


def test_a_token_that_is_about_to_end_is_used_where_there_is_no_other(peer: ArgoPeer) -> None:
    soon = jwt(exp=time.time() + 30)
    with argo_context(peer.url, argo_token=soon) as context:
        context.argo.version()
        given = context.platforms.credential("argo")
        context.argo.version()
        assert context.platforms.credential("argo") is given  # it is not asked for again at every request
    assert {r.headers["authorization"] for r in peer.asked("GET")} == {f"Bearer {soon}"}


def test_many_threads_whose_token_is_refused_renew_it_once(
    peer: ArgoPeer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A renewal may run a command or ask a server: those that come late take what the first one got."""
    file = tmp_path / "token"
    file.write_text("old")
    all_have_it = threading.Barrier(8, action=lambda: file.write_text("new"))

    def use(token: RefreshingToken) -> tuple[str, str]:
        refused = token()
        all_have_it.wait(30)
        token.renew()
        return refused, token()

    with argo_context(peer.url, argo_token_file=str(file)) as context, caplog.at_level("INFO"):
        token = RefreshingToken(partial(context.platforms.credential, "argo"), partial(context.platforms.renew, "argo"))
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(use, [token] * 8)) == {("old", "new")}
    assert sum("renewed the credential for argo" in record.getMessage() for record in caplog.records) == 1


# --- streams ---


def events(context: Context) -> list[tuple[str, dict]]:
    return list(context.argo.watch("hello", fields="status.phase"))


FRAMES = [
    {"result": {"type": "ADDED", "object": {"status": {"phase": "Running"}}}},
    {"result": {"type": "MODIFIED", "object": {"status": {"phase": "Succeeded"}}}},
]
SEEN = [("ADDED", {"status": {"phase": "Running"}}), ("MODIFIED", {"status": {"phase": "Succeeded"}})]


def test_server_sent_events_are_read_and_keepalives_passed_over(peer: ArgoPeer, context: Context) -> None:
    peer.on("GET", EVENTS, sse([":", FRAMES[0], ":", ":", FRAMES[1]]))
    assert events(context) == SEEN
    asked = peer.asked("GET", EVENTS)[0]
    assert asked.headers["accept"] == "text/event-stream"
    assert asked.query["listOptions.fieldSelector"] == "metadata.name=hello"
    assert asked.query["fields"] == "error,result.type,result.object.status.phase"


def test_events_as_lines_of_json_are_read_too(peer: ArgoPeer, context: Context) -> None:
    import json

    peer.on("GET", EVENTS, stream([json.dumps(frame) for frame in FRAMES]))
    assert events(context) == SEEN


def test_the_end_that_the_server_calls_an_error_is_an_end(peer: ArgoPeer, context: Context) -> None:
    end = {"error": {"grpc_code": 8, "http_code": 429, "message": "EOF", "http_status": "Too Many Requests"}}
    peer.on("GET", EVENTS, sse([*FRAMES, end]))
    assert events(context) == SEEN


def test_an_error_frame_is_an_error(peer: ArgoPeer, context: Context) -> None:
    frame = {"error": {"grpc_code": 7, "http_code": 403, "message": "not yours", "http_status": "Forbidden"}}
    peer.on("GET", EVENTS, sse([FRAMES[0], frame]))
    with pytest.raises(PlatformError, match="not yours") as caught:
        events(context)
    assert caught.value.kind is ErrorKind.FORBIDDEN


def test_a_page_instead_of_events_is_told_as_such(peer: ArgoPeer, context: Context) -> None:
    peer.on("GET", EVENTS, html_login())
    with pytest.raises(PlatformError) as caught:
        events(context)
    assert caught.value.kind is ErrorKind.PROTOCOL


def test_log_lines_carry_the_name_of_their_pod(peer: ArgoPeer, context: Context) -> None:
    frames = [{"result": {"content": f"line {i}", "podName": "pod-a"}} for i in range(2)]
    peer.on("GET", f"{WORKFLOWS}/hello/log", sse(frames))
    lines = list(context.argo.logs("hello", pod="pod-a", follow=True))
    assert [(line.pod, line.text) for line in lines] == [("pod-a", "line 0"), ("pod-a", "line 1")]
    query = peer.asked("GET", f"{WORKFLOWS}/hello/log")[0].query
    assert query == {"logOptions.container": "main", "logOptions.follow": "true", "podName": "pod-a"}
