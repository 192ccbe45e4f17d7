"""Options that nobody knows or that cannot be used: the nearest name is given, and no value is ever repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import SECRET, SMALL, CommandLine, records


@pytest.fixture
def hera(work: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """No output of any of these commands may hold the secret, which each test gives as a value."""
    (work / "experiment.py").write_text(SMALL)
    return CommandLine(capsys)


@pytest.mark.parametrize("command", ["run", "check", "render", "layout", "runs", "config"])
@pytest.mark.parametrize("words", [["--argo-sever", SECRET], [f"--argo_sever={SECRET}"]], ids=["two words", "one word"])
def test_an_unknown_flag_is_told_with_the_nearest(hera: CommandLine, command: str, words: list[str]) -> None:
    told = hera(command, *words)
    assert (told.code, told.out) == (2, "")
    assert told.lines == ["--argo-sever is unknown", "  -> did you mean --argo-server?"]
    assert records() == []


def test_a_flag_like_none_points_to_the_help(hera: CommandLine) -> None:
    told = hera("check", f"--{SECRET}", SECRET)
    assert told.code == 2
    assert "--help" in told.lines[-1]


def test_an_unknown_command_is_told_with_the_nearest(hera: CommandLine) -> None:
    told = hera("chekc")
    assert told.code == 2
    assert told.lines == ["unknown command chekc", "  -> did you mean check?"]


def test_an_unknown_key_is_told_with_file_line_and_the_nearest(hera: CommandLine) -> None:
    Path("hera.config").write_text(f"# mine\nargo_sever = {SECRET}\n")
    told = hera("check")
    assert told.code == 2
    assert told.lines == ["./hera.config, line 2: unknown key argo_sever", "  -> did you mean argo_server?"]


def test_a_key_like_none_is_a_warning_since_files_serve_many_programs(hera: CommandLine) -> None:
    Path("hera.config").write_text(f"wholly_other = {SECRET}\n")
    told = hera("render")
    assert told.code == 0
    assert "unknown keys ignored: wholly_other" in told.err


@pytest.mark.parametrize("content", [bytes(range(256)), f"bind = [a=b, {SECRET}\n".encode()])
def test_a_file_that_cannot_be_read_is_named(hera: CommandLine, content: bytes) -> None:
    Path("my.config").write_bytes(content)
    told = hera("render", "--config", "my.config")
    assert told.code == 2
    assert "my.config" in told.err


def test_a_file_that_was_named_must_be_there(hera: CommandLine) -> None:
    told = hera("render", "--config", "gone.config")
    assert told.code == 2
    assert "gone.config cannot be read: there is no such file" in told.err


VALUES: dict[str, tuple[str, str]] = {
    "--http-timeout": (SECRET, "not a number"),
    "--http-connect-timeout": ("-1", "some time"),
    "--http-retries": ("-1", "a number of times"),
    "--concurrency": ("0", "at least one"),
    "--check-timeout": ("0", "above 0"),
    "--timeout": (SECRET, "not a duration"),
    "--namespace": (f"../{SECRET}", "lower-case letters"),
    "--output": (SECRET, "one of text, json"),
    "--argo-server": (f"https://jane:{SECRET}@argo.example", "a user or password"),
    "--set": ("seed", "NAME=VALUE"),
    "--bind": ("results", "ROLE=NAME"),
}


@pytest.mark.parametrize("flag", VALUES)
def test_a_value_that_cannot_be_used_is_told_by_its_flag(
    hera: CommandLine, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value, words = VALUES[flag]
    monkeypatch.setenv("ARGO_SERVER", "http://127.0.0.1:1")
    monkeypatch.setenv("ARGO_TOKEN", SECRET)
    told = hera("run", f"{flag}={value}")
    assert told.code == 2
    assert words in told.err
    assert flag.strip("-").replace("-", " ").split()[-1] in told.err
    assert records() == []


def test_a_value_from_the_environment_or_a_file_is_told_by_its_place(
    hera: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("hera.config").write_text(f"http_timeout = {SECRET}\n")
    told = hera("render")
    assert told.code == 2
    assert told.lines[0] == "./hera.config, line 1: http_timeout cannot be used: not a number"
    monkeypatch.setenv("HERA_K8S_HTTP_TIMEOUT", SECRET)
    told = hera("render")
    assert told.code == 2
    assert "HERA_K8S_HTTP_TIMEOUT" in told.lines[0]


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["--layout", "hve"], 3, "did you mean hive?"),
        (["--engine", "argoo"], 3, ""),
        (["--credentials", "argo=vault"], 2, "hera-k8s plugins"),
        (["--run-id", "../../etc"], 2, "--run-id trial-7"),
        (["--set", "sed=1"], 2, ""),
        (["--points", "gone.csv"], 6, ""),
        (["--ca-file", "gone.pem", "--argo-server", "https://localhost:1", "--argo-anonymous"], 5, "PEM file"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_name_of_nothing_is_told_with_those_there_are(
    hera: CommandLine, words: list[str], code: int, hint: str
) -> None:
    told = hera("run", *words)
    assert told.code == code, told.err
    assert hint in told.err
    assert records() == []


def test_a_secret_on_the_line_is_in_no_output_at_any_verbosity(hera: CommandLine) -> None:
    for words in (["config"], ["render"], ["config", "--output", "json"]):
        told = hera(*words, "--argo-token", SECRET, "-vv")
        assert told.code == 0
    assert "<redacted>" in hera("config", "--argo-token", SECRET).out


@pytest.mark.parametrize("command", ["follow", "logs", "stop"])
def test_a_run_that_would_lead_out_of_the_records_is_refused(hera: CommandLine, command: str) -> None:
    told = hera(command, "../../etc")
    assert told.code == 2
    assert "is not the name of a run" in told.err
