"""Limits of answers, for both clients: what counts towards them, what does not, and what is said."""

from __future__ import annotations

import base64
import gzip
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from fault_server import (
    Answer,
    FaultServer,
    bomb,
    drip,
    endless,
    hang,
    head,
    lying_length,
    raw,
    reply,
    slow_headers,
    stream,
    tls_context,
)

from hera_k8s_argo.nodes import nodes_of
from hera_k8s_argo.sse import frames
from hera_k8s_kube.certificates import read_certificate
from hera_k8s_kube.client import KubernetesClient
from hera_k8s_utils.errors import ErrorKind, PlatformError
from hera_k8s_utils.network.bodies import EVENTS, FINISHED, GROWING
from hera_k8s_utils.network.http import HttpClient, NetworkSettings
from hera_k8s_utils.network.jwt import decode_claims
from hera_k8s_utils.network.limits import OutOfTime, RequestLimits
from hera_k8s_utils.plugins.credentials import Credential

QUICK = NetworkSettings(http_timeout=1.0, http_connect_timeout=1.0, http_retries=2)
PATIENT = NetworkSettings(http_timeout=30, http_retries=2)

Ask = Callable[[str, NetworkSettings], Any]


def through_http(url: str, settings: NetworkSettings) -> Any:
    """`/x`, by the client of core."""
    return HttpClient(url, settings).get("x").json()


def through_kubernetes(url: str, settings: NetworkSettings) -> Any:
    """The server's version, by the client of Kubernetes."""
    return KubernetesClient(Credential(server=url), network=settings).version()


