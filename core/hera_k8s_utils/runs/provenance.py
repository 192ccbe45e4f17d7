"""Where a run came from: versions of what shaped it, and the commit of the experiment's file."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from hera_k8s_utils.reading import MIB, run_command
from hera_k8s_utils.redaction import environment_for_children
from hera_k8s_utils.trust.git import GIT


def versions() -> dict[str, str]:
    """Versions of the interpreter and of the libraries that shape a run."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for distribution in ("hera-k8s-utils", "hera", "kubernetes", "pluggy", "dependency-injector", "ConfigArgParse"):
        try:
            found[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state(directory: Path) -> dict[str, Any] | None:
    """The commit that the experiment's file belongs to, and whether tracked files differ from it; None without git."""
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(directory, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def _git(directory: Path, *arguments: str) -> str | None:
    import subprocess

    environment = {**environment_for_children(os.environ), "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = run_command(
            [*GIT, "-C", str(directory), *arguments],
            timeout=5,
            most=16 * MIB,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
