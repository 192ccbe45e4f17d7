"""`hera-k8s login`: keeps a token, shows as whom and until when, never the token."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timezone

import pytest
from argo_peer import TOKEN, jwt

from hera_k8s_argo.token_store import user_logins
from hera_k8s_cli.main import main

SERVER = "https://argo.example:2746"
FAR = int(datetime(2099, 1, 1, tzinfo=timezone.utc).timestamp())


def login(monkeypatch: pytest.MonkeyPatch, stdin: str, *flags: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    return main(["login", "--argo-server", "argo.example:2746", *flags])


def test_a_token_from_standard_input_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = jwt(sub="jdoe", exp=FAR)
    assert login(monkeypatch, f"Bearer {token}\n") == 0
    kept = user_logins().find(SERVER)
    assert kept is not None
    assert kept.token == token
    said = "".join(capsys.readouterr())
    assert "jdoe" in said
    assert "2099" in said or "2098" in said
    assert token not in said


def test_a_program_is_told_in_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert login(monkeypatch, TOKEN, "--output", "json") == 0
    said = capsys.readouterr().out
    assert json.loads(said)["server"] == SERVER
    assert TOKEN not in said


def test_a_token_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    login(monkeypatch, TOKEN)
    assert login(monkeypatch, "", "--remove") == 0
    assert user_logins().find(SERVER) is None


def test_an_expired_token_is_not_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert login(monkeypatch, jwt(sub="jdoe", exp=1_000_000_000)) == 4
    assert user_logins().find(SERVER) is None
    assert "2001" in capsys.readouterr().err


def test_nothing_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    assert login(monkeypatch, "") == 4


def test_without_a_server_there_is_nowhere_to_log_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(TOKEN))
    assert main(["login"]) == 2
    assert "--argo-server" in capsys.readouterr().err
