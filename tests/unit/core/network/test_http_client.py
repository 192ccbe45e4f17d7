"""The HTTP client against a peer that fails in every way: what is repeated, what it is called, what is shown."""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from fault_server import FaultServer, Request, cut, hang, html_login, refused_port, reply, stream, tls_context

from hera_k8s_utils.errors import CredentialError, ErrorKind, NotApplicable, OptionsError, PlatformError
from hera_k8s_utils.network.http import HttpClient, NetworkSettings

TOKEN = "s3cr3t-t0ken"
QUICK = NetworkSettings(http_timeout=0.3, http_connect_timeout=0.3, http_retries=2)
PATIENT = NetworkSettings(http_timeout=20, http_retries=2)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def failure(client: HttpClient, method: str = "GET", path: str = "x") -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        client.request(method, path)
    client.close()
    return caught.value


def test_a_base_path_is_kept(server: FaultServer) -> None:
    server.on("GET", "/argo/api/v1/version", reply(200, {"version": "v4.1.2"}))
    client = HttpClient(server.url + "/argo/", PATIENT)
    assert client.get("api/v1/version").json() == {"version": "v4.1.2"}


def test_the_token_travels_as_bearer(server: FaultServer) -> None:
    server.on("GET", "/x", reply(200, {}))
    HttpClient(server.url, PATIENT, token=lambda: TOKEN).get("x")
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", ["s3cr3t\u2026t0ken", "s3cr3t\nt0ken", "s3cr3t t0ken"])
def test_a_token_that_no_header_can_hold_is_told_as_such_and_not_shown(server: FaultServer, token: str) -> None:
    with pytest.raises(CredentialError) as refused:
        HttpClient(server.url, PATIENT, token=lambda: token).get("x")
    assert refused.value.exit_code == 4
    assert "no token has" in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
    assert server.requests == []


def test_a_netrc_file_does_not_take_the_place_of_the_token(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.on("GET", "/x", reply(200, {}))
    HttpClient(server.url, PATIENT, token=lambda: TOKEN).get("x")
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (400, ErrorKind.INVALID),
        (401, ErrorKind.UNAUTHORIZED),
        (403, ErrorKind.FORBIDDEN),
        (404, ErrorKind.MISSING),
        (409, ErrorKind.CONFLICT),
        (422, ErrorKind.INVALID),
        (429, ErrorKind.THROTTLED),
        (500, ErrorKind.SERVER),
        (302, ErrorKind.PROTOCOL),
    ],
)
def test_a_status_becomes_its_trouble_with_the_servers_words(
    server: FaultServer, status: int, trouble: ErrorKind
) -> None:
    body = {"message": f"because of {TOKEN}", "reason": "SomeReason"}
    server.on("POST", "/x", reply(status, body, headers={"Retry-After": "0"}))
    error = failure(HttpClient(server.url, PATIENT, token=lambda: TOKEN), "POST")
    assert (error.kind, error.status) == (trouble, status)
    assert TOKEN not in str(error)
    if status != 302:
        assert error.reason == "SomeReason"
        assert "because of <redacted>" in error.found


def test_what_is_safe_is_repeated_when_the_server_is_busy(server: FaultServer) -> None:
    busy = reply(503, "try later", headers={"Retry-After": "0"})
    server.on("GET", "/x", busy, busy, reply(200, {"ok": True}))
    assert HttpClient(server.url, PATIENT).get("x").json() == {"ok": True}
    assert len(server.requests) == 3


def test_a_post_is_not_repeated_when_the_server_fails(server: FaultServer) -> None:
    server.on("POST", "/x", reply(503, "", headers={"Retry-After": "0"}), reply(200, {}))
    assert failure(HttpClient(server.url, PATIENT), "POST").kind is ErrorKind.SERVER
    assert len(server.requests) == 1


def test_a_post_is_not_repeated_when_its_answer_is_lost(server: FaultServer) -> None:
    server.on("POST", "/x", cut())
    assert failure(HttpClient(server.url, PATIENT), "POST").kind is ErrorKind.UNREACHABLE
    assert len(server.requests) == 1


def test_a_throttled_post_is_repeated_for_it_had_no_effect(server: FaultServer) -> None:
    server.on("POST", "/x", reply(429, "slow down", headers={"Retry-After": "0"}), reply(200, {"ok": True}))
    assert HttpClient(server.url, PATIENT).post("x", json={}).json() == {"ok": True}


def test_throttling_without_end_is_told(server: FaultServer) -> None:
    server.on("GET", "/x", reply(429, "slow down", headers={"Retry-After": "0"}))
    error = failure(HttpClient(server.url, PATIENT))
    assert error.kind is ErrorKind.THROTTLED
    assert "slow down" in error.found
    assert len(server.requests) == 1 + PATIENT.http_retries


def test_a_put_that_must_not_be_repeated_is_not(server: FaultServer) -> None:
    server.on("PUT", "/x", reply(503, "", headers={"Retry-After": "0"}), reply(200, {}))
    with pytest.raises(PlatformError):
        HttpClient(server.url, PATIENT).put("x", repeat=False)
    assert len(server.requests) == 1


