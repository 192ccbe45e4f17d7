"""What the tests ask of their machine: missing tools are named, and Ctrl-C reaches the children of tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
NEEDY = """
import pytest

@pytest.mark.needs("no-such-tool")
def test_something():
    pass
"""
SIGNALLED = """
import signal, subprocess, sys

import pytest

@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "PIPE", "QUIT", "USR1", "ALRM"])
def test_a_signal_ends_a_child(name):
    number = getattr(signal, f"SIG{name}")
    child = subprocess.run(["sh", "-c", f"kill -{name} $$; exit 3"], timeout=20)
    assert child.returncode == -number

def test_a_child_of_python_can_be_interrupted():
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True\\n"

def test_the_exit_code_of_a_child_is_seen():
    assert subprocess.run(["sh", "-c", "exit 7"]).returncode == 7

def test_pytest_itself_outlives_what_it_ignored():
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        signal.raise_signal(signal.SIGHUP)
"""


def pytest_on(directory: Path, text: str, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run pytest, with the plugin alone, on a file; before: shell that comes first."""
    (directory / "test_it.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "machine",
        "-rs",
        "--rootdir",
        str(directory),
        *words,
        "test_it.py",
    ]
    return subprocess.run(
        ["sh", "-c", f'{before}exec "$@"', "sh", *command],
        cwd=directory,
        env={"PYTHONPATH": str(REPOSITORY / "tests" / "support"), "PATH": "/usr/bin:/bin", "HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [((), 0, "no-such-tool is not installed"), (("--require-tools",), 1, "no-such-tool is not installed (--require")],
)
def test_a_missing_tool_is_named(tmp_path: Path, words: tuple[str, ...], code: int, told: str) -> None:
    done = pytest_on(tmp_path, NEEDY, *words)
    assert done.returncode == code
    assert told in done.stdout


BLOCK = "import os, signal, sys; signal.pthread_sigmask(0, signal.valid_signals()); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.mark.parametrize(
    "before",
    [
        "",
        "trap '' INT; ",
        "trap '' INT QUIT TERM HUP PIPE CHLD USR1 ALRM; ",
        "trap '' HUP; ",  # what nohup does
        f'set -- {sys.executable} -c "{BLOCK}" "$@"; ',
    ],
    ids=["as usual", "a background job", "all", "nohup", "blocked"],
)
def test_signals_reach_the_children_of_tests(tmp_path: Path, before: str) -> None:
    done = pytest_on(tmp_path, SIGNALLED, before=before)
    assert done.returncode == 0, done.stdout
