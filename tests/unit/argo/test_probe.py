"""The probe of the Argo server: what a user is told before anything is submitted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from argo_peer import NAMESPACE, WORKFLOWS, ArgoPeer, connected, jwt, refusal
from fault_server import reply

from hera_k8s_argo.probe import probe_argo
from hera_k8s_argo.settings import ArgoSettings
from hera_k8s_utils import CheckResult, ErrorKind, PlatformError, Verdict


@pytest.fixture
def peer() -> Iterator[ArgoPeer]:
    with ArgoPeer() as peer:
        yield peer


def probed(peer: ArgoPeer, **settings: Any) -> CheckResult:
    with connected(peer.url, **settings) as container:
        context = container.context()
        (finding,) = probe_argo(context.options.of(ArgoSettings), context)
        return finding.result


def expiring(**span: int) -> str:
    return jwt(sub="jdoe", exp=int((datetime.now(timezone.utc) + timedelta(**span)).timestamp()))


def test_all_is_well(peer: ArgoPeer) -> None:
    result = probed(peer, argo_token=expiring(hours=9))
    assert (result.verdict, result.detail) == (Verdict.PASSED, "4.1.2, authorised")


def test_authorisation_is_tried_by_the_cheapest_list(peer: ArgoPeer) -> None:
    probed(peer)
    (asked,) = peer.asked("GET", WORKFLOWS)
    assert asked.query == {"listOptions.limit": "1", "fields": "metadata,items.metadata.name"}


def test_a_token_that_soon_expires_is_a_warning(peer: ArgoPeer) -> None:
    result = probed(peer, argo_token=expiring(minutes=12, seconds=30))
    assert result.verdict is Verdict.WARNING
    assert "expires in 12 min" in result.detail
    assert result.hint == "hera-k8s login"


def test_an_expired_token_that_is_refused_is_told_as_expired(peer: ArgoPeer) -> None:
    peer.on("GET", WORKFLOWS, refusal(401, "token not valid", 16))
    result = probed(peer, argo_token=expiring(hours=-3))
    assert result.verdict is Verdict.FAILED
    assert "expired 3 h ago" in result.detail


def test_another_refused_token_is_the_servers_to_explain(peer: ArgoPeer) -> None:
    peer.on("GET", WORKFLOWS, refusal(401, "token not valid", 16))
    with pytest.raises(PlatformError) as caught:
        probed(peer)
    assert caught.value.kind is ErrorKind.UNAUTHORIZED


def test_a_server_for_another_namespace_fails(peer: ArgoPeer) -> None:
    peer.on("GET", "/api/v1/info", reply(200, {"managedNamespace": "argo"}))
    result = probed(peer)
    assert result.verdict is Verdict.FAILED
    assert result.hint == "-n argo"


def test_a_server_for_this_namespace_alone_passes(peer: ArgoPeer) -> None:
    peer.on("GET", "/api/v1/info", reply(200, {"managedNamespace": NAMESPACE}))
    assert probed(peer).verdict is Verdict.PASSED


def test_an_account_without_rights_fails(peer: ArgoPeer) -> None:
    peer.on("GET", WORKFLOWS, refusal(403, "workflows.argoproj.io is forbidden", 7))
    result = probed(peer)
    assert result.verdict is Verdict.FAILED
    assert "not authorised" in result.detail
    assert "namespace" in result.hint


def test_trouble_of_the_server_is_left_to_the_report_to_name(peer: ArgoPeer) -> None:
    peer.on("GET", "/api/v1/version", reply(500, {"message": "broken"}))
    with pytest.raises(PlatformError, match="broken"):
        probed(peer)


def test_a_server_that_forbids_everything_is_not_passed_over(peer: ArgoPeer) -> None:
    for path in ("/api/v1/version", "/api/v1/info", WORKFLOWS):
        peer.on("GET", path, refusal(403, "not for you", 7))
    result = probed(peer)
    assert (result.verdict, result.detail) == (Verdict.FAILED, "version unknown, but not authorised: not for you (403)")


def test_a_server_that_keeps_its_version_to_itself_passes(peer: ArgoPeer) -> None:
    peer.on("GET", "/api/v1/version", refusal(403, "not for you", 7))
    peer.on("GET", "/api/v1/info", refusal(403, "not for you", 7))
    result = probed(peer)
    assert (result.verdict, result.detail) == (Verdict.PASSED, "version unknown, authorised")


def test_a_server_that_is_another_one_is_asked_after(peer: ArgoPeer) -> None:
    peer.on("GET", "/api/v1/version", refusal(404, "nothing of this name", 5))
    result = probed(peer)
    assert result.verdict is Verdict.FAILED
    assert result.detail == f"GET {peer.url}/api/v1/version: nothing of this name (404)"
    assert "--argo-base-href" in result.hint
