"""The rules that names obey on a cluster, and the nearest name to a mistyped one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def is_dns_label(name: str, *, longest: int = 63) -> bool:
    """Whether a name is a DNS label (RFC 1123), as names of containers and workflows must be."""
    return len(name) <= longest and _DNS_LABEL.fullmatch(name) is not None


def is_dns_subdomain(name: str, *, longest: int = 253) -> bool:
    """Whether a name is a DNS subdomain (RFC 1123), as names of most objects must be."""
    return len(name) <= longest and _DNS_SUBDOMAIN.fullmatch(name) is not None


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, None when none is near."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return found[0] if found else None
