"""Tokens for the Argo server: where they come from, how they are written, what is said of them."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from argo_peer import TOKEN, jwt
from hypothesis import given
from hypothesis import strategies as st

from hera_k8s_argo.token_store import user_logins
from hera_k8s_utils import Credential, CredentialError, NoCredential, build_container
from hera_k8s_utils.network.headers import bearer_token
from hera_k8s_utils.network.jwt import read_claims
from hera_k8s_utils.plugins.clients import ARGO

SERVER = "argo.example:2746"


def credential(environ: dict[str, str] | None = None, **settings: object) -> Credential:
    with build_container(None, environ=environ or {}, **settings) as container:
        return container.context().platforms.credential(ARGO.name)


@pytest.mark.parametrize(
    "written", [TOKEN, f"Bearer {TOKEN}", f"bearer   {TOKEN}\n", f" '{TOKEN}' ", f'"Bearer {TOKEN}"']
)
def test_the_word_bearer_and_quotes_are_taken_off(written: str) -> None:
    assert bearer_token(written) == TOKEN


def test_a_token_of_single_sign_on_keeps_its_version() -> None:
    assert bearer_token("Bearer v2:abc.def") == "v2:abc.def"


@pytest.mark.parametrize("written", ["", "  ", "Bearer", "Bearer ", "two words", "Basic abc", "tab\tinside", "naïve"])
def test_what_is_no_token_is_refused_without_being_shown(written: str) -> None:
    with pytest.raises(CredentialError) as refused:
        bearer_token(written)
    assert not written.strip() or written.strip() == "Bearer" or written not in str(refused.value)


def test_a_json_web_token_says_as_whom_and_until_when() -> None:
    facts = read_claims(jwt(sub="system:serviceaccount:vcity:runner", exp=1_800_000_000))
    assert facts.identity == "system:serviceaccount:vcity:runner"
    assert facts.expires_at == datetime(2027, 1, 15, 8, 0, tzinfo=timezone.utc)


@given(st.text(max_size=80) | st.builds(lambda **c: jwt(**c), exp=st.integers() | st.floats() | st.text(max_size=3)))
def test_any_token_says_something_or_nothing(token: str) -> None:
    facts = read_claims(token)
    assert facts.expires_at is None or facts.expires_at.tzinfo is not None


def test_the_variables_of_argo_are_heard() -> None:
    found = credential({"ARGO_SERVER": SERVER, "ARGO_TOKEN": f"Bearer {TOKEN}", "ARGO_SECURE": "false"})
    assert (found.secret, found.server) == (TOKEN, f"http://{SERVER}")
    assert found.source == "ARGO_TOKEN"


def test_a_token_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"Bearer {TOKEN}\n")
    assert credential(argo_server=SERVER, argo_token_file=str(file)).secret == TOKEN


def test_the_token_that_was_given_more_explicitly_counts(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-the-file")
    environ = {"ARGO_SERVER": SERVER, "ARGO_TOKEN": TOKEN}
    assert credential(environ, argo_token_file=str(file)).secret == "from-the-file"


def test_a_token_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="nowhere"):
        credential(argo_server=SERVER, argo_token_file=str(tmp_path / "nowhere"))


def test_a_login_is_found_by_the_servers_address() -> None:
    user_logins().save(f"https://{SERVER}", TOKEN)
    found = credential(argo_server=f"https://{SERVER}/")
    assert found.secret == TOKEN
    assert found.source.startswith("login, ")


def test_another_servers_login_is_not_taken() -> None:
    user_logins().save("https://other.example", TOKEN)
    with pytest.raises(CredentialError, match="there is no login for"):
        credential(argo_server=SERVER)


def test_a_server_without_a_token_is_an_error_not_another_way() -> None:
    with pytest.raises(CredentialError) as refused:
        credential(argo_server=SERVER)
    assert not isinstance(refused.value, NoCredential)
    assert "hera-k8s login" in refused.value.hint


def test_without_a_server_argo_is_not_configured() -> None:
    with pytest.raises(NoCredential, match="ARGO_SERVER"):
        credential({"ARGO_TOKEN": TOKEN})


def test_no_token_is_sent_where_that_was_said() -> None:
    found = credential({"ARGO_TOKEN": TOKEN}, argo_server=SERVER, argo_anonymous=True)
    assert found.secret == ""


def test_the_provider_can_be_asked_for_by_name() -> None:
    assert credential(argo_server=SERVER, credentials=("argo=anonymous",)).secret == ""


def test_no_message_shows_the_token() -> None:
    found = credential(argo_server=SERVER, argo_token=TOKEN)
    assert TOKEN not in repr(found)
    with pytest.raises(CredentialError) as refused:
        credential(argo_server=SERVER, argo_token=f"{TOKEN} {TOKEN}")
    assert TOKEN not in str(refused.value)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_the_store_is_readable_by_its_owner_alone() -> None:
    store = user_logins()
    store.save("https://argo.example", TOKEN)
    assert store.path.stat().st_mode & 0o077 == 0
    assert store.path.parent.stat().st_mode & 0o077 == 0


def test_a_store_inside_a_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    store = user_logins({"XDG_CONFIG_HOME": str(tmp_path / "config")})
    with pytest.raises(CredentialError, match="repository"):
        store.save("https://argo.example", TOKEN)
    assert not store.path.exists()


def test_a_store_that_is_damaged_is_named_and_not_overwritten() -> None:
    store = user_logins()
    store.path.parent.mkdir(parents=True)
    store.path.write_text("{")
    with pytest.raises(CredentialError, match="cannot use the token store"):
        store.save("https://argo.example", TOKEN)
    assert store.path.read_text() == "{"


def test_logins_are_kept_side_by_side_and_forgotten_one_by_one() -> None:
    store = user_logins()
    store.save("https://a.example", "token-a")
    store.save("https://b.example", "token-b")
    assert store.remove("https://a.example")
    assert not store.remove("https://a.example")
    kept = store.find("https://b.example")
    assert kept is not None
    assert kept.token == "token-b"
    assert datetime.now(timezone.utc) - kept.saved < timedelta(minutes=5)
