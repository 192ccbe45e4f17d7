"""Scripts as users of older versions wrote them: programs of their own, in a directory with its configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from command_line import SECRET, Told, refuse_what_must_not_be_said

HOME_FILE = "hera.config"


def run_script(source: str, *words: str, cwd: Path, secrets: tuple[str, ...] = (), **variables: str) -> Told:
    """Run a script in a directory as `python script.py WORDS`; no traceback and no secret may be said.

    variables: of its environment, besides those of the test.
    """
    (cwd / "script.py").write_text(source, encoding="utf-8")
    return run_python("script.py", *words, cwd=cwd, secrets=secrets, **variables)


def run_python(*words: str, cwd: Path, secrets: tuple[str, ...] = (), **variables: str) -> Told:
    """Run `python WORDS` in a directory."""
    environ = {**os.environ, "NO_COLOR": "1", **variables}
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL
    )
    told = Told(done.returncode, done.stdout, done.stderr)
    refuse_what_must_not_be_said(told.text, (SECRET, *secrets))
    return told


def write_config(path: Path, **values: Any) -> Path:
    """Write a `hera.config` for its owner alone."""
    path.write_text("".join(f"{key} = {value}\n" for key, value in values.items()), encoding="utf-8")
    path.chmod(0o600)
    return path