@pytest.fixture(params=[through_http, through_kubernetes], ids=["http", "kubernetes"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """One request through one of the two clients."""
    found: Ask = request.param
    return found


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def refused(ask: Ask, url: str, settings: NetworkSettings = QUICK) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        ask(url, settings)
    return caught.value


# --- size ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [endless, bomb, lying_length], ids=["endless", "bomb", "lying length"])
def test_an_answer_that_is_too_large_is_refused(server: FaultServer, ask: Ask, answer: Callable[[], Answer]) -> None:
    server.otherwise = answer()
    found = refused(ask, server.url, PATIENT)
    assert found.kind is ErrorKind.PROTOCOL
    assert "its answer is larger than" in found.found
    assert len(server.requests) == 1, "asking again would give the same"


def test_a_compressed_answer_is_read(server: FaultServer, ask: Ask) -> None:
    content = json.dumps({"items": ["x" * 200_000, "y" * 200_000]}).encode()
    packed = gzip.compress(content[:100_000]) + gzip.compress(content[100_000:])  # RFC 1952 allows several members
    server.otherwise = reply(200, packed, headers={"Content-Encoding": "gzip"})
    assert ask(server.url, PATIENT) == json.loads(content)


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
def test_an_encoding_that_was_not_asked_for_is_named(server: FaultServer, ask: Ask, encoding: str) -> None:
    server.otherwise = reply(200, b"...", headers={"Content-Encoding": encoding})
    found = refused(ask, server.url)
    assert found.kind is ErrorKind.PROTOCOL
    assert repr(encoding) in found.found


def test_what_is_not_compressed_as_it_says_is_refused(server: FaultServer, ask: Ask) -> None:
    server.otherwise = reply(200, b'{"a": 1}', headers={"Content-Encoding": "gzip"})
    assert "cannot be decompressed" in refused(ask, server.url).found


def test_an_answer_that_is_shorter_than_it_says_was_cut(server: FaultServer, ask: Ask) -> None:
    server.otherwise = raw([head(200, "Content-Length: 100"), b"{}"])
    assert refused(ask, server.url).kind is ErrorKind.UNREACHABLE


def test_the_words_of_a_refusal_are_kept_although_it_has_no_end(server: FaultServer, ask: Ask) -> None:
    server.otherwise = endless(403, begin=b"you may not do this: ")
    found = refused(ask, server.url, PATIENT)
    assert (found.status, found.kind) == (403, ErrorKind.FORBIDDEN)


# --- time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [drip, slow_headers, hang], ids=["drip", "slow headers", "silence"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_whole_answer_must_come_within_the_time(
    ask: Ask, answer: Callable[[], Answer], tls: bool, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    settings = NetworkSettings(http_timeout=1.0, http_retries=2, ca_file=tmp_path / "ca.pem" if tls else None)
    with FaultServer(tls=tls_context(authority) if tls else None) as server:
        server.otherwise = answer()
        found = refused(ask, server.url, settings)
        assert len(server.requests) == 1, "what took all the time is not asked for again"
    assert found.kind is ErrorKind.TIMEOUT
    assert "answer within 1 s" in found.found
    assert "--http-timeout" in found.hint


@contextmanager
def deaf() -> Iterator[int]:
    """The port of a server that takes connections and reads nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield int(listener.getsockname()[1])


def test_a_handshake_that_does_not_come_about_ends(ask: Ask) -> None:
    with deaf() as port:
        assert refused(ask, f"https://127.0.0.1:{port}").kind is ErrorKind.TIMEOUT


def test_a_server_that_does_not_read_is_not_written_to_for_ever() -> None:
    with deaf() as port, pytest.raises(PlatformError) as caught:
        HttpClient(f"http://127.0.0.1:{port}", QUICK).post("x", data=b"x" * 50_000_000)
    assert caught.value.kind is ErrorKind.TIMEOUT


@pytest.mark.parametrize("answer", [slow_headers, hang], ids=["slow headers", "silence"])
def test_a_proxy_must_connect_within_the_time(server: FaultServer, answer: Callable[[], Answer]) -> None:
    server.otherwise = answer()
    client = HttpClient("https://argo.example", QUICK, environ={"HTTPS_PROXY": server.url})
    with pytest.raises(PlatformError) as caught:
        client.get("x")
    assert caught.value.kind is ErrorKind.TIMEOUT


def test_repetitions_share_the_time_and_the_waits_between_them_do_not_count(server: FaultServer, ask: Ask) -> None:
    busy = reply(429, {"message": "slow down"}, headers={"Retry-After": "2"})
    server.otherwise = busy
    server.on("GET", "/x", busy, reply(200, {"ok": True}))
    server.on("GET", "/version", busy, reply(200, {"ok": True}))
    assert ask(server.url, QUICK) == {"ok": True}


def test_a_server_that_asks_for_a_long_wait_is_not_waited_for(server: FaultServer, ask: Ask) -> None:
    server.otherwise = reply(429, {"message": "slow down"}, headers={"Retry-After": "86400"})
    with pytest.raises(PlatformError) as caught:
        ask(server.url, QUICK)
    assert caught.value.kind is ErrorKind.THROTTLED
    assert len(server.requests) == 1


def test_limits_of_one_request_are_counted_down() -> None:
    limits = RequestLimits(10, most=5)
    limits.take(5)
    with pytest.raises(OSError, match="larger than"):
        limits.take(1)
    limits.extend(-20)
    with pytest.raises(OutOfTime, match="no whole answer within 10 s"):
        limits.within()
    limits.extend(20)
    assert limits.within(1) == 1
    limits.restart(3, awaited="line")
    assert 0 < limits.within() <= 3


# --- streams ---------------------------------------------------------------------------------------------------


def test_a_stream_of_events_needs_whole_lines(server: FaultServer) -> None:
    server.otherwise = drip()
    with pytest.raises(PlatformError) as caught:
        list(HttpClient(server.url, PATIENT).stream("x", silence=1.0, pace=EVENTS))
    assert caught.value.kind is ErrorKind.TIMEOUT


def test_a_log_that_is_there_needs_more_than_drops(server: FaultServer) -> None:
    server.otherwise = raw([head(200)], iter([b"x\n"] * 100), pause=0.1)
    with pytest.raises(PlatformError) as caught:
        list(HttpClient(server.url, PATIENT).stream("x", silence=1.0, pace=FINISHED))
    assert caught.value.kind is ErrorKind.TIMEOUT


def test_a_program_may_write_dots_for_longer_than_a_log_may_be_silent(server: FaultServer) -> None:
    server.otherwise = raw([head(200)], iter([b"."] * 15 + [b"\n"]), pause=0.1)
    assert list(HttpClient(server.url, PATIENT).stream("x", silence=1.0, pace=GROWING)) == ["." * 15]


def test_a_long_log_is_read_to_its_end_although_it_is_larger_than_an_answer_may_be(server: FaultServer) -> None:
    lines, size = 80, 1_000_000
    server.otherwise = stream(["x" * size] * lines)
    assert sum(map(len, HttpClient(server.url, PATIENT).stream("x", pace=FINISHED))) == lines * size
    client = KubernetesClient(Credential(server=server.url), network=PATIENT)
    assert sum(map(len, client.logs("x"))) == lines * size


def test_an_event_in_ever_more_lines_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hera_k8s_argo.sse._LONGEST", 1000)
    assert list(frames(["data: {", "data: }", ""] * 400)) == ["{\n}"] * 400
    with pytest.raises(PlatformError, match="one event is too long"):
        list(frames(iter(["data:"] * 1000)))


# --- lists -----------------------------------------------------------------------------------------------------


def test_a_list_whose_pages_have_no_end_is_given_up(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hera_k8s_utils.network.limits.MOST_PAGES", 3)
    metadata = {"continue": "more"}
    page = {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": [{"metadata": {}}]}
    server.otherwise = reply(200, page)
    client = KubernetesClient(Credential(server=server.url), network=PATIENT)
    with pytest.raises(PlatformError, match="the list has no end"):
        list(client.list("v1", "pods"))
    assert len(server.requests) == 4


# --- what answers hold -----------------------------------------------------------------------------------------


def test_compressed_nodes_that_unpack_without_a_bound_are_left_out() -> None:
    packed = base64.b64encode(gzip.compress(b" " * 70_000_000)).decode()
    assert nodes_of({"compressedNodes": packed}) == {}
    small = base64.b64encode(gzip.compress(b'{"a": {}}')).decode()
    assert nodes_of({"compressedNodes": small}) == {"a": {}}


def test_a_token_with_deep_claims_is_opaque() -> None:
    claims = base64.urlsafe_b64encode(b'{"sub":' + b"[" * 100_000 + b"]" * 100_000 + b"}").decode().rstrip("=")
    assert decode_claims(f"e30.{claims}.x") == {}


def test_a_certificate_that_is_begun_again_and_again_is_none() -> None:
    assert read_certificate(b"-----BEGIN CERTIFICATE-----" * 40_000) is None
