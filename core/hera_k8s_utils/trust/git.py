"""Git, asked whether a file is part of a repository; with nothing of the repository's own configuration running."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from hera_k8s_utils.redaction import environment_for_children

GIT: Final = ("git", "-c", "core.fsmonitor=false")
"""The beginning of a git command; a repository's own configuration may name any program as its file monitor."""
_TIMEOUT: Final = 2.0
"""Seconds for one git command."""


def tracked_by_git(path: Path) -> bool:
    """Whether a file is part of a git repository; False where git cannot say."""
    full = path.resolve()
    if not any((parent / ".git").exists() for parent in full.parents):
        return False
    import subprocess

    try:
        asked = subprocess.run(
            [*GIT, "-C", str(full.parent), "ls-files", "--error-unmatch", "--", full.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            env=environment_for_children(os.environ),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # no git here, or it hangs: nothing can be told
        return False
    return asked.returncode == 0
