"""Run ids, and the workflow names that are derived from them."""

from __future__ import annotations

import re
import secrets as random
from datetime import datetime
from typing import Final

from hera_k8s_utils.errors import OptionsError
from hera_k8s_utils.formatting import now
from hera_k8s_utils.names import is_dns_label

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


_OURS: Final = re.compile(r"\d{8}-\d{4}-([a-z0-9]{4})")


_FROM_OUTSIDE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


def new_run_id(at: datetime | None = None) -> str:
    """A name for a run that sorts by time and ends in four random characters: `20261120-1042-k3f9`."""
    tail = "".join(random.choice(_LETTERS) for _ in range(4))
    return f"{(at or now()):%Y%m%d-%H%M}-{tail}"


def short_id(run_id: str) -> str:
    """What people type: the random end of an id of ours, the whole of any other."""
    ours = _OURS.fullmatch(run_id)
    return ours[1] if ours else run_id


def workflow_name(experiment: str, run_id: str) -> str:
    """The name of a run's workflow: always the same for one experiment and run id.

    Raises `OptionsError` when the two do not make a DNS label of at most 63 characters.
    """
    name = f"{experiment}-{short_id(run_id)}"
    if not is_dns_label(run_id) or not is_dns_label(name):
        longest = 63 - 1 - len(experiment)
        raise OptionsError(
            f"a run cannot be called {run_id!r}",
            found=f"lower-case letters, digits and dashes are wanted, at most {longest}, no dash at either end",
            hint="--run-id trial-7",
        )
    return name


def is_safe_id(text: str) -> bool:
    """Whether a text from outside may become part of a path and of a URL."""
    return _FROM_OUTSIDE.fullmatch(text) is not None and ".." not in text
