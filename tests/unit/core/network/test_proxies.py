"""Which proxy a URL goes through."""

from __future__ import annotations

import pytest

from hera_k8s_utils.network.proxies import bypassed, proxy_for

PROXY = "http://proxy.example:3128"


def test_the_scheme_chooses_the_variable() -> None:
    environ = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": "http://plain.example:80"}
    assert proxy_for("https://argo.example", environ) == PROXY
    assert proxy_for("http://argo.example", environ) == "http://plain.example:80"


def test_lower_case_beats_upper_case_and_empty_means_none() -> None:
    assert proxy_for("https://argo.example", {"HTTPS_PROXY": PROXY, "https_proxy": "other:80"}) == "http://other:80"
    assert proxy_for("https://argo.example", {"HTTPS_PROXY": PROXY, "https_proxy": ""}) == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "argo.localhost"])
def test_this_machine_is_never_reached_through_a_proxy(host: str) -> None:
    assert proxy_for(f"http://{host}:8080", {"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}) == ""


@pytest.mark.parametrize(
    ("host", "port", "no_proxy"),
    [
        ("argo.example", None, "*"),
        ("argo.example", None, "example"),
        ("argo.example", None, ".example"),
        ("argo.example", None, "*.example"),
        ("argo.example", 2746, "other, argo.example:2746"),
        ("ARGO.example", None, "argo.EXAMPLE"),
        ("10.1.2.3", None, "10.0.0.0/8"),
        ("10.1.2.3", None, "10.1.2.3"),
        ("10.1.2.3", 6443, "10.1.2.3:6443"),
        ("fd00::7", None, "fd00::/8"),
        ("fd00::7", None, "[fd00::7]"),
    ],
)
def test_no_proxy_names_a_host(host: str, port: int | None, no_proxy: str) -> None:
    assert bypassed(host, port, no_proxy)


@pytest.mark.parametrize(
    ("host", "port", "no_proxy"),
    [
        ("argo.example", None, ""),
        ("notexample", None, "example"),
        ("argo.example", 443, "argo.example:2746"),
        ("11.1.2.3", None, "10.0.0.0/8"),
        ("10.1.2.3", None, "3"),
        ("10.1.2.3", None, "example,.2.3"),
        ("fd00::7", None, "10.0.0.0/8,fe80::/10"),
    ],
)
def test_no_proxy_names_another_host(host: str, port: int | None, no_proxy: str) -> None:
    assert not bypassed(host, port, no_proxy)
