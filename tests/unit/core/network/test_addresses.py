"""Addresses: shown without their secrets, which are masked elsewhere too; requests use the address itself."""

from __future__ import annotations

from typing import Any

import pytest
from fault_server import FaultServer, reply
from hypothesis import given
from hypothesis import strategies as st

from hera_k8s_utils.errors import PlatformError
from hera_k8s_utils.network.http import HttpClient, NetworkSettings
from hera_k8s_utils.redaction import isolated_secrets, redact
from hera_k8s_utils.redaction.addresses import remember_address, secrets_in, shown_address

TOKEN = "S3CRETtokenABCDEF0123456789"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://argo.example:2746/", "https://argo.example:2746"),
        ("https://rancher.example/k8s/clusters/c-m-x7kq2abc", "https://rancher.example/k8s/clusters/c-m-x7kq2abc"),
        ("https://h/argo-workflows/team-blue-2026", "https://h/argo-workflows/team-blue-2026"),
        ("argo.example:2746/argo", "argo.example:2746/argo"),
        ("[::1]:2746", "[::1]:2746"),
        ("https://0A1B2C3D4E5F60718293A4B5C6D7E8F9.gr7.eu-west-1.eks.amazonaws.com", None),
        (f"https://h/bearer/{TOKEN}/", "https://h/bearer/<redacted>"),
        ("https://h/token/abc/api", "https://h/token/<redacted>/api"),
        (f"h:80/{TOKEN}/api", "h:80/<redacted>/api"),
        ("https://h/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "https://h/<redacted>"),
        ("https://h/x?apikey=abc&y=1#z", "https://h/x"),
        ("https://user:pw@h:1/x", "https://h:1/x"),
        (f"https://[bad/bearer/{TOKEN}?x", None),
        (TOKEN, "<redacted>"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str | None) -> None:
    with isolated_secrets():
        remember_address(address)
        found = shown_address(address)
    assert TOKEN not in found
    assert found == (address if shown is None and TOKEN not in address else shown or found)


@given(st.text(max_size=60))
def test_any_text_is_shown_as_something(text: str) -> None:
    with isolated_secrets():
        remember_address(text)
        shown_address(text)


def test_what_an_address_holds_is_masked_elsewhere_too() -> None:
    with isolated_secrets():
        remember_address(f"https://me:p%40ss-w0rd@h/bearer/{TOKEN}?apikey=qwertyuiop12&limit=5")
        said = redact(f"nothing at /bearer/{TOKEN}/api, {TOKEN}, p@ss-w0rd, p%40ss-w0rd, qwertyuiop12, limit 5")
    for secret in (TOKEN, "ss-w0rd", "qwertyuiop12"):
        assert secret not in said
    assert said.endswith("limit 5")


def test_an_ordinary_address_holds_no_secret() -> None:
    assert list(secrets_in("https://argo.example:2746/argo/team-blue-2026?limit=500")) == []


def test_requests_use_the_address_itself_and_messages_do_not() -> None:
    with isolated_secrets(), FaultServer() as server:
        client = HttpClient(f"{server.url}/bearer/{TOKEN}", NetworkSettings())
        server.on("GET", f"/bearer/{TOKEN}/ok", reply(200, {}))
        answer = client.get("ok")
        with pytest.raises(PlatformError) as refused:
            client.get("not-there")
        client.close()
    for shown in (repr(client), repr(answer), str(refused.value)):
        assert TOKEN not in shown
    assert refused.value.found == "nothing at /bearer/<redacted>/not-there (404)"


def test_an_option_that_is_an_address_is_listed_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from hera_k8s_cli.main import main

    monkeypatch.setenv("ARGO_SERVER", f"argo.example/bearer/{TOKEN}")
    assert main(["config", "--set-only"]) == 0
    out = capsys.readouterr().out
    assert "argo.example/bearer/<redacted>" in out
    assert TOKEN not in out
