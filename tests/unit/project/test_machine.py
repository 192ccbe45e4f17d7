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
INTERRUPTED = """
import signal, subprocess, sys

def test_a_child_is_interrupted():
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True\\n"
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


def test_children_can_be_interrupted_where_the_signal_was_ignored(tmp_path: Path) -> None:
    """As in a background job of a script."""
    done = pytest_on(tmp_path, INTERRUPTED, before="trap '' INT; ")
    assert done.returncode == 0, done.stdout
