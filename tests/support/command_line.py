"""`hera-k8s` as its users meet it: how a command ends, what it says, what it must never say, what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hera_k8s_cli.main import main

Json = dict[str, Any]

SECRET = "s3cret-that-nobody-may-see"
PATIENCE = 60.0
"""Seconds after which a test that waits for something gives up."""

SMALL = """
from hera.workflows import Container, Workflow

with Workflow(name="hello", entrypoint="main") as w:
    Container(name="main", image="busybox", command=["true"])
"""


class Told(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it said."""
        return self.out + self.err

    @property
    def lines(self) -> list[str]:
        """The lines of its talk and of its errors."""
        return self.err.splitlines()


class CommandLine:
    """Runs commands in this process; whatever they say is free of tracebacks and of secrets.

    secrets: texts that no output and no record may hold.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str], *secrets: str) -> None:
        self._capsys = capsys
        self.secrets = (SECRET, *secrets)

    def __call__(self, *words: str) -> Told:
        code = main(list(words))
        told = Told(code, *self._capsys.readouterr())
        refuse_what_must_not_be_said(told.text, self.secrets)
        refuse_what_must_not_be_kept(self.secrets)
        return told


def refuse_what_must_not_be_said(text: str, secrets: tuple[str, ...] = (SECRET,)) -> None:
    """No traceback, no secret, nothing that was left unsaid because of a bug."""
    assert "Traceback" not in text, text
    assert "unexpected:" not in text, text
    for secret in secrets:
        assert secret not in text


def refuse_what_must_not_be_kept(secrets: tuple[str, ...] = (SECRET,)) -> None:
    """Records are whole, each file of them can be read, and none holds a secret."""
    for path in (path for path in Path("runs").rglob("*") if path.is_file()):
        content = path.read_text(encoding="utf-8")
        assert not any(secret in content for secret in secrets), path
        if path.suffix == ".json":
            json.loads(content)
        else:
            assert path.suffix == ".jsonl", f"{path} is no file of a record"
            for line in content.splitlines():
                json.loads(line)


def record(run_id: str) -> Json:
    """The JSON files of one record by their names."""
    return {path.stem: json.loads(path.read_text()) for path in Path("runs", run_id).glob("*.json")}


def records() -> list[str]:
    """The ids of all runs that are recorded."""
    return sorted(path.name for path in Path("runs").iterdir()) if Path("runs").exists() else []


def kubeconfig(server: str, user: Json | None = None, *, context: str = "lyon", **more: Any) -> Json:
    """The data of a kubeconfig with one context; its user holds the secret unless the test says otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": "it", "user": "jane", **more}}],
        "clusters": [{"name": "it", "cluster": {"server": server}}],
        "users": [{"name": "jane", "user": {"token": SECRET} if user is None else user}],
    }


def write_kubeconfig(path: Path, body: Json) -> str:
    """Write it as people have it, for themselves alone; its path."""
    path.write_text(json.dumps(body))  # JSON is YAML
    path.chmod(0o600)
    return str(path)


@contextmanager
def program(*words: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """`hera-k8s WORDS` as a program of its own, with its talk in one pipe; killed if it has not ended by itself."""
    command = [sys.executable, "-m", "hera_k8s_utils", *words]
    environ = {**os.environ, "NO_COLOR": "1", **variables}
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], Any], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for a condition, while a program runs if one is given."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def ended(process: subprocess.Popen[str], *secrets: str) -> Told:
    """Wait for the end of a program; what it said."""
    said, _ = process.communicate(timeout=PATIENCE)
    refuse_what_must_not_be_said(said, (SECRET, *secrets))
    refuse_what_must_not_be_kept((SECRET, *secrets))
    return Told(process.returncode, said, "")
