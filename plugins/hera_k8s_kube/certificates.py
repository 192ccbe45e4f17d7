"""Client certificates: whose one is, and when it is valid. Reading them needs the extra `certificates`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.x509 import Name

EXTRA: Final = "hera-k8s-utils[certificates]"
"""What to install where certificates cannot be read."""
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Certificate:
    """What is needed of an X.509 certificate (RFC 5280).

    common_name: of its subject; empty when it has none.
    not_before: the first moment at which it is valid, timezone-aware.
    not_after: the last moment at which it is valid, timezone-aware.
    """

    common_name: str
    not_before: datetime
    not_after: datetime


def can_read_certificates() -> bool:
    """Whether the extra `certificates` is installed; an older cryptography than it asks for is not enough."""
    try:
        from cryptography import x509
    except Exception:  # a broken installation fails otherwise than with an ImportError
        return False
    return hasattr(x509.Certificate, "not_valid_after_utc")


def has_certificate(pem: bytes) -> bool:
    """Whether a PEM text seems to hold a certificate."""
    return _BEGIN in pem


def read_certificate(pem: bytes) -> Certificate | None:
    """The first certificate of a PEM text; None when there is none that can be read."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(pem)
        return Certificate(_common_name(found.subject), found.not_valid_before_utc, found.not_valid_after_utc)
    except (ValueError, x509.InvalidVersion):
        return None


def _common_name(subject: Name) -> str:
    from cryptography.x509.oid import NameOID

    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
