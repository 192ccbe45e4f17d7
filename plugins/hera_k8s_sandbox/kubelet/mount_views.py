"""Views: how tasks see their mounts on this machine, chosen by trial."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Protocol

from hera_k8s_sandbox.kubelet.mounts import Launch, Task
from hera_k8s_sandbox.kubelet.path_rewriting import REWRITE, RewritingView
from hera_k8s_sandbox.kubelet.private_roots import BUBBLEWRAP, UNSHARE, Bubblewrap, Unshare

AUTO: Final = "auto"
KINDS: Final = (AUTO, BUBBLEWRAP, UNSHARE, REWRITE)

_PLAIN_PATH: Final = re.compile(r"[\w./@%+=:,~-]+")  # what a shell takes for one word, without quotes
_PRIVATE_ROOTS: Final = {BUBBLEWRAP: Bubblewrap.find, UNSHARE: Unshare.find}  # in the order of preference
_ADVICE: Final = "allow user namespaces on this machine, or install bubblewrap"


class MountView(Protocol):
    """A way to show a task its mounts."""

    @property
    def kind(self) -> str:
        """`bubblewrap`, `unshare` or `rewrite`."""

    def launch(self, task: Task) -> Launch:
        """Prepare the task's directory and say what to start. Raises TaskRefused."""


def choose_view(kind: str, state_directory: Path) -> MountView:
    """The view of a kind; `auto` takes the first that works. Raises ValueError for a kind that does not."""
    for name, find in _PRIVATE_ROOTS.items():
        view = find(state_directory) if kind in (AUTO, name) else None
        if view is not None:
            return view
        if kind == name:
            raise ValueError(f"{name} does not work on this machine")
    if not _PLAIN_PATH.fullmatch(str(state_directory.resolve())):
        raise ValueError(
            f"a shell would take {str(state_directory)!r}, to which mount paths are rewritten, for several words: "
            f"take a directory without blanks and quotes (--sandbox-dir), or {_ADVICE}"
        )
    return RewritingView()
