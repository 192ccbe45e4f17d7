"""Options of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hera_k8s_utils import option


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """Whether to use the sandbox, and where it is."""

    prefix: ClassVar[str] = ""

    sandbox: bool = option(False, help="run on the embedded sandbox, on this machine", selects_provider=True)
    sandbox_dir: Path = option(
        Path(".hera-k8s/sandbox"), help="where the sandbox keeps its state and the files of claims", metavar="DIR"
    )
    sandbox_tasks: int | None = option(
        None, help="tasks that a sandbox runs at a time; without it, two for each processor", metavar="N"
    )
    sandbox_images: Path | None = option(None, help="file that maps more images to local commands", metavar="FILE")
    sandbox_mounts: str = option(
        "auto",
        help="how tasks see their mounts: at their true paths (bubblewrap, unshare), or by rewritten paths (rewrite); "
        "auto takes the first that works",
        choices=("auto", "bubblewrap", "unshare", "rewrite"),
    )