def test_a_cut_read_is_repeated(server: FaultServer) -> None:
    server.on("GET", "/x", cut(), reply(200, {"ok": True}))
    assert HttpClient(server.url, PATIENT).get("x").json() == {"ok": True}


def test_a_401_renews_the_token_once(server: FaultServer) -> None:
    tokens = ["old", "new"]
    server.on("POST", "/x", reply(401, {"message": "expired"}), reply(200, {"ok": True}))
    client = HttpClient(server.url, PATIENT, token=lambda: tokens[0], renew=lambda: tokens.pop(0))
    assert client.post("x", json={}).json() == {"ok": True}
    assert [r.headers["authorization"] for r in server.requests] == ["Bearer old", "Bearer new"]


def test_a_401_that_renewal_does_not_mend_is_told(server: FaultServer) -> None:
    def renew() -> None:
        raise NotApplicable("nothing else")

    server.on("GET", "/x", reply(401, {"message": "token not valid"}))
    error = failure(HttpClient(server.url, PATIENT, token=lambda: "old", renew=renew))
    assert error.kind is ErrorKind.UNAUTHORIZED
    assert len(server.requests) == 1


def test_threads_that_meet_a_401_renew_once_between_them(server: FaultServer) -> None:
    token, renewals = ["old"], []
    everyone = threading.Barrier(4)

    def answer(request, handler) -> None:
        if request.headers["authorization"] == "Bearer old":
            everyone.wait(20)
            reply(401, {})(request, handler)
        else:
            reply(200, {})(request, handler)

    def renew() -> None:
        renewals.append(1)
        token[0] = "new"

    server.on("GET", "/x", answer)
    client = HttpClient(server.url, PATIENT, token=lambda: token[0], renew=renew)
    threads = [threading.Thread(target=client.get, args=("x",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert renewals == [1]


def test_a_login_page_is_no_json(server: FaultServer) -> None:
    server.on("GET", "/x", html_login())
    with pytest.raises(PlatformError) as caught:
        HttpClient(server.url, PATIENT).get("x").json()
    assert caught.value.kind is ErrorKind.PROTOCOL
    assert "Sign in" in caught.value.found


def test_a_refused_connection_is_unreachable() -> None:
    error = failure(HttpClient(f"http://localhost:{refused_port()}", QUICK))
    assert error.kind is ErrorKind.UNREACHABLE
    assert "refused" in error.found


def test_an_unknown_name_is_unreachable() -> None:
    error = failure(HttpClient("https://argo.invalid", QUICK, environ={}))
    assert error.kind is ErrorKind.UNREACHABLE


def test_silence_is_a_timeout_and_is_waited_for_once(server: FaultServer) -> None:
    server.on("GET", "/x", hang())
    error = failure(HttpClient(server.url, QUICK))
    assert error.kind is ErrorKind.TIMEOUT
    assert "0.3 s" in error.found
    assert len(server.requests) == 1


def test_https_to_a_plain_server_says_so(server: FaultServer) -> None:
    url = server.url.replace("http://", "https://")
    error = failure(HttpClient(url, PATIENT))
    assert error.kind is ErrorKind.PROTOCOL
    assert server.url in error.hint


def test_plain_http_to_a_go_tls_server_says_so(server: FaultServer) -> None:
    server.on("GET", "/x", reply(400, "Client sent an HTTP request to an HTTPS server.\n"))
    error = failure(HttpClient(server.url, PATIENT))
    assert error.kind is ErrorKind.PROTOCOL
    assert "https://" in error.hint


def test_an_unknown_authority_is_untrusted(authority: trustme.CA) -> None:
    with FaultServer(tls=tls_context(authority)) as server:
        error = failure(HttpClient(server.url, PATIENT))
    assert error.kind is ErrorKind.UNTRUSTED
    assert "--ca-file" in error.hint


def test_the_ca_file_makes_it_trusted(authority: trustme.CA, ca_file: Path) -> None:
    with FaultServer(tls=tls_context(authority)) as server:
        server.on("GET", "/x", reply(200, {"ok": True}))
        by_settings = HttpClient(server.url, NetworkSettings(ca_file=ca_file))
        by_argument = HttpClient(server.url, PATIENT, ca_file=str(ca_file))
        assert by_settings.get("x").json() == by_argument.get("x").json() == {"ok": True}


def test_a_certificate_for_another_name_is_untrusted(authority: trustme.CA, ca_file: Path) -> None:
    with FaultServer(tls=tls_context(authority, "other.example")) as server:
        error = failure(HttpClient(server.url, NetworkSettings(ca_file=ca_file)))
    assert error.kind is ErrorKind.UNTRUSTED
    assert "name" in error.hint


def test_verification_can_be_told_off(authority: trustme.CA) -> None:
    with FaultServer(tls=tls_context(authority)) as server:
        server.on("GET", "/x", reply(200, {"ok": True}))
        assert HttpClient(server.url, PATIENT, verify=False).get("x").json() == {"ok": True}


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OptionsError, match=r"ca\.pem"):
        HttpClient("https://localhost:1", NetworkSettings(ca_file=path)).get("x")


def test_a_dead_proxy_is_named_without_its_password() -> None:
    proxy = f"http://me:hunter2@localhost:{refused_port()}"
    error = failure(HttpClient("https://argo.example", QUICK, environ={"HTTPS_PROXY": proxy}))
    assert error.kind is ErrorKind.UNREACHABLE
    assert "proxy" in error.found
    assert "hunter2" not in str(error)


def test_a_proxy_is_used(server: FaultServer) -> None:
    server.on("GET", "http://argo.example/x", reply(200, {"by": "proxy"}))
    server.on("GET", "/x", reply(200, {"by": "proxy"}))
    client = HttpClient("http://argo.example", PATIENT, environ={"HTTP_PROXY": server.url})
    assert client.get("x").json() == {"by": "proxy"}


def test_an_answer_that_is_lost_behind_a_proxy_may_have_been_carried_out(server: FaultServer) -> None:
    for path in ("http://argo.example/x", "/x"):
        server.on("POST", path, cut())
    client = HttpClient("http://argo.example", PATIENT, environ={"HTTP_PROXY": server.url})
    error = failure(client, "POST")
    assert len(server.requests) == 1
    assert not error.conclusive
    assert "did not connect" not in error.found


def test_an_answer_that_is_lost_in_a_tunnel_may_have_been_carried_out(authority: trustme.CA, ca_file: Path) -> None:
    settings = replace(PATIENT, ca_file=ca_file)
    with FaultServer(tls=tls_context(authority, "localhost")) as target, FaultServer() as proxy:
        target.on("POST", "/x", cut())
        proxy.on("CONNECT", str(target.port), tunnel)  # `localhost:` passes for a scheme there
        error = failure(HttpClient(target.url, settings, proxy=proxy.url), "POST")
        assert len(target.requests) == 1
    assert not error.conclusive
    assert "did not connect" not in error.found


def test_a_tunnel_that_is_refused_had_no_effect(server: FaultServer) -> None:
    error = failure(HttpClient("https://argo.example", PATIENT, proxy=server.url), "POST")
    assert error.conclusive
    assert "did not connect" in error.found


def tunnel(request: Request, handler: Any) -> None:
    """What a proxy does with CONNECT: bytes go to and fro until one side ends."""
    with socket.create_connection(("127.0.0.1", int(request.path))) as there:
        handler.send_raw(b"HTTP/1.1 200 Connection established\r\n\r\n")
        here = handler.connection
        while True:
            for side in select.select([here, there], [], [])[0]:
                data = side.recv(65536)
                if not data:
                    handler.cut()
                    return
                (there if side is here else here).sendall(data)


def test_lines_of_a_stream_come_as_they_are_sent(server: FaultServer) -> None:
    later = threading.Event()
    server.on("GET", "/x", stream(["one", "two \u2028 still two", later, "three"]))
    lines = HttpClient(server.url, PATIENT).stream("x")
    assert [next(lines), next(lines)] == ["one", "two \u2028 still two"]
    later.set()
    assert list(lines) == ["three"]


def test_a_line_may_come_in_pieces_that_split_a_character(server: FaultServer) -> None:
    def pieces(request, handler) -> None:
        handler.begin_stream(200, "text/plain")
        for byte in "naïve\r\n\n→ end".encode():
            handler.send_chunk(bytes([byte]))
        handler.send_chunk(b"")

    server.on("GET", "/x", pieces)
    assert list(HttpClient(server.url, PATIENT).stream("x")) == ["naïve", "", "→ end"]


def test_a_stream_that_is_cut_is_not_taken_for_one_that_ended(server: FaultServer) -> None:
    server.on("GET", "/x", stream(["one"], end="cut"))
    lines = HttpClient(server.url, PATIENT).stream("x")
    assert next(lines) == "one"
    with pytest.raises(PlatformError) as caught:
        next(lines)
    assert caught.value.kind is ErrorKind.UNREACHABLE


def test_a_stream_that_falls_silent_is_a_timeout(server: FaultServer) -> None:
    server.on("GET", "/x", stream(["one"], end="silent"))
    lines = HttpClient(server.url, PATIENT).stream("x", silence=1.0)
    assert next(lines) == "one"
    with pytest.raises(PlatformError) as caught:
        next(lines)
    assert caught.value.kind is ErrorKind.TIMEOUT


def test_no_log_line_holds_the_token(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    server.on("GET", "/x", reply(401, {"message": TOKEN}))
    with caplog.at_level(logging.DEBUG):
        error = failure(HttpClient(server.url, PATIENT, token=lambda: TOKEN))
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(error)
    assert error.__cause__ is None


def test_a_line_that_has_no_end_ends_the_stream(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hera_k8s_utils.network.bodies.LONGEST_LINE", 100_000)
    server.on("GET", "/x", stream(["x" * 90_000, "y" * 300_000]))
    lines = HttpClient(server.url, PATIENT).stream("x")
    assert len(next(lines)) == 90_000
    with pytest.raises(PlatformError, match="one line has no end") as caught:
        next(lines)
    assert caught.value.kind is ErrorKind.PROTOCOL
