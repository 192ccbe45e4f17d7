"""Names of what a task becomes on the cluster."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_LONGEST: Final = 63
"""Characters: a Job's name is a label of its pods."""


def job_name(dispatch_id: str, node_id: int | str) -> str:
    """`job-<dispatch>-<node>`; where that is no DNS label, it is made one, with a digest that keeps it apart."""
    wanted = f"job-{dispatch_id}-{node_id}"
    name = re.sub(r"[^a-z0-9-]+", "-", wanted.lower()).strip("-")
    if name == wanted and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:10]
    return f"{name[: _LONGEST - 11].rstrip('-')}-{digest}"


def label_value(text: str) -> str:
    """A text as the value of a label; what does not fit is left out."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:_LONGEST].strip("-_.")
