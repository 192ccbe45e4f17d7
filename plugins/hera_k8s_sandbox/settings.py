"""Options of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hera_k8s_utils import option


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """Whether to use the sandbox, and where it is."""

    prefix: ClassVar[str] = ""

    sandbox: bool = option(False, help="run on the embedded sandbox, on this machine", selects=True)
    sandbox_dir: str = option(
        ".hera-k8s/sandbox", help="where the sandbox keeps its state and the files of claims", metavar="DIR"
    )
