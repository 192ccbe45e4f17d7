"""What can be read from a token or a certificate without asking anyone: whose it is, and until when."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from hera_k8s_utils.plugins.credentials import Credential
from hera_k8s_utils.reading import parse_json

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_COMMON_NAME: Final = bytes.fromhex("550403")  # OID 2.5.4.3
_VERSION, _UTC_TIME = 0xA0, 0x17


# --- tokens ----------------------------------------------------------------------------------------------------


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JSON Web Token (RFC 7519), unverified; empty for an opaque token."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = parse_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def expiry_of(token: str) -> datetime | None:
    """When a token ends, None when it does not say."""
    seconds = claims_of(token).get("exp")
    if not isinstance(seconds, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None


def subject_of(token: str) -> str:
    """Whose a token is: a service account's name, or the claim by which people are called."""
    claims = claims_of(token)
    for claim in ("email", "preferred_username", "sub"):
        if isinstance(claims.get(claim), str) and claims[claim]:
            return str(claims[claim])
    return ""


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time as Kubernetes writes it, `2026-11-20T10:42:00Z`; None for anything else."""
    # Python 3.10 knows no Z, and fractions of three or six digits only
    six_digits = re.sub(r"\.(\d+)", lambda match: f".{match[1][:6]:0<6}", text.strip())
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", six_digits))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def expires_within(credential: Credential, seconds: float) -> bool:
    """Whether a credential has ended, or will within so many seconds."""
    end = credential.expires_at
    return end is not None and datetime.now(timezone.utc) >= end - timedelta(seconds=seconds)


# --- certificates ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    """What is needed of an X.509 certificate (RFC 5280): its subject's common name, and its times."""

    common_name: str
    not_before: datetime
    not_after: datetime


def read_certificate(pem: bytes) -> Certificate | None:
    """The first certificate of a PEM text, None when there is none that can be read."""
    _, begin, rest = pem.partition(_BEGIN)
    content, end, _ = rest.partition(_END)
    if not begin or not end:
        return None
    try:
        return _decode(base64.b64decode(content))
    except (ValueError, IndexError, StopIteration):
        return None


def _decode(der: bytes) -> Certificate:
    """The signed part holds version (optional), serial number, algorithm, issuer, validity, subject, in this order."""
    _, certificate = next(_elements(der))
    _, signed = next(_elements(certificate))
    fields = [(tag, value) for tag, value in _elements(signed) if tag != _VERSION]
    (_, _), _, _, (_, validity), (_, subject) = fields[:5]
    before, after = [_time(tag, value) for tag, value in _elements(validity)][:2]
    return Certificate(_name(subject), before, after)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element of a DER sequence (X.690)."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + length > len(data):
            raise ValueError("an element is longer than what holds it")
        yield tag, data[at : at + length]
        at += length


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 50 and above are of the last century
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)


def _name(subject: bytes) -> str:
    for _, part in _elements(subject):
        for _, pair in _elements(part):
            (_, kind), (_, value) = list(_elements(pair))[:2]
            if kind == _COMMON_NAME:
                return value.decode("utf-8", "replace")
    return ""
