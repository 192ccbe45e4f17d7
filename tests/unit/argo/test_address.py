"""The Argo server's address in every accepted form."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_k8s_argo.address import Address, parse_address
from hera_k8s_utils import OptionsError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("argo.example:2746", "https://argo.example:2746"),
        ("argo.example", "https://argo.example"),
        ("argo.example/", "https://argo.example"),
        ("https://argo.example/", "https://argo.example"),
        ("HTTPS://Argo.Example:2746", "https://argo.example:2746"),
        ("http://argo.example", "http://argo.example"),
        ("http://argo.example:80/argo/", "http://argo.example:80/argo"),
        ("argo.example:2746/sub/path//", "https://argo.example:2746/sub/path"),
        ("  localhost:2746\n", "https://localhost:2746"),
        ("127.0.0.1:2746", "https://127.0.0.1:2746"),
        ("[::1]:2746", "https://[::1]:2746"),
        ("::1", "https://[::1]"),
        ("http://[fd00::7]/argo", "http://[fd00::7]/argo"),
        ("argo_server:2746", "https://argo_server:2746"),
    ],
)
def test_a_form_means_an_address(text: str, meant: str) -> None:
    assert str(parse_address(text)) == meant


def test_insecure_is_heard_where_no_scheme_is_said() -> None:
    assert str(parse_address("argo.example:2746", secure=False)) == "http://argo.example:2746"
    assert str(parse_address("https://argo.example", secure=False)) == "https://argo.example"
    assert str(parse_address("http://argo.example", secure=True)) == "http://argo.example"


@pytest.mark.parametrize("base", ["argo", "/argo", "/argo/", "argo/"])
def test_the_base_href_is_taken_in_any_form(base: str) -> None:
    assert str(parse_address("argo.example:2746", base_href=base)) == "https://argo.example:2746/argo"


def test_a_path_in_the_address_beats_the_base_href() -> None:
    assert str(parse_address("https://argo.example/a", base_href="/b")) == "https://argo.example/a"
    assert str(parse_address("https://argo.example", base_href="/")) == "https://argo.example"


@pytest.mark.parametrize(
    "text",
    [
        "ftp://argo.example",
        "https://",
        "https:///argo",
        ":2746",
        "argo.example:",
        "argo.example:port",
        "argo.example:0",
        "argo.example:70000",
        "argo example",
        "[::1",
        "[::zz]:1",
        "1:2:3",
        "https://argo.example/../x",
        "https://argo.example/a b",
        "-argo.example",
        "x" * 300,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(OptionsError) as refused:
        parse_address(text)
    assert refused.value.hint


def test_the_query_of_a_copied_page_is_refused_and_not_shown() -> None:
    with pytest.raises(OptionsError) as refused:
        parse_address("https://argo.example/workflows?token=hidden")
    assert "hidden" not in str(refused.value)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(OptionsError) as refused:
        parse_address("https://me:hunter2@argo.example")
    assert "hunter2" not in str(refused.value)


LABELS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=10)
HOSTS = st.one_of(
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
ADDRESSES = st.builds(
    Address,
    scheme=st.sampled_from(["http", "https"]),
    host=HOSTS,
    port=st.none() | st.integers(1, 65535),
    base=st.lists(LABELS, max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts)),
)


@given(ADDRESSES, st.booleans(), st.sampled_from(["", "/", "//"]))
def test_an_address_that_is_written_is_read_back(address: Address, secure: bool, tail: str) -> None:
    assert parse_address(f"{address}{tail}", secure=secure) == address


@given(ADDRESSES)
def test_without_its_scheme_only_the_scheme_is_guessed(address: Address) -> None:
    written = str(address).partition("://")[2]
    assert parse_address(written, secure=address.scheme == "https") == address


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except OptionsError:
        return
    assert parse_address(str(address)) == address
